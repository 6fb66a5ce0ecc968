/* SPDX-License-Identifier: BSD-2-Clause */
/* Rolling: how large batches are, and the machine in place over a pool that does what it is told. */
#include <stdlib.h>

#include "rolling.h"
#include "t.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define PERCENT(n)                                                                                 \
	{                                                                                          \
		n, true                                                                            \
	}
#define NUMBER(n)                                                                                  \
	{                                                                                          \
		n, false                                                                           \
	}

static const struct {
	struct cfg_amount amount;
	unsigned n, down, up;
} amounts[] = {
	{PERCENT(50), 4, 2, 2},   {PERCENT(50), 3, 1, 2},        {PERCENT(25), 10, 2, 3},
	{PERCENT(0), 10, 0, 0},   {PERCENT(100), 7, 7, 7},       {PERCENT(1), 10, 0, 1},
	{PERCENT(33), 0, 0, 0},   {NUMBER(3), 10, 3, 3},         {NUMBER(0), 10, 0, 0},
	{NUMBER(30), 10, 30, 30}, {PERCENT(100), 256, 256, 256},
};

TEST(amounts_round)
{
	for (size_t i = 0; i < COUNT(amounts); i++) {
		ROW("%zu", i);
		CHECK_INT(rolling_amount(amounts[i].amount, amounts[i].n, ROUND_DOWN),
			  amounts[i].down);
		CHECK_INT(rolling_amount(amounts[i].amount, amounts[i].n, ROUND_UP), amounts[i].up);
	}
}

/* max_parallel, max_surge, max_unavailable, min_available */
static const struct cfg_batch as_default = {PERCENT(50), NUMBER(0), NUMBER(1), PERCENT(50)};
static const struct cfg_batch half = {PERCENT(50), NUMBER(0), PERCENT(50), PERCENT(50)};
static const struct cfg_batch all_at_once = {PERCENT(100), NUMBER(0), PERCENT(100), NUMBER(0)};
static const struct cfg_batch none_to_spare = {PERCENT(50), NUMBER(0), PERCENT(50), PERCENT(100)};
static const struct cfg_batch kubernetes = {PERCENT(100), PERCENT(25), PERCENT(25), NUMBER(0)};

static const struct {
	const struct cfg_batch *batch;
	unsigned n, size;
} batches[] = {
	{&as_default, 4, 1},  {&as_default, 1, 0},    {&as_default, 2, 1}, {&half, 4, 2},
	{&half, 3, 1},        {&half, 5, 2},          {&half, 1, 0},       {&half, 0, 0},
	{&all_at_once, 4, 4}, {&none_to_spare, 4, 0}, {&kubernetes, 3, 1}, {&kubernetes, 10, 2},
};

TEST(batches_keep_min_available)
{
	for (size_t i = 0; i < COUNT(batches); i++) {
		ROW("%zu", i);
		CHECK_INT(rolling_batch(batches[i].batch, batches[i].n), batches[i].size);
	}
}

/* ---- from pool to pool ---- */

static const struct {
	const struct cfg_batch *batch;
	unsigned n_old, n_new, n;
	uint16_t share[4]; /* the first ones */
} step_rows[] = {
	{&kubernetes, 4, 4, 2, {5000, 10000}}, /* 25 % up, 25 % down: two at a time */
	{&kubernetes, 3, 3, 3, {3333, 6666, 10000}},
	{&as_default, 4, 4, 4, {2500, 5000, 7500, 10000}},
	{&as_default, 4, 2, 2, {5000, 10000}},
	{&as_default, 4, 1, 0, {0}},
	{&half, 4, 0, 0, {0}},
	{&half, 4, 3, 3, {3333, 6666, 10000}},
	{&all_at_once, 9, 5, 1, {10000}},
	{&as_default, 100, 100, 25, {400, 800, 1200, 1600}}, /* 4 at a time, so that 32 steps do */
};

TEST(steps_from_pool_to_pool)
{
	for (size_t i = 0; i < COUNT(step_rows); i++) {
		struct cfg_step steps[ROLLOUT_STEPS];
		unsigned n = rolling_steps(step_rows[i].batch, step_rows[i].n_old,
					   step_rows[i].n_new, steps);

		ROW("%zu", i);
		CHECK_INT(n, step_rows[i].n);
		for (unsigned k = 0; k < n && k < 4; k++) {
			CHECK_INT(steps[k].share, step_rows[i].share[k]);
			CHECK_INT(steps[k].each.until, UNTIL_TIME);
			CHECK_INT(steps[k].each.min_ms, 0);
		}
		if (n)
			CHECK_INT(steps[n - 1].share, ZDD_SHARE_UNITS);
	}
}

/* ---- what is going to happen, for people ---- */

TEST(plan_says_what_stays)
{
	static const char *const lines[] = {
		"batch 1 of 3: backends 1 to 2 out, 3 of 5 stay (at least 3)",
		"batch 2 of 3: backends 3 to 4 out, 3 of 5 stay (at least 3)",
		"batch 3 of 3: backend 5 out, 4 of 5 stay (at least 3)",
	};
	char line[ROLLOUT_WHY];

	for (unsigned i = 0; i < COUNT(lines); i++) {
		CHECK(rolling_plan_text(&half, 5, i, line, sizeof(line)));
		CHECK_STR(line, lines[i]);
	}
	CHECK(!rolling_plan_text(&half, 5, COUNT(lines), line, sizeof(line)));
	CHECK(rolling_plan_text(&half, 1, 0, line, sizeof(line)));
	CHECK_STR(line, "min_available is 1 of 1 backends: none can be taken out");
	CHECK(!rolling_plan_text(&half, 1, 1, line, sizeof(line)));
}

TEST(plan_from_pool_to_pool)
{
	char line[ROLLOUT_WHY];

	CHECK(rolling_steps_text(&kubernetes, 3, 4, 0, line, sizeof(line)));
	CHECK_STR(line,
		  "step 1 of 2: 50 % of new flows to the new pool's 4, the rest to the 3 of now");
	CHECK(!rolling_steps_text(&kubernetes, 3, 4, 2, line, sizeof(line)));
	CHECK(rolling_steps_text(&half, 4, 1, 0, line, sizeof(line)));
	CHECK_STR(line, "min_available is 2 of the 4 backends of now, the new pool has 1");
}
