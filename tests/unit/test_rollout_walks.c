/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole lives of rollouts: the shares of their steps, hooks, and walks at random with crashes. */
#include <stdlib.h>

#include "t.h"

#include "rollout_daemon.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static char *argv_true[] = {"/bin/true", NULL};

static struct rollout begun(enum strategy strategy)
{
	static const uint16_t shares[] = {500, 2500, 5000, 10000};
	struct rollout r = {
		.number = 7,
		.strategy = strategy,
		.candidate = 1,
		.base = {9000, 0, 1000},
		.fixed = {5000, 4000, 1000},
		.n_steps = COUNT(shares),
		.staging_ms = 1000,
		.bake_ms = 1000,
	};

	for (unsigned i = 0; i < COUNT(shares); i++)
		r.steps[i] = (struct cfg_step){shares[i], {.min_ms = 1000, .until = UNTIL_HOOK}};
	if (strategy == STRATEGY_FLIP) {
		r.n_steps = 1;
		r.steps[0] = r.steps[3];
	}
	return r;
}

/* ---- shares ---- */

static const struct {
	uint16_t base[3], steps[4];
} mixes[] = {
	{{9000, 0, 1000}, {500, 2500, 5000, 10000}},
	{{3333, 0, 6667}, {1, 33, 9999, 10000}},
	{{10000, 0, 0}, {1250, 1251, 8000, 10000}},
	{{7001, 1000, 1999}, {500, 2500, 5000, 10000}}, /* the first step is below what it has */
	{{0, 1, 9999}, {3, 7, 4242, 10000}},
	{{0, 10000, 0}, {500, 2500, 5000, 10000}},
};

static void check_sum(const uint16_t *share)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < ZDD_POOLS_PER_SERVICE; i++)
		sum += share[i];
	CHECK_INT(sum, ZDD_SHARE_UNITS);
}

/* From step to step only the candidate gains, so that no client goes there and back. */
TEST(shares_of_steps_are_nested)
{
	for (size_t m = 0; m < COUNT(mixes); m++) {
		struct rollout r = begun(STRATEGY_CANARY);
		uint16_t was[ZDD_POOLS_PER_SERVICE] = {0}, share[ZDD_POOLS_PER_SERVICE];

		memcpy(r.base, mixes[m].base, sizeof(mixes[m].base));
		memcpy(was, r.base, sizeof(was));
		r.state = ROLLOUT_WATCHING;
		for (r.step = 0; r.step < 4; r.step++) {
			r.steps[r.step].share = mixes[m].steps[r.step];
			ROW("mix %zu, step %u", m, r.step);
			rollout_shares(&r, share);
			check_sum(share);
			CHECK_INT(share[1], rollout_share(&r));
			CHECK(share[1] >= mixes[m].steps[r.step]);
			for (unsigned i = 0; i < 3; i++)
				CHECK(i == 1 ? share[i] >= was[i] : share[i] <= was[i]);
			memcpy(was, share, sizeof(was));
		}
		CHECK_INT(was[1], ZDD_SHARE_UNITS);
	}
}

/* The third pool keeps its part of what the candidate leaves. */
TEST(shares_of_others_keep_their_proportions)
{
	struct rollout r = begun(STRATEGY_CANARY);
	uint16_t share[ZDD_POOLS_PER_SERVICE];

	r.state = ROLLOUT_WATCHING;
	r.step = 1;
	rollout_shares(&r, share);
	CHECK_INT(share[0], 6750);
	CHECK_INT(share[1], 2500);
	CHECK_INT(share[2], 750);
}

enum { BASE = 'b', STEP = 's', ALL = 'a', FIXED = 'f' };

/* By state: whose shares; leased; judged. */
static const struct {
	enum rollout_state state;
	char canary, experiment;
	bool leased, judged;
} shoulds[] = {
	{ROLLOUT_QUEUED, BASE, BASE},
	{ROLLOUT_STAGING, BASE, BASE},
	{ROLLOUT_GATE, BASE, BASE},
	{ROLLOUT_SHIFTING, STEP, FIXED, true, true},
	{ROLLOUT_WATCHING, STEP, FIXED, true, true},
	{ROLLOUT_WAITING, STEP, FIXED, true, true},
	{ROLLOUT_PAUSED, STEP, FIXED, true, true},
	{ROLLOUT_INCONCLUSIVE, STEP, FIXED, true, true},
	{ROLLOUT_PROMOTED, ALL, FIXED, false, true},
	{ROLLOUT_BAKE, ALL, FIXED, false, true},
	{ROLLOUT_STABLE, ALL, FIXED, false, false},
	{ROLLOUT_ABORTED, BASE, BASE},
	{ROLLOUT_SUPERSEDED, BASE, BASE},
	{ROLLOUT_ROLLED_BACK, BASE, BASE},
	{ROLLOUT_FAILED_SAFE, BASE, BASE},
};

static unsigned share_of(char which)
{
	return which == BASE ? 0 : which == STEP ? 2500 : which == FIXED ? 4000 : ZDD_SHARE_UNITS;
}

TEST(what_should_be_so_follows_from_the_state)
{
	CHECK_INT(COUNT(shoulds), ROLLOUT_STATES);
	for (size_t i = 0; i < COUNT(shoulds); i++) {
		struct rollout r = begun(STRATEGY_CANARY);
		uint16_t share[ZDD_POOLS_PER_SERVICE];

		ROW("%s", rollout_state_word(shoulds[i].state));
		r.state = shoulds[i].state;
		r.paused_in = ROLLOUT_WATCHING;
		r.step = 1;
		CHECK_INT(rollout_share(&r), share_of(shoulds[i].canary));
		CHECK_INT(rollout_is_leased(&r), shoulds[i].leased);
		CHECK_INT(rollout_is_judged(&r), shoulds[i].judged);
		r.strategy = STRATEGY_EXPERIMENT;
		CHECK_INT(rollout_share(&r), share_of(shoulds[i].experiment));
		CHECK(!rollout_is_leased(&r));
		rollout_shares(&r, share);
		check_sum(share);
		r.strategy = STRATEGY_CANARY;
		r.paused_in = ROLLOUT_GATE;
		if (r.state == ROLLOUT_PAUSED)
			CHECK_INT(rollout_share(&r), 0);
	}
}

/* kill -9 between the store and the plan: a share that is not there yet was not taken back. */
static const struct {
	enum rollout_state state, paused_in;
	unsigned step, n_steps;
	bool full, had;
} moments[] = {
	{ROLLOUT_STAGING, 0, 0, 4, false, false},
	{ROLLOUT_GATE, 0, 0, 4, false, false},
	{ROLLOUT_SHIFTING, 0, 0, 4, false, false},
	{ROLLOUT_WATCHING, 0, 0, 4, false, true},
	{ROLLOUT_SHIFTING, 0, 1, 4, false, true},
	{ROLLOUT_WAITING, 0, 1, 4, false, true},
	{ROLLOUT_INCONCLUSIVE, 0, 0, 4, false, true},
	{ROLLOUT_PAUSED, ROLLOUT_GATE, 0, 4, false, false},
	{ROLLOUT_PAUSED, ROLLOUT_SHIFTING, 0, 4, false, false},
	{ROLLOUT_PAUSED, ROLLOUT_WATCHING, 0, 4, false, true},
	{ROLLOUT_PROMOTED, 0, 3, 4, false, true},
	{ROLLOUT_PROMOTED, 0, 3, 4, true, false},  /* --full, from a gate perhaps */
	{ROLLOUT_PROMOTED, 0, 0, 1, false, false}, /* a flip */
	{ROLLOUT_BAKE, 0, 0, 1, false, true},
	{ROLLOUT_ROLLED_BACK, 0, 3, 4, false, false},
};

TEST(a_share_that_was_in_force_before)
{
	for (size_t i = 0; i < COUNT(moments); i++) {
		struct rollout r = begun(STRATEGY_CANARY);

		ROW("%zu: %s", i, rollout_state_word(moments[i].state));
		r.state = moments[i].state;
		r.paused_in = moments[i].paused_in;
		r.step = moments[i].step;
		r.n_steps = moments[i].n_steps;
		r.full = moments[i].full;
		CHECK_INT(rollout_had_share(&r), moments[i].had);
	}
}

/* ---- whole lives ---- */

static void start(struct daemon *d, enum strategy strategy)
{
	struct rollout r = begun(strategy);

	daemon_start(d, &r);
	for (unsigned i = 0; i < HOOKS; i++)
		d->cfg.hooks.argv[i] = argv_true;
	d->f.passed_ms = 1000;
	d->f.fit = d->f.in_force = d->f.empty = true;
}

static void to_the_end(struct daemon *d)
{
	for (unsigned i = 0; i < 200 && !rollout_is_over(&d->r); i++) {
		enum rollout_state was = d->r.state;

		daemon_tick(d);
		if (d->r.state != was)
			snprintf(d->trail + strlen(d->trail), sizeof(d->trail) - strlen(d->trail),
				 " %s", rollout_state_word(d->r.state));
	}
}

static const struct {
	enum strategy strategy;
	const char *trail, *tokens[8];
} lives[] = {
	{STRATEGY_CANARY,
	 " staging gate shifting watching waiting shifting watching waiting shifting watching "
	 "waiting promoted bake stable",
	 {"7-0-start", "7-0-gate", "7-1-gate", "7-2-gate", "7-3-gate", "7-4-stop"}},
	{STRATEGY_FLIP,
	 " staging gate promoted bake stable",
	 {"7-0-start", "7-0-gate", "7-1-stop"}},
};

TEST(life_skips_no_state_and_runs_each_hook_once)
{
	for (size_t i = 0; i < COUNT(lives); i++) {
		unsigned n = 0;
		struct daemon d;

		ROW("%s", strategy_words[lives[i].strategy]);
		start(&d, lives[i].strategy);
		to_the_end(&d);
		CHECK_STR(d.trail, lives[i].trail);
		for (; lives[i].tokens[n]; n++)
			CHECK_INT(daemon_runs_of(&d, lives[i].tokens[n]), 1);
		CHECK_INT(d.n_runs, n);
	}
}

/* kill -9 after any look: the hook that ran then is run once more with its token, no other is. */
TEST(life_after_a_crash)
{
	for (unsigned at = 0; at < 60; at++) {
		struct daemon d;
		unsigned once_more, before;

		ROW("crash after look %u", at);
		start(&d, STRATEGY_CANARY);
		for (unsigned i = 0; i < at && !rollout_is_over(&d.r); i++)
			daemon_tick(&d);
		before = d.n_runs;
		once_more = d.started;
		daemon_crash(&d);
		to_the_end(&d);
		CHECK_STR(rollout_state_word(d.r.state), "stable");
		CHECK_INT(d.n_runs, 6 + once_more);
		if (once_more)
			CHECK_INT(daemon_runs_of(&d, d.log[before - 1]), 2);
		for (unsigned i = 0; i < 6; i++)
			CHECK(daemon_runs_of(&d, lives[0].tokens[i]) >= 1);
	}
}

/* ---- at random ---- */

static bool one_in(unsigned n)
{
	return rand() % (int)n == 0;
}

static void random_facts(struct daemon *d)
{
	static const enum judge_result results[] = {JUDGE_WATCHING, JUDGE_PASSED,
						    JUDGE_INCONCLUSIVE, JUDGE_PAUSED};

	d->f.now_ms++;
	d->f.passed_ms = (uint32_t)rand() % 700;
	d->f.fit = !one_in(4);
	d->f.in_force = one_in(2);
	d->f.dead = one_in(100);
	d->f.breaker = one_in(200);
	d->f.lease_out = one_in(200);
	d->f.empty = one_in(3);
	d->f.verdict.result = one_in(100) ? JUDGE_ROLLED_BACK : results[rand() % 4];
}

static void person(struct daemon *d)
{
	char error[ROLLOUT_WHY];

	if (!rollout_do(&d->r, (enum rollout_verb)(rand() % ROLLOUT_VERBS), "ann", "", 0, error))
		d->stored = d->r;
}

/* What holds from one moment to the next, whatever happens. */
static bool check_move(const struct rollout *was, const struct rollout *r)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE];
	bool rises = rollout_share(r) > rollout_share(was);

	rollout_shares(r, share);
	check_sum(share);
	ROW("%s to %s", rollout_state_word(was->state), rollout_state_word(r->state));
	if (rollout_is_over(was))
		CHECK(!memcmp(was, r, sizeof(*r)));
	if (r->state == ROLLOUT_FAILED_SAFE && !rollout_is_over(was))
		CHECK(rollout_state_phase(was->state) != PHASE_LATE && !rollout_share(was));
	if (r->state == ROLLOUT_STABLE)
		CHECK_INT(rollout_share(r), rollout_share(was));
	else if (rollout_is_over(r))
		CHECK(!memcmp(share, r->base, sizeof(share)));
	return CHECK(!rises || (was->state != r->state &&
				(r->state == ROLLOUT_SHIFTING || r->state == ROLLOUT_PROMOTED))) &&
	       CHECK(was->state != ROLLOUT_PAUSED || r->state == ROLLOUT_PAUSED ||
		     rollout_is_over(r) || r->watched_ms == was->watched_ms || !r->watched_ms);
}

static void random_walk(enum strategy strategy)
{
	struct daemon d;

	start(&d, strategy);
	for (unsigned i = 0; i < ROLLOUT_STEPS; i++)
		d.r.steps[i].each.until = (enum until)(rand() % 4);
	d.cfg.on_inconclusive = (enum on_inconclusive)(rand() % 4);
	d.stored = d.r;
	for (unsigned i = 0; i < 300; i++) {
		struct rollout was = d.r;

		random_facts(&d);
		if (one_in(30))
			daemon_crash(&d);
		else if (one_in(20))
			person(&d);
		else if (!daemon_tick(&d) && was.state == d.r.state)
			CHECK_INT(was.hook_state, d.r.hook_state);
		if (d.n_runs == RUNS)
			d.n_runs = 0;
		if (!check_move(&was, &d.r))
			return;
	}
}

TEST(walks_keep_what_holds)
{
	srand(11);
	for (unsigned i = 0; i < 6000 && !t_fails; i++)
		random_walk((enum strategy)(i % 2   ? STRATEGY_CANARY
					    : i % 4 ? STRATEGY_FLIP
						    : STRATEGY_EXPERIMENT));
}
