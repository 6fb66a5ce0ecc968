/* SPDX-License-Identifier: BSD-2-Clause */
/* The sentences of `why`, and where one client goes. */
#include "config.h"
#include "sight.h"

/* Some sentence has all of this. */
static bool says(const struct world *w, const char *service, const char *text)
{
	json_t *list = view_why(world_find(w, service), &sight_numbers), *line;
	bool found = false;
	size_t i;

	json_array_foreach(list, i, line)
		found |= strstr(json_string_value(line), text) != NULL;
	json_decref(list);
	return found;
}

static struct world_backend *backend(struct world *w, const char *pool, size_t i)
{
	return &world_find_pool(world_find(w, "shop"), pool)->backends[i];
}

TEST(backends)
{
	struct world *w = sight_make();
	struct world_backend *b = backend(w, "green", 0);

	CHECK(says(w, "shop", "green/10.0.2.11:8080 takes new flows: it is up"));
	CHECK(says(w, "zero", "nothing checks its health (health: none)"));
	b->health.state = HEALTH_DOWN;
	snprintf(b->health.last_error, sizeof(b->health.last_error), "connection refused");
	CHECK(says(w, "shop", "takes no new flows: it is down, last error: connection refused"));
	b->admin = ADMIN_MAINT;
	CHECK(says(w, "shop",
		   "takes no new flows: a person put it in maint; 10 flows are still open"));
	*b = (struct world_backend){.cfg = b->cfg, .object = b->object};
	CHECK(says(w, "shop", "it was not checked yet"));
	b->health.checked_ms = 1;
	CHECK(says(w, "shop", "its health is not decided yet"));
	world_free(w);
}

TEST(ejected_backends)
{
	struct world *w = sight_make();
	struct world_backend *b = backend(w, "blue", 0);

	b->passive.withheld = true;
	b->passive.run.refused = 9;
	CHECK(says(w, "shop", "9 connections in a row came to nothing, but it is not ejected"));
	b->passive.state = PASSIVE_EJECTED;
	b->passive.trial_ms = sight_numbers.now_ms + 12000;
	strcpy(b->passive.reason, "in a row: 5 refused");
	CHECK(says(w, "shop", "takes no new flows: its connections came to nothing"));
	CHECK(says(w, "shop", "ejected (in a row: 5 refused); a trial connection in 12 s"));
	b->health.state = HEALTH_DOWN;
	CHECK(says(w, "shop", "its trial waits for the health check to be up"));
	b->passive.state = PASSIVE_TRIAL;
	CHECK(says(w, "shop", "the next new connection is its trial"));
	b->passive.taken_ms = 1;
	CHECK(says(w, "shop", "a trial connection is on its way"));
	world_free(w);
}

TEST(slow_starts)
{
	struct world *w = sight_make();
	struct world_backend *b = backend(w, "green", 0);

	CHECK(!says(w, "shop", "slow start"));
	b->slow_start = (struct slow_start){.level = 4, .began_ms = sight_numbers.now_ms - 7000};
	CHECK(says(
		w, "shop",
		"green/10.0.2.11:8080: slow start, it has 40 % of its weight and all of it in 13 s"));
	world_free(w);
}

TEST(what_the_data_path_saw)
{
	struct world *w = sight_make();

	CHECK(!says(w, "shop", "bypass"));
	sight_change = (struct backend_numbers){.active = 1, .half_open = 3, .mac = "unresolved"};
	CHECK(says(w, "shop", "3 half-open flows and never a packet back"));
	CHECK(says(w, "shop", "its next hop answers no neighbour request yet"));
	sight_change.row.replies = 1;
	CHECK(!says(w, "shop", "bypass"));
	world_free(w);
}

TEST(pools_and_the_way_back)
{
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");
	unsigned green = pool_index(s, world_find_pool(s, "green")), blue = s->live;

	CHECK(says(w, "shop", "pool blue gets 100 % of the clients: it is live"));
	CHECK(says(w, "shop", "pool green gets no new flows; 1 are still open"));
	CHECK(says(w, "shop", "undo has nothing to do"));
	s->share[green] = 1250;
	s->share[blue] = 8750;
	CHECK(says(w, "shop", "pool green gets 12.5 % of the clients"));
	backend(w, "green", 0)->health.state = HEALTH_DOWN;
	backend(w, "green", 1)->health.state = HEALTH_DOWN;
	CHECK(says(w, "shop",
		   "should get 12.5 % but nothing in it takes new flows: its share falls to blue"));
	backend(w, "blue", 0)->health.state = HEALTH_DOWN;
	backend(w, "blue", 1)->health.state = HEALTH_DOWN;
	CHECK(says(w, "shop", "pool blue panics: fewer than"));
	CHECK(says(w, "shop", "undo goes back to blue"));
	s->stable_live = STABLE_GONE;
	CHECK(says(w, "shop", "undo has nowhere to go"));
	world_free(w);
}

TEST(the_rollout_and_the_lock)
{
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");
	struct rollout r = {.number = 12,
			    .strategy = STRATEGY_CANARY,
			    .state = ROLLOUT_PAUSED,
			    .candidate = 1,
			    .why = "by anna: lunch"};

	CHECK(!says(w, "shop", "(release") && !says(w, "shop", "locked"));
	CHECK_INT(rollout_copy(&s->rollout, &r), 0);
	CHECK(says(w, "shop", "canary to green (release 12) is paused ("));
	CHECK(says(w, "shop", ": by anna: lunch"));
	r = (struct rollout){.number = 13, .state = ROLLOUT_QUEUED, .candidate = 1};
	CHECK_INT(rollout_copy(&s->queued, &r), 0);
	CHECK(says(w, "shop", "flip to green (release 13) is queued ("));
	strcpy(s->lock.who, "bob");
	CHECK(says(w, "shop", "only bob may change it, who locked it"));
	world_free(w);
}

static json_t *cohort(const struct world *w, const char *text)
{
	struct zdd_addr address;

	if (parse_address(text, &address))
		return NULL;
	return view_cohort(world_find(w, "shop"), text, &address);
}

static const char *pool_of(const struct world *w, const char *text)
{
	static char pool[64];
	json_t *o = cohort(w, text);
	const char *name = json_string_value(json_object_get(o, "pool"));

	snprintf(pool, sizeof(pool), "%s", name ? name : "null");
	json_decref(o);
	return pool;
}

TEST(rules_come_before_buckets)
{
	struct world *w = sight_make();
	json_t *o = cohort(w, "198.51.100.7");

	CHECK_STR(json_string_value(json_object_get(o, "rule")), "198.51.100.0/24");
	json_decref(o);
	CHECK_STR(pool_of(w, "198.51.100.7"), "green");
	CHECK_STR(pool_of(w, "198.51.101.7"), "blue");
	backend(w, "green", 0)->health.state = HEALTH_DOWN;
	backend(w, "green", 1)->health.state = HEALTH_DOWN;
	CHECK_STR(pool_of(w, "198.51.100.7"), "blue"); /* its share falls to live */
	world_free(w);
}

/* 12.5 % of the clients, and the same ones again when it is more. */
TEST(buckets_are_nested)
{
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");
	unsigned green = !s->live, n = 0, lost = 0;
	char text[32];

	for (unsigned i = 0; i < 400; i++) {
		bool before, after;

		snprintf(text, sizeof(text), "10.9.%u.%u", i / 200, i % 200);
		s->share[green] = 1250;
		s->share[s->live] = 8750;
		before = !strcmp(pool_of(w, text), "green");
		s->share[green] = s->share[s->live] = 5000;
		after = !strcmp(pool_of(w, text), "green");
		n += before;
		lost += before && !after;
	}
	CHECK(n > 25 && n < 80);
	CHECK_INT(lost, 0);
	world_free(w);
}
