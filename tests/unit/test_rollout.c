/* SPDX-License-Identifier: BSD-2-Clause */
/* The state machine of rollouts: each state's ways out, what people may do, shares, hooks and time,
 * then walks at random with crashes. In place it is test_rolling.c. */
#include <errno.h>

#include "rollout.h"
#include "t.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static char *argv_true[] = {"/bin/true", NULL};

/* 5, 25, 50, 100 %, to pool 1 from pool 0; pool 2 has its own share. */
static struct rollout canary(enum until until)
{
	static const uint16_t shares[] = {500, 2500, 5000, 10000};
	struct rollout r = {
		.number = 7,
		.strategy = STRATEGY_CANARY,
		.candidate = 1,
		.base = {9000, 0, 1000},
		.fixed = {5000, 4000, 1000},
		.n_steps = COUNT(shares),
		.staging_ms = 1000,
		.bake_ms = 1000,
	};

	for (unsigned i = 0; i < COUNT(shares); i++)
		r.steps[i] = (struct cfg_step){shares[i],
					       {.min_ms = 1000, .max_ms = 2000, .until = until}};
	return r;
}

static struct cfg_rollout all_hooks(void)
{
	struct cfg_rollout cfg = {.set = true};

	for (unsigned i = 0; i < HOOKS; i++)
		cfg.hooks.argv[i] = argv_true;
	return cfg;
}

static bool is_in(const struct rollout *r, enum rollout_state want)
{
	return CHECK_STR(rollout_state_word(r->state), rollout_state_word(want));
}

TEST(states_have_words)
{
	for (unsigned i = 0; i < ROLLOUT_STATES; i++) {
		ROW("%u", i);
		CHECK_INT(rollout_state_find(rollout_state_word(i)), i);
		CHECK(*rollout_state_sentence(i));
	}
	CHECK_INT(rollout_state_find("baking"), -1);
}

/* ---- each state's ways out ---- */

enum { NO_HOOKS, HOOKS_NOT, HOOKS_DUE, HOOKS_DONE };

#define PASS .verdict.result = JUDGE_PASSED
#define WORSE .verdict.result = JUDGE_ROLLED_BACK
#define SPLIT .verdict.result = JUDGE_PAUSED
#define UNSURE .verdict.result = JUDGE_INCONCLUSIVE
#define OVER .passed_ms = 1000 /* as long as each of its times */
#define ALMOST .passed_ms = 999
#define TOO_LONG .passed_ms = 2000

/* W(name, state, how its step ends, hooks, state afterwards, hook afterwards, step afterwards,
 *   facts) */
#define W(name, state, until, hooks, to, hook, step, ...)                                          \
	{                                                                                          \
		name, ROLLOUT_##state, UNTIL_##until, hooks, {__VA_ARGS__}, ROLLOUT_##to,          \
			HOOK_##hook, step                                                          \
	}

static const struct {
	const char *name;
	enum rollout_state state;
	enum until until;
	int hooks;
	struct rollout_facts f;
	enum rollout_state to;
	enum hook_state hook;
	unsigned step;
} ways[] = {
	W("another one runs", QUEUED, TIME, NO_HOOKS, QUEUED, NOT, 0, OVER, .fit = true),
	W("it is over", QUEUED, TIME, NO_HOOKS, STAGING, NOT, 0, .may_begin = true),

	W("asks start", STAGING, TIME, HOOKS_NOT, STAGING, DUE, 0, .fit = true),
	W("start runs", STAGING, TIME, HOOKS_DUE, STAGING, DUE, 0, OVER, .fit = true),
	W("start ran", STAGING, TIME, HOOKS_DUE, STAGING, DONE, 0, .hook = HOOK_OK),
	W("start failed", STAGING, TIME, HOOKS_DUE, FAILED_SAFE, NOT, 0, .hook = HOOK_FAILED),
	W("not up", STAGING, TIME, HOOKS_DONE, STAGING, DONE, 0, ALMOST),
	W("never up", STAGING, TIME, NO_HOOKS, FAILED_SAFE, NOT, 0, OVER),
	W("up", STAGING, TIME, HOOKS_DONE, GATE, NOT, 0, .fit = true),

	W("asks gate", GATE, TIME, HOOKS_NOT, GATE, DUE, 0, .fit = true),
	W("gate runs", GATE, TIME, HOOKS_DUE, GATE, DUE, 0, OVER),
	W("gate ran", GATE, TIME, HOOKS_DUE, GATE, DONE, 0, .hook = HOOK_OK),
	W("gate failed", GATE, TIME, HOOKS_DUE, FAILED_SAFE, NOT, 0, .hook = HOOK_FAILED),
	W("gone meanwhile", GATE, TIME, HOOKS_DONE, GATE, DONE, 0, ALMOST),
	W("gone for good", GATE, TIME, HOOKS_DONE, FAILED_SAFE, NOT, 0, OVER),
	W("let through", GATE, TIME, HOOKS_DONE, SHIFTING, NOT, 0, .fit = true),
	W("no gate", GATE, TIME, NO_HOOKS, SHIFTING, NOT, 0, .fit = true),

	W("not in force", SHIFTING, TIME, NO_HOOKS, SHIFTING, NOT, 0, OVER, PASS),
	W("in force", SHIFTING, TIME, NO_HOOKS, WATCHING, NOT, 0, .in_force = true),
	W("worse already", SHIFTING, TIME, NO_HOOKS, ROLLED_BACK, NOT, 0, WORSE),

	W("too early", WATCHING, TIME, NO_HOOKS, WATCHING, NOT, 0, ALMOST, PASS),
	W("by time", WATCHING, TIME, NO_HOOKS, SHIFTING, NOT, 1, OVER),
	W("by time, unsure", WATCHING, TIME, NO_HOOKS, WATCHING, NOT, 0, ALMOST, UNSURE),
	W("passed too early", WATCHING, EVIDENCE, NO_HOOKS, WATCHING, NOT, 0, ALMOST, PASS),
	W("no evidence yet", WATCHING, EVIDENCE, NO_HOOKS, WATCHING, NOT, 0, OVER),
	W("passed", WATCHING, EVIDENCE, NO_HOOKS, SHIFTING, NOT, 1, OVER, PASS),
	W("unsure", WATCHING, EVIDENCE, NO_HOOKS, INCONCLUSIVE, NOT, 0, TOO_LONG),
	W("the judge counts pauses too", WATCHING, EVIDENCE, NO_HOOKS, WATCHING, NOT, 0, OVER,
	  UNSURE),
	W("worse", WATCHING, TIME, NO_HOOKS, ROLLED_BACK, NOT, 0, OVER, WORSE),
	W("split", WATCHING, TIME, NO_HOOKS, PAUSED, NOT, 0, OVER, SPLIT),
	W("breaker", WATCHING, EVIDENCE, NO_HOOKS, ROLLED_BACK, NOT, 0, .breaker = true),
	W("lease", WATCHING, EVIDENCE, NO_HOOKS, ROLLED_BACK, NOT, 0, .lease_out = true),
	W("dead", WATCHING, EVIDENCE, NO_HOOKS, ROLLED_BACK, NOT, 0, .dead = true),
	W("for a person", WATCHING, PERSON, NO_HOOKS, WAITING, NOT, 0, OVER, PASS),
	W("for a hook", WATCHING, HOOK, HOOKS_NOT, WAITING, NOT, 0, OVER),

	W("a person", WAITING, PERSON, HOOKS_NOT, WAITING, NOT, 0, OVER, PASS),
	W("asks gate", WAITING, HOOK, HOOKS_NOT, WAITING, DUE, 0),
	W("gate runs", WAITING, HOOK, HOOKS_DUE, WAITING, DUE, 0, OVER, PASS),
	W("gate ran", WAITING, HOOK, HOOKS_DUE, SHIFTING, NOT, 1, .hook = HOOK_OK),
	W("gate ran in a pause", WAITING, HOOK, HOOKS_DONE, SHIFTING, NOT, 1),
	W("gate failed", WAITING, HOOK, HOOKS_DUE, ROLLED_BACK, NOT, 0, .hook = HOOK_FAILED),
	W("worse while the gate runs", WAITING, HOOK, HOOKS_DUE, ROLLED_BACK, NOT, 0, WORSE),
	W("split while the gate runs", WAITING, HOOK, HOOKS_DUE, PAUSED, DUE, 0, SPLIT),

	W("a person decides", INCONCLUSIVE, TIME, NO_HOOKS, INCONCLUSIVE, NOT, 0, OVER, PASS),
	W("worse", INCONCLUSIVE, TIME, NO_HOOKS, ROLLED_BACK, NOT, 0, WORSE),

	W("stands", PAUSED, TIME, NO_HOOKS, PAUSED, NOT, 0, OVER, PASS, .fit = true),
	W("worse", PAUSED, TIME, NO_HOOKS, ROLLED_BACK, NOT, 0, WORSE),
	W("its hook ends well", PAUSED, TIME, HOOKS_DUE, PAUSED, DONE, 0, .hook = HOOK_OK),
	W("its hook fails", PAUSED, TIME, HOOKS_DUE, PAUSED, DUE, 0, .hook = HOOK_FAILED),

	W("not in force", PROMOTED, TIME, NO_HOOKS, PROMOTED, NOT, 0, OVER),
	W("in force", PROMOTED, TIME, NO_HOOKS, BAKE, NOT, 0, .in_force = true),
	W("dead before that", PROMOTED, TIME, NO_HOOKS, ROLLED_BACK, NOT, 0, .dead = true),

	W("bakes", BAKE, TIME, HOOKS_NOT, BAKE, NOT, 0, ALMOST, .empty = true),
	W("baked", BAKE, TIME, NO_HOOKS, STABLE, NOT, 0, OVER),
	W("worse at its end", BAKE, TIME, HOOKS_NOT, ROLLED_BACK, NOT, 0, OVER, WORSE,
	  .empty = true),
	W("not empty", BAKE, TIME, HOOKS_NOT, BAKE, NOT, 0, OVER),
	W("asks stop", BAKE, TIME, HOOKS_NOT, BAKE, DUE, 0, OVER, .empty = true),
	W("stop runs, no way back", BAKE, TIME, HOOKS_DUE, BAKE, DUE, 0, OVER, WORSE,
	  .empty = true),
	W("stop ran", BAKE, TIME, HOOKS_DUE, STABLE, NOT, 0, .hook = HOOK_OK),
	W("stop failed", BAKE, TIME, HOOKS_DUE, STABLE, NOT, 0, .hook = HOOK_FAILED),
};

static enum rollout_hook hook_of(enum rollout_state state)
{
	return state == ROLLOUT_STAGING ? HOOK_START
	       : state == ROLLOUT_BAKE  ? HOOK_STOP
					: HOOK_GATE;
}

/* In the state as it was entered a while ago. */
static struct rollout placed(enum rollout_state state, enum until until, int hooks)
{
	struct rollout r = canary(until);

	r.state = state;
	r.paused_in = ROLLOUT_WAITING;
	r.hook = hook_of(state);
	r.hook_state = hooks == HOOKS_DUE ? HOOK_DUE : hooks == HOOKS_DONE ? HOOK_DONE : HOOK_NOT;
	if (rollout_state_phase(state) == PHASE_LATE)
		r.step = 3;
	return r;
}

static struct rollout_facts told(struct rollout_facts f)
{
	f.now_ms = 99;
	f.trouble = "its trouble";
	f.verdict_text = "its verdict";
	f.undecided = "no decision";
	f.hook_text = "its hook";
	return f;
}

TEST(each_way_out_of_a_state)
{
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct rollout_facts f = told(ways[i].f);
		struct rollout r = placed(ways[i].state, ways[i].until, ways[i].hooks), was = r;
		struct cfg_rollout cfg = ways[i].hooks ? all_hooks() : (struct cfg_rollout){0};
		bool changed = rollout_look(&r, &cfg, &f);

		ROW("%s: %s", rollout_state_word(ways[i].state), ways[i].name);
		is_in(&r, ways[i].to);
		CHECK_INT(r.hook_state, ways[i].hook);
		if (r.hook_state == HOOK_DUE)
			CHECK_INT(r.hook, hook_of(was.state));
		if (ways[i].to != ROLLOUT_PROMOTED && ways[i].to != ROLLOUT_BAKE)
			CHECK_INT(r.step,
				  rollout_state_phase(was.state) == PHASE_LATE ? 3 : ways[i].step);
		CHECK_INT(changed, r.state != was.state || r.hook_state != was.hook_state);
		CHECK_INT(r.state_ms, r.state != was.state ? 99 : 0);
	}
}

TEST(inconclusive_ends_as_told)
{
	static const enum rollout_state to[] = {
		[INCONCLUSIVE_PAUSE] = ROLLOUT_INCONCLUSIVE,
		[INCONCLUSIVE_EXTEND] = ROLLOUT_WATCHING,
		[INCONCLUSIVE_PROMOTE] = ROLLOUT_SHIFTING,
		[INCONCLUSIVE_ABORT] = ROLLOUT_ROLLED_BACK,
	};

	for (unsigned i = 0; i < COUNT(to); i++) {
		struct rollout r = placed(ROLLOUT_WATCHING, UNTIL_EVIDENCE, NO_HOOKS);
		struct cfg_rollout cfg = {.on_inconclusive = i};
		struct rollout_facts f = told((struct rollout_facts){TOO_LONG});

		ROW("%s", on_inconclusive_words[i]);
		rollout_look(&r, &cfg, &f);
		is_in(&r, to[i]);
	}
}

/* A judge that only looks on neither ends a step nor takes back. */
TEST(shadow_judge_is_not_heeded)
{
	struct rollout r = placed(ROLLOUT_WATCHING, UNTIL_EVIDENCE, NO_HOOKS);
	struct cfg_rollout cfg = {.judge.mode = JUDGE_SHADOW};
	struct rollout_facts f = told((struct rollout_facts){ALMOST, WORSE});

	CHECK(!rollout_look(&r, &cfg, &f));
	f.passed_ms = 1;
	CHECK(rollout_look(&r, &cfg, &f));
	is_in(&r, ROLLOUT_SHIFTING);
	CHECK_INT(r.step, 1);
}

/* What the judge stood still for and a person let go on is not said again in that step. */
TEST(a_pause_that_was_forgiven)
{
	struct rollout r = placed(ROLLOUT_WATCHING, UNTIL_EVIDENCE, NO_HOOKS);
	struct cfg_rollout cfg = {0};
	struct rollout_facts split = told((struct rollout_facts){SPLIT, .verdict.why = WHY_SPLIT});
	struct rollout_facts both = told((struct rollout_facts){SPLIT, .verdict.why = WHY_BOTH});
	struct rollout_facts good = told((struct rollout_facts){OVER, PASS});
	char error[ROLLOUT_WHY];

	CHECK(rollout_look(&r, &cfg, &split));
	CHECK_INT(rollout_do(&r, DO_RESUME, "ann", "", 5, error), 0);
	CHECK(!rollout_look(&r, &cfg, &split));
	is_in(&r, ROLLOUT_WATCHING);
	CHECK(rollout_look(&r, &cfg, &both)); /* that is another word */
	is_in(&r, ROLLOUT_PAUSED);
	CHECK_INT(rollout_do(&r, DO_RESUME, "ann", "", 5, error), 0);
	CHECK(rollout_look(&r, &cfg, &good));
	is_in(&r, ROLLOUT_SHIFTING);
	r.state = ROLLOUT_WATCHING;
	CHECK(rollout_look(&r, &cfg, &split)); /* in the next step it is */
	is_in(&r, ROLLOUT_PAUSED);
}

TEST(a_persons_pause_forgives_nothing)
{
	struct rollout r = placed(ROLLOUT_WATCHING, UNTIL_EVIDENCE, NO_HOOKS);
	struct cfg_rollout cfg = {0};
	struct rollout_facts split = told((struct rollout_facts){SPLIT, .verdict.why = WHY_SPLIT});
	char error[ROLLOUT_WHY];

	CHECK(rollout_look(&r, &cfg, &split));
	CHECK_INT(rollout_do(&r, DO_RESUME, "ann", "", 5, error), 0);
	r.forgiven = 0;
	CHECK_INT(rollout_do(&r, DO_PAUSE, "ann", "", 5, error), 0);
	CHECK_INT(rollout_do(&r, DO_RESUME, "ann", "", 5, error), 0);
	CHECK(rollout_look(&r, &cfg, &split));
	is_in(&r, ROLLOUT_PAUSED);
}

TEST(an_experiment_goes_on_after_a_pause)
{
	struct rollout r = placed(ROLLOUT_WATCHING, UNTIL_PERSON, NO_HOOKS);
	struct cfg_rollout cfg = {0};
	struct rollout_facts split = told((struct rollout_facts){SPLIT, .verdict.why = WHY_SPLIT});
	char error[ROLLOUT_WHY];

	r.strategy = STRATEGY_EXPERIMENT;
	CHECK(rollout_look(&r, &cfg, &split));
	CHECK_INT(rollout_do(&r, DO_PROMOTE, "ann", "", 5, error), 0);
	is_in(&r, ROLLOUT_SHIFTING);
	r.state = ROLLOUT_WATCHING;
	CHECK(!rollout_look(&r, &cfg, &split));
}

TEST(over_is_over)
{
	struct cfg_rollout cfg = all_hooks();
	struct rollout_facts f = told((struct rollout_facts){
		OVER, WORSE, .may_begin = true, .fit = true, .dead = true, .in_force = true,
		.lease_out = true, .breaker = true, .hook = HOOK_OK, .empty = true});

	for (unsigned state = 0; state < ROLLOUT_STATES; state++) {
		struct rollout r = placed(state, UNTIL_TIME, NO_HOOKS), was;

		if (!rollout_is_over(&r))
			continue;
		memcpy(&was, &r, sizeof(r));
		ROW("%s", rollout_state_word(state));
		CHECK(!rollout_look(&r, &cfg, &f));
		CHECK(!memcmp(&was, &r, sizeof(r)));
	}
}

/* ---- what people may do ---- */

/* By verb: promote, promote --full, pause, resume, abort. Afterwards: . refused, = where it was
 * paused, + the next step, 0 the first one, * promoted, p paused, a aborted. */
static const char *const verbs[ROLLOUT_STATES] = {
	[ROLLOUT_QUEUED] = "....a",      [ROLLOUT_STAGING] = "..p.a",
	[ROLLOUT_GATE] = "..p.a",        [ROLLOUT_SHIFTING] = ".*p.a",
	[ROLLOUT_WATCHING] = ".*p.a",    [ROLLOUT_WAITING] = "+*p.a",
	[ROLLOUT_PAUSED] = "+*.=a",      [ROLLOUT_INCONCLUSIVE] = "+*p.a",
	[ROLLOUT_PROMOTED] = ".....",    [ROLLOUT_BAKE] = ".....",
	[ROLLOUT_STABLE] = ".....",      [ROLLOUT_ABORTED] = ".....",
	[ROLLOUT_SUPERSEDED] = ".....",  [ROLLOUT_ROLLED_BACK] = ".....",
	[ROLLOUT_FAILED_SAFE] = ".....",
};
static const char *const experiment_verbs[ROLLOUT_STATES] = {
	[ROLLOUT_QUEUED] = "....a",   [ROLLOUT_STAGING] = "..p.a",      [ROLLOUT_GATE] = "..p.a",
	[ROLLOUT_SHIFTING] = "..p.a", [ROLLOUT_WATCHING] = "..p.a",     [ROLLOUT_WAITING] = "..p.a",
	[ROLLOUT_PAUSED] = "0..=a",   [ROLLOUT_INCONCLUSIVE] = "..p.a",
};

static enum rollout_state state_after(char way, enum rollout_state paused_in)
{
	switch (way) {
	case '+':
	case '0':
		return ROLLOUT_SHIFTING;
	case '*':
		return ROLLOUT_PROMOTED;
	case 'p':
		return ROLLOUT_PAUSED;
	case 'a':
		return ROLLOUT_ABORTED;
	default:
		return paused_in;
	}
}

static void one_verb(struct rollout r, enum rollout_verb verb, char way)
{
	struct rollout was;
	char error[ROLLOUT_WHY] = "";

	memcpy(&was, &r, sizeof(r));
	ROW("%s, verb %u", rollout_state_word(r.state), verb);
	if (way == '.') {
		CHECK_INT(rollout_do(&r, verb, "ann", "why", 5, error), -EPERM);
		CHECK(*error && !memcmp(&was, &r, sizeof(r)));
		return;
	}
	CHECK_INT(rollout_do(&r, verb, "ann", "why", 5, error), 0);
	is_in(&r, state_after(way, was.paused_in));
	CHECK_INT(r.step, way == '+' ? was.step + 1 : way == '*' ? 3 : was.step);
	CHECK_INT(r.state_ms, 5);
	CHECK(!*error);
}

TEST(verbs_in_every_state)
{
	for (unsigned state = 0; state < ROLLOUT_STATES; state++)
		for (unsigned verb = 0; verb < ROLLOUT_VERBS; verb++) {
			struct rollout r = placed(state, UNTIL_TIME, NO_HOOKS);
			const char *by = experiment_verbs[state];

			one_verb(r, verb, verbs[state][verb]);
			r.strategy = STRATEGY_EXPERIMENT;
			one_verb(r, verb, by ? by[verb] : '.');
		}
}

/* A pause forgets neither the hook that ran before nor where it was. */
TEST(pause_keeps_hook_and_time)
{
	static const enum rollout_state in[] = {ROLLOUT_STAGING, ROLLOUT_GATE, ROLLOUT_WAITING};
	struct cfg_rollout cfg = all_hooks();
	struct rollout_facts f = told((struct rollout_facts){.passed_ms = 100000});
	char error[ROLLOUT_WHY];

	for (size_t i = 0; i < 2 * COUNT(in); i++) {
		enum rollout_verb on =
			i % 2 && in[i / 2] != ROLLOUT_WAITING ? DO_PROMOTE : DO_RESUME;
		struct rollout r = placed(in[i / 2], UNTIL_HOOK, i % 2 ? HOOKS_DONE : HOOKS_DUE);
		enum hook_state hook = r.hook_state;

		ROW("%s", rollout_state_word(in[i / 2]));
		r.watched_ms = 17;
		CHECK_INT(rollout_do(&r, DO_PAUSE, "ann", "", 0, error), 0);
		CHECK_STR(r.why, "by ann");
		CHECK(!rollout_look(&r, &cfg, &f));
		CHECK_INT(rollout_do(&r, on, "bob", "it is day", 0, error), 0);
		if (on == DO_RESUME)
			CHECK_STR(r.why, "resumed by bob: it is day");
		is_in(&r, in[i / 2]);
		CHECK_INT(r.hook_state, hook);
		CHECK_INT(r.watched_ms, 17);
	}
}

TEST(superseded_goes_back)
{
	struct rollout r = placed(ROLLOUT_WATCHING, UNTIL_TIME, NO_HOOKS);

	CHECK_INT(rollout_share(&r), 500);
	rollout_supersede(&r, 5);
	is_in(&r, ROLLOUT_SUPERSEDED);
	CHECK_INT(rollout_share(&r), 0);
}

TEST(a_hook_is_nobody_to_wait_for)
{
	struct rollout r = {.n_steps = 2, .state = ROLLOUT_WAITING};

	CHECK_INT(rollout_exit(&r), 13);
	r.steps[0].each.until = UNTIL_PERSON;
	r.steps[1].each.until = UNTIL_HOOK;
	CHECK_INT(rollout_exit(&r), 13);
	r.step = 1;
	CHECK_INT(rollout_exit(&r), 15);
	r.state = ROLLOUT_PAUSED;
	CHECK_INT(rollout_exit(&r), 13);
	r.state = ROLLOUT_PROMOTED; /* not in force yet */
	CHECK_INT(rollout_exit(&r), 15);
	r.state = ROLLOUT_BAKE;
	CHECK_INT(rollout_exit(&r), 0);
	r.state = ROLLOUT_ROLLED_BACK;
	CHECK_INT(rollout_exit(&r), 11);
}
