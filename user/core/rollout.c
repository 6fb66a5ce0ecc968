/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rolling.h"
#include "rollout.h"

/* ---- what should be so ---- */

static bool is_back(enum rollout_state state)
{
	return state == ROLLOUT_ABORTED || state == ROLLOUT_SUPERSEDED ||
	       state == ROLLOUT_ROLLED_BACK || state == ROLLOUT_FAILED_SAFE;
}

static bool has_share(const struct rollout *r)
{
	enum rollout_state state = r->state == ROLLOUT_PAUSED ? r->paused_in : r->state;

	return !is_back(state) && rollout_state_phase(state) != PHASE_EARLY;
}

static bool is_promoted(const struct rollout *r)
{
	return rollout_state_phase(r->state) == PHASE_LATE || r->state == ROLLOUT_STABLE;
}

uint16_t rollout_share(const struct rollout *r)
{
	if (r->rolling.in_place || !has_share(r))
		return r->base[r->candidate];
	if (r->strategy == STRATEGY_EXPERIMENT)
		return r->fixed[r->candidate];
	return is_promoted(r) ? ZDD_SHARE_UNITS : r->steps[r->step].share;
}

/* The others keep their proportions; what rounding leaves is the previous pool's. */
static void shrink_rest(const struct rollout *r, uint16_t mine, uint16_t *share)
{
	unsigned rest = ZDD_SHARE_UNITS - mine, had = ZDD_SHARE_UNITS - r->base[r->candidate];
	unsigned given = mine;

	for (unsigned i = 0; i < ZDD_POOLS_PER_SERVICE; i++) {
		if (i == r->candidate || i == r->previous)
			continue;
		share[i] = (uint16_t)(had ? rest * r->base[i] / had : 0);
		given += share[i];
	}
	share[r->candidate] = mine;
	share[r->previous] = (uint16_t)(ZDD_SHARE_UNITS - given);
}

void rollout_shares(const struct rollout *r, uint16_t share[ZDD_POOLS_PER_SERVICE])
{
	bool experiment = r->strategy == STRATEGY_EXPERIMENT;

	if (r->rolling.in_place || !has_share(r))
		memcpy(share, r->base, sizeof(r->base));
	else if (experiment)
		memcpy(share, r->fixed, sizeof(r->fixed));
	else
		shrink_rest(r, rollout_share(r), share);
}

bool rollout_is_leased(const struct rollout *r)
{
	return r->strategy == STRATEGY_CANARY && has_share(r) && !is_promoted(r);
}

bool rollout_is_judged(const struct rollout *r)
{
	return has_share(r) && !rollout_is_over(r) && !r->rolling.in_place &&
	       r->strategy != STRATEGY_ROLLING;
}

void rollout_token(const struct rollout *r, char *out)
{
	int len = snprintf(out, ROLLOUT_TOKEN, "%llu-%u-%s", (unsigned long long)r->number,
			   r->step + 1, hook_words[r->hook]);

	if (r->hook == HOOK_UPDATE)
		snprintf(out + len, (size_t)(ROLLOUT_TOKEN - len), "-%u%s",
			 r->rolling.first + r->rolling.unit, r->rolling.back ? "-back" : "");
}

/* ---- from state to state ---- */

static bool go(struct rollout *r, const struct rollout_facts *f, enum rollout_state state)
{
	r->state = state;
	r->state_ms = f->now_ms;
	r->hook_state = HOOK_NOT;
	return true;
}

__attribute__((format(printf, 4, 5))) static bool enter(struct rollout *r,
							const struct rollout_facts *f,
							enum rollout_state state, const char *why,
							...)
{
	va_list args;

	va_start(args, why);
	vsnprintf(r->why, sizeof(r->why), why, args);
	va_end(args);
	return go(r, f, state);
}

/* Asks for the hook when there is one that has not run in this state. Returns whether it is due. */
static bool ask_hook(struct rollout *r, const struct cfg_rollout *cfg, enum rollout_hook kind)
{
	if (!cfg->hooks.argv[kind] || (r->hook == kind && r->hook_state != HOOK_NOT))
		return false;
	r->hook = kind;
	r->hook_state = HOOK_DUE;
	return true;
}

static bool hook_is_due(const struct rollout *r, enum rollout_hook kind)
{
	return r->hook == kind && r->hook_state == HOOK_DUE;
}

static bool take_back(struct rollout *r, const struct rollout_facts *f, const char *why)
{
	return enter(r, f, has_share(r) ? ROLLOUT_ROLLED_BACK : ROLLOUT_FAILED_SAFE, "%s", why);
}

static bool shift(struct rollout *r, const struct rollout_facts *f, unsigned step)
{
	r->step = step;
	r->watched_ms = 0;
	return enter(r, f, ROLLOUT_SHIFTING, "step %u of %u: %g %%", step + 1, r->n_steps,
		     r->steps[step].share / 100.0);
}

static bool promoted(struct rollout *r, const struct rollout_facts *f)
{
	r->step = r->n_steps - 1;
	r->watched_ms = 0;
	return enter(r, f, ROLLOUT_PROMOTED, "all new flows go to the candidate");
}

/* The last step is the one with everything: to reach it is to be promoted. */
static bool next_step(struct rollout *r, const struct rollout_facts *f)
{
	if (r->step + 2 >= r->n_steps || r->full)
		return promoted(r, f);
	return shift(r, f, r->step + 1);
}

static bool first_step(struct rollout *r, const struct rollout_facts *f)
{
	if (r->strategy != STRATEGY_EXPERIMENT && (r->n_steps == 1 || r->full))
		return promoted(r, f);
	return shift(r, f, 0);
}

/* ---- before traffic moves ---- */

static bool look_queued(struct rollout *r, const struct rollout_facts *f)
{
	return f->may_begin && enter(r, f, ROLLOUT_STAGING, "%s", "");
}

static bool look_staging(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	if (ask_hook(r, cfg, HOOK_START))
		return true;
	if (hook_is_due(r, HOOK_START)) {
		if (f->hook == HOOK_FAILED)
			return take_back(r, f, f->hook_text);
		if (f->hook == HOOK_OK)
			r->hook_state = HOOK_DONE;
		return f->hook == HOOK_OK;
	}
	if (f->fit)
		return enter(r, f, ROLLOUT_GATE, "%s", "");
	r->watched_ms += f->passed_ms;
	if (r->watched_ms < r->staging_ms)
		return false;
	return enter(r, f, ROLLOUT_FAILED_SAFE, "the candidate did not come up: %s", f->trouble);
}

static bool look_gate(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	if (ask_hook(r, cfg, HOOK_GATE))
		return true;
	if (hook_is_due(r, HOOK_GATE) && f->hook == HOOK_NO_RESULT)
		return false;
	if (hook_is_due(r, HOOK_GATE) && f->hook == HOOK_FAILED)
		return take_back(r, f, f->hook_text);
	if (!f->fit)
		return enter(r, f, ROLLOUT_STAGING, "%s", f->trouble);
	return first_step(r, f);
}

/* ---- steps ---- */

/* What ends a rollout in whatever state its candidate has a share in. */
static bool look_danger(struct rollout *r, const struct rollout_facts *f)
{
	if (f->breaker)
		return enter(r, f, ROLLOUT_ROLLED_BACK,
			     "breaker: so many of the candidate's connections failed that the data "
			     "path took its share away");
	if (f->lease_out)
		return enter(
			r, f, ROLLOUT_ROLLED_BACK,
			"lease: it was not renewed in time, the data path took the share away");
	if (f->verdict.result == JUDGE_ROLLED_BACK)
		return enter(r, f, ROLLOUT_ROLLED_BACK, "%s", f->verdict_text);
	if (f->dead)
		return enter(r, f, ROLLOUT_ROLLED_BACK, "no backend of the candidate is up: %s",
			     f->trouble);
	return false;
}

static bool stand_still(struct rollout *r, const struct rollout_facts *f, const char *why)
{
	r->paused_in = ROLLOUT_WATCHING;
	return enter(r, f, ROLLOUT_PAUSED, "%s", why);
}

static bool inconclusive(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	switch (cfg->on_inconclusive) {
	case INCONCLUSIVE_EXTEND:
		return false;
	case INCONCLUSIVE_PROMOTE:
		return next_step(r, f);
	case INCONCLUSIVE_ABORT:
		return enter(r, f, ROLLOUT_ROLLED_BACK, "inconclusive: %s", f->verdict_text);
	case INCONCLUSIVE_PAUSE:
		break;
	}
	return enter(r, f, ROLLOUT_INCONCLUSIVE, "%s", f->verdict_text);
}

static bool watch_evidence(struct rollout *r, const struct cfg_rollout *cfg,
			   const struct rollout_facts *f)
{
	if (f->verdict.result == JUDGE_PASSED && r->watched_ms >= r->steps[r->step].each.min_ms)
		return next_step(r, f);
	if (f->verdict.result == JUDGE_INCONCLUSIVE)
		return inconclusive(r, cfg, f);
	return false;
}

static bool look_watching(struct rollout *r, const struct cfg_rollout *cfg,
			  const struct rollout_facts *f)
{
	const struct cfg_each *each = &r->steps[r->step].each;

	r->watched_ms += f->passed_ms;
	if (f->verdict.result == JUDGE_PAUSED)
		return stand_still(r, f, f->verdict_text);
	if (r->strategy == STRATEGY_EXPERIMENT)
		return false; /* until a person ends it */
	if (each->until == UNTIL_EVIDENCE)
		return watch_evidence(r, cfg, f);
	if (r->watched_ms < each->min_ms)
		return false;
	if (each->until == UNTIL_TIME)
		return next_step(r, f);
	return enter(r, f, ROLLOUT_WAITING, "%s",
		     each->until == UNTIL_HOOK ? "the gate hook has yet to let it go on"
					       : "a person has yet to promote it");
}

static bool look_waiting(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	if (f->verdict.result == JUDGE_PAUSED)
		return stand_still(r, f, f->verdict_text);
	if (r->steps[r->step].each.until != UNTIL_HOOK)
		return false;
	if (ask_hook(r, cfg, HOOK_GATE))
		return true;
	if (!hook_is_due(r, HOOK_GATE) || f->hook == HOOK_OK)
		return next_step(r, f);
	return f->hook == HOOK_FAILED && take_back(r, f, f->hook_text);
}

static bool look_step(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	if (look_danger(r, f))
		return true;
	switch (r->state) {
	case ROLLOUT_SHIFTING:
		return f->in_force && go(r, f, ROLLOUT_WATCHING);
	case ROLLOUT_WATCHING:
		return look_watching(r, cfg, f);
	case ROLLOUT_WAITING:
		return look_waiting(r, cfg, f);
	default:
		return false; /* inconclusive: a person decides */
	}
}

/* ---- promoted ---- */

static bool look_bake(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	if (look_danger(r, f))
		return true;
	r->watched_ms += f->passed_ms;
	if (r->watched_ms < r->bake_ms)
		return false;
	if (!cfg->hooks.argv[HOOK_STOP])
		return enter(r, f, ROLLOUT_STABLE, "the bake is over");
	if (!f->empty)
		return false;
	if (ask_hook(r, cfg, HOOK_STOP))
		return true;
	if (hook_is_due(r, HOOK_STOP) && f->hook == HOOK_NO_RESULT)
		return false;
	return enter(r, f, ROLLOUT_STABLE, "the bake is over%s%s",
		     f->hook == HOOK_FAILED ? "; " : "",
		     f->hook == HOOK_FAILED ? f->hook_text : "");
}

/* ---- all ---- */

static bool look_paused(struct rollout *r, const struct rollout_facts *f)
{
	return has_share(r) && look_danger(r, f);
}

bool rollout_look(struct rollout *r, const struct cfg_rollout *cfg, const struct rollout_facts *f)
{
	if (r->rolling.in_place && r->state != ROLLOUT_QUEUED)
		return rolling_look(r, cfg, f);
	switch (r->state) {
	case ROLLOUT_QUEUED:
		return look_queued(r, f);
	case ROLLOUT_STAGING:
		return look_staging(r, cfg, f);
	case ROLLOUT_GATE:
		return look_gate(r, cfg, f);
	case ROLLOUT_PAUSED:
		return look_paused(r, f);
	case ROLLOUT_PROMOTED:
		return f->in_force && go(r, f, ROLLOUT_BAKE);
	case ROLLOUT_BAKE:
		return look_bake(r, cfg, f);
	default:
		return rollout_is_over(r) ? false : look_step(r, cfg, f);
	}
}

/* ---- people ---- */

static void promote(struct rollout *r, const struct rollout_facts *f)
{
	if (r->state == ROLLOUT_PAUSED && r->paused_in < ROLLOUT_SHIFTING)
		enter(r, f, r->paused_in, "%s", "");
	else if (r->strategy == STRATEGY_EXPERIMENT)
		shift(r, f, 0);
	else
		next_step(r, f);
}

int rollout_do(struct rollout *r, enum rollout_verb verb, const char *who, const char *why,
	       uint64_t now_ms, char *error)
{
	struct rollout_facts f = {.now_ms = now_ms};
	const char *colon = *why ? ": " : "";
	int err = rollout_allows(r, verb, error);

	if (err)
		return err;
	if (verb == DO_PROMOTE || verb == DO_PROMOTE_FULL) {
		r->full |= verb == DO_PROMOTE_FULL;
		promote(r, &f);
	} else if (verb == DO_PAUSE) {
		r->paused_in = r->state;
		enter(r, &f, ROLLOUT_PAUSED, "by %s%s%s", who, colon, why);
	} else if (verb == DO_RESUME) {
		enter(r, &f, r->paused_in, "resumed by %s%s%s", who, colon, why);
	} else {
		enter(r, &f, ROLLOUT_ABORTED, "by %s%s%s", who, colon, why);
	}
	return 0;
}

void rollout_supersede(struct rollout *r, uint64_t now_ms)
{
	enter(r, &(struct rollout_facts){.now_ms = now_ms}, ROLLOUT_SUPERSEDED,
	      "another rollout took its place");
}
