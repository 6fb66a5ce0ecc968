/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "rollout_json.h"
#include "saved.h"

json_t *shares_to_saved(const struct world_service *s, const uint16_t *share)
{
	json_t *o = json_object();

	for (size_t i = 0; i < s->cfg->n_pools; i++)
		if (share[i])
			json_object_set_new(o, s->cfg->pools[i].name, json_integer(share[i]));
	return o;
}

/* Only what is not ready: {"blue/10.0.1.11:8080": {"state": "drain", "since_ms": N}}. */
static json_t *admin_json(const struct world_service *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < s->cfg->n_pools; i++)
		for (size_t k = 0; k < s->cfg->pools[i].n_backends; k++) {
			const struct world_backend *b = &s->pools[i].backends[k];
			char name[ZDD_NAME_MAX + ENDPOINT_TEXT + 2];

			if (b->admin == ADMIN_READY)
				continue;
			snprintf(name, sizeof(name), "%s/%s", s->cfg->pools[i].name, b->cfg->text);
			json_object_set_new(o, name,
					    json_pack("{s:s, s:I, s:b, s:b}", "state",
						      admin_state_words[b->admin], "since_ms",
						      (json_int_t)b->admin_since_ms, "held_out",
						      b->held_out, "left_out", b->left_out));
		}
	return o;
}

static json_t *rollout_saved(const struct world_service *s, const struct rollout *r)
{
	return r ? rollout_to_saved(s, r) : json_null();
}

json_t *service_saved(const struct world_service *s)
{
	bool gone = s->stable_live == STABLE_GONE;

	return json_pack("{s:s, s:o, s:s*, s:o*, s:o, s:I, s:I, s:o, s:o, s:o}", "live",
			 s->cfg->pools[s->live].name, "shares", shares_to_saved(s, s->share),
			 "stable_live", gone ? NULL : s->cfg->pools[s->stable_live].name,
			 "stable_shares", gone ? NULL : shares_to_saved(s, s->stable_share),
			 "admin", admin_json(s), "revision", (json_int_t)s->revision, "released_ms",
			 (json_int_t)s->released_ms, "rollout", rollout_saved(s, s->rollout),
			 "queued", rollout_saved(s, s->queued), "lock", lock_to_saved(&s->lock));
}

/* live and shares of exactly 100 % among pools that exist, or nothing. */
static bool load_shares(const struct world_service *s, const json_t *live, const json_t *shares,
			unsigned *out_live, uint16_t *out_share)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE] = {0};
	const struct world_pool *p;
	json_int_t sum = 0;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)shares, name, value) {
		json_int_t units = json_integer_value(value);

		p = world_find_pool(s, name);
		if (!p || units < 0 || units > ZDD_SHARE_UNITS)
			return false;
		share[pool_index(s, p)] = (uint16_t)units;
		sum += units;
	}
	p = json_is_string(live) ? world_find_pool(s, json_string_value(live)) : NULL;
	if (!p || sum != ZDD_SHARE_UNITS)
		return false;
	*out_live = pool_index(s, p);
	memcpy(out_share, share, sizeof(share));
	return true;
}

static bool load_admin(struct world_service *s, const char *place, const json_t *value)
{
	const char *slash = strchr(place, '/');
	const char *state = json_string_value(json_object_get(value, "state"));
	char pool[ZDD_NAME_MAX];
	struct world_pool *p;
	struct world_backend *b;

	if (!slash || !state || (size_t)(slash - place) >= sizeof(pool))
		return false;
	memcpy(pool, place, (size_t)(slash - place));
	pool[slash - place] = '\0';
	p = world_find_pool(s, pool);
	b = p ? world_find_backend(p, slash + 1) : NULL;
	if (!b)
		return false;
	b->admin = !strcmp(state, "maint") ? ADMIN_MAINT : ADMIN_DRAIN;
	b->admin_since_ms = (uint64_t)json_integer_value(json_object_get(value, "since_ms"));
	b->held_out = json_is_true(json_object_get(value, "held_out"));
	b->left_out = json_is_true(json_object_get(value, "left_out"));
	return true;
}

static void all_ready(struct world_service *s)
{
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		for (size_t k = 0; k < s->cfg->pools[i].n_backends; k++) {
			s->pools[i].backends[k].admin = ADMIN_READY;
			s->pools[i].backends[k].held_out = false;
			s->pools[i].backends[k].left_out = false;
		}
}

bool service_load(struct world_service *s, const json_t *saved)
{
	const json_t *revision = json_object_get(saved, "revision");
	const char *place;
	json_t *value;
	bool all = load_shares(s, json_object_get(saved, "live"), json_object_get(saved, "shares"),
			       &s->live, s->share);

	if (!load_shares(s, json_object_get(saved, "stable_live"),
			 json_object_get(saved, "stable_shares"), &s->stable_live, s->stable_share))
		s->stable_live = STABLE_GONE;
	all_ready(s);
	json_object_foreach(json_object_get(saved, "admin"), place, value)
		all &= load_admin(s, place, value);
	if (json_is_integer(revision) && json_integer_value(revision) > s->revision)
		s->revision = (uint32_t)json_integer_value(revision);
	s->released_ms = (uint64_t)json_integer_value(json_object_get(saved, "released_ms"));
	return all;
}

static bool load_rollout(const struct world_service *s, const json_t *saved, struct rollout **out,
			 char *why)
{
	struct rollout r;

	free(*out);
	*out = NULL;
	if (!json_is_object(saved))
		return true;
	if (!rollout_from_saved(s, saved, &r, why))
		return false;
	snprintf(why, ROLLOUT_WHY, "out of memory");
	return !rollout_copy(out, &r);
}

bool service_load_rollouts(struct world_service *s, const json_t *saved, char *why)
{
	char unheard[ROLLOUT_WHY];
	bool first = load_rollout(s, json_object_get(saved, "rollout"), &s->rollout, why);
	bool second = load_rollout(s, json_object_get(saved, "queued"), &s->queued,
				   first ? why : unheard);

	service_hold_again(s);
	lock_from_saved(&s->lock, json_object_get(saved, "lock"));
	return first && second;
}

/* For people to keep: no candidate gets its share back without its rollout. */
static json_t *without_rollouts(const struct world_service *s)
{
	const struct rollout *r = service_rollout(s);
	json_t *o = service_saved(s);

	if (r && rollout_state_phase(r->state) != PHASE_LATE)
		json_object_set_new(o, "shares", shares_to_saved(s, r->base));
	json_object_del(o, "rollout");
	json_object_del(o, "queued");
	json_object_del(o, "lock");
	return o;
}

json_t *world_saved(const struct world *w)
{
	json_t *o = config_to_json(w->config), *saved = json_object();

	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct world_service *s = &w->services[i];
		json_t *service = json_object_get(json_object_get(o, "services"), s->cfg->name);

		json_object_set_new(service, "live", json_string(s->cfg->pools[s->live].name));
		json_object_set_new(saved, s->cfg->name, without_rollouts(s));
	}
	json_object_set_new(o, "saved", saved);
	return o;
}

/* The text without its "saved", or NULL when it has none (or is no JSON object: it is for
 * config_parse to say what is wrong with it). */
static char *strip_saved(const char *text, size_t len, json_t **saved)
{
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *part = json_object_get(o, "saved");
	char *rest = NULL;

	if (json_is_object(part)) {
		json_incref(part);
		json_object_del(o, "saved");
		rest = json_dumps(o, JSON_INDENT(2));
		if (rest && saved)
			*saved = json_incref(part);
		json_decref(part);
	}
	json_decref(o);
	return rest;
}

int config_parse_saved(const char *file, const char *text, size_t len, struct config **out,
		       json_t **saved, char **error)
{
	json_t *part = NULL;
	char *rest = len && text[0] == '{' ? strip_saved(text, len, &part) : NULL;
	int err = config_parse(file, rest ? rest : text, rest ? strlen(rest) : len, out, error);

	free(rest);
	if (err || !saved)
		json_decref(part);
	else
		*saved = part;
	return err;
}
