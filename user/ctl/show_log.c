/* SPDX-License-Identifier: BSD-2-Clause */
/* events and why: what happened, and why things are as they are. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

enum { FOLLOW_MS = 20000 };

static int show_service(struct ctl *ctl, const char *service, const struct view *view,
			people_fn people)
{
	json_t *answer = NULL;
	char *path = NULL;
	int code = service_path(ctl, service, &path);

	if (!code)
		code = fetch(ctl, path, &answer);
	if (!code)
		code = show(ctl, view, answer, people);
	json_decref(answer);
	free(path);
	return code;
}

static const struct view why_view = {.rows = {NULL}};

static void why_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	const json_t *sentence;
	size_t i;

	(void)view;
	json_array_foreach(json_object_get(answer, "text"), i, sentence)
		print_wrapped(ctl, 2, json_is_string(sentence) ? json_string_value(sentence) : "");
}

int why_run(struct ctl *ctl, char **words, int n)
{
	(void)n;
	return show_service(ctl, words[0], &why_view, why_print);
}

/* "shop/green/10.0.0.1:80", as far as the event is about it. */
static void format_subject(char *out, size_t size, const json_t *event, const char *field)
{
	const char *pool = field_text(event, "pool"), *backend = field_text(event, "backend");

	snprintf(out, size, "%s%s%s%s%s", field_text(event, field), *pool ? "/" : "", pool,
		 *backend ? "/" : "", backend);
}

static const struct column events_columns[] = {
	{"ID", {"id"}, NULL, COLUMN_WIDE, 6},
	{"TIME", {"time"}, NULL, 0, 20},
	{"KIND", {"kind"}, NULL, 0, 8},
	{"GENERATION", {"generation"}, NULL, COLUMN_WIDE, 6},
	{"WHO", {"who"}, NULL, COLUMN_WIDE, 6},
	{"SUBJECT", {"service"}, format_subject, 0, 0},
	{"TEXT", {"text"}, NULL, 0, 0},
};

static const struct view events_view = {
	.rows = {"events"},
	.id = {"id"},
	.columns = events_columns,
	.n_columns = sizeof(events_columns) / sizeof(events_columns[0]),
};

static int64_t last_id(const json_t *answer, int64_t before)
{
	const json_t *event;
	size_t i;

	json_array_foreach(json_object_get(answer, "events"), i, event) {
		int64_t id = field_int(event, "id", before);

		before = id > before ? id : before;
	}
	return before;
}

/* One document that grows cannot be one JSON array, so following prints one object a line. */
static void show_events(struct ctl *ctl, const json_t *answer)
{
	if (ctl->opt.follow && ctl->opt.output == OUTPUT_JSON)
		ctl->opt.output = OUTPUT_JSONL;
	show(ctl, &events_view, answer, lines_print);
}

static int follow(struct ctl *ctl, int64_t after)
{
	int code = 0;

	while (!code && !fflush(stdout)) {
		json_t *answer = NULL;
		char path[128];

		snprintf(path, sizeof(path), "%s?after=%lld&wait_ms=%d", ctl->cmd->path,
			 (long long)after, FOLLOW_MS);
		code = fetch_again(ctl, path, &answer);
		if (!code) {
			show_events(ctl, answer);
			after = last_id(answer, after);
		}
		json_decref(answer);
	}
	return code;
}

int events_run(struct ctl *ctl, char **words, int n)
{
	json_t *answer = NULL;
	int64_t after = 0;
	int code = fetch(ctl, ctl->cmd->path, &answer);

	(void)words, (void)n;
	if (code)
		return code;
	show_events(ctl, answer);
	after = last_id(answer, 0);
	json_decref(answer);
	return ctl->opt.follow ? follow(ctl, after) : EXIT_OK;
}
