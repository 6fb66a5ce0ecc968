/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow records as the daemon reads and enters them while programs use the same table, by the
 * protocol of docs/flows.md. Pure. */
#ifndef ZDD_FLOWS_H
#define ZDD_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/layout.h"

enum flow_region { FLOWS_TCP, FLOWS_HALF, FLOWS_UDP, FLOW_REGIONS };

/* The first bucket of a region, and how many there are. */
uint32_t region_first(const struct zdd_geometry *, enum flow_region);
uint32_t region_buckets(const struct zdd_geometry *, enum flow_region);
uint8_t region_proto(enum flow_region);

/* A copy of the record at a place as it stood when it was valid; false: there is none. */
bool flow_copy(const struct zdd_memory *, uint32_t place, struct zdd_flow *out, uint32_t *tag);
/* Ends the flow whose meta was this, unless it changed since: who wins its meta has the place. */
bool flow_end(const struct zdd_memory *, uint32_t place, __u64 meta);
/* Marks the flow whose meta was this, and which may have been touched since, as being cut: it is over
 * from now on, and lets nothing pass. Its meta now, or 0: it is another flow. */
__u64 flow_cut(const struct zdd_memory *, uint32_t place, __u64 meta, uint32_t now);
/* The record of f's rewritten port ends with it. */
void flow_end_alias(const struct zdd_memory *, const struct zdd_flow *f, uint32_t now);
/* FIN both ways or RST: it lingers for late packets and is open to nobody. */
bool flow_has_ended(uint16_t state);
/* Records in a region, ended ones that linger too. */
uint32_t flows_held(const struct zdd_memory *, enum flow_region);
/* Enters a flow of other memory with the same objects. A record that is there already learns what
 * the other one has seen. 0, or -ENOSPC when both buckets are full. */
int flow_enter(const struct zdd_memory *, enum flow_region, const struct zdd_flow *);
/* Enters all flows of from, half-open ones first: one that is established meanwhile is then found
 * at its new place. Returns how many had no room. */
size_t flows_enter_all(const struct zdd_memory *from, const struct zdd_memory *to);

#endif
