/* SPDX-License-Identifier: BSD-2-Clause */
/* Rolling (DESIGN 7). Pure.
 *
 * In place: the backends of one pool get the new version batch by batch, by the update hook. The
 * states of a rollout are gone through once for each batch, rolling.step says where in them:
 *
 *   shifting: drain -> update     the batch gets no new flows; empty or at the deadline, its hooks run
 *   watching: check -> serve      healthy again (within staging_ms) it gets new flows, for each.min and
 *                                 until its slow start is over
 *   watching: next                until the backends outside the next batch are min_available; one in
 *                                 its slow start is not counted, but waited for
 *
 * A hook that fails, a batch that does not come up or goes down while it is watched: on_failure stop
 * leaves that batch out and the others as they are. Back takes the old version there by the same hook
 * (ZDD_RESULT=back, tokens end in -back), then to the batches before it, the last first. At the end
 * it is rolled_back, or failed_safe when the new version never had traffic.
 *
 * From pool to pool: shares in steps, as a canary, by time alone. */
#ifndef ZDD_ROLLING_H
#define ZDD_ROLLING_H

#include "rollout.h"

extern const char *const rolling_step_words[]; /* by enum rolling_step: "drain" ..., then NULL */

/* rollout_look for a rollout with rolling.in_place, from STAGING on. Its facts besides the common
 * ones: empty (every backend of the batch is, or its drain's deadline is over), fit (all of the batch
 * are up by checks that began after their hooks; those a person keeps out do not count), hook,
 * hook_text, backends, n_backends. */
bool rolling_look(struct rollout *, const struct cfg_rollout *, const struct rollout_facts *);
/* Backend k of the pool must get no new flows now: it is drained, updated or checked, or, when the
 * rollout is over, was left so; from then on a person may take it back. */
bool rolling_holds_out(const struct rollout *, unsigned k);

enum { ROUND_DOWN, ROUND_UP };

/* How many of n an amount is. Kubernetes rounds surge up and unavailable down. */
unsigned rolling_amount(struct cfg_amount, unsigned n, bool up);
/* The largest batch of n backends that max_parallel, max_unavailable (each 1 at least) and
 * min_available (rounded up) allow; 0: there is none. */
unsigned rolling_batch(const struct cfg_batch *, unsigned n);
/* So many backends must be up outside the batch. */
unsigned rolling_floor(const struct cfg_batch *, unsigned n);

/* From pool to pool: a step for each batch of n_new backends, its share what of them have come in;
 * a batch is max_surge (rounded up) + max_unavailable (down), at most max_parallel, and so large that
 * ROLLOUT_STEPS do. Each ends by time, at once. Returns their number; 0: the new pool is smaller than
 * min_available of the old one. */
unsigned rolling_steps(const struct cfg_batch *, unsigned n_old, unsigned n_new,
		       struct cfg_step *out);

/* Line i, from 0, of what will happen, one a batch or step, for people. False past the last; when
 * there is no batch, the first line says why. */
bool rolling_plan_text(const struct cfg_batch *, unsigned n, unsigned i, char *out, size_t size);
bool rolling_steps_text(const struct cfg_batch *, unsigned n_old, unsigned n_new, unsigned i,
			char *out, size_t size);

#endif
