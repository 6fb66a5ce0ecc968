/* SPDX-License-Identifier: BSD-2-Clause */
/* What the data path counts of backends' connections -> core/passive.h -> plan, events, checks. */
#include <stdlib.h>

#include "daemon.h"
#include "jobs.h"
#include "probe.h"
#include "publish.h"

/* A look costs a cache line for each backend and CPU: of many, they are rarer. */
enum { LOOK_MS = 100, REST_TIMES = 20 };

struct signals {
	struct daemon *daemon;
	uv_timer_t timer;
	bool changed; /* at this look */
};

/* ---- one backend ---- */

static void journal(struct daemon *d, const struct world_service *s, const struct world_pool *p,
		    const struct world_backend *b, enum passive_event what)
{
	const struct passive *passive = &b->passive;
	struct event e = {.kind = "passive",
			  .service = s->cfg->name,
			  .pool = p->cfg->name,
			  .backend = b->cfg->text};
	double wait_s = (double)passive_wait_ms(&s->cfg->passive, passive->ejections) / 1000;

	if (what == PASSIVE_OUT)
		journal_event(d->journal, &e,
			      "ejected: connections came to nothing, %s; a trial in %.0f s",
			      passive->reason, wait_s);
	else if (what == PASSIVE_FAILED)
		journal_event(d->journal, &e, "stays ejected: %s; the next trial in %.0f s",
			      passive->reason, wait_s);
	else if (what == PASSIVE_BACK)
		journal_event(d->journal, &e, "in again: its trial connection was served");
	else if (what == PASSIVE_WITHHELD)
		journal_event(d->journal, &e,
			      "%llu connections in a row came to nothing; not ejected, too few "
			      "others are left",
			      (unsigned long long)passive_failures(passive));
}

static void act(struct signals *all, const struct world_service *s, const struct world_pool *p,
		const struct world_backend *b, enum passive_event what)
{
	struct daemon *d = all->daemon;

	if (what == PASSIVE_NOTHING)
		return;
	journal(d, s, p, b, what);
	if (what == PASSIVE_TRY)
		datapath_offer_trial(d->datapath, b->object);
	if (what == PASSIVE_OUT)
		probes_hurry(d->probes, b);
	all->changed |= what != PASSIVE_WITHHELD;
}

/* A backend that people took away, or that nobody watches, begins anew. */
static void look_at(struct signals *all, struct world_service *s, struct world_pool *p,
		    struct world_backend *b)
{
	struct daemon *d = all->daemon;
	struct zdd_signal_row row = datapath_signals(d->datapath, b->object);
	struct passive_facts facts = {.now_ms = wall_ms(),
				      .check_down = b->health.state == HEALTH_DOWN};

	if (!s->cfg->passive.on || b->admin != ADMIN_READY) {
		all->changed |= backend_is_ejected(b);
		passive_clear(&b->passive);
		return;
	}
	if (b->passive.state == PASSIVE_IN)
		facts.may_go = pool_spares(s, p, b);
	else if (b->passive.state == PASSIVE_TRIAL)
		facts.taken =
			datapath_trial_taken(d->datapath, b->object) || backend_takes_new(s, p, b);
	act(all, s, p, b, passive_look(&b->passive, &s->cfg->passive, &row, &facts));
}

/* ---- all ---- */

static void look_service(struct signals *all, struct world_service *s)
{
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		for (size_t k = 0; k < s->cfg->pools[i].n_backends; k++)
			if (s->pools[i].backends[k].object != ZDD_NONE)
				look_at(all, s, &s->pools[i], &s->pools[i].backends[k]);
}

static void look(uv_timer_t *timer)
{
	struct signals *all = timer->data;
	struct daemon *d = all->daemon;
	uint64_t began_ns = uv_hrtime(), rest_ms;

	if (d->stopping)
		return;
	all->changed = false;
	for (size_t i = 0; i < d->world->config->n_services; i++)
		look_service(all, &d->world->services[i]);
	rest_ms = REST_TIMES * (uv_hrtime() - began_ns) / 1000000;
	uv_timer_start(&all->timer, look, rest_ms > LOOK_MS ? rest_ms : LOOK_MS, 0);
	if (!all->changed)
		return;
	publisher_soon(d->publisher);
	jobs_wake(d->jobs); /* last: jobs that wake may replace the world */
}

struct signals *signals_make(struct daemon *d)
{
	struct signals *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	all->daemon = d;
	uv_timer_init(d->loop, &all->timer);
	all->timer.data = all;
	uv_timer_start(&all->timer, look, LOOK_MS, 0);
	return all;
}
