/* SPDX-License-Identifier: GPL-2.0 */
/* Fragments: only the first has ports. What became of it is remembered for those behind it: sets of
 * four, lossy, each written by whoever turns `who` from what it was to BUSY. A reader that sees the
 * same `who` before and after read one memo. Those that come before their first one: early.h. */
#ifndef ZDD_FRAGMENT_H
#define ZDD_FRAGMENT_H

#include "job.h"

enum { FRAGMENT_FREE, FRAGMENT_BUSY, FRAGMENT_FIRST };

/* In IPv6 the identification is not per protocol (RFC 8200 4.5). */
ZDD_INLINE __u64 fragment_who(const struct zdd_job *j)
{
	const struct zdd_packet *p = &j->p;
	__u64 who = zdd_fragment_hash(&p->src, &p->dst, p->fragment, p->v6 ? 0 : p->proto, j->seed);

	return who < FRAGMENT_FIRST ? who + FRAGMENT_FIRST : who;
}

ZDD_INLINE struct zdd_fragment_set *fragment_set(__u64 who)
{
	return AT(fragments, zdd_scale(who, ZDD_FRAGMENT_SETS));
}

/* The last of a datagram may be this much behind (RFC 1122 3.3.2, RFC 8200 4.5; Linux: 30 s). */
ZDD_INLINE int fragment_lives(const struct zdd_fragment *f, const struct zdd_job *j)
{
	return j->now - ONCE(f->seen) < (j->p.v6 ? 60 : 30) * geometry.hz;
}

/* Its own, else the one that was written first. */
ZDD_INLINE struct zdd_fragment *fragment_place(struct zdd_fragment_set *set, __u64 who, __u32 now)
{
	struct zdd_fragment *place = &set->fragment[0];

	for (int i = 1; i < ZDD_FRAGMENT_WAYS; i++)
		if (now - set->fragment[i].seen > now - place->seen)
			place = &set->fragment[i];
	for (int i = 0; i < ZDD_FRAGMENT_WAYS; i++)
		if (set->fragment[i].who == who)
			place = &set->fragment[i];
	return place;
}

/* A first fragment was decided upon. */
ZDD_INLINE int fragment_put(const struct zdd_job *j, __u64 who)
{
	struct zdd_fragment_set *set = fragment_set(who);
	struct zdd_fragment *f;
	__u64 was;

	if (!set)
		return 0;
	f = fragment_place(set, who, j->now);
	was = ONCE(f->who);
	if (was == FRAGMENT_BUSY || __sync_val_compare_and_swap(&f->who, was, FRAGMENT_BUSY) != was)
		return 0;
	f->addr = j->out.addr;
	f->other_addr = j->out.other_addr;
	f->both = j->out.both;
	f->forward = j->out.forward;
	f->action = j->out.action;
	f->hash = j->hash >> 32;
	f->hop = j->out.hop;
	f->link = j->out.link;
	f->vlan = j->out.vlan;
	__builtin_memcpy(f->mac, j->out.mac, 6);
	f->seen = j->now;
	__sync_lock_test_and_set(&f->who, who);
	return 0;
}

/* What became of the first one of this datagram. NULL: it is not known. */
ZDD_INLINE struct zdd_fragment *fragment_find(const struct zdd_job *j, __u64 who)
{
	struct zdd_fragment_set *set = fragment_set(who);
	struct zdd_fragment *f;

	if (!set)
		return 0;
	f = fragment_place(set, who, j->now);
	return ONCE(f->who) == who && fragment_lives(f, j) ? f : 0;
}

ZDD_INLINE int fragment_known(const struct zdd_job *j)
{
	return fragment_find(j, fragment_who(j)) != 0;
}

/* Returns 1 when the later fragment follows its first one by j->out. */
ZDD_INLINE int fragment_get(struct zdd_job *j)
{
	__u64 who = fragment_who(j);
	struct zdd_fragment *f = fragment_find(j, who);
	struct zdd_out *o = &j->out;

	if (!f || (j->p.egress && f->action == ACT_TO_BACKEND)) /* sent on already, see look */
		return 0;
	ORDER(&f->hash);
	j->hash = (__u64)f->hash << 32;
	o->addr = f->addr;
	o->other_addr = f->other_addr;
	o->both = f->both;
	o->forward = f->forward;
	o->hop = f->hop;
	o->link = f->link;
	o->vlan = f->vlan;
	__builtin_memcpy(o->mac, f->mac, 6);
	o->action = f->action;
	o->verdict = o->action == ACT_PASS ? ZDD_V_FRAGMENT_PASS : ZDD_V_FRAGMENT_FORWARDED;
	ORDER(&f->hash);
	return ONCE(f->who) == who;
}

#endif
