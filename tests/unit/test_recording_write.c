/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written is read as the same; and how many failures a breaker allows. */
#include <string.h>

#include "breaker.h"
#include "recording.h"
#include "recording_write.h"
#include "t.h"

static const struct judge_names names = {"shop", "green", "blue"};

static struct judge_settings settings(void)
{
	struct judge_settings set = {.alpha = .01,
				     .beta = .02,
				     .margin = 2.5,
				     .slo = .005,
				     .quantile = .99,
				     .min_ms = 60000,
				     .max_ms = 3600000,
				     .min_connections = 100,
				     .min_sources = 7,
				     .n_signals = 2,
				     .slow = 1};
	char error[256];

	strcpy(set.signals[0], "5xx");
	strcpy(set.signals[1], "slow");
	CHECK_INT(guard_parse("5xx > 5 % over 5m for 2m", &set.guards[set.n_guards++], error,
			      sizeof(error)),
		  0);
	return set;
}

static int read_json(struct recording *r, json_t *line, struct judge_tick *tick)
{
	char error[RECORDING_ERROR] = "", *text = json_dumps(line, JSON_COMPACT);
	int kind = recording_read(r, text, strlen(text), tick, error);

	CHECK_STR(error, "");
	free(text);
	json_decref(line);
	return kind;
}

TEST(recording_is_read_as_written)
{
	struct judge_settings set = settings();
	struct judge_tick tick = {.t_ms = 1000,
				  .step = 1,
				  .share_bp = 1234,
				  .counts[0] = {{{10, 3, 5, 2}, {90, 1, 40, 1}}, true},
				  .new_sources = {4, 30}},
			  again;
	struct recording r = {0};

	tick.first_byte[CANARY].count[5] = 7;
	tick.first_byte[LIVE].count[LATENCY_BUCKETS - 1] = 1;
	CHECK_INT(read_json(&r, recording_head_json(&names, &set, 1795273201987), &again),
		  LINE_HEAD);
	CHECK(!memcmp(&r.set.alpha, &set.alpha, sizeof(set.alpha)));
	CHECK(r.set.beta == set.beta && r.set.margin == set.margin && r.set.slo == set.slo);
	CHECK(r.set.quantile == set.quantile);
	CHECK_INT(r.set.min_ms, set.min_ms);
	CHECK_INT(r.set.max_ms, set.max_ms);
	CHECK_INT(r.set.min_connections, 100);
	CHECK_INT(r.set.min_sources, 7);
	CHECK_INT(r.set.slow, 1);
	CHECK_STR(r.set.guards[0].text, set.guards[0].text);
	CHECK_INT(r.started_ms, 1795273201000);
	CHECK_STR(r.names.canary, "green");
	CHECK_INT(read_json(&r, recording_tick_json(&set, &tick), &again), LINE_TICK);
	CHECK(!memcmp(&again, &tick, sizeof(tick)));
}

/* JUDGE.md, "A dead canary". */
static const struct {
	double share;
	unsigned limit;
} dead[] = {{.01, 2}, {.05, 3}, {.10, 3}, {.25, 5}, {.50, 9}};

TEST(breaker_without_evidence)
{
	struct judge_settings set = settings();
	struct judge j;

	set.n_signals = 1;
	set.slow = -1;
	set.n_guards = 0;
	judge_begin(&j, &set);
	for (size_t i = 0; i < sizeof(dead) / sizeof(dead[0]); i++) {
		ROW("%g", dead[i].share);
		CHECK_INT(breaker_limit(&j, dead[i].share, 0), dead[i].limit);
	}
}

/* Failures that live has too are allowed for; what was seen already brings the number down. */
TEST(breaker_moves_with_the_evidence)
{
	struct judge_settings set = settings();
	struct judge_tick tick = {.t_ms = 1000,
				  .step = 1,
				  .share_bp = 2500,
				  .counts[0] = {{{100, 3, 0, 0}, {300, 0, 0, 0}}, false}};
	struct judge j;

	set.n_signals = 1;
	set.slow = -1;
	set.n_guards = 0;
	judge_begin(&j, &set);
	CHECK(breaker_limit(&j, .25, 30) > 20);
	judge_feed(&j, &tick);
	CHECK(breaker_limit(&j, .25, 0) < 5);
	/* With everything there is nothing to compare with: no number is enough. */
	CHECK(breaker_limit(&j, 1, 0) >= BREAKER_MAX);
}
