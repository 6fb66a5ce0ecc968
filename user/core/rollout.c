/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>

#include "rolling.h"
#include "rollout_int.h"

/* ---- from state to state ---- */

bool rollout_go(struct rollout *r, const struct rollout_facts *f, enum rollout_state state)
{
	r->state = state;
	r->state_ms = f->now_ms;
	r->hook_state = HOOK_NOT;
	return true;
}

bool rollout_enter(struct rollout *r, const struct rollout_facts *f, enum rollout_state state,
		   const char *why, ...)
{
	va_list args;

	va_start(args, why);
	vsnprintf(r->why, sizeof(r->why), why, args);
	va_end(args);
	return rollout_go(r, f, state);
}

bool rollout_ask(struct rollout *r, const struct cfg_rollout *cfg, enum rollout_hook kind)
{
	if (!cfg->hooks.argv[kind] || (r->hook == kind && r->hook_state != HOOK_NOT))
		return false;
	r->hook = kind;
	r->hook_state = HOOK_DUE;
	return true;
}

bool rollout_hook_is_due(const struct rollout *r, enum rollout_hook kind)
{
	return r->hook == kind && r->hook_state == HOOK_DUE;
}

bool rollout_note_hook(struct rollout *r, const struct rollout_facts *f)
{
	if (r->hook_state != HOOK_DUE || f->hook != HOOK_OK)
		return false;
	r->hook_state = HOOK_DONE;
	return true;
}

void rollout_stand(struct rollout *r, const struct rollout_facts *f, enum rollout_state state)
{
	enum hook_state kept = r->hook_state;

	rollout_go(r, f, state);
	r->hook_state = kept;
}

bool rollout_pause(struct rollout *r, const struct rollout_facts *f, const char *why)
{
	r->paused_in = r->state;
	r->doubt = 0;
	rollout_stand(r, f, ROLLOUT_PAUSED);
	snprintf(r->why, sizeof(r->why), "%s", why);
	return true;
}

/* What a person has been told and let go on is not said again in the same step. */
static bool look_doubt(struct rollout *r, const struct rollout_facts *f)
{
	unsigned doubt = 1u << f->verdict.why;

	if (f->verdict.result != JUDGE_PAUSED || r->forgiven & doubt)
		return false;
	rollout_pause(r, f, f->verdict_text);
	r->doubt = doubt;
	return true;
}

static bool take_back(struct rollout *r, const struct rollout_facts *f, const char *why)
{
	return rollout_enter(r, f, rollout_has_share(r) ? ROLLOUT_ROLLED_BACK : ROLLOUT_FAILED_SAFE,
			     "%s", why);
}

bool rollout_shift(struct rollout *r, const struct rollout_facts *f, unsigned step)
{
	if (r->step != step)
		r->forgiven = 0;
	r->step = step;
	r->watched_ms = 0;
	rollout_go(r, f, ROLLOUT_SHIFTING);
	if (r->strategy == STRATEGY_EXPERIMENT)
		snprintf(r->why, sizeof(r->why), "the shares that were asked for");
	else
		snprintf(r->why, sizeof(r->why), "step %u of %u: %g %%", step + 1, r->n_steps,
			 rollout_share(r) / 100.0);
	return true;
}

static bool promoted(struct rollout *r, const struct rollout_facts *f)
{
	r->step = r->n_steps - 1;
	r->watched_ms = 0;
	return rollout_enter(r, f, ROLLOUT_PROMOTED, "all new flows go to the candidate");
}

/* The last step is the one with everything: to reach it is to be promoted. */
bool rollout_next_step(struct rollout *r, const struct rollout_facts *f)
{
	if (r->step + 2 >= r->n_steps || r->full)
		return promoted(r, f);
	return rollout_shift(r, f, r->step + 1);
}

static bool first_step(struct rollout *r, const struct rollout_facts *f)
{
	if (r->strategy != STRATEGY_EXPERIMENT && (r->n_steps == 1 || r->full))
		return promoted(r, f);
	return rollout_shift(r, f, 0);
}

/* ---- before traffic moves ---- */

static bool look_queued(struct rollout *r, const struct rollout_facts *f)
{
	return f->may_begin && rollout_enter(r, f, ROLLOUT_STAGING, "%s", "");
}

static bool wait_for_fit(struct rollout *r, const struct rollout_facts *f)
{
	r->watched_ms += f->passed_ms;
	if (r->watched_ms < r->staging_ms)
		return false;
	return rollout_enter(r, f, ROLLOUT_FAILED_SAFE, "the candidate did not come up: %s",
			     f->trouble);
}

static bool look_staging(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	if (rollout_ask(r, cfg, HOOK_START))
		return true;
	if (rollout_hook_is_due(r, HOOK_START)) {
		if (f->hook == HOOK_FAILED)
			return take_back(r, f, f->hook_text);
		return rollout_note_hook(r, f);
	}
	if (f->fit) {
		r->watched_ms = 0;
		return rollout_enter(r, f, ROLLOUT_GATE, "%s", "");
	}
	return wait_for_fit(r, f);
}

/* Once the hook has let it through, it only waits for a candidate that went away meanwhile. */
static bool look_gate(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	if (rollout_ask(r, cfg, HOOK_GATE))
		return true;
	if (rollout_hook_is_due(r, HOOK_GATE)) {
		if (f->hook == HOOK_FAILED)
			return take_back(r, f, f->hook_text);
		return rollout_note_hook(r, f);
	}
	return f->fit ? first_step(r, f) : wait_for_fit(r, f);
}

/* ---- steps ---- */

/* What ends a rollout in whatever state its candidate has a share in. */
static bool look_danger(struct rollout *r, const struct rollout_facts *f)
{
	if (f->breaker)
		return rollout_enter(
			r, f, ROLLOUT_ROLLED_BACK,
			"breaker: so many of the candidate's connections failed that the data "
			"path took its share away");
	if (f->lease_out)
		return rollout_enter(
			r, f, ROLLOUT_ROLLED_BACK,
			"lease: it was not renewed in time, the data path took the share away");
	if (f->verdict.result == JUDGE_ROLLED_BACK)
		return rollout_enter(r, f, ROLLOUT_ROLLED_BACK, "%s", f->verdict_text);
	if (f->dead)
		return rollout_enter(r, f, ROLLOUT_ROLLED_BACK,
				     "no backend of the candidate is up: %s", f->trouble);
	return false;
}

/* The step's time is over, and the evidence decides nothing. */
static bool inconclusive(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	switch (cfg->on_inconclusive) {
	case INCONCLUSIVE_EXTEND:
		return false;
	case INCONCLUSIVE_PROMOTE:
		return rollout_next_step(r, f);
	case INCONCLUSIVE_ABORT:
		return rollout_enter(r, f, ROLLOUT_ROLLED_BACK, "inconclusive: %s", f->undecided);
	case INCONCLUSIVE_PAUSE:
		break;
	}
	return rollout_enter(r, f, ROLLOUT_INCONCLUSIVE, "%s", f->undecided);
}

static bool watch_evidence(struct rollout *r, const struct cfg_rollout *cfg,
			   const struct rollout_facts *f)
{
	const struct cfg_each *each = &r->steps[r->step].each;

	if (f->verdict.result == JUDGE_PASSED && r->watched_ms >= each->min_ms)
		return rollout_next_step(r, f);
	return each->max_ms && r->watched_ms >= each->max_ms && inconclusive(r, cfg, f);
}

/* A judge that only looks on ends no step: then its time does. */
static enum until until_of(const struct cfg_each *each, const struct cfg_rollout *cfg)
{
	return each->until == UNTIL_EVIDENCE && cfg->judge.mode != JUDGE_ON ? UNTIL_TIME
									    : each->until;
}

static bool look_watching(struct rollout *r, const struct cfg_rollout *cfg,
			  const struct rollout_facts *f)
{
	const struct cfg_each *each = &r->steps[r->step].each;
	enum until until = until_of(each, cfg);

	r->watched_ms += f->passed_ms;
	if (look_doubt(r, f))
		return true;
	if (r->strategy == STRATEGY_EXPERIMENT)
		return false; /* until a person ends it */
	if (until == UNTIL_EVIDENCE)
		return watch_evidence(r, cfg, f);
	if (r->watched_ms < each->min_ms)
		return false;
	if (until == UNTIL_TIME)
		return rollout_next_step(r, f);
	return rollout_enter(r, f, ROLLOUT_WAITING, "%s",
			     until == UNTIL_HOOK ? "the gate hook has yet to let it go on"
						 : "a person has yet to promote it");
}

static bool look_waiting(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	if (look_doubt(r, f))
		return true;
	if (r->steps[r->step].each.until != UNTIL_HOOK)
		return false;
	if (rollout_ask(r, cfg, HOOK_GATE))
		return true;
	if (rollout_hook_is_due(r, HOOK_GATE) && f->hook == HOOK_FAILED)
		return take_back(r, f, f->hook_text);
	if (rollout_hook_is_due(r, HOOK_GATE) && f->hook == HOOK_NO_RESULT)
		return false;
	return rollout_next_step(r, f);
}

static bool look_step(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	if (look_danger(r, f))
		return true;
	switch (r->state) {
	case ROLLOUT_SHIFTING:
		return f->in_force && rollout_go(r, f, ROLLOUT_WATCHING);
	case ROLLOUT_WATCHING:
		return look_watching(r, cfg, f);
	case ROLLOUT_WAITING:
		return look_waiting(r, cfg, f);
	default:
		return false; /* inconclusive: a person decides */
	}
}

/* ---- promoted ---- */

/* The old version may be gone from when its stop hook is asked for: no way leads back then. */
static bool look_stop(struct rollout *r, const struct rollout_facts *f)
{
	if (f->hook == HOOK_NO_RESULT)
		return false;
	return rollout_enter(r, f, ROLLOUT_STABLE, "the bake is over%s%s",
			     f->hook == HOOK_FAILED ? "; " : "",
			     f->hook == HOOK_FAILED ? f->hook_text : "");
}

static bool look_bake(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	if (rollout_hook_is_due(r, HOOK_STOP))
		return look_stop(r, f);
	if (look_danger(r, f))
		return true;
	r->watched_ms += f->passed_ms;
	if (r->watched_ms < r->bake_ms)
		return false;
	if (!cfg->hooks.argv[HOOK_STOP])
		return rollout_enter(r, f, ROLLOUT_STABLE, "the bake is over");
	return f->empty && rollout_ask(r, cfg, HOOK_STOP);
}

static bool look_promoted(struct rollout *r, const struct rollout_facts *f)
{
	return look_danger(r, f) || (f->in_force && rollout_go(r, f, ROLLOUT_BAKE));
}

/* ---- all ---- */

/* A hook that ran when it was paused may end; a failure counts when it goes on. */
static bool look_paused(struct rollout *r, const struct rollout_facts *f)
{
	return (rollout_has_share(r) && !r->rolling.in_place && look_danger(r, f)) ||
	       rollout_note_hook(r, f);
}

static bool look(struct rollout *r, const struct cfg_rollout *cfg, const struct rollout_facts *f)
{
	if (r->state == ROLLOUT_PAUSED)
		return look_paused(r, f);
	if (r->rolling.in_place && r->state != ROLLOUT_QUEUED)
		return rolling_look(r, cfg, f);
	switch (r->state) {
	case ROLLOUT_QUEUED:
		return look_queued(r, f);
	case ROLLOUT_STAGING:
		return look_staging(r, cfg, f);
	case ROLLOUT_GATE:
		return look_gate(r, cfg, f);
	case ROLLOUT_PROMOTED:
		return look_promoted(r, f);
	case ROLLOUT_BAKE:
		return look_bake(r, cfg, f);
	default:
		return rollout_is_over(r) ? false : look_step(r, cfg, f);
	}
}

/* A judge in shadow is heard and not obeyed; the limits that a person set are no guess of its. */
static bool is_obeyed(const struct cfg_rollout *cfg, enum judge_why why)
{
	return cfg->judge.mode == JUDGE_ON || why == WHY_GUARD || why == WHY_BOTH;
}

bool rollout_look(struct rollout *r, const struct cfg_rollout *cfg, const struct rollout_facts *f)
{
	struct rollout_facts heeded = *f;

	if (!is_obeyed(cfg, f->verdict.why))
		heeded.verdict = (struct judge_verdict){0};
	return look(r, cfg, &heeded);
}

void rollout_take_back(struct rollout *r, uint64_t now_ms, const char *why)
{
	take_back(r, &(struct rollout_facts){.now_ms = now_ms}, why);
}
