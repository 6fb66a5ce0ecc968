/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>
#include <stdio.h>

#include "config_json.h"
#include "evidence.h"
#include "rolling.h"
#include "rollout_plan.h"

enum { PLAN_TEXT = 400 };

void rollout_title(const struct world_service *s, const struct rollout *r, char *out, size_t size)
{
	const char *candidate = s->cfg->pools[r->candidate].name;

	if (r->rolling.in_place)
		snprintf(out, size, "update of %s in place", candidate);
	else if (r->strategy == STRATEGY_EXPERIMENT)
		snprintf(out, size, "experiment");
	else
		snprintf(out, size, "%s to %s", strategy_words[r->strategy], candidate);
}

/* ---- how long a decision takes ---- */

double errors_to_decide(double alpha, double rho, double share)
{
	double theta = rho * share / (1 + share * (rho - 1));
	double distance = theta * log(theta / share) + (1 - theta) * log((1 - theta) / (1 - share));

	return (log(1 / alpha) + log(N_WORSE)) / distance;
}

/* Of the candidate, until its rate is known to be below slo; INFINITY: it is not. */
static double connections_for_slo(double beta, double slo, double bad)
{
	static const double parts[N_SLO] = {.05, .25, .6};
	double best = 0;

	for (size_t i = 0; i < N_SLO; i++) {
		double p = parts[i] * slo;

		best = fmax(best, bad * log(p / slo) + (1 - bad) * log((1 - p) / (1 - slo)));
	}
	return best > 0 ? (log(1 / beta) + log(N_SLO)) / best : INFINITY;
}

double seconds_to_decide(const struct cfg_judge *judge, const struct cfg_step *step,
			 const struct txn_rate *rate)
{
	double share = (double)step->share / ZDD_SHARE_UNITS;
	double slo = judge->slo_bp / 10000.0, ok = INFINITY, by_slo = INFINITY;

	if (!(rate->per_s > 0) || share >= 1)
		return INFINITY;
	if (rate->bad > 0)
		ok = errors_to_decide(judge->beta_bp / 10000.0, judge->margin_hundredths / 100.0,
				      share) /
		     (rate->per_s * rate->bad);
	if (slo > 0)
		by_slo = connections_for_slo(judge->beta_bp / 10000.0, slo, rate->bad) /
			 (rate->per_s * share);
	return fmax(fmin(ok, by_slo), step->each.min_connections / (rate->per_s * share));
}

static void decision_text(const struct cfg_judge *judge, const struct cfg_step *step,
			  const struct txn_rate *rate, char *out, size_t size)
{
	double s =
		rate ? fmax(seconds_to_decide(judge, step, rate), step->each.min_ms / 1000.0) : 0;

	if (!rate)
		snprintf(out, size, "; how long a decision takes is not known");
	else if (!(rate->per_s > 0))
		snprintf(out, size, "; without new connections there is no decision");
	else if (isinf(s))
		snprintf(out, size,
			 "; without errors to compare there is no decision (judge.slo needs none)");
	else if (s < 90)
		snprintf(out, size, "; a decision takes about %.0f s at %.3g new connections/s", s,
			 rate->per_s);
	else
		snprintf(out, size,
			 "; a decision takes about %.0f minutes at %.3g new connections/s", s / 60,
			 rate->per_s);
}

/* ---- steps ---- */

static bool is_up(const struct world_service *s, const struct world_backend *b)
{
	return b->admin == ADMIN_READY && !backend_is_ejected(b) &&
	       (s->cfg->health.type == HEALTH_NONE || b->health.state == HEALTH_UP);
}

/* "green 5 % (2 of 2 backends up)". */
static void pool_text(const struct world_service *s, unsigned pool, uint16_t share, char *out,
		      size_t size)
{
	const struct world_pool *p = &s->pools[pool];
	unsigned up = 0;

	for (size_t i = 0; i < p->cfg->n_backends; i++)
		up += is_up(s, &p->backends[i]);
	snprintf(out, size, "%.63s %g %% (%u of %zu backends up)", p->cfg->name, share / 100.0, up,
		 p->cfg->n_backends);
}

/* "until evidence, 10m to 1h". */
static void until_text(const struct cfg_each *each, char *out, size_t size)
{
	char min[DURATION_TEXT], max[DURATION_TEXT];

	format_duration(min, sizeof(min), each->min_ms);
	format_duration(max, sizeof(max), each->max_ms);
	if (each->until == UNTIL_TIME)
		snprintf(out, size, "for %s", min);
	else if (each->until == UNTIL_EVIDENCE && each->max_ms)
		snprintf(out, size, "until evidence, %s to %s", min, max);
	else
		snprintf(out, size, "until %s%s, %s at least",
			 each->until == UNTIL_EVIDENCE ? "" : "a ", until_words[each->until], min);
}

static void say_step(const struct world_service *s, const struct rollout *r, unsigned i,
		     const struct txn_rate *rate, json_t *changes)
{
	const struct cfg_rollout *cfg = &s->cfg->rollout;
	const struct cfg_step *step = &r->steps[i];
	struct rollout then = *r;
	uint16_t share[ZDD_POOLS_PER_SERVICE];
	char mine[160], theirs[160], until[80], decision[160] = "";

	then.state = i + 1 < r->n_steps ? ROLLOUT_WATCHING : ROLLOUT_PROMOTED;
	then.step = i;
	rollout_shares(&then, share);
	pool_text(s, r->candidate, share[r->candidate], mine, sizeof(mine));
	pool_text(s, r->previous, share[r->previous], theirs, sizeof(theirs));
	until_text(&step->each, until, sizeof(until));
	if (step->each.until == UNTIL_EVIDENCE && cfg->judge.mode != JUDGE_OFF)
		decision_text(&cfg->judge, step, rate, decision, sizeof(decision));
	if (i + 1 < r->n_steps)
		json_say(changes, "step %u of %u: %s, %s; %s%s", i + 1, r->n_steps, mine, theirs,
			 until, decision);
	else
		json_say(changes, "step %u of %u: %s, %s", i + 1, r->n_steps, mine, theirs);
}

static void say_experiment(const struct world_service *s, const struct rollout *r, json_t *changes)
{
	char text[PLAN_TEXT];

	for (unsigned i = 0; i < s->cfg->n_pools; i++) {
		if (!r->fixed[i])
			continue;
		pool_text(s, i, r->fixed[i], text, sizeof(text));
		json_say(changes, "%s, until abort", text);
	}
}

static void say_batches(const struct world_service *s, const struct rollout *r, json_t *changes)
{
	const struct cfg_batch *batch = &s->cfg->rollout.batch;
	unsigned n_old = (unsigned)s->cfg->pools[r->previous].n_backends;
	unsigned n_new = (unsigned)s->cfg->pools[r->candidate].n_backends;
	char text[PLAN_TEXT];

	for (unsigned i = 0;
	     r->rolling.in_place ? rolling_plan_text(batch, n_new, i, text, sizeof(text))
				 : rolling_steps_text(batch, n_old, n_new, i, text, sizeof(text));
	     i++)
		json_say(changes, "%s", text);
	format_duration(text, sizeof(text), s->cfg->slow_start_ms);
	if (r->rolling.in_place && s->cfg->slow_start_ms)
		json_say(changes,
			 "each has all of its weight (slow start, %s) before the next one goes",
			 text);
}

static void say_bake(const struct world_service *s, const struct rollout *r, json_t *changes)
{
	char bake[DURATION_TEXT];

	format_duration(bake, sizeof(bake), r->bake_ms);
	if (r->bake_ms && r->rolling.in_place)
		json_say(changes, "then %s of watching", bake);
	else if (r->bake_ms)
		json_say(changes, "then %s of watching, %s is kept warm", bake,
			 s->cfg->pools[r->previous].name);
}

void rollout_plan(const struct world_service *s, const struct rollout *r,
		  const struct txn_rate *rate, json_t *changes)
{
	if (r->strategy == STRATEGY_EXPERIMENT) {
		say_experiment(s, r, changes);
		return;
	}
	if (r->strategy == STRATEGY_ROLLING)
		say_batches(s, r, changes);
	for (unsigned i = 0; r->strategy != STRATEGY_ROLLING && i < r->n_steps; i++)
		say_step(s, r, i, rate, changes);
	say_bake(s, r, changes);
}
