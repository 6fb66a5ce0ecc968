/* SPDX-License-Identifier: GPL-2.0 */
/* The packet that an ICMP error quotes: read, and translated in place. Pure. */
#ifndef ZDD_QUOTE_H
#define ZDD_QUOTE_H

#include "frame.h"

/* Offsets of a quote count from its own begin. */
ZDD_INLINE __u8 *quote_at(__u8 *data, const struct zdd_packet *p)
{
	return data + bounded(p->l4) + ICMP_HEADER;
}

/* Bytes that are quoted, by the outer IP length. */
ZDD_INLINE __u32 quote_room(const struct zdd_packet *p)
{
	return p->segment < ICMP_HEADER ? 0 : p->segment - ICMP_HEADER;
}

enum { QUOTE_LEAST = 8 }; /* bytes of L4 that every error quotes (RFC 792, 1812 4.3.2.3, 4443) */

/* A TCP sequence number, and how much of L4 is known to be there. */
ZDD_INLINE void parse_quoted_seq(const __u8 *quote, const __u8 *end, struct zdd_packet *q)
{
	const __u8 *l4 = quote + bounded(q->l4);

	q->segment = 0;
	if (q->proto != PROTO_TCP || (__u32)(q->l4 + QUOTE_LEAST) > q->frame ||
	    l4 + QUOTE_LEAST > end)
		return;
	q->seq = get32(l4 + 4);
	q->segment = QUOTE_LEAST;
}

/* Addresses, protocol and ports of the quoted packet, of TCP its sequence number when segment is
 * QUOTE_LEAST; of the rest little may be there. 0, or -1: it is no TCP or UDP packet, or one without
 * ports. */
ZDD_INLINE int parse_quote(__u8 *data, const __u8 *end, const struct zdd_packet *p,
			   struct zdd_packet *out)
{
	struct zdd_packet q = {.frame = quote_room(p)}; /* not in memory: its l3 is known to be 0 */
	__u32 room;

	if (parse_ports(quote_at(data, p), end, p->v6 ? TYPE_V6 : TYPE_V4, &q, &room) != PARSED_L4)
		return -1;
	if (q.l4 + 4u > q.frame || !has_ports(&q))
		return -1;
	parse_quoted_seq(quote_at(data, p), end, &q);
	*out = q;
	return 0;
}

/* What the ICMP checksum must take in goes into change. */
ZDD_INLINE void write_quoted_v4(__u8 *h, const struct zdd_packet *q, const struct zdd_rewrite *r,
				__u64 *change)
{
	__u16 before = ((be16_at *)(h + 10))->v;

	write_v4(h, q, r);
	*change += csum_change32(r->source ? q->src.w[3] : q->dst.w[3], r->addr->w[3]);
	*change += csum_change16(before, ((be16_at *)(h + 10))->v);
}

ZDD_INLINE int write_quoted_l3(__u8 *h, const __u8 *end, const struct zdd_packet *q,
			       const struct zdd_rewrite *r, __u64 *change)
{
	if (h + (q->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4)) > end)
		return -1;
	if (!q->v6) {
		write_quoted_v4(h, q, r, change);
		return 0;
	}
	write_v6(h, r);
	*change += csum_change_addr(r->source ? &q->src : &q->dst, r->addr);
	return 0;
}

/* When it is among what is quoted: eight bytes of TCP end before it. */
ZDD_INLINE int write_quoted_check(__u8 *quote, const __u8 *end, const struct zdd_packet *q,
				  struct zdd_change c, __u64 *change)
{
	__u8 *check = quote + bounded(check_offset(q));
	__u16 before, after;

	if (check_offset(q) + 2u > q->frame)
		return 0;
	if (check + 2 > end)
		return -1;
	before = ((be16_at *)check)->v;
	after = new_check(q, before, c, CSUM_WHOLE);
	((be16_at *)check)->v = after;
	*change += csum_change16(before, after);
	return 0;
}

ZDD_INLINE int write_quoted_l4(__u8 *quote, const __u8 *end, const struct zdd_packet *q,
			       const struct zdd_rewrite *r, __u64 *change)
{
	struct zdd_change c = change_of(q, r);
	__u8 *l4 = quote + bounded(q->l4);

	if (l4 + 4 > end)
		return -1;
	write_ports(l4, r);
	*change += c.ports;
	return write_quoted_check(quote, end, q, c, change);
}

/* A later fragment has addresses only. */
ZDD_INLINE int write_fragment(__u8 *l3, const __u8 *end, const struct zdd_packet *p,
			      const struct zdd_rewrite *r)
{
	if (l3 + (p->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4)) > end)
		return -1;
	if (p->v6)
		write_v6(l3, r);
	else
		write_v4(l3, p, r);
	return 0;
}

/* The address on a side of what is quoted, with the checksums that are among it. */
ZDD_INLINE int write_quoted_addr(__u8 *quote, const __u8 *end, const struct zdd_packet *q,
				 const struct zdd_addr *addr, int source, __u64 *change)
{
	struct zdd_change c = {.pseudo = csum_change_addr(source ? &q->src : &q->dst, addr)};
	__u16 before = 0;

	if (quote + sizeof(struct wire_v4) > end)
		return -1;
	if (!q->v6)
		before = ((be16_at *)(quote + 10))->v;
	if (write_l3_addr(quote, end, q, addr, source))
		return -1;
	*change += c.pseudo;
	if (!q->v6)
		*change += csum_change16(before, ((be16_at *)(quote + 10))->v);
	return write_quoted_check(quote, end, q, c, change);
}

/* Where the backend sees an address of this node, before write_error: `addr` replaces the source
 * outside (or the destination) and the opposite inside; p and q then know it. */
ZDD_INLINE int write_error_addr(__u8 *data, const __u8 *end, struct zdd_packet *p,
				struct zdd_packet *q, const struct zdd_addr *addr, int source)
{
	struct zdd_addr *outer = source ? &p->src : &p->dst;
	__u8 *check = data + bounded(p->l4) + 2;
	__u64 change = 0;

	if (q->proto) {
		if (write_quoted_addr(quote_at(data, p), end, q, addr, !source, &change))
			return -1;
		if (p->v6)
			change += csum_change_addr(outer, addr);
		if (check + 2 > end)
			return -1;
		((be16_at *)check)->v = csum_update(((be16_at *)check)->v, change);
		*(source ? &q->dst : &q->src) = *addr;
	}
	if (write_l3_addr(data, end, p, addr, source))
		return -1;
	*outer = *addr;
	return 0;
}

/* Rewrites an ICMP error and what it quotes, which went the other way: what is the destination
 * outside is the source inside. The ICMP checksum is always whole: no stack leaves it to hardware.
 * In ICMPv4 it does not cover the addresses outside. A quote without protocol stands for a later
 * fragment (lookup_fragment). */
ZDD_INLINE int write_error(__u8 *data, const __u8 *end, const struct zdd_packet *p,
			   const struct zdd_packet *q, const struct zdd_rewrite *outer)
{
	struct zdd_rewrite inner = *outer;
	__u8 *l3 = data + bounded(p->l3), *check = data + bounded(p->l4) + 2;
	__u64 change = 0;

	if (!q->proto)
		return write_fragment(l3, end, p, outer);
	inner.source = !outer->source;
	inner.decrement = 0;
	if (write_quoted_l3(quote_at(data, p), end, q, &inner, &change) ||
	    write_quoted_l4(quote_at(data, p), end, q, &inner, &change))
		return -1;
	if (l3 + (p->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4)) > end)
		return -1;
	if (p->v6) {
		change += csum_change_addr(outer->source ? &p->src : &p->dst, outer->addr);
		write_v6(l3, outer);
	} else {
		write_v4(l3, p, outer);
	}
	if (check + 2 > end)
		return -1;
	((be16_at *)check)->v = csum_update(((be16_at *)check)->v, change);
	return 0;
}

#endif
