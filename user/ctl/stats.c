/* SPDX-License-Identifier: BSD-2-Clause */
/* history --stats: what a service's releases add up to. Pure. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"

/* The releases that put a version before clients; others (share, experiment, drain ...) are not for good. */
static const char *const shipping[] = {"flip", "canary", "roll", "deploy"};

/* What became of one, by its result; none of them: it goes on, or ended otherwise. */
enum fate { PROMOTED, ROLLED_BACK, FAILED_SAFE, ABORTED, FATES };

static const struct {
	const char *result;
	enum fate fate;
} fates[] = {
	{"reached", PROMOTED}, {"promoted", PROMOTED},       {"bake", PROMOTED},
	{"stable", PROMOTED},  {"rolled_back", ROLLED_BACK}, {"failed_safe", FAILED_SAFE},
	{"aborted", ABORTED},  {"superseded", ABORTED},
};

static const char *const fate_words[] = {"promoted", "rolled_back", "failed_safe", "aborted"};

/* Durations, in ms. */
struct times {
	int64_t *ms;
	size_t n;
};

struct stats {
	size_t deployments, undone, going_on, n[FATES];
	int64_t failed; /* connections; -1: no release counted them */
	struct times promote, recover;
};

/* RFC 3339 UTC, as ms; 0 for anything else. */
static int64_t time_of(const json_t *release, const char *field)
{
	struct tm tm = {0};
	int ms = 0,
	    n = sscanf(field_text(release, field), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year,
		       &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms);

	if (n < 6)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm) * INT64_C(1000) + ms;
}

/* Nothing is counted of which one end is not known. */
static void add_time(struct times *t, int64_t from, int64_t to)
{
	if (t->ms && from && to >= from)
		t->ms[t->n++] = to - from;
}

static bool ships(const json_t *release)
{
	for (size_t i = 0; i < sizeof(shipping) / sizeof(shipping[0]); i++)
		if (!strcmp(shipping[i], field_text(release, "kind")))
			return true;
	return false;
}

static int fate_of(const json_t *release)
{
	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++)
		if (!strcmp(fates[i].result, field_text(release, "result")))
			return (int)fates[i].fate;
	return -1;
}

/* "promoted" and "trouble" are times that rollouts bring: when all new flows went to the candidate, and
 * when it was first seen to be bad. Without them it is the whole release. */
static int64_t either(const json_t *release, const char *field, const char *otherwise)
{
	int64_t t = time_of(release, field);

	return t ? t : time_of(release, otherwise);
}

static void add_deployment(struct stats *s, const json_t *release)
{
	int fate = fate_of(release);
	int64_t ended = time_of(release, "ended");

	s->deployments++;
	s->going_on += !ended;
	if (fate < 0 || !ended)
		return;
	s->n[fate]++;
	if (fate == PROMOTED)
		add_time(&s->promote, time_of(release, "started"),
			 either(release, "promoted", "ended"));
	if (fate == ROLLED_BACK)
		add_time(&s->recover, either(release, "trouble", "started"), ended);
}

/* A person took back what was shipped last before it. */
static void add_undo(struct stats *s, const json_t *undo, const json_t *undone)
{
	if (fate_of(undo) != PROMOTED)
		return;
	s->undone++;
	if (undone)
		add_time(&s->recover, either(undone, "trouble", "started"), time_of(undo, "ended"));
}

static void add_failed(struct stats *s, const json_t *release)
{
	int64_t n = field_int(release, "failed", -1);

	if (n >= 0)
		s->failed = (s->failed < 0 ? 0 : s->failed) + n;
}

static int by_number(const void *a, const void *b)
{
	int64_t x = field_int(*(json_t *const *)a, "number", 0);
	int64_t y = field_int(*(json_t *const *)b, "number", 0);

	return (x > y) - (x < y);
}

static void add_all(struct stats *s, json_t **releases, size_t n)
{
	const json_t *last = NULL;

	qsort(releases, n, sizeof(*releases), by_number);
	for (size_t i = 0; i < n; i++) {
		add_failed(s, releases[i]);
		if (!strcmp(field_text(releases[i], "kind"), "undo"))
			add_undo(s, releases[i], last);
		if (!ships(releases[i]))
			continue;
		add_deployment(s, releases[i]);
		last = releases[i];
	}
}

static int by_length(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static json_t *times_json(struct times *t)
{
	int64_t sum = 0, middle;

	if (!t->n)
		return json_pack("{s:i, s:n, s:n}", "n", 0, "mean_ms", "median_ms");
	qsort(t->ms, t->n, sizeof(*t->ms), by_length);
	for (size_t i = 0; i < t->n; i++)
		sum += t->ms[i];
	middle = (t->ms[(t->n - 1) / 2] + t->ms[t->n / 2]) / 2;
	return json_pack("{s:I, s:I, s:I}", "n", (json_int_t)t->n, "mean_ms",
			 (json_int_t)(sum / (int64_t)t->n), "median_ms", (json_int_t)middle);
}

static json_t *number(size_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *stats_json(struct stats *s, const char *service)
{
	json_t *o =
		json_pack("{s:s, s:o}", "service", service, "deployments", number(s->deployments));

	for (int i = 0; i < FATES; i++)
		json_object_set_new(o, fate_words[i], number(s->n[i]));
	json_object_set_new(o, "undone", number(s->undone));
	json_object_set_new(o, "going_on", number(s->going_on));
	json_object_set_new(o, "failed_connections",
			    s->failed < 0 ? json_null() : json_integer(s->failed));
	json_object_set_new(o, "time_to_promote", times_json(&s->promote));
	json_object_set_new(o, "time_to_recover", times_json(&s->recover));
	return o;
}

json_t *history_stats(const json_t *releases, const char *service)
{
	size_t n = json_array_size(releases);
	struct stats s = {
		.failed = -1,
		.promote.ms = calloc(n + 1, sizeof(int64_t)),
		.recover.ms = calloc(n + 1, sizeof(int64_t)),
	};
	json_t **rows = calloc(n + 1, sizeof(json_t *)), *answer = NULL;

	for (size_t i = 0; rows && i < n; i++)
		rows[i] = json_array_get(releases, i);
	if (rows && s.promote.ms && s.recover.ms) {
		add_all(&s, rows, n);
		answer = stats_json(&s, service);
	}
	free(rows);
	free(s.promote.ms);
	free(s.recover.ms);
	return answer;
}
