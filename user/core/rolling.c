/* SPDX-License-Identifier: BSD-2-Clause */
/* Rolling in place, the machine. */
#include <stdio.h>

#include "rolling.h"
#include "rollout_int.h"

const char *const rolling_step_words[] = {"drain", "update", "check", "serve", "next", NULL};

bool rolling_holds_out(const struct rollout *r, unsigned k)
{
	const struct rolling *b = &r->rolling;

	return b->in_place && k >= b->first && k < b->first + b->n && b->step < ROLLING_SERVE;
}

void rolling_leave_out(struct rolling *b)
{
	if (b->step == ROLLING_DRAIN)
		b->n = 0;
	if (b->step != ROLLING_UPDATE)
		return;
	b->n = b->unit + 1;
	b->step = ROLLING_CHECK;
}

/* ---- capacity ---- */

static enum backend_sight sight(const struct rollout_facts *f, unsigned k)
{
	return f->backends && k < f->n_backends ? f->backends[k] : BACKEND_UNSEEN;
}

static bool any_rises(const struct rollout_facts *f, unsigned first, unsigned n)
{
	for (unsigned k = first; k < first + n; k++)
		if (sight(f, k) == BACKEND_RISING)
			return true;
	return false;
}

/* Capacity that is on its way needs no patience. */
static void count_wait(struct rollout *r, const struct rollout_facts *f)
{
	if (!any_rises(f, 0, f->n_backends))
		r->watched_ms += f->passed_ms;
}

static unsigned up_without(const struct rollout_facts *f, unsigned first, unsigned n)
{
	unsigned up = 0;

	for (unsigned k = 0; k < f->n_backends; k++)
		up += (k < first || k >= first + n) && sight(f, k) == BACKEND_UP;
	return up;
}

/* Batches go from b->start to the pool's end, then from its first backend to b->start; on the way back
 * the same towards b->start. No batch goes over the end. */
static bool is_last(const struct rollout *r, const struct rollout_facts *f)
{
	const struct rolling *b = &r->rolling;
	unsigned to = b->first + b->n;

	if (b->back)
		return b->first == b->start;
	return to >= f->n_backends ? !b->start : b->n && to == b->start;
}

/* Backends that are next: *from and up to the result, on the way back from there down. */
static unsigned next_run(const struct rollout *r, const struct rollout_facts *f, unsigned *from)
{
	const struct rolling *b = &r->rolling;
	unsigned to = b->n ? b->first + b->n : b->start;

	if (b->back) {
		to = b->first ? b->first : f->n_backends;
		*from = to > b->start ? b->start : 0;
		return to;
	}
	*from = to < f->n_backends ? to : 0;
	return *from < b->start ? b->start : f->n_backends;
}

/* The batch that is next; 0 when the pool can do without none. */
static unsigned next_batch(const struct rollout *r, const struct cfg_rollout *cfg,
			   const struct rollout_facts *f, unsigned *first)
{
	unsigned from, to, n;

	if (is_last(r, f))
		return 0;
	to = next_run(r, f, &from);
	n = to - from < r->rolling.size ? to - from : r->rolling.size;
	for (; n; n--) {
		*first = r->rolling.back ? to - n : from;
		if (up_without(f, *first, n) >= rolling_floor(&cfg->batch, f->n_backends))
			break;
	}
	return n;
}

/* What is not up anyway, or not all of it, comes first: it costs nothing, and may be what an earlier roll
 * left out. */
static unsigned first_to_roll(const struct rollout_facts *f)
{
	for (unsigned k = 0; k < f->n_backends; k++)
		if (sight(f, k) != BACKEND_UP)
			return k;
	return 0;
}

static void say_capacity(const struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f, char *out)
{
	unsigned from, to = next_run(r, f, &from), next = r->rolling.back ? to - 1 : from;

	snprintf(out, ROLLOUT_WHY,
		 "without backend %u, %u of %u backends are up, and min_available is %u", next + 1,
		 up_without(f, next, 1), f->n_backends, rolling_floor(&cfg->batch, f->n_backends));
}

/* ---- its ends ---- */

static enum rollout_state taken_back(const struct rollout *r)
{
	return r->rolling.served ? ROLLOUT_ROLLED_BACK : ROLLOUT_FAILED_SAFE;
}

static void ask_update(struct rollout *r, unsigned unit)
{
	r->rolling.step = ROLLING_UPDATE;
	r->rolling.unit = unit;
	r->hook = HOOK_UPDATE;
	r->hook_state = HOOK_DUE;
}

/* The old version comes to the batch; one that has been in service has to get empty first. */
static bool walk_back(struct rollout *r, const struct rollout_facts *f, bool served,
		      const char *why)
{
	rollout_enter(r, f, ROLLOUT_SHIFTING, "%s", why);
	r->rolling.back = true;
	if (served)
		r->rolling.step = ROLLING_DRAIN;
	else
		ask_update(r, 0);
	return true;
}

/* The present batch is no good. */
static bool fail(struct rollout *r, const struct cfg_rollout *cfg, const struct rollout_facts *f,
		 const char *why)
{
	struct rolling *b = &r->rolling;
	bool served = b->step >= ROLLING_SERVE;
	char batch[48];

	if (served)
		b->step = ROLLING_CHECK;
	rolling_leave_out(b);
	if (cfg->on_failure == FAILURE_BACK && !b->back)
		return walk_back(r, f, served, why);
	rolling_name(b, batch, sizeof(batch));
	return rollout_enter(r, f, taken_back(r), "%s%s; %s stay%s out",
			     b->back ? "on the way back too: " : "", why, batch,
			     b->n > 1 ? "" : "s");
}

/* ---- before the first batch ---- */

static bool look_staging(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	char why[ROLLOUT_WHY];
	unsigned first;

	if (!cfg->hooks.argv[HOOK_UPDATE])
		return rollout_enter(r, f, ROLLOUT_FAILED_SAFE,
				     "no update hook says how a backend gets the new version");
	r->rolling.size = rolling_batch(&cfg->batch, f->n_backends);
	if (!r->rolling.size) {
		rolling_plan_text(&cfg->batch, f->n_backends, 0, why, sizeof(why));
		return rollout_enter(r, f, ROLLOUT_FAILED_SAFE, "%s", why);
	}
	r->rolling.start = first_to_roll(f);
	if (next_batch(r, cfg, f, &first)) {
		r->watched_ms = 0;
		return rollout_enter(r, f, ROLLOUT_GATE, "%s", "");
	}
	count_wait(r, f);
	if (r->watched_ms < r->staging_ms)
		return false;
	say_capacity(r, cfg, f, why);
	return rollout_enter(r, f, ROLLOUT_FAILED_SAFE, "%s", why);
}

/* ---- from batch to batch ---- */

/* Leaves ROLLING_NEXT, or the gate, when it can. */
static bool begin_next(struct rollout *r, const struct cfg_rollout *cfg,
		       const struct rollout_facts *f)
{
	struct rolling *b = &r->rolling;
	char why[ROLLOUT_WHY], batch[48];
	unsigned first = 0, n = next_batch(r, cfg, f, &first);

	if (n) {
		b->step = ROLLING_DRAIN;
		b->first = first;
		b->n = n;
		b->unit = 0;
		r->watched_ms = 0;
		rolling_name(b, batch, sizeof(batch));
		return b->back ? rollout_go(r, f, ROLLOUT_SHIFTING)
			       : rollout_enter(r, f, ROLLOUT_SHIFTING, "%s of %u", batch,
					       f->n_backends);
	}
	count_wait(r, f);
	if (r->watched_ms < r->staging_ms)
		return false;
	r->watched_ms = 0;
	say_capacity(r, cfg, f, why);
	return rollout_pause(r, f, why);
}

static bool look_gate(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	if (rollout_ask(r, cfg, HOOK_GATE))
		return true;
	if (!rollout_hook_is_due(r, HOOK_GATE))
		return begin_next(r, cfg, f);
	if (f->hook == HOOK_FAILED)
		return rollout_enter(r, f, ROLLOUT_FAILED_SAFE, "%s", f->hook_text);
	return rollout_note_hook(r, f);
}

/* The batch is good: the next one, or the end. */
static bool pass(struct rollout *r, const struct cfg_rollout *cfg, const struct rollout_facts *f)
{
	char why[ROLLOUT_WHY];

	r->rolling.step = ROLLING_NEXT;
	r->watched_ms = 0;
	if (!is_last(r, f)) {
		rollout_stand(r, f, ROLLOUT_WATCHING);
		begin_next(r, cfg, f);
		return true;
	}
	if (!r->rolling.back)
		return rollout_enter(r, f, ROLLOUT_PROMOTED, "every backend has the new version");
	snprintf(why, sizeof(why), "%.280s; walked back", r->why);
	return rollout_enter(r, f, taken_back(r), "%s", why);
}

/* ---- a batch ---- */

static bool look_shifting(struct rollout *r, const struct cfg_rollout *cfg,
			  const struct rollout_facts *f)
{
	struct rolling *b = &r->rolling;

	if (b->step == ROLLING_DRAIN) {
		if (f->empty)
			ask_update(r, 0);
		return f->empty;
	}
	if (r->hook_state == HOOK_DUE && f->hook == HOOK_FAILED)
		return fail(r, cfg, f, f->hook_text);
	if (r->hook_state == HOOK_DUE && f->hook == HOOK_NO_RESULT)
		return false;
	if (b->unit + 1 < b->n) {
		ask_update(r, b->unit + 1);
		return true;
	}
	b->step = ROLLING_CHECK;
	r->watched_ms = 0;
	return rollout_go(r, f, ROLLOUT_WATCHING);
}

static bool look_check(struct rollout *r, const struct cfg_rollout *cfg,
		       const struct rollout_facts *f)
{
	char why[ROLLOUT_WHY], batch[48];

	if (f->fit) {
		r->rolling.step = ROLLING_SERVE;
		r->rolling.served |= !r->rolling.back;
		r->watched_ms = 0;
		return true;
	}
	r->watched_ms += f->passed_ms;
	if (r->watched_ms < r->staging_ms)
		return false;
	rolling_name(&r->rolling, batch, sizeof(batch));
	snprintf(why, sizeof(why), "%s did not come up: %.200s", batch, f->trouble);
	return fail(r, cfg, f, why);
}

/* What is told of a batch that went down again after it had been found well. */
static bool look_down(struct rollout *r, const struct cfg_rollout *cfg,
		      const struct rollout_facts *f)
{
	char why[ROLLOUT_WHY];

	for (unsigned i = 0; i < r->rolling.n; i++) {
		if (sight(f, r->rolling.first + i) != BACKEND_DOWN)
			continue;
		snprintf(why, sizeof(why), "backend %u went down again: %.200s",
			 r->rolling.first + i + 1, f->trouble);
		return fail(r, cfg, f, why);
	}
	return false;
}

static bool look_serve(struct rollout *r, const struct cfg_rollout *cfg,
		       const struct rollout_facts *f)
{
	const struct cfg_each *each = &r->steps[0].each;
	bool by_time = each->until == UNTIL_TIME || each->until == UNTIL_EVIDENCE;

	if (r->rolling.back || r->full)
		return pass(r, cfg, f);
	r->watched_ms += f->passed_ms;
	if (r->watched_ms < each->min_ms || any_rises(f, r->rolling.first, r->rolling.n))
		return false;
	if (by_time || is_last(r, f))
		return pass(r, cfg, f);
	return rollout_go(r, f, ROLLOUT_WAITING);
}

static bool look_watching(struct rollout *r, const struct cfg_rollout *cfg,
			  const struct rollout_facts *f)
{
	if (r->rolling.step == ROLLING_CHECK)
		return look_check(r, cfg, f);
	if (look_down(r, cfg, f))
		return true;
	if (r->rolling.step == ROLLING_SERVE)
		return look_serve(r, cfg, f);
	return is_last(r, f) ? pass(r, cfg, f) : begin_next(r, cfg, f);
}

static bool look_waiting(struct rollout *r, const struct cfg_rollout *cfg,
			 const struct rollout_facts *f)
{
	if (look_down(r, cfg, f))
		return true;
	if (r->steps[0].each.until != UNTIL_HOOK)
		return false;
	if (rollout_ask(r, cfg, HOOK_GATE))
		return true;
	if (rollout_hook_is_due(r, HOOK_GATE) && f->hook == HOOK_FAILED)
		return fail(r, cfg, f, f->hook_text);
	if (rollout_hook_is_due(r, HOOK_GATE) && f->hook == HOOK_NO_RESULT)
		return false;
	return pass(r, cfg, f);
}

/* ---- all ---- */

static bool look_bake(struct rollout *r, const struct rollout_facts *f)
{
	r->watched_ms += f->passed_ms;
	return r->watched_ms >= r->bake_ms &&
	       rollout_enter(r, f, ROLLOUT_STABLE, "the bake is over");
}

bool rolling_look(struct rollout *r, const struct cfg_rollout *cfg, const struct rollout_facts *f)
{
	switch (r->state) {
	case ROLLOUT_STAGING:
		return look_staging(r, cfg, f);
	case ROLLOUT_GATE:
		return look_gate(r, cfg, f);
	case ROLLOUT_SHIFTING:
		return look_shifting(r, cfg, f);
	case ROLLOUT_WATCHING:
		return look_watching(r, cfg, f);
	case ROLLOUT_WAITING:
		return look_waiting(r, cfg, f);
	case ROLLOUT_PROMOTED:
		return f->in_force && rollout_go(r, f, ROLLOUT_BAKE);
	case ROLLOUT_BAKE:
		return look_bake(r, f);
	default:
		return false;
	}
}

void rolling_promote(struct rollout *r, const struct rollout_facts *f)
{
	enum rollout_state place = rollout_place(r);

	if (r->rolling.step == ROLLING_SERVE && place > ROLLOUT_GATE) {
		r->rolling.step = ROLLING_NEXT;
		r->watched_ms = 0;
		place = ROLLOUT_WATCHING;
	}
	rollout_stand(r, f, place);
}
