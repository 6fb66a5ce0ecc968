/* SPDX-License-Identifier: BSD-2-Clause */
/* conns: who is connected to what. cohort: which pool a client gets. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ctl.h"

static const struct column conns_columns[] = {
	{"CLIENT", {"client"}, NULL, 0, 0},
	{"LISTENER", {"listener"}, NULL, COLUMN_WIDE, 0},
	{"POOL", {"pool"}, NULL, 0, 0},
	{"SOURCE", {"source"}, NULL, COLUMN_WIDE, 0},
	{"BACKEND", {"backend"}, NULL, 0, 0},
	{"PROTOCOL", {"protocol"}, NULL, COLUMN_WIDE, 0},
	{"STATE", {"state"}, NULL, 0, 0},
	{"IDLE", {"idle_ms"}, format_ms, COLUMN_RIGHT, 0},
	{"AGE", {"age_ms"}, format_ms, COLUMN_RIGHT, 0},
	{"DRAINS UNTIL", {"deadline"}, NULL, COLUMN_WIDE, 0},
	{"GENERATION", {"generation"}, NULL, COLUMN_RIGHT | COLUMN_WIDE, 0},
};

static const struct view conns_view = {
	.rows = {"conns"},
	.id = {"client"},
	.columns = conns_columns,
	.n_columns = sizeof(conns_columns) / sizeof(conns_columns[0]),
	.none = "no open connections",
};

static void conns_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	int64_t shown = (int64_t)json_array_size(json_object_get(answer, "conns"));
	int64_t total = field_int(answer, "total", shown);

	table_print(ctl, view, answer);
	if (total > shown)
		fprintf(stderr, "zddctl: %lld of %lld shown; --limit shows more\n",
			(long long)shown, (long long)total);
}

/* "?pool=blue&backend=10.0.0.1%3A80&limit=100", as far as given. */
static int add_filter(const struct ctl *ctl, char **path, const struct name *name)
{
	char limit[32] = "";
	int code = add_query(ctl, path, "pool", name->pool);

	if (ctl->opt.given & TAKES_LIMIT)
		snprintf(limit, sizeof(limit), "%u", ctl->opt.limit);
	if (!code)
		code = add_query(ctl, path, "backend", name->backend);
	if (!code && ctl->opt.draining)
		code = add_query(ctl, path, "draining", "1");
	return code ? code : add_query(ctl, path, "limit", limit);
}

int conns_run(struct ctl *ctl, char **words, int n)
{
	char error[ERROR_MAX], *path = NULL;
	json_t *answer = NULL;
	struct name name;
	int code;

	(void)n;
	if (name_parse(&name, words[0], NAME_SERVICE, NAME_BACKEND, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	code = service_path(ctl, name.service, &path);
	if (!code)
		code = add_filter(ctl, &path, &name);
	if (!code)
		code = fetch(ctl, path, &answer);
	if (!code)
		code = show(ctl, &conns_view, answer, conns_print);
	json_decref(answer);
	free(path);
	return code;
}

static void cohort_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	const char *rule = field_text(answer, "rule");
	char line[512], because[128];

	(void)view;
	if (*rule)
		snprintf(because, sizeof(because), "by the rule for %s", rule);
	else
		snprintf(because, sizeof(because), "bucket %lld of 10000",
			 (long long)field_int(answer, "bucket", -1));
	snprintf(line, sizeof(line), "%s gets %s/%s (%s).", field_text(answer, "address"),
		 field_text(answer, "service"), field_text(answer, "pool"), because);
	print_wrapped(ctl, 0, line);
}

static const struct view cohort_view = {.rows = {NULL}};

int cohort_run(struct ctl *ctl, char **words, int n)
{
	struct zdd_addr address;
	char canonical[64], *path = NULL;
	json_t *answer = NULL;
	int code;

	(void)n;
	if (parse_address(words[1], &address))
		return fail(ctl, EXIT_USAGE, "'%s': expected an IPv4 or IPv6 address", words[1]);
	format_address(canonical, sizeof(canonical), &address);
	code = service_path(ctl, words[0], &path);
	if (!code)
		code = add_query(ctl, &path, "address", canonical);
	if (!code)
		code = fetch(ctl, path, &answer);
	if (!code)
		code = show(ctl, &cohort_view, answer, cohort_print);
	json_decref(answer);
	free(path);
	return code;
}
