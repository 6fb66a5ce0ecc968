/* SPDX-License-Identifier: BSD-2-Clause */
/* history: the releases of a service, and what they add up to. */
#include <stdlib.h>

#include "ctl.h"

/* What -o wide shows; people see a sentence for each, see print_release(). */

static const struct column history_columns[] = {
	{"NO", {"number"}, NULL, COLUMN_RIGHT, 0},
	{"KIND", {"kind"}, NULL, 0, 0},
	{"FROM", {"from"}, NULL, 0, 0},
	{"TO", {"to"}, NULL, 0, 0},
	{"WHO", {"who"}, NULL, 0, 0},
	{"STARTED", {"started"}, NULL, 0, 0},
	{"ENDED", {"ended"}, NULL, 0, 0},
	{"GENERATION", {"generation"}, NULL, COLUMN_RIGHT, 0},
	{"RESULT", {"result"}, NULL, 0, 0},
	{"WHY", {"why"}, NULL, 0, 0},
};

static const struct view history_view = {
	.rows = {"releases"},
	.id = {"number"},
	.columns = history_columns,
	.n_columns = sizeof(history_columns) / sizeof(history_columns[0]),
	.none = "nothing was released yet",
};

/* "  3  2026-11-21T02:00:00Z  flip     reached      green -> blue, by root: too slow" */
static void print_release(const struct ctl *ctl, const json_t *release)
{
	const char *from = field_text(release, "from"), *why = field_text(release, "why");
	const char *result = field_text(release, "result");
	char line[2048];
	int at = printf("%4lld  %.19sZ  %-10s  %-11s  ", (long long)field_int(release, "number", 0),
			field_text(release, "started"), field_text(release, "kind"),
			*result ? result : "going on");

	snprintf(line, sizeof(line), "%s%s%s, by %s%s%s", from, *from ? " -> " : "",
		 field_text(release, "to"), field_text(release, "who"), *why ? ": " : "", why);
	print_wrapped_at(ctl, at, at, line);
}

static void history_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	const json_t *releases = json_object_get(answer, view->rows[0]), *release;
	size_t i;

	if (ctl->opt.output == OUTPUT_WIDE || !json_array_size(releases)) {
		table_print(ctl, view, answer);
		return;
	}
	printf("%4s  %-20s  %-10s  %-11s  %s\n", "NO", "STARTED", "KIND", "RESULT", "CHANGE");
	json_array_foreach(releases, i, release)
		print_release(ctl, release);
}

static const struct view stats_view = {.rows = {NULL}, .id = {"service"}};

static void print_time(const char *title, const json_t *times)
{
	char mean[32], median[32];

	format_ms(mean, sizeof(mean), times, "mean_ms");
	format_ms(median, sizeof(median), times, "median_ms");
	if (!field_int(times, "n", 0))
		printf("%-20s -\n", title);
	else
		printf("%-20s %s on average, half of them within %s\n", title, mean, median);
}

static void stats_print(struct ctl *ctl, const struct view *view, const json_t *stats)
{
	static const struct {
		const char *title, *field;
	} lines[] = {
		{"deployments", "deployments"}, {"promoted", "promoted"},
		{"rolled back", "rolled_back"}, {"undone", "undone"},
		{"failed safe", "failed_safe"}, {"aborted", "aborted"},
		{"going on", "going_on"},       {"failed connections", "failed_connections"},
	};

	(void)ctl, (void)view;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[32];

		format_plain(text, sizeof(text), stats, lines[i].field);
		printf("%-20s %s\n", lines[i].title, text);
	}
	print_time("time to promote", json_object_get(stats, "time_to_promote"));
	print_time("time to recover", json_object_get(stats, "time_to_recover"));
}

static int show_stats(struct ctl *ctl, const char *service, const json_t *answer)
{
	json_t *stats = history_stats(json_object_get(answer, history_view.rows[0]), service);
	int code;

	if (!stats)
		return fail(ctl, EXIT_ERROR, "out of memory");
	code = show(ctl, &stats_view, stats, stats_print);
	json_decref(stats);
	return code;
}

int history_run(struct ctl *ctl, char **words, int n)
{
	json_t *answer = NULL;
	char *path = NULL;
	int code = service_path(ctl, words[0], &path);

	(void)n;
	if (!code)
		code = fetch(ctl, path, &answer);
	if (!code && ctl->opt.stats)
		code = show_stats(ctl, words[0], answer);
	else if (!code)
		code = show(ctl, &history_view, answer, history_print);
	json_decref(answer);
	free(path);
	return code;
}
