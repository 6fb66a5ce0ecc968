/* SPDX-License-Identifier: GPL-2.0 */
/* What is remembered of flows for which there was no room: enough for their replies, and to know their
 * SYN again. Lossy: of a set, the one goes whose client was silent longest. A reader that sees the same
 * `who` before and after the rest read one memo. */
#ifndef ZDD_MEMO_H
#define ZDD_MEMO_H

#include "syn.h"

/* The two halves of a memo. */
struct zdd_memo_at {
	struct zdd_memo *m; /* NULL: none */
	struct zdd_whom *w;
};

/* In the flow's set, the way of its memo; with `put`, else an empty one, else the oldest. ZDD_MEMO_WAYS:
 * none. */
ZDD_RARE __u32 memo_find(const struct zdd_job *j, __u32 put)
{
	__u32 index = j ? zdd_scale(j->hash, ZDD_MEMO_SETS) : 0, oldest = 0, most = 0;
	const struct zdd_memo_set *set = AT(memo, index);
	const struct zdd_whom_set *whoms = AT(memo_whom, index);

	if (!j || !set || !whoms)
		return ZDD_MEMO_WAYS;
#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_MEMO_WAYS; i++)
		if ((__u32)ONCE(set->memo[i].who) == zdd_flow_tag(j->hash))
			return i;
	if (!put)
		return ZDD_MEMO_WAYS;
#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_MEMO_WAYS; i++) {
		__u32 age = (__u32)j->now - ONCE(whoms->whom[i].seen);

		if (!ONCE(set->memo[i].who))
			return i;
		if (age > most) {
			most = age;
			oldest = i;
		}
	}
	return oldest;
}

ZDD_INLINE struct zdd_memo_at memo_place(const struct zdd_job *j, __u32 put)
{
	__u32 index = zdd_scale(j->hash, ZDD_MEMO_SETS), way = memo_find(j, put);
	struct zdd_memo_set *set = AT(memo, index);
	struct zdd_whom_set *whoms = AT(memo_whom, index);

	if (!set || !whoms || way >= ZDD_MEMO_WAYS)
		return (struct zdd_memo_at){0};
	OPAQUE(way); /* clang 14 keeps it on the stack, where the verifier of 6.18 forgets the comparison */
	way %= ZDD_MEMO_WAYS;
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

ZDD_INLINE int memo_says(const struct zdd_memo_at *at, __u64 who, __u64 way, __u64 whom)
{
	return at->m->who == who && at->m->way == way && at->w->whom >> 32 == whom >> 32;
}

/* The flow goes to this backend; what its SYN-ACK asked for stays known as long as it does. */
ZDD_INLINE void memo_put(const struct zdd_job *j, __u16 link, __u16 backend)
{
	__u64 who = (__u64)link << 48 | (__u64)j->listener << 32 | zdd_flow_tag(j->hash);
	__u64 way = memo_way(&j->p), whom = whom_of(backend, 0);
	struct zdd_memo_at at = memo_place(j, 1);
	int syn = is_syn(&j->p);

	if (!at.m)
		return;
	ONCE(at.w->seen) = j->now;
	if (memo_says(&at, who, way, whom) && (!syn || at.w->isn == j->p.seq))
		return;
	ONCE(at.m->who) = 0;
	ORDER(&at.m->who);
	ONCE(at.m->way) = way;
	ONCE(at.w->whom) = whom;
	ONCE(at.w->isn) = syn ? j->p.seq : 0;
	ORDER(&at.m->who);
	ONCE(at.m->who) = who;
}

/* A memo as read whole. */
struct zdd_recall {
	__u64 way;
	__u32 ack; /* 0: not known */
	__u32 isn;
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
ZDD_INLINE int memo_get(const struct zdd_job *j, struct zdd_recall *r)
{
	struct zdd_memo_at at = memo_place(j, 0);
	__u64 who, whom;

	if (!at.m)
		return 0;
	who = ONCE(at.m->who);
	ORDER(&at.m->who);
	r->way = ONCE(at.m->way);
	whom = ONCE(at.w->whom);
	r->isn = ONCE(at.w->isn);
	ORDER(&at.m->who);
	if ((__u32)who != zdd_flow_tag(j->hash) || ONCE(at.m->who) != who)
		return 0;
	r->link = who >> 48;
	r->listener = who >> 32;
	r->ack = whom;
	r->backend = memo_backend(whom);
	return 1;
}

/* The backend's SYN-ACK waits for this ACK: who sends it has seen it. */
ZDD_INLINE void memo_seal(const struct zdd_job *j, __u16 backend, __u32 ack)
{
	struct zdd_memo_at at = memo_place(j, 0);
	__u64 whom;

	if (!at.m)
		return;
	whom = ONCE(at.w->whom);
	if ((__u32)at.m->who == zdd_flow_tag(j->hash) && whom >> 48 == backend)
		__sync_val_compare_and_swap(&at.w->whom, whom, whom >> 32 << 32 | ack);
}

ZDD_INLINE void memo_way_out(const struct zdd_recall *r, struct zdd_out *o)
{
	o->link = r->link;
	o->vlan = r->way >> 48;
	for (int i = 0; i < 6; i++)
		o->mac[i] = r->way >> 8 * i;
}

#endif
