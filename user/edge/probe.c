/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "jobs.h"
#include "probe.h"
#include "publish.h"
#include "web.h"

enum { SPREAD_AFTER = 64 }; /* so many first questions at once, then 1 ms apart */

struct probes {
	struct daemon *daemon;
	struct probe **list; /* sorted by key */
	size_t n;
	struct web *web;
};

static void ask(uv_timer_t *timer);

static void rest(struct probe *p, uint64_t ms)
{
	uv_timer_start(&p->timer, ask, ms, 0);
}

/* Deterministic spread of a tenth, so that probes that began together drift apart. */
static uint64_t with_jitter(const struct probe *p, uint32_t ms)
{
	return ms - (uv_hrtime() / 1000 + (uintptr_t)p / 64) % (ms / 10 + 1);
}

/* A check that turns up is a hint: the trial connection need not wait. */
static void report(struct probe *p, enum health_state was)
{
	const struct health *h = &p->backend->health;
	struct daemon *d = p->probes->daemon;
	struct event e = {.kind = "health",
			  .service = p->service->cfg->name,
			  .pool = p->pool->cfg->name,
			  .backend = p->backend->cfg->text};

	if (was == HEALTH_DOWN)
		passive_hint(&p->backend->passive, wall_ms());
	journal_event(d->journal, &e, "%s -> %s%s%s", health_state_words[was],
		      health_state_words[h->state], h->last_error[0] ? ": " : "", h->last_error);
	publisher_soon(d->publisher);
	jobs_wake(d->jobs);
}

void probe_done(struct probe *p, bool ok, const char *error)
{
	const struct cfg_health *cfg = &p->service->cfg->health;
	enum health_state was = p->backend->health.state;
	bool turned = health_feed(&p->backend->health, cfg, ok, error, wall_ms());

	p->attempt = NULL;
	p->cancel = NULL;
	rest(p, with_jitter(p, health_next_ms(&p->backend->health, cfg)));
	if (turned)
		report(p, was); /* last: jobs that wake may replace the world */
}

static void cancel(struct probe *p)
{
	if (p->attempt)
		p->cancel(p);
	p->attempt = NULL;
	p->cancel = NULL;
}

static void patience_over(uv_timer_t *timer)
{
	struct probe *p = timer->data;
	char error[64];

	snprintf(error, sizeof(error), "no answer within %u ms",
		 p->service->cfg->health.timeout_ms);
	cancel(p);
	probe_done(p, false, error);
}

static void ask(uv_timer_t *timer)
{
	struct probe *p = timer->data;
	const struct cfg_health *cfg = &p->service->cfg->health;

	if (cfg->type == HEALTH_NONE || p->backend->admin == ADMIN_MAINT) {
		rest(p, cfg->interval_ms ? cfg->interval_ms : 1000);
		return;
	}
	uv_timer_start(&p->timer, patience_over, cfg->timeout_ms, 0);
	switch (cfg->type) {
	case HEALTH_TCP:
		probe_tcp(p);
		break;
	case HEALTH_HTTP:
	case HEALTH_HTTPS:
		probe_http(p, p->probes->web);
		break;
	case HEALTH_EXEC:
		probe_exec(p);
		break;
	case HEALTH_NONE:
		break;
	}
}

/* ---- following the world ---- */

static void probe_free(uv_handle_t *handle)
{
	struct probe *p = handle->data;

	free(p->key);
	free(p);
}

static void probe_end(struct probe *p)
{
	cancel(p);
	uv_close((uv_handle_t *)&p->timer, probe_free);
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(struct probe *const *)a)->key, (*(struct probe *const *)b)->key);
}

static struct probe *find(const struct probes *all, char *key)
{
	struct probe wanted = {.key = key}, *at = &wanted, **found;

	found = all->n ? bsearch(&at, all->list, all->n, sizeof(*all->list), by_key) : NULL;
	return found ? *found : NULL;
}

/* The probe for key, which it takes; an old one goes on where it was. */
static struct probe *take_or_make(struct probes *all, char *key, uint64_t first_ms)
{
	struct probe *p = find(all, key);

	if (p) {
		free(key);
		p->seen = true;
		return p;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		free(key);
		return NULL;
	}
	p->probes = all;
	p->key = key;
	p->seen = true;
	uv_timer_init(all->daemon->loop, &p->timer);
	p->timer.data = p;
	rest(p, first_ms);
	return p;
}

static size_t count_backends(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->config->n_services; i++)
		for (size_t k = 0; k < w->services[i].cfg->n_pools; k++)
			n += w->services[i].cfg->pools[k].n_backends;
	return n;
}

static size_t follow_pool(struct probes *all, struct world_service *s, struct world_pool *pool,
			  struct probe **list, size_t n)
{
	for (size_t i = 0; i < pool->cfg->n_backends; i++) {
		uint64_t first_ms =
			s->cfg->health.initial_delay_ms + (n > SPREAD_AFTER ? n - SPREAD_AFTER : 0);
		struct probe *p;
		char *key;

		if (asprintf(&key, "%s/%s/%s", s->cfg->name, pool->cfg->name,
			     pool->backends[i].cfg->text) < 0)
			continue;
		p = take_or_make(all, key, first_ms);
		if (!p)
			continue;
		p->service = s;
		p->pool = pool;
		p->backend = &pool->backends[i];
		list[n++] = p;
	}
	return n;
}

void probes_follow(struct probes *all, struct world *w)
{
	struct probe **list = calloc(count_backends(w) + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return;
	for (size_t i = 0; i < w->config->n_services; i++)
		for (size_t k = 0; k < w->services[i].cfg->n_pools; k++)
			n = follow_pool(all, &w->services[i], &w->services[i].pools[k], list, n);
	for (size_t i = 0; i < all->n; i++) {
		if (!all->list[i]->seen)
			probe_end(all->list[i]);
	}
	for (size_t i = 0; i < n; i++)
		list[i]->seen = false;
	free(all->list);
	qsort(list, n, sizeof(*list), by_key);
	all->list = list;
	all->n = n;
}

void probes_hurry(struct probes *all, const struct world_backend *b)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->list[i]->backend == b && !all->list[i]->attempt)
			rest(all->list[i], 0);
}

struct probes *probes_make(struct daemon *d)
{
	struct probes *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->daemon = d;
	all->web = web_make(d->loop);
	if (all->web)
		return all;
	free(all);
	return NULL;
}

void probes_free(struct probes *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->n; i++)
		probe_end(all->list[i]);
	free(all->list);
	web_free(all->web);
	free(all);
}
