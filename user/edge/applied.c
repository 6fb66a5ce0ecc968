/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applied.h"
#include "config_json.h"
#include "daemon.h"
#include "log.h"
#include "saved.h"
#include "seed.h"

enum { META_MAX = 100, HASH_TEXT = 17 };

static const char row_name[] = "applied";

struct applied {
	json_t *file; /* what the file says, as comparable(); null when it says nothing valid */
	char hash[HASH_TEXT];
	json_t *row;    /* as in the store: {"file": hash, "config": ...}, or null */
	json_t *before; /* the row that applied_put replaced, until it is known how that ended */
	bool lost;
};

/* Live is the switch's: a file that names another is no other configuration. */
static json_t *comparable(const struct config *c)
{
	json_t *o = config_to_json(c), *service;
	const char *name;

	json_object_foreach(json_object_get(o, "services"), name, service)
		json_object_del(service, "live");
	return o;
}

static void take_file(struct applied *a, const char *text, const struct config *c)
{
	json_decref(a->file);
	a->file = c ? comparable(c) : json_null();
	snprintf(a->hash, sizeof(a->hash), "%016llx", (unsigned long long)seed_of(text, 0));
}

/* The file as it is on disk now. */
static void look_at_file(struct daemon *d)
{
	struct config *c = NULL;
	char *error = NULL;
	size_t len;
	char *text = read_file(d->options.config, &len, &error);

	if (text)
		config_parse_saved(d->options.config, text, len, &c, NULL, &error);
	take_file(d->applied, text ? text : "", c);
	if (c)
		config_free(c);
	free(text);
	free(error);
}

static bool differs(const struct applied *a, const struct config *c)
{
	json_t *now = comparable(c), *sentences = json_array();
	size_t n = json_differences("", a->file, now, sentences); /* minds no order */

	json_decref(sentences);
	json_decref(now);
	return n;
}

/* NULL: the file says it all. */
static void store_row(struct daemon *d, json_t *row)
{
	struct applied *a = d->applied;

	if (!row)
		row = json_null();
	if (!json_equal(row, a->row))
		store_put(d->store, STORE_META, row_name,
			  json_is_null(row) ? NULL : json_incref(row));
	json_decref(a->row);
	a->row = row;
}

void applied_put(struct daemon *d, const struct config *c)
{
	struct applied *a = d->applied;

	if (!a->before)
		a->before = json_incref(a->row);
	look_at_file(d);
	store_row(d, differs(a, c)
			     ? json_pack("{s:s, s:o}", "file", a->hash, "config", config_to_json(c))
			     : NULL);
}

static void tell_drift(struct daemon *d)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "the configuration in force was applied and differs from %.150s (zddctl plan -f "
		 "shows how)",
		 d->options.config);
	daemon_problem(d, PROBLEM_DRIFT, json_is_null(d->applied->row) ? NULL : text);
}

static void forget_before(struct applied *a)
{
	json_decref(a->before);
	a->before = NULL;
}

void applied_settle(struct daemon *d)
{
	applied_put(d, d->world->config);
	forget_before(d->applied);
	tell_drift(d);
}

/* A file that was edited for what was refused rules at the next start. */
void applied_refused(struct daemon *d)
{
	store_row(d, json_incref(d->applied->before));
	forget_before(d->applied);
}

bool applied_lost(const struct daemon *d)
{
	return d->applied->lost;
}

/* ---- start ---- */

static struct config *parse_row(const json_t *row)
{
	char *error = NULL, *text = json_dumps(json_object_get(row, "config"), JSON_COMPACT);
	struct config *c = NULL;

	if (!text || config_parse("the applied configuration", text, strlen(text), &c, &error))
		log_error("%s; the file rules", error ? error : "no applied configuration");
	free(text);
	free(error);
	return c;
}

static void file_rules(struct daemon *d)
{
	struct event e = {.kind = "start"};

	d->applied->lost = true;
	store_row(d, NULL);
	journal_event(d->journal, &e,
		      "%.200s was edited since another configuration was applied: the file is in "
		      "force, what was applied is not",
		      d->options.config);
}

static void choose(struct daemon *d, struct config **config)
{
	struct applied *a = d->applied;
	const char *hash = json_string_value(json_object_get(a->row, "file"));
	struct config *c = hash ? parse_row(a->row) : NULL;

	if (!c) {
		store_row(d, NULL);
	} else if (strcmp(hash, a->hash)) {
		if (differs(a, c))
			file_rules(d);
		else
			store_row(d, NULL);
		config_free(c);
	} else {
		config_free(*config);
		*config = c;
		tell_drift(d);
	}
}

struct applied *applied_begin(struct daemon *d, const char *text, struct config **config)
{
	struct applied *a = calloc(1, sizeof(*a));
	json_t *meta, *row;

	if (!a)
		return NULL;
	meta = store_load(d->store, STORE_META, META_MAX);
	row = json_object_get(meta, row_name);
	a->row = row ? json_incref(row) : json_null();
	json_decref(meta);
	d->applied = a;
	take_file(a, text, *config);
	choose(d, config);
	return a;
}

void applied_free(struct applied *a)
{
	if (!a)
		return;
	json_decref(a->file);
	json_decref(a->row);
	json_decref(a->before);
	free(a);
}
