// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Before each run of a program under test: puts every header byte and the length of the frame back
 * (BPF_PROG_TEST_RUN does not), as the next packet of the next flow, and tail-calls the program.
 * What this costs is measured by calling `empty` instead.
 *
 * Stores are as wide as possible, so that no load of the program under test spans two of them and
 * waits for the store buffer, as it would not with frames from a device. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "bench.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define INLINE static __attribute__((always_inline)) inline

struct bench_job job;
struct bench_endpoint endpoints[BENCH_ENDPOINTS];
__u16 peers[BENCH_KINDS * BENCH_FLOWS]; /* endpoint of each flow */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xdp_under_test SEC(".maps"), tc_under_test SEC(".maps");

struct wide {
	__u64 v;
};

#define WORD(at) (((volatile struct wide *)(at))->v)
#define HALF(at) (*(volatile __u32 *)(at))

/* What changes from packet to packet, in network order. */
struct fields {
	__u32 client, seq;
	__u16 client_port;
	const struct bench_endpoint *peer; /* of a reply */
};

INLINE struct fields next_packet(void)
{
	__u64 n = job.next++;
	__u32 flow = job.flow_base + (n & ((1ull << (job.flow_bits & 63)) - 1));
	__u32 round = n >> (job.flow_bits & 63);
	__u32 place = (job.kind & (BENCH_KINDS - 1)) << BENCH_FLOW_BITS;
	struct fields f = {
		.client = __builtin_bswap32(BENCH_CLIENT_V4 + (job.kind << 16) + (flow & 0xffff)),
		.client_port = __builtin_bswap16(1024 + (flow >> 16) * 31),
		.seq = __builtin_bswap32(job.seq + round * job.seq_step),
	};

	if (job.reply)
		f.peer = &endpoints[peers[place | (flow & (BENCH_FLOWS - 1))] &
				    (BENCH_ENDPOINTS - 1)];
	return f;
}

INLINE __u64 template(int at)
{
	return *(__u64 *)(job.frame + at);
}

/* Ports, and the eight bytes after them. */
INLINE void write_l4(__u8 *l4, int at, const struct fields *f)
{
	__u64 first = template(at);
	__u16 sport = f->client_port, dport = first >> 16;

	if (f->peer) {
		sport = f->peer->port;
		dport = f->client_port;
	}
	first = (first >> 32 << 32) | (__u32)dport << 16 | sport;
	if (job.tcp)
		first = (first & 0xffffffff) | (__u64)f->seq << 32;
	WORD(l4) = first;
	WORD(l4 + 8) = template(at + 8);
	WORD(l4 + 16) = template(at + 16);
}

INLINE void write_v4(__u8 *l3, const struct fields *f)
{
	__u64 with_source = template(14 + 8);
	__u32 dst = *(__u32 *)(job.frame + 30), src = f->client;

	if (f->peer) {
		src = f->peer->addr[3];
		dst = f->client;
	}
	WORD(l3) = template(14);
	WORD(l3 + 8) = (with_source & 0xffffffff) | (__u64)src << 32;
	HALF(l3 + 16) = dst;
	write_l4(l3 + 20, 34, f);
}

INLINE __u64 two(__u32 first, __u32 second)
{
	return (__u64)second << 32 | first;
}

/* Clients are 2001:db8:c::/96 and the flow's IPv4 word; the template has the rest. */
INLINE void write_v6(__u8 *l3, const struct fields *f)
{
	__u64 client = two(*(__u32 *)(job.frame + 30), f->client);
	__u64 prefix = template(22), dst[2] = {template(38), template(46)};

	WORD(l3) = template(14);
	if (f->peer) {
		WORD(l3 + 8) = two(f->peer->addr[0], f->peer->addr[1]);
		WORD(l3 + 16) = two(f->peer->addr[2], f->peer->addr[3]);
		WORD(l3 + 24) = prefix;
		WORD(l3 + 32) = client;
	} else {
		WORD(l3 + 8) = prefix;
		WORD(l3 + 16) = client;
		WORD(l3 + 24) = dst[0];
		WORD(l3 + 32) = dst[1];
	}
	write_l4(l3 + 40, 54, f);
}

INLINE int write_frame(__u8 *data, __u8 *end)
{
	struct fields f = next_packet();

	if (data + 64 > end)
		return -1;
	WORD(data) = template(0);
	WORD(data + 6) = template(6);
	if (!job.v6) {
		write_v4(data + 14, &f);
		return 0;
	}
	if (data + 80 > end)
		return -1;
	write_v6(data + 14, &f);
	return 0;
}

SEC("xdp")
int prep_xdp(struct xdp_md *ctx)
{
	int longer = (int)(ctx->data_end - ctx->data) - (int)job.length;

	if (longer && bpf_xdp_adjust_head(ctx, longer))
		return XDP_ABORTED;
	if (!write_frame((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end))
		bpf_tail_call(ctx, &xdp_under_test, 0);
	return XDP_ABORTED;
}

SEC("tc")
int prep_tc(struct __sk_buff *skb)
{
	if (skb->len == job.length &&
	    !write_frame((__u8 *)(long)skb->data, (__u8 *)(long)skb->data_end))
		bpf_tail_call(skb, &tc_under_test, 0);
	return TC_ACT_STOLEN;
}

SEC("xdp")
int empty_xdp(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_DROP;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb __attribute__((unused)))
{
	return TC_ACT_SHOT;
}
