/* SPDX-License-Identifier: GPL-2.0 */
/* Fragments that come before the first one of their datagram, which alone tells whose they are: they
 * are kept, and when it came the daemon is woken and puts them into the data path again (zdd_replay).
 * Only what goes to a listener's address or comes from a backend's is kept, so many at once, and
 * nobody waits for longer than receivers do. */
#ifndef ZDD_EARLY_H
#define ZDD_EARLY_H

#include "count.h"
#include "door.h"
#include "fragment.h"

ZDD_INLINE struct zdd_early *early_at(__u64 who, __u32 i)
{
	return AT(early, (zdd_scale(who, ZDD_EARLY) + i) % ZDD_EARLY);
}

/* Some of this datagram are kept. */
ZDD_RARE int early_any(__u64 who)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ZDD_EARLY_ROW; i++) {
		const struct zdd_early *e = early_at(who, i);

		if (e && ONCE(e->who) == who)
			return 1;
	}
	return 0;
}

/* What became of the first one is known. */
ZDD_INLINE void early_wake(__u64 who)
{
	if (early_any(who))
		WAKE(who);
}

/* One that is free, or whose datagram nobody waits for any more. */
ZDD_INLINE int early_free(const struct zdd_early *e, __u64 who, __u32 now)
{
	return !who || (who >= FRAGMENT_FIRST && now - ONCE(e->since) > 60 * geometry.hz);
}

ZDD_INLINE int early_take(struct zdd_early *e, const struct zdd_job *j, __u64 who)
{
	__u64 was = ONCE(e->who);

	if (!early_free(e, was, j->now) ||
	    __sync_val_compare_and_swap(&e->who, was, FRAGMENT_BUSY) != was)
		return 0;
	if (was)
		count_note(ZDD_N_FRAGMENT_LOST);
	e->len = 0;
	e->since = j->now;
	e->ifindex = j->p.ifindex;
	__sync_lock_test_and_set(&e->who, who);
	return 1;
}

/* The hook copies the frame to j->early, less 1. */
ZDD_RARE int early_keep(struct zdd_job *j)
{
	__u64 who;

	if (!j)
		return 0;
	end_drop(&j->out, ZDD_V_FRAGMENT_EARLY);
	if (j->p.frame > ZDD_EARLY_FRAME - VLAN_TAG || j->p.frame < ETH_HEADER)
		return 0;
	who = fragment_who(j);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ZDD_EARLY_ROW; i++) {
		struct zdd_early *e = early_at(who, i);

		if (!e || !early_take(e, j, who))
			continue;
		j->early = 1 + (zdd_scale(who, ZDD_EARLY) + i) % ZDD_EARLY;
		j->out.verdict = ZDD_V_FRAGMENT_HELD;
		return 0;
	}
	return 0;
}

ZDD_INLINE int has_address_door(const struct zdd_job *j)
{
	__u32 slot = ZDD_WORD_SLOT(j->word);

	return door_find(slot, &j->p.dst, 0, 0) || door_find(slot, &j->p.src, 0, 0);
}

/* A later fragment. Sets j->out. */
ZDD_INLINE void look_fragment(struct zdd_job *j)
{
	if (fragment_get(j) || end_before(j))
		return;
	end_pass(&j->out, ZDD_V_FRAGMENT_PASS);
	if (!j->p.egress && has_address_door(j))
		early_keep(j);
}

/* The frame is where it waits: its first one may have come meanwhile. */
ZDD_INLINE void early_kept(const struct zdd_job *j, struct zdd_early *e, __u32 len)
{
	ONCE(e->len) = len;
	ORDER(&e->len);
	if (fragment_known(j))
		early_wake(fragment_who(j));
}

#endif
