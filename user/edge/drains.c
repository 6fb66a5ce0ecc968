/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "daemon.h"

/* Counts are of the last whole walk: a drain is judged only after one surely began later. */
enum { LOOK_MS = 500, SETTLE_MS = 3000 };

struct drains {
	struct daemon *daemon;
	uv_timer_t timer;
	json_t *told, *seen; /* {"svc/pool/backend/since": "over" or "late" or "open"} */
	const struct world_service *service;
	bool first;
};

static void tell(struct drains *all, const struct drain *d, const char *was, const char *is)
{
	const struct world_service *s = all->service;
	struct event e = {.kind = "drain",
			  .service = s->cfg->name,
			  .pool = d->pool->cfg->name,
			  .backend = d->backend ? d->backend->cfg->text : NULL};

	if (is[0] == 'l' && was[0] == 'o')
		journal_event(all->daemon->journal, &e,
			      "the drain's deadline passed with %llu flows open; they are kept",
			      (unsigned long long)d->open);
	else if (is[0] == 'd' && was[0] != 'd')
		journal_event(all->daemon->journal, &e, "drained: no flow is open");
}

static void look(void *context, const struct drain *d)
{
	struct drains *all = context;
	uint64_t now = wall_ms();
	const char *is = !d->open ? "done" : now > d->deadline_ms ? "late" : "open", *was;
	char key[2 * ZDD_NAME_MAX + ENDPOINT_TEXT + 32];

	if (now < d->since_ms + SETTLE_MS)
		is = "open";
	snprintf(key, sizeof(key), "%s/%s/%s/%llu", all->service->cfg->name, d->pool->cfg->name,
		 d->backend ? d->backend->cfg->text : "", (unsigned long long)d->since_ms);
	was = json_string_value(json_object_get(all->told, key));
	if (was)
		tell(all, d, was, is);
	else if (!all->first)
		tell(all, d, "open", is);
	/* "done" stays done: single flows that come late are no news */
	json_object_set_new(all->seen, key, json_string(was && was[0] == 'd' ? was : is));
}

static void look_all(uv_timer_t *timer)
{
	struct drains *all = timer->data;
	struct numbers n = numbers_of(all->daemon);

	all->seen = json_object();
	for (size_t i = 0; i < all->daemon->world->config->n_services; i++) {
		all->service = &all->daemon->world->services[i];
		each_drain(all->service, &n, look, all);
	}
	json_decref(all->told);
	all->told = all->seen;
	all->seen = NULL;
	all->first = false;
}

struct drains *drains_make(struct daemon *d)
{
	struct drains *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->daemon = d;
	all->told = json_object();
	all->first = true;
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
