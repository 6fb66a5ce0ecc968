/* SPDX-License-Identifier: GPL-2.0 */
/* What is remembered of flows for which there was no room: enough for their replies. Lossy, but
 * every packet of the client's renews it. A reader that sees the same `who` before and after `way`
 * read one memo. */
#ifndef ZDD_MEMO_H
#define ZDD_MEMO_H

#include "flow.h"

ZDD_INLINE struct zdd_memo_set *memo_set(__u64 hash)
{
	return AT(memo, zdd_scale(hash, ZDD_MEMO_SETS));
}

/* The memo with this tag, else an empty one, else one that the hash picks. */
ZDD_INLINE struct zdd_memo *memo_place(struct zdd_memo_set *set, __u64 hash)
{
	struct zdd_memo *place = &set->memo[hash % ZDD_MEMO_WAYS];

	for (int i = 0; i < ZDD_MEMO_WAYS; i++)
		if (!set->memo[i].who)
			place = &set->memo[i];
	for (int i = 0; i < ZDD_MEMO_WAYS; i++)
		if ((__u32)set->memo[i].who == zdd_flow_tag(hash))
			place = &set->memo[i];
	return place;
}

ZDD_INLINE __u64 memo_way(const struct zdd_packet *p)
{
	__u64 way = (__u64)p->vlan << 48;

	for (int i = 0; i < 6; i++)
		way |= (__u64)p->mac[i] << 8 * i;
	return way;
}

ZDD_INLINE void memo_put(const struct zdd_job *j, __u16 link)
{
	__u64 who = (__u64)link << 48 | (__u64)j->listener << 32 | zdd_flow_tag(j->hash);
	struct zdd_memo_set *set = memo_set(j->hash);
	__u64 way = memo_way(&j->p);
	struct zdd_memo *m;

	if (!set)
		return;
	m = memo_place(set, j->hash);
	if (m->who == who && m->way == way)
		return;
	ONCE(m->who) = 0;
	ORDER(&m->who);
	ONCE(m->way) = way;
	ORDER(&m->who);
	ONCE(m->who) = who;
}

/* Fills out's link, mac and vlan and returns the listener, or ZDD_NONE. */
ZDD_INLINE __u16 memo_get(__u64 hash, struct zdd_out *o)
{
	struct zdd_memo_set *set = memo_set(hash);
	struct zdd_memo *m;
	__u64 who, way;

	if (!set)
		return ZDD_NONE;
	m = memo_place(set, hash);
	who = ONCE(m->who);
	ORDER(&m->who);
	way = ONCE(m->way);
	ORDER(&m->who);
	if ((__u32)who != zdd_flow_tag(hash) || ONCE(m->who) != who)
		return ZDD_NONE;
	o->link = who >> 48;
	o->vlan = way >> 48;
	for (int i = 0; i < 6; i++)
		o->mac[i] = way >> 8 * i;
	return who >> 32;
}

#endif
