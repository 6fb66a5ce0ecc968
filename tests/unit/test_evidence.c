/* SPDX-License-Identifier: BSD-2-Clause */
/* The e-processes: against exact fractions, against what makes them valid (their mean is 1 when the
 * hypothesis holds), and against figures that are known. */
#include <math.h>
#include <stdint.h>

#include "judge.h"
#include "t.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { ROWS = 40 };

static const struct {
	bool by_source;
	double margin, slo;
	uint16_t share_bp;
	unsigned n;
	uint64_t rows[ROWS][SIDES][4];
	double worse, late, ok, slo_evidence, split;
} cases[] = {
#include "judge_values.h"
};

static bool near(double got, double want)
{
	return fabs(got - want) <= 1e-9 * fmax(1, fabs(want));
}

/* The split takes the connections for new sources here: any numbers do. */
TEST(evidence_is_that_of_exact_fractions)
{
	static struct judge j;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct judge_settings set = {.alpha = 1e-300,
					     .beta = 1e-300,
					     .n_signals = 1,
					     .slow = -1,
					     .margin = cases[i].margin,
					     .slo = cases[i].slo};

		judge_begin(&j, &set);
		for (unsigned k = 0; k < cases[i].n; k++) {
			struct judge_tick t = {
				.t_ms = k + 1, .step = 1, .share_bp = cases[i].share_bp};

			t.counts[0].by_source = cases[i].by_source;
			for (int s = 0; s < SIDES; s++) {
				const uint64_t *row = cases[i].rows[k][s];

				t.counts[0].side[s] =
					(struct judge_side){row[0], row[1], row[2], row[3]};
				t.new_sources[s] = row[0];
			}
			judge_feed(&j, &t);
		}
		ROW("%zu", i);
		CHECK(near(judge_worse_log(&j), cases[i].worse));
		CHECK(near(judge_late_log(&j), cases[i].late));
		CHECK(near(judge_ok_log(&j.signal[0]), cases[i].ok));
		CHECK(near(judge_slo_log(&j.signal[0]), cases[i].slo_evidence));
		CHECK(near(split_log(&j.split), cases[i].split));
	}
}

static double binomial(unsigned n, unsigned k, double p)
{
	return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) +
		   (n - k) * log1p(-p));
}

static double theta(double rho, double q)
{
	return rho * q / (1 + q * (rho - 1));
}

struct means {
	double worse, ok, slo, split;
};

/* Expected evidence after one tick with m events, of which each is the canary's with p. */
static struct means means_of(unsigned m, double p, double q, double margin)
{
	struct means sum = {0};

	for (unsigned c = 0; c <= m; c++) {
		struct bad_events e = {c, m, q};
		double weight = binomial(m, c, p);
		struct worse w = {0};
		struct ok o = {0};
		struct slo l = {0};
		struct split s = {0};

		worse_feed(&w, e);
		ok_feed(&o, e, margin);
		slo_feed(&l, c, m, q);
		split_feed(&s, c, m, q);
		sum.worse += weight * exp(worse_log(&w));
		sum.ok += weight * exp(ok_log(&o));
		sum.slo += weight * exp(slo_log(&l));
		sum.split += weight * exp(split_log(&s));
	}
	return sum;
}

TEST(evidence_has_a_mean_of_one_at_the_edge_of_its_hypothesis)
{
	static const double parts[] = {.01, .05, .25, .5};
	static const unsigned events[] = {1, 2, 7, 20};

	for (size_t i = 0; i < COUNT(parts) * COUNT(events); i++) {
		double q = parts[i / COUNT(events)], margin = 2;
		unsigned m = events[i % COUNT(events)];
		struct means equal = means_of(m, q, q, margin);
		struct means better = means_of(m, theta(.5, q), q, margin);
		struct means edge = means_of(m, theta(margin, q), q, margin);
		struct means beyond = means_of(m, theta(5, q), q, margin);

		ROW("q %g, %u events", q, m);
		CHECK(near(equal.worse, 1) && near(equal.slo, 1) && near(equal.split, 1));
		CHECK(better.worse < 1 && beyond.worse > 1);
		CHECK(near(edge.ok, 1) && beyond.ok < 1 && equal.ok > 1);
		CHECK(beyond.slo < 1 && better.slo > 1);
	}
}

/* JUDGE, a dead canary: every bad event is its own. */
TEST(evidence_of_a_dead_canary)
{
	static const struct {
		double q;
		unsigned needed;
	} rows[] = {{.01, 2}, {.05, 3}, {.1, 3}, {.25, 5}, {.5, 9}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct worse w = {0};
		unsigned n = 0;

		while (worse_log(&w) < log(100) && n < 99) {
			worse_feed(&w, (struct bad_events){1, 1, rows[i].q});
			n++;
		}
		ROW("at %g", rows[i].q);
		CHECK_INT(n, rows[i].needed);
	}
}

/* 10 000 healthy events, 5 %, then every second one is the canary's. */
TEST(evidence_of_late_does_not_owe_for_health)
{
	struct worse w = {0};
	unsigned late = 0, worse = 0;

	for (int i = 0; i < 10000; i++)
		worse_feed(&w, (struct bad_events){i % 20 == 0, 1, .05});
	CHECK(worse_log(&w) < -3 && late_log(&w) < log(100));
	for (unsigned i = 1; !worse; i++) {
		worse_feed(&w, (struct bad_events){i % 2, 1, .05});
		if (!late && late_log(&w) >= log(JUDGE_LATE_TICKS))
			late = i;
		if (worse_log(&w) >= log(100))
			worse = i;
	}
	CHECK(late > 10 && late < 30);
	CHECK(worse > 10 * late);
}

/* What is left is what it takes, but for the little that the other alternatives add. */
TEST(evidence_says_how_much_is_left)
{
	struct slo s = {0};
	struct ok o = {0};
	double expected = slo_left(&s, 0, .005, log(100)), n = 0;

	for (; slo_log(&s) < log(100); n++)
		slo_feed(&s, 0, 1, .005);
	CHECK(n <= expected && n > .9 * expected);
	CHECK(slo_left(&s, 0, .005, log(100)) < .1 * expected);
	CHECK(isinf(slo_left(&s, .1, .005, log(1e9))));
	expected = ok_left(&o, .05, 2, log(100));
	for (n = 0; ok_log(&o) < log(100) && n < 1e4; n += 20)
		ok_feed(&o, (struct bad_events){1, 20, .05}, 2);
	CHECK(n <= expected + 20 && n > .8 * expected);
	CHECK(isinf(ok_left(&o, 0, 2, log(1e9))));
}
