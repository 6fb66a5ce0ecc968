/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "drain.h"
#include "removal.h"

/* Counts are of the last whole walk: a drain is judged only after one surely began later. */
enum { LOOK_MS = 500, SETTLE_MS = 3000, META_MAX = 100 };

struct drains {
	struct daemon *daemon;
	uv_timer_t timer;
	/* {drain_key(): {"is": "done", "late" or "open", "open": N, "cut": N}}: the last two as they
	 * were when it began. In the store, so that a later daemon goes on counting. */
	json_t *told, *seen;
	const struct world_service *service;
	bool first; /* no daemon before has told anything */
};

/* ---- telling ---- */

static const char *word(const json_t *row)
{
	return json_string_value(json_object_get(row, "is"));
}

static uint64_t number(const json_t *row, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(row, key));
}

static const char *what_then(const struct cfg_service *s, char *out, size_t size)
{
	if (s->drain_then == THEN_KEEP)
		return "they are kept";
	if (s->drain_then == THEN_CUT)
		return "they are cut";
	snprintf(out, size, "%u a second are cut", s->drain_rate);
	return out;
}

static void tell(struct drains *all, const struct drain *d, const char *was, const char *is)
{
	const struct world_service *s = all->service;
	struct event e = {.kind = "drain",
			  .service = s->cfg->name,
			  .pool = d->pool->cfg->name,
			  .backend = d->backend ? d->backend->cfg->text : NULL};
	char then[48];

	if (is[0] == 'l' && was[0] == 'o')
		journal_event(all->daemon->journal, &e,
			      "the drain's deadline passed with %llu flows open; %s",
			      (unsigned long long)d->open, what_then(s->cfg, then, sizeof(then)));
	else if (is[0] == 'd' && was[0] != 'd')
		journal_event(all->daemon->journal, &e,
			      "drained: no flow is open; %llu finished, %llu cut",
			      (unsigned long long)d->finished, (unsigned long long)d->cut);
}

/* ---- looking ---- */

/* More may be counted at the next look: flows are opened until the plan is out, and found by the
 * walk after it. Not any more while flows are cut: the walk may count these too. */
static json_t *row_of(const struct drain *d, const json_t *was, const char *is)
{
	uint64_t cut = was ? number(was, "cut") : d->cut_ever;
	uint64_t open = was ? number(was, "open") : d->open;

	if (cut == d->cut_ever && d->open > open)
		open = d->open;
	return json_pack("{s:s, s:I, s:I}", "is", is, "open", (json_int_t)open, "cut",
			 (json_int_t)cut);
}

static void empty(struct drains *all, const struct drain *d, uint64_t now)
{
	const struct cfg_service *s = all->service->cfg;

	if (s->drain_then == THEN_KEEP || !d->open || now < d->deadline_ms)
		return;
	removal_add(all->daemon->removal,
		    &(struct removal_target){.is_pool = !d->backend,
					     .is_local = s->forward == FORWARD_LOCAL,
					     .object = d->backend ? d->backend->object
								  : d->pool->object,
					     .rate = s->drain_then == THEN_SHED ? s->drain_rate : 0,
					     .service = s->name,
					     .pool = d->pool->cfg->name});
}

/* Nothing open, or all of it kept, is believed only when it is settled. */
static const char *what_is(const struct cfg_service *s, const struct drain *d, uint64_t now)
{
	bool settled = now >= d->since_ms + SETTLE_MS;

	if (!d->open)
		return settled ? "done" : "open";
	if (now <= d->deadline_ms || (s->drain_then == THEN_KEEP && !settled))
		return "open";
	return "late";
}

static void look(void *context, const struct drain *d)
{
	struct drains *all = context;
	uint64_t now = wall_ms();
	const char *is = what_is(all->service->cfg, d, now), *before;
	char key[DRAIN_KEY];
	const json_t *was;

	drain_key(key, all->service, d);
	was = json_object_get(all->told, key);
	before = was ? word(was) : NULL;
	if (before)
		tell(all, d, before, is);
	else if (!all->first)
		tell(all, d, "open", is);
	/* "done" stays done: single flows that come late are no news */
	json_object_set_new(all->seen, key,
			    row_of(d, was, before && before[0] == 'd' ? before : is));
	empty(all, d, now);
}

static void remember(struct drains *all)
{
	if (!json_equal(all->told, all->seen))
		store_put(all->daemon->store, STORE_META, "drains", json_deep_copy(all->seen));
	json_decref(all->told);
	all->told = all->seen;
	all->seen = NULL;
	all->first = false;
}

static void tell_trouble(struct drains *all)
{
	const struct config *c = all->daemon->world->config;
	char text[200] = "";

	for (size_t i = 0; i < c->n_services && !text[0]; i++) {
		bool is_local = c->services[i].forward == FORWARD_LOCAL;
		const char *why = removal_trouble(all->daemon->removal, is_local);

		if (why && c->services[i].drain_then != THEN_KEEP)
			snprintf(text, sizeof(text),
				 "%.60s: connections cannot be cut at a drain's deadline: %s%s",
				 c->services[i].name, is_local ? "" : "raw sockets: ", why);
	}
	daemon_problem(all->daemon, PROBLEM_REMOVAL, text[0] ? text : NULL);
}

static void look_all(uv_timer_t *timer)
{
	struct drains *all = timer->data;
	struct numbers n = numbers_of(all->daemon);

	all->seen = json_object();
	removal_begin(all->daemon->removal);
	for (size_t i = 0; i < all->daemon->world->config->n_services; i++) {
		all->service = &all->daemon->world->services[i];
		each_drain(all->service, &n, look, all);
	}
	removal_end(all->daemon->removal);
	remember(all);
	tell_trouble(all);
}

struct drain_start drains_start(const struct drains *all, const char *key)
{
	const json_t *row = all ? json_object_get(all->told, key) : NULL;

	if (!row)
		return (struct drain_start){0};
	return (struct drain_start){true, number(row, "open"), number(row, "cut")};
}

/* ---- the beginning and the end ---- */

static json_t *recalled(struct daemon *d)
{
	json_t *meta = store_load(d->store, STORE_META, META_MAX);
	json_t *told = json_incref(json_object_get(meta, "drains"));

	json_decref(meta);
	return told;
}

struct drains *drains_make(struct daemon *d)
{
	struct drains *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->daemon = d;
	all->told = recalled(d);
	all->first = !all->told;
	if (!json_is_object(all->told)) {
		json_decref(all->told);
		all->told = json_object();
	}
	uv_timer_init(d->loop, &all->timer);
	all->timer.data = all;
	uv_timer_start(&all->timer, look_all, LOOK_MS, LOOK_MS);
	return all;
}

void drains_free(struct drains *all)
{
	if (!all)
		return;
	uv_timer_stop(&all->timer);
	json_decref(all->told);
	free(all);
}
