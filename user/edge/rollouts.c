/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "publish.h"
#include "rollout_json.h"
#include "saved.h"
#include "webhooks.h"

enum { LOOK_MS = 100, KEEP_MS = 5000 /* of watched time a killed daemon may lose */ };

struct rollouts {
	struct daemon *daemon;
	struct webhooks *webhooks;
	uv_timer_t timer;
	struct driver *drivers;
	bool first; /* no look yet: what runs was begun by a daemon before */
};

/* ---- drivers ---- */

static struct driver *find(const struct rollouts *all, const struct world_service *s)
{
	struct driver *d = all->drivers;

	while (d && strcmp(d->service, s->cfg->name))
		d = d->next;
	return d;
}

static struct driver *make(struct rollouts *all, const struct world_service *s,
			   const struct rollout *r)
{
	struct driver *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->daemon = all->daemon;
	d->number = r->number;
	d->generation = all->daemon->world->generation;
	snprintf(d->service, sizeof(d->service), "%s", s->cfg->name);
	d->next = all->drivers;
	all->drivers = d;
	return d;
}

/* For history --stats; told once. */
static void note(struct driver *d, const char *key, json_t *value)
{
	journal_note(d->daemon->journal, (int64_t)d->number, key, value);
}

/* Of the candidate's connections, by the judge's counts of each second and by the breaker's, which are
 * of now but only there while there is a lease. */
static uint64_t failed(const struct driver *d)
{
	uint64_t told = d->tally ? tally_failed(d->tally) : 0;

	return d->breaker.failed > told ? d->breaker.failed : told;
}

static void note_failed(struct driver *d)
{
	if (d->tally)
		note(d, "failed", json_integer((json_int_t)failed(d)));
}

static void drop(struct rollouts *all, struct driver *d)
{
	struct driver **at = &all->drivers;

	note_failed(d); /* of one that a person ended */
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	if (d->hook)
		hook_cancel(d->hook);
	tally_end(d->tally);
	free(d->sights);
	free(d);
}

/* ---- webhooks ---- */

/* `text` is what chat servers show. */
static void post(const struct rollouts *all, const struct world_service *s, const struct rollout *r)
{
	const struct cfg_rollout *cfg = &s->cfg->rollout;
	json_t *text = json_sprintf("%s: %s to %s: %s%s%s", s->cfg->name,
				    strategy_words[r->strategy], s->cfg->pools[r->candidate].name,
				    rollout_state_word(r->state), r->why[0] ? ": " : "", r->why);
	json_t *body = json_pack("{s:s, s:s, s:o, s:o*, s:o}", "kind", "rollout", "service",
				 s->cfg->name, "time", view_time(wall_ms()), "text", text,
				 "rollout", rollout_view(s, r, &(struct rollout_extras){0}));

	for (unsigned i = 0; body && i < cfg->n_webhooks; i++)
		webhooks_post(all->webhooks, cfg->webhooks[i], body);
	json_decref(body);
}

static unsigned news_of(const struct rollout *r)
{
	return r->step * ROLLOUT_STATES + r->state + 1;
}

/* What people changed too, once each; its end when no driver has it any more. */
static void post_news(const struct rollouts *all, struct driver *d, const struct world_service *s)
{
	const struct rollout *r = s->rollout;

	if (!r || r->number != d->number || d->told == news_of(r))
		return;
	d->told = news_of(r);
	post(all, s, r);
}

static void not_told(void *context, const char *who, const char *why)
{
	struct daemon *d = context;
	struct event e = {.kind = "webhook"};

	journal_event(d->journal, &e, "%s was not told: %s", who, why);
}

/* ---- a change of state ---- */

static void stored(void *context, int err)
{
	struct driver *d = context;

	(void)err; /* a store that cannot write does not keep traffic waiting */
	d->storing--;
	rollouts_wake(d->daemon->rollouts);
}

static void store(struct driver *d, const struct world_service *s)
{
	store_put(d->daemon->store, STORE_SERVICES, s->cfg->name, service_saved(s));
	d->storing++;
	store_barrier(d->daemon->store, stored, d);
}

/* Nothing waits for this. */
static void keep_watched(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	if (r->watched_ms >= d->kept_ms && r->watched_ms - d->kept_ms < KEEP_MS)
		return;
	d->kept_ms = r->watched_ms;
	store_put(d->daemon->store, STORE_SERVICES, s->cfg->name, service_saved(s));
}

static void tell(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	struct event e = {.kind = "rollout",
			  .service = s->cfg->name,
			  .pool = s->cfg->pools[r->candidate].name,
			  .generation = d->daemon->world->generation};

	journal_event(d->daemon->journal, &e, "%s%s%s", rollout_state_word(r->state),
		      r->why[0] ? ": " : "", r->why);
}

static void end(struct driver *d, const struct rollout *r)
{
	note_failed(d);
	journal_end(d->daemon->journal, (int64_t)r->number, rollout_state_word(r->state),
		    d->daemon->world->generation);
}

/* What takes traffic back is done before it is written. The release ends last: a start ends one whose
 * rollout is over, but takes up a rollout that is not, whatever history says. */
static void changed(struct driver *d, struct world_service *s, const struct rollout *r)
{
	if (r->state == ROLLOUT_PROMOTED)
		note(d, "promoted", view_time(wall_ms()));
	if (rollout_is_over(r))
		driver_bring_about(d, s, r);
	if (r->state == ROLLOUT_STABLE)
		service_make_stable(s);
	tell(d, s, r);
	store(d, s);
	if (rollout_is_over(r))
		end(d, r);
	post_news(d->daemon->rollouts, d, s);
}

/* ---- a look ---- */

static void drive(struct driver *d, struct world_service *s, struct rollout *r)
{
	enum rollout_state was = r->state;
	struct rollout_facts f;

	driver_bring_about(d, s, r);
	driver_hook(d, s, r);
	d->lease = driver_renew(d, s, r);
	if (failed(d))
		note(d, "trouble", view_time(wall_ms()));
	f = driver_facts(d, s, r);
	if (!rollout_look(r, &s->cfg->rollout, &f)) {
		keep_watched(d, s, r);
		return;
	}
	if (r->state == was)
		store(d, s); /* a hook is due, or a batch went on */
	else
		changed(d, s, r);
}

/* A daemon died after it had taken it back, before that was written. One that died before it gave the
 * first share looks the same, but for the state. */
static bool was_taken_back(const struct world_service *s, const struct rollout *r)
{
	return !rollout_is_over(r) && rollout_had_share(r) &&
	       rollout_share(r) > r->base[r->candidate] &&
	       s->share[r->candidate] == r->base[r->candidate];
}

static void resume(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	d->told = news_of(r); /* the daemon before has told it */
	driver_doubt_batch(d, s, r);
}

static void look_at(struct rollouts *all, struct world_service *s)
{
	struct driver *d = find(all, s);
	struct rollout *r;

	if (d)
		post_news(all, d, s);
	service_dequeue(s, wall_ms());
	r = service_rollout(s);
	if (d && !d->storing && (!r || d->number != r->number)) {
		drop(all, d);
		d = NULL;
	}
	if (!r || (d && (d->storing || d->number != r->number)))
		return;
	if (!d) {
		d = make(all, s, r);
		if (d && all->first)
			resume(d, s, r);
	}
	if (!d)
		return;
	post_news(all, d, s);
	if (all->first && was_taken_back(s, r)) {
		rollout_take_back(r, wall_ms(), "zddd died while it took it back");
		changed(d, s, r);
	} else {
		drive(d, s, r);
	}
}

static void look(uv_timer_t *timer)
{
	struct rollouts *all = timer->data;
	struct world *w = all->daemon->world;

	if (all->daemon->stopping)
		return;
	for (size_t i = 0; i < w->config->n_services; i++)
		look_at(all, &w->services[i]);
	all->first = false;
}

void rollouts_wake(struct rollouts *all)
{
	if (all && !all->daemon->stopping)
		uv_timer_start(&all->timer, look, 0, LOOK_MS);
}

struct rollouts *rollouts_make(struct daemon *d)
{
	struct rollouts *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->webhooks = webhooks_make(d->loop, not_told, d);
	if (!all->webhooks) {
		free(all);
		return NULL;
	}
	all->daemon = d;
	all->first = true;
	uv_timer_init(d->loop, &all->timer);
	all->timer.data = all;
	uv_timer_start(&all->timer, look, LOOK_MS, LOOK_MS);
	return all;
}

void rollouts_free(struct rollouts *all)
{
	if (!all)
		return;
	uv_timer_stop(&all->timer);
	webhooks_free(all->webhooks);
	for (struct driver *d = all->drivers; d; d = d->next) {
		if (d->hook)
			hook_cancel(d->hook);
		tally_end(d->tally);
	}
}

struct rollout_extras rollouts_extras(void *context, const struct world_service *s)
{
	struct daemon *daemon = context;
	struct driver *d = daemon->rollouts ? find(daemon->rollouts, s) : NULL;
	struct rollout_extras extras = {0};

	if (!d || !s->rollout || d->number != s->rollout->number)
		return extras;
	extras.judge = d->tally ? tally_json(d->tally) : NULL;
	extras.breaker = d->breaker.limit ? &d->breaker : NULL;
	return extras;
}
