/* SPDX-License-Identifier: GPL-2.0 */
/* The SYNs of half-open flows: read from the frame, kept beside the record. */
#ifndef ZDD_SYN_H
#define ZDD_SYN_H

#include "flow.h"

ZDD_INLINE int is_syn(const struct zdd_packet *p)
{
	return p->proto == PROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* Of a parsed SYN, sets what is in the frame; the rest belongs to the attempt. */
ZDD_INLINE void read_syn(const __u8 *data, const __u8 *end, const struct zdd_packet *p,
			 struct zdd_syn *s)
{
	const __u8 *l3 = data + bounded(p->l3), *l4 = data + bounded(p->l4);
	__u32 words, i;

	s->kept = p->payload ? ZDD_SYN_DATA : 0;
	s->words = 0;
	if (l3 + sizeof(__be32) > end || l4 + sizeof(struct wire_tcp) > end)
		return;
	s->head = ((const be32_at *)l3)->v;
	s->ttl = p->ttl;
	s->flags = p->tcp_flags;
	s->window = ((const be16_at *)(l4 + 14))->v;
	words = (l4[12] >> 4) - sizeof(struct wire_tcp) / 4;
	l4 += sizeof(struct wire_tcp);
#pragma clang loop unroll(disable)
	for (i = 0; i < 10 && i < words && l4 + 4 <= end; i++, l4 += 4)
		s->options[i] = ((const be32_at *)l4)->v;
	s->words = i;
	if (i == words)
		s->kept |= ZDD_SYN_WHOLE;
}

/* NULL: not a place of the half-open region. */
ZDD_INLINE struct zdd_syn *syn_at(__u32 place)
{
	return AT(syns, place - geometry.tcp_buckets * ZDD_FLOW_WAYS);
}

/* The first attempt of the flow f, whose place is this CPU's. */
ZDD_INLINE void keep_syn(const struct zdd_job *j, __u32 place, const struct zdd_flow *f)
{
	struct zdd_syn *s = syn_at(place);

	if (!s)
		return;
	*s = j->syn;
	s->sent = j->now;
	s->epoch = ZDD_META_EPOCH(f->meta);
	s->tries = 1;
}

#endif
