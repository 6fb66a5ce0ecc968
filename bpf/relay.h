/* SPDX-License-Identifier: GPL-2.0 */
/* Errors of routers between this node and a backend, about packets of a tunnel: they come to this node,
 * and concern the client whose packet is inside. It is told what RFC 2003 5.1 and RFC 2473 8 say: the MTU
 * less the tunnel's headers, of anything else that the listener cannot be reached. Pure.
 *
 *   in   IP(router, node)    | ICMP | IP | (UDP) | packet, as far as it is quoted
 *   out  IP(listener, client) | ICMP |              packet */
#ifndef ZDD_RELAY_H
#define ZDD_RELAY_H

#include "quote.h"
#include "tunnel.h"

enum { LEAST_MTU4 = 68, LEAST_MTU6 = 1280 };

/* Bytes of a tunnel's headers at the begin of what is quoted; 0: it is no packet of a tunnel's. They are
 * as write_outer makes them. */
ZDD_INLINE __u32 quoted_tunnel(const __u8 *quote, const __u8 *end, int v6)
{
	__u32 size = v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4);
	__u8 next;

	if (quote + sizeof(struct wire_v4) + 4 > end ||
	    (v6 && quote + sizeof(struct wire_v6) + 4 > end))
		return 0;
	next = v6 ? quote[6] : quote[9];
	if (!v6 && quote[0] != 0x45)
		return 0;
	if (next == PROTO_IPIP || next == PROTO_IPV6)
		return size;
	if (next == PROTO_UDP && get16(quote + (v6 ? 42 : 22)) == GUE_PORT)
		return size + sizeof(struct wire_udp);
	return 0;
}

/* The packet inside; its offsets count from its own begin. proto stays 0 when too little of it is there. */
ZDD_INLINE void parse_inside(__u8 *quote, const __u8 *end, __u32 skip, __u32 room,
			     struct zdd_packet *out)
{
	struct zdd_packet q = {};
	__u8 *h = quote + bounded(skip);
	__u32 left;

	out->proto = 0;
	if (h + sizeof(struct wire_v4) > end || room < skip)
		return;
	q.frame = room - skip;
	if (parse_ports(h, end, h[0] >> 4 == 6 ? TYPE_V6 : TYPE_V4, &q, &left) == PARSED_L4 &&
	    q.l4 + 4u <= q.frame && has_ports(&q))
		*out = q;
}

/* Sets j->inside and, when that is a tunnel's packet, j->quote to the one in it. */
ZDD_INLINE void read_inside(__u8 *data, const __u8 *end, struct zdd_job *j)
{
	__u8 *quote = quote_at(data, &j->p);
	__u32 skip = quoted_tunnel(quote, end, j->p.v6);

	j->inside.skip = skip;
	if (!skip)
		return;
	if (j->p.v6) {
		copy_v6(&j->inside.src, quote + 8);
		copy_v6(&j->inside.dst, quote + 24);
	} else {
		j->inside.src = zdd_addr_v4(((const be32_at *)(quote + 12))->v);
		j->inside.dst = zdd_addr_v4(((const be32_at *)(quote + 16))->v);
	}
	j->inside.head = get32(quote - ICMP_HEADER);
	j->inside.word = get32(quote - 4);
	parse_inside(quote, end, skip, quote_room(&j->p), &j->quote);
}

/* What an ICMP error quotes: j->inside, else j->quote. -1: neither. */
ZDD_INLINE int read_quote(__u8 *data, const __u8 *end, struct zdd_job *j)
{
	read_inside(data, end, j);
	return j->inside.skip ? 0 : parse_quote(data, end, &j->p, &j->quote);
}

/* ---- what it says */

/* The MTU that a router tells, 0: it says something else, or tells none (before RFC 1191). */
ZDD_INLINE __u32 told_mtu(const struct zdd_inside *in, int v6)
{
	if (v6)
		return in->head >> 24 == 2 ? in->word : 0;
	return in->head >> 16 == 0x304 ? in->word & 0xffff : 0;
}

/* That it could not be delivered, or not in time. */
ZDD_INLINE int told_unreachable(const struct zdd_inside *in, int v6)
{
	__u32 type = in->head >> 24;

	return v6 ? type == 1 || type == 3 : (type == 3 && in->head >> 16 != 0x304) || type == 11;
}

/* Sets in->head and word to what the client is told. -1: nothing that it could use. v6: of the router's
 * error; to_v6: the client's. */
ZDD_INLINE int tell_client(struct zdd_inside *in, int v6, int to_v6)
{
	__u32 mtu = told_mtu(in, v6), least = to_v6 ? LEAST_MTU6 : LEAST_MTU4;

	if (!mtu && !told_unreachable(in, v6))
		return -1;
	in->head = to_v6 ? 1 << 24 | 3 << 16 : 3 << 24 | 1 << 16;
	in->word = 0;
	if (!mtu)
		return 0;
	in->head = to_v6 ? 2 << 24 : 3 << 24 | 4 << 16;
	in->word = mtu < least + in->skip ? least : mtu - in->skip;
	return 0;
}

/* ---- writing */

/* The sum of the packet inside: what the router's ICMP checksum covers, less all else. -1: cut short. */
ZDD_INLINE __s64 sum_inside(__u8 *data, const __u8 *end, const struct zdd_job *j)
{
	const struct zdd_packet *p = &j->p;
	__u8 *quote = quote_at(data, p);
	__u64 sum;

	if (quote + sizeof(struct wire_v4) > end)
		return -1;
	sum = sum_words(quote - ICMP_HEADER, ICMP_HEADER + sizeof(struct wire_v4));
	if (p->v6) {
		if (quote + sizeof(struct wire_v6) > end)
			return -1;
		sum += sum_words(quote + sizeof(struct wire_v4),
				 sizeof(struct wire_v6) - sizeof(struct wire_v4));
		sum += csum_pseudo(&p->src, &p->dst, PROTO_ICMPV6, p->segment, 1);
	}
	if (j->inside.skip > (p->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4))) {
		quote += p->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4);
		if (quote + sizeof(struct wire_udp) > end)
			return -1;
		sum += sum_words(quote, sizeof(struct wire_udp));
	}
	return (__u16)~csum_fold(sum);
}

/* Bytes in front of the packet inside, from the L3 header on. */
ZDD_INLINE __u32 before_inside(const struct zdd_job *j)
{
	return j->p.l4 - j->p.l3 + ICMP_HEADER + j->inside.skip;
}

ZDD_INLINE void write_relayed(__u8 *h, const struct zdd_job *j, __u64 sum)
{
	struct zdd_answer a = {.src = j->out.addr,
			       .dst = j->quote.src,
			       .length = quote_room(&j->p) - j->inside.skip,
			       .type = __builtin_bswap32(j->inside.head & 0xffff0000),
			       .word = __builtin_bswap32(j->inside.word),
			       .v6 = j->quote.v6};

	write_answer(h, &a, sum);
}

#endif
