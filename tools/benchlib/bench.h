/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmark programs share with those that start them. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

enum {
	BENCH_FRAME = 128,    /* bytes of a template */
	BENCH_FLOW_BITS = 20, /* flows of one kind, at most */
	BENCH_KINDS = 8,      /* a power of two, of enum bench_kind: each has its own flows */
	BENCH_ENDPOINTS = 1024,
};

#define BENCH_FLOWS (1u << BENCH_FLOW_BITS)
#define BENCH_CLIENT_V4 0x64400000u /* 100.64.0.0/10, RFC 6598; a /16 for each kind */

/* The next packets of a run. Written by the bench before the run, `next` by the program too. */
struct bench_job {
	__u64 next;   /* packet number; gives flow number and sequence number */
	__u32 length; /* of the frame: what the program under test made longer is cut off again */
	__u32 flow_bits;     /* packets go round 2^flow_bits flows... */
	__u32 flow_base;     /* ...from this one on */
	__u32 seq, seq_step; /* TCP: of round 0, and from one round to the next */
	__u32 kind;
	__u8 v6, tcp;
	__u8 reply;              /* from the flow's backend to the client, else from the client */
	__u8 frame[BENCH_FRAME]; /* template, from the Ethernet header on */
};

/* A backend as replies show it. */
struct bench_endpoint {
	__be32 addr[4]; /* IPv4: the last word */
	__be32 port;    /* network order in the low half */
};

#endif
