/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "applied.h"
#include "daemon.h"
#include "reached.h"
#include "saved.h"
#include "start.h"
#include "txn.h"

enum { SERVICES_MAX = CFG_SERVICES_MAX, META_MAX = 100 };

static void load_rollouts(struct daemon *d, struct world_service *s, const json_t *row)
{
	struct event e = {.kind = "start", .service = s->cfg->name};
	char why[ROLLOUT_WHY];

	if (!service_load_rollouts(s, row, why))
		journal_event(d->journal, &e, "the rollout of before is not taken up again: %s",
			      why);
}

static void load_services(struct daemon *d, const json_t *rows)
{
	json_t *row;
	const char *name;

	json_object_foreach((json_t *)rows, name, row) {
		struct world_service *s = world_find(d->world, name);
		struct event e = {.kind = "start", .service = name};

		if (s && !service_load(s, row))
			journal_event(
				d->journal, &e,
				"the state of before does not fit the configuration: the file "
				"lost a pool or backend that it names");
		if (s)
			load_rollouts(d, s, row);
	}
}

/* What is in force now is what a later start must find, after a reboot too. */
static void store_services(struct daemon *d, const json_t *rows)
{
	for (size_t i = 0; i < d->world->config->n_services; i++) {
		const char *name = d->world->services[i].cfg->name;
		json_t *now = service_saved(&d->world->services[i]);

		if (json_equal(now, json_object_get(rows, name)))
			json_decref(now);
		else
			store_put(d->store, STORE_SERVICES, name, now);
	}
}

/* A generation never repeats, not after a reboot either: a new data path goes on in the next
 * thousand, so that what was published last and not written does no harm. */
static uint64_t next_thousand(struct daemon *d)
{
	json_t *meta = store_load(d->store, STORE_META, META_MAX);
	json_int_t last = json_integer_value(json_object_get(meta, "generation"));

	json_decref(meta);
	return last > 0 ? ((uint64_t)last / 1000 + 1) * 1000 - 1 : 0;
}

/* What the store believed, to compare with what the kernel does. */
static json_t *all_shares(const struct world *w)
{
	json_t *o = json_object();
	char text[256];

	for (size_t i = 0; i < w->config->n_services; i++) {
		shares_text(&w->services[i], w->services[i].share, text, sizeof(text));
		json_object_set_new(o, w->services[i].cfg->name, json_string(text));
	}
	return o;
}

static void tell_differences(struct daemon *d, const json_t *believed)
{
	char text[256];

	for (size_t i = 0; i < d->world->config->n_services; i++) {
		const struct world_service *s = &d->world->services[i];
		struct event e = {.kind = "start", .service = s->cfg->name};
		const char *was = json_string_value(json_object_get(believed, s->cfg->name));

		shares_text(s, s->share, text, sizeof(text));
		if (was && strcmp(was, text))
			journal_event(d->journal, &e,
				      "the data path gives new flows to %s, the store says %s: the "
				      "data path is right",
				      text, was);
	}
}

void start_recall(struct daemon *d)
{
	bool adopted = datapath_adopted(d->datapath);
	struct event e = {.kind = "start"};
	json_t *rows = store_load(d->store, STORE_SERVICES, SERVICES_MAX), *believed;

	d->world->generation = adopted ? 0 : next_thousand(d);
	load_services(d, rows);
	believed = all_shares(d->world);
	if (adopted) {
		datapath_recall(d->datapath, d->world);
		tell_differences(d, believed);
	}
	store_services(d, rows);
	json_decref(rows);
	json_decref(believed);
	e.generation = d->world->generation;
	if (adopted)
		journal_event(d->journal, &e, "zddd %s took over a running data path, plan %llu",
			      ZDD_VERSION, (unsigned long long)d->world->generation);
	else
		journal_event(d->journal, &e, "zddd %s made a new data path", ZDD_VERSION);
}

/* The release's goal is what the data path does now. A configuration was in the store before its
 * release was: it is in force now. */
static bool is_reached(const struct daemon *d, const struct world_service *s, const json_t *release)
{
	const char *from = json_string_value(json_object_get(release, "from"));
	const char *to = json_string_value(json_object_get(release, "to"));

	return to && change_reached(s, from ? from : "", to, applied_lost(d));
}

static const struct rollout *rollout_of(const struct world_service *s, int64_t number)
{
	if (s && s->rollout && s->rollout->number == (uint64_t)number)
		return s->rollout;
	return s && s->queued && s->queued->number == (uint64_t)number ? s->queued : NULL;
}

/* Of a rollout: it ends with it. */
static bool close_rollout(struct daemon *d, int64_t number, const struct rollout *r)
{
	if (r && rollout_is_over(r))
		journal_end(d->journal, number, rollout_state_word(r->state), d->world->generation);
	return r != NULL;
}

static void close_one(void *context, int64_t number, const json_t *release)
{
	struct daemon *d = context;
	const char *name = json_string_value(json_object_get(release, "service"));
	const char *kind = json_string_value(json_object_get(release, "kind"));
	const char *to = json_string_value(json_object_get(release, "to"));
	const struct world_service *s = name ? world_find(d->world, name) : NULL;
	struct event e = {.kind = "start", .service = name};
	bool reached = is_reached(d, s, release);
	char text[256] = "nothing of it";

	if (close_rollout(d, number, rollout_of(s, number)))
		return;
	if (s)
		shares_text(s, s->share, text, sizeof(text));
	journal_end(d->journal, number, reached ? "reached" : "interrupted", d->world->generation);
	journal_event(d->journal, &e,
		      "release %lld (%s to %s) has no end: zddd died in the middle of it; the data "
		      "path shows %s",
		      (long long)number, kind ? kind : "?", to ? to : "?", text);
}

void start_close_releases(struct daemon *d)
{
	journal_each_open(d->journal, close_one, d);
}
