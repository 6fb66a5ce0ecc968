/* SPDX-License-Identifier: GPL-2.0 */
/* Frame -> facts. Pure: reads the bytes between data and data_end, nothing else. */
#ifndef ZDD_PARSE_H
#define ZDD_PARSE_H

#include "zdd/hash.h"

/* Loops are rolled for the verifier's sake; gcc compiles this natively. */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#endif

enum {
	ETH_HEADER = 14,
	VLAN_TAG = 4,
	VLAN_TAGS_MAX = 2,
	V6_EXTENSIONS_MAX = 6,
	TYPE_V4 = 0x0800,
	TYPE_V6 = 0x86dd,
	TYPE_8021Q = 0x8100,
	TYPE_8021AD = 0x88a8,
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_ICMPV6 = 58,
	PROTO_DSTOPTS = 60,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
	ICMP_HEADER = 8, /* of an error: type, code, checksum, four bytes of the type's own */
};

/* How much of the frame is understood. */
enum zdd_parsed {
	PARSED_NOT_IP,
	PARSED_NOT_L4,   /* IP, but neither TCP nor UDP, or cut short before the ports */
	PARSED_FRAGMENT, /* a later fragment: no ports */
	PARSED_ERROR,    /* an ICMP error: it quotes a packet (quote.h) */
	PARSED_L4,       /* all fields below are set */
};

/* Seen on its way out of this host: rewrite, but do not redirect. */
enum zdd_egress {
	EGRESS_NOT,
	EGRESS_OWN,       /* of a local socket */
	EGRESS_FORWARDED, /* came in by some interface */
};

struct zdd_packet {
	/* Set by the hook. */
	__u32 frame;   /* bytes of the frame, which may go on behind `end` */
	__u32 ifindex; /* it came in here, or goes out */
	__u16 egress;  /* enum zdd_egress */
	/* Set by parsing. */
	__u8 mac[6]; /* the sender's */
	struct zdd_addr src, dst;
	__be16 sport, dport;
	__u8 proto;
	__u8 v6; /* 0 or 1: index of per-family arrays */
	__u8 tcp_flags;
	__u8 ttl;
	__u8 bad_length; /* lengths that contradict each other or the frame */
	__u8 first_fragment, later_fragment;
	__u8 uncut;     /* may not be cut on its way: IPv6, or DF */
	__u8 usual;     /* of is_usual: all offsets are known */
	__u16 vlan;     /* outermost TCI in the frame, 0: none */
	__u16 l3, l4;   /* offsets from data */
	__u16 tags;     /* bytes of VLAN tags in the frame */
	__u32 segment;  /* bytes of L4 header and payload, by the IP length */
	__u32 payload;  /* of these, behind the header */
	__u32 seq, ack; /* TCP, host order */
	__u32 fragment; /* its datagram's identification */
};

struct wire_v4 {
	__u8 version_ihl, tos;
	__be16 total;
	__be16 id, fragment;
	__u8 ttl, proto;
	__be16 check;
	__be32 src, dst;
};

struct wire_v6 {
	__be32 version_class_flow;
	__be16 payload;
	__u8 next, hops;
	__be32 src[4], dst[4];
};

struct wire_tcp {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 offset, flags;
	__be16 window, check, urgent;
};

struct wire_udp {
	__be16 sport, dport, length, check;
};

/* Frames start at 2 mod 4. The BPF back end would load packed fields bytewise, and need not. */
#ifdef __bpf__
#define PACKED
#else
#define PACKED __attribute__((packed))
#endif
typedef struct {
	__be16 v;
} PACKED be16_at;
typedef struct {
	__be32 v;
} PACKED be32_at;

ZDD_INLINE __u16 get16(const void *p)
{
	return __builtin_bswap16(((const be16_at *)p)->v);
}

ZDD_INLINE __u32 get32(const void *p)
{
	return __builtin_bswap32(((const be32_at *)p)->v);
}

/* Not bytewise, as clang copies what is packed. Both are even. */
ZDD_INLINE void copy_mac(__u8 *to, const __u8 *from)
{
	for (int i = 0; i < 6; i += 2)
		((be16_at *)(to + i))->v = ((const be16_at *)(from + i))->v;
}

enum {
	OFFSET_MAX = 1023,
	L4_MAX = OFFSET_MAX - (int)sizeof(struct wire_tcp), /* its checksum is in reach too */
};

/* An offset that the verifier believes in: it must see the bound right before the addition, which
 * clang 14 moves behind it (seen with kernel 6.18). */
ZDD_INLINE __u32 bounded(__u32 offset)
{
#ifdef __bpf__
	__asm__ __volatile__("%[o] &= 1023" : [o] "+r"(offset));
#endif
	return offset;
}

/* Ethernet and up to two VLAN tags. Returns the ethertype, 0 when the frame is too short. */
ZDD_INLINE __u16 parse_ethernet(const __u8 *data, const __u8 *end, struct zdd_packet *p)
{
	__u32 at = ETH_HEADER;
	__u16 type;

	if (data + ETH_HEADER > end)
		return 0;
	copy_mac(p->mac, data + 6);
	type = get16(data + 12);
	for (int i = 0; i < VLAN_TAGS_MAX && (type == TYPE_8021Q || type == TYPE_8021AD); i++) {
		if (data + at + VLAN_TAG > end)
			return 0;
		if (i == 0)
			p->vlan = get16(data + at);
		type = get16(data + at + 2);
		at += VLAN_TAG;
	}
	p->l3 = at;
	p->tags = at - ETH_HEADER;
	return type;
}

/* BIG TCP (Linux 5.19, 6.3): a super-packet above 64 KiB says 0, in IPv6 with a jumbo payload option
 * (RFC 2675) too; its length is the frame's, less `before`. Wires carry no such frame. */
ZDD_INLINE __u32 length_or_big(__u32 length, const struct zdd_packet *p, __u32 before)
{
	if (!length && p->frame > before + 0xffff)
		return p->frame - before;
	return length;
}

/* RFC 791. ihl has a minimum; total length must hold the header and fit the frame. */
ZDD_INLINE enum zdd_parsed parse_v4(const __u8 *data, const __u8 *end, struct zdd_packet *p,
				    __u32 *l4_room)
{
	const __u8 *h = data + p->l3;
	__u32 ihl, total, fragment;

	if (h + sizeof(struct wire_v4) > end)
		return PARSED_NOT_IP;
	ihl = (h[0] & 15) * 4;
	if (h[0] >> 4 != 4 || ihl < sizeof(struct wire_v4))
		return PARSED_NOT_IP;
	total = length_or_big(get16(h + 2), p, p->l3);
	p->bad_length = total < ihl || p->l3 + total > p->frame;
	*l4_room = total < ihl ? 0 : total - ihl;
	p->ttl = h[8];
	p->proto = h[9];
	p->src = zdd_addr_v4(((const be32_at *)(h + 12))->v);
	p->dst = zdd_addr_v4(((const be32_at *)(h + 16))->v);
	p->l4 = p->l3 + ihl;
	fragment = get16(h + 6);
	if (fragment & 0x3fff)
		p->fragment = get16(h + 4);
	p->uncut = !!(fragment & 0x4000);
	p->later_fragment = !!(fragment & 0x1fff);
	if (fragment & 0x1fff)
		return PARSED_FRAGMENT;
	p->first_fragment = !!(fragment & 0x2000);
	return PARSED_L4;
}

ZDD_INLINE void copy_v6(struct zdd_addr *to, const __u8 *from)
{
	for (int i = 0; i < 4; i++)
		to->w[i] = ((const be32_at *)(from + 4 * i))->v;
}

ZDD_INLINE int is_extension(__u8 next)
{
	return next == PROTO_HOPOPTS || next == PROTO_ROUTING || next == PROTO_DSTOPTS ||
	       next == PROTO_FRAGMENT;
}

/* RFC 8200. Walks the extension headers that may stand before TCP and UDP. */
ZDD_INLINE enum zdd_parsed parse_v6(const __u8 *data, const __u8 *end, struct zdd_packet *p,
				    __u32 *l4_room)
{
	const __u8 *h = data + p->l3;
	__u32 at = p->l3 + sizeof(struct wire_v6), total, used = 0;
	__u8 next;

	if (h + sizeof(struct wire_v6) > end || h[0] >> 4 != 6)
		return PARSED_NOT_IP;
	p->v6 = 1;
	p->uncut = 1;
	total = length_or_big(get16(h + 4), p, at);
	p->bad_length = p->l3 + sizeof(struct wire_v6) + total > p->frame;
	next = h[6];
	p->ttl = h[7];
	copy_v6(&p->src, h + 8);
	copy_v6(&p->dst, h + 24);
	for (int i = 0; i < V6_EXTENSIONS_MAX && is_extension(next); i++) {
		const __u8 *x = data + bounded(at);
		__u32 size = 8;

		if (at > OFFSET_MAX || x + 8 > end)
			return PARSED_NOT_L4;
		if (next == PROTO_FRAGMENT) {
			p->fragment = get32(x + 4);
			if (get16(x + 2) & 0xfff8) {
				p->later_fragment = 1;
				p->l4 = at + 8;
				*l4_room = total < used + 8 ? 0 : total - used - 8;
				return PARSED_FRAGMENT;
			}
			p->first_fragment |= x[3] & 1;
		} else {
			size += x[1] * 8;
		}
		next = x[0];
		at += size;
		used += size;
	}
	p->proto = next;
	p->l4 = at;
	*l4_room = total < used ? 0 : total - used;
	p->bad_length |= total < used;
	return PARSED_L4;
}

/* RFC 9293. The data offset has a minimum of five words. */
ZDD_INLINE enum zdd_parsed parse_tcp(const __u8 *h, const __u8 *end, struct zdd_packet *p,
				     __u32 room)
{
	__u32 size;

	if (h + sizeof(struct wire_tcp) > end)
		return PARSED_NOT_L4;
	size = (h[12] >> 4) * 4;
	p->bad_length |= size < sizeof(struct wire_tcp) || size > room;
	p->payload = size > room ? 0 : room - size;
	p->seq = get32(h + 4);
	p->ack = get32(h + 8);
	p->tcp_flags = h[13];
	return PARSED_L4;
}

/* RFC 768, RFC 8200 8.1. */
ZDD_INLINE enum zdd_parsed parse_udp(const __u8 *h, const __u8 *end, struct zdd_packet *p,
				     __u32 room)
{
	__u32 length;

	if (h + sizeof(struct wire_udp) > end)
		return PARSED_NOT_L4;
	length = get16(h + 4);
	p->bad_length |= length < sizeof(struct wire_udp) || (length > room && !p->first_fragment);
	p->payload = room < sizeof(struct wire_udp) ? 0 : room - sizeof(struct wire_udp);
	return PARSED_L4;
}

/* RFC 792 (unreachable, time exceeded, parameter problem), RFC 4443 (too big beside these). Redirects
 * and source quench speak to the node itself. */
ZDD_INLINE enum zdd_parsed parse_icmp(const __u8 *h, const struct zdd_packet *p)
{
	int v4 = !p->v6 && p->proto == PROTO_ICMP && (h[0] == 3 || h[0] == 11 || h[0] == 12);
	int v6 = p->v6 && p->proto == PROTO_ICMPV6 && h[0] >= 1 && h[0] <= 4;

	return (v4 || v6) && !p->first_fragment && !p->bad_length ? PARSED_ERROR : PARSED_NOT_L4;
}

/* From the L3 header at p->l3 to the ports, which are set whatever the protocol. type is the
 * ethertype in host order; room gets the bytes that the IP length gives to L4. */
ZDD_INLINE enum zdd_parsed parse_ports(const __u8 *data, const __u8 *end, __u16 type,
				       struct zdd_packet *p, __u32 *room)
{
	enum zdd_parsed parsed;
	const __u8 *h;

	*room = 0;
	if (type == TYPE_V4)
		parsed = parse_v4(data, end, p, room);
	else if (type == TYPE_V6)
		parsed = parse_v6(data, end, p, room);
	else
		return PARSED_NOT_IP;
	if (parsed != PARSED_L4)
		return parsed;
	if (p->l4 > L4_MAX)
		return PARSED_NOT_L4;
	h = data + bounded(p->l4);
	if (h + 4 > end)
		return PARSED_NOT_L4;
	p->sport = ((const be16_at *)h)->v;
	p->dport = ((const be16_at *)(h + 2))->v;
	return PARSED_L4;
}

ZDD_INLINE enum zdd_parsed parse_l3(const __u8 *data, const __u8 *end, __u16 type,
				    struct zdd_packet *p)
{
	__u32 room;
	enum zdd_parsed parsed = parse_ports(data, end, type, p, &room);
	const __u8 *h = data + bounded(p->l4);

	p->segment = room;
	if (parsed != PARSED_L4)
		return parsed;
	if (h + 4 > end)
		return PARSED_NOT_L4;
	if (p->proto == PROTO_TCP)
		return parse_tcp(h, end, p, room);
	if (p->proto == PROTO_UDP)
		return parse_udp(h, end, p, room);
	return parse_icmp(h, p);
}

ZDD_INLINE int has_ports(const struct zdd_packet *p)
{
	return (p->proto == PROTO_TCP || p->proto == PROTO_UDP) && !p->later_fragment;
}

/* What most frames are: TCP or UDP over IPv4 without tags, options and fragments. */
enum { USUAL_L3 = ETH_HEADER, USUAL_L4 = USUAL_L3 + 20, USUAL_BYTES = USUAL_L4 + 20 };

ZDD_INLINE int is_usual(const __u8 *data, const __u8 *end)
{
	const __u8 *h = data + USUAL_L3;

	return data + USUAL_BYTES <= end &&
	       ((const be16_at *)(data + 12))->v == __builtin_bswap16(TYPE_V4) && h[0] == 0x45 &&
	       (h[9] == PROTO_TCP || h[9] == PROTO_UDP) &&
	       !(((const be16_at *)(h + 6))->v & __builtin_bswap16(0x3fff)) &&
	       ((const be16_at *)(h + 2))->v;
}

/* The same as parse_any says, without looking for where things are. */
ZDD_INLINE enum zdd_parsed parse_usual(const __u8 *data, const __u8 *end, struct zdd_packet *p)
{
	const __u8 *h = data + USUAL_L3, *t = data + USUAL_L4;
	__u32 total = get16(h + 2), room = total < 20 ? 0 : total - 20;

	copy_mac(p->mac, data + 6);
	p->usual = 1;
	p->l3 = USUAL_L3;
	p->l4 = USUAL_L4;
	p->ttl = h[8];
	p->proto = h[9];
	p->src = zdd_addr_v4(((const be32_at *)(h + 12))->v);
	p->dst = zdd_addr_v4(((const be32_at *)(h + 16))->v);
	p->uncut = h[6] >> 6 & 1;
	p->segment = room;
	p->sport = ((const be16_at *)t)->v;
	p->dport = ((const be16_at *)(t + 2))->v;
	p->bad_length = total < 20 || USUAL_L3 + total > p->frame;
	return h[9] == PROTO_TCP ? parse_tcp(t, end, p, room) : parse_udp(t, end, p, room);
}

/* A whole Ethernet frame, of whatever kind. */
ZDD_INLINE enum zdd_parsed parse_any(const __u8 *data, const __u8 *end, struct zdd_packet *p)
{
	__u16 type = parse_ethernet(data, end, p);

	return type ? parse_l3(data, end, type, p) : PARSED_NOT_IP;
}

/* A whole Ethernet frame. */
ZDD_INLINE enum zdd_parsed parse_frame(const __u8 *data, const __u8 *end, struct zdd_packet *p)
{
	return is_usual(data, end) ? parse_usual(data, end, p) : parse_any(data, end, p);
}

#endif
