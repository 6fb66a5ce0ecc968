/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is in drain because of a roll in place: while it runs, after it, and when a daemon comes back. */
#include "rolling.h"
#include "rollout_world.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct world_backend *second(struct world *w)
{
	return &world_find(w, "shop")->pools[0].backends[1];
}

/* Shop's second backend is the batch. */
static void put_batch(struct world *w, enum rollout_state state, enum rolling_step step)
{
	struct world_service *s = world_find(w, "shop");

	s->rollout->state = state;
	s->rollout->rolling.first = 1;
	s->rollout->rolling.n = 1;
	s->rollout->rolling.step = step;
	service_follow(s);
}

static struct world *rolling(void)
{
	struct world *w = make("reject");

	CHECK_INT(run(&w, "roll", "{\"service\": \"shop\"}", 1000), 0);
	return w;
}

TEST(batch_is_held_out_until_it_serves)
{
	struct world *w = rolling();

	for (unsigned step = ROLLING_DRAIN; step <= ROLLING_NEXT; step++) {
		ROW("%s", rolling_step_words[step]);
		put_batch(w, step < ROLLING_CHECK ? ROLLOUT_SHIFTING : ROLLOUT_WATCHING, step);
		CHECK_INT(second(w)->admin, step < ROLLING_SERVE ? ADMIN_DRAIN : ADMIN_READY);
		CHECK_INT(second(w)->held_out, step < ROLLING_SERVE);
	}
	CHECK(!service_follow(world_find(w, "shop")));
	done(w);
}

TEST(person_keeps_what_a_person_took)
{
	struct world *w = rolling();

	CHECK_INT(run(&w, "admin",
		      "{\"service\": \"shop\", \"pool\": \"blue\", "
		      "\"backend\": \"10.0.1.12:8080\", \"state\": \"drain\"}",
		      1000),
		  0);
	put_batch(w, ROLLOUT_SHIFTING, ROLLING_DRAIN);
	CHECK(!second(w)->held_out);
	put_batch(w, ROLLOUT_WATCHING, ROLLING_SERVE);
	CHECK_INT(second(w)->admin, ADMIN_DRAIN);
	done(w);
}

/* It stays out when the next roll begins, and until its batch has been found well. */
TEST(left_out_until_the_next_roll_has_come_to_it)
{
	struct world *w = rolling();

	put_batch(w, ROLLOUT_SHIFTING, ROLLING_UPDATE);
	put_batch(w, ROLLOUT_FAILED_SAFE, ROLLING_CHECK);
	CHECK(second(w)->left_out && !second(w)->held_out);
	CHECK_INT(run(&w, "roll", "{\"service\": \"shop\"}", 1000), 0);
	service_follow(world_find(w, "shop"));
	CHECK(second(w)->left_out);
	CHECK_INT(second(w)->admin, ADMIN_DRAIN);
	put_batch(w, ROLLOUT_SHIFTING, ROLLING_UPDATE);
	CHECK(second(w)->held_out && !second(w)->left_out);
	put_batch(w, ROLLOUT_WATCHING, ROLLING_SERVE);
	CHECK_INT(second(w)->admin, ADMIN_READY);
	done(w);
}

/* A daemon dies: the store was written before the plan was published, or after. */
static const struct {
	enum rolling_step step;    /* in the store */
	enum admin_state was, now; /* in the store; in the data path */
	bool held_out;             /* in the store */
	enum admin_state follows;  /* when the daemon is back */
} deaths[] = {
	{ROLLING_DRAIN, ADMIN_READY, ADMIN_READY, false, ADMIN_DRAIN},
	{ROLLING_DRAIN, ADMIN_READY, ADMIN_DRAIN, false, ADMIN_DRAIN},
	{ROLLING_UPDATE, ADMIN_DRAIN, ADMIN_DRAIN, true, ADMIN_DRAIN},
	{ROLLING_SERVE, ADMIN_DRAIN, ADMIN_DRAIN, true, ADMIN_READY},
	{ROLLING_SERVE, ADMIN_DRAIN, ADMIN_READY, true, ADMIN_READY},
	{ROLLING_SERVE, ADMIN_DRAIN, ADMIN_DRAIN, false, ADMIN_DRAIN}, /* a person's */
};

TEST(daemon_that_comes_back_knows_whom_it_held_out)
{
	for (size_t i = 0; i < COUNT(deaths); i++) {
		struct world *w = rolling();
		struct world_service *s = world_find(w, "shop");
		bool persons = deaths[i].was == ADMIN_DRAIN && !deaths[i].held_out;

		ROW("%zu", i);
		s->rollout->state = ROLLOUT_SHIFTING;
		s->rollout->rolling.first = s->rollout->rolling.n = 1;
		s->rollout->rolling.step = deaths[i].step;
		second(w)->admin = deaths[i].was;
		second(w)->held_out = deaths[i].held_out;
		service_hold_again(s);
		second(w)->admin = deaths[i].now;
		service_follow(s);
		CHECK_INT(second(w)->admin, deaths[i].follows);
		put_batch(w, ROLLOUT_WATCHING, ROLLING_SERVE);
		CHECK_INT(second(w)->admin, persons ? ADMIN_DRAIN : ADMIN_READY);
		done(w);
	}
}
