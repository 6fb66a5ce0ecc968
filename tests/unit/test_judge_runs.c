/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole rollouts by the thousand, with seeds that are the same each time: how often the judge is
 * wrong, and how long it takes beside the rule "5xx > 5 % over 5m for 2m" on the same counts. */
#include <math.h>
#include <stdlib.h>

#include "judge_text.h"
#include "t.h"

enum { RUNS_MAX = 2000, RESULTS = JUDGE_INCONCLUSIVE + 1 };

/* One hour of 350 requests a minute, 5 % of them to the canary, unless said otherwise. */
struct world {
	double stable, canary; /* of requests that are bad */
	double share, per_minute, clump, slower_ms;
	double stalls;  /* the part of ticks in which a side answers 100 ms later */
	double stall_s; /* how long that lasts, on average; a tick by itself */
	unsigned tick_s, runs;
	bool by_source, latency;
};

struct outcome {
	unsigned results[RESULTS], by_rule;
	double judge_s[RUNS_MAX], rule_s[RUNS_MAX]; /* of those that rolled back */
	char text[JUDGE_TEXT];                      /* of the first run's end */
};

static uint64_t seed;

/* splitmix64 */
static double uniform(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static unsigned poisson(double mean)
{
	double p = exp(-mean), sum = p, u = uniform();
	unsigned k = 0;

	for (; u > sum && k < 1000; sum += p)
		p *= mean / ++k;
	return k;
}

/* A bad client tries again with a chance that makes clumps of the mean size, in the same tick. */
static struct judge_side side_of(const struct world *w, double mean, double bad)
{
	struct judge_side s = {.n = poisson(mean)};
	uint64_t clients = s.n;

	s.sources = clients;
	while (clients--) {
		if (uniform() >= bad / w->clump)
			continue;
		s.bad++;
		s.bad_sources++;
		while (uniform() < 1 - 1 / w->clump) {
			s.bad++;
			s.n++;
		}
	}
	return s;
}

/* 5 ms and an exponential of 40, at 5 % more than 125. */
static void answer(const struct world *w, struct latency *l, uint64_t n, double more_ms)
{
	while (w->latency && n--) {
		double us = 1000 * (5 - 40 * log(1 - uniform()) + more_ms);
		int octave = (int)log2(us);

		l->count[8 * octave + (int)(8 * us / exp2(octave)) - 8]++;
	}
}

static bool stalled[SIDES];

/* Begins so often that the part of all ticks is as asked. */
static double stall_ms(const struct world *w, unsigned side)
{
	double ends = w->stall_s > 0 ? w->tick_s / w->stall_s : 1;
	double begins = w->stalls * ends / (1 - w->stalls);

	if (w->stalls > 0)
		stalled[side] = stalled[side] ? uniform() >= ends : uniform() < begins;
	return w->stalls > 0 && stalled[side] ? 100 : 0;
}

static struct judge_tick tick_of(const struct world *w, uint64_t t_s, unsigned warm_s)
{
	double mean = w->per_minute / 60 * w->tick_s, share = t_s > warm_s ? w->share : 0;
	struct judge_tick t = {.t_ms = t_s * 1000,
			       .step = t_s > warm_s,
			       .share_bp = (uint16_t)lround(share * ZDD_SHARE_UNITS)};
	struct judge_counts *c = &t.counts[0];

	c->side[CANARY] = side_of(w, mean * share, w->canary);
	c->side[LIVE] = side_of(w, mean * (1 - share), w->stable);
	c->by_source = w->by_source;
	answer(w, &t.first_byte[CANARY], c->side[CANARY].n, w->slower_ms + stall_ms(w, CANARY));
	answer(w, &t.first_byte[LIVE], c->side[LIVE].n, stall_ms(w, LIVE));
	return t;
}

static struct judge_settings settings(const struct world *w)
{
	struct judge_settings set = {.alpha = .01,
				     .beta = .01,
				     .margin = 2,
				     .slo = .005,
				     .quantile = .95,
				     .min_ms = 600000,
				     .max_ms = 3600000,
				     .min_connections = 100,
				     .n_signals = w->latency ? 2 : 1,
				     .slow = w->latency ? 1 : -1};

	strcpy(set.signals[0], "5xx");
	strcpy(set.signals[1], "slow");
	return set;
}

static struct judge judge;
static struct outcome out;

/* Both look at the same ticks, each until it has decided. */
static void one_run(const struct world *w, const struct guard *rule)
{
	unsigned warm_s = w->latency ? 120 : 0;
	struct judge_settings set = settings(w);
	struct guard_state state = {0};
	struct judge_verdict v = {0};
	bool ruled = false;

	judge_begin(&judge, &set);
	for (uint64_t t_s = w->tick_s; t_s <= 3600 + warm_s && !(v.result && ruled);
	     t_s += w->tick_s) {
		struct judge_tick t = tick_of(w, t_s, warm_s);
		const struct judge_side *canary = &t.counts[0].side[CANARY];

		if (!v.result)
			v = judge_feed(&judge, &t);
		if (!ruled && guard_feed(rule, &state, t.t_ms, canary->n, canary->bad)) {
			ruled = true;
			out.rule_s[out.by_rule++] = (double)(t_s - warm_s);
		}
	}
	if (v.result == JUDGE_ROLLED_BACK)
		out.judge_s[out.results[v.result]] = (double)(judge.t_ms / 1000 - warm_s);
	out.results[v.result]++;
	if (!out.text[0])
		judge_text(&judge, &(struct judge_names){"shop", "green", "blue"}, v, out.text);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), by_value);
	return n ? values[n / 2] : -1;
}

static void run(const char *name, struct world w)
{
	struct guard rule;
	char error[256];

	CHECK_INT(guard_parse("5xx > 5 % over 5m for 2m", &rule, error, sizeof(error)), 0);
	if (!w.clump)
		w.clump = 1;
	if (!w.per_minute)
		w.per_minute = 350;
	memset(&out, 0, sizeof(out));
	for (unsigned i = 0; i < w.runs; i++) {
		seed = i * 1000003ull;
		one_run(&w, &rule);
	}
	printf("# %s: of %u runs %u rolled back (median %.0f s), %u passed, %u inconclusive, %u "
	       "paused; the rule: %u (median %.0f s)\n",
	       name, w.runs, out.results[JUDGE_ROLLED_BACK],
	       median(out.judge_s, out.results[JUDGE_ROLLED_BACK]), out.results[JUDGE_PASSED],
	       out.results[JUDGE_INCONCLUSIVE], out.results[JUDGE_PAUSED], out.by_rule,
	       median(out.rule_s, out.by_rule));
}

/* 1 % of 2 000 are 20; and low traffic is not decided within the hour. */
TEST(runs_of_a_healthy_canary)
{
	run("1 % against 1 %",
	    (struct world){.stable = .01, .canary = .01, .share = .05, .tick_s = 5, .runs = 2000});
	CHECK(out.results[JUDGE_ROLLED_BACK] <= 20);
	CHECK(out.results[JUDGE_INCONCLUSIVE] >= 1500);
	CHECK(strstr(out.text,
		     "do not tell whether green is good or bad; if it is as good as blue, "
		     "5xx takes about"));
	CHECK(strstr(out.text, "more at this traffic, or "));
	CHECK(strstr(out.text, "at a share of 25 %"));
	puts(out.text);
}

TEST(runs_of_a_healthy_canary_with_traffic)
{
	run("1 % against 1 %, half of 3 500 a minute", (struct world){.stable = .01,
								      .canary = .01,
								      .share = .5,
								      .per_minute = 3500,
								      .tick_s = 10,
								      .runs = 300});
	CHECK(out.results[JUDGE_ROLLED_BACK] <= 3);
	CHECK(out.results[JUDGE_PASSED] >= 297);
}

TEST(runs_with_clients_that_try_again)
{
	struct world w = {.stable = .01,
			  .canary = .01,
			  .share = .05,
			  .clump = 4,
			  .tick_s = 5,
			  .runs = 300,
			  .by_source = true};

	run("clumps of 4, by source", w);
	CHECK(out.results[JUDGE_ROLLED_BACK] <= 3);
	w.by_source = false;
	run("clumps of 4, raw", w);
	CHECK(out.results[JUDGE_ROLLED_BACK] >= 30); /* what the sources are for */
}

TEST(runs_of_20_times_the_errors)
{
	run("20 % against 1 %",
	    (struct world){.stable = .01, .canary = .2, .share = .05, .tick_s = 1, .runs = 200});
	CHECK_INT(out.results[JUDGE_ROLLED_BACK], 200);
	CHECK(median(out.judge_s, 200) < 100);
	CHECK(median(out.judge_s, 200) < median(out.rule_s, out.by_rule));
}

TEST(runs_of_5_times_the_errors)
{
	run("5 % against 1 %",
	    (struct world){.stable = .01, .canary = .05, .share = .05, .tick_s = 5, .runs = 200});
	CHECK_INT(out.results[JUDGE_ROLLED_BACK], 200);
	run("1 % against 0.2 %",
	    (struct world){.stable = .002, .canary = .01, .share = .05, .tick_s = 5, .runs = 200});
	CHECK(out.results[JUDGE_ROLLED_BACK] >= 120);
	CHECK(out.by_rule <= 10);
	CHECK(out.results[JUDGE_PASSED] <= 2);
	run("5 % against 1 %, at 25 %",
	    (struct world){.stable = .01, .canary = .05, .share = .25, .tick_s = 5, .runs = 200});
	CHECK_INT(out.results[JUDGE_ROLLED_BACK], 200);
	CHECK(median(out.judge_s, 200) < 300);
}

TEST(runs_of_100_ms_more)
{
	struct world w = {.stable = .01,
			  .canary = .01,
			  .share = .05,
			  .tick_s = 1,
			  .runs = 50,
			  .latency = true,
			  .slower_ms = 100};

	run("+100 ms to the first byte", w);
	CHECK_INT(out.results[JUDGE_ROLLED_BACK], 50);
	CHECK(median(out.judge_s, 50) < 60);
	w.slower_ms = 0;
	w.tick_s = 5;
	w.runs = 200;
	run("as fast as live", w);
	CHECK(out.results[JUDGE_ROLLED_BACK] <= 2);
}

/* A server that is not scheduled for a moment makes all its answers late. By events alone, each counted
 * as if it came by itself, 34 of these 40 were called worse. */
TEST(runs_of_a_healthy_canary_with_stalls)
{
	struct world w = {.stable = .01,
			  .canary = .01,
			  .share = .25,
			  .per_minute = 6000,
			  .tick_s = 1,
			  .runs = 40,
			  .latency = true,
			  .stalls = .05};

	run("stalls on both sides", w);
	CHECK(out.results[JUDGE_ROLLED_BACK] <= 1);
	w.slower_ms = 100;
	w.runs = 20;
	run("stalls, and +100 ms", w);
	CHECK_INT(out.results[JUDGE_ROLLED_BACK], 20);
	CHECK(median(out.judge_s, 20) < 60);
}

/* A canary may stall before live has: by events, divided by how live's clump, 15 of these 200 were called
 * worse. Live's stalls then say how much a row of ticks is worth. */
TEST(runs_with_long_stalls)
{
	struct world w = {.stable = .01,
			  .canary = .01,
			  .share = .25,
			  .per_minute = 3600,
			  .tick_s = 1,
			  .runs = 200,
			  .latency = true,
			  .stalls = .05,
			  .stall_s = 3};

	run("stalls of 3 s on both sides", w);
	CHECK(out.results[JUDGE_ROLLED_BACK] <= 2);
	w.slower_ms = 100;
	run("stalls of 3 s, and +100 ms", w);
	CHECK_INT(out.results[JUDGE_ROLLED_BACK], 200);
	CHECK(median(out.judge_s, 200) < 120);
}

/* 60 clients, the busiest with 30 connections a tick and the last with half a one, of whom a random
 * quarter goes to the canary. */
static struct judge_tick uneven_tick(uint64_t t_ms, const bool *to_canary, double bad)
{
	struct judge_tick t = {.t_ms = t_ms, .step = 1, .share_bp = 2500};

	t.counts[0].by_source = true;
	for (int i = 0; i < 60; i++) {
		struct judge_side *s = &t.counts[0].side[to_canary[i] ? CANARY : LIVE];
		unsigned n = poisson(30. / (i + 1)), bad_n = 0;

		for (unsigned k = 0; k < n; k++)
			bad_n += uniform() < bad;
		s->n += n;
		s->bad += bad_n;
		s->sources += n > 0;
		s->bad_sources += bad_n > 0;
	}
	return t;
}

static bool uneven_run(double bad)
{
	struct judge_settings set = settings(&(struct world){0});
	bool to_canary[60];

	for (int i = 0; i < 60; i++)
		to_canary[i] = uniform() < .25;
	judge_begin(&judge, &set);
	for (uint64_t t_ms = 5000; t_ms <= 1200000; t_ms += 5000) {
		struct judge_tick t = uneven_tick(t_ms, to_canary, bad);

		if (judge_feed(&judge, &t).result == JUDGE_ROLLED_BACK)
			return true;
	}
	return false;
}

/* Errors that are rare, that half of the clients meet, that all meet. By connections alone 0, 13
 * and 54 % of such canaries were called worse, by sources alone 17, 28 and 15 %. */
TEST(runs_of_a_healthy_canary_with_uneven_clients)
{
	static const double bad[] = {.005, .05, .3};
	unsigned wrong = 0;

	for (unsigned i = 0; i < 60; i++) {
		seed = 77 + i * 7919;
		wrong += uneven_run(bad[i % 3]);
	}
	printf("# uneven clients: of 60 runs %u rolled back\n", wrong);
	CHECK(wrong <= 1);
}
