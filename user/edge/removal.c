/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drain.h"
#include "flows.h"
#include "removal_int.h"

enum {
	TICK_MS = 20,
	PARTS = 8,        /* ticks in which the whole table is looked at, at least */
	ALL_RATE = 20000, /* a second of all together, so that no queue on the way is filled */
	FIRST_ROOM = 1024,
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

void removal_count(struct removal *r, const union zdd_owner *owner)
{
	const struct zdd_memory *m = memory_of(r);
	uint32_t row = m->geometry->cpus - 1;

	m->backend_rows[row * m->geometry->backends + owner->backend].cut++;
	m->pool_rows[row * m->geometry->pools + owner->pool].cut++;
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
	removal_count(r, &f->owner);
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

static bool has_credit(const struct pace *p)
{
	return p->credit >= 1000;
}

struct emptied *removal_of(struct removal *r, const struct zdd_flow *f, bool now)
{
	for (size_t i = 0; i < r->n_list; i++)
		if ((!now || has_credit(&r->list[i].pace)) && is_of(r, &r->list[i], f))
			return &r->list[i];
	return NULL;
}

bool removal_may(const struct removal *r, bool is_local)
{
	for (size_t i = 0; i < r->n_list && has_credit(&r->all); i++)
		if (r->list[i].target.is_local == is_local && has_credit(&r->list[i].pace))
			return true;
	return false;
}

void removal_take(struct removal *r, struct emptied *e)
{
	pace_take(&e->pace);
	pace_take(&r->all);
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
	e = removal_of(r, &f, true);
	if (!e)
		return true;
	r->found = true;
	removal_take(r, e);
	end_flow(r, place, &f, jiffies, now_ms);
	return removal_may(r, false);
}

/* Returns false when there is time to rest. */
static bool end_round(struct removal *r, uint64_t now_ms)
{
	bool found = r->found;

	r->place = 0;
	r->found = false;
	if (!found)
		r->rest_until_ms = now_ms + REMOVAL_REST_MS;
	return found;
}

static void look(struct removal *r, uint64_t now_ms)
{
	uint32_t all = all_places(memory_of(r)), jiffies = datapath_jiffies(r->daemon->datapath);
	bool more = removal_may(r, false);

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
	fill_paces(r, now_ms);
	removal_look_at_sockets(r, now_ms);
	if (now_ms >= r->rest_until_ms)
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
	r->rest_until_ms = r->sockets.look_ms = 0;
	return &more[r->n_list++];
}

void removal_add(struct removal *r, const struct removal_target *t)
{
	struct emptied *e = known(r, t);

	if (removal_trouble(r, t->is_local) || t->object == ZDD_NONE)
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

const char *removal_trouble(const struct removal *r, bool is_local)
{
	if (is_local)
		return datapath_sockets_trouble(r->daemon->datapath);
	return r->trouble ? strerror(-r->trouble) : NULL;
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
	free(r->sockets.list);
	free(r->list);
	free(r);
}
