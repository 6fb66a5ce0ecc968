/* SPDX-License-Identifier: BSD-2-Clause */
/* Recorded counts: what is read, and one line for every mistake. */
#include <errno.h>

#include "recording.h"
#include "t.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define HEAD "{\"zdd_counts\":1,\"service\":\"shop\",\"canary\":\"green\",\"live\":\"blue\","
#define SIGNALS "\"signals\":[\"5xx\",\"slow\"]"
#define TICK "{\"t_ms\":1000,\"step\":1,\"share\":5"
#define LIVE_2 ",\"live\":{\"n\":2,\"bad\":1}}}}"

static struct recording r;
static struct judge_tick tick;
static char error[RECORDING_ERROR];

static int read_text(const char *text)
{
	error[0] = '\0';
	return recording_read(&r, text, strlen(text), &tick, error);
}

static void begin(void)
{
	r = (struct recording){0};
	CHECK_INT(read_text(HEAD SIGNALS "}"), LINE_HEAD);
}

TEST(recording_has_defaults)
{
	begin();
	CHECK(r.set.alpha == .01 && r.set.beta == .01 && r.set.margin == 2 && r.set.slo == .005);
	CHECK(r.set.quantile == .95);
	CHECK_INT(r.set.min_ms, 600000);
	CHECK_INT(r.set.max_ms, 3600000);
	CHECK_INT(r.set.min_connections, 100);
	CHECK_INT(r.set.min_sources, 0);
	CHECK_INT(r.set.n_guards, 0);
	CHECK_INT(r.set.slow, 1);
	CHECK_INT(r.started_ms, 0);
}

TEST(recording_head_is_read)
{
	r = (struct recording){0};
	CHECK_INT(read_text(" \r"), LINE_BLANK);
	CHECK_INT(
		read_text(HEAD
			  "\"signals\":[\"refused\",\"5xx\"],\"started\":\"2026-11-21T15:00:01Z\","
			  "\"each\":{\"min\":\"30s\",\"max\":\"2m\",\"connections\":7,\"sources\":"
			  "3},\"judge\":{\"alpha\":\"5%\",\"beta\":\"0.5%\",\"margin\":1.5,\"slo\":"
			  "null,\"slow\":\"p99\"},\"guards\":[\"5xx > 5 % over 5m for 2m\"]}\r"),
		LINE_HEAD);
	CHECK_INT(r.line, 2);
	CHECK_STR(r.names.service, "shop");
	CHECK_STR(r.names.canary, "green");
	CHECK_STR(r.names.live, "blue");
	CHECK_INT(r.started_ms, 1795273201000);
	CHECK(r.set.alpha == .05 && r.set.beta == .005 && r.set.margin == 1.5 && !r.set.slo);
	CHECK(r.set.quantile == .99 && r.set.slow == -1);
	CHECK_INT(r.set.min_ms, 30000);
	CHECK_INT(r.set.max_ms, 120000);
	CHECK_INT(r.set.min_connections, 7);
	CHECK_INT(r.set.min_sources, 3);
	CHECK_INT(r.set.n_guards, 1);
	CHECK_INT(r.set.guard_signal[0], 1);
}

TEST(recording_tick_is_read)
{
	const struct judge_side *side = tick.counts[0].side;

	begin();
	CHECK_INT(read_text("{\"t_ms\":1500,\"step\":2,\"share\":33.33,\"counts\":{\"5xx\":{"
			    "\"canary\":{\"n\":9,\"bad\":4,\"sources\":3,\"bad_sources\":2},"
			    "\"live\":{\"n\":8,\"bad\":0,\"sources\":5,\"bad_sources\":0}}},"
			    "\"new_sources\":{\"canary\":6,\"live\":11},"
			    "\"first_byte\":{\"canary\":[[0,1],[207,2],[0,3]],\"live\":[]}}"),
		  LINE_TICK);
	CHECK_INT(tick.t_ms, 1500);
	CHECK_INT(tick.step, 2);
	CHECK_INT(tick.share_bp, 3333);
	CHECK(tick.counts[0].by_source && !tick.counts[1].by_source);
	CHECK_INT(side[CANARY].n, 9);
	CHECK_INT(side[CANARY].bad, 4);
	CHECK_INT(side[CANARY].sources, 3);
	CHECK_INT(side[CANARY].bad_sources, 2);
	CHECK_INT(side[LIVE].n, 8);
	CHECK_INT(side[LIVE].sources, 5);
	CHECK_INT(tick.new_sources[CANARY], 6);
	CHECK_INT(tick.new_sources[LIVE], 11);
	CHECK_INT(tick.first_byte[CANARY].count[0], 4);
	CHECK_INT(tick.first_byte[CANARY].count[207], 2);
	CHECK_INT(read_text("{\"t_ms\":1501,\"step\":2,\"share\":100}"), LINE_TICK);
	CHECK_INT(tick.new_sources[LIVE], 0);
	CHECK_INT(tick.first_byte[CANARY].count[0], 0);
}

static const struct {
	const char *text, *error;
} heads[] = {
	{"{", "1:1: not JSON: "},
	{"7", "1: 7: expected an object"},
	{"{\"a\":1,\"a\":1}", "not JSON: duplicate object key"},
	{"{\"a\\n\":1}", "1: zdd_counts: missing, expected 1, in the first line"},
	{"{\"zdd_counts\":2}", "1: zdd_counts: 2: expected 1, in the first line"},
	{HEAD SIGNALS ",\"a\\nb\":1}", "1: a b: no such key"},
	{HEAD SIGNALS ",\"guard\":[]}", "1: guard: no such key; did you mean guards"},
	{"{\"zdd_counts\":1,\"service\":\"a b\"}", "1: service: \"a b\": expected a name of up to"},
	{"{\"zdd_counts\":1}", "1: service: missing, expected a name of up to"},
	{HEAD "\"live\":\"x\"}", "duplicate object key"},
	{"{\"zdd_counts\":1,\"service\":\"s\",\"canary\":\"x\",\"live\":\"x\"}",
	 "1: live: \"x\": expected another pool than the canary"},
	{HEAD "\"signals\":[]}", "1: signals: []: expected a list of 1 to 16 names"},
	{HEAD "\"signals\":[\"a\",\"a\"]}", "1: signals.*: \"a\": expected each name once"},
	{HEAD SIGNALS ",\"started\":\"2026-11-21\"}",
	 "expected a time like \"2026-11-21T15:00:00Z\""},
	{HEAD SIGNALS ",\"started\":\"2026-11-21T15:00:00+\"}", "expected a time like"},
	{HEAD SIGNALS ",\"each\":{\"mni\":\"1s\"}}", "1: each.mni: no such key; did you mean min"},
	{HEAD SIGNALS ",\"each\":{\"min\":5}}", "1: each.min: 5: expected a duration like"},
	{HEAD SIGNALS ",\"each\":{\"min\":\"2h\"}}", "1: each.min: \"2h\": expected min up to max"},
	{HEAD SIGNALS ",\"each\":{\"max\":\"1m\"}}", "1: each.max: \"1m\": expected min up to max"},
	{HEAD SIGNALS ",\"each\":{\"sources\":-1}}",
	 "1: each.sources: -1: expected a whole number"},
	{HEAD SIGNALS ",\"judge\":{\"alpha\":\"51%\"}}", "expected a percentage from \"0.01%\" to"},
	{HEAD SIGNALS ",\"judge\":{\"beta\":0.01}}", "1: judge.beta: 0.01: expected a percentage"},
	{HEAD SIGNALS ",\"judge\":{\"slo\":\"0%\"}}",
	 "1: judge.slo: \"0%\": expected a percentage"},
	{HEAD SIGNALS ",\"judge\":{\"margin\":1.1}}", "1: judge.margin: 1.1: expected a number"},
	{HEAD SIGNALS ",\"judge\":{\"slow\":\"p50\"}}", "expected \"p95\" or \"p99\""},
	{HEAD SIGNALS ",\"guards\":[5]}", "1: guards.*: 5: expected text like"},
	{HEAD SIGNALS ",\"guards\":[\"5xx > 5 over 5m\"]}",
	 "1: guards: '5xx > 5 over 5m': at '5 over"},
	{HEAD SIGNALS ",\"guards\":[\"5xy > 5% over 5m\"]}",
	 "expected one of the signals; did you mean 5xx"},
};

static const struct {
	const char *text, *error;
} ticks[] = {
	{"{}", "2: t_ms: missing, expected more than in the line before (at first 0)"},
	{"{\"t_ms\":0,\"step\":1,\"share\":5}",
	 "2: t_ms: 0: expected more than in the line before"},
	{"{\"t_ms\":1e3,\"step\":1,\"share\":5}",
	 "2: t_ms: 1000.0: expected a whole number from 0 to"},
	{"{\"t_ms\":1,\"share\":5}", "2: step: missing"},
	{"{\"t_ms\":1,\"step\":1001,\"share\":5}", "expected a whole number from 0 to 1000"},
	{"{\"t_ms\":1,\"step\":1}",
	 "2: share: missing, expected a number of percent from 0 to 100"},
	{"{\"t_ms\":1,\"step\":1,\"share\":0.001}",
	 "2: share: 0.001: expected a number of percent"},
	{"{\"t_ms\":1,\"step\":1,\"share\":100.01}", "in steps of 0.01"},
	{"{\"t_ms\":1,\"step\":0,\"share\":5}", "2: share: 5: expected 0 in step 0"},
	{TICK ",\"count\":{}}", "2: count: no such key; did you mean counts"},
	{TICK ",\"counts\":[]}", "2: counts: []: expected an object"},
	{TICK ",\"counts\":{\"4xx\":{}}}",
	 "2: counts.4xx: {}: expected one of the signals; did you mean"},
	{TICK ",\"counts\":{\"slow\":{}}}", "2: counts.slow: {}: expected first_byte"},
	{TICK ",\"counts\":{\"5xx\":{}}}", "2: counts.5xx.canary: missing, expected an object"},
	{TICK ",\"counts\":{\"5xx\":{\"canary\":{\"bad\":1}" LIVE_2,
	 "2: counts.5xx.canary.n: missing"},
	{TICK ",\"counts\":{\"5xx\":{\"canary\":{\"n\":1}" LIVE_2,
	 "2: counts.5xx.canary.bad: missing"},
	{TICK ",\"counts\":{\"5xx\":{\"canary\":{\"n\":1,\"bad\":2}" LIVE_2,
	 "2: counts.5xx.canary.bad: 2: expected a whole number from 0 to n, 1"},
	{TICK ",\"counts\":{\"5xx\":{\"canary\":{\"n\":1000000001,\"bad\":2}" LIVE_2,
	 "expected a whole number from 0 to 1000000000"},
	{TICK ",\"counts\":{\"5xx\":{\"canary\":{\"n\":9,\"bad\":2,\"sources\":3}" LIVE_2,
	 "2: counts.5xx.canary.bad_sources: missing, expected both or neither"},
	{TICK
	 ",\"counts\":{\"5xx\":{\"canary\":{\"n\":9,\"bad\":2,\"sources\":1,\"bad_sources\":2}" LIVE_2,
	 "bad_sources: 2: expected a whole number from 0 to sources, 1"},
	{TICK
	 ",\"counts\":{\"5xx\":{\"canary\":{\"n\":9,\"bad\":1,\"sources\":2,\"bad_sources\":2}" LIVE_2,
	 "bad_sources: 2: expected a whole number from 0 to bad, 1"},
	{TICK
	 ",\"counts\":{\"5xx\":{\"canary\":{\"n\":9,\"bad\":1,\"sources\":0,\"bad_sources\":0}" LIVE_2,
	 "sources: 0: expected at least one source of n connections"},
	{TICK
	 ",\"counts\":{\"5xx\":{\"canary\":{\"n\":9,\"bad\":1,\"sources\":1,\"bad_sources\":0}" LIVE_2,
	 "bad_sources: 0: expected at least one source of bad connections"},
	{TICK
	 ",\"counts\":{\"5xx\":{\"canary\":{\"n\":9,\"bad\":1,\"sources\":1,\"bad_sources\":1}" LIVE_2,
	 "2: counts.5xx.live: {\"n\":2,\"bad\":1}: expected sources as on the other side"},
	{TICK ",\"new_sources\":{\"canary\":1.5}}", "2: new_sources.canary: 1.5: expected a whole"},
	{TICK ",\"first_byte\":{\"canary\":5}}",
	 "2: first_byte.canary: 5: expected a list of [bucket"},
	{TICK ",\"first_byte\":{\"canary\":[5]}}",
	 "2: first_byte.canary.*: 5: expected [bucket, count]"},
	{TICK ",\"first_byte\":{\"canary\":[[208,1]]}}",
	 "*.bucket: 208: expected a whole number from 0"},
	{TICK ",\"first_byte\":{\"live\":[[1,1000000000],[1,1]]}}",
	 "2: first_byte.live.*.count: 1: exp"},
};

static void check_refused(const char *text, const char *part)
{
	ROW("%.100s", text);
	CHECK_INT(read_text(text), -EINVAL);
	if (!strstr(error, part))
		CHECK_STR(error, part);
}

TEST(recording_head_that_is_wrong_says_where)
{
	for (size_t i = 0; i < COUNT(heads); i++) {
		r = (struct recording){0};
		check_refused(heads[i].text, heads[i].error);
	}
}

TEST(recording_tick_that_is_wrong_says_where)
{
	for (size_t i = 0; i < COUNT(ticks); i++) {
		begin();
		check_refused(ticks[i].text, ticks[i].error);
	}
	r = (struct recording){0};
	CHECK_INT(read_text(HEAD "\"signals\":[\"5xx\"]}"), LINE_HEAD);
	check_refused(TICK ",\"first_byte\":{}}", "2: first_byte: {}: expected \"slow\" among the");
}

TEST(recording_goes_forward)
{
	begin();
	CHECK_INT(read_text("{\"t_ms\":1000,\"step\":2,\"share\":5}"), LINE_TICK);
	check_refused("{\"t_ms\":1000,\"step\":2,\"share\":5}",
		      "3: t_ms: 1000: expected more than in");
	begin();
	CHECK_INT(read_text("{\"t_ms\":1000,\"step\":2,\"share\":5}"), LINE_TICK);
	check_refused("{\"t_ms\":1001,\"step\":1,\"share\":5}",
		      "3: step: 1: expected at least that");
}
