/* SPDX-License-Identifier: GPL-2.0 */
/* Changing a frame in place: addresses, ports, TTL, checksums, Ethernet header. Plain memory, so
 * the same code serves XDP, tc with direct writes, and the native engine. */
#ifndef ZDD_FRAME_H
#define ZDD_FRAME_H

#include "csum.h"
#include "parse.h"

/* The L4 checksum's state (the kernel's skb->ip_summed tells in tc; XDP must look). */
enum zdd_csum {
	CSUM_WHOLE,
	CSUM_PARTIAL, /* covers the pseudo-header only; hardware or the stack would complete it */
};

struct zdd_rewrite {
	const struct zdd_addr *addr;
	__be16 port;    /* beside addr */
	__be16 other;   /* for the opposite port, 0: leave */
	__u8 source;    /* addr and port are the source's, else the destination's */
	__u8 decrement; /* TTL or hop limit */
};

ZDD_INLINE __u32 check_offset(const struct zdd_packet *p)
{
	return p->l4 + (p->proto == PROTO_TCP ? 16 : 6);
}

/* What the rewrite changes in the pseudo-header and in the ports. */
struct zdd_change {
	__u64 pseudo, ports;
};

ZDD_INLINE struct zdd_change change_of(const struct zdd_packet *p, const struct zdd_rewrite *r)
{
	const struct zdd_addr *old = r->source ? &p->src : &p->dst;
	struct zdd_change c = {};

	c.pseudo = p->v6 ? csum_change_addr(old, r->addr) : csum_change32(old->w[3], r->addr->w[3]);
	c.ports = csum_change16(r->source ? p->sport : p->dport, r->port);
	if (r->other)
		c.ports += csum_change16(r->source ? p->dport : p->sport, r->other);
	return c;
}

/* A computed 0 of UDP is sent as 0xffff, an absent one stays absent (RFC 768). */
ZDD_INLINE __u16 new_check(const struct zdd_packet *p, __u16 check, struct zdd_change c,
			   enum zdd_csum kind)
{
	__u16 fresh;

	if (kind == CSUM_PARTIAL)
		return csum_fold(check + c.pseudo);
	if (p->proto == PROTO_UDP && !check)
		return 0;
	fresh = csum_update(check, c.pseudo + c.ports);
	return p->proto == PROTO_UDP && !fresh ? 0xffff : fresh;
}

ZDD_INLINE void write_v4(__u8 *h, const struct zdd_packet *p, const struct zdd_rewrite *r)
{
	be32_at *addr = (be32_at *)(h + (r->source ? 12 : 16));
	be16_at *check = (be16_at *)(h + 10);
	__u64 change = csum_change32(r->source ? p->src.w[3] : p->dst.w[3], r->addr->w[3]);

	if (r->decrement) {
		__u16 before = ((be16_at *)(h + 8))->v;

		h[8]--;
		change += csum_change16(before, ((be16_at *)(h + 8))->v);
	}
	addr->v = r->addr->w[3];
	check->v = csum_update(check->v, change);
}

ZDD_INLINE void write_v6_addr(__u8 *at, const struct zdd_addr *addr)
{
	for (int i = 0; i < 4; i++)
		((be32_at *)(at + 4 * i))->v = addr->w[i];
}

ZDD_INLINE void write_v6(__u8 *h, const struct zdd_rewrite *r)
{
	write_v6_addr(h + (r->source ? 8 : 24), r->addr);
	if (r->decrement)
		h[7]--;
}

ZDD_INLINE void write_ports(__u8 *h, const struct zdd_rewrite *r)
{
	((be16_at *)(h + (r->source ? 0 : 2)))->v = r->port;
	if (r->other)
		((be16_at *)(h + (r->source ? 2 : 0)))->v = r->other;
}

/* write_rewrite of a packet that is usual: everything is where it always is. */
ZDD_INLINE int write_usual(__u8 *data, const __u8 *end, const struct zdd_packet *p,
			   const struct zdd_rewrite *r, enum zdd_csum kind)
{
	__u8 *l3 = data + USUAL_L3, *l4 = data + USUAL_L4;
	be16_at *check = (be16_at *)(l4 + (p->proto == PROTO_TCP ? 16 : 6));
	struct zdd_change change = change_of(p, r);

	if (data + USUAL_BYTES > end)
		return -1;
	write_v4(l3, p, r);
	write_ports(l4, r);
	check->v = new_check(p, check->v, change, kind);
	return 0;
}

/* Rewrites L3 and L4. 0, or -1 when the frame ends too early (it was parsed, so it does not). */
ZDD_INLINE int write_rewrite(__u8 *data, const __u8 *end, const struct zdd_packet *p,
			     const struct zdd_rewrite *r, enum zdd_csum kind)
{
	struct zdd_change change;
	__u8 *l3, *l4, *check;

	if (p->usual)
		return write_usual(data, end, p, r, kind);
	change = change_of(p, r);
	l3 = data + bounded(p->l3);
	l4 = data + bounded(p->l4);
	if (p->v6) {
		if (l3 + sizeof(struct wire_v6) > end)
			return -1;
		write_v6(l3, r);
	} else {
		if (l3 + sizeof(struct wire_v4) > end)
			return -1;
		write_v4(l3, p, r);
	}
	if (l4 + 4 > end)
		return -1;
	write_ports(l4, r);
	check = data + bounded(check_offset(p));
	if (check + 2 > end)
		return -1;
	((be16_at *)check)->v = new_check(p, ((be16_at *)check)->v, change, kind);
	return 0;
}

/* ---- another address on the other side (snat), before write_rewrite ---- */

/* A single address in L3 with its header checksum; source: it is the source's. -1: the frame ends
 * too early. */
ZDD_INLINE int write_l3_addr(__u8 *data, const __u8 *end, const struct zdd_packet *p,
			     const struct zdd_addr *addr, int source)
{
	__u8 *h = data + bounded(p->l3);
	be16_at *check = (be16_at *)(h + 10);

	if (p->v6) {
		if (h + sizeof(struct wire_v6) > end)
			return -1;
		write_v6_addr(h + (source ? 8 : 24), addr);
		return 0;
	}
	if (h + sizeof(struct wire_v4) > end)
		return -1;
	check->v =
		csum_update(check->v, csum_change32((source ? p->src : p->dst).w[3], addr->w[3]));
	((be32_at *)(h + (source ? 12 : 16)))->v = addr->w[3];
	return 0;
}

/* The same with the L4 checksum; p then knows the address. */
ZDD_INLINE int write_addr(__u8 *data, const __u8 *end, struct zdd_packet *p,
			  const struct zdd_addr *addr, int source, enum zdd_csum kind)
{
	struct zdd_addr *old = source ? &p->src : &p->dst;
	struct zdd_change change = {.pseudo = csum_change_addr(old, addr)};
	__u8 *check = data + bounded(check_offset(p));

	if (check + 2 > end)
		return -1;
	((be16_at *)check)->v = new_check(p, ((be16_at *)check)->v, change, kind);
	if (write_l3_addr(data, end, p, addr, source))
		return -1;
	*old = *addr;
	return 0;
}

/* ---- partial checksums in XDP ---- */

/* The checksum field holds just the pseudo-header's sum: a local stack left the rest to hardware. */
ZDD_INLINE int is_partial(__u8 *data, const __u8 *end, const struct zdd_packet *p)
{
	__u8 *at = data + bounded(check_offset(p));
	__u16 check;

	if (at + 2 > end)
		return 0;
	check = ((be16_at *)at)->v;
	if (!check)
		return 0;
	return check == csum_fold(csum_pseudo(&p->src, &p->dst, p->proto, p->segment, p->v6)) &&
	       !p->first_fragment;
}

/* 5 KiB together: above the largest frame of native XDP without fragments. */
enum { SUM_PART = 256, SUM_PARTS = 20 };

/* Sum of up to SUM_PART bytes, and not beyond the end of the packet. */
ZDD_INLINE __u64 sum_part(const __u8 *at, const __u8 *end, __u32 length)
{
	__u32 i = 0;
	__u64 sum = 0;

#pragma clang loop unroll(disable)
	for (int n = 0; n < SUM_PART / 8 && i + 8 <= length; n++, i += 8) {
		if (at + i + 8 > end)
			break;
		sum += ((const be32_at *)(at + i))->v;
		sum += ((const be32_at *)(at + i + 4))->v;
	}
#pragma clang loop unroll(disable)
	for (int n = 0; n < 4 && i + 2 <= length; n++, i += 2) {
		if (at + i + 2 > end)
			break;
		sum += ((const be16_at *)(at + i))->v;
	}
	if (i < length && at + i + 1 <= end) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		sum += at[i];
#else
		sum += (__u32)at[i] << 8;
#endif
	}
	return sum;
}

/* Sum of the L4 segment, part by part. */
ZDD_INLINE __u64 sum_segment(const __u8 *l4, const __u8 *end, __u32 length)
{
	__u64 sum = 0;

#pragma clang loop unroll(disable)
	for (__u32 done = 0; done < SUM_PARTS * SUM_PART && done < length; done += SUM_PART)
		sum += sum_part(l4 + done, end,
				length - done < SUM_PART ? length - done : SUM_PART);
	return sum;
}

/* After write_rewrite(CSUM_PARTIAL): the field holds the new pseudo-header's sum, so the fold of
 * the whole segment, that field included, is what the complete checksum complements. */
ZDD_INLINE int write_whole(__u8 *data, const __u8 *end, __u32 check, __u32 sum)
{
	__u8 *at = data + bounded(check);
	__u16 whole = ~csum_fold(sum);

	if (at + 2 > end)
		return -1;
	((be16_at *)at)->v = whole ? whole : 0xffff;
	return 0;
}

/* Whether the field, which looks partial, is a complete checksum by chance (1 in 65536): then the
 * sum of all that it covers is ones. sum is the segment's, the field included. */
ZDD_INLINE int is_whole_too(const __u8 *data, const __u8 *end, __u32 check, __u32 sum)
{
	const __u8 *at = data + bounded(check);

	return at + 2 <= end && csum_fold((__u64)sum + ((const be16_at *)at)->v) == 0xffff;
}

ZDD_INLINE void write_macs(__u8 *data, const __u8 *dmac, const __u8 *smac)
{
	copy_mac(data, dmac);
	copy_mac(data + 6, smac);
}

#endif
