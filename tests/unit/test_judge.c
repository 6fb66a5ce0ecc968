/* SPDX-License-Identifier: BSD-2-Clause */
/* The judge's verdicts, tick by tick, and its sentences. */
#include <math.h>

#include "judge_text.h"
#include "t.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct judge_names names = {"shop", "green", "blue"};

static struct judge_settings usual(void)
{
	struct judge_settings set = {.alpha = .01,
				     .beta = .01,
				     .margin = 2,
				     .slo = .005,
				     .quantile = .95,
				     .min_ms = 60000,
				     .max_ms = 600000,
				     .n_signals = 1,
				     .slow = -1};

	strcpy(set.signals[0], "5xx");
	return set;
}

static void add_guard(struct judge_settings *set, const char *text)
{
	char error[256];

	CHECK_INT(guard_parse(text, &set->guards[set->n_guards++], error, sizeof(error)), 0);
}

/* A second of traffic that is the same each time; by_source: each source has one connection. */
struct traffic {
	unsigned step, share_bp;
	struct judge_side canary, live;
	bool by_source;
	uint64_t new_canary, new_live;
};

static struct judge j;

static struct judge_verdict second(const struct traffic *t)
{
	struct judge_tick tick = {.t_ms = j.t_ms + 1000,
				  .step = t->step,
				  .share_bp = (uint16_t)t->share_bp,
				  .new_sources = {t->new_canary, t->new_live}};

	tick.counts[0] = (struct judge_counts){{t->canary, t->live}, t->by_source};
	return judge_feed(&j, &tick);
}

/* Until something is said, or for so many seconds. */
static struct judge_verdict seconds(const struct traffic *t, unsigned n)
{
	struct judge_verdict v = {0};

	while (n-- && !v.result)
		v = second(t);
	return v;
}

static void check_text(struct judge_verdict v, const char *part)
{
	char text[JUDGE_TEXT];

	judge_text(&j, &names, v, text);
	if (!strstr(text, part))
		CHECK_STR(text, part);
}

static const struct {
	const char *what;
	struct traffic traffic;
	const char *guard;
	enum judge_result result;
	enum judge_why why;
	unsigned at_s;
	const char *text;
} rows[] = {
	{"a dead canary: five events at 25 %",
	 {1, 2500, {5, 5}, {15, 0}},
	 NULL,
	 JUDGE_ROLLED_BACK,
	 WHY_WORSE,
	 1,
	 "5xx is worse on green: 5 of 5 (100 %) bad there, 0 of 15 (0 %) on blue in the same "
	 "time; evidence 267, 100 is enough"},
	{"one client in a loop is one source a tick",
	 {1, 2500, {30, 20, 5, 1}, {90, 3, 15, 3}, true},
	 NULL,
	 JUDGE_INCONCLUSIVE,
	 WHY_TIME,
	 600,
	 "18000 connections in 10m of step 1 (25 %) do not tell whether green is good or bad"},
	{"the same, counted raw",
	 {1, 2500, {30, 20}, {90, 3}},
	 NULL,
	 JUDGE_ROLLED_BACK,
	 WHY_WORSE,
	 1,
	 "5xx is worse on green"},
	{"as good",
	 {1, 5000, {500, 5}, {500, 5}},
	 NULL,
	 JUDGE_PASSED,
	 WHY_GOOD,
	 60,
	 "step 1 (50 %): green is good enough, by 30000 connections in 1m"},
	{"no error anywhere",
	 {1, 500, {30, 0}, {570, 0}},
	 NULL,
	 JUDGE_PASSED,
	 WHY_GOOD,
	 60,
	 "green is good enough"},
	{"no traffic at all",
	 {1, 500},
	 NULL,
	 JUDGE_INCONCLUSIVE,
	 WHY_TIME,
	 600,
	 "no traffic: green had no connection in 10m of step 1 (5 %), which is neither failure nor"},
	{"a canary of all",
	 {1, 10000, {100, 3}, {0, 0}},
	 NULL,
	 JUDGE_INCONCLUSIVE,
	 WHY_TIME,
	 600,
	 "5xx can never tell from such counts"},
	{"a guard, live is well",
	 {1, 500, {10, 1}, {1000, 49}},
	 "5xx > 9 % over 1m for 30s",
	 JUDGE_ROLLED_BACK,
	 WHY_GUARD,
	 32,
	 "green is over the guard '5xx > 9 % over 1m for 30s': 32 of 320 (10 %) bad; blue is not "
	 "over it: 1568 of 32000 (4.9 %)"},
	{"a guard, both are bad",
	 {1, 500, {10, 3}, {190, 57}},
	 "5xx > 9 % over 1m for 30s",
	 JUDGE_PAUSED,
	 WHY_BOTH,
	 31,
	 "green and blue are both over the guard '5xx > 9 % over 1m for 30s', 93 of 310 (30 %)"},
	{"the split is off",
	 {1, 500, {10, 0}, {90, 0}, false, 10, 90},
	 NULL,
	 JUDGE_PAUSED,
	 WHY_SPLIT,
	 5,
	 "the split is off: 50 of 500 (10 %) of the new clients went to green and 5 %"},
	{"the split is right",
	 {1, 1000, {10, 0}, {90, 0}, false, 10, 90},
	 NULL,
	 JUDGE_PASSED,
	 WHY_GOOD,
	 129,
	 "good enough"}, /* 1290: where the mean of 1 and the slo's evidence is 100 */
};

TEST(judge_of_steady_traffic)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct judge_settings set = usual();
		struct judge_verdict v;

		ROW("%s", rows[i].what);
		if (rows[i].guard)
			add_guard(&set, rows[i].guard);
		judge_begin(&j, &set);
		v = seconds(&rows[i].traffic, 1000);
		CHECK_INT(v.result, rows[i].result);
		CHECK_INT(v.why, rows[i].why);
		CHECK_INT(j.t_ms / 1000, rows[i].at_s);
		check_text(v, rows[i].text);
	}
}

static struct judge_verdict outage_second(uint64_t t_s, uint64_t canary, uint64_t live)
{
	struct judge_tick t = {.t_ms = t_s * 1000, .step = 1, .share_bp = 2500};

	t.counts[0].side[CANARY] = (struct judge_side){.n = 10, .bad = canary};
	t.counts[0].side[LIVE] = (struct judge_side){.n = 30, .bad = live};
	return judge_feed(&j, &t);
}

/* An outage of both ends, and live is below the limit a little earlier: what is in the canary's window
 * still was in live's just now. */
TEST(judge_of_an_outage_that_ends)
{
	struct judge_settings set = usual();
	unsigned alone = 0;

	add_guard(&set, "5xx > 20 % over 10s");
	judge_begin(&j, &set);
	for (uint64_t t_s = 1; t_s <= 20; t_s++)
		outage_second(t_s, 3, 7);
	CHECK_INT(outage_second(21, 3, 7).why, WHY_BOTH);
	for (uint64_t t_s = 22; t_s < 40; t_s++) {
		enum judge_why why = outage_second(t_s, 0, 0).why;

		CHECK(why == WHY_BOTH || !why);
		alone += why && !j.guard[0][LIVE].over;
	}
	CHECK(alone > 0);
}

/* All clients meet errors through both pools, and one of them has half of live's connections: by
 * connections the canary's part is 3 %, by clients 5 %. */
TEST(judge_of_a_common_outage_with_a_busy_client)
{
	struct judge_settings set = usual();
	struct traffic t = {1, 500, {6, 6, 6, 6}, {194, 194, 114, 114}, true};

	judge_begin(&j, &set);
	CHECK_INT(seconds(&t, 600).why, WHY_TIME);
	CHECK(judge_worse_log(&j) < log(.2));
}

/* A busy client of the canary has half of all connections: one in a hundred is bad everywhere. */
TEST(judge_of_rare_errors_with_a_busy_canary_client)
{
	struct judge_settings set = usual();
	struct traffic t = {1, 500, {100, 1, 1, 1}, {100, 1, 100, 1}, true};

	judge_begin(&j, &set);
	CHECK_INT(seconds(&t, 600).why, WHY_TIME);
	CHECK(judge_worse_log(&j) < log(.2));
}

/* When every client has met an error, clients are alike and only raw counts differ. */
TEST(judge_needs_raw_counts_too_to_pass)
{
	struct judge_settings set = usual();
	struct traffic t = {1, 5000, {1000, 900, 50, 50}, {1000, 300, 50, 50}, true};

	judge_begin(&j, &set);
	CHECK_INT(seconds(&t, 600).result, JUDGE_INCONCLUSIVE);
	CHECK(ok_log(&j.signal[0].ok_sources) > log(100));
	CHECK(judge_ok_log(&j.signal[0]) < 0);
}

/* One of a hundred clients fails always, with half of the connections. */
TEST(judge_slo_is_of_connections_and_of_clients)
{
	struct judge_settings set = usual();
	struct traffic t = {1, 500, {1000, 10, 500, 1}, {10, 0, 10, 0}, true};

	judge_begin(&j, &set);
	seconds(&t, 100);
	CHECK(slo_log(&j.signal[0].slo_sources) > log(100));
	CHECK(judge_slo_log(&j.signal[0]) < 0);
}

TEST(judge_is_not_held_up_by_what_nobody_met)
{
	struct judge_settings set = usual();
	struct traffic t = {1, 500, {10, 0, 0, 0}, {190, 0, 0, 0}, false, 0, 0};

	set.n_signals = 2;
	strcpy(set.signals[1], "udp_silent");
	judge_begin(&j, &set);
	CHECK_INT(seconds(&t, 600).result, JUDGE_PASSED);
	/* Without any traffic nothing passes. */
	judge_begin(&j, &set);
	t.canary.n = t.live.n = 0;
	CHECK_INT(seconds(&t, 700).result, JUDGE_INCONCLUSIVE);
	/* What live met, the canary must have met too. */
	judge_begin(&j, &set);
	t.live.n = 190;
	CHECK_INT(seconds(&t, 700).result, JUDGE_INCONCLUSIVE);
}

/* A Prometheus that says nothing is no permission. */
TEST(judge_waits_for_what_was_asked_for)
{
	struct judge_settings set = usual();
	struct traffic good = {.step = 1, .share_bp = 500, .canary = {.n = 50}, .live = {.n = 950}};
	struct judge_verdict v;

	set.n_signals = 2;
	strcpy(set.signals[1], "external");
	judge_begin(&j, &set);
	v = seconds(&good, 600);
	CHECK_INT(v.result, JUDGE_INCONCLUSIVE);
	check_text(v, "external has counted nothing of green");
}

TEST(judge_passes_each_step_anew)
{
	struct judge_settings set = usual();
	struct traffic before = {0, 0, {0, 0}, {500, 5}}, one = {1, 500, {30, 0}, {570, 0}},
		       two = {2, 2500, {1, 0}, {3, 0}};

	judge_begin(&j, &set);
	CHECK_INT(seconds(&before, 1000).result, JUDGE_WATCHING);
	check_text((struct judge_verdict){0}, "green had no share yet");
	CHECK_INT(seconds(&one, 1000).result, JUDGE_PASSED);
	CHECK_INT(j.t_ms, 1060000);
	CHECK_INT(seconds(&one, 1000).result, JUDGE_WATCHING); /* once, and no deadline after it */
	CHECK_INT(seconds(&two, 1000).result, JUDGE_INCONCLUSIVE);
	CHECK_INT(j.t_ms, 2660000);
	CHECK_INT(judge_connections(&j), 600);
}

TEST(judge_carries_only_worse_into_the_next_step)
{
	struct judge_settings set = usual();
	struct traffic one = {1, 5000, {500, 4}, {500, 6}}, two = {2, 5000, {0, 0}, {0, 0}};
	const struct judge_signal *s = &j.signal[0];
	double worse;

	judge_begin(&j, &set);
	seconds(&one, 30);
	worse = judge_worse_log(&j);
	CHECK(worse < -1 && ok_log(&s->ok_raw) > 1 && slo_log(&s->slo_raw) < -1);
	second(&two);
	CHECK(judge_worse_log(&j) == worse);
	CHECK(!ok_log(&s->ok_raw) && !ok_log(&s->ok_sources));
	CHECK(!slo_log(&s->slo_raw) && !slo_log(&s->slo_sources));
}

TEST(judge_waits_for_connections_and_sources)
{
	struct judge_settings set = usual();
	struct traffic t = {1, 2500, {25, 0}, {75, 0}, false, 1, 3};

	set.min_connections = 3000;
	judge_begin(&j, &set);
	CHECK_INT(seconds(&t, 600).result, JUDGE_PASSED);
	CHECK_INT(j.t_ms, 120000);
	set.min_sources = 200;
	judge_begin(&j, &set);
	CHECK_INT(seconds(&t, 600).result, JUDGE_PASSED);
	CHECK_INT(j.t_ms, 200000);
	set.min_sources = 1000;
	judge_begin(&j, &set);
	check_text(seconds(&t, 600), "the evidence is there, time, connections or sources are not");
}

/* One signal of sixteen has to bring the evidence of all. */
TEST(judge_averages_the_signals)
{
	struct judge_settings set = usual();
	struct judge_tick tick = {.t_ms = 1000, .step = 1, .share_bp = 2500};
	struct judge_verdict v;

	set.n_signals = 4;
	strcpy(set.signals[2], "refused");
	tick.counts[2].side[CANARY] = (struct judge_side){5, 5};
	tick.counts[2].side[LIVE] = (struct judge_side){15, 0};
	judge_begin(&j, &set);
	CHECK_INT(judge_feed(&j, &tick).result, JUDGE_WATCHING); /* alone it had been enough */
	CHECK(worse_log(&j.signal[2].worse) > log(100));
	tick.t_ms = 2000;
	v = judge_feed(&j, &tick);
	CHECK_INT(v.result, JUDGE_ROLLED_BACK);
	CHECK_INT(v.signal, 2);
	check_text(v, "refused is worse on green");
}

/* After 600 healthy seconds; JUDGE saw 27 s against 81. */
TEST(judge_sees_a_late_failure)
{
	struct judge_settings set = usual();
	struct traffic well = {1, 2500, {100, 1}, {300, 3}}, broken = {1, 2500, {100, 5}, {300, 3}};
	struct judge_verdict v;

	judge_begin(&j, &set);
	while (j.t_ms < 600000)
		second(&well);
	CHECK(judge_worse_log(&j) < log(1e-3));
	v = seconds(&broken, 600);
	CHECK_INT(v.why, WHY_LATE);
	CHECK(j.t_ms < 620000);
	check_text(v, "5xx became worse on green on the way");
}

/* ---- latency ---- */

static void answers(struct judge_tick *t, enum side side, unsigned bucket, unsigned n)
{
	t->first_byte[side].count[bucket] += n;
}

TEST(slow_has_buckets_of_an_eighth_octave)
{
	static const struct {
		unsigned tau;
		uint64_t us;
	} edges[] = {{7, 2}, {23, 8}, {24, 9}, {79, 1024}, {80, 1152}, {207, 67108864}};

	for (size_t i = 0; i < COUNT(edges); i++) {
		struct slow s = {.tau = edges[i].tau};

		ROW("bucket %u", edges[i].tau);
		CHECK_INT(slow_tau_us(&s), edges[i].us);
	}
}

/* 95 of 100 in bucket 80, 4 in 90, 1 in 100: p95 is 80, p99 is 90. */
TEST(slow_freezes_the_baseline_quantile)
{
	struct latency l = {{[80] = 95, [90] = 4, [100] = 1}}, shifted = {{[120] = 100}};
	struct slow s = {0};
	uint64_t n, bad;

	slow_learn(&s, &l, .95);
	CHECK(!s.frozen);
	slow_count(&s, &l, 0, &n, &bad);
	CHECK_INT(n, 0);
	slow_learn(&s, &l, .95);
	CHECK(s.frozen);
	CHECK_INT(s.tau, 80);
	slow_count(&s, &l, 0, &n, &bad);
	CHECK_INT(n, 100);
	CHECK_INT(bad, 5);
	slow_count(&s, &l, 1, &n, &bad);
	CHECK_INT(bad, 1); /* two octaves on, above bucket 96 */
	slow_count(&s, &l, 2, &n, &bad);
	CHECK_INT(bad, 0);
	for (int i = 0; i < 50; i++)
		slow_learn(&s, &shifted, .95);
	CHECK_INT(s.tau, 80); /* it does not follow the data within a step */
	slow_step(&s, .95);
	CHECK_INT(s.tau, 120);
	slow_learn(&s, &l, .95);
	slow_step(&s, .95);
	CHECK_INT(s.tau, 120); /* too few to know better */
	for (int i = 0; i < 10; i++)
		slow_learn(&s, &l, .99);
	slow_step(&s, .99);
	CHECK_INT(s.tau, 90);
}

/* Of "slow" alone, the step from second 31 on, until something is said. */
static struct judge_verdict of_answers(struct judge_settings *set, uint64_t min_ms,
				       void (*fill)(struct judge_tick *, uint64_t t_ms))
{
	struct judge_verdict v = {0};

	strcpy(set->signals[0], "slow");
	set->slow = 0;
	set->min_ms = min_ms;
	judge_begin(&j, set);
	while (!v.result && j.t_ms < 600000) {
		struct judge_tick t = {.t_ms = j.t_ms + 1000,
				       .step = j.t_ms >= 30000,
				       .share_bp = j.t_ms >= 30000 ? 500 : 0};

		fill(&t, j.t_ms);
		v = judge_feed(&j, &t);
	}
	return v;
}

/* Before its step begins live was slow for a while, and nobody is since: no event tells the two apart. */
static void low_answers(struct judge_tick *t, uint64_t t_ms)
{
	(void)t_ms;
	answers(t, LIVE, t->step ? 110 : 140, 19);
	answers(t, CANARY, 110, t->step);
}

TEST(judge_of_latency_that_is_low)
{
	struct judge_settings set = usual();

	CHECK_INT(of_answers(&set, 0, low_answers).result, JUDGE_PASSED);
	CHECK_INT(judge_connections(&j), 61);
	CHECK(judge_limit(&j, 0) > .0999 && judge_limit(&j, 0) < .1001);
}

/* Twenty slow answers at once say as much as one. */
static void clumps_of_answers(struct judge_tick *t, uint64_t t_ms)
{
	answers(t, LIVE, t_ms % 20000 == 10000 ? 140 : 110, 20);
	answers(t, CANARY, 110, 10 * t->step);
}

TEST(judge_of_latency_in_clumps)
{
	struct judge_settings set = usual();

	CHECK_INT(of_answers(&set, 0, clumps_of_answers).result, JUDGE_PASSED);
	CHECK(judge_connections(&j) > 20 * 61 / 2);
}

/* The canary gives one answer a second, later than 95 % of live's. */
static void late_answers(struct judge_tick *t, uint64_t t_ms)
{
	answers(t, LIVE, 110, 19);
	answers(t, LIVE, 130, 1);
	answers(t, CANARY, 115, t_ms >= 30000);
}

TEST(judge_of_latency)
{
	struct judge_settings set = usual();
	struct judge_verdict v = of_answers(&set, 60000, late_answers);

	CHECK_INT(v.why, WHY_WORSE);
	CHECK_INT(j.t_ms, 42000); /* twelve ticks: a stall of six seconds looks the same at first */
	check_text(v, "slow is worse on green: 12 of 12 (100 %) bad there");
	add_guard(&set, "slow > 90 % over 10s");
	CHECK_INT(of_answers(&set, 60000, late_answers).why, WHY_GUARD);
	CHECK_INT(j.t_ms, 32000);
}
