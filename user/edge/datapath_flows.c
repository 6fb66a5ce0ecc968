/* SPDX-License-Identifier: BSD-2-Clause */
/* Walking the flow table: expiring, counting, showing. No system call but one for the time. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_int.h"
#include "flows.h"

/* ---- tallies ---- */

static void tally_free(struct tally *t)
{
	for (int kind = 0; kind < ID_KINDS; kind++) {
		free(t->any[kind]);
		free(t->active[kind]);
		free(t->half[kind]);
	}
}

static uint32_t kind_size(const struct zdd_geometry *g, int kind)
{
	return kind == ID_LISTENER ? g->listeners : kind == ID_POOL ? g->pools : g->backends;
}

static int tally_make(struct tally *t, const struct zdd_geometry *g)
{
	for (int kind = 0; kind < ID_KINDS; kind++) {
		uint32_t n = kind_size(g, kind);

		t->any[kind] = calloc(n, sizeof(uint32_t));
		t->active[kind] = calloc(n, sizeof(uint32_t));
		t->half[kind] = calloc(n, sizeof(uint32_t));
		if (!t->any[kind] || !t->active[kind] || !t->half[kind])
			return -ENOMEM;
	}
	return 0;
}

void tally_clear(struct tally *t, const struct zdd_geometry *g)
{
	for (int kind = 0; kind < ID_KINDS; kind++) {
		size_t bytes = kind_size(g, kind) * sizeof(uint32_t);

		memset(t->any[kind], 0, bytes);
		memset(t->active[kind], 0, bytes);
		memset(t->half[kind], 0, bytes);
	}
}

int tallies_make(struct datapath *dp)
{
	struct tally *const all[] = {&dp->round, &dp->last, &dp->local_round, &dp->local_last};
	int err = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !err; i++)
		err = tally_make(all[i], &dp->geometry);
	return err;
}

void tallies_free(struct datapath *dp)
{
	tally_free(&dp->round);
	tally_free(&dp->last);
	tally_free(&dp->local_round);
	tally_free(&dp->local_last);
}

/* ---- one record ---- */

/* A record as it stood when it was valid. */
struct seen {
	struct zdd_flow flow;
	uint32_t place, tag;
};

static bool read_flow(const struct datapath *dp, uint32_t place, struct seen *s)
{
	s->place = place;
	return flow_copy(&dp->memory, place, &s->flow, &s->tag);
}

static uint32_t silent_for(const struct zdd_flow *f, uint32_t now)
{
	uint32_t age = now - ZDD_META_SEEN(f->meta);

	return (int32_t)age > 0 ? age : 0;
}

static bool is_expired(const struct datapath *dp, const struct zdd_flow *f, uint32_t now)
{
	uint32_t idle = dp->memory.listeners[f->owner.listener].idle;

	return silent_for(f, now) > zdd_flow_idle(ZDD_META_STATE(f->meta), idle, dp->geometry.hz);
}

void tally_count(struct tally *t, const struct zdd_flow *f)
{
	const uint16_t objects[ID_KINDS] = {[ID_LISTENER] = f->owner.listener,
					    [ID_POOL] = f->owner.pool,
					    [ID_BACKEND] = f->owner.backend};
	uint16_t state = ZDD_META_STATE(f->meta);

	for (int kind = 0; kind < ID_KINDS; kind++) {
		t->any[kind][objects[kind]]++;
		if (state & ZDD_F_ALIAS || flow_has_ended(state))
			continue;
		if (state & ZDD_F_HALF)
			t->half[kind][objects[kind]]++;
		else
			t->active[kind][objects[kind]]++;
	}
}

/* ---- UDP flows without an answer ---- */

/* Replies of modes dsr, ipip and gue do not come by. */
static bool is_unanswered(const struct datapath *dp, const struct zdd_flow *f)
{
	uint16_t state = ZDD_META_STATE(f->meta);

	return state & ZDD_F_UDP && !(state & (ZDD_F_SERVED | ZDD_F_ALIAS)) &&
	       !zdd_one_way(dp->memory.backends[f->owner.backend].forward);
}

/* Into the daemon's own row: as bpf/tell.h counts those that a packet finds to be over. */
static void tell_unanswered(const struct datapath *dp, const struct zdd_flow *f, uint32_t now)
{
	const struct zdd_memory *m = &dp->memory;
	const struct zdd_geometry *g = m->geometry;
	uint16_t pool = f->owner.pool, backend = f->owner.backend;
	uint64_t who = zdd_seen_who(&f->client, pool, m->desk->flow_seed);
	uint32_t told = ZDD_TOLD(UDP_SILENT, 1);

	if (pool < ZDD_WATCHED(g))
		zdd_signals_add(
			&m->pool_signals[(g->cpus - 1) * ZDD_WATCHED(g) + pool], told,
			zdd_seen_first(&m->tick_seen[ZDD_SEEN_CELL(who)], who, now / g->hz, told));
	if (backend < ZDD_WATCHED_BACKENDS(g))
		zdd_signals_add(
			&m->backend_signals[(g->cpus - 1) * ZDD_WATCHED_BACKENDS(g) + backend],
			told, 0);
}

/* ---- rounds ---- */

static void walk_bucket(struct datapath *dp, uint32_t bucket, uint32_t now)
{
	struct seen s;

	for (uint32_t w = 0; w < ZDD_FLOW_WAYS; w++) {
		if (!read_flow(dp, bucket * ZDD_FLOW_WAYS + w, &s))
			continue;
		if (!is_expired(dp, &s.flow, now) || !flow_end(&dp->memory, s.place, s.flow.meta))
			tally_count(&dp->round, &s.flow);
		else if (is_unanswered(dp, &s.flow))
			tell_unanswered(dp, &s.flow, now);
	}
}

/* Established flows come last: one that is promoted during a round is met once or twice, never not
 * at all, so that nothing it has is taken for unused. */
static void walk_buckets(struct datapath *dp, uint32_t from, uint32_t to, uint32_t now)
{
	uint32_t all = ZDD_FLOW_BUCKETS(&dp->geometry), established = dp->geometry.tcp_buckets;

	for (uint32_t i = from; i < to; i++)
		walk_bucket(dp, i < all - established ? i + established : i - (all - established),
			    now);
}

static void end_round(struct datapath *dp)
{
	const uint32_t *const flows[ID_KINDS] = {dp->round.any[0], dp->round.any[1],
						 dp->round.any[2]};
	struct tally done = dp->round;

	if (planner_release(dp->planner, dp->round_settled, flows))
		dp->stale = true;
	dp->round = dp->last;
	dp->last = done;
	tally_clear(&dp->round, &dp->geometry);
	dp->walked = 0;
}

static void walk(struct datapath *dp, unsigned parts)
{
	uint32_t all = ZDD_FLOW_BUCKETS(&dp->geometry);
	uint32_t share = all / (parts ? parts : 1) + 1;
	uint32_t to = all - dp->walked < share ? all : dp->walked + share;

	if (!dp->walked)
		dp->round_settled = planner_settled_generation(dp->planner);
	walk_buckets(dp, dp->walked, to, (uint32_t)kernel_jiffies(dp));
	dp->walked = to;
	if (to == all)
		end_round(dp);
}

void datapath_walk(struct datapath *dp, unsigned parts)
{
	walk(dp, parts);
	if (!dp->walked)
		sockets_count(dp, false);
}

void datapath_count_now(struct datapath *dp)
{
	tally_clear(&dp->round, &dp->geometry);
	dp->walked = 0;
	walk(dp, 1);
	sockets_count(dp, true);
}

/* ---- looking ---- */

uint32_t datapath_jiffies(const struct datapath *dp)
{
	return (uint32_t)kernel_jiffies(dp);
}

/* An object has flows, or is of mode local and has sockets. */
static struct flow_counts counts_of(const struct datapath *dp, enum id_kind kind, uint16_t object)
{
	if (object >= kind_size(&dp->geometry, kind))
		return (struct flow_counts){0};
	return (struct flow_counts){(uint64_t)dp->last.active[kind][object] +
					    dp->local_last.active[kind][object],
				    dp->last.half[kind][object]};
}

struct flow_counts datapath_backend_flows(const struct datapath *dp, uint16_t backend)
{
	return counts_of(dp, ID_BACKEND, backend);
}

struct flow_counts datapath_pool_flows(const struct datapath *dp, uint16_t pool)
{
	return counts_of(dp, ID_POOL, pool);
}

struct telling {
	const struct datapath *dp;
	uint32_t now;
	bool (*each)(const struct zdd_flow *, uint8_t, uint32_t, void *);
	void *context;
};

static uint32_t idle_ms(const struct datapath *dp, const struct zdd_flow *f, uint32_t now)
{
	return (uint32_t)((uint64_t)silent_for(f, now) * 1000 / dp->geometry.hz);
}

static bool tell_socket(const struct datapath_socket *s, void *context)
{
	const struct telling *t = context;

	return t->each(&s->flow, IPPROTO_TCP, idle_ms(t->dp, &s->flow, t->now), t->context);
}

void datapath_each_flow(const struct datapath *dp,
			bool (*each)(const struct zdd_flow *, uint8_t proto, uint32_t idle_ms,
				     void *),
			void *context)
{
	const struct zdd_geometry *g = &dp->geometry;
	uint32_t now = (uint32_t)kernel_jiffies(dp);
	uint32_t udp = (g->tcp_buckets + g->half_buckets) * ZDD_FLOW_WAYS;
	uint32_t all = ZDD_FLOW_BUCKETS(g) * ZDD_FLOW_WAYS;
	struct seen s;

	for (uint32_t place = 0; place < all; place++) {
		if (!read_flow(dp, place, &s) || ZDD_META_STATE(s.flow.meta) & ZDD_F_ALIAS ||
		    is_expired(dp, &s.flow, now))
			continue;
		if (!each(&s.flow, place < udp ? IPPROTO_TCP : IPPROTO_UDP,
			  idle_ms(dp, &s.flow, now), context))
			return;
	}
	datapath_each_socket(dp, true, tell_socket, &(struct telling){dp, now, each, context});
}
