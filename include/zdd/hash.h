/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The three hashes of zdd. BPF has no 128-bit multiply, so all are built from 64-bit multiply and
 * xor-shift (the finalizer of Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
 * OOPSLA 2014). zdd_client_hash and zdd_tuple_hash decide where clients go and must never change:
 * every node of a fleet computes them alike. */
#ifndef ZDD_HASH_H
#define ZDD_HASH_H

#include "zdd/addr.h"

#define ZDD_INLINE static inline __attribute__((always_inline))

ZDD_INLINE __u64 zdd_mix64(__u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Maps a 32-bit hash evenly to 0..n-1 without division. */
ZDD_INLINE __u32 zdd_scale(__u32 hash, __u32 n)
{
	return (__u32)((__u64)hash * n >> 32);
}

/* Of the client's address, already masked to the sticky prefix: share bucket, sticky backend. */
ZDD_INLINE __u64 zdd_client_hash(const struct zdd_addr *client, __u64 salt)
{
	return zdd_mix64(zdd_mix64(client->d[0] ^ salt) ^ client->d[1]);
}

/* Of the 5-tuple less the VIP address, so that all VIPs of a listener's port agree. */
ZDD_INLINE __u64 zdd_tuple_hash(__u64 client_hash, __be16 client_port, __be16 vip_port, __u8 proto)
{
	return zdd_mix64(client_hash ^ ((__u64)client_port << 32 | (__u64)vip_port << 8 | proto));
}

/* Where a flow's record lives. Both directions know exactly these three things. */
ZDD_INLINE __u64 zdd_flow_hash(const struct zdd_addr *client, __be16 port, __u8 proto, __u64 seed)
{
	__u64 x = (client->d[0] ^ seed) * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 32 ^ client->d[1]) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 29 ^ ((__u64)port << 8 | proto)) * 0x94d049bb133111ebull;
	return x ^ x >> 32;
}

/* Of a datagram in fragments. It alone names the datagram: 64 bits that a stranger cannot aim at. */
ZDD_INLINE __u64 zdd_fragment_hash(const struct zdd_addr *src, const struct zdd_addr *dst, __u32 id,
				   __u8 proto, __u64 seed)
{
	__u64 x = zdd_mix64(zdd_mix64(src->d[0] ^ seed) ^ src->d[1]);

	x = zdd_mix64(zdd_mix64(x ^ dst->d[0]) ^ dst->d[1]);
	return zdd_mix64(x ^ ((__u64)id << 8 | proto));
}

/* Doors: address, port, protocol. The two buckets come from the two halves. */
ZDD_INLINE __u64 zdd_door_hash(const struct zdd_addr *addr, __be16 port, __u8 proto)
{
	__u64 x = (addr->d[0] ^ addr->d[1] * 0x9e3779b97f4a7c15ull) ^
		  ((__u64)port << 16 | proto) * 0xbf58476d1ce4e5b9ull;

	x = (x ^ x >> 32) * 0x94d049bb133111ebull;
	return x ^ x >> 29;
}

/* SipHash-2-4 of n words (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012): for what a stranger
 * may see and must not guess. */
ZDD_INLINE __u64 zdd_siphash(const __u64 *words, __u32 n, __u64 key0, __u64 key1)
{
	__u64 v0 = key0 ^ 0x736f6d6570736575ull, v1 = key1 ^ 0x646f72616e646f6dull,
	      v2 = key0 ^ 0x6c7967656e657261ull, v3 = key1 ^ 0x7465646279746573ull;

	/* the words, the length, and four rounds at the end instead of two */
	for (__u32 i = 0; i < n + 2; i++) {
		__u64 word = i < n ? words[i] : i == n ? (__u64)n << 59 : 0;

		if (i > n)
			v2 ^= 0xff;
		v3 ^= word;
		for (__u32 round = 0; round < (i > n ? 4 : 2); round++) {
			v0 += v1;
			v1 = (v1 << 13 | v1 >> 51) ^ v0;
			v0 = v0 << 32 | v0 >> 32;
			v2 += v3;
			v3 = (v3 << 16 | v3 >> 48) ^ v2;
			v0 += v3;
			v3 = (v3 << 21 | v3 >> 43) ^ v0;
			v2 += v1;
			v1 = (v1 << 17 | v1 >> 47) ^ v2;
			v2 = v2 << 32 | v2 >> 32;
		}
		v0 ^= word;
	}
	return v0 ^ v1 ^ v2 ^ v3;
}

/* Where the alias of a flow lives whose backend, whose zdd_door_hash with protocol 0 is `endpoint`,
 * sees an address of this node: one port of it may stand for clients of many backends. */
ZDD_INLINE __u64 zdd_alias_hash(const struct zdd_addr *source, __be16 port, __u8 proto, __u64 seed,
				__u64 endpoint)
{
	return zdd_flow_hash(source, port, proto, seed ^ endpoint);
}

#endif
