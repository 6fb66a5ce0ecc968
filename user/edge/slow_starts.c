/* SPDX-License-Identifier: BSD-2-Clause */
/* Time for core/slow_start.h: a plan for each step, none where a step moves nothing; events. */
#include <stdlib.h>

#include "daemon.h"
#include "publish.h"

enum { LOOK_MS = 1000 }; /* so a plan a second at most */

struct slow_starts {
	struct daemon *daemon;
	uv_timer_t timer;
};

/* ---- events ---- */

static void tell_backend(struct daemon *d, const struct world_service *s,
			 const struct world_pool *p, struct world_backend *b)
{
	bool rises = slow_start_rises(&b->slow_start);
	struct event e = {.kind = "slow_start",
			  .service = s->cfg->name,
			  .pool = p->cfg->name,
			  .backend = b->cfg->text};
	char time[DURATION_TEXT];

	if (rises == b->slow_start.told)
		return;
	b->slow_start.told = rises;
	format_duration(time, sizeof(time), s->cfg->slow_start_ms);
	if (rises)
		journal_event(d->journal, &e, "begins: a tenth of its weight, all of it in %s",
			      time);
	else if (b->slow_start.level)
		journal_event(d->journal, &e, "over: it has all of its weight");
}

void slow_starts_tell(struct daemon *d)
{
	for (size_t i = 0; i < d->world->config->n_services; i++) {
		struct world_service *s = &d->world->services[i];

		for (size_t k = 0; s->cfg->slow_start_ms && k < s->cfg->n_pools; k++)
			for (size_t j = 0; j < s->cfg->pools[k].n_backends; j++)
				tell_backend(d, s, &s->pools[k], &s->pools[k].backends[j]);
	}
}

/* ---- time ---- */

void slow_starts_begin(struct daemon *d)
{
	uint64_t now_ms = wall_ms();

	for (size_t i = 0; i < d->world->config->n_services; i++)
		service_begin_slow_starts(&d->world->services[i], now_ms);
}

static void look(uv_timer_t *timer)
{
	struct slow_starts *all = timer->data;
	struct daemon *d = all->daemon;
	uint64_t now_ms = wall_ms();
	bool due = false;

	if (d->stopping)
		return;
	for (size_t i = 0; i < d->world->config->n_services; i++)
		due |= service_pass_slow_starts(&d->world->services[i], now_ms);
	slow_starts_tell(d);
	if (due)
		publisher_soon(d->publisher);
}

struct slow_starts *slow_starts_make(struct daemon *d)
{
	struct slow_starts *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->daemon = d;
	uv_timer_init(d->loop, &all->timer);
	all->timer.data = all;
	uv_timer_start(&all->timer, look, LOOK_MS, LOOK_MS);
	return all;
}
