/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency buckets, sources once a tick and once a rollout (include/zdd/signal.h), leases (bpf/lease.h). */
#include "t.h"

#include "flow_node.h"
#include "rows.h"

TEST(buckets_begin_where_they_say)
{
	static const struct {
		uint32_t us, bucket;
	} rows[] = {{0, 0},          {1, 0},           {2, 8},     {3, 12},    {7, 22},
		    {8, 24},         {9, 25},          {15, 31},   {16, 32},   {1000, 79},
		    {1023, 79},      {1024, 80},       {1151, 80}, {1152, 81}, {67108863, 207},
		    {67108864, 207}, {0xffffffff, 207}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		CHECK_INT(zdd_latency_bucket(rows[i].us), rows[i].bucket);
}

/* Each value lies between its bucket's begin and the next one's, as the judge reads them. */
TEST(buckets_hold_their_values)
{
	uint32_t last = 0;

	for (uint64_t us = 1; us < 1 << 26; us += 1 + us / 97) {
		uint32_t b = zdd_latency_bucket((uint32_t)us);

		CHECK(((8ull + b % 8) << b / 8) <= us * 8);
		CHECK(((8ull + (b + 1) % 8) << (b + 1) / 8) > us * 8);
		CHECK(b >= last);
		last = b;
	}
}

#define N_REFUSED ZDD_TOLD(REFUSED, 0)
#define BAD_REFUSED (ZDD_TOLD(REFUSED, 1) | ZDD_TOLD(REFUSED, 0))

TEST(a_source_counts_once_a_tick)
{
	__u64 cell = 0;

	CHECK_INT(zdd_seen_first(&cell, 7, 100, ZDD_TOLD(REFUSED, 0)), N_REFUSED);
	CHECK_INT(zdd_seen_first(&cell, 7, 100, ZDD_TOLD(REFUSED, 0)), 0);
	CHECK_INT(zdd_seen_first(&cell, 7, 100, ZDD_TOLD(REFUSED, 1)), ZDD_TOLD(REFUSED, 1));
	CHECK_INT(zdd_seen_first(&cell, 7, 100, ZDD_TOLD(REFUSED, 1)), 0);
	CHECK_INT(zdd_seen_first(&cell, 7, 100, ZDD_TOLD(UDP_SILENT, 0)), ZDD_TOLD(UDP_SILENT, 0));
	CHECK_INT(zdd_seen_first(&cell, 7, 101, ZDD_TOLD(REFUSED, 1)), BAD_REFUSED);
	CHECK_INT(zdd_seen_first(&cell, 7ull << 32, 101, ZDD_TOLD(REFUSED, 0)), N_REFUSED);
	CHECK_INT(zdd_seen_first(&cell, 7, 101, ZDD_TOLD(REFUSED, 0)), N_REFUSED);
}

TEST(a_source_is_new_once_a_rollout)
{
	__u64 *words = calloc(ZDD_MET_WORDS, sizeof(*words));
	unsigned new[2] = {0};

	for (unsigned again = 0; again < 2; again++)
		for (unsigned i = 0; i < 100000; i++) {
			struct zdd_addr addr = v4(10, i >> 16, i >> 8 & 255, i & 255);
			__u64 hash = zdd_met_hash(zdd_client_hash(&addr, 1), 5);

			new[again] += zdd_met_first(&words[ZDD_MET_WORD(hash)], hash);
		}
	CHECK(new[0] > 99000 && new[0] < 100000); /* 1 in 168 misses at the mean fill */
	CHECK_INT(new[1], 0);
	free(words);
}

static void refuse(struct client c)
{
	struct zdd_out o = from_client(&c, N_SYN, 1, 0);

	from_backend(backend_in(&o), &c, c.port, N_RST | N_ACK, 0, 2);
}

/* One who tries again and again is one source, of every tick. */
TEST(sources_among_the_bad)
{
	struct zdd_signal_count *c;

	node_make(64, 2);
	c = &node.pool_signals[0].kind[ZDD_SIG_REFUSED];
	for (__u32 tick = 1; tick <= 2; tick++, native_now += HZ) {
		for (__u32 port = 1; port <= 3; port++)
			refuse(client_n(1 << 24 | (tick * 10 + port), PROTO_TCP));
		refuse(client_n(2 << 24 | tick, PROTO_TCP));
		CHECK_INT(c->n, 4 * tick);
		CHECK_INT(c->bad, 4 * tick);
		CHECK_INT(c->sources, 2 * tick);
		CHECK_INT(c->bad_sources, 2 * tick);
	}
	node_end();
}

/* ---- leases ---- */

static struct zdd_override *lease_node(void)
{
	node_make(64, 2);
	return &node.overrides[1];
}

static int renew(__u32 pool, __u64 ms, __u32 limit)
{
	struct zdd_renewal r = {.pool = pool, .ms = ms, .limit = limit};

	return lease_renew(&r);
}

TEST(a_lease_runs_out)
{
	struct zdd_override *o = lease_node();

	CHECK_INT(turned_away(1), 0);
	CHECK_INT(renew(1, 1000, 0), 0);
	CHECK_INT(o->until, native_now + HZ + 1);
	native_now += HZ;
	CHECK_INT(turned_away(1), 0);
	CHECK_INT(renew(1, 1000, 0), 0);
	native_now += HZ;
	CHECK_INT(turned_away(1), 0);
	native_now += 1;
	CHECK_INT(turned_away(1), 1);
	CHECK_INT(o->why, ZDD_OVER_LEASE);
	CHECK_INT(o->tripped, native_now);
	node_end();
}

/* Nobody was turned away meanwhile, and yet it is too late. */
TEST(what_is_over_stays_over)
{
	struct zdd_override *o = lease_node();

	CHECK_INT(renew(1, 1000, 5), 0);
	native_now += 2 * HZ;
	CHECK_INT(renew(1, 1000, 9), 1);
	CHECK_INT(o->limit, 5);
	CHECK_INT(turned_away(1), 1);
	CHECK_INT(turned_away(1), 1);
	CHECK_INT(o->turned, 2);
	CHECK_INT(renew(node_geometry.pools, 1, 1), 2);
	node_end();
}

TEST(the_breaker_counts_to_its_limit)
{
	struct zdd_override *o = lease_node();

	count_failed(1);
	CHECK_INT(o->failed, 0); /* nobody asked for it */
	CHECK_INT(renew(1, 0, 2), 0);
	count_failed(1);
	CHECK_INT(turned_away(1), 0);
	count_failed(1);
	CHECK_INT(turned_away(1), 1);
	CHECK_INT(o->why, ZDD_OVER_FAILURES);
	CHECK_INT(renew(1, 0, 99), 1);
	native_now += 100 * HZ;
	o->until = 1;
	turned_away(1);
	CHECK_INT(o->why, ZDD_OVER_FAILURES); /* the first reason stays */
	node_end();
}

/* ---- rows ---- */

TEST(rows_add_up)
{
	struct zdd_signals sum;

	lease_node();
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		struct zdd_signals *row = &node.pool_signals[cpu * ZDD_WATCHED(&node_geometry) + 1];

		row->kind[ZDD_SIG_RESET].bad = 2 + cpu;
		row->connect[5] = 3 + cpu;
	}
	rows_pool_signals(&node, 1, &sum);
	CHECK_INT(sum.kind[ZDD_SIG_RESET].bad, 5);
	CHECK_INT(sum.connect[5], 7);
	rows_pool_signals(&node, ZDD_WATCHED(&node_geometry), &sum);
	CHECK_INT(sum.connect[5], 0);
	rows_backend_signals(&node, 1, &sum);
	CHECK_INT(sum.connect[5], 0);
	rows_backend_signals(&node, ZDD_WATCHED_BACKENDS(&node_geometry), &sum);
	CHECK_INT(sum.connect[5], 0);
	node_end();
}
