/* SPDX-License-Identifier: GPL-2.0 */
/* Lease and breaker of a candidate (struct zdd_override): what ends its share without the daemon. */
#ifndef ZDD_LEASE_H
#define ZDD_LEASE_H

#include "mem.h"

/* Why new flows are to be turned away from the pool now. */
ZDD_INLINE __u32 override_why(const struct zdd_override *o, __u64 now)
{
	__u64 until = ONCE(o->until);
	__u32 limit = ONCE(o->limit);

	if (ONCE(o->why))
		return o->why;
	if (until && now >= until)
		return ZDD_OVER_LEASE;
	return limit && ONCE(o->failed) >= limit ? ZDD_OVER_FAILURES : ZDD_OVER_NOT;
}

/* Returns 1 when this flow, which was to go to the pool, is turned away; it is stamped and counted. */
ZDD_RARE int turned_away(__u32 pool)
{
	struct zdd_override *o = AT(overrides, pool);
	struct zdd_count_row *row = AT(counts, CPU());
	__u64 now = NOW();
	__u32 why = o ? override_why(o, now) : ZDD_OVER_NOT;

	if (!why || !row)
		return 0;
	if (__sync_val_compare_and_swap(&o->why, ZDD_OVER_NOT, why) == ZDD_OVER_NOT)
		ONCE(o->tripped) = now;
	__sync_fetch_and_add(&o->turned, 1);
	row->note[ZDD_N_TURNED_AWAY]++;
	return 1;
}

/* One more connection came to nothing there. */
ZDD_INLINE void count_failed(__u32 pool)
{
	struct zdd_override *o = AT(overrides, pool);

	if (o && ONCE(o->limit))
		__sync_fetch_and_add(&o->failed, 1);
}

/* The daemon's, whose clock is not asked. What is over stays over. Returns as struct zdd_renewal says. */
ZDD_INLINE int lease_renew(const struct zdd_renewal *r)
{
	struct zdd_override *o = AT(overrides, r->pool);
	__u64 now = NOW();

	if (!o)
		return 2;
	if (override_why(o, now))
		return 1;
	ONCE(o->limit) = r->limit;
	ONCE(o->until) = r->ms ? now + r->ms * geometry.hz / 1000 + 1 : 0;
	return 0;
}

#endif
