/* SPDX-License-Identifier: BSD-2-Clause */
#include "removal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuts.h"
#include "daemon.h"
#include "drain.h"
#include "flows.h"
#include "resets.h"

enum {
	TICK_MS = 20,
	PARTS = 8,        /* ticks in which the whole table is looked at, at least */
	ALL_RATE = 20000, /* a second of all together, so that no queue on the way is filled */
	REST_MS = 1000,
	FIRST_ROOM = 1024,
};

struct emptied {
	struct removal_target target;
	char service[ZDD_NAME_MAX], pool[ZDD_NAME_MAX];
	struct pace pace;
	bool wanted;
};

struct removal {
	struct daemon *daemon;
	uv_timer_t timer;
	struct resets resets;
	int trouble; /* negative errno: there are no sockets */
	struct emptied *list;
	size_t n_list;
	struct cut *cuts;
	size_t n_cuts, room;
	struct pace all;
	uint32_t place;         /* where the next look begins */
	bool found;             /* something in this round through the table */
	uint64_t rest_until_ms; /* after a round that found nothing */
};

static const struct zdd_memory *memory_of(const struct removal *r)
{
	return datapath_memory(r->daemon->datapath);
}

static uint32_t all_places(const struct zdd_memory *m)
{
	return ZDD_FLOW_BUCKETS(m->geometry) * ZDD_FLOW_WAYS;
}

/* ---- those that are being cut ---- */

static bool remember(struct removal *r, const struct cut *c)
{
	size_t room = r->room ? 2 * r->room : FIRST_ROOM;
	struct cut *more;

	if (r->n_cuts == r->room) {
		more = realloc(r->cuts, room * sizeof(*more));
		if (!more)
			return false;
		r->cuts = more;
		r->room = room;
	}
	r->cuts[r->n_cuts++] = *c;
	return true;
}

/* The number that was known first goes too: a late ACK may have put an older one in its place. */
static void send_both(const struct removal *r, const struct cut *c, struct zdd_flow *f)
{
	const struct zdd_memory *m = memory_of(r);

	resets_to_client(&r->resets, m, f);
	resets_to_backend(&r->resets, m, f);
	if (f->server_seq != c->server_seq) {
		f->server_seq = c->server_seq;
		resets_to_client(&r->resets, m, f);
	}
	if (f->client_seq != c->client_seq) {
		f->client_seq = c->client_seq;
		resets_to_backend(&r->resets, m, f);
	}
}

/* Returns whether it must be looked at again. */
static bool go_on(const struct removal *r, struct cut *c, uint64_t now_ms)
{
	struct zdd_flow f;
	uint32_t tag;
	bool there = flow_copy(memory_of(r), c->place, &f, &tag);
	enum cut_step step = cut_next(c, there ? &f : NULL, now_ms);

	if (step == CUT_SEND)
		send_both(r, c, &f);
	return step != CUT_OVER;
}

static void repeat(struct removal *r, uint64_t now_ms)
{
	for (size_t i = 0; i < r->n_cuts;)
		if (go_on(r, &r->cuts[i], now_ms))
			i++;
		else
			r->cuts[i] = r->cuts[--r->n_cuts];
}

/* ---- those that are to be cut ---- */

static bool is_of(const struct removal *r, const struct emptied *e, const struct zdd_flow *f)
{
	const struct world_service *s;

	if (!e->target.is_pool)
		return f->owner.backend == e->target.object;
	if (f->owner.pool != e->target.object)
		return false;
	s = world_find(r->daemon->world, e->service);
	return s && !flow_stays(s->cfg, e->pool, &f->client,
				&memory_of(r)->listeners[f->owner.listener]);
}

static void count_cut(const struct zdd_memory *m, const struct zdd_flow *f)
{
	uint32_t row = m->geometry->cpus - 1;

	m->backend_rows[row * m->geometry->backends + f->owner.backend].cut++;
	m->pool_rows[row * m->geometry->pools + f->owner.pool].cut++;
	m->counts[row].note[ZDD_N_FLOW_CUT]++;
}

/* Marked first: from then on the numbers stand still. */
static void cut(struct removal *r, uint32_t place, struct zdd_flow *f, uint32_t jiffies,
		uint64_t now_ms)
{
	const struct zdd_memory *m = memory_of(r);
	struct zdd_flow marked;
	struct cut c;
	uint32_t tag;

	if (!flow_cut(m, place, f->meta, jiffies))
		return;
	count_cut(m, f);
	if (f->other)
		flow_end_alias(m, f, jiffies);
	if (!flow_copy(m, place, &marked, &tag))
		return;
	c = cut_begin(place, &marked, now_ms);
	if (go_on(r, &c, now_ms))
		remember(r, &c);
}

/* A UDP flow only ends; its next packet goes by the plan. */
static void end_flow(struct removal *r, uint32_t place, struct zdd_flow *f, uint32_t jiffies,
		     uint64_t now_ms)
{
	if (ZDD_META_STATE(f->meta) & ZDD_F_UDP)
		flow_end(memory_of(r), place, f->meta);
	else
		cut(r, place, f, jiffies, now_ms);
}

/* Whose turn is it that has this flow? NULL: nobody's. */
static struct emptied *who_may(struct removal *r, const struct zdd_flow *f)
{
	for (size_t i = 0; i < r->n_list; i++)
		if (r->list[i].pace.credit >= 1000 && is_of(r, &r->list[i], f))
			return &r->list[i];
	return NULL;
}

static bool somebody_may(const struct removal *r)
{
	for (size_t i = 0; i < r->n_list && r->all.credit >= 1000; i++)
		if (r->list[i].pace.credit >= 1000)
			return true;
	return false;
}

static void fill_paces(struct removal *r, uint64_t now_ms)
{
	pace_fill(&r->all, ALL_RATE, now_ms);
	for (size_t i = 0; i < r->n_list; i++)
		pace_fill(&r->list[i].pace,
			  r->list[i].target.rate ? r->list[i].target.rate : ALL_RATE, now_ms);
}

/* Returns false when nobody may cut any more now. */
static bool look_at(struct removal *r, uint32_t place, uint32_t jiffies, uint64_t now_ms)
{
	const struct zdd_memory *m = memory_of(r);
	struct emptied *e;
	struct zdd_flow f;
	uint32_t tag;

	if (!flow_copy(m, place, &f, &tag) || ZDD_META_STATE(f.meta) & (ZDD_F_ALIAS | ZDD_F_HALF) ||
	    flow_has_ended(ZDD_META_STATE(f.meta)))
		return true; /* a handshake is let to its end first */
	e = who_may(r, &f);
	if (!e)
		return true;
	r->found = true;
	pace_take(&e->pace);
	pace_take(&r->all);
	end_flow(r, place, &f, jiffies, now_ms);
	return somebody_may(r);
}

/* Returns false when there is time to rest. */
static bool end_round(struct removal *r, uint64_t now_ms)
{
	bool found = r->found;

	r->place = 0;
	r->found = false;
	if (!found)
		r->rest_until_ms = now_ms + REST_MS;
	return found;
}

static void look(struct removal *r, uint64_t now_ms)
{
	uint32_t all = all_places(memory_of(r)), jiffies = datapath_jiffies(r->daemon->datapath);
	bool more;

	fill_paces(r, now_ms);
	more = somebody_may(r);
	for (uint32_t n = 0; more && n < all / PARTS + 1; n++) {
		more = look_at(r, r->place, jiffies, now_ms);
		if (++r->place >= all && !end_round(r, now_ms))
			return;
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct removal *r = timer->data;
	uint64_t now_ms = uv_now(r->daemon->loop);

	repeat(r, now_ms);
	if (r->n_list && now_ms >= r->rest_until_ms)
		look(r, now_ms);
	if (!r->n_list && !r->n_cuts)
		uv_timer_stop(timer);
}

/* ---- the list ---- */

void removal_begin(struct removal *r)
{
	for (size_t i = 0; i < r->n_list; i++)
		r->list[i].wanted = false;
}

static struct emptied *known(struct removal *r, const struct removal_target *t)
{
	for (size_t i = 0; i < r->n_list; i++)
		if (r->list[i].target.is_pool == t->is_pool &&
		    r->list[i].target.object == t->object)
			return &r->list[i];
	return NULL;
}

static struct emptied *grown(struct removal *r)
{
	struct emptied *more = realloc(r->list, (r->n_list + 1) * sizeof(*more));

	if (!more)
		return NULL;
	r->list = more;
	more[r->n_list] = (struct emptied){0};
	r->rest_until_ms = 0;
	return &more[r->n_list++];
}

void removal_add(struct removal *r, const struct removal_target *t)
{
	struct emptied *e = known(r, t);

	if (r->trouble || t->object == ZDD_NONE)
		return;
	if (!e)
		e = grown(r);
	if (!e)
		return;
	e->target = *t;
	e->wanted = true;
	snprintf(e->service, sizeof(e->service), "%s", t->service);
	snprintf(e->pool, sizeof(e->pool), "%s", t->pool);
}

void removal_end(struct removal *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_list; i++)
		if (r->list[i].wanted)
			r->list[kept++] = r->list[i];
	r->n_list = kept;
	if (kept && !uv_is_active((uv_handle_t *)&r->timer))
		uv_timer_start(&r->timer, on_tick, 0, TICK_MS);
}

int removal_trouble(const struct removal *r)
{
	return r->trouble;
}

/* ---- the beginning and the end ---- */

/* What is marked and not gone: a daemon before died over it. */
static void adopt(struct removal *r)
{
	const struct zdd_memory *m = memory_of(r);
	uint32_t all = all_places(m), tag;
	struct zdd_flow f;

	for (uint32_t place = 0; place < all; place++) {
		struct cut c;

		if (!flow_copy(m, place, &f, &tag) || !(ZDD_META_STATE(f.meta) & ZDD_F_CUT))
			continue;
		c = cut_begin(place, &f, 0);
		remember(r, &c);
	}
}

struct removal *removal_make(struct daemon *d)
{
	struct removal *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->daemon = d;
	r->trouble = resets_open(&r->resets);
	uv_timer_init(d->loop, &r->timer);
	r->timer.data = r;
	if (!r->trouble)
		adopt(r);
	if (r->n_cuts)
		uv_timer_start(&r->timer, on_tick, 0, TICK_MS);
	return r;
}

void removal_free(struct removal *r)
{
	if (!r)
		return;
	uv_timer_stop(&r->timer);
	resets_close(&r->resets);
	free(r->cuts);
	free(r->list);
	free(r);
}
