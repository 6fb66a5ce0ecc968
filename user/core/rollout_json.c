/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "config_json.h"
#include "rolling.h"
#include "rollout_json.h"
#include "rollout_plan.h"
#include "saved.h"
#include "view.h"

static const char *const state_words[] = {
#define S(symbol, word, phase, code, sentence) #word,
	ZDD_ROLLOUT_STATES(S)
#undef S
		NULL};
static const char *const hook_state_words[] = {"not", "due", "done", NULL};

/* ---- plain members, one row each ---- */

enum kind { NUMBER, WIDE, FLAG, WORD };

struct member {
	const char *key;
	size_t offset;
	enum kind kind;
	const char *const *words;
};

#define M(member, kind)                                                                            \
	{                                                                                          \
#member, offsetof(struct rollout, member), kind, NULL                              \
	}
#define W(member, words)                                                                           \
	{                                                                                          \
#member, offsetof(struct rollout, member), WORD, words                             \
	}

static const struct member members[] = {
	M(number, WIDE),           W(strategy, strategy_words),
	W(state, state_words),     W(paused_in, state_words),
	M(step, NUMBER),           M(bake_ms, NUMBER),
	M(lease_ms, NUMBER),       M(staging_ms, NUMBER),
	W(hook, hook_words),       W(hook_state, hook_state_words),
	M(rolling.in_place, FLAG), W(rolling.step, rolling_step_words),
	M(rolling.first, NUMBER),  M(rolling.n, NUMBER),
	M(rolling.unit, NUMBER),   M(rolling.size, NUMBER),
	M(rolling.start, NUMBER),  M(rolling.back, FLAG),
	M(rolling.served, FLAG),   M(full, FLAG),
	M(began_ms, WIDE),         M(state_ms, WIDE),
	M(watched_ms, WIDE),       M(doubt, NUMBER),
	M(forgiven, NUMBER),
};

enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static json_t *get_member(const struct rollout *r, const struct member *m)
{
	const void *at = (const char *)r + m->offset;

	switch (m->kind) {
	case NUMBER:
		return json_integer(*(const uint32_t *)at);
	case WIDE:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case FLAG:
		return json_boolean(*(const bool *)at);
	case WORD:
		break;
	}
	return json_string(m->words[*(const uint32_t *)at]);
}

static bool find_word(const char *const *words, const char *word, uint32_t *out)
{
	for (uint32_t i = 0; word && words[i]; i++)
		if (!strcmp(words[i], word)) {
			*out = i;
			return true;
		}
	return false;
}

static bool set_member(struct rollout *r, const struct member *m, const json_t *value)
{
	void *at = (char *)r + m->offset;
	json_int_t n = json_integer_value(value);

	switch (m->kind) {
	case NUMBER:
		*(uint32_t *)at = (uint32_t)n;
		return json_is_integer(value) && n >= 0 && n <= UINT32_MAX;
	case WIDE:
		*(uint64_t *)at = (uint64_t)n;
		return json_is_integer(value) && n >= 0;
	case FLAG:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value);
	case WORD:
		break;
	}
	return find_word(m->words, json_string_value(value), at);
}

/* ---- pools by name ---- */

static bool no_pool(const char *pool, char *why)
{
	snprintf(why, ROLLOUT_WHY, "its pool '%.64s' is gone from the configuration",
		 pool ? pool : "");
	return false;
}

static bool pool_of(const struct world_service *s, const json_t *name, unsigned *out, char *why)
{
	const char *text = json_string_value(name);
	const struct world_pool *p = text ? world_find_pool(s, text) : NULL;

	if (!p)
		return no_pool(text, why);
	*out = pool_index(s, p);
	return true;
}

/* Sum 10000, or nothing at all where that is allowed. */
static bool shares_of(const struct world_service *s, const json_t *saved, bool may_lack,
		      uint16_t *share, char *why)
{
	const char *name;
	json_int_t sum = 0;
	json_t *value;

	json_object_foreach((json_t *)saved, name, value) {
		const struct world_pool *p = world_find_pool(s, name);
		json_int_t units = json_integer_value(value);

		if (!p)
			return no_pool(name, why);
		if (units < 0 || units > ZDD_SHARE_UNITS)
			return false;
		share[pool_index(s, p)] = (uint16_t)units;
		sum += units;
	}
	return sum == ZDD_SHARE_UNITS || (may_lack && !sum);
}

/* ---- steps ---- */

static json_t *step_saved(const struct cfg_step *step)
{
	const struct cfg_each *each = &step->each;

	return json_pack("{s:i, s:I, s:I, s:s, s:I, s:I}", "share", step->share, "min_ms",
			 (json_int_t)each->min_ms, "max_ms", (json_int_t)each->max_ms, "until",
			 until_words[each->until], "connections", (json_int_t)each->min_connections,
			 "sources", (json_int_t)each->min_sources);
}

static bool step_of(const json_t *saved, struct cfg_step *step)
{
	const char *until = NULL;
	uint32_t word;
	json_int_t share, min, max, connections, sources;

	if (json_unpack((json_t *)saved, "{s:I, s:I, s:I, s:s, s:I, s:I}", "share", &share,
			"min_ms", &min, "max_ms", &max, "until", &until, "connections",
			&connections, "sources", &sources) ||
	    share < 0 || share > ZDD_SHARE_UNITS || !find_word(until_words, until, &word))
		return false;
	*step = (struct cfg_step){
		.share = (uint16_t)share,
		.each = {(uint32_t)min, (uint32_t)max, (enum until)word, (uint32_t)connections,
			 (uint32_t)sources},
	};
	return true;
}

static bool steps_of(const json_t *saved, struct rollout *r)
{
	json_t *step;
	size_t i;

	if (!json_array_size(saved) || json_array_size(saved) > ROLLOUT_STEPS)
		return false;
	json_array_foreach(saved, i, step)
		if (!step_of(step, &r->steps[i]))
			return false;
	r->n_steps = (unsigned)json_array_size(saved);
	return true;
}

/* ---- the whole ---- */

json_t *rollout_to_saved(const struct world_service *s, const struct rollout *r)
{
	json_t *steps = json_array(), *o;

	for (unsigned i = 0; i < r->n_steps; i++)
		json_array_append_new(steps, step_saved(&r->steps[i]));
	o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "candidate",
		      s->cfg->pools[r->candidate].name, "previous", s->cfg->pools[r->previous].name,
		      "base", shares_to_saved(s, r->base), "fixed", shares_to_saved(s, r->fixed),
		      "steps", steps, "who", json_sound(r->who), "why", json_sound(r->why));
	for (size_t i = 0; i < MEMBERS; i++)
		json_object_set_new(o, members[i].key, get_member(r, &members[i]));
	return o;
}

static void copy_text(char *out, size_t size, const json_t *text)
{
	const char *from = json_string_value(text);

	snprintf(out, size, "%s", from ? from : "");
}

/* What later code takes for granted. */
static bool is_sound(const struct world_service *s, const struct rollout *r)
{
	const struct rolling *rolling = &r->rolling;

	if (r->step >= r->n_steps)
		return false;
	return !rolling->in_place ||
	       (rolling->first + (uint64_t)rolling->n <= s->cfg->pools[r->candidate].n_backends &&
		rolling->start < s->cfg->pools[r->candidate].n_backends &&
		rolling->unit <= rolling->n);
}

/* One that an older daemon did not know stays 0. */
static bool members_of(const json_t *saved, struct rollout *r, char *why)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *value = json_object_get(saved, members[i].key);

		if (!value || set_member(r, &members[i], value))
			continue;
		snprintf(why, ROLLOUT_WHY, "its '%s' is not as expected", members[i].key);
		return false;
	}
	return true;
}

bool rollout_from_saved(const struct world_service *s, const json_t *saved, struct rollout *out,
			char *why)
{
	struct rollout r = {0};

	snprintf(why, ROLLOUT_WHY, "its shares, steps or batch do not add up");
	if (!pool_of(s, json_object_get(saved, "candidate"), &r.candidate, why) ||
	    !pool_of(s, json_object_get(saved, "previous"), &r.previous, why) ||
	    !shares_of(s, json_object_get(saved, "base"), false, r.base, why) ||
	    !members_of(saved, &r, why) ||
	    !shares_of(s, json_object_get(saved, "fixed"), r.strategy != STRATEGY_EXPERIMENT,
		       r.fixed, why) ||
	    !steps_of(json_object_get(saved, "steps"), &r) || !is_sound(s, &r))
		return false;
	copy_text(r.who, sizeof(r.who), json_object_get(saved, "who"));
	copy_text(r.why, sizeof(r.why), json_object_get(saved, "why"));
	*out = r;
	return true;
}

/* ---- the lock ---- */

json_t *lock_to_saved(const struct world_lock *lock)
{
	if (!lock->who[0])
		return json_null();
	return json_pack("{s:o, s:o, s:I}", "who", json_sound(lock->who), "why",
			 json_sound(lock->why), "since_ms", (json_int_t)lock->since_ms);
}

void lock_from_saved(struct world_lock *lock, const json_t *saved)
{
	copy_text(lock->who, sizeof(lock->who), json_object_get(saved, "who"));
	copy_text(lock->why, sizeof(lock->why), json_object_get(saved, "why"));
	lock->since_ms = (uint64_t)json_integer_value(json_object_get(saved, "since_ms"));
}

json_t *lock_view(const struct world_lock *lock)
{
	if (!lock->who[0])
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "who", json_sound(lock->who), "why",
			 json_sound(lock->why), "since", view_time(lock->since_ms));
}

/* ---- what the API shows ---- */

static json_t *view_steps(const struct rollout *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->n_steps; i++)
		json_array_append_new(list, view_share(r->steps[i].share));
	return list;
}

static uint64_t time_of_state(const struct rollout *r)
{
	const struct cfg_each *each = &r->steps[r->step].each;

	switch (r->state) {
	case ROLLOUT_STAGING:
		return r->staging_ms;
	case ROLLOUT_WATCHING:
		return each->until == UNTIL_EVIDENCE ? each->max_ms : each->min_ms;
	case ROLLOUT_BAKE:
		return r->bake_ms;
	default:
		return 0;
	}
}

/* Of what ends by time, as far as it is watched; null for all else. */
static json_t *view_left(const struct rollout *r)
{
	uint64_t all = r->strategy == STRATEGY_EXPERIMENT && r->state == ROLLOUT_WATCHING
			       ? 0
			       : time_of_state(r);

	if (!all)
		return json_null();
	return json_integer(all > r->watched_ms ? (json_int_t)(all - r->watched_ms) : 0);
}

static json_t *view_hook(const struct rollout *r)
{
	char token[ROLLOUT_TOKEN];

	if (r->hook_state != HOOK_DUE)
		return json_null();
	rollout_token(r, token);
	return json_pack("{s:s, s:s}", "kind", hook_words[r->hook], "token", token);
}

static json_t *view_batch(const struct world_service *s, const struct rollout *r)
{
	const struct rolling *rolling = &r->rolling;

	if (!rolling->in_place)
		return json_null();
	return json_pack("{s:i, s:i, s:i, s:i, s:s, s:b}", "first", rolling->first, "n", rolling->n,
			 "size", rolling->size, "of", s->cfg->pools[r->candidate].n_backends,
			 "step", rolling_step_words[rolling->step], "back", rolling->back);
}

static json_t *view_queued(const struct world_service *s, const struct rollout *queued)
{
	if (!queued)
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "strategy", strategy_words[queued->strategy],
			 "candidate", s->cfg->pools[queued->candidate].name, "who",
			 json_sound(queued->who));
}

json_t *rollout_view(const struct world_service *s, const struct rollout *r,
		     const struct rollout_extras *x)
{
	static const struct rollout_extras none;
	char title[96];
	json_t *o;

	x = x ? x : &none;
	if (!r) {
		json_decref(x->judge);
		return json_null();
	}
	o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:I}", "number",
		      (json_int_t)r->number, "strategy", strategy_words[r->strategy], "state",
		      state_words[r->state], "state_text", rollout_state_sentence(r->state),
		      "candidate", s->cfg->pools[r->candidate].name, "previous",
		      s->cfg->pools[r->previous].name, "share", view_share(rollout_share(r)),
		      "step", r->step + 1, "steps", view_steps(r), "began", view_time(r->began_ms),
		      "since", view_time(r->state_ms), "watched_ms", (json_int_t)r->watched_ms);
	rollout_title(s, r, title, sizeof(title));
	json_object_set_new(o, "title", json_string(title));
	json_object_set_new(o, "left_ms", view_left(r));
	json_object_set_new(o, "who", json_sound(r->who));
	json_object_set_new(o, "why", json_sound(r->why));
	json_object_set_new(o, "hook", view_hook(r));
	json_object_set_new(o, "lease_ms",
			    rollout_is_leased(r) ? json_integer(r->lease_ms) : json_null());
	json_object_set_new(o, "breaker",
			    x->breaker ? json_pack("{s:I, s:I}", "limit",
						   (json_int_t)x->breaker->limit, "failed",
						   (json_int_t)x->breaker->failed)
				       : json_null());
	json_object_set_new(o, "judge", x->judge ? x->judge : json_null());
	json_object_set_new(o, "batch", view_batch(s, r));
	json_object_set_new(o, "queued", view_queued(s, s->queued != r ? s->queued : NULL));
	json_object_set_new(o, "result", json_string(state_words[r->state]));
	json_object_set_new(o, "exit", json_integer(rollout_exit(r)));
	return o;
}
