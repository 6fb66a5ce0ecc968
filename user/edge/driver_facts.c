/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "fit.h"
#include "publish.h"

/* Counts of open flows are up to a second old. */
enum { COUNTED_MS = 2000 };

static bool is_up(const struct world_backend *b, const struct cfg_service *s)
{
	return s->health.type == HEALTH_NONE || b->health.state == HEALTH_UP;
}

/* Nobody is there: not even health that is ignored (panic) would help. */
static bool is_dead(const struct world_service *s, const struct world_pool *p)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (p->backends[i].admin == ADMIN_READY &&
		    p->backends[i].health.state != HEALTH_DOWN)
			return false;
	return s->cfg->health.type != HEALTH_NONE;
}

static uint64_t open_flows(struct driver *d, uint16_t backend)
{
	struct numbers n = numbers_of(d->daemon);
	struct backend_numbers now = n.backend(n.context, backend);

	return now.active + now.half_open;
}

static uint64_t open_in_pool(struct driver *d, const struct world_pool *p)
{
	struct numbers n = numbers_of(d->daemon);
	struct pool_numbers now = n.pool(n.context, p->object);

	return now.active + now.half_open;
}

static bool drain_is_over(const struct world_service *s, const struct rollout *r, uint64_t open)
{
	uint64_t since_ms = wall_ms() - r->state_ms;

	return since_ms >= s->cfg->drain_deadline_ms || (!open && since_ms >= COUNTED_MS);
}

/* One that a person keeps out is not counted on. */
static enum backend_sight sight_of(const struct cfg_service *s, const struct world_backend *b)
{
	if (b->admin != ADMIN_READY && !b->held_out)
		return BACKEND_UNSEEN;
	if (is_up(b, s) && !backend_is_ejected(b))
		return slow_start_rises(&b->slow_start) ? BACKEND_RISING : BACKEND_UP;
	return b->health.state == HEALTH_DOWN ? BACKEND_DOWN : BACKEND_UNSEEN;
}

/* In place: the batch. Else: the candidate's whole pool, and the one before it. */
static void in_place(struct driver *d, const struct world_service *s, const struct rollout *r,
		     struct rollout_facts *f)
{
	const struct world_pool *p = &s->pools[r->candidate];
	uint64_t open = 0;

	f->fit = true;
	f->n_backends = (unsigned)p->cfg->n_backends;
	f->backends = d->sights = realloc(d->sights, (f->n_backends + 1) * sizeof(*d->sights));
	for (unsigned k = 0; k < p->cfg->n_backends; k++) {
		const struct world_backend *b = &p->backends[k];

		if (d->sights)
			d->sights[k] = sight_of(s->cfg, b);
		if (k < r->rolling.first || k >= r->rolling.first + r->rolling.n)
			continue;
		open += open_flows(d, b->object);
		if (is_up(b, s->cfg))
			continue;
		f->fit = false;
		snprintf(d->trouble, sizeof(d->trouble), "%s is %s%s%s", b->cfg->text,
			 health_state_words[b->health.state], b->health.last_error[0] ? ": " : "",
			 b->health.last_error);
	}
	f->empty = drain_is_over(s, r, open);
}

/* An experiment compares several: each that is asked for must be able to take its part. */
static bool others_are_fit(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	for (unsigned i = 0; r->strategy == STRATEGY_EXPERIMENT && i < s->cfg->n_pools; i++)
		if (r->fixed[i] &&
		    pool_fitness(s, &s->pools[i], d->trouble, sizeof(d->trouble)) != FIT)
			return false;
	return true;
}

static void between_pools(struct driver *d, const struct world_service *s, const struct rollout *r,
			  struct rollout_facts *f)
{
	const struct world_pool *candidate = &s->pools[r->candidate];

	f->n_backends = (unsigned)candidate->cfg->n_backends;
	f->fit = pool_fitness(s, candidate, d->trouble, sizeof(d->trouble)) == FIT &&
		 others_are_fit(d, s, r);
	f->dead = is_dead(s, candidate);
	f->empty = drain_is_over(s, r, open_in_pool(d, &s->pools[r->previous]));
}

static void judged(struct driver *d, const struct world_service *s, const struct rollout *r,
		   struct rollout_facts *f)
{
	if (!rollout_is_judged(r))
		return;
	if (!d->tally)
		d->tally = tally_begin(d->daemon, s, r);
	if (!d->tally)
		return;
	tally_look(d->tally, s, r);
	f->verdict = tally_verdict(d->tally);
	tally_undecided(d->tally, d->undecided);
	tally_text(d->tally, d->verdict_text);
}

/* The data path's own word. */
static void overridden(struct driver *d, const struct world_service *s, const struct rollout *r,
		       struct rollout_facts *f)
{
	struct zdd_override o =
		datapath_override(d->daemon->datapath, s->pools[r->candidate].object);

	if (d->lease != -ETIME)
		return;
	/* perhaps nobody came yet who had to be turned away */
	f->breaker = o.why ? o.why == ZDD_OVER_FAILURES : o.limit && o.failed >= o.limit;
	f->lease_out = !f->breaker;
}

struct rollout_facts driver_facts(struct driver *d, const struct world_service *s,
				  const struct rollout *r)
{
	struct rollout_facts f = {.now_ms = wall_ms(),
				  .may_begin = true,
				  .trouble = d->trouble,
				  .verdict_text = d->verdict_text,
				  .undecided = d->undecided,
				  .hook_text = d->hook_text};
	uint64_t now_ns = uv_hrtime();
	char token[ROLLOUT_TOKEN];

	f.passed_ms = d->looked_ns ? (uint32_t)((now_ns - d->looked_ns) / 1000000) : 0;
	d->looked_ns = now_ns;
	d->trouble[0] = d->verdict_text[0] = '\0';
	f.in_force = !d->unpublished && publisher_is_settled(d->daemon->publisher, d->generation);
	rollout_token(r, token);
	if (d->result && !strcmp(d->token, token))
		f.hook = d->result;
	if (r->rolling.in_place)
		in_place(d, s, r, &f);
	else
		between_pools(d, s, r, &f);
	judged(d, s, r, &f);
	overridden(d, s, r, &f);
	return f;
}
