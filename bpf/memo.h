/* SPDX-License-Identifier: GPL-2.0 */
/* What is remembered of flows for which there was no room: enough for their replies. Lossy, but
 * every packet of the client's renews it. A reader that sees the same `who` before and after `way`
 * read one memo. */
#ifndef ZDD_MEMO_H
#define ZDD_MEMO_H

#include "flow.h"

/* The two halves of a memo. */
struct zdd_memo_at {
	struct zdd_memo *m; /* NULL: none */
	__u64 *whom;
};

/* The memo with this tag, else an empty one, else one that the hash picks. */
ZDD_INLINE struct zdd_memo_at memo_place(__u64 hash)
{
	__u32 index = zdd_scale(hash, ZDD_MEMO_SETS), way = hash % ZDD_MEMO_WAYS;
	struct zdd_memo_set *set = AT(memo, index);
	struct zdd_whom_set *whoms = AT(memo_whom, index);

	if (!set || !whoms)
		return (struct zdd_memo_at){0};
#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_MEMO_WAYS; i++)
		if (!set->memo[i].who)
			way = i;
#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_MEMO_WAYS; i++)
		if ((__u32)set->memo[i].who == zdd_flow_tag(hash))
			way = i;
	return (struct zdd_memo_at){&set->memo[way], &whoms->whom[way]};
}

ZDD_INLINE __u64 memo_way(const struct zdd_packet *p)
{
	__u64 way = (__u64)p->vlan << 48;

	for (int i = 0; i < 6; i++)
		way |= (__u64)p->mac[i] << 8 * i;
	return way;
}

ZDD_INLINE __u64 whom_of(__u16 backend, __u32 ack)
{
	const struct zdd_backend *b = AT(backends, backend);

	return (__u64)backend << 48 | (__u64)(b ? b->incarnation : 0) << 32 | ack;
}

/* The flow goes to this backend; what its SYN-ACK asked for stays known as long as it does. */
ZDD_INLINE void memo_put(const struct zdd_job *j, __u16 link, __u16 backend)
{
	__u64 who = (__u64)link << 48 | (__u64)j->listener << 32 | zdd_flow_tag(j->hash);
	__u64 way = memo_way(&j->p), whom = whom_of(backend, 0);
	struct zdd_memo_at at = memo_place(j->hash);

	if (!at.m)
		return;
	if (at.m->who == who && at.m->way == way && *at.whom >> 32 == whom >> 32)
		return;
	ONCE(at.m->who) = 0;
	ORDER(&at.m->who);
	ONCE(at.m->way) = way;
	ONCE(*at.whom) = whom;
	ORDER(&at.m->who);
	ONCE(at.m->who) = who;
}

/* A memo as read whole. */
struct zdd_recall {
	__u64 way;
	__u32 ack; /* 0: not known */
	__u16 link, listener;
	__u16 backend; /* ZDD_NONE: it is another one's place by now */
};

ZDD_INLINE __u16 memo_backend(__u64 whom)
{
	const struct zdd_backend *b = AT(backends, whom >> 48);
	int same = b && b->flags & ZDD_B_USED && b->incarnation == (__u16)(whom >> 32);

	return same ? whom >> 48 : ZDD_NONE;
}

/* 1, or 0: nothing is remembered of this flow. */
ZDD_INLINE int memo_get(__u64 hash, struct zdd_recall *r)
{
	struct zdd_memo_at at = memo_place(hash);
	__u64 who, whom;

	if (!at.m)
		return 0;
	who = ONCE(at.m->who);
	ORDER(&at.m->who);
	r->way = ONCE(at.m->way);
	whom = ONCE(*at.whom);
	ORDER(&at.m->who);
	if ((__u32)who != zdd_flow_tag(hash) || ONCE(at.m->who) != who)
		return 0;
	r->link = who >> 48;
	r->listener = who >> 32;
	r->ack = whom;
	r->backend = memo_backend(whom);
	return 1;
}

/* The backend's SYN-ACK waits for this ACK: who sends it has seen it. */
ZDD_INLINE void memo_seal(__u64 hash, __u16 backend, __u32 ack)
{
	struct zdd_memo_at at = memo_place(hash);
	__u64 whom;

	if (!at.m)
		return;
	whom = ONCE(*at.whom);
	if ((__u32)at.m->who == zdd_flow_tag(hash) && whom >> 48 == backend)
		__sync_val_compare_and_swap(at.whom, whom, whom >> 32 << 32 | ack);
}

ZDD_INLINE void memo_way_out(const struct zdd_recall *r, struct zdd_out *o)
{
	o->link = r->link;
	o->vlan = r->way >> 48;
	for (int i = 0; i < 6; i++)
		o->mac[i] = r->way >> 8 * i;
}

#endif
