/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs that move traffic: flip, undo, share. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "fit.h"
#include "verbs.h"

/* ---- moving ---- */

/* The live pool is the one with everything; of several, the one it was as long as it has some. */
static unsigned new_live(const struct world_service *s, const uint16_t *share)
{
	unsigned best = s->live;

	for (unsigned i = 0; i < s->cfg->n_pools; i++)
		if (share[i] == ZDD_SHARE_UNITS || (!share[s->live] && share[i] > share[best]))
			best = i;
	return best;
}

void service_release(struct world_service *s, const uint16_t *share, uint64_t now_ms)
{
	service_settle(s, now_ms);
	s->live = new_live(s, share);
	memcpy(s->share, share, sizeof(s->share));
	s->released_ms = now_ms;
}

/* Whether the pool may get (more) traffic now. */
static enum outcome gate(struct txn *t, const struct world_service *s, const struct world_pool *p)
{
	char why[400];
	enum fit fit = txn_flag(t, "force") ? FIT : pool_fitness(s, p, why, sizeof(why));

	if (fit == FIT)
		return OUT_REACHED;
	t->answer->hopeless = fit == NEVER_FIT;
	return tell(t->answer, OUT_FAILED_SAFE, "%s; no traffic moved", why);
}

/* "green is live", or "green 5 %, blue 95 %": who got less than all first, live last. */
static void now_text(const struct world_service *s, char *out, size_t size)
{
	size_t len = 0;

	if (s->share[s->live] == ZDD_SHARE_UNITS) {
		snprintf(out, size, "%s is live", s->cfg->pools[s->live].name);
		return;
	}
	for (size_t k = 1; k <= s->cfg->n_pools && len < size; k++) {
		size_t i = (s->live + k) % s->cfg->n_pools;

		if (s->share[i])
			len += (size_t)snprintf(out + len, size - len, "%s%s %g %%",
						len ? ", " : "", s->cfg->pools[i].name,
						s->share[i] / 100.0);
	}
}

void say_moved(struct txn *t, const struct world_service *s, const char *already)
{
	char now[256];

	now_text(s, now, sizeof(now));
	json_array_append_new(t->answer->moved,
			      json_pack("{s:s, s:o}", "service", s->cfg->name, "text",
					json_sprintf("%s: %s%s", s->cfg->name, now, already)));
}

/* The one way in which shares change. */
static enum outcome move(struct txn *t, struct world_service *s, const uint16_t *share)
{
	char from[256], to[256];
	enum outcome o;

	if (!memcmp(s->share, share, sizeof(s->share))) {
		say_moved(t, s, " already");
		return check_revision(t, s);
	}
	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		o = share[i] > s->share[i] ? gate(t, s, &s->pools[i]) : OUT_REACHED;
		if (o)
			return o;
	}
	o = touch(t, s);
	if (o)
		return o;
	shares_text(s, s->share, from, sizeof(from));
	shares_text(s, share, to, sizeof(to));
	service_release(s, share, t->now_ms);
	txn_record(t, s->cfg->name, from, to);
	json_say(t->answer->changes, "%s: %s -> %s", s->cfg->name, from, to);
	say_moved(t, s, "");
	return OUT_REACHED;
}

/* All that was moved as one sentence: "web: green is live; api: v2 is live". */
static enum outcome moved_text(struct txn *t)
{
	struct answer *a = t->answer;
	size_t i, len = 0;
	json_t *item;

	json_array_foreach(a->moved, i, item)
		if (len < sizeof(a->text))
			len += (size_t)snprintf(a->text + len, sizeof(a->text) - len, "%s%s",
						len ? "; " : "",
						json_string_value(json_object_get(item, "text")));
	return a->outcome = OUT_REACHED;
}

enum outcome other_pool(struct txn *t, struct world_service *s, struct world_pool **out)
{
	if (s->cfg->n_pools != 2)
		return tell(t->answer, OUT_BAD_REQUEST, "%s has %zu pools: say which, as %s=POOL",
			    s->cfg->name, s->cfg->n_pools, s->cfg->name);
	*out = &s->pools[!s->live];
	return OUT_REACHED;
}

/* The shares are the rollout's. */
static bool is_busy(const struct world_service *s)
{
	return service_rollout(s) || s->queued;
}

/* Each rollout goes its own way, so that several would not be one step. */
static enum outcome flip_by_rollout(struct txn *t, struct world_service *s,
				    const struct world_pool *p)
{
	if (json_object_size(json_object_get(t->body, "targets")) > 1)
		return tell(t->answer, OUT_REFUSED,
			    "%s: its flip is a rollout (rollout.strategy: flip): flip it alone, or "
			    "force, which is one step without one",
			    s->cfg->name);
	return begin_flip(t, s, pool_index(s, p));
}

static enum outcome flip_one(struct txn *t, const char *service, const json_t *target)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE] = {0};
	struct world_service *s;
	struct world_pool *p;
	enum outcome o = find_service(t, service, &s);

	if (o)
		return o;
	if (!json_is_string(target) && !json_is_null(target))
		return tell(t->answer, OUT_BAD_REQUEST,
			    "targets.%s: expected a pool's name or null", service);
	o = json_is_null(target) ? other_pool(t, s, &p)
				 : find_pool(t, s, json_string_value(target), &p);
	if (o)
		return o;
	share[pool_index(s, p)] = ZDD_SHARE_UNITS;
	if (flips_by_rollout(t, s) && memcmp(s->share, share, sizeof(share)))
		return flip_by_rollout(t, s, p);
	return is_busy(s) ? refuse_running(t, s) : move(t, s, share);
}

enum outcome verb_flip(struct txn *t)
{
	json_t *targets = json_object_get(t->body, "targets"), *target;
	const char *service;
	enum outcome o;

	if (!json_object_size(targets))
		return tell(t->answer, OUT_BAD_REQUEST, "targets: expected at least one service");
	json_object_foreach(targets, service, target) {
		o = flip_one(t, service, target);
		if (o)
			return o;
	}
	return json_array_size(t->answer->moved) ? moved_text(t) : OUT_REACHED;
}

static bool is_promoted(const struct world_service *s)
{
	const struct rollout *r = service_rollout(s);

	return r && rollout_state_phase(r->state) == PHASE_LATE;
}

/* One that is promoted ends here. */
static enum outcome undo_rollout(struct txn *t, struct world_service *s, bool *ended)
{
	struct rollout *r = service_rollout(s);
	const char *why = txn_text(t, "why");
	enum outcome o;

	if (!is_promoted(s))
		return OUT_REACHED;
	o = touch(t, s);
	if (o)
		return o;
	rollout_undo(r, t->ask->who, why ? why : "", t->now_ms);
	*ended = true;
	return OUT_REACHED;
}

enum outcome verb_undo(struct txn *t)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE];
	bool ended = false;
	struct world_service *s;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);
	char at[256];

	if (o)
		return o;
	if (is_busy(s) && !is_promoted(s))
		return refuse_running(t, s); /* abort is the way back */
	if (s->stable_live == STABLE_GONE)
		return tell(t->answer, OUT_REFUSED,
			    "%s: the release before this one used a pool "
			    "that is gone from the configuration",
			    s->cfg->name);
	shares_text(s, s->share, at, sizeof(at));
	if (service_is_stable(s))
		return tell(t->answer, OUT_REFUSED,
			    "%s is on its last stable release (%s); there "
			    "is nothing to undo",
			    s->cfg->name, at);
	memcpy(share, s->stable_share, sizeof(share));
	o = undo_rollout(t, s, &ended);
	if (!o)
		o = move(t, s, share);
	if (o == OUT_FAILED_SAFE) {
		t->answer->hopeless = true; /* the way back is wanted now or not at all */
		t->answer->outcome = OUT_REFUSED;
		return OUT_REFUSED;
	}
	if (o)
		return o;
	service_make_stable(s); /* undone: never a place to return to */
	if (ended)
		end_rollout(t, s, json_array_get(t->records, 0));
	return moved_text(t);
}

/* ---- share ---- */

bool share_units(const json_t *value, uint16_t *out)
{
	double units = json_number_value(value) * 100;

	if (!json_is_number(value) || !(units >= 0) || units > ZDD_SHARE_UNITS ||
	    fabs(units - round(units)) > 1e-6)
		return false;
	*out = (uint16_t)lround(units);
	return true;
}

/* Gives `rest` to the pools that were not named, in proportion to what they have, by the largest
 * remainder, so that the sum is exact. */
static void shrink_others(const struct world_service *s, const uint16_t *before, const bool *named,
			  unsigned rest, unsigned had, uint16_t *share)
{
	unsigned given = 0, remainder[ZDD_POOLS_PER_SERVICE] = {0};

	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		if (named[i])
			continue;
		share[i] = (uint16_t)(rest * before[i] / had);
		remainder[i] = rest * before[i] % had + 1;
		given += share[i];
	}
	for (; given < rest; given++) {
		size_t best = 0;

		for (size_t i = 1; i < s->cfg->n_pools; i++)
			if (remainder[i] > remainder[best])
				best = i;
		share[best]++;
		remainder[best] = 0;
	}
}

static enum outcome fill_rest(struct txn *t, const struct world_service *s, const uint16_t *before,
			      const bool *named, uint16_t *share)
{
	unsigned sum = 0, had = 0;

	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		sum += named[i] ? share[i] : 0;
		had += named[i] ? 0 : before[i];
	}
	if (sum > ZDD_SHARE_UNITS)
		return tell(t->answer, OUT_BAD_REQUEST, "the shares add up to %g %%, more than 100",
			    sum / 100.0);
	if (had)
		shrink_others(s, before, named, ZDD_SHARE_UNITS - sum, had, share);
	else if (sum < ZDD_SHARE_UNITS && named[s->live])
		return tell(t->answer, OUT_BAD_REQUEST,
			    "the shares add up to %g %%; say who gets "
			    "the rest",
			    sum / 100.0);
	else if (sum < ZDD_SHARE_UNITS)
		share[s->live] = (uint16_t)(ZDD_SHARE_UNITS - sum);
	return OUT_REACHED;
}

enum outcome read_shares(struct txn *t, struct world_service *s, const uint16_t *before,
			 uint16_t *share)
{
	json_t *shares = json_object_get(t->body, "shares"), *value;
	bool named[ZDD_POOLS_PER_SERVICE] = {false};
	const char *pool;

	if (!json_object_size(shares))
		return tell(t->answer, OUT_BAD_REQUEST, "shares: expected at least one pool");
	json_object_foreach(shares, pool, value) {
		struct world_pool *p;
		enum outcome o = find_pool(t, s, pool, &p);

		if (o)
			return o;
		if (!share_units(value, &share[pool_index(s, p)]))
			return tell(t->answer, OUT_BAD_REQUEST,
				    "shares.%s: expected 0 to 100 percent in steps of 0.01", pool);
		named[pool_index(s, p)] = true;
	}
	return fill_rest(t, s, before, named, share);
}

enum outcome verb_share(struct txn *t)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE] = {0};
	struct world_service *s;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	if (!o && is_busy(s))
		o = refuse_running(t, s);
	if (!o)
		o = read_shares(t, s, s->share, share);
	if (!o)
		o = move(t, s, share);
	return o ? o : moved_text(t);
}
