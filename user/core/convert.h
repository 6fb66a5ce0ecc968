/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking over what other memory holds: of another size, or of the layout before. Objects keep their
 * indices and the running plan its generation, so both memories give a client the same answer. Pure. */
#ifndef ZDD_CONVERT_H
#define ZDD_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/layout.h"

struct conversion {
	uint32_t from; /* layout version */
	/* Everything but flows and counters. 0 or -ENOSPC. */
	int (*objects)(const struct zdd_memory *from, const struct zdd_memory *to);
	/* Flows while programs use both; again and again, later calls bring what changed. Returns
	 * how many had no room. */
	size_t (*flows)(const struct zdd_memory *from, const struct zdd_memory *to);
	/* Sums of the counters into the row that is no CPU's. */
	void (*counts)(const struct zdd_memory *from, const struct zdd_memory *to);
};

/* NULL: that layout is not known. */
const struct conversion *convert_from(uint32_t version);
/* The least sizes that hold what memory holds now, flows not counted. 0, or -EPROTO when its plan
 * is not sound. */
int convert_least(const struct zdd_memory *, struct zdd_geometry *least);

#endif
