/* SPDX-License-Identifier: BSD-2-Clause */
/* A world to try verbs on: shop (two pools, empty spare), web (three pools, both families), and what
 * a rollout of them is given. */
#ifndef ZDD_TEST_ROLLOUT_WORLD_H
#define ZDD_TEST_ROLLOUT_WORLD_H

#include <stdlib.h>

#include "saved.h"
#include "t.h"
#include "verbs.h"

static const char world_text[] =
	"interfaces: [eth0]\n"
	"services:\n"
	"  shop:\n"
	"    listen: [\"203.0.113.10:443/tcp\"]\n"
	"    pools:\n"
	"      blue: [\"10.0.1.11:8080\", \"10.0.1.12:8080\"]\n"
	"      green: [\"10.0.2.11:8080\", \"10.0.2.12:8080\"]\n"
	"      spare: []\n"
	"    live: blue\n"
	"    rollout:\n"
	"      steps: [5%%, 25%%, 50%%, 100%%]\n"
	"      each: {min: 10m, max: 1h}\n"
	"      on_conflict: %s\n"
	"      lease: 20s\n"
	"      bake: 7m\n"
	"      staging_timeout: 3m\n"
	"      hooks: {update: [/bin/update], timeout: 1m}\n"
	"  side:\n"
	"    listen: [\"203.0.113.12:80/tcp\"]\n"
	"    pools: {old: [\"10.0.5.1:80\"], new: [\"10.0.5.1:81\"]}\n"
	"    live: old\n"
	"    rollout: {strategy: flip}\n"
	"  web:\n"
	"    listen: [\"203.0.113.11:80/tcp\", \"[2001:db8::11]:80/tcp\"]\n"
	"    pools:\n"
	"      a: [\"10.0.1.11:80\", \"[fd00::1]:80\"]\n"
	"      b: [\"10.0.2.11:80\"]\n"
	"      c: [\"10.0.3.11:80\", \"[fd00::3]:80\"]\n"
	"    live: a\n";

static inline struct world *make(const char *on_conflict)
{
	struct config *config = NULL;
	struct world *w = NULL;
	char *error = NULL, text[2048];

	snprintf(text, sizeof(text), world_text, on_conflict);
	if (config_parse("test", text, strlen(text), &config, &error) ||
	    world_make(config, NULL, &w, &error))
		printf("# %s\n", error ? error : "no memory");
	free(error);
	for (size_t i = 0; w && i < w->config->n_services; i++)
		for (size_t k = 0; k < w->services[i].cfg->n_pools; k++)
			for (size_t b = 0; b < w->services[i].cfg->pools[k].n_backends; b++)
				w->services[i].pools[k].backends[b].health.state = HEALTH_UP;
	return w;
}

static struct answer last;
static json_t *records; /* of the last verb that did something */
static struct txn_ask ask = {.who = "anna"};

/* Carries the verb out and keeps it, as the daemon does: what begins gets the next number. */
static inline int run(struct world **w, const char *verb, const char *body, uint64_t now_ms)
{
	static uint64_t number = 10;
	json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
	struct txn t;
	enum outcome o;

	ask.now_ms = now_ms;
	o = verb_try(verb_find(verb), *w, json, &ask, &t, &last);
	json_decref(json);
	if (o)
		return (int)o;
	json_decref(records);
	records = json_incref(t.records);
	txn_commit(&t);
	if (t.next) {
		world_free(*w);
		*w = t.next;
	}
	for (size_t i = 0; i < (*w)->config->n_services; i++) {
		struct world_service *s = &(*w)->services[i];

		if (s->rollout && !s->rollout->number)
			s->rollout->number = number++;
		if (s->queued && !s->queued->number)
			s->queued->number = number++;
	}
	return 0;
}

static inline void done(struct world *w)
{
	world_free(w);
	answer_clear(&last);
	json_decref(records);
	records = NULL;
}

static inline const char *shares(const struct world *w, const char *service)
{
	static char text[128];
	const struct world_service *s = world_find(w, service);

	shares_text(s, s->share, text, sizeof(text));
	return text;
}

/* The rollout goes to a state as the driver would take it there. */
static inline struct rollout *put_state(struct world *w, const char *service,
					enum rollout_state state, unsigned step)
{
	struct world_service *s = world_find(w, service);

	s->rollout->state = state;
	s->rollout->step = step;
	service_follow(s);
	return s->rollout;
}

/* "result" of the release that the last verb ended, or "". */
static inline const char *ended(void)
{
	const char *word = json_string_value(
		json_object_get(json_object_get(json_array_get(records, 0), "ended"), "result"));

	return word ? word : "";
}

static inline bool begins(void)
{
	return json_is_true(json_object_get(json_array_get(records, 0), "rollout"));
}

static inline const char *change(size_t i)
{
	const char *text = json_string_value(json_array_get(last.changes, i));

	return text ? text : "";
}

#endif
