/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config_json.h"
#include "journal.h"
#include "log.h"
#include "view.h"

enum { EVENTS_MAX = 5000, RELEASES_MAX = 5000 };

struct journal {
	struct store *store;
	json_t *events, *releases; /* arrays, oldest first */
	int64_t last_event, last_release;
	void (*seen)(void *);
	void *context;
};

uint64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int64_t number_of(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

static int older(const void *a, const void *b)
{
	int64_t x = strtoll(*(const char *const *)a, NULL, 10);
	int64_t y = strtoll(*(const char *const *)b, NULL, 10);

	return (x > y) - (x < y);
}

/* {key: row} as an array ordered by number. */
static json_t *in_order(json_t *rows, int64_t *last)
{
	size_t n = json_object_size(rows), i = 0;
	const char **keys = calloc(n + 1, sizeof(*keys));
	json_t *list = json_array(), *row;
	const char *key;

	json_object_foreach(rows, key, row)
		if (keys)
			keys[i++] = key;
	if (keys)
		qsort(keys, i, sizeof(*keys), older);
	for (size_t k = 0; keys && k < i; k++) {
		json_array_append(list, json_object_get(rows, keys[k]));
		*last = strtoll(keys[k], NULL, 10);
	}
	free(keys);
	json_decref(rows);
	return list;
}

struct journal *journal_open(struct store *store)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->store = store;
	j->events = in_order(store_load(store, STORE_EVENTS, EVENTS_MAX), &j->last_event);
	j->releases = in_order(store_load(store, STORE_RELEASES, RELEASES_MAX), &j->last_release);
	return j;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	json_decref(j->events);
	json_decref(j->releases);
	free(j);
}

void journal_watch(struct journal *j, void (*seen)(void *context), void *context)
{
	j->seen = seen;
	j->context = context;
}

static json_t *text(const char *t)
{
	return t && *t ? json_string(t) : json_null();
}

static void keep(json_t *list, json_t *row, size_t max)
{
	json_array_append(list, row);
	if (json_array_size(list) > max)
		json_array_remove(list, 0);
}

static void put(struct journal *j, enum store_table table, int64_t number, json_t *row)
{
	char key[24];

	snprintf(key, sizeof(key), "%" PRId64, number);
	store_put(j->store, table, key, row);
}

static void log_event(const struct event *e, const char *sentence)
{
	bool wrong = !strcmp(e->kind, "problem") && strncmp(sentence, "over: ", 6);

	log_line(wrong ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s%s%s%s%s%s%s",
		 e->service ? e->service : "", e->pool ? "/" : "", e->pool ? e->pool : "",
		 e->backend ? "/" : "", e->backend ? e->backend : "", e->service ? ": " : "",
		 sentence);
}

void journal_event(struct journal *j, const struct event *e, const char *format, ...)
{
	char sentence[512];
	json_t *row;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	log_event(e, sentence);
	row = json_pack("{s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
			(json_int_t)++j->last_event, "time", view_time(wall_ms()), "kind", e->kind,
			"service", text(e->service), "pool", text(e->pool), "backend",
			text(e->backend), "who", text(e->who), "text", json_sound(sentence),
			"generation",
			e->generation ? json_integer((json_int_t)e->generation) : json_null());
	if (!row)
		return;
	keep(j->events, row, EVENTS_MAX);
	put(j, STORE_EVENTS, j->last_event, row);
	if (j->seen)
		j->seen(j->context);
}

int64_t journal_last_event(const struct journal *j)
{
	return j->last_event;
}

json_t *journal_events(const struct journal *j, int64_t after)
{
	json_t *list = json_array(), *row;
	size_t i;

	json_array_foreach(j->events, i, row)
		if (number_of(row, "id") > after)
			json_array_append(list, row);
	return list;
}

/* ---- releases ---- */

int64_t journal_begin(struct journal *j, const struct release *r)
{
	json_t *row = json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:n, s:n, s:n}", "number",
				(json_int_t)++j->last_release, "service", r->service, "kind",
				r->kind, "from", text(r->from), "to", text(r->to), "who",
				text(r->who), "why", text(r->why), "started", view_time(wall_ms()),
				"ended", "result", "generation");

	if (row) {
		keep(j->releases, row, RELEASES_MAX);
		put(j, STORE_RELEASES, j->last_release, row);
	}
	return j->last_release;
}

static json_t *find_release(const struct journal *j, int64_t number)
{
	for (size_t i = json_array_size(j->releases); i-- > 0;) {
		json_t *row = json_array_get(j->releases, i);

		if (number_of(row, "number") == number)
			return row;
	}
	return NULL;
}

void journal_end(struct journal *j, int64_t number, const char *result, uint64_t generation)
{
	json_t *row = find_release(j, number);

	if (!row || !json_is_null(json_object_get(row, "ended")))
		return;
	json_object_set_new(row, "ended", view_time(wall_ms()));
	json_object_set_new(row, "result", json_string(result));
	if (generation)
		json_object_set_new(row, "generation", json_integer((json_int_t)generation));
	put(j, STORE_RELEASES, number, json_incref(row));
}

void journal_note(struct journal *j, int64_t number, const char *key, json_t *value)
{
	json_t *row = find_release(j, number);

	if (!row || json_object_get(row, key)) {
		json_decref(value);
		return;
	}
	json_object_set_new(row, key, value);
	put(j, STORE_RELEASES, number, json_incref(row));
}

void journal_each_open(struct journal *j,
		       void (*each)(void *context, int64_t number, const json_t *release),
		       void *context)
{
	for (size_t i = 0; i < json_array_size(j->releases); i++) {
		const json_t *row = json_array_get(j->releases, i);

		if (json_is_null(json_object_get(row, "ended")))
			each(context, number_of(row, "number"), row);
	}
}

/* Newest first, as people read it. */
json_t *journal_releases(const struct journal *j, const char *service, size_t limit)
{
	json_t *list = json_array();

	for (size_t i = json_array_size(j->releases); i-- > 0;) {
		json_t *row = json_array_get(j->releases, i);
		const char *name = json_string_value(json_object_get(row, "service"));

		if (json_array_size(list) < limit && name && !strcmp(name, service))
			json_array_append(list, row);
	}
	return list;
}
