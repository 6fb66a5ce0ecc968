/* SPDX-License-Identifier: BSD-2-Clause */
/* Share tables: which pool a share bucket belongs to, exact to 0.01 % (DESIGN 2, guarantee 4). Pure. */
#ifndef ZDD_SHARE_H
#define ZDD_SHARE_H

#include <stddef.h>
#include <stdint.h>

#include "zdd/limits.h"

struct share_pool {
	const char *name; /* unique in the service */
	uint16_t share;   /* 0.01 %; the sum of all is ZDD_SHARE_UNITS */
};

/* Fills table with indices into pools. Every pool but live takes the first free buckets of its own
 * order, pool after pool by name; live has the rest. So a pool whose share grows keeps all it had.
 * The order follows from salt and the pool's name alone. n <= ZDD_POOLS_PER_SERVICE. */
void share_fill(const struct share_pool *pools, size_t n, size_t live, uint64_t salt,
		uint8_t table[ZDD_SHARE_UNITS]);

#endif
