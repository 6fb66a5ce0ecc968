/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rollout will do, for people, before it does it: `--dry-run`. Pure. */
#ifndef ZDD_ROLLOUT_PLAN_H
#define ZDD_ROLLOUT_PLAN_H

#include "txn.h"

/* "canary to green", "update of blue in place", "experiment". */
void rollout_title(const struct world_service *, const struct rollout *, char *out, size_t size);
/* Appends a sentence for each step: shares, backends that are up, what ends it, how long a decision
 * takes; and what comes after. rate: NULL when nobody knows. */
void rollout_plan(const struct world_service *, const struct rollout *, const struct txn_rate *,
		  json_t *changes);

/* How many bad events, of both sides, show that the candidate has rho times live's rate (JUDGE.md).
 * share: 0..1, the candidate's. */
double errors_to_decide(double alpha, double rho, double share);
/* Seconds from the start of a step until the judge can speak for a candidate as good as live, at this
 * rate; INFINITY: it cannot. */
double seconds_to_decide(const struct cfg_judge *, const struct cfg_step *,
			 const struct txn_rate *);

#endif
