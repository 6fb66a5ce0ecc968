/* SPDX-License-Identifier: BSD-2-Clause */
/* Rolling in place: what becomes of each backend, whatever fails and with a crash after any look. */
#include "t.h"

#include "rolling_pool.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	unsigned n;
	enum trouble trouble;
	unsigned at;
	enum on_failure on_failure;
	enum rollout_state end;
	const char *versions, *out, *why;
} ends[] = {
	{4, NONE, 0, FAILURE_STOP, ROLLOUT_STABLE, "nnnn", "....", "the bake is over"},
	{5, NONE, 0, FAILURE_STOP, ROLLOUT_STABLE, "nnnnn", ".....", "the bake is over"},
	{2, NONE, 0, FAILURE_STOP, ROLLOUT_STABLE, "nn", "..", "the bake is over"},
	{1, NONE, 0, FAILURE_STOP, ROLLOUT_FAILED_SAFE, "o", ".",
	 "min_available is 1 of 1 backends: none can be taken out"},

	{4, HOOK_FAILS, 0, FAILURE_STOP, ROLLOUT_FAILED_SAFE, "booo", "x...",
	 "exit status 3; backend 1 stays out"},
	{4, HOOK_FAILS, 1, FAILURE_STOP, ROLLOUT_FAILED_SAFE, "nboo", "xx..",
	 "exit status 3; backends 1 to 2 stay out"},
	{4, HOOK_FAILS, 2, FAILURE_STOP, ROLLOUT_ROLLED_BACK, "nnbo", "..x.",
	 "exit status 3; backend 3 stays out"},
	{4, HOOK_FAILS, 1, FAILURE_BACK, ROLLOUT_FAILED_SAFE, "oooo", "....",
	 "exit status 3; walked back"},
	{4, HOOK_FAILS, 2, FAILURE_BACK, ROLLOUT_ROLLED_BACK, "oooo", "....",
	 "exit status 3; walked back"},

	{4, NEVER_UP, 1, FAILURE_STOP, ROLLOUT_FAILED_SAFE, "nnoo", "xx..",
	 "backends 1 to 2 did not come up: connection refused; backends 1 to 2 stay out"},
	{4, NEVER_UP, 3, FAILURE_STOP, ROLLOUT_ROLLED_BACK, "nnnn", "..xx",
	 "backends 3 to 4 did not come up: connection refused; backends 3 to 4 stay out"},
	{4, NEVER_UP, 0, FAILURE_BACK, ROLLOUT_FAILED_SAFE, "oooo", "....",
	 "backends 1 to 2 did not come up: connection refused; walked back"},
	{5, NEVER_UP, 4, FAILURE_BACK, ROLLOUT_ROLLED_BACK, "ooooo", ".....",
	 "backend 5 did not come up: connection refused; walked back"},

	{4, FALLS_LATER, 0, FAILURE_STOP, ROLLOUT_ROLLED_BACK, "nnoo", "xx..",
	 "backend 1 went down again: connection refused; backends 1 to 2 stay out"},
	{4, FALLS_LATER, 3, FAILURE_BACK, ROLLOUT_ROLLED_BACK, "oooo", "....",
	 "backend 4 went down again: connection refused; walked back"},

	{4, BACK_FAILS, 2, FAILURE_BACK, ROLLOUT_ROLLED_BACK, "nnbn", "..x.",
	 "on the way back too: exit status 3; backend 3 stays out"},
};

TEST(batches_end_as_they_should)
{
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct pool p;
		struct daemon d;

		ROW("%zu: %u backends, trouble %u at %u", i, ends[i].n, ends[i].trouble,
		    ends[i].at);
		begin(&d, &p, ends[i].n, ends[i].on_failure);
		p.trouble = ends[i].trouble;
		p.at = ends[i].at;
		to_the_end(&d, ~0u);
		CHECK_STR(rollout_state_word(d.r.state), rollout_state_word(ends[i].end));
		CHECK_STR(d.r.why, ends[i].why);
		check_pool(&d, ends[i].versions, ends[i].out);
		for (unsigned k = 0; k < d.n_runs; k++)
			CHECK_INT(daemon_runs_of(&d, d.log[k]), 1);
	}
}

/* The same end, and at most the hook that ran then once more. */
static void crash_once(size_t i, unsigned at, unsigned runs)
{
	struct pool p;
	struct daemon d;
	unsigned twice = 0;

	ROW("%zu: crash after look %u", i, at);
	begin(&d, &p, ends[i].n, ends[i].on_failure);
	p.trouble = ends[i].trouble;
	p.at = ends[i].at;
	to_the_end(&d, at);
	CHECK_STR(rollout_state_word(d.r.state), rollout_state_word(ends[i].end));
	check_pool(&d, ends[i].versions, ends[i].out);
	for (unsigned k = 0; k < d.n_runs; k++)
		twice += daemon_runs_of(&d, d.log[k]) == 2;
	CHECK(twice == 0 || twice == 2);
	CHECK_INT(d.n_runs, runs + twice / 2);
}

TEST(crash_after_any_look)
{
	for (size_t i = 0; i < COUNT(ends); i++) {
		struct pool p;
		struct daemon d;
		unsigned looks;

		begin(&d, &p, ends[i].n, ends[i].on_failure);
		p.trouble = ends[i].trouble;
		p.at = ends[i].at;
		looks = to_the_end(&d, ~0u);
		for (unsigned at = 0; at < looks; at++)
			crash_once(i, at, d.n_runs);
	}
}

TEST(states_of_a_roll_in_place)
{
	struct pool p;
	struct daemon d;

	begin(&d, &p, 2, FAILURE_STOP);
	to_the_end(&d, ~0u);
	CHECK_STR(d.trail, " staging gate shifting/drain shifting/update watching/check "
			   "watching/serve shifting/drain shifting/update watching/check "
			   "watching/serve promoted bake stable");
}

/* ---- capacity ---- */

/* Backends that are down already make batches smaller, or wait for. */
TEST(what_is_down_already_counts)
{
	struct pool p;
	struct daemon d;

	begin(&d, &p, 4, FAILURE_STOP);
	p.version[3] = 'd';
	p.sight[3] = BACKEND_DOWN;
	to_the_end(&d, ~0u);
	check_pool(&d, "nnnn", "....");
	CHECK_INT(d.n_runs, 4);
	CHECK_STR(d.log[0], "7-1-update-3"); /* what is down costs nothing */
	CHECK_STR(d.log[1], "7-1-update-0");

	begin(&d, &p, 4, FAILURE_STOP);
	p.version[2] = p.version[3] = 'd';
	p.sight[2] = p.sight[3] = BACKEND_DOWN;
	d.cfg.batch.min_available = (struct cfg_amount){3, false};
	CHECK_INT(to_the_end(&d, ~0u), 6); /* for staging_ms */
	CHECK_STR(rollout_state_word(d.r.state), "failed_safe");
	CHECK_STR(d.r.why, "without backend 3, 2 of 4 backends are up, and min_available is 3");
	check_pool(&d, "oodd", "....");
}

/* A batch has all of its weight before the next one goes out, or the whole is promoted: whatever is left
 * may be, however long it takes, and on the way back too. check_service() counts whom it may. */
TEST(waits_for_slow_starts)
{
	static const struct {
		unsigned rise, looks;
		enum trouble trouble;
	} rows[] = {
		{0, 19, NONE},  {1, 19, NONE},    {2, 21, NONE},
		{10, 37, NONE}, {100, 217, NONE}, {10, 0, FALLS_LATER},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pool p;
		struct daemon d;
		unsigned looks;

		ROW("%zu", i);
		begin(&d, &p, 4, FAILURE_BACK);
		d.cfg.batch.min_available = (struct cfg_amount){rows[i].trouble ? 2 : 0, false};
		p.rise = rows[i].rise;
		p.trouble = rows[i].trouble;
		p.at = 3;
		for (looks = 0; looks < 400 && !rollout_is_over(&d.r); looks++) {
			enum rolling_step was = d.r.rolling.step;

			tick(&d);
			for (unsigned k = 0; k < 4 && d.r.rolling.step != was; k++)
				CHECK(d.r.rolling.step != ROLLING_DRAIN || d.r.rolling.back ||
				      p.sight[k] != BACKEND_RISING);
		}
		CHECK_STR(rollout_state_word(d.r.state),
			  rows[i].trouble ? "rolled_back" : "stable");
		check_pool(&d, rows[i].trouble ? "oooo" : "nnnn", "....");
		if (rows[i].looks)
			CHECK_INT(looks, rows[i].looks);
	}
}

/* A pool that has just come up is waited for, longer than staging_ms. */
TEST(begins_when_enough_have_risen)
{
	struct pool p;
	struct daemon d;

	begin(&d, &p, 4, FAILURE_STOP);
	for (unsigned k = 0; k < 4; k++)
		p.rises[k] = 20;
	for (unsigned i = 0; i < 20; i++) {
		tick(&d);
		CHECK_STR(rollout_state_word(d.r.state), "staging");
	}
	to_the_end(&d, ~0u);
	check_pool(&d, "nnnn", "....");
}

/* Between batches it stands still, and goes on when told so, with all its time. */
TEST(waits_for_capacity_between_batches)
{
	char error[ROLLOUT_WHY];
	struct pool p;
	struct daemon d;

	begin(&d, &p, 4, FAILURE_STOP);
	d.cfg.batch.min_available = (struct cfg_amount){3, false};
	while (d.r.rolling.step != ROLLING_SERVE)
		tick(&d);
	p.version[3] = 'd';
	to_the_end(&d, ~0u);
	CHECK_STR(rollout_state_word(d.r.state), "paused");
	CHECK_STR(d.r.why, "without backend 2, 2 of 4 backends are up, and min_available is 3");
	CHECK_INT(rollout_do(&d.r, DO_RESUME, "ann", "", 0, error), 0);
	tick(&d);
	CHECK_STR(rollout_state_word(d.r.state), "watching");
	p.version[3] = 'o';
	p.sight[3] = BACKEND_UP;
	to_the_end(&d, ~0u);
	check_pool(&d, "nnnn", "....");
	CHECK_STR(rollout_state_word(d.r.state), "stable");
}

/* What a roll left out is where the next one begins: half of it out, half of it up is enough. */
TEST(next_roll_mends_what_was_left_out)
{
	for (unsigned bad = 0; bad < 4; bad++) {
		struct pool p;
		struct daemon d;

		ROW("bad at %u", bad);
		begin(&d, &p, 4, FAILURE_STOP);
		p.version[bad / 2 * 2] = p.version[bad / 2 * 2 + 1] = 'd';
		p.sight[bad / 2 * 2] = p.sight[bad / 2 * 2 + 1] = BACKEND_UNSEEN;
		to_the_end(&d, ~0u);
		check_pool(&d, "nnnn", "....");
		CHECK_STR(rollout_state_word(d.r.state), "stable");
		CHECK_INT(d.n_runs, 4);
	}
}

/* The way back from a roll that began in the middle. */
TEST(walks_back_to_where_it_began)
{
	struct pool p;
	struct daemon d;

	begin(&d, &p, 5, FAILURE_BACK);
	p.sight[2] = BACKEND_DOWN;
	p.version[2] = 'd';
	p.trouble = NEVER_UP;
	p.at = 1;
	to_the_end(&d, ~0u);
	check_pool(&d, "ooooo", ".....");
	CHECK_STR(rollout_state_word(d.r.state), "rolled_back");
	CHECK_STR(d.log[0], "7-1-update-2");
	CHECK_STR(d.log[d.n_runs - 1], "7-1-update-2-back");
}
