/* SPDX-License-Identifier: BSD-2-Clause */
/* Rolling in place: what people may do in it, steps that wait for them, and all of it at random. */
#include <stdlib.h>

#include "t.h"

#include "rolling_pool.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void until(struct daemon *d, unsigned first, enum rolling_step step)
{
	while (!rollout_is_over(&d->r) &&
	       (d->r.rolling.first != first || !d->r.rolling.n || d->r.rolling.step != step))
		tick(d);
}

static void person(struct daemon *d, enum rollout_verb verb)
{
	char error[ROLLOUT_WHY];

	CHECK_INT(rollout_do(&d->r, verb, "ann", "", 0, error), 0);
	d->stored = d->r;
	daemon_hook(d);
}

/* What has the new version and was not found well stays out. */
TEST(abort_in_each_step_of_a_batch)
{
	static const char *const out[] = {"....", "..x.", "..xx", "...."};

	for (unsigned step = ROLLING_DRAIN; step <= ROLLING_SERVE; step++) {
		struct pool p;
		struct daemon d;
		char held[N_MAX + 1];

		ROW("%s", rolling_step_words[step]);
		begin(&d, &p, 4, FAILURE_BACK);
		until(&d, 2, step);
		person(&d, DO_ABORT);
		CHECK_STR(rollout_state_word(d.r.state), "aborted");
		held_out(&d, held);
		CHECK_STR(held, out[step]);
		tick(&d);
	}
}

/* Nothing moves while it stands still, and nothing is done twice. */
TEST(pause_after_any_look)
{
	for (unsigned at = 1;; at++) {
		struct pool p;
		struct daemon d;
		struct rolling was;

		ROW("look %u", at);
		begin(&d, &p, 4, FAILURE_STOP);
		for (unsigned i = 0; i < at; i++)
			tick(&d);
		if (rollout_state_phase(d.r.state) == PHASE_LATE)
			break;
		person(&d, DO_PAUSE);
		was = d.r.rolling;
		for (unsigned i = 0; i < 10; i++)
			tick(&d);
		CHECK(!memcmp(&was, &d.r.rolling, sizeof(was)));
		person(&d, at % 2 ? DO_RESUME : DO_PROMOTE);
		to_the_end(&d, ~0u);
		CHECK_STR(rollout_state_word(d.r.state), "stable");
		check_pool(&d, "nnnn", "....");
		CHECK_INT(d.n_runs, 4);
	}
}

static const struct {
	enum until until;
	bool full;
	const char *trail; /* from the first batch on */
} lets[] = {
	{UNTIL_PERSON, false,
	 " shifting/drain shifting/update watching/check watching/serve waiting"
	 " shifting/drain shifting/update watching/check watching/serve promoted bake stable"},
	{UNTIL_PERSON, true,
	 " shifting/drain shifting/update watching/check watching/serve"
	 " shifting/drain shifting/update watching/check watching/serve promoted bake stable"},
	{UNTIL_HOOK, false,
	 " shifting/drain shifting/update watching/check watching/serve waiting"
	 " shifting/drain shifting/update watching/check watching/serve promoted bake stable"},
};

TEST(batches_wait_for_people_and_hooks)
{
	for (size_t i = 0; i < COUNT(lets); i++) {
		bool hook = lets[i].until == UNTIL_HOOK;
		struct pool p;
		struct daemon d;

		ROW("%zu", i);
		begin(&d, &p, 2, FAILURE_STOP);
		d.r.steps[0].each.until = lets[i].until;
		d.cfg.hooks.argv[HOOK_GATE] = hook ? argv_true : NULL;
		until(&d, 0, ROLLING_DRAIN);
		if (lets[i].full)
			person(&d, DO_PROMOTE_FULL);
		while (!hook && !lets[i].full && d.r.state != ROLLOUT_WAITING)
			tick(&d);
		if (!hook && !lets[i].full)
			person(&d, DO_PROMOTE);
		to_the_end(&d, ~0u);
		if (!CHECK(strstr(d.trail, lets[i].trail)))
			CHECK_STR(d.trail, lets[i].trail);
		CHECK_INT(daemon_runs_of(&d, "7-0-gate"), hook);
		CHECK_INT(daemon_runs_of(&d, "7-1-gate-0"), hook);
		CHECK_INT(d.n_runs, hook ? 4 : 2);
	}
}

/* ---- at random ---- */

static bool one_in(unsigned n)
{
	return rand() % (int)n == 0;
}

static struct cfg_amount random_amount(void)
{
	return (struct cfg_amount){(uint16_t)(one_in(2) ? rand() % 4 : rand() % 101), one_in(2)};
}

static void random_pool(struct daemon *d, struct pool *p)
{
	begin(d, p, 1 + (unsigned)rand() % N_MAX, one_in(2) ? FAILURE_STOP : FAILURE_BACK);
	p->trouble = one_in(2) ? NONE : (enum trouble)(rand() % (BACK_FAILS + 1));
	p->at = (unsigned)rand() % p->n;
	if (one_in(3)) {
		unsigned down = (unsigned)rand() % p->n;

		p->version[down] = 'd';
		p->sight[down] = BACKEND_DOWN;
	}
	d->r.steps[0].each.until = (enum until)(rand() % 4);
	d->cfg.hooks.argv[HOOK_GATE] = one_in(2) ? argv_true : NULL;
	d->cfg.batch = (struct cfg_batch){random_amount(), random_amount(), random_amount(),
					  random_amount()};
	d->stored = d->r;
}

static void random_person(struct daemon *d)
{
	enum rollout_verb verb = (enum rollout_verb)(rand() % ROLLOUT_VERBS);
	char error[ROLLOUT_WHY];

	if (verb != DO_ABORT || one_in(8))
		rollout_do(&d->r, verb, "ann", "", 0, error);
	d->stored = d->r;
	daemon_hook(d);
}

/* Beside what tick() looks at after each look: with people it ends, and no hook is run more often
 * than there were crashes, and once. */
TEST(walks_in_place_end)
{
	unsigned ended[ROLLOUT_STATES] = {0};

	srand(12);
	for (unsigned walk = 0; walk < 4000 && !t_fails; walk++) {
		unsigned crashes = 0, looks = 0;
		struct pool p;
		struct daemon d;

		random_pool(&d, &p);
		for (; looks < 2000 && !rollout_is_over(&d.r); looks++) {
			ROW("walk %u, look %u, trouble %u at %u of %u", walk, looks, p.trouble,
			    p.at, p.n);
			d.trail[0] = '\0';
			if (one_in(15))
				random_person(&d);
			if (one_in(40)) {
				daemon_crash(&d);
				crashes++;
			}
			tick(&d);
		}
		CHECK(rollout_is_over(&d.r));
		ended[d.r.state]++;
		for (unsigned k = 0; k < d.n_runs; k++)
			CHECK(daemon_runs_of(&d, d.log[k]) <= 1 + crashes);
	}
	ROW("of each end there were some");
	CHECK(ended[ROLLOUT_STABLE] > 100 && ended[ROLLOUT_ABORTED] > 100);
	CHECK(ended[ROLLOUT_ROLLED_BACK] > 100 && ended[ROLLOUT_FAILED_SAFE] > 100);
}
