// SPDX-License-Identifier: GPL-2.0
/* Entry points: each builds the hook's view of a packet, asks the brain, and applies. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "mem.h"
#include "host.h"
#include "http.h"
#include "oneway_xdp.h"
#include "oneway_tc.h"
#include "local.h"

char LICENSE[] SEC("license") = "GPL";

/* A job for this CPU; programs of one CPU do not interrupt each other. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct zdd_job);
} jobs SEC(".maps");

enum { LOOPBACK = 1 }; /* ifindex of lo, where test runs come in: include/net/net_namespace.h */

/* Keeps the frame of a SYN that waits. */
ZDD_RARE int xdp_keep(struct xdp_md *ctx, struct zdd_job *j)
{
	struct zdd_held *h;
	__u32 len;

	if (!j)
		return XDP_DROP;
	count_verdict(j->out.verdict);
	h = held_frame(j, &len);
	if (!h || bpf_xdp_load_bytes(ctx, 0, h->frame, len))
		return XDP_DROP;
	h->vlan = 0;
	ONCE(h->len) = len;
	return XDP_DROP;
}

ZDD_RARE int tc_keep(struct __sk_buff *skb, struct zdd_job *j)
{
	struct zdd_held *h;
	__u32 len;

	if (!j)
		return TC_ACT_SHOT;
	count_verdict(j->out.verdict);
	h = held_frame(j, &len);
	if (!h || bpf_skb_load_bytes(skb, 0, h->frame, len))
		return TC_ACT_SHOT;
	h->vlan = skb->vlan_present ? skb->vlan_tci : 0;
	ONCE(h->len) = len;
	return TC_ACT_SHOT;
}

/* Keeps a fragment that came before its first one. */
ZDD_RARE int xdp_keep_early(struct xdp_md *ctx, struct zdd_job *j)
{
	struct zdd_early *e = j ? AT(early, j->early - 1) : 0;
	__u32 len = j ? j->p.frame : 0;

	if (!e)
		return XDP_DROP;
	count_verdict(j->out.verdict);
	e->vlan = 0;
	if (len < ETH_HEADER)
		return XDP_DROP;
	OPAQUE(len); /* else clang 14 makes one comparison of two, from which 6.1 learns nothing */
	if (len <= ZDD_EARLY_FRAME && !bpf_xdp_load_bytes(ctx, 0, e->frame, len))
		early_kept(j, e, len);
	return XDP_DROP;
}

ZDD_RARE int tc_keep_early(struct __sk_buff *skb, struct zdd_job *j)
{
	struct zdd_early *e = j ? AT(early, j->early - 1) : 0;
	__u32 len = j ? j->p.frame : 0;

	if (!e)
		return TC_ACT_SHOT;
	count_verdict(j->out.verdict);
	e->vlan = skb->vlan_present ? skb->vlan_tci : 0;
	if (len < ETH_HEADER)
		return TC_ACT_SHOT;
	OPAQUE(len);
	if (len <= ZDD_EARLY_FRAME && !bpf_skb_load_bytes(skb, 0, e->frame, len))
		early_kept(j, e, len);
	return TC_ACT_SHOT;
}

/* The first bytes of a response: the frame is still as it came. */
ZDD_RARE int xdp_http(struct xdp_md *ctx, struct zdd_job *j)
{
	__u8 head[HTTP_HEAD];

	if (j && !bpf_xdp_load_bytes(ctx, payload_offset(&j->p), head, sizeof(head)))
		count_http(j, head);
	return 0;
}

ZDD_RARE int tc_http(struct __sk_buff *skb, struct zdd_job *j)
{
	__u8 head[HTTP_HEAD];

	if (j && !bpf_skb_load_bytes(skb, payload_offset(&j->p), head, sizeof(head)))
		count_http(j, head);
	return 0;
}

SEC("xdp")
int zdd_xdp(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	enum zdd_parsed parsed;
	struct zdd_job *j = AT(jobs, 0);

	if (!j)
		return XDP_PASS;
	job_start(j);
	j->p.frame = end - data;
	j->p.ifindex = ctx->ingress_ifindex;
	if (unlikely(j->p.ifindex == LOOPBACK && j->replayed)) {
		j->p.ifindex = j->replayed;
		j->replayed = 0;
	}
	parsed = parse_frame(data, end, &j->p);
	if (unlikely(is_syn(&j->p)) && parsed == PARSED_L4)
		read_syn(data, end, &j->p, &j->syn);
	if (unlikely(parsed == PARSED_ERROR || parsed == PARSED_FRAGMENT)) {
		xdp_look(ctx, j, parsed == PARSED_FRAGMENT);
		settle(j);
		if (is_translated(&j->out))
			return xdp_send_quoted(ctx, j);
	} else {
		lookup(ctx, parsed, j);
		if (unlikely(j->http))
			xdp_http(ctx, j);
	}
	if (unlikely(j->out.action == ACT_BEFORE)) {
		bpf_tail_call(ctx, &before_xdp, 0);
		end_pass(&j->out, ZDD_V_NO_PLAN);
	}
	if (unlikely(j->held))
		return xdp_keep(ctx, j);
	if (unlikely(j->early))
		return xdp_keep_early(ctx, j);
	return xdp_apply(ctx, j);
}

enum { TC_HEADERS = 128 }; /* bytes that must lie in one piece */

ZDD_INLINE int tc_run(struct __sk_buff *skb, int egress)
{
	enum zdd_parsed parsed;
	struct zdd_job *j = AT(jobs, 0);

	if (!j)
		return TC_ACT_UNSPEC;
	job_start(j);
	j->p.frame = skb->len;
	j->p.ifindex = skb->ifindex;
	j->p.egress = !egress ? EGRESS_NOT : skb->ingress_ifindex ? EGRESS_FORWARDED : EGRESS_OWN;
	if (skb->data_end - skb->data < TC_HEADERS && skb->len > skb->data_end - skb->data)
		bpf_skb_pull_data(skb, skb->len < TC_HEADERS ? skb->len : TC_HEADERS);
	parsed = parse_frame((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, &j->p);
	if (skb->vlan_present)
		j->p.vlan = skb->vlan_tci;
	if (unlikely(is_syn(&j->p)) && parsed == PARSED_L4)
		read_syn((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end, &j->p, &j->syn);
	if (unlikely(parsed == PARSED_ERROR || parsed == PARSED_FRAGMENT)) {
		tc_look(skb, j, parsed == PARSED_FRAGMENT);
		settle(j);
		if (is_translated(&j->out))
			return tc_send_quoted(skb, j, parsed == PARSED_FRAGMENT);
	} else {
		lookup(skb, parsed, j);
		if (unlikely(j->http))
			tc_http(skb, j);
	}
	if (unlikely(j->out.action == ACT_BEFORE)) {
		bpf_tail_call(skb, &before_tc, egress);
		end_pass(&j->out, ZDD_V_NO_PLAN);
	}
	if (unlikely(j->held))
		return tc_keep(skb, j);
	if (unlikely(j->early))
		return tc_keep_early(skb, j);
	return tc_apply(skb, j, egress);
}

SEC("tc")
int zdd_tc_in(struct __sk_buff *skb)
{
	return tc_run(skb, 0);
}

SEC("tc")
int zdd_tc_out(struct __sk_buff *skb)
{
	return tc_run(skb, 1);
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} replay_xdp SEC(".maps");

/* Puts a frame that was kept in place of the run's, which has `room` bytes. Returns where it came in. */
ZDD_INLINE __u32 put_kept(struct xdp_md *ctx, void *frame, __u32 room, __u32 len, __u32 ifindex)
{
	static const __u8 to_lo[6] = {0};

	if (!len || len > room || bpf_xdp_store_bytes(ctx, 0, frame, room) ||
	    bpf_xdp_store_bytes(ctx, 0, (void *)to_lo, sizeof(to_lo)) ||
	    bpf_xdp_adjust_tail(ctx, (int)len - (int)room))
		return 0;
	return ifindex;
}

ZDD_INLINE __u32 put_place(struct xdp_md *ctx, __u64 place)
{
	struct zdd_held *h;
	struct zdd_early *e;

	if (place < ZDD_HELD) {
		h = AT(held, place);
		return h ? put_kept(ctx, h->frame, ZDD_HELD_FRAME, h->len, h->ifindex) : 0;
	}
	e = AT(early, place - ZDD_HELD);
	return e ? put_kept(ctx, e->frame, ZDD_EARLY_FRAME, e->len, e->ifindex) : 0;
}

/* Attached nowhere: the daemon runs it as often as SYNs, or fragments, are to be let go, with live
 * frames of ZDD_HELD_FRAME, or ZDD_EARLY_FRAME, bytes (BPF_F_TEST_XDP_LIVE_FRAMES). Each becomes the
 * next one of `replay` and goes through zdd_xdp as if it came in where it once did. When it is passed
 * on, lo takes it: its own address is nothing but 0. */
SEC("xdp")
int zdd_replay(struct xdp_md *ctx)
{
	struct zdd_job *j = AT(jobs, 0);
	__u64 *out = AT(replay, 0), *place;

	if (!out || !j)
		return XDP_DROP;
	place = AT(replay, 1 + __sync_fetch_and_add(out, 1));
	j->replayed = place ? put_place(ctx, *place) : 0;
	if (!j->replayed)
		return XDP_DROP;
	bpf_tail_call(ctx, &replay_xdp, 0);
	return XDP_DROP;
}

struct zdd_clock_sample {
	__u64 jiffies, ns;
};

/* The daemon's: see struct zdd_renewal. */
SEC("syscall")
int zdd_renew(struct zdd_renewal *renewal)
{
	const struct zdd_renewal r = *renewal;

	return lease_renew(&r);
}

/* Two samples give the daemon this kernel's HZ. */
SEC("syscall")
int zdd_clock(struct zdd_clock_sample *out)
{
	out->jiffies = bpf_jiffies64();
	out->ns = bpf_ktime_get_ns();
	return 0;
}
