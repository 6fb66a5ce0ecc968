/* SPDX-License-Identifier: BSD-2-Clause */
/* A data path of the bench: the daemon's own programs and memory, attached nowhere. */
#ifndef SCENE_H
#define SCENE_H

#include <stdbool.h>

#include "bench.h"
#include "datapath_int.h"

struct prep_bpf;

enum bench_hook { BENCH_XDP, BENCH_TC_IN, BENCH_TC_OUT, BENCH_HOOKS };

/* Kinds of flows, as in bench_job.kind: by nat, and TCP over IPv4 in the one-way modes. */
enum bench_kind { TCP4, TCP6, UDP4, UDP6, DSR4, IPIP4, GUE4, KINDS };

extern const struct kind {
	bool v6, tcp;
	uint16_t port; /* of its listener */
	const char *mode;
} kinds[KINDS];

/* So many flows of each kind: 2^bench_flow_bits, BENCH_FLOW_BITS at most. */
extern unsigned bench_flow_bits;

static inline uint32_t bench_flows(void)
{
	return 1u << bench_flow_bits;
}

static inline bool kind_v6(enum bench_kind kind)
{
	return kinds[kind].v6;
}

static inline bool kind_tcp(enum bench_kind kind)
{
	return kinds[kind].tcp;
}

static inline bool kind_answers(enum bench_kind kind)
{
	return kind < DSR4;
}

enum fill { FILL_NONE, FILL_LIVE, FILL_EXPIRED };

struct scene {
	struct datapath dp;
	struct prep_bpf *prep;
	__u16 *peers; /* by kind and flow, as prep's; copied there when the scene is on */
};

struct run {
	uint32_t repeat;
	uint32_t action; /* of the last packet */
	uint32_t length; /* of the last packet */
	uint64_t cpu_ns; /* of this thread, so that waiting does not count */
};

/* Room for `flows` TCP and as many UDP flows. 0, or negative errno with a line on stderr. */
int scene_open(struct scene *, struct prep_bpf *, uint32_t flows);
void scene_close(struct scene *);

/* Opens bench_flows() flows of every kind by packets, then fills what is left of all regions. */
int scene_populate(struct scene *, enum fill);
/* The backends of these flows have said all that comes before this sequence number. */
void scene_rewind(struct scene *, enum bench_kind, uint32_t seq);
/* Whether the listeners' answers are looked at as HTTP. */
void scene_watch_http(struct scene *, bool);
/* From now on prep gives this scene's packets. */
void scene_turn_on(struct scene *);

/* The region where new flows of this kind go. */
void scene_clear_new(struct scene *, enum bench_kind);
void scene_fill_new(struct scene *, enum bench_kind, enum fill);

/* run->repeat packets of prep's job through the program of this hook, `empty`: through an empty one.
 * 0 or negative errno. */
int scene_run(struct scene *, enum bench_hook, bool empty, struct run *);
/* Sums over CPUs: of verdicts, of HTTP's answers. */
struct zdd_count_row scene_counts(const struct scene *);
uint64_t scene_responses(const struct scene *);

#endif
