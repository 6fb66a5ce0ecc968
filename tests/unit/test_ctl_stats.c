/* SPDX-License-Identifier: BSD-2-Clause */
/* history --stats: what releases add up to. */
#include "t.h"

#include "../../user/ctl/print.c"
#include "../../user/ctl/stats.c"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { RELEASES = 6, NONE = -1 };

struct row {
	int number;
	const char *kind, *result, *started, *ended, *promoted, *trouble;
	int failed; /* 0: nobody counted */
};

#define AT(minute) "2026-11-21T02:" minute ":00Z"

static const struct {
	const char *name;
	struct row rows[RELEASES];
	int deployments, promoted, rolled_back, failed_safe, aborted, undone, going_on, failed;
	int promote_n, promote_mean_s, promote_median_s, recover_n, recover_mean_s;
} cases[] = {
	{"nothing", {{0}}, .failed = NONE},
	{"care is no deployment",
	 {{1, "share", "reached", AT("00"), AT("01")},
	  {2, "experiment", "aborted", AT("00"), AT("01")}},
	 .failed = NONE},
	{"one flip",
	 {{1, "flip", "reached", AT("00"), "2026-11-21T02:00:01.500Z"}},
	 1,
	 1,
	 .failed = NONE,
	 .promote_n = 1,
	 .promote_mean_s = 1,
	 .promote_median_s = 1},
	{"a canary is promoted before it is stable",
	 {{1, "canary", "stable", AT("00"), AT("40"), AT("30")}},
	 1,
	 1,
	 .failed = NONE,
	 .promote_n = 1,
	 .promote_mean_s = 1800,
	 .promote_median_s = 1800},
	{"mean and median of four, newest first",
	 {{4, "flip", "reached", AT("30"), AT("40")},
	  {3, "deploy", "stable", AT("20"), AT("22")},
	  {2, "roll", "stable", AT("10"), AT("14")},
	  {1, "canary", "promoted", AT("00"), AT("08")}},
	 4,
	 4,
	 .failed = NONE,
	 .promote_n = 4,
	 .promote_mean_s = 360,
	 .promote_median_s = 360},
	{"each other end",
	 {{1, "canary", "rolled_back", AT("00"), AT("10"), NULL, AT("08"), 7},
	  {2, "canary", "failed_safe", AT("10"), AT("11")},
	  {3, "roll", "aborted", AT("11"), AT("12")},
	  {4, "canary", "superseded", AT("12"), AT("13"), NULL, NULL, 5},
	  {5, "canary", NULL, AT("13"), NULL},
	  {6, "flip", "error", AT("14"), AT("15")}},
	 6,
	 0,
	 1,
	 1,
	 2,
	 0,
	 1,
	 12,
	 .recover_n = 1,
	 .recover_mean_s = 120},
	{"a person takes back what was shipped last",
	 {{1, "flip", "reached", AT("00"), AT("01")},
	  {2, "drain", "reached", AT("02"), AT("02")},
	  {3, "undo", "reached", AT("05"), AT("06")},
	  {4, "undo", "refused", AT("07"), AT("07")}},
	 1,
	 1,
	 .undone = 1,
	 .failed = NONE,
	 .promote_n = 1,
	 .promote_mean_s = 60,
	 .promote_median_s = 60,
	 .recover_n = 1,
	 .recover_mean_s = 360},
	{"a time that cannot be is not counted",
	 {{1, "flip", "reached", AT("05"), AT("01")}, {2, "undo", "reached", "", AT("06")}},
	 1,
	 1,
	 .undone = 1,
	 .failed = NONE,
	 .recover_n = 1,
	 .recover_mean_s = 60},
};

static json_t *releases_of(const struct row *rows)
{
	json_t *list = json_array();

	for (const struct row *r = rows; r < rows + RELEASES && r->number; r++) {
		json_t *o = json_pack("{s:i, s:s, s:s?, s:s?, s:s?, s:s*, s:s*}", "number",
				      r->number, "kind", r->kind, "result", r->result, "started",
				      r->started, "ended", r->ended, "promoted", r->promoted,
				      "trouble", r->trouble);

		if (r->failed)
			json_object_set_new(o, "failed", json_integer(r->failed));
		json_array_append_new(list, o);
	}
	return list;
}

static void check_times(const json_t *times, int n, int mean_s, int median_s)
{
	CHECK_INT(field_int(times, "n", -1), n);
	CHECK_INT(field_int(times, "mean_ms", 0) / 1000, mean_s);
	if (median_s >= 0)
		CHECK_INT(field_int(times, "median_ms", 0) / 1000, median_s);
	CHECK(json_is_null(json_object_get(times, "mean_ms")) == !n);
	CHECK(json_is_null(json_object_get(times, "median_ms")) == !n);
}

TEST(releases_add_up)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *releases = releases_of(cases[i].rows);
		json_t *got = history_stats(releases, "shop");

		ROW("%s", cases[i].name);
		CHECK_STR(field_text(got, "service"), "shop");
		CHECK_INT(field_int(got, "deployments", -1), cases[i].deployments);
		CHECK_INT(field_int(got, "promoted", -1), cases[i].promoted);
		CHECK_INT(field_int(got, "rolled_back", -1), cases[i].rolled_back);
		CHECK_INT(field_int(got, "failed_safe", -1), cases[i].failed_safe);
		CHECK_INT(field_int(got, "aborted", -1), cases[i].aborted);
		CHECK_INT(field_int(got, "undone", -1), cases[i].undone);
		CHECK_INT(field_int(got, "going_on", -1), cases[i].going_on);
		CHECK_INT(field_int(got, "failed_connections", NONE), cases[i].failed);
		check_times(json_object_get(got, "time_to_promote"), cases[i].promote_n,
			    cases[i].promote_mean_s, cases[i].promote_median_s);
		check_times(json_object_get(got, "time_to_recover"), cases[i].recover_n,
			    cases[i].recover_mean_s, -1);
		json_decref(got);
		json_decref(releases);
	}
}
