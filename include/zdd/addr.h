/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One address type for both families, everywhere: 16 bytes in network order, IPv4 as
 * ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). The words are for comparing and hashing only. */
#ifndef ZDD_ADDR_H
#define ZDD_ADDR_H

#include <linux/types.h>

struct zdd_addr {
	union {
		__u8 b[16];
		__be32 w[4];
		__u64 d[2]; /* memory order; equal on all nodes of one byte order */
	};
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ZDD_V4_WORD 0xffff0000u /* bytes 00 00 ff ff */
#else
#define ZDD_V4_WORD 0x0000ffffu
#endif

static inline __attribute__((always_inline)) struct zdd_addr zdd_addr_v4(__be32 v4)
{
	struct zdd_addr a = {.w = {0, 0, ZDD_V4_WORD, v4}};
	return a;
}

static inline __attribute__((always_inline)) int zdd_addr_is_v4(const struct zdd_addr *a)
{
	return a->d[0] == 0 && a->w[2] == ZDD_V4_WORD;
}

static inline __attribute__((always_inline)) int zdd_addr_eq(const struct zdd_addr *a,
							     const struct zdd_addr *b)
{
	return ((a->d[0] ^ b->d[0]) | (a->d[1] ^ b->d[1])) == 0;
}

_Static_assert(sizeof(struct zdd_addr) == 16, "address is 16 bytes");

#endif
