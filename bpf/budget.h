/* SPDX-License-Identifier: GPL-2.0 */
/* How many SYNs may be made again: a pool whose backends refuse gets at most twice the load it would
 * have anyway. Each new flow earns one; some more come with time, for pools with few flows. */
#ifndef ZDD_BUDGET_H
#define ZDD_BUDGET_H

#include "mem.h"

enum {
	BUDGET_STEP = 16, /* new flows of one CPU are added in steps, to keep off the shared line */
	BUDGET_MOST = 4096, /* what can be saved up */
	BUDGET_FLOOR = 64,  /* a second */
};

ZDD_INLINE void budget_add(__u32 pool, __s32 n)
{
	struct zdd_budget *b = AT(budgets, pool);

	if (b && ONCE(b->tokens) < BUDGET_MOST)
		__sync_fetch_and_add(&b->tokens, n);
}

ZDD_INLINE void budget_refill(__u32 pool, struct zdd_budget *b, __u32 now)
{
	__u32 at = ONCE(b->at), age = now - at;

	if (age < geometry.hz / 8)
		return;
	if (__sync_val_compare_and_swap(&b->at, at, now) == at)
		budget_add(pool,
			   age < geometry.hz ? age * BUDGET_FLOOR / geometry.hz : BUDGET_FLOOR);
}

/* Returns 1 and takes one, or 0. */
ZDD_INLINE int budget_take(__u32 pool, __u32 now)
{
	struct zdd_budget *b = AT(budgets, pool);

	if (!b)
		return 0;
	budget_refill(pool, b, now);
	if (ONCE(b->tokens) <= 0)
		return 0;
	if (__sync_fetch_and_add(&b->tokens, -1) > 0)
		return 1;
	__sync_fetch_and_add(&b->tokens, 1);
	return 0;
}

#endif
