/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs that begin a rollout: canary, roll, experiment; flip and deploy where they are one. What
 * it does is rollout.h's: here is only where it starts from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "fit.h"
#include "rolling.h"
#include "rollout_plan.h"
#include "verbs.h"

struct rollout make_rollout(const struct txn *t, const struct world_service *s,
			    enum strategy strategy, unsigned candidate)
{
	const struct cfg_rollout *cfg = &s->cfg->rollout;
	const char *why = txn_text(t, "why");
	struct rollout r = {
		.strategy = strategy,
		.state = ROLLOUT_STAGING,
		.candidate = candidate,
		.previous = s->live,
		.steps = {{.share = ZDD_SHARE_UNITS, .each = cfg->each}},
		.n_steps = 1,
		.bake_ms = cfg->bake_ms,
		.lease_ms = strategy == STRATEGY_CANARY ? cfg->lease_ms : 0,
		.staging_ms = cfg->staging_ms,
		.began_ms = t->now_ms,
		.state_ms = t->now_ms,
	};

	memcpy(r.base, s->share, sizeof(r.base)); /* until it is grounded */
	snprintf(r.who, sizeof(r.who), "%s", t->ask->who);
	snprintf(r.why, sizeof(r.why), "%s", why ? why : "");
	return r;
}

/* ---- the one that runs already ---- */

enum place { HERE, BEHIND, INSTEAD, NOWHERE };

/* What is promoted cannot be superseded: that would be an undo. */
static enum place place_for(const struct world_service *s)
{
	const struct rollout *now = service_rollout(s);
	enum on_conflict on = s->cfg->rollout.on_conflict;

	if (s->queued)
		return NOWHERE;
	if (!now)
		return HERE;
	if (on == CONFLICT_QUEUE)
		return BEHIND;
	return on == CONFLICT_SUPERSEDE && rollout_state_phase(now->state) != PHASE_LATE ? INSTEAD
											 : NOWHERE;
}

/* ---- beginning ---- */

/* Where new flows shall go: what the release's record says. */
static void goal_text(const struct world_service *s, const struct rollout *r, char *out,
		      size_t size)
{
	if (r->rolling.in_place)
		rollout_title(s, r, out, size);
	else if (r->strategy == STRATEGY_EXPERIMENT)
		shares_text(s, r->fixed, out, size);
	else
		snprintf(out, size, "%s", s->cfg->pools[r->candidate].name);
}

static void say_plan(struct txn *t, const struct world_service *s, const struct rollout *r)
{
	struct txn_rate rate;
	bool known = t->ask->rate && t->ask->rate(t->ask->context, s, &rate);

	if (txn_flag(t, "dry_run"))
		rollout_plan(s, r, known ? &rate : NULL, t->answer->changes);
}

static enum outcome put(struct txn *t, struct world_service *s, struct rollout **at,
			const struct rollout *r)
{
	char title[96];

	free(*at);
	*at = NULL;
	if (rollout_copy(at, r))
		return tell(t->answer, OUT_ERROR, "out of memory");
	rollout_title(s, r, title, sizeof(title));
	json_say(t->answer->changes, "%s: %s begins", s->cfg->name, title);
	say_plan(t, s, r);
	return tell(t->answer, OUT_REACHED, "%s: %s %s", s->cfg->name, title,
		    r->state == ROLLOUT_QUEUED ? "waits for the rollout before it to end"
					       : "begins");
}

static enum outcome check_candidate(struct txn *t, const struct world_service *s,
				    const struct rollout *r)
{
	const struct world_pool *p = &s->pools[r->candidate];
	char why[400];

	if (!p->cfg->n_backends)
		return tell(t->answer, OUT_REFUSED, "%s/%s has no backends", s->cfg->name,
			    p->cfg->name);
	if (r->rolling.in_place || pool_fitness(s, p, why, sizeof(why)) != NEVER_FIT)
		return OUT_REACHED;
	return tell(t->answer, OUT_REFUSED, "%s; a rollout to it could never begin", why);
}

static enum outcome not_live(struct txn *t, const struct world_service *s, const struct rollout *r)
{
	if (r->candidate != s->live || r->rolling.in_place)
		return OUT_REACHED;
	return tell(t->answer, OUT_REFUSED, "%s: %s is live already", s->cfg->name,
		    s->cfg->pools[s->live].name);
}

static void record(struct txn *t, struct world_service *s, const struct rollout *r, bool supersedes)
{
	char from[256], to[256];
	json_t *row;

	if (supersedes) {
		rollout_supersede(s->rollout, t->now_ms);
		service_follow(s);
	}
	shares_text(s, s->share, from, sizeof(from));
	goal_text(s, r, to, sizeof(to));
	row = txn_record(t, s->cfg->name, from, to);
	json_object_set_new(row, "rollout", json_true());
	if (supersedes)
		end_rollout(t, s, row);
}

enum outcome begin_rollout(struct txn *t, struct world_service *s, struct rollout *r)
{
	enum place place = place_for(s);
	enum outcome o = check_candidate(t, s, r);

	if (!o && place == NOWHERE)
		o = refuse_running(t, s);
	if (!o)
		o = touch(t, s);
	if (o)
		return o;
	record(t, s, r, place == INSTEAD);
	if (place == BEHIND) {
		r->state = ROLLOUT_QUEUED;
		return put(t, s, &s->queued, r);
	}
	o = not_live(t, s, r);
	if (o)
		return o;
	service_settle(s, t->now_ms);
	service_ground(s, r);
	return put(t, s, &s->rollout, r);
}

/* ---- canary ---- */

/* The pool that the body names; of two, the one that is not live. */
static enum outcome candidate_of(struct txn *t, struct world_service **s, unsigned *out)
{
	enum outcome o = find_service(t, txn_text(t, "service"), s);
	const char *name = txn_text(t, "pool");
	struct world_pool *p;

	if (!o)
		o = name ? find_pool(t, *s, name, &p) : other_pool(t, *s, &p);
	if (!o)
		*out = pool_index(*s, p);
	return o;
}

static enum outcome bad_steps(struct txn *t)
{
	return tell(t->answer, OUT_BAD_REQUEST,
		    "canary.steps: expected 1 to %d rising percentages in steps of 0.01",
		    ROLLOUT_STEPS);
}

/* The body's steps, each as long as the file says; the one with everything may be left out. */
static enum outcome read_steps(struct txn *t, const struct cfg_each *each, struct rollout *r)
{
	json_t *list = json_object_get(t->body, "steps"), *value;
	uint16_t last = 0, share;
	size_t i;

	if (!json_array_size(list) || json_array_size(list) > ROLLOUT_STEPS)
		return bad_steps(t);
	r->n_steps = 0;
	json_array_foreach(list, i, value) {
		if (!share_units(value, &share) || share <= last)
			return bad_steps(t);
		r->steps[r->n_steps++] = (struct cfg_step){share, *each};
		last = share;
	}
	if (last == ZDD_SHARE_UNITS)
		return OUT_REACHED;
	if (r->n_steps == ROLLOUT_STEPS)
		return bad_steps(t);
	r->steps[r->n_steps++] = (struct cfg_step){ZDD_SHARE_UNITS, *each};
	return OUT_REACHED;
}

static void file_steps(const struct cfg_rollout *cfg, struct rollout *r)
{
	memcpy(r->steps, cfg->steps, sizeof(r->steps));
	r->n_steps = cfg->n_steps;
}

static void set_each(struct rollout *r, const json_t *ms, int until)
{
	for (unsigned i = 0; i < r->n_steps; i++) {
		struct cfg_each *each = &r->steps[i].each;

		if (json_is_integer(ms))
			each->min_ms = (uint32_t)json_integer_value(ms);
		if (each->max_ms && each->max_ms < each->min_ms)
			each->max_ms = each->min_ms;
		if (until >= 0)
			each->until = (enum until)until;
	}
}

static int find_until(const char *word)
{
	for (int i = 0; until_words[i]; i++)
		if (!strcmp(until_words[i], word))
			return i;
	return -1;
}

static enum outcome read_each(struct txn *t, const struct world_service *s, struct rollout *r)
{
	const char *word = txn_text(t, "until");
	int until = word ? find_until(word) : -1;

	if (word && until < 0)
		return tell(t->answer, OUT_BAD_REQUEST,
			    "canary.until: expected time, evidence, person or hook");
	if (until == UNTIL_HOOK && !s->cfg->rollout.hooks.argv[HOOK_GATE])
		return tell(t->answer, OUT_BAD_REQUEST,
			    "canary.until: hook wants rollout.hooks.gate in the configuration");
	set_each(r, json_object_get(t->body, "each_ms"), until);
	return OUT_REACHED;
}

enum outcome verb_canary(struct txn *t)
{
	struct world_service *s;
	struct rollout r;
	unsigned candidate;
	enum outcome o = candidate_of(t, &s, &candidate);

	if (o)
		return o;
	r = make_rollout(t, s, STRATEGY_CANARY, candidate);
	if (json_is_array(json_object_get(t->body, "steps")))
		o = read_steps(t, &s->cfg->rollout.each, &r);
	else
		file_steps(&s->cfg->rollout, &r);
	if (!o)
		o = read_each(t, s, &r);
	return o ? o : begin_rollout(t, s, &r);
}

/* ---- roll ---- */

static enum outcome no_room_to_roll(struct txn *t, const struct world_service *s, const char *why)
{
	t->answer->hopeless = true;
	return tell(t->answer, OUT_FAILED_SAFE, "%s: %s; nothing was done", s->cfg->name, why);
}

static enum outcome roll_in_place(struct txn *t, struct world_service *s)
{
	struct rollout r = make_rollout(t, s, STRATEGY_ROLLING, s->live);
	const struct cfg_rollout *cfg = &s->cfg->rollout;
	unsigned n = (unsigned)s->cfg->pools[s->live].n_backends;
	char why[256];

	if (cfg->strategy != STRATEGY_ROLLING)
		rolling_each(&r.steps[0].each);
	if (!cfg->hooks.argv[HOOK_UPDATE])
		return tell(t->answer, OUT_REFUSED,
			    "%s: to roll in place wants rollout.hooks.update in the configuration, "
			    "which puts the new version on a backend",
			    s->cfg->name);
	if (!rolling_batch(&cfg->batch, n)) {
		rolling_plan_text(&cfg->batch, n, 0, why, sizeof(why));
		return no_room_to_roll(t, s, why);
	}
	r.rolling.in_place = true;
	return begin_rollout(t, s, &r);
}

static enum outcome roll_to(struct txn *t, struct world_service *s, unsigned candidate)
{
	struct rollout r = make_rollout(t, s, STRATEGY_ROLLING, candidate);
	unsigned n_old = (unsigned)s->cfg->pools[s->live].n_backends;
	unsigned n_new = (unsigned)s->cfg->pools[candidate].n_backends;
	enum outcome o = check_candidate(t, s, &r);
	char why[256];

	if (o)
		return o;
	r.n_steps = rolling_steps(&s->cfg->rollout.batch, n_old, n_new, r.steps);
	if (r.n_steps)
		return begin_rollout(t, s, &r);
	rolling_steps_text(&s->cfg->rollout.batch, n_old, n_new, 0, why, sizeof(why));
	return no_room_to_roll(t, s, why);
}

enum outcome verb_roll(struct txn *t)
{
	const char *pool = txn_text(t, "pool");
	struct world_service *s;
	struct world_pool *p;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	if (!o && pool)
		o = find_pool(t, s, pool, &p);
	if (o)
		return o;
	return !pool || pool_index(s, p) == s->live ? roll_in_place(t, s)
						    : roll_to(t, s, pool_index(s, p));
}

/* ---- experiment ---- */

/* What it will stand on, once a rollout that runs is out of the way. */
static const uint16_t *base_of(const struct world_service *s)
{
	const struct rollout *r = service_rollout(s);

	return r && rollout_state_phase(r->state) != PHASE_LATE ? r->base : s->share;
}

/* Of the arms that get more, the one that the answer names: the one that gets most. */
static unsigned arm_of(const struct world_service *s, const uint16_t *share)
{
	const uint16_t *before = base_of(s);
	unsigned best = s->live;

	for (unsigned i = 0; i < s->cfg->n_pools; i++)
		if (i != s->live && share[i] > before[i] &&
		    (best == s->live || share[i] > share[best]))
			best = i;
	return best;
}

static enum outcome check_arms(struct txn *t, const struct world_service *s,
			       const struct rollout *r)
{
	const uint16_t *before = base_of(s);
	struct rollout arm = *r;
	enum outcome o = OUT_REACHED;

	if (r->candidate == s->live || !r->fixed[s->live])
		return tell(t->answer, OUT_REFUSED,
			    "%s: an experiment gives other pools more than they have, and leaves "
			    "%s, which is live, some",
			    s->cfg->name, s->cfg->pools[s->live].name);
	for (arm.candidate = 0; arm.candidate < s->cfg->n_pools && !o; arm.candidate++)
		if (r->fixed[arm.candidate] > before[arm.candidate])
			o = check_candidate(t, s, &arm);
	return o;
}

enum outcome verb_experiment(struct txn *t)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE] = {0};
	struct world_service *s;
	struct rollout r;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	if (!o)
		o = read_shares(t, s, base_of(s), share);
	if (o)
		return o;
	r = make_rollout(t, s, STRATEGY_EXPERIMENT, arm_of(s, share));
	memcpy(r.fixed, share, sizeof(r.fixed));
	r.steps[0].share = share[r.candidate];
	o = check_arms(t, s, &r);
	return o ? o : begin_rollout(t, s, &r);
}

/* ---- flip ---- */

bool flips_by_rollout(const struct txn *t, const struct world_service *s)
{
	return s->cfg->rollout.set && s->cfg->rollout.strategy == STRATEGY_FLIP &&
	       !txn_flag(t, "force");
}

enum outcome begin_flip(struct txn *t, struct world_service *s, unsigned pool)
{
	struct rollout r = make_rollout(t, s, STRATEGY_FLIP, pool);

	return begin_rollout(t, s, &r);
}
