/* SPDX-License-Identifier: BSD-2-Clause */
/* Consistent tables: which backend of a pool a flow gets. Weighted Maglev (Eisenbud et al., NSDI
 * 2016, 3.4) over all configured backends; what stands at a slot follows from the backends' texts
 * and weights alone, so every node builds the same. Pure. */
#ifndef ZDD_TABLE_H
#define ZDD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a backend's slots: all of them. */
enum { TABLE_WHOLE = 1000 };

struct table_backend {
	const char *text; /* canonical address:port, unique in the pool */
	uint16_t weight;  /* >= 1 */
	uint16_t object;  /* what is written into the slots */
	uint16_t part;    /* of its slots answered by itself, TABLE_WHOLE: all; 0: it takes no new
			   * flows. The others' slots stay theirs, the rest of its own goes to them */
};

/* How many slots a pool of these backends needs: 0, 1 (no table: the only one), or a prime large
 * enough for shares to be exact to 1 % of themselves. Does not depend on the parts. */
uint32_t table_size(const struct table_backend *, size_t n);

/* Fills size slots (from table_size, > 1). The order of the backends does not matter. When none
 * takes new flows all are taken to. 0 or -ENOMEM (slots undefined then). */
int table_fill(const struct table_backend *, size_t n, uint16_t *slots, uint32_t size);

#endif
