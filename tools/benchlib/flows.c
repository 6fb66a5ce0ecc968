/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in a scene's flow table. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "frames.h"
#include "prep.skel.h"

enum { BATCH_BITS = 16 }; /* flows that are half-open at the same time, at most */

unsigned bench_flow_bits = BENCH_FLOW_BITS;

static unsigned batch_bits(void)
{
	return bench_flow_bits < BATCH_BITS ? bench_flow_bits : BATCH_BITS;
}

/* ---- filling by hand ---- */

struct region {
	uint32_t first, n; /* buckets */
};

static struct region region_of(const struct scene *s, bool udp, bool half)
{
	const struct zdd_geometry *g = &s->dp.geometry;

	if (udp)
		return (struct region){g->tcp_buckets + g->half_buckets, g->udp_buckets};
	if (half)
		return (struct region){g->tcp_buckets, g->half_buckets};
	return (struct region){0, g->tcp_buckets};
}

static uint32_t random32(void)
{
	static uint64_t state = 88172645463325252ull; /* Marsaglia, Xorshift RNGs, 2003 */

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

/* A flow of nobody, that is either fresh for hours or silent for hours. */
static void fill_place(struct scene *s, uint32_t bucket, unsigned way, uint32_t seen)
{
	struct zdd_flow *f = &s->dp.memory.flow_recs[bucket * ZDD_FLOW_WAYS + way];
	uint32_t tag = random32();

	f->client = (struct zdd_addr){0};
	f->owner.word = 0;
	f->meta = ZDD_META(seen, 0, ZDD_META_EPOCH(f->meta) + 1);
	s->dp.memory.flow_tags[bucket].tag[way] = tag < ZDD_TAG_FIRST ? ZDD_TAG_FIRST : tag;
}

static void fill_region(struct scene *s, struct region r, enum fill fill)
{
	uint32_t now = (uint32_t)kernel_jiffies(&s->dp), age = 86400 * s->dp.geometry.hz;
	uint32_t seen = fill == FILL_LIVE ? now + age : now - age;

	for (uint32_t b = r.first; b < r.first + r.n && fill != FILL_NONE; b++)
		for (unsigned way = 0; way < ZDD_FLOW_WAYS; way++)
			if (s->dp.memory.flow_tags[b].tag[way] == ZDD_TAG_FREE)
				fill_place(s, b, way, seen);
}

static struct region region_of_new(const struct scene *s, enum bench_kind kind)
{
	return region_of(s, !kind_tcp(kind), true);
}

/* Which flow of this kind a record is, -1: none. */
static int64_t flow_number(const struct zdd_flow *f, enum bench_kind kind)
{
	uint32_t low = ntohl(f->client.w[3]) - BENCH_CLIENT_V4 - ((uint32_t)kind << 16);
	uint32_t high = (ntohs(f->port) - 1024u) / 31;

	int64_t number = (int64_t)high << 16 | low;

	if (zdd_addr_is_v4(&f->client) == kind_v6(kind) || low > 0xffff || number >= bench_flows())
		return -1;
	return number;
}

static bool is_of_bench(const struct zdd_flow *f)
{
	for (enum bench_kind kind = 0; kind < KINDS; kind++)
		if (flow_number(f, kind) >= 0)
			return true;
	return false;
}

/* A record at home is found without its tag. */
static void clear_place(struct zdd_flow *f, uint32_t *tag)
{
	*tag = ZDD_TAG_FREE;
	f->client = (struct zdd_addr){0};
	f->owner.word = 0;
	f->meta = ZDD_META(0, 0, ZDD_META_EPOCH(f->meta) + 1);
}

/* The flows that scene_populate opened stay. Of the others nobody waits any more. */
void scene_clear_new(struct scene *s, enum bench_kind kind)
{
	struct region r = region_of_new(s, kind);
	uint64_t now = kernel_jiffies(&s->dp);

	for (uint32_t i = r.first * ZDD_FLOW_WAYS; i < (r.first + r.n) * ZDD_FLOW_WAYS; i++) {
		struct zdd_flow *f = &s->dp.memory.flow_recs[i];
		uint32_t *tag = &s->dp.memory.flow_tags[i / ZDD_FLOW_WAYS].tag[i % ZDD_FLOW_WAYS];

		if (*tag && !is_of_bench(f))
			clear_place(f, tag);
	}
	*s->dp.memory.pressure = (struct zdd_pressure){.aged = now};
}

void scene_rewind(struct scene *s, enum bench_kind kind, uint32_t seq)
{
	struct region r = region_of(s, !kind_tcp(kind), false);

	for (uint32_t i = r.first * ZDD_FLOW_WAYS; i < (r.first + r.n) * ZDD_FLOW_WAYS; i++)
		if (flow_number(&s->dp.memory.flow_recs[i], kind) >= 0)
			s->dp.memory.flow_recs[i].server_seq = seq;
}

void scene_fill_new(struct scene *s, enum bench_kind kind, enum fill fill)
{
	fill_region(s, region_of_new(s, kind), fill);
}

/* ---- opening by packets ---- */

static int send_batch(struct scene *s, enum bench_kind kind, enum packet packet, uint32_t base)
{
	struct bench_job *job = &s->prep->bss->job;
	struct run run = {.repeat = 1u << batch_bits()};

	frame_template(job, kind, packet);
	job->next = 0;
	job->flow_bits = batch_bits();
	job->flow_base = base;
	return scene_run(s, BENCH_XDP, false, &run);
}

/* Replies must come from the backend that the data path chose. */
static uint32_t learn_peers(struct scene *s, enum bench_kind kind, bool half)
{
	struct region r = region_of(s, !kind_tcp(kind), half);
	__u16 *peers = s->prep->bss->peers + kind * BENCH_FLOWS;
	uint32_t found = 0;

	for (uint32_t i = r.first * ZDD_FLOW_WAYS; i < (r.first + r.n) * ZDD_FLOW_WAYS; i++) {
		const struct zdd_flow *f = &s->dp.memory.flow_recs[i];
		uint32_t tag = s->dp.memory.flow_tags[i / ZDD_FLOW_WAYS].tag[i % ZDD_FLOW_WAYS];
		int64_t number = tag < ZDD_TAG_FIRST ? -1 : flow_number(f, kind);

		if (number < 0)
			continue;
		peers[number] = f->owner.backend;
		found++;
	}
	return found;
}

static int open_batch(struct scene *s, enum bench_kind kind, uint32_t base)
{
	int err = send_batch(s, kind, PACKET_SYN, base);

	if (err || !kind_tcp(kind))
		return err;
	learn_peers(s, kind, true);
	err = kind_answers(kind) ? send_batch(s, kind, PACKET_SYNACK, base) : 0;
	return err ? err : send_batch(s, kind, PACKET_ACK, base);
}

static int open_kind(struct scene *s, enum bench_kind kind)
{
	uint32_t found;
	int err = 0;

	for (uint32_t base = 0; base < bench_flows() && !err; base += 1u << batch_bits())
		err = open_batch(s, kind, base);
	if (err)
		return err;
	found = learn_peers(s, kind, false);
	if (found != bench_flows())
		fprintf(stderr, "bench: %u of %u flows are open\n", found, bench_flows());
	return found == bench_flows() ? 0 : -EIO;
}

static void set_endpoints(struct scene *s)
{
	for (uint32_t i = 0; i < BENCH_ENDPOINTS && i < s->dp.geometry.backends; i++) {
		struct bench_endpoint *e = &s->prep->bss->endpoints[i];

		memcpy(e->addr, s->dp.memory.backends[i].addr.w, sizeof(e->addr));
		e->port = s->dp.memory.backends[i].port;
	}
}

int scene_populate(struct scene *s, enum fill fill)
{
	int err = 0;

	set_endpoints(s);
	for (enum bench_kind kind = TCP4; kind < KINDS && !err; kind++)
		err = open_kind(s, kind);
	memcpy(s->peers, s->prep->bss->peers, sizeof(s->prep->bss->peers));
	fill_region(s, region_of(s, false, false), fill);
	fill_region(s, region_of(s, true, false), fill);
	return err;
}

void scene_turn_on(struct scene *s)
{
	set_endpoints(s);
	memcpy(s->prep->bss->peers, s->peers, sizeof(s->prep->bss->peers));
}
