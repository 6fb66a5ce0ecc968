/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the rollout machine share: rollout*.c, rolling.c. */
#ifndef ZDD_ROLLOUT_INT_H
#define ZDD_ROLLOUT_INT_H

#include "rollout.h"

/* To the state; no hook is asked for in it yet. Returns true. */
bool rollout_go(struct rollout *, const struct rollout_facts *, enum rollout_state);
/* The same with the reason. */
__attribute__((format(printf, 4, 5))) bool rollout_enter(struct rollout *,
							 const struct rollout_facts *,
							 enum rollout_state, const char *why, ...);
/* Asks for the hook when there is one that this state has not asked for. Returns whether it did. */
bool rollout_ask(struct rollout *, const struct cfg_rollout *, enum rollout_hook);
bool rollout_hook_is_due(const struct rollout *, enum rollout_hook);
/* The hook that is due ended with 0. Returns whether it did. */
bool rollout_note_hook(struct rollout *, const struct rollout_facts *);
/* To the state and back from it without forgetting the hook that was asked for. */
void rollout_stand(struct rollout *, const struct rollout_facts *, enum rollout_state);
bool rollout_pause(struct rollout *, const struct rollout_facts *, const char *why);
/* A step's time is over, or a person does not wait for it. */
bool rollout_next_step(struct rollout *, const struct rollout_facts *);
bool rollout_shift(struct rollout *, const struct rollout_facts *, unsigned step);
/* Where it is, or, when paused, goes on. */
enum rollout_state rollout_place(const struct rollout *);
/* The shares are not what they were when it began. */
bool rollout_has_share(const struct rollout *);

/* ---- rolling in place ---- */

/* A person lets it go on: what the batch has yet to be watched is not waited for. */
void rolling_promote(struct rollout *, const struct rollout_facts *);
/* It ends here: of the batch, what may have the new version without having been found well stays
 * out, the rest goes back to work. */
void rolling_leave_out(struct rolling *);
/* The backends of a batch by their places in the pool, from 1: "backends 3 to 4". */
void rolling_name(const struct rolling *, char *out, size_t size);

#endif
