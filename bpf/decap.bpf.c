// SPDX-License-Identifier: GPL-2.0
/* zdd-decap: takes packets of modes ipip and gue out of their tunnel on a backend's host, so that no
 * tunnel device is needed. tc on both sides: super-packets stay whole.
 *
 * Ingress strips the outer header and leaves the packet to the stack as if it had come so. Egress
 * lowers the MSS in the answer to a connection that came by a tunnel: the switch does not see it. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "parse.h"
#include "csum.h"
#include "zdd/decap.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct decap_settings settings;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decap_counts);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DECAP_KNOWN);
	__type(key, struct decap_key);
	__type(value, struct decap_known);
} known SEC(".maps");

enum { AF_V4 = 2, AF_V6 = 10, PROTO_IPIP = 4, PROTO_IPV6 = 41, MSS_KIND = 2, MSS_SIZE = 4 };

/* Newer than the headers of the base line: Linux 6.3. */
enum { DECAP_L3_V4 = 1 << 7, DECAP_L3_V6 = 1 << 8 };

struct tunnel {
	struct zdd_addr src, dst;
	__u32 size; /* of the outer headers */
	__u32 ifindex;
	__u8 v6, inner_v6, gue, ecn;
};

static __always_inline int count(enum decap_verdict verdict, int code)
{
	__u32 zero = 0;
	struct decap_counts *c = bpf_map_lookup_elem(&counts, &zero);

	if (c)
		c->verdict[verdict]++;
	return code;
}

/* ---- what is it ---- */

enum found { NO_TUNNEL, A_TUNNEL, A_FRAGMENT, NONSENSE };

/* h: behind the outer IP header. */
static __always_inline enum found see_inner(const __u8 *h, const __u8 *end, __u8 proto,
					    struct tunnel *t)
{
	if (proto == PROTO_UDP) {
		if (h + 8 > end || get16(h + 2) != DECAP_GUE_PORT)
			return NO_TUNNEL;
		t->gue = 1;
		t->size += 8;
		h += 8;
	}
	if (h + 1 > end)
		return NONSENSE;
	t->inner_v6 = h[0] >> 4 == 6;
	if (!t->inner_v6 && h[0] >> 4 != 4)
		return NONSENSE;
	if (proto == PROTO_UDP || proto == (t->inner_v6 ? PROTO_IPV6 : PROTO_IPIP))
		return h + (t->inner_v6 ? 40 : 20) > end ? NONSENSE : A_TUNNEL;
	return NONSENSE;
}

static __always_inline int is_ours(__u8 proto)
{
	return proto == PROTO_IPIP || proto == PROTO_IPV6 || proto == PROTO_UDP;
}

static __always_inline enum found see_v4(const __u8 *h, const __u8 *end, struct tunnel *t)
{
	__u32 size;

	if (h + sizeof(struct wire_v4) > end || h[0] >> 4 != 4 || !is_ours(h[9]))
		return NO_TUNNEL;
	size = (h[0] & 15) * 4;
	if (size < sizeof(struct wire_v4))
		return NO_TUNNEL;
	if (get16(h + 6) & 0x3fff)
		return h[9] == PROTO_UDP ? NO_TUNNEL : A_FRAGMENT;
	t->src = zdd_addr_v4(((const be32_at *)(h + 12))->v);
	t->dst = zdd_addr_v4(((const be32_at *)(h + 16))->v);
	t->ecn = h[1] & 3;
	t->size = size;
	return see_inner(h + size, end, h[9], t);
}

static __always_inline void copy_addr(struct zdd_addr *to, const __u8 *from)
{
	for (int i = 0; i < 4; i++)
		to->w[i] = ((const be32_at *)(from + 4 * i))->v;
}

static __always_inline enum found see_v6(const __u8 *h, const __u8 *end, struct tunnel *t)
{
	if (h + sizeof(struct wire_v6) > end || h[0] >> 4 != 6 || !is_ours(h[6]))
		return NO_TUNNEL;
	copy_addr(&t->src, h + 8);
	copy_addr(&t->dst, h + 24);
	t->v6 = 1;
	t->ecn = h[1] >> 4 & 3;
	t->size = sizeof(struct wire_v6);
	return see_inner(h + sizeof(struct wire_v6), end, h[6], t);
}

static __always_inline enum found see(struct __sk_buff *skb, struct tunnel *t)
{
	const __u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end;

	if (skb->protocol == __builtin_bswap16(TYPE_V4))
		return see_v4(data + ETH_HEADER, end, t);
	return see_v6(data + ETH_HEADER, end, t);
}

/* ---- is it for us, and may it come ---- */

/* A host that does not forward gets only what is its own; one that does is asked for its routes:
 * whatever would be sent on is another's. */
static __always_inline int is_for_this_host(struct __sk_buff *skb, const struct tunnel *t)
{
	struct bpf_fib_lookup f = {.ifindex = t->ifindex};
	long said;

	if (t->v6) {
		f.family = AF_V6;
		__builtin_memcpy(f.ipv6_src, t->src.w, 16);
		__builtin_memcpy(f.ipv6_dst, t->dst.w, 16);
	} else {
		f.family = AF_V4;
		f.ipv4_src = t->src.w[3];
		f.ipv4_dst = t->dst.w[3];
	}
	said = bpf_fib_lookup(skb, &f, sizeof(f), 0);
	return said == BPF_FIB_LKUP_RET_NOT_FWDED || said == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline int may_send(const struct zdd_addr *src)
{
	if (!settings.n_senders)
		return 1;
	for (__u32 i = 0; i < DECAP_SENDERS; i++) {
		__u64 differs = 0;

		if (i >= settings.n_senders)
			break;
		for (int k = 0; k < 2; k++)
			differs |= (src->d[k] ^ settings.sender[i].net.d[k]) &
				   settings.sender[i].mask.d[k];
		if (!differs)
			return 1;
	}
	return 0;
}

/* ---- taking it out ---- */

/* Congestion seen on the tunnel's way goes on inside (RFC 6040). */
static __always_inline void carry_ecn(__u8 *h, const struct tunnel *t)
{
	be16_at *check = (be16_at *)(h + 10);
	__u16 before = ((be16_at *)h)->v;

	if (t->ecn != 3)
		return;
	if (t->inner_v6) {
		if (h[1] >> 4 & 3)
			h[1] |= 0x30;
	} else if (h[1] & 3) {
		h[1] |= 3;
		check->v = csum_update(check->v, csum_change16(before, ((be16_at *)h)->v));
	}
}

/* A listener that is reached by a tunnel shows by its first packet. */
static __always_inline void learn(struct __sk_buff *skb, const __u8 *h, const __u8 *end,
				  const struct tunnel *t)
{
	const __u8 *tcp = h + (t->inner_v6 ? 40 : 20);
	struct decap_key key = {};
	struct decap_known value = {.fits = settings.mtu};
	__u8 proto = t->inner_v6 ? h[6] : h[9];

	if (proto != PROTO_TCP || tcp + 14 > end || (!t->inner_v6 && (h[0] & 15) != 5) ||
	    (tcp[13] & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return;
	if (t->inner_v6)
		copy_addr(&key.addr, h + 24);
	else
		key.addr = zdd_addr_v4(((const be32_at *)(h + 16))->v);
	key.port = ((const be16_at *)(tcp + 2))->v;
	if (!value.fits)
		bpf_check_mtu(skb, 0, &value.fits, 0, 0);
	if (value.fits > t->size) {
		value.fits -= t->size;
		bpf_map_update_elem(&known, &key, &value, BPF_ANY);
	}
}

/* Kernels before 6.3 keep the outer family; then the packet comes in once more, and is read anew. */
static __always_inline int strip(struct __sk_buff *skb, const struct tunnel *t)
{
	__u64 to = t->inner_v6 ? DECAP_L3_V6 : DECAP_L3_V4;

	if (!bpf_skb_adjust_room(skb, -(__s32)t->size, BPF_ADJ_ROOM_MAC,
				 BPF_F_ADJ_ROOM_FIXED_GSO | to))
		return TC_ACT_UNSPEC;
	if (!bpf_skb_adjust_room(skb, -(__s32)t->size, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return bpf_redirect(t->ifindex, BPF_F_INGRESS);
	return TC_ACT_SHOT;
}

static __always_inline int take_out(struct __sk_buff *skb, const struct tunnel *t)
{
	int code = strip(skb, t);
	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end;

	if (code == TC_ACT_SHOT || data + ETH_HEADER + sizeof(struct wire_v4) > end)
		return count(DECAP_NO_ROOM, TC_ACT_SHOT);
	((be16_at *)(data + 12))->v = __builtin_bswap16(t->inner_v6 ? TYPE_V6 : TYPE_V4);
	carry_ecn(data + ETH_HEADER, t);
	learn(skb, data + ETH_HEADER, end, t);
	return count(t->gue ? DECAP_GUE : DECAP_IPIP, code);
}

enum { HEADERS = ETH_HEADER + 60 + 8 + 60 };

SEC("tc")
int zdd_decap_in(struct __sk_buff *skb)
{
	struct tunnel t = {.ifindex = skb->ifindex};
	enum found found;

	if (skb->pkt_type || (skb->protocol != __builtin_bswap16(TYPE_V4) &&
			      skb->protocol != __builtin_bswap16(TYPE_V6)))
		return TC_ACT_UNSPEC;
	if (skb->data_end - skb->data < HEADERS && skb->len > skb->data_end - skb->data)
		bpf_skb_pull_data(skb, skb->len < HEADERS ? skb->len : HEADERS);
	found = see(skb, &t);
	if (found == NO_TUNNEL)
		return TC_ACT_UNSPEC;
	if (found == A_FRAGMENT)
		return count(DECAP_FRAGMENT, TC_ACT_UNSPEC);
	if (found == NONSENSE)
		return count(DECAP_MALFORMED, TC_ACT_UNSPEC);
	if (!is_for_this_host(skb, &t))
		return count(DECAP_ELSEWHERE, TC_ACT_UNSPEC);
	if (!may_send(&t.src))
		return count(DECAP_SENDER, TC_ACT_SHOT);
	return take_out(skb, &t);
}

/* ---- MSS ---- */

struct answer {
	struct decap_key key;
	__u32 tcp, options, v6; /* offset of the header, bytes of options */
};

/* A SYN-ACK without IP options: 0, and a is filled. */
static __always_inline int see_answer(const __u8 *data, const __u8 *end, struct answer *a)
{
	const __u8 *h = data + ETH_HEADER, *tcp;

	if (h + sizeof(struct wire_v6) > end)
		return -1;
	a->v6 = h[0] >> 4 == 6;
	if (a->v6 ? h[6] != PROTO_TCP : h[0] != 0x45 || h[9] != PROTO_TCP)
		return -1;
	a->tcp = ETH_HEADER + (a->v6 ? 40 : 20);
	tcp = data + a->tcp;
	if (tcp + sizeof(struct wire_tcp) > end ||
	    (tcp[13] & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK))
		return -1;
	if (a->v6)
		copy_addr(&a->key.addr, h + 8);
	else
		a->key.addr = zdd_addr_v4(((const be32_at *)(h + 12))->v);
	a->key.port = ((const be16_at *)tcp)->v;
	a->options = (tcp[12] >> 4) * 4 - sizeof(struct wire_tcp);
	return 0;
}

/* Offset of the MSS among the options (RFC 9293 3.2), 0: none. */
static __always_inline __u32 find_mss(struct __sk_buff *skb, const struct answer *a)
{
	__u32 at = a->tcp + sizeof(struct wire_tcp), end = at + a->options;
	__u8 option[2];

	for (int i = 0; i < 20 && at + MSS_SIZE <= end; i++) {
		if (bpf_skb_load_bytes(skb, at, option, 2) || !option[0])
			return 0;
		if (option[0] == MSS_KIND)
			return option[1] == MSS_SIZE ? at + 2 : 0;
		if (option[0] == 1)
			at++;
		else if (option[1] < 2)
			return 0;
		else
			at += option[1];
	}
	return 0;
}

static __always_inline int clamp(struct __sk_buff *skb, const struct answer *a, __u32 fits)
{
	__u32 headers = (a->v6 ? 40 : 20) + sizeof(struct wire_tcp), at = find_mss(skb, a);
	__be16 was, now;

	if (!at || fits <= headers || bpf_skb_load_bytes(skb, at, &was, 2))
		return TC_ACT_UNSPEC;
	now = __builtin_bswap16(fits - headers);
	if (__builtin_bswap16(was) <= fits - headers)
		return TC_ACT_UNSPEC;
	if (bpf_l4_csum_replace(skb, a->tcp + 16, was, now, 2) ||
	    bpf_skb_store_bytes(skb, at, &now, 2, 0))
		return TC_ACT_UNSPEC;
	return count(DECAP_CLAMPED, TC_ACT_UNSPEC);
}

SEC("tc")
int zdd_decap_out(struct __sk_buff *skb)
{
	struct answer a = {};
	struct decap_known *value;

	if (see_answer((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, &a))
		return TC_ACT_UNSPEC;
	value = bpf_map_lookup_elem(&known, &a.key);
	return value ? clamp(skb, &a, value->fits) : TC_ACT_UNSPEC;
}
