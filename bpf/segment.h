/* SPDX-License-Identifier: GPL-2.0 */
/* A TCP segment without data of our own making, written over a frame: a SYN made again, a reset. */
#ifndef ZDD_SEGMENT_H
#define ZDD_SEGMENT_H

#include "frame.h"

enum { SEGMENT_OPTIONS = 10 };

struct zdd_segment {
	struct zdd_addr src, dst;
	__be16 sport, dport;
	__u32 seq, ack; /* host order */
	__be32 head; /* the first word of the IP header it takes after: TOS; class and flow label */
	__be16 window;
	__u8 flags;
	__u8 ttl;
	__u8 v6;
	__u8 words; /* of options, <= SEGMENT_OPTIONS */
	__be32 options[SEGMENT_OPTIONS];
};

ZDD_INLINE __u32 segment_l4(const struct zdd_segment *s)
{
	return sizeof(struct wire_tcp) + 4 * s->words;
}

/* Bytes from the IP header on. */
ZDD_INLINE __u32 segment_bytes(const struct zdd_segment *s)
{
	return (s->v6 ? sizeof(struct wire_v6) : sizeof(struct wire_v4)) + segment_l4(s);
}

/* Puts a word somewhere and returns it, to be added up. */
ZDD_INLINE __u64 put_word(__u8 *at, __be32 word)
{
	((be32_at *)at)->v = word;
	return word;
}

/* RFC 791; DF is set and the identification 0 (RFC 6864). */
ZDD_INLINE void write_head_v4(__u8 *h, const struct zdd_segment *s)
{
	__u32 tos = __builtin_bswap32(s->head) & 0xff0000;
	__u64 sum = put_word(h, __builtin_bswap32(0x45000000 | tos | segment_bytes(s)));

	sum += put_word(h + 4, __builtin_bswap32(0x4000));
	sum += put_word(h + 8, __builtin_bswap32((__u32)s->ttl << 24 | PROTO_TCP << 16));
	sum += put_word(h + 12, s->src.w[3]);
	sum += put_word(h + 16, s->dst.w[3]);
	((be16_at *)(h + 10))->v = ~csum_fold(sum);
}

ZDD_INLINE void write_head_v6(__u8 *h, const struct zdd_segment *s)
{
	put_word(h, s->head);
	put_word(h + 4,
		 __builtin_bswap32(segment_l4(s) << 16 | (__u32)PROTO_TCP << 8 | (__u32)s->ttl));
	for (int i = 0; i < 4; i++) {
		put_word(h + 8 + 4 * i, s->src.w[i]);
		put_word(h + 24 + 4 * i, s->dst.w[i]);
	}
}

/* Writes the options and returns their sum, or -1 when the frame ends before. */
ZDD_INLINE __s64 write_options(__u8 *at, const __u8 *end, const struct zdd_segment *s)
{
	__s64 sum = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SEGMENT_OPTIONS && i < s->words; i++, at += 4) {
		if (at + 4 > end)
			return -1;
		sum += put_word(at, s->options[i]);
	}
	return sum;
}

/* RFC 9293 3.1. */
ZDD_INLINE int write_tcp(__u8 *h, const __u8 *end, const struct zdd_segment *s, enum zdd_csum kind)
{
	__u32 length = segment_l4(s);
	__u64 pseudo = csum_pseudo(&s->src, &s->dst, PROTO_TCP, length, s->v6), sum = pseudo;
	__s64 options;

	if (h + sizeof(struct wire_tcp) > end)
		return -1;
	((be16_at *)h)->v = s->sport;
	((be16_at *)(h + 2))->v = s->dport;
	sum += (__u64)s->sport + s->dport;
	sum += put_word(h + 4, __builtin_bswap32(s->seq));
	sum += put_word(h + 8, __builtin_bswap32(s->ack));
	((be16_at *)(h + 12))->v = __builtin_bswap16(length / 4 << 12 | s->flags);
	((be16_at *)(h + 14))->v = s->window;
	sum += (__u64)((be16_at *)(h + 12))->v + s->window;
	put_word(h + 16, 0);
	options = write_options(h + sizeof(struct wire_tcp), end, s);
	if (options < 0)
		return -1;
	((be16_at *)(h + 16))->v =
		kind == CSUM_PARTIAL ? csum_fold(pseudo) : (__u16)~csum_fold(sum + options);
	return 0;
}

/* From l3 on, up to segment_bytes. -1: the frame ends before. */
ZDD_INLINE int write_segment(__u8 *l3, const __u8 *end, const struct zdd_segment *s,
			     enum zdd_csum kind)
{
	if (s->v6) {
		if (l3 + sizeof(struct wire_v6) > end)
			return -1;
		write_head_v6(l3, s);
		return write_tcp(l3 + sizeof(struct wire_v6), end, s, kind);
	}
	if (l3 + sizeof(struct wire_v4) > end)
		return -1;
	write_head_v4(l3, s);
	return write_tcp(l3 + sizeof(struct wire_v4), end, s, kind);
}

#endif
