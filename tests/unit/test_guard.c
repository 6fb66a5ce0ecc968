/* SPDX-License-Identifier: BSD-2-Clause */
/* Absolute guards: their text, and their window against one that keeps every tick. */
#include <errno.h>
#include <stdlib.h>

#include "guard.h"
#include "t.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *text, *signal;
	unsigned limit_bp, over_s, for_s;
} good[] = {
	{"5xx ratio > 5 % over 5m for 2m", "5xx", 500, 300, 120},
	{"5xx > 5% over 5m for 2m", "5xx", 500, 300, 120},
	{"refused>0.25%over 90s", "refused", 25, 90, 0},
	{"  ratio  ratio  >  99.99  %  over  1s  for  0s  ", "ratio", 9999, 1, 0},
	{"syn_timeout > 0 % over 7d for 24h", "syn_timeout", 0, 604800, 86400},
};

TEST(guard_is_parsed)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		char error[256] = "";
		struct guard g;

		ROW("%s", good[i].text);
		if (!CHECK_INT(guard_parse(good[i].text, &g, error, sizeof(error)), 0))
			continue;
		CHECK_STR(g.signal, good[i].signal);
		CHECK_STR(g.text, good[i].text);
		CHECK_INT(g.limit_bp, good[i].limit_bp);
		CHECK_INT(g.over_ms, good[i].over_s * 1000);
		CHECK_INT(g.for_ms, good[i].for_s * 1000);
	}
}

static const struct {
	const char *text, *error;
} bad[] = {
	{"", "'': at its end: expected a signal's name"},
	{"> 5 %", "at '> 5 %': expected a signal's name"},
	{"_x > 5 %", "at '_x > 5 %': expected a signal's name"},
	{"5xx", "at its end: expected > and a percentage"},
	{"5xx < 5 % over 5m", "at '< 5 % over 5m': expected > and a percentage"},
	{"5xx rate > 5 % over 5m", "at 'rate > 5 % over 5m': expected > and"},
	{"5xx >= 5 % over 5m", "at '= 5 % over 5m': expected a percentage"},
	{"5xx > 5 over 5m", "at '5 over 5m': expected a percentage below 100 %"},
	{"5xx > 100 % over 5m", "expected a percentage below 100 %"},
	{"5xx > -5 % over 5m", "expected a percentage below 100 %"},
	{"5xx > 0.001 % over 5m", "expected a percentage below 100 %"},
	{"5xx > 5 %", "at its end: expected over and a duration"},
	{"5xx > 5 % in 5m", "at 'in 5m': expected over and a duration"},
	{"5xx > 5 % over", "at its end: expected a duration of 1s or more"},
	{"5xx > 5 % over 5", "at '5': expected a duration of 1s or more"},
	{"5xx > 5 % over 999ms", "at '999ms': expected a duration of 1s or more"},
	{"5xx > 5 % over 5m fro 2m", "at 'fro 2m': expected for and a duration, or nothing"},
	{"5xx > 5 % over 5m for", "at its end: expected a duration like"},
	{"5xx > 5 % over 5m for 2x", "at '2x': expected a duration like"},
	{"5xx > 5 % over 5m for 2m, please", "at ', please': expected nothing more"},
};

TEST(guard_that_is_wrong_says_where)
{
	char longest[200], error[256];
	struct guard g = {.limit_bp = 77};

	for (size_t i = 0; i < COUNT(bad); i++) {
		ROW("%s", bad[i].text);
		error[0] = '\0';
		CHECK_INT(guard_parse(bad[i].text, &g, error, sizeof(error)), -EINVAL);
		if (!strstr(error, bad[i].error))
			CHECK_STR(error, bad[i].error);
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	ROW("too long");
	CHECK_INT(guard_parse(longest, &g, error, sizeof(error)), -EINVAL);
	CHECK_STR(error, "longer than 127 bytes");
	CHECK_INT(g.limit_bp, 77);
}

static struct guard parsed(const char *text)
{
	struct guard g = {0};
	char error[256];

	CHECK_INT(guard_parse(text, &g, error, sizeof(error)), 0);
	return g;
}

/* Over the limit at every tick for its time; a break begins it anew. */
TEST(guard_waits_for_its_time)
{
	struct guard g = parsed("5xx > 5 % over 60s for 20s");
	struct guard_state s = {0};
	uint64_t t;

	for (t = 1; t <= 100; t++) /* 5 %: not over */
		CHECK(!guard_feed(&g, &s, t * 1000, 20, 1));
	for (; t <= 120; t++) { /* over from 101 on */
		ROW("second %d", (int)t);
		CHECK(!guard_feed(&g, &s, t * 1000, 20, 2));
	}
	ROW("the time is up");
	CHECK(guard_feed(&g, &s, t++ * 1000, 20, 2));
	for (; t <= 200; t++)
		guard_feed(&g, &s, t * 1000, 20, 0);
	for (; t <= 300; t++) {
		bool fires = guard_feed(&g, &s, t * 1000, 20, t % 40 < 19 ? 20 : 0);

		ROW("second %d", (int)t);
		CHECK(!fires || t >= 220);
	}
}

TEST(guard_does_not_take_one_event_for_a_rate)
{
	struct guard g = parsed("5xx > 5 % over 60s");
	struct guard_state s = {0};

	CHECK(!guard_feed(&g, &s, 1000, 0, 0));
	CHECK(!guard_feed(&g, &s, 2000, 1, 1));
	CHECK(guard_feed(&g, &s, 3000, 1, 1));
}

/* With ticks as long as a slot the window is exact; with others, right to a slot. */
TEST(guard_window_is_the_sum_of_its_ticks)
{
	static const unsigned tick_ms[] = {500, 1000, 5000, 7000, 60000, 100000};
	struct guard g = parsed("5xx > 5 % over 5m");

	srand(7);
	for (size_t i = 0; i < COUNT(tick_ms); i++) {
		unsigned counts[2000], ticks = 2000000 / tick_ms[i] + 20;
		struct guard_state s = {0};

		for (unsigned k = 0; k < ticks && k < COUNT(counts); k++) {
			uint64_t t = (k + 1ull) * tick_ms[i], n, half, least = 0, most = 0;

			counts[k] = (unsigned)rand() % 50;
			guard_feed(&g, &s, t, counts[k], counts[k] / 2);
			for (unsigned m = 0; m <= k; m++) {
				uint64_t end = (m + 1ull) * tick_ms[i];

				least += end + 295000 > t ? counts[m] : 0;
				most += end + 300000 > t ? counts[m] : 0;
			}
			guard_sums(&s, &n, &half);
			ROW("ticks of %u ms, %d", tick_ms[i], (int)t);
			if (!CHECK(n >= least && n <= most) ||
			    (tick_ms[i] % 5000 == 0 && !CHECK_INT(n, most)))
				return;
		}
	}
}

/* For as long as its window. */
TEST(guard_remembers_that_it_was_over)
{
	struct guard g = parsed("5xx > 5 % over 60s");
	struct guard_state s = {0};

	CHECK(!guard_was_over(&g, &s, 1000));
	CHECK(guard_feed(&g, &s, 1000, 9, 9));
	CHECK(guard_was_over(&g, &s, 1000));
	CHECK(!guard_feed(&g, &s, 2000, 1000, 0));
	CHECK(guard_was_over(&g, &s, 60999));
	CHECK(!guard_was_over(&g, &s, 61000));
}
