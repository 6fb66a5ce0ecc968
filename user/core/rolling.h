/* SPDX-License-Identifier: BSD-2-Clause */
/* Rolling in place (DESIGN 7): the backends of one pool get the new version batch by batch, by the
 * update hook. Of a batch: drain -> empty or deadline -> hook for each -> healthy again -> next. Pure. */
#ifndef ZDD_ROLLING_H
#define ZDD_ROLLING_H

#include "rollout.h"

/* rollout_look for a rollout with rolling.in_place, from STAGING on. */
bool rolling_look(struct rollout *, const struct cfg_rollout *, const struct rollout_facts *);
/* Backend k of the pool must get no new flows now: its batch is drained or being updated. */
bool rolling_holds_out(const struct rollout *, unsigned k);
/* How many of n an amount is: percents round down, but max_parallel and max_unavailable are 1 at
 * least. */
unsigned rolling_amount(struct cfg_amount, unsigned n);
/* The largest batch that keeps min_available of n backends (and max_unavailable, max_parallel); 0:
 * there is none. */
unsigned rolling_batch(const struct cfg_batch *, unsigned n);

#endif
