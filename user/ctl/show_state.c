/* SPDX-License-Identifier: BSD-2-Clause */
/* ls, get and status: services as they are. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/* "1/2 up" for a pool; services and backends bring their own word, "up, 30 %" in slow start. */
static void format_health(char *out, size_t size, const json_t *object, const char *field)
{
	const json_t *backends = json_object_get(object, "backends"), *backend;
	const json_t *ejected = json_object_get(object, "ejected");
	const json_t *slow_start = json_object_get(object, "slow_start");
	size_t i, up = 0;

	if (json_is_object(ejected)) {
		snprintf(out, size, "%s",
			 json_is_true(json_object_get(ejected, "trial")) ? "trial" : "ejected");
		return;
	}
	if (json_is_object(slow_start)) {
		snprintf(out, size, "%s, %lld %%", field_text(object, field),
			 (long long)field_int(slow_start, "percent", 0));
		return;
	}
	if (!json_is_array(backends)) {
		format_plain(out, size, object, field);
		return;
	}
	json_array_foreach(backends, i, backend)
		up += !strcmp(field_text(backend, "health"), "up") &&
		      !json_is_object(json_object_get(backend, "ejected"));
	snprintf(out, size, "%zu/%zu up", up, json_array_size(backends));
}

/* Milliseconds within which 95 of 100 first bytes came. */
static void format_p95(char *out, size_t size, const json_t *object, const char *field)
{
	const json_t *times = json_object_get(json_object_get(object, field), "first_byte_us");
	int64_t us = json_is_object(times) ? field_int(times, "p95", 0) : 0;

	if (us)
		snprintf(out, size, "%.1f ms", (double)us / 1000);
	else
		snprintf(out, size, "%s", "-");
}

static void format_bad(char *out, size_t size, const json_t *object, const char *field)
{
	format_plain(out, size, json_object_get(object, field), "bad");
}

static const struct column tree_columns[] = {
	{"NAME", {"service", "name", "address"}, NULL, COLUMN_TREE, 0},
	{"SHARE", {NULL, "share", NULL}, format_percent, COLUMN_RIGHT, 0},
	{"SEEN", {NULL, "measured_share", NULL}, format_percent, COLUMN_RIGHT, 0},
	{"OPEN", {NULL, "flows_active", "flows_active"}, NULL, COLUMN_RIGHT, 0},
	{"HALF", {NULL, "flows_half_open", "flows_half_open"}, NULL, COLUMN_RIGHT, 0},
	{"NEW", {NULL, "flows_new", "flows_new"}, NULL, COLUMN_RIGHT, 0},
	{"HEALTH", {"state", "health", "health"}, format_health, 0, 0},
	{"ADMIN", {NULL, "role", "admin"}, NULL, 0, 0},
	{"WEIGHT", {NULL, NULL, "weight"}, NULL, COLUMN_RIGHT | COLUMN_WIDE, 0},
	{"BYTES", {NULL, NULL, "bytes"}, format_bytes, COLUMN_RIGHT | COLUMN_WIDE, 0},
	{"BAD", {NULL, "shown", "shown"}, format_bad, COLUMN_RIGHT | COLUMN_WIDE, 0},
	{"P95", {NULL, "shown", "shown"}, format_p95, COLUMN_RIGHT | COLUMN_WIDE, 0},
	{"MAC", {NULL, NULL, "mac"}, NULL, COLUMN_WIDE, 0},
	{"SINCE", {NULL, NULL, "since"}, NULL, COLUMN_WIDE, 0},
	{"CHECKED", {NULL, NULL, "checked"}, NULL, COLUMN_WIDE, 0},
	{"LISTEN", {"listen", NULL, NULL}, format_list, COLUMN_WIDE, 0},
	{"LAST ERROR", {NULL, NULL, "last_error"}, NULL, COLUMN_WIDE, 0},
};

const struct view state_view = {
	.rows = {"services", "pools", "backends"},
	.id = {"service", "name", "address"},
	.columns = tree_columns,
	.n_columns = sizeof(tree_columns) / sizeof(tree_columns[0]),
	.none = "no services are configured",
};

static const struct column ls_columns[] = {
	{"NAME", {"service"}, NULL, 0, 0},
	{"LIVE", {"live"}, NULL, 0, 0},
	{"STATE", {"state"}, NULL, 0, 0},
	{"REVISION", {"revision"}, NULL, COLUMN_RIGHT, 0},
	{"FORWARD", {"forward"}, NULL, 0, 0},
	{"LISTEN", {"listen"}, format_list, COLUMN_WRAP, 0},
	{"PREVIEW", {"preview"}, format_list, COLUMN_WIDE, 0},
};

static const struct view ls_view = {
	.rows = {"services"},
	.id = {"service"},
	.columns = ls_columns,
	.n_columns = sizeof(ls_columns) / sizeof(ls_columns[0]),
	.none = "no services are configured",
};

/* What a person should know beside the numbers, one sentence for each backend that has any. */
static void note_backend(struct ctl *ctl, const char *service, const char *pool, const json_t *b)
{
	const char *address = field_text(b, "address"), *why = field_text(b, "last_error");
	const json_t *ejected = json_object_get(b, "ejected");
	char line[1024];

	if (json_is_object(ejected)) {
		const char *next = field_text(ejected, "next_trial");

		snprintf(line, sizeof(line), "! %s/%s/%s: ejected (%s), %s%s", service, pool,
			 address, field_text(ejected, "reason"),
			 *next ? "trial at " : "its trial goes on", next);
		print_wrapped(ctl, 2, line);
	}

	if (strcmp(field_text(b, "health"), "up") && *why) {
		snprintf(line, sizeof(line), "! %s/%s/%s: %s", service, pool, address, why);
		print_wrapped(ctl, 2, line);
	}
	if (!strcmp(field_text(b, "mac"), "unresolved")) {
		snprintf(line, sizeof(line), "! %s/%s/%s: its MAC address is not known", service,
			 pool, address);
		print_wrapped(ctl, 2, line);
	}
}

/* A pool drains when it lost its share, a backend when somebody said so. Which ended by themselves
 * is told where some did not. */
static void note_drain(struct ctl *ctl, const char *service, const json_t *drain)
{
	const char *backend = field_text(drain, "backend"),
		   *deadline = field_text(drain, "deadline");
	int64_t open = field_int(drain, "open", 0), cut = field_int(drain, "cut", 0);
	char line[1024], state[256] = "drained", ends[128] = "";

	if (!open && !cut)
		return;
	if (open)
		snprintf(state, sizeof(state), "drains, %lld open%s%s", (long long)open,
			 *deadline ? ", until " : "", deadline);
	if (cut)
		snprintf(ends, sizeof(ends), "; %lld finished, %lld cut",
			 (long long)field_int(drain, "finished", 0), (long long)cut);
	snprintf(line, sizeof(line), "~ %s/%s%s%s: %s%s", service, field_text(drain, "pool"),
		 *backend ? "/" : "", backend, state, ends);
	print_wrapped(ctl, 2, line);
}

static void note_hold(struct ctl *ctl, const char *service, const json_t *hold)
{
	char line[512];

	if (!json_is_object(hold))
		return;
	snprintf(line, sizeof(line),
		 "~ %s: new connections wait, %lld so far, for %.1f s more at most", service,
		 (long long)field_int(hold, "held", 0),
		 (double)field_int(hold, "left_ms", 0) / 1000);
	print_wrapped(ctl, 2, line);
}

/* whole: nothing but this service is shown. */
static void note_service(struct ctl *ctl, const json_t *service, bool whole)
{
	const char *name = field_text(service, "service");
	const json_t *pool, *backend, *drain;
	size_t i, j;

	if (json_is_true(json_object_get(service, "panic"))) {
		char line[512];

		snprintf(line, sizeof(line),
			 "! %s: too few backends of the live pool are up, so health "
			 "is ignored (panic)",
			 name);
		print_wrapped(ctl, 2, line);
	}
	rollout_print(ctl, service, whole);
	note_hold(ctl, name, json_object_get(service, "hold"));
	json_array_foreach(json_object_get(service, "drains"), i, drain)
		note_drain(ctl, name, drain);
	json_array_foreach(json_object_get(service, "pools"), i, pool)
		json_array_foreach(json_object_get(pool, "backends"), j, backend)
			note_backend(ctl, name, field_text(pool, "name"), backend);
}

static void note_node(struct ctl *ctl, const json_t *answer)
{
	const json_t *item;
	char line[1024];
	size_t i;

	json_array_foreach(json_object_get(answer, "problems"), i, item) {
		snprintf(line, sizeof(line), "! %s",
			 json_is_string(item) ? json_string_value(item) : "?");
		print_wrapped(ctl, 2, line);
	}
	snprintf(line, sizeof(line), "%s, generation %lld", field_text(answer, "state"),
		 (long long)field_int(answer, "generation", 0));
	json_array_foreach(json_object_get(answer, "interfaces"), i, item) {
		size_t at = strlen(line);

		snprintf(line + at, sizeof(line) - at, "%s %s (%s)", i ? "," : " on",
			 field_text(item, "name"), field_text(item, "mode"));
	}
	print_wrapped(ctl, 0, line);
}

void state_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	const json_t *services = json_object_get(answer, "services"), *service;
	size_t i;

	table_print(ctl, view, answer);
	if (!json_is_array(services)) {
		note_service(ctl, answer, true);
		return;
	}
	json_array_foreach(services, i, service)
		note_service(ctl, service, false);
	note_node(ctl, answer);
}

int ls_run(struct ctl *ctl, char **words, int n)
{
	json_t *answer = NULL;
	int code = fetch(ctl, ctl->cmd->path, &answer);

	(void)words, (void)n;
	if (!code)
		code = show(ctl, &ls_view, answer, table_print);
	json_decref(answer);
	return code;
}

int get_run(struct ctl *ctl, char **words, int n)
{
	json_t *answer = NULL;
	char *path = NULL;
	int code = n ? service_path(ctl, words[0], &path) : 0;
	const char *at = n ? path : "/v1/state";

	if (!code && ctl->opt.watch)
		code = watch_state(ctl, at);
	else if (!code)
		code = fetch(ctl, at, &answer);
	if (answer)
		code = show(ctl, &state_view, answer, state_print);
	json_decref(answer);
	free(path);
	return code;
}
