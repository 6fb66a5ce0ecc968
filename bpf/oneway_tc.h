/* SPDX-License-Identifier: GPL-2.0 */
/* Modes dsr, ipip and gue in tc: super-packets stay whole, the kernel cuts them behind the header
 * that is put in front. */
#ifndef ZDD_ONEWAY_TC_H
#define ZDD_ONEWAY_TC_H

#include "apply_tc.h"
#include "oneway.h"

/* Tags as they must leave; the frame then has none, and IP begins behind Ethernet. */
ZDD_INLINE int tc_settle_tags(struct __sk_buff *skb, struct zdd_packet *p, __u16 vlan)
{
	if (tc_tag(skb, p->tags, vlan))
		return -1;
	p->tags = 0;
	return 0;
}

/* Makes room behind the Ethernet header and gives the frame its type. NULL: no room. */
ZDD_INLINE __u8 *tc_grow(struct __sk_buff *skb, __u32 size, int v6, __u64 flags)
{
	__u8 *data, *end;

	if (bpf_skb_adjust_room(skb, size, BPF_ADJ_ROOM_MAC, flags))
		return 0;
	data = (__u8 *)(long)skb->data;
	end = (__u8 *)(long)skb->data_end;
	if (data + ETH_HEADER + TUNNEL_MAX > end)
		return 0;
	((be16_at *)(data + 12))->v = __builtin_bswap16(v6 ? TYPE_V6 : TYPE_V4);
	return data + ETH_HEADER;
}

/* The quoted packet's sum. A partial checksum is completed on the way out, in the quotation too,
 * which makes its segment sum to what the field complements; an IPv4 header sums to nothing. */
ZDD_INLINE __u64 tc_quoted(struct __sk_buff *skb, const struct zdd_packet *p)
{
	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end, *at;
	int partial = has_cast ? tc_summed(skb) == CHECKSUM_PARTIAL_ : is_partial(data, end, p);

	if (!partial)
		return sum_quoted(data + ETH_HEADER, end, p->v6);
	at = data + bounded(check_offset(p));
	if (at + 2 > end || data + ETH_HEADER + sizeof(struct wire_v6) > end)
		return 0;
	return (p->v6 ? sum_words(data + ETH_HEADER, sizeof(struct wire_v6)) : 0) +
	       (__u16) ~((be16_at *)at)->v;
}

/* Tells the client that its packet is TOO_BIG, with the packet itself. */
ZDD_RARE int tc_too_big(struct __sk_buff *skb, struct zdd_job *j)
{
	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end, *h;
	struct zdd_route r = {};
	__u64 quoted;

	if (!j)
		return TC_ACT_SHOT;
	if (!may_answer(data, end, &j->p) || data + ETH_HEADER > end)
		return tc_drop(&j->out, ZDD_V_TOO_BIG_UNTOLD);
	route_back(&j->p, data, &r);
	if (tc_settle_tags(skb, &j->p, r.vlan))
		return tc_drop(&j->out, ZDD_V_NO_ROOM);
	j->p.l4 -= j->p.l3 - ETH_HEADER;
	j->p.l3 = ETH_HEADER;
	if (bpf_skb_change_tail(skb, ETH_HEADER + quote_length(&j->p), 0) ||
	    bpf_skb_pull_data(skb, 0))
		return tc_drop(&j->out, ZDD_V_NO_ROOM);
	quoted = tc_quoted(skb, &j->p);
	h = tc_grow(skb, answer_size(&j->p), j->p.v6, 0);
	if (!h)
		return tc_drop(&j->out, ZDD_V_NO_ROOM);
	write_too_big(h, &j->p, j->mtu, quoted);
	write_macs(h - ETH_HEADER, r.dmac, r.smac);
	return bpf_redirect(r.ifindex, 0);
}

/* With CHECKSUM_COMPLETE, skb->csum covers what is put in front; the helper knows whether. */
ZDD_INLINE void tc_add_sum(struct __sk_buff *skb, const __u8 *h, __u32 size)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < TUNNEL_MAX; i += 4)
		if (i < size)
			sum += ((const be32_at *)(h + i))->v;
	bpf_csum_update(skb, csum_fold(sum));
}

/* Where the families differ, growing tells the kernel the new one. */
ZDD_INLINE __u64 tc_family(const struct zdd_job *j)
{
	if (j->p.v6 == j->quote.v6)
		return 0;
	return j->quote.v6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
}

/* A router's error about a tunnel's packet becomes one about the client's. */
ZDD_RARE int tc_relay(struct __sk_buff *skb, struct zdd_job *j)
{
	struct zdd_route r = {};
	__s64 sum;
	__u8 *h;

	if (!j)
		return TC_ACT_SHOT;
	sum = sum_inside((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, j);
	if (route_by_way(&j->out, &r))
		return tc_drop(&j->out, ZDD_V_NO_LINK);
	if (sum < 0 || tc_settle_tags(skb, &j->p, r.vlan) ||
	    bpf_skb_adjust_room(skb, -(__s32)before_inside(j), BPF_ADJ_ROOM_MAC, 0))
		return tc_drop(&j->out, ZDD_V_NO_ROOM);
	h = tc_grow(skb, answer_size(&j->quote), j->quote.v6, tc_family(j));
	if (!h)
		return tc_drop(&j->out, ZDD_V_NO_ROOM);
	write_relayed(h, j, sum);
	write_macs(h - ETH_HEADER, r.dmac, r.smac);
	tc_add_sum(skb, h, answer_size(&j->quote));
	return bpf_redirect(r.ifindex, 0);
}

ZDD_INLINE int tc_wrap(struct __sk_buff *skb, struct zdd_packet *p, struct zdd_tunnel *t,
		       __u16 vlan)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO |
		      (t->v6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV4);
	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end, *h;
	__u16 inner = inner_check(data, end, p), check;
	int tos;

	if (tc_settle_tags(skb, p, vlan))
		return -1;
	data = (__u8 *)(long)skb->data;
	end = (__u8 *)(long)skb->data_end;
	tos = tunnel_enter(data, end, ETH_HEADER, p->v6);
	h = data + ETH_HEADER;
	if (tos < 0)
		return -1;
	t->tos = tos;
	/* One checksum cannot serve the packets that a super-packet is cut into. */
	check = skb->gso_size ? 0 : outer_check(h, end, p, t, inner);
	h = tc_grow(skb, t->size, t->v6, flags | (t->sport ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0));
	if (!h)
		return -1;
	write_outer(h, t, p->v6, check);
	tc_add_sum(skb, h, t->size);
	return 0;
}

/* The neighbour is the kernel's to find: the backend itself (dsr), or by the outer address. */
ZDD_INLINE int tc_neigh(const struct zdd_job *j, const struct zdd_route *r)
{
	struct bpf_redir_neigh next = {.nh_family = j->p.v6 ? 10 : 2};

	if (j->out.forward != ZDD_FORWARD_DSR)
		return bpf_redirect_neigh(r->ifindex, 0, 0, 0);
	if (j->p.v6)
		__builtin_memcpy(next.ipv6_nh, j->out.addr.w, 16);
	else
		next.ipv4_nh = j->out.addr.w[3];
	return bpf_redirect_neigh(r->ifindex, &next, sizeof(next), 0);
}

/* What is TOO_BIG is left to the caller, for the stack's sake. */
ZDD_RARE int tc_one_way(struct __sk_buff *skb, struct zdd_job *j)
{
	struct zdd_route r = {};
	enum zdd_verdict fault;
	struct zdd_tunnel t;

	if (!j)
		return TC_ACT_SHOT;
	route_to_backend(&j->out, 0, &r);
	fault = one_way_check(j, &r, tc_unit(skb, &j->p), &t);
	if (fault != ZDD_VERDICT_COUNT)
		return tc_drop(&j->out, fault);
	if (t.size && tc_wrap(skb, &j->p, &t, r.vlan))
		return tc_drop(&j->out, ZDD_V_NO_ROOM);
	if (r.exit == EXIT_NEIGH)
		return tc_neigh(j, &r);
	if (tc_ethernet(skb, &j->p, &r))
		return tc_drop(&j->out, ZDD_V_NO_ROOM);
	return r.exit == EXIT_PEER ? bpf_redirect_peer(r.ifindex, 0) : bpf_redirect(r.ifindex, 0);
}

#endif
