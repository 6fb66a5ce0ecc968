/* SPDX-License-Identifier: BSD-2-Clause */
/* What live.bpf.c shares with live.c. */
#ifndef LIVE_H
#define LIVE_H

#include <linux/types.h>

enum { LIVE_FRAME = 64, LIVE_CPUS = 256 };

/* What the generator sends: UDP over IPv4, from client addresses first, first + 1, ... */
struct live_job {
	__u64 next;
	__u8 frame[LIVE_FRAME]; /* template, checksums 0 */
	__u32 client;           /* host order */
	__u32 flow_mask;        /* flows less one */
	__u32 ip_sum, udp_sum;  /* of the template, pseudo-header included, not folded */
	__u32 ifindex;          /* out of here */
};

/* Where the floor program sends everything. */
struct live_hop {
	__u32 ifindex;
	__u8 dmac[6], smac[6];
};

struct live_count {
	__u64 packets;
	__u64 pad[7]; /* a cache line for each CPU */
};

#endif
