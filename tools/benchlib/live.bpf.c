// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Live traffic: a generator for BPF_F_TEST_XDP_LIVE_FRAMES, sinks that count what arrives, and the
 * least that a node could do with a packet (drop, redirect), as floors to compare with. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "live.h"

char LICENSE[] SEC("license") = "GPL";

#define INLINE static __attribute__((always_inline)) inline

struct live_job job;
struct live_hop hop;
struct live_count delivered[LIVE_CPUS];
__be16 delivered_port;

INLINE __u16 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Pages are used again as they are: every byte is written each time (TRAPS of test runs). */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	__u32 flow = job.next++ & job.flow_mask;
	__u32 client = __builtin_bswap32(job.client + flow);
	__u32 changed = (client & 0xffff) + (client >> 16);

	if (data + LIVE_FRAME > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, job.frame, LIVE_FRAME);
	*(__u32 *)(data + 26) = client;
	*(__u16 *)(data + 24) = folded(job.ip_sum + changed);
	*(__u16 *)(data + 40) = folded(job.udp_sum + changed);
	return bpf_redirect(job.ifindex, 0);
}

INLINE void count(__u8 *data, __u8 *end)
{
	__u32 cpu = bpf_get_smp_processor_id();

	if (data + LIVE_FRAME <= end && cpu < LIVE_CPUS && *(__be16 *)(data + 36) == delivered_port)
		delivered[cpu].packets++;
}

SEC("xdp")
int sink_xdp(struct xdp_md *ctx)
{
	count((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end);
	return XDP_DROP;
}

SEC("tc")
int sink_tc(struct __sk_buff *skb)
{
	count((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end);
	return TC_ACT_SHOT;
}

SEC("xdp")
int floor_drop(struct xdp_md *ctx)
{
	count((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end);
	return XDP_DROP;
}

SEC("xdp")
int floor_redirect(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;

	if (data + 14 > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, hop.dmac, 6);
	__builtin_memcpy(data + 6, hop.smac, 6);
	return bpf_redirect(hop.ifindex, 0);
}

/* The far end of a veth that is redirected to needs a program. */
SEC("xdp")
int floor_pass(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}
