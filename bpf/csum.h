/* SPDX-License-Identifier: GPL-2.0 */
/* Checksum arithmetic, RFC 1071 and RFC 1624 (eqn. 3). Sums are ones' complement, not yet folded, of
 * 16-bit words in memory order. */
#ifndef ZDD_CSUM_H
#define ZDD_CSUM_H

#include "zdd/hash.h"

ZDD_INLINE __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16); /* of less than 2^33 */
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What changes in a sum when `from` becomes `to`. */
ZDD_INLINE __u64 csum_change16(__u16 from, __u16 to)
{
	return (__u64)(__u16)~from + to;
}

ZDD_INLINE __u64 csum_change32(__u32 from, __u32 to)
{
	return (__u64)(__u32)~from + to;
}

ZDD_INLINE __u64 csum_change_addr(const struct zdd_addr *from, const struct zdd_addr *to)
{
	__u64 sum = 0;

	for (int i = 0; i < 4; i++)
		sum += csum_change32(from->w[i], to->w[i]);
	return sum;
}

/* A checksum field after a change of what it covers. */
ZDD_INLINE __u16 csum_update(__u16 check, __u64 change)
{
	return ~csum_fold((__u64)(__u16)~check + change);
}

/* Sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1); length in bytes of the L4 segment. */
ZDD_INLINE __u64 csum_pseudo(const struct zdd_addr *src, const struct zdd_addr *dst, __u8 proto,
			     __u32 length, int v6)
{
	__u64 sum = __builtin_bswap32(length) + ((__u32)__builtin_bswap16(proto));

	sum += (__u64)src->w[3] + dst->w[3];
	if (v6)
		sum += (__u64)src->w[0] + src->w[1] + src->w[2] + (__u64)dst->w[0] + dst->w[1] +
		       dst->w[2];
	return sum;
}

#endif
