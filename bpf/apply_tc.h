/* SPDX-License-Identifier: GPL-2.0 */
/* Carrying out a decision in tc. Packets may be GSO super-packets with partial checksums: only the
 * headers are touched, and ip_summed says what the checksum field means (TRAPS: 8). */
#ifndef ZDD_APPLY_TC_H
#define ZDD_APPLY_TC_H

#include <linux/pkt_cls.h>
#include <bpf/bpf_core_read.h>

#include "quote.h"
#include "route.h"

enum { CHECKSUM_COMPLETE_ = 2, CHECKSUM_PARTIAL_ = 3 }; /* include/linux/skbuff.h */

struct sk_buff___zdd {
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *) __ksym __attribute__((weak));

ZDD_INLINE __u32 tc_summed(struct __sk_buff *skb)
{
	struct sk_buff___zdd *kernel = bpf_cast_to_kern_ctx(skb);

	return BPF_CORE_READ_BITFIELD(kernel, ip_summed);
}

/* With CHECKSUM_COMPLETE, skb->csum covers the packet from L3 on. In IPv4 the header's own checksum
 * hides the address, the L4 field does not; in IPv6 both changes cancel. */
ZDD_INLINE void tc_complete(struct __sk_buff *skb, const struct zdd_packet *p,
			    const struct zdd_rewrite *r)
{
	__u32 old = r->source ? p->src.w[3] : p->dst.w[3];

	if (!p->v6)
		bpf_csum_update(skb, csum_fold(csum_change32(r->addr->w[3], old)));
}

ZDD_INLINE int tc_write(struct __sk_buff *skb, const struct zdd_packet *p,
			const struct zdd_rewrite *r)
{
	__u32 summed = tc_summed(skb);
	__u8 *data = (__u8 *)(long)skb->data, *end = (__u8 *)(long)skb->data_end;

	if (write_rewrite(data, end, p, r, summed == CHECKSUM_PARTIAL_ ? CSUM_PARTIAL : CSUM_WHOLE))
		return -1;
	if (summed == CHECKSUM_COMPLETE_)
		tc_complete(skb, p, r);
	return 0;
}

/* Kernels without the cast (before 6.2): the helpers know ip_summed. */
ZDD_INLINE int tc_check_helped(struct __sk_buff *skb, const struct zdd_packet *p,
			       const struct zdd_rewrite *r)
{
	__u32 at = check_offset(p), mangled = p->proto == PROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	const struct zdd_addr *old = r->source ? &p->src : &p->dst;
	__be16 port = r->source ? p->sport : p->dport, other = r->source ? p->dport : p->sport;
	struct zdd_addr from = *old, to = *r->addr;
	__s64 change = bpf_csum_diff(from.w, 16, to.w, 16, 0);

	if (bpf_l4_csum_replace(skb, at, 0, change, BPF_F_PSEUDO_HDR | mangled))
		return -1;
	if (bpf_l4_csum_replace(skb, at, port, r->port, mangled | 2))
		return -1;
	return r->other ? bpf_l4_csum_replace(skb, at, other, r->other, mangled | 2) : 0;
}

/* The field is set by helpers and then left alone: written back after write_rewrite changed it. */
ZDD_RARE int tc_write_helped(struct __sk_buff *skb, const struct zdd_job *j, __u32 decrement)
{
	const struct zdd_packet *p;
	struct zdd_rewrite r;
	__be16 check;

	if (!j)
		return -1;
	p = &j->p;
	r = rewrite_of(&j->out, decrement);
	if (tc_check_helped(skb, p, &r) ||
	    bpf_skb_load_bytes(skb, check_offset(p), &check, sizeof(check)))
		return -1;
	if (write_rewrite((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, p, &r, CSUM_WHOLE))
		return -1;
	return bpf_skb_store_bytes(skb, check_offset(p), &check, sizeof(check), 0);
}

/* Of a flow whose backend sees an address of this node. quoted: see tc_send. */
ZDD_RARE int tc_other(struct __sk_buff *skb, struct zdd_job *j, __u32 quoted)
{
	struct zdd_addr from, to;
	struct zdd_packet *p;
	__u32 summed;
	int source;

	if (!j)
		return -1;
	p = &j->p;
	source = j->out.action == ACT_TO_BACKEND;
	from = source ? p->src : p->dst;
	to = j->out.other_addr;
	if (quoted)
		return write_error_addr((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, p,
					&j->quote, &to, source);
	if (has_cast) {
		summed = tc_summed(skb);
		if (summed == CHECKSUM_COMPLETE_ && !p->v6)
			bpf_csum_update(skb, csum_fold(csum_change32(to.w[3], from.w[3])));
		return write_addr((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, p, &to,
				  source, summed == CHECKSUM_PARTIAL_ ? CSUM_PARTIAL : CSUM_WHOLE);
	}
	if (bpf_l4_csum_replace(skb, check_offset(p), 0, bpf_csum_diff(from.w, 16, to.w, 16, 0),
				BPF_F_PSEUDO_HDR |
					(p->proto == PROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0)))
		return -1;
	if (write_l3_addr((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, p, &to, source))
		return -1;
	*(source ? &p->src : &p->dst) = to;
	return 0;
}

/* quoted: an ICMP error, or a later fragment. Where skb->csum covers an error it does so before
 * and after: all that is changed is made up for by a checksum within. */
ZDD_INLINE int tc_rewrite(struct __sk_buff *skb, const struct zdd_job *j, int quoted, int decrement)
{
	struct zdd_rewrite r = rewrite_of(&j->out, decrement);

	if (quoted)
		return write_error((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, &j->p,
				   &j->quote, &r);
	return has_cast ? tc_write(skb, &j->p, &r) : tc_write_helped(skb, j, decrement);
}

/* n tags go, one comes unless it is 0. */
ZDD_RARE int tc_retag(struct __sk_buff *skb, __u32 n, __u32 vlan)
{
	for (__u32 i = 0; i <= VLAN_TAGS_MAX && i < n; i++)
		if (bpf_skb_vlan_pop(skb))
			return -1;
	return vlan ? bpf_skb_vlan_push(skb, __builtin_bswap16(TYPE_8021Q), vlan) : 0;
}

/* The outer tag lives beside the packet in tc, a second one in the frame. */
ZDD_INLINE int tc_tag(struct __sk_buff *skb, __u16 tags, __u16 vlan)
{
	int n = tags / VLAN_TAG + !!skb->vlan_present;

	if (n == !!vlan && (!n || (skb->vlan_present && skb->vlan_tci == vlan)))
		return 0;
	return tc_retag(skb, n, vlan);
}

ZDD_INLINE int tc_ethernet(struct __sk_buff *skb, const struct zdd_packet *p,
			   const struct zdd_route *r)
{
	__u8 *data, *end;

	if (tc_tag(skb, p->tags, r->vlan))
		return -1;
	data = (__u8 *)(long)skb->data;
	end = (__u8 *)(long)skb->data_end;
	if (data + ETH_HEADER > end)
		return -1;
	write_macs(data, r->dmac, r->smac);
	return 0;
}

ZDD_INLINE int tc_drop(struct zdd_out *o, enum zdd_verdict verdict)
{
	o->verdict = verdict;
	return TC_ACT_SHOT;
}

ZDD_INLINE int tc_leave(struct __sk_buff *skb, const struct zdd_packet *p, struct zdd_out *o,
			const struct zdd_route *r)
{
	if (r->exit == EXIT_STACK) {
		count_note(ZDD_N_VIA_STACK);
		return TC_ACT_UNSPEC;
	}
	if (r->exit == EXIT_NEIGH)
		return bpf_redirect_neigh(r->ifindex, 0, 0, 0);
	if (tc_ethernet(skb, p, r))
		return tc_drop(o, ZDD_V_NO_ROOM);
	if (r->exit == EXIT_PEER)
		return bpf_redirect_peer(r->ifindex, 0);
	return bpf_redirect(r->ifindex, 0);
}

/* What the client's packet, or each that a super-packet is cut into, takes. */
ZDD_INLINE __u32 tc_unit(const struct __sk_buff *skb, const struct zdd_packet *p)
{
	__u32 size = skb->gso_size;

	return size ? packet_length(p) - p->payload + size : packet_length(p);
}

/* quoted: an ICMP error, or a later fragment. What is TOO_BIG is left to the caller. */
ZDD_INLINE int tc_send(struct __sk_buff *skb, struct zdd_job *j, int quoted, int egress)
{
	const struct zdd_packet *p = &j->p;
	struct zdd_out *o = &j->out;
	enum zdd_verdict fault;
	struct zdd_route r = {};
	int lost = 0;

	if (egress)
		r.exit = EXIT_STACK;
	else if (o->action == ACT_TO_BACKEND)
		route_to_backend(o, 0, &r);
	else
		lost = route_by_way(o, &r);
	if (unlikely(exceeds(&r, p))) {
		fault = size_check(j, tc_unit(skb, p), &r);
		if (fault != ZDD_VERDICT_COUNT)
			return tc_drop(o, fault);
		if (r.exit == EXIT_STACK && o->action == ACT_TO_CLIENT) {
			end_later(p, o);
			return TC_ACT_UNSPEC;
		}
	}
	if (unlikely(o->both) && tc_other(skb, j, quoted))
		return tc_drop(o, ZDD_V_NO_ROOM);
	if (unlikely(lost))
		route_by_fib(skb, p, &r);
	if (r.exit == EXIT_LOST)
		return tc_drop(o, ZDD_V_NO_LINK);
	if (r.exit != EXIT_STACK && p->ttl <= 1)
		return tc_drop(o, ZDD_V_TTL);
	if (tc_rewrite(skb, j, quoted, r.exit != EXIT_STACK))
		return tc_drop(o, ZDD_V_NO_ROOM);
	return egress ? TC_ACT_UNSPEC : tc_leave(skb, p, o, &r);
}

/* oneway_tc.h */
int tc_relay(struct __sk_buff *skb, struct zdd_job *j);
int tc_one_way(struct __sk_buff *skb, struct zdd_job *j);
int tc_too_big(struct __sk_buff *skb, struct zdd_job *j);

/* Does the device or the stack still complete this frame's checksum? Without the cast, what a helper
 * does with the field tells: it adds to a sum that is not complete, and subtracts from one that is. */
ZDD_INLINE int tc_is_partial(struct __sk_buff *skb, const struct zdd_packet *p)
{
	__u16 before = 0, after = 0;

	if (has_cast)
		return tc_summed(skb) == CHECKSUM_PARTIAL_;
	if (bpf_skb_load_bytes(skb, check_offset(p), &before, sizeof(before)) ||
	    bpf_l4_csum_replace(skb, check_offset(p), 0, 1, BPF_F_PSEUDO_HDR) ||
	    bpf_skb_load_bytes(skb, check_offset(p), &after, sizeof(after)))
		return 0;
	return after == csum_fold((__u64)before + 1);
}

/* The frame becomes j->segment. Its length is changed even where it is right, because that is what
 * makes the kernel forget a checksum of the whole packet that it may have. */
ZDD_RARE int tc_segment(struct __sk_buff *skb, const struct zdd_job *j)
{
	__u32 size;
	int partial;

	if (!j)
		return -1;
	size = j->p.l3 + segment_bytes(&j->segment);
	partial = tc_is_partial(skb, &j->p);
	if (bpf_skb_change_tail(skb, size + 1, 0) || bpf_skb_change_tail(skb, size, 0) ||
	    bpf_skb_pull_data(skb, size))
		return -1;
	return write_segment((__u8 *)(long)skb->data + bounded(j->p.l3),
			     (__u8 *)(long)skb->data_end, &j->segment,
			     partial ? CSUM_PARTIAL : CSUM_WHOLE);
}

/* What a local backend sent, seen on its way out, cannot be handed to the stack from here. */
ZDD_INLINE int tc_into_self(struct __sk_buff *skb, const struct zdd_packet *p, struct zdd_route *r)
{
	route_by_link(p, r);
	__builtin_memcpy(r->dmac, r->smac, 6);
	if (tc_ethernet(skb, p, r))
		return -1;
	return bpf_redirect(p->ifindex, BPF_F_INGRESS);
}

ZDD_RARE int tc_send_own(struct __sk_buff *skb, struct zdd_job *j, __u32 egress)
{
	struct zdd_route r = {};
	struct zdd_out *o;
	int code;

	if (!j)
		return TC_ACT_SHOT;
	o = &j->out;
	route_own(&j->p, o, 0, &r);
	if (r.exit == EXIT_LOST)
		return tc_drop(o, ZDD_V_NO_LINK);
	if (egress && (r.exit == EXIT_STACK || o->action == ACT_RESET))
		r.exit = EXIT_SELF;
	if (o->action == ACT_SYN && r.exit != EXIT_STACK && r.exit != EXIT_SELF)
		j->segment.ttl--;
	if (tc_segment(skb, j))
		return tc_drop(o, ZDD_V_NO_ROOM);
	if (r.exit != EXIT_SELF)
		return tc_leave(skb, &j->p, o, &r);
	code = tc_into_self(skb, &j->p, &r);
	return code < 0 ? tc_drop(o, ZDD_V_NO_ROOM) : code;
}

ZDD_INLINE int tc_apply(struct __sk_buff *skb, struct zdd_job *j, int egress)
{
	struct zdd_out *o = &j->out;
	int code = TC_ACT_UNSPEC;

	if (o->action == ACT_DROP)
		code = TC_ACT_SHOT;
	else if (unlikely(zdd_one_way(o->forward)))
		code = tc_one_way(skb, j);
	else if (unlikely(o->action == ACT_RELAY))
		code = tc_relay(skb, j);
	else if (unlikely(o->action >= ACT_SYN))
		code = tc_send_own(skb, j, egress);
	else if (o->action != ACT_PASS)
		code = tc_send(skb, j, 0, egress);
	if (unlikely(o->verdict == ZDD_V_TOO_BIG))
		code = tc_too_big(skb, j);
	count_verdict(o->verdict);
	return code;
}

enum { TC_QUOTE = 256 }; /* bytes of an ICMP error that must lie in one piece */

/* Where skb->csum covers a later fragment no checksum within makes up for its addresses. */
ZDD_INLINE void tc_fragment_sum(struct __sk_buff *skb, const struct zdd_job *j)
{
	int client = j->out.action == ACT_TO_CLIENT;
	__u64 change = csum_change_addr(client ? &j->p.src : &j->p.dst, &j->out.addr);

	if (j->out.both)
		change += csum_change_addr(client ? &j->p.dst : &j->p.src, &j->out.other_addr);
	bpf_csum_update(skb, csum_fold(change));
}

/* What an ICMP error quotes. By itself, for the stack's sake. Returns 0 when it is nothing of ours. */
ZDD_RARE int tc_quote(struct __sk_buff *skb, struct zdd_job *j)
{
	if (skb->data_end - skb->data < TC_QUOTE && skb->len > skb->data_end - skb->data)
		bpf_skb_pull_data(skb, skb->len < TC_QUOTE ? skb->len : TC_QUOTE);
	return j && !read_quote((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, j);
}

/* An ICMP error, or a later fragment. Sets j->out. */
ZDD_RARE int tc_look(struct __sk_buff *skb, struct zdd_job *j, __u32 fragment)
{
	if (!j)
		return 0;
	if (fragment)
		lookup_fragment(j);
	else if (tc_quote(skb, j))
		lookup_error(j);
	else
		end_pass(&j->out, ZDD_V_NOT_L4);
	return 0;
}

/* The same, when is_translated. */
ZDD_RARE int tc_send_quoted(struct __sk_buff *skb, struct zdd_job *j, __u32 fragment)
{
	int code;

	if (!j)
		return TC_ACT_SHOT;
	if (fragment && j->p.v6)
		tc_fragment_sum(skb, j);
	code = tc_send(skb, j, 1, j->p.egress);
	if (j->out.verdict == ZDD_V_TOO_BIG)
		code = tc_too_big(skb, j);
	count_verdict(j->out.verdict);
	return code;
}

#endif
