/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "probe.h"
#include "publish.h"

/* ---- lease and plan ---- */

static uint32_t rollout_id(const struct rollout *r)
{
	return (uint32_t)(r->number ? r->number : 1);
}

/* Before the plan with the share. One that a daemon before began goes on, whatever became of it. */
static void begin_lease(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	uint16_t candidate = s->pools[r->candidate].object, live = s->pools[r->previous].object;
	struct datapath *path = d->daemon->datapath;

	if (datapath_override(path, candidate).rollout == rollout_id(r))
		return;
	datapath_override_begin(path, candidate, rollout_id(r));
	datapath_override_begin(path, live, rollout_id(r));
	if (rollout_is_leased(r))
		datapath_lease(path, candidate, r->lease_ms, 0);
}

/* The breaker is the judge's number: one that is not obeyed gives none. */
static uint64_t breaker_of(const struct driver *d, const struct world_service *s, double share)
{
	if (!d->tally || s->cfg->rollout.judge.mode != JUDGE_ON)
		return 0;
	return d->breaker.failed + tally_breaker(d->tally, share);
}

/* The breaker: so many failures from now on, whatever has failed so far. */
int driver_renew(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	uint16_t pool = s->pools[r->candidate].object;
	double share = rollout_share(r) / (double)ZDD_SHARE_UNITS;

	if (!rollout_is_leased(r) || d->unpublished)
		return 0;
	d->breaker.failed = datapath_override(d->daemon->datapath, pool).failed;
	d->breaker.limit = breaker_of(d, s, share);
	return datapath_lease(d->daemon->datapath, pool, r->lease_ms, (uint32_t)d->breaker.limit);
}

static void publish(struct driver *d)
{
	char *error = NULL;
	int err = publisher_now(d->daemon->publisher, &error);

	d->unpublished = err != 0;
	if (!err)
		d->generation = d->daemon->world->generation;
	else if (err != -EAGAIN)
		daemon_problem(d->daemon, PROBLEM_PUBLISH, error);
	free(error);
}

void driver_bring_about(struct driver *d, struct world_service *s, const struct rollout *r)
{
	if (rollout_is_judged(r))
		begin_lease(d, s, r);
	if (service_follow(s)) {
		s->revision++;
		d->unpublished = true;
	}
	if (d->unpublished)
		publish(d);
}

/* ---- hooks ---- */

/* What was true of a backend before its update says nothing about it now. */
static void forget_health(struct driver *d, const struct world_service *s, struct world_backend *b)
{
	if (s->cfg->health.type == HEALTH_NONE)
		return;
	b->health.state = HEALTH_DOWN;
	b->health.streak = 0;
	snprintf(b->health.last_error, sizeof(b->health.last_error), "updated, not checked yet");
	probes_hurry(d->daemon->probes, b);
}

/* The data path knows them as they were before their hooks. */
void driver_doubt_batch(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	const struct rolling *b = &r->rolling;
	unsigned n = b->step == ROLLING_CHECK ? b->n : b->step == ROLLING_UPDATE ? b->unit : 0;

	for (unsigned i = 0; b->in_place && i < n; i++)
		forget_health(d, s, &s->pools[r->candidate].backends[b->first + i]);
}

static void updated(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	unsigned k = r->rolling.first + r->rolling.unit;

	if (r->rolling.in_place && r->hook == HOOK_UPDATE)
		forget_health(d, s, &s->pools[r->candidate].backends[k]);
}

static void hook_done(void *context, enum hook_result result, const char *text)
{
	struct driver *d = context;
	struct world_service *s = world_find(d->daemon->world, d->service);
	struct event e = {.kind = "hook", .service = d->service};

	d->hook = NULL;
	d->result = result;
	snprintf(d->hook_text, sizeof(d->hook_text), "%s", text);
	journal_event(d->daemon->journal, &e, "%s", text);
	if (s && service_rollout(s))
		updated(d, s, service_rollout(s));
	rollouts_wake(d->daemon->rollouts);
}

static const char *pool_name(const struct world_service *s, unsigned pool)
{
	return s->cfg->pools[pool].name;
}

static void start_hook(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	const struct world_pool *p = &s->pools[r->candidate];
	unsigned k = r->rolling.first + r->rolling.unit;
	bool unit = r->hook == HOOK_UPDATE && k < p->cfg->n_backends;
	struct hook_call call = {
		.kind = r->hook,
		.cfg = &s->cfg->rollout.hooks,
		.service = s->cfg->name,
		.pool = pool_name(s, r->candidate),
		.previous = pool_name(s, r->previous),
		.backend = unit ? p->backends[k].cfg->text : NULL,
		.preview = s->cfg->n_preview ? s->cfg->preview[0].text : NULL,
		.result = r->rolling.back ? "back" : NULL,
		.token = d->token,
		.step = r->step + 1,
		.share = rollout_share(r),
	};

	d->hook = hook_start(d->daemon->loop, &call, hook_done, d);
	if (!d->hook) {
		d->result = HOOK_FAILED;
		snprintf(d->hook_text, sizeof(d->hook_text), "out of memory");
	}
}

void driver_hook(struct driver *d, const struct world_service *s, const struct rollout *r)
{
	bool due = r->hook_state == HOOK_DUE && !rollout_is_over(r);
	char token[ROLLOUT_TOKEN];
	bool same;

	rollout_token(r, token);
	same = !strcmp(token, d->token);
	if (d->hook && (!due || !same)) {
		hook_cancel(d->hook);
		d->hook = NULL;
	}
	if (!same || !due)
		d->result = HOOK_NO_RESULT;
	if (!due || d->hook || r->state == ROLLOUT_PAUSED || (same && d->result))
		return;
	d->result = HOOK_NO_RESULT;
	memcpy(d->token, token, sizeof(token));
	start_hook(d, s, r);
}
