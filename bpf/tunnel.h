/* SPDX-License-Identifier: GPL-2.0 */
/* Modes dsr, ipip and gue: the header in front of a client's packet, and the answer to one that is
 * too big. Pure, on plain memory, as frame.h.
 *
 *   ipip  IP(4|41) | packet              RFC 2003, 2473, 4213
 *   gue   IP | UDP | packet              variant 1 of draft-ietf-intarea-gue: IP follows at once */
#ifndef ZDD_TUNNEL_H
#define ZDD_TUNNEL_H

#include "frame.h"
#include "job.h"

enum {
	PROTO_IPIP = 4,
	PROTO_IPV6 = 41,
	TUNNEL_TTL = 64,
	TUNNEL_MAX = 48, /* IPv6 and UDP: no packet is shorter with the smallest header before it */
	GUE_PORT = 6080,
	GUE_SOURCE =
		49152, /* of 16384 ports: ECMP and receive queues see flows (RFC 6056's range) */
	V4_DF = 0x40,
	/* What is quoted makes 576 bytes (RFC 1812 4.3.2.3) and 1280 (RFC 4443 2.4). */
	QUOTE_V4 = 548,
	QUOTE_V6 = 1232,
};

struct zdd_tunnel {
	struct zdd_addr src, dst;
	__u32 inner;         /* bytes of the packet, by its IP length */
	__u16 size;          /* bytes of the header in front, 0: none (dsr) */
	__be16 sport, dport; /* gue, else 0 */
	__u8 v6, tos;
};

/* Bytes of an IP packet up to its payload's end. */
ZDD_INLINE __u32 packet_length(const struct zdd_packet *p)
{
	return p->l4 - p->l3 + p->segment;
}

ZDD_INLINE void tunnel_of(const struct zdd_job *j, const struct zdd_addr *source,
			  struct zdd_tunnel *t)
{
	const struct zdd_out *o = &j->out;

	__builtin_memset(t, 0, sizeof(*t));
	t->inner = packet_length(&j->p);
	if (o->forward == ZDD_FORWARD_DSR)
		return;
	t->src = *source;
	t->dst = o->addr;
	t->v6 = !zdd_addr_is_v4(&o->addr);
	t->size = t->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4);
	if (o->forward != ZDD_FORWARD_GUE)
		return;
	t->size += sizeof(struct wire_udp);
	t->sport = __builtin_bswap16(GUE_SOURCE | (j->hash >> 40 & 0x3fff));
	t->dport = __builtin_bswap16(GUE_PORT);
}

/* ---- writing ---- */

/* One router more: the packet inside. Returns its type of service, -1 when the frame ends early. */
ZDD_INLINE int tunnel_enter(__u8 *data, const __u8 *end, __u32 l3, int v6)
{
	__u8 *h = data + bounded(l3);
	be16_at *check = (be16_at *)(h + 10);
	__u16 before;

	if (h + sizeof(struct wire_v4) > end)
		return -1;
	if (v6) {
		h[7]--;
		return get16(h) >> 4 & 0xff;
	}
	before = ((be16_at *)(h + 8))->v;
	h[8]--;
	check->v = csum_update(check->v, csum_change16(before, ((be16_at *)(h + 8))->v));
	return h[1];
}

/* Beyond 65535 only a super-packet gets: the length is 0 then, as with BIG TCP, and right again in
 * each of the packets that it is cut into. */
ZDD_INLINE __be16 length16(__u32 length)
{
	return length > 0xffff ? 0 : __builtin_bswap16(length);
}

ZDD_INLINE void write_outer_v4(__u8 *h, const struct zdd_tunnel *t, __u8 next)
{
	struct {
		__be32 w[5];
	} ip = {};
	__u8 *b = (__u8 *)&ip;
	__u64 sum = 0;

	b[0] = 0x45;
	b[1] = t->tos;
	((be16_at *)(b + 2))->v = length16(t->inner + t->size);
	b[6] = V4_DF;
	b[8] = TUNNEL_TTL;
	b[9] = next;
	ip.w[3] = t->src.w[3];
	ip.w[4] = t->dst.w[3];
	for (int i = 0; i < 5; i++)
		sum += ip.w[i];
	((be16_at *)(b + 10))->v = ~csum_fold(sum);
	for (int i = 0; i < 5; i++)
		((be32_at *)(h + 4 * i))->v = ip.w[i];
}

ZDD_INLINE void write_outer_v6(__u8 *h, const struct zdd_tunnel *t, __u8 next)
{
	((be32_at *)h)->v = __builtin_bswap32(6u << 28 | (__u32)t->tos << 20);
	((be16_at *)(h + 4))->v = length16(t->inner + t->size - sizeof(struct wire_v6));
	h[6] = next;
	h[7] = TUNNEL_TTL;
	for (int i = 0; i < 4; i++) {
		((be32_at *)(h + 8 + 4 * i))->v = t->src.w[i];
		((be32_at *)(h + 24 + 4 * i))->v = t->dst.w[i];
	}
}

ZDD_INLINE void write_outer_udp(__u8 *h, const struct zdd_tunnel *t, __u16 check)
{
	__u32 ip = t->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4);

	((be16_at *)h)->v = t->sport;
	((be16_at *)(h + 2))->v = t->dport;
	((be16_at *)(h + 4))->v = length16(t->inner + t->size - ip);
	((be16_at *)(h + 6))->v = check;
}

/* check: of UDP. The caller has made room: TUNNEL_MAX bytes from h on are the frame's. */
ZDD_INLINE void write_outer(__u8 *h, const struct zdd_tunnel *t, int inner_v6, __u16 check)
{
	__u8 next = t->sport ? PROTO_UDP : inner_v6 ? PROTO_IPV6 : PROTO_IPIP;

	if (t->v6)
		write_outer_v6(h, t, next);
	else
		write_outer_v4(h, t, next);
	if (t->sport && t->v6)
		write_outer_udp(h + sizeof(struct wire_v6), t, check);
	else if (t->sport)
		write_outer_udp(h + sizeof(struct wire_v4), t, check);
}

/* ---- UDP over IPv6 wants a checksum ---- */

/* Local checksum offload: a TCP or UDP segment with its checksum sums to the complement of its
 * pseudo-header, an IPv4 header to nothing, so the packet need not be read. 0, none, where that does
 * not hold, which RFC 6935 allows tunnels. h: the inner packet, TTL already decremented. */
ZDD_INLINE __u16 outer_check(const __u8 *h, const __u8 *end, const struct zdd_packet *p,
			     const struct zdd_tunnel *t, __u16 inner_check)
{
	__u32 length = t->inner + sizeof(struct wire_udp);
	__u64 sum;
	__u16 check;

	if (!t->sport || !t->v6 || !inner_check || length > 0xffff ||
	    (p->v6 &&
	     (p->l4 - p->l3 != sizeof(struct wire_v6) || h + sizeof(struct wire_v6) > end)))
		return 0;
	sum = csum_pseudo(&t->src, &t->dst, PROTO_UDP, length, 1);
	sum += t->sport + t->dport + __builtin_bswap16(length);
	sum += (__u16)~csum_fold(csum_pseudo(&p->src, &p->dst, p->proto, p->segment, p->v6));
	for (int i = 0; i < 10 && p->v6; i++)
		sum += ((const be32_at *)(h + 4 * i))->v;
	check = ~csum_fold(sum);
	return check ? check : 0xffff;
}

/* The field of the packet inside: what it holds, partial or whole; 0 when UDP has none, and for ICMP
 * and fragments, whose sums are others. */
ZDD_INLINE __u16 inner_check(__u8 *data, const __u8 *end, const struct zdd_packet *p)
{
	__u8 *at = data + bounded(check_offset(p));

	if (at + 2 > end || !has_ports(p) || p->first_fragment)
		return 0;
	return p->proto == PROTO_TCP ? 0xffff : ((be16_at *)at)->v;
}

/* ---- too big ---- */

ZDD_INLINE __u32 quote_length(const struct zdd_packet *p)
{
	return p->v6 ? QUOTE_V6 : QUOTE_V4;
}

/* n is a constant, or the verifier walks for long. */
ZDD_INLINE __u64 sum_words(const __u8 *at, __u32 n)
{
	__u64 sum = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < n; i += 4)
		sum += ((const be32_at *)(at + i))->v;
	return sum;
}

/* 0 when the frame ends before. */
ZDD_INLINE __u64 sum_quoted(const __u8 *at, const __u8 *end, int v6)
{
	if (v6)
		return at + QUOTE_V6 > end ? 0 : sum_words(at, QUOTE_V6);
	return at + QUOTE_V4 > end ? 0 : sum_words(at, QUOTE_V4);
}

ZDD_INLINE __u32 answer_size(const struct zdd_packet *p)
{
	return ICMP_HEADER + (p->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4));
}

/* An IPv6 packet is never cut on its way; an IPv4 packet may forbid it, and only then its sender
 * wants to know (RFC 1191). Without enough to quote nobody is told either. */
ZDD_INLINE int may_answer(const __u8 *data, const __u8 *end, const struct zdd_packet *p)
{
	const __u8 *h = data + bounded(p->l3);

	if (packet_length(p) < quote_length(p) || h + sizeof(struct wire_v4) > end)
		return 0;
	return p->v6 || h[6] & V4_DF;
}

/* An ICMP error in front of what it quotes. */
struct zdd_answer {
	struct zdd_addr src, dst;
	__u32 length; /* bytes that are quoted */
	__be32 type;  /* and code; checksum 0 */
	__be32 word;  /* the header's last */
	__u8 v6;
};

/* quoted: the sum of what is quoted. 48 bytes from h on are the frame's. */
ZDD_INLINE void write_answer(__u8 *h, const struct zdd_answer *a, __u64 quoted)
{
	struct zdd_tunnel t = {.src = a->src, .dst = a->dst, .inner = a->length, .v6 = a->v6};
	__u8 *icmp = h + (a->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4));

	t.size = icmp - h + ICMP_HEADER;
	if (a->v6) {
		write_outer_v6(h, &t, PROTO_ICMPV6);
		quoted += csum_pseudo(&t.src, &t.dst, PROTO_ICMPV6, ICMP_HEADER + a->length, 1);
	} else {
		write_outer_v4(h, &t, PROTO_ICMP);
	}
	((be32_at *)icmp)->v = a->type;
	((be32_at *)(icmp + 4))->v = a->word;
	((be16_at *)(icmp + 2))->v = ~csum_fold(quoted + a->type + a->word);
}

/* ICMP 3/4 (RFC 792, 1191) or ICMPv6 2 (RFC 4443 3.2) from the listener to the client. */
ZDD_INLINE void write_too_big(__u8 *h, const struct zdd_packet *p, __u16 mtu, __u64 quoted)
{
	struct zdd_answer a = {.src = p->dst,
			       .dst = p->src,
			       .length = quote_length(p),
			       .type = __builtin_bswap32(p->v6 ? 2u << 24 : 3u << 24 | 4u << 16),
			       .word = __builtin_bswap32(mtu),
			       .v6 = p->v6};

	write_answer(h, &a, quoted);
}

#endif
