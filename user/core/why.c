/* SPDX-License-Identifier: BSD-2-Clause */
/* Why things are as they are, in sentences; and where one client goes. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "config_json.h"
#include "rollout_plan.h"
#include "seed.h"
#include "share.h"
#include "view.h"

/* What its connections say about it, where they say anything. */
static void why_passive(const struct world_service *s, const struct world_backend *b,
			const char *at, const struct numbers *n, json_t *list)
{
	const struct passive *p = &b->passive;
	uint64_t wait = p->trial_ms > n->now_ms ? p->trial_ms - n->now_ms : 0;

	if (p->state == PASSIVE_TRIAL)
		json_say(list, "%s: ejected (%s); %s", at, p->reason,
			 p->taken_ms ? "a trial connection is on its way"
				     : "the next new connection is its trial");
	else if (p->state == PASSIVE_EJECTED && b->health.state == HEALTH_DOWN)
		json_say(list, "%s: ejected (%s); its trial waits for the health check to be up",
			 at, p->reason);
	else if (p->state == PASSIVE_EJECTED)
		json_say(list, "%s: ejected (%s); a trial connection in %.0f s", at, p->reason,
			 (double)wait / 1000);
	else if (p->withheld)
		json_say(list,
			 "%s: %llu connections in a row came to nothing, but it is not ejected: "
			 "too few others are left (max_ejected %u %%, panic %u %%)",
			 at, (unsigned long long)passive_failures(p), s->cfg->passive.max_ejected,
			 s->cfg->panic_percent);
}

static void why_slow_start(const struct world_service *s, const struct world_backend *b,
			   const char *at, const struct numbers *n, json_t *list)
{
	const struct slow_start *slow = &b->slow_start;
	uint64_t until = slow->began_ms + s->cfg->slow_start_ms;

	if (slow_start_rises(slow))
		json_say(list, "%s: slow start, it has %u %% of its weight and all of it in %.0f s",
			 at, slow_start_percent(slow),
			 until > n->now_ms ? (double)(until - n->now_ms) / 1000 : 0);
}

static void why_backend(const struct world_service *s, const struct world_pool *p,
			const struct world_backend *b, const struct numbers *n, json_t *list)
{
	struct backend_numbers now = n->backend(n->context, b->object);
	char at[ZDD_NAME_MAX + ENDPOINT_TEXT + 2];
	const char *takes;

	snprintf(at, sizeof(at), "%s/%s", p->cfg->name, b->cfg->text);
	takes = backend_takes_new(s, p, b) ? "takes new flows" : "takes no new flows";
	if (b->admin != ADMIN_READY)
		json_say(list, "%s %s: a person put it in %s; %llu flows are still open", at, takes,
			 admin_state_words[b->admin], (unsigned long long)now.active);
	else if (backend_is_ejected(b) && !backend_takes_new(s, p, b))
		json_say(list, "%s %s: its connections came to nothing", at, takes);
	else if (s->cfg->health.type == HEALTH_NONE)
		json_say(list, "%s %s: nothing checks its health (health: none)", at, takes);
	else if (b->health.state == HEALTH_UNKNOWN)
		json_say(list, "%s %s: %s", at, takes,
			 b->health.checked_ms ? "its health is not decided yet"
					      : "it was not checked yet");
	else
		json_say(list, "%s %s: it is %s%s%s", at, takes,
			 health_state_words[b->health.state],
			 b->health.last_error[0] ? ", last error: " : "", b->health.last_error);
	why_passive(s, b, at, n, list);
	why_slow_start(s, b, at, n, list);
	if (now.mac && !strcmp(now.mac, "unresolved"))
		json_say(list, "%s: its next hop answers no neighbour request yet; %s", at,
			 forward_is_one_way(s->cfg->forward)
				 ? "in XDP its packets are dropped"
				 : "the host's stack carries its packets");
	if (!forward_is_one_way(s->cfg->forward) && now.half_open >= 3 && !now.row.replies &&
	    b->health.state == HEALTH_UP)
		json_say(list,
			 "%s: %llu half-open flows and never a packet back while the probe "
			 "is up: replies bypass this node (its default route must lead here)",
			 at, (unsigned long long)now.half_open);
}

static void why_pool(const struct world_service *s, size_t i, const struct numbers *n, json_t *list)
{
	const struct world_pool *p = &s->pools[i];
	struct pool_numbers now = n->pool(n->context, p->object);

	if (s->share[i] && !pool_takes_new(s, p, 0) && i != s->live)
		json_say(list,
			 "pool %s should get %g %% but nothing in it takes new flows: its "
			 "share falls to %s",
			 p->cfg->name, s->share[i] / 100.0, s->cfg->pools[s->live].name);
	else if (s->share[i])
		json_say(list, "pool %s gets %g %% of the clients%s", p->cfg->name,
			 s->share[i] / 100.0, i == s->live ? ": it is live" : "");
	else if (now.active)
		json_say(list, "pool %s gets no new flows; %llu are still open", p->cfg->name,
			 (unsigned long long)now.active);
	else
		json_say(list, "pool %s gets no new flows and has none open", p->cfg->name);
	if (!p->cfg->n_backends)
		json_say(list, "pool %s has no backends", p->cfg->name);
	if (pool_panics(s, p))
		json_say(list,
			 "pool %s panics: fewer than %u %% of its ready backends are healthy and "
			 "not ejected, so health is ignored rather than the rest crushed",
			 p->cfg->name, s->cfg->panic_percent);
	for (size_t k = 0; k < p->cfg->n_backends; k++)
		why_backend(s, p, &p->backends[k], n, list);
}

static void why_rollout(const struct world_service *s, const struct rollout *r, json_t *list)
{
	const char *colon = r && r->why[0] ? ": " : "";
	char title[96];

	if (!r)
		return;
	rollout_title(s, r, title, sizeof(title));
	json_say(list, "%s (release %llu) is %s (%s)%s%s", title, (unsigned long long)r->number,
		 rollout_state_word(r->state), rollout_state_sentence(r->state), colon, r->why);
}

static void why_locked(const struct world_lock *lock, json_t *list)
{
	const char *colon = lock->why[0] ? ": " : "";

	if (lock->who[0])
		json_say(list, "only %s may change it, who locked it%s%s", lock->who, colon,
			 lock->why);
}

json_t *view_why(const struct world_service *s, const struct numbers *n)
{
	json_t *list = json_array();

	why_locked(&s->lock, list);
	why_rollout(s, s->rollout, list);
	why_rollout(s, s->queued, list);
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		why_pool(s, i, n, list);
	if (s->stable_live == STABLE_GONE)
		json_say(list,
			 "undo has nowhere to go: the pool of the last stable release is gone "
			 "from the configuration");
	else if (service_is_stable(s))
		json_say(list, "undo has nothing to do: this is the last stable release");
	else
		json_say(list, "undo goes back to %s", s->cfg->pools[s->stable_live].name);
	return list;
}

/* ---- where a client goes: the same arithmetic as bpf/choose.h, from the same contract ---- */

const struct cfg_cohort *rule_of(const struct cfg_service *cfg, const struct zdd_addr *a)
{
	for (size_t i = 0; i < cfg->n_cohorts; i++) {
		struct zdd_addr cut = mask_address(*a, cfg->cohorts[i].prefix_len);

		if (zdd_addr_eq(&cut, &cfg->cohorts[i].first))
			return &cfg->cohorts[i];
	}
	return NULL;
}

static unsigned pool_of_bucket(const struct world_service *s, unsigned bucket, uint64_t salt)
{
	struct share_pool pools[ZDD_POOLS_PER_SERVICE];
	uint8_t table[ZDD_SHARE_UNITS];

	if (s->share[s->live] == ZDD_SHARE_UNITS)
		return s->live;
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		pools[i] = (struct share_pool){s->cfg->pools[i].name, s->share[i]};
	share_fill(pools, s->cfg->n_pools, s->live, salt, table);
	return table[bucket];
}

json_t *view_cohort(const struct world_service *s, const char *text, const struct zdd_addr *a)
{
	unsigned prefix = zdd_addr_is_v4(a) ? 96u + s->cfg->sticky_v4 : s->cfg->sticky_v6;
	struct zdd_addr masked = mask_address(*a, prefix);
	uint64_t salt = seed_of(s->cfg->salt, 0);
	uint64_t hash = zdd_client_hash(&masked, salt);
	unsigned bucket = zdd_scale((uint32_t)(hash >> 32), ZDD_SHARE_UNITS);
	const struct cfg_cohort *rule = rule_of(s->cfg, a);
	unsigned pool = rule ? rule->pool : pool_of_bucket(s, bucket, salt);
	const char *name = s->cfg->pools[pool].name;
	bool down = pool != s->live && !pool_takes_new(s, &s->pools[pool], 0);

	if (s->cfg->sticky == STICKY_NONE && !rule && s->share[s->live] != ZDD_SHARE_UNITS)
		name = NULL; /* each flow chooses anew */
	else if (down)
		name = s->cfg->pools[s->live].name;
	return json_pack("{s:s, s:s, s:o, s:i, s:s?}", "address", text, "service", s->cfg->name,
			 "rule", rule ? json_string(rule->text) : json_null(), "bucket",
			 (int)bucket, "pool", name);
}
