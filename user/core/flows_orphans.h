/* SPDX-License-Identifier: BSD-2-Clause */
/* Places of the flow table that a daemon held when it was killed: it was ending a flow or entering
 * one. Programs run to their end, so what is between two flows before a grace period and the same
 * after it (the meta of a place that was used meanwhile has another epoch) is nobody's. Pure. */
#ifndef ZDD_FLOWS_ORPHANS_H
#define ZDD_FLOWS_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/layout.h"

struct orphan {
	uint32_t place, tag;
	uint64_t meta;
};

/* Places that are between two flows now, at most room of them. Returns how many. */
size_t orphans_find(const struct zdd_memory *, struct orphan *list, size_t room);
/* After a grace period: frees those that still are as they were found. Returns how many. */
size_t orphans_free(const struct zdd_memory *, const struct orphan *list, size_t n);

#endif
