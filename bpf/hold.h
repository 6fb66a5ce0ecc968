/* SPDX-License-Identifier: GPL-2.0 */
/* New connections of a service on hold wait: their SYNs are kept and dropped here, and the daemon lets
 * them go (zdd_replay) when the hold ends. The end is in the plan as a time, so that a daemon that
 * died holds nobody for long; the clients' own repeats then open the connections. */
#ifndef ZDD_HOLD_H
#define ZDD_HOLD_H

#include "job.h"

/* The place where this SYN waits or may wait: the first of its row that is its own or free. ZDD_HELD:
 * none. */
ZDD_INLINE __u32 hold_place(const struct zdd_job *j, __u64 who)
{
	__u32 row = zdd_scale((__u32)j->hash, ZDD_HELD / ZDD_HELD_ROW) * ZDD_HELD_ROW;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ZDD_HELD_ROW; i++) {
		const struct zdd_held *h = AT(held, row + i);

		if (!h)
			break;
		if (!h->who || (h->who == who && h->isn == j->p.seq))
			return row + i;
	}
	return ZDD_HELD;
}

/* The place gets its bytes from the hook: held_frame. Without a free one the client's own repeat has to
 * do. */
ZDD_INLINE void hold_claim(struct zdd_job *j, struct zdd_hold *hold, __u32 place, __u64 who,
			   __u16 number)
{
	struct zdd_hold *all = AT(holds, 0);
	struct zdd_held *h = AT(held, place);

	if (!h || !all || __sync_val_compare_and_swap(&h->who, 0, who))
		return;
	__sync_fetch_and_add(&hold->held, 1);
	h->order = __sync_fetch_and_add(&all->order, 1);
	h->isn = j->p.seq;
	h->ifindex = j->p.ifindex;
	h->since = j->now;
	h->hold = number;
	j->held = place + 1;
}

ZDD_INLINE int waits(__u32 place)
{
	const struct zdd_held *h = AT(held, place);

	return h && h->who;
}

/* It may not wait. A reset answers as a closed port does (RFC 9293 3.10.7.1). */
ZDD_INLINE void hold_refuse(struct zdd_job *j, const struct zdd_service *s)
{
	const struct zdd_packet *p = &j->p;

	if (s->flags & ZDD_S_HOLD_RESET)
		end_reset(j, ZDD_V_HOLD_RESET, TCP_RST | TCP_ACK, 0, p->seq + p->payload + 1);
	else
		end_drop(&j->out, ZDD_V_HOLD_FULL);
}

/* 1: the SYN waits, or may not; j->out is set. 0: its service is not on hold. */
ZDD_RARE int hold_syn(struct zdd_job *j)
{
	const struct zdd_service *s;
	struct zdd_hold *hold;
	__u32 place;

	if (!j || j->service == ZDD_NONE)
		return 0;
	s = AT(services, ZDD_WORD_SLOT(j->word) * geometry.services + j->service);
	if (!s || !s->hold || (__s32)(s->hold_until - j->now) <= 0)
		return 0;
	hold = AT(holds, s->hold);
	if (!hold)
		return 0;
	end_drop(&j->out, ZDD_V_HELD);
	place = hold_place(j, j->hash | 1);
	if (waits(place))
		return 1;
	if (ONCE(hold->held) >= s->hold_max)
		hold_refuse(j, s);
	else
		hold_claim(j, hold, place, j->hash | 1, s->hold);
	return 1;
}

/* Where the frame goes and how long it is; NULL: it is not kept. */
ZDD_INLINE struct zdd_held *held_frame(const struct zdd_job *j, __u32 *len)
{
	struct zdd_held *h = AT(held, j->held - 1);

	*len = j->p.frame;
	if (!h || *len > ZDD_HELD_FRAME - VLAN_TAG || *len < ETH_HEADER)
		return 0;
	return h;
}

#endif
