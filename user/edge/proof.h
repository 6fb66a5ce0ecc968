/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pools a change took new flows from and gave them to, and what the data path's own stamps
 * say about it afterwards (DESIGN 2, guarantee 1). */
#ifndef ZDD_PROOF_H
#define ZDD_PROOF_H

#include <jansson.h>
#include <stdint.h>

struct daemon;
struct txn;

/* [{"service","pool","backend","object","lost": bool}] of a transaction that was published and not
 * yet committed; backend is null where it is about the whole pool. */
json_t *proof_moved(const struct txn *);
/* After the grace period. {"proven","old","new"}, or null when nothing moved. */
json_t *proof_of(struct daemon *, const json_t *moved, uint64_t generation);
/* [{"service","pool","backend","flows_active"}] of those that lost their new flows and have open
 * ones, counted now. */
json_t *proof_staying(struct daemon *, const json_t *moved);

#endif
