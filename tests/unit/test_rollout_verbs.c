/* SPDX-License-Identifier: BSD-2-Clause */
/* Verbs that begin rollouts: what they make of them, and what is refused. */
#include "rollout_world.h"

TEST(a_canary_is_as_the_file_has_it)
{
	struct world *w = make("reject");
	const struct rollout *r;

	CHECK_INT(run(&w, "canary", "{\"service\":\"shop\",\"pool\":\"green\",\"why\":\"v43\"}",
		      5000),
		  0);
	CHECK_STR(last.text, "shop: canary to green begins");
	CHECK(begins());
	r = world_find(w, "shop")->rollout;
	if (!CHECK(r != NULL)) {
		done(w);
		return;
	}
	CHECK_INT(r->strategy, STRATEGY_CANARY);
	CHECK_INT(r->state, ROLLOUT_STAGING);
	CHECK_INT(r->candidate, 1);
	CHECK_INT(r->previous, 0);
	CHECK_INT(r->base[0], 10000);
	CHECK_INT(r->n_steps, 4);
	CHECK_INT(r->steps[1].share, 2500);
	CHECK_INT(r->steps[0].each.min_ms, 600000);
	CHECK_INT(r->steps[0].each.until, UNTIL_EVIDENCE);
	CHECK_INT(r->lease_ms, 20000);
	CHECK_INT(r->bake_ms, 420000);
	CHECK_INT(r->staging_ms, 180000);
	CHECK_INT(r->began_ms, 5000);
	CHECK_STR(r->who, "anna");
	CHECK_STR(r->why, "v43");
	CHECK_STR(shares(w, "shop"), "blue"); /* nothing moves yet */
	CHECK_INT(world_find(w, "shop")->revision, 2);
	CHECK_STR(json_string_value(json_object_get(json_array_get(records, 0), "to")), "green");
	done(w);
}

static const struct {
	const char *body;
	unsigned n;
	unsigned share[5];
	unsigned min_ms, max_ms;
	enum until until;
} steps[] = {
	{"\"steps\":[1,10]", 3, {100, 1000, 10000}, 600000, 3600000, UNTIL_EVIDENCE},
	{"\"steps\":[0.01,100]", 2, {1, 10000}, 600000, 3600000, UNTIL_EVIDENCE},
	{"\"steps\":[100]", 1, {10000}, 600000, 3600000, UNTIL_EVIDENCE},
	{"\"each_ms\":60000,\"until\":\"time\"",
	 4,
	 {500, 2500, 5000, 10000},
	 60000,
	 3600000,
	 UNTIL_TIME},
	{"\"each_ms\":7200000", 4, {500, 2500, 5000, 10000}, 7200000, 7200000, UNTIL_EVIDENCE},
	{"\"steps\":null,\"until\":\"person\"",
	 4,
	 {500, 2500, 5000, 10000},
	 600000,
	 3600000,
	 UNTIL_PERSON},
};

TEST(the_body_has_other_steps)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct world *w = make("reject");
		const struct rollout *r;
		char body[256];

		ROW("%s", steps[i].body);
		snprintf(body, sizeof(body), "{\"service\":\"shop\",\"pool\":\"green\",%s}",
			 steps[i].body);
		if (CHECK_INT(run(&w, "canary", body, 1), 0)) {
			r = world_find(w, "shop")->rollout;
			CHECK_INT(r->n_steps, steps[i].n);
			for (unsigned k = 0; k < steps[i].n; k++) {
				CHECK_INT(r->steps[k].share, steps[i].share[k]);
				CHECK_INT(r->steps[k].each.min_ms, steps[i].min_ms);
				CHECK_INT(r->steps[k].each.max_ms, steps[i].max_ms);
				CHECK_INT(r->steps[k].each.until, steps[i].until);
			}
		}
		done(w);
	}
}

/* It begins where the shares are: what the candidate has it keeps. */
TEST(a_base_that_is_not_whole)
{
	struct world *w = make("reject");
	struct world_service *s = world_find(w, "shop");

	run(&w, "share", "{\"service\":\"shop\",\"shares\":{\"green\":30}}", 1);
	CHECK_INT(run(&w, "canary", "{\"service\":\"shop\",\"pool\":\"green\"}", 2), 0);
	CHECK_INT(s->rollout->base[0], 7000);
	CHECK_INT(s->rollout->base[1], 3000);
	CHECK_INT(s->rollout->n_steps, 2);
	CHECK_INT(s->rollout->steps[0].share, 5000);
	put_state(w, "shop", ROLLOUT_WATCHING, 0);
	CHECK_STR(shares(w, "shop"), "blue 50 %, green 50 %");
	CHECK_INT(run(&w, "abort", "{\"service\":\"shop\"}", 3), 0);
	CHECK_STR(shares(w, "shop"), "blue 70 %, green 30 %");
	done(w);
}

TEST(an_experiment_has_fixed_shares)
{
	struct world *w = make("reject");
	const struct rollout *r;

	CHECK_INT(run(&w, "experiment", "{\"service\":\"shop\",\"shares\":{\"green\":12.5}}", 1),
		  0);
	CHECK_STR(last.text, "shop: experiment begins");
	r = world_find(w, "shop")->rollout;
	CHECK_INT(r->strategy, STRATEGY_EXPERIMENT);
	CHECK_INT(r->candidate, 1);
	CHECK_INT(r->fixed[0], 8750);
	CHECK_INT(r->fixed[1], 1250);
	CHECK_INT(r->lease_ms, 0);
	CHECK_STR(shares(w, "shop"), "blue");
	CHECK_STR(json_string_value(json_object_get(json_array_get(records, 0), "to")),
		  "blue 87.5 %, green 12.5 %");
	put_state(w, "shop", ROLLOUT_WATCHING, 0);
	CHECK_STR(shares(w, "shop"), "blue 87.5 %, green 12.5 %");
	done(w);
}

TEST(rolls_from_pool_to_pool_and_in_place)
{
	struct world *w = make("reject");
	struct world_service *s = world_find(w, "shop");

	CHECK_INT(run(&w, "roll", "{\"service\":\"shop\",\"pool\":\"green\"}", 1), 0);
	CHECK_INT(s->rollout->strategy, STRATEGY_ROLLING);
	CHECK(!s->rollout->rolling.in_place);
	CHECK_INT(s->rollout->n_steps, 2); /* one of two backends at a time */
	CHECK_INT(s->rollout->steps[0].share, 5000);
	run(&w, "abort", "{\"service\":\"shop\"}", 2);
	CHECK_INT(run(&w, "roll", "{\"service\":\"shop\"}", 3), 0);
	CHECK_STR(last.text, "shop: update of blue in place begins");
	CHECK(s->rollout->rolling.in_place);
	CHECK_INT(s->rollout->candidate, 0);
	CHECK_INT(s->rollout->previous, 0);
	CHECK_INT(run(&w, "abort", "{\"service\":\"shop\"}", 4), 0);
	CHECK_INT(run(&w, "roll", "{\"service\":\"shop\",\"pool\":\"blue\"}", 5), 0);
	CHECK(s->rollout->rolling.in_place);
	done(w);
}

TEST(a_flip_is_a_rollout_where_the_file_says_so)
{
	struct world *w = make("reject");
	struct world_service *s = world_find(w, "side");

	CHECK_INT(run(&w, "flip", "{\"targets\":{\"side\":\"old\"}}", 1), 0);
	CHECK(!s->rollout);
	CHECK_STR(last.text, "side: old is live already");
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"side\":null,\"web\":\"c\"}}", 1), OUT_REFUSED);
	CHECK_STR(shares(w, "web"), "a");
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"side\":null}}", 1), 0);
	CHECK_STR(last.text, "side: flip to new begins");
	CHECK_INT(json_array_size(last.moved), 0);
	CHECK_STR(shares(w, "side"), "old");
	CHECK_INT(s->rollout->n_steps, 1);
	CHECK_INT(s->rollout->lease_ms, 0);
	run(&w, "abort", "{\"service\":\"side\"}", 2);
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"side\":null,\"web\":\"c\"},\"force\":true}", 3),
		  0);
	CHECK_STR(shares(w, "side"), "new");
	CHECK_STR(shares(w, "web"), "c");
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", 4), 0); /* canary there */
	CHECK_STR(shares(w, "shop"), "green");
	done(w);
}

/* ---- deploy ---- */

static const struct {
	const char *service, *addresses, *pool, *backends;
} deploys[] = {
	{"side", "[\":82\"]", "new", "10.0.5.1:82"},
	{"side", "[\"82\"]", "new", "10.0.5.1:82"},
	{"side", "[\"10.0.5.9:80\",\"10.0.5.8:80\"]", "new", "10.0.5.9:80 10.0.5.8:80"},
	{"shop", "[\":8081\"]", "spare", "10.0.1.11:8081 10.0.1.12:8081"},
	{"side", "[\":81\"]", "new", "10.0.5.1:81"}, /* they are these already */
};

TEST(deploy_fills_the_idle_pool)
{
	for (size_t i = 0; i < sizeof(deploys) / sizeof(*deploys); i++) {
		struct world *w = make("reject");
		char body[256], got[256] = "";
		struct world_service *s;
		struct world_pool *p;

		ROW("%s %s", deploys[i].service, deploys[i].addresses);
		snprintf(body, sizeof(body),
			 "{\"service\":\"%s\",\"addresses\":%s,\"if_revision\":1}",
			 deploys[i].service, deploys[i].addresses);
		if (!CHECK_INT(run(&w, "deploy", body, 1), 0)) {
			printf("# %s\n", last.text);
			done(w);
			continue;
		}
		s = world_find(w, deploys[i].service);
		p = world_find_pool(s, deploys[i].pool);
		for (size_t k = 0; k < p->cfg->n_backends; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", k ? " " : "",
				 p->cfg->backends[k].text);
		CHECK_STR(got, deploys[i].backends);
		CHECK_INT(s->revision, 2);
		CHECK_INT(json_array_size(records), 1);
		CHECK(begins());
		if (CHECK(s->rollout != NULL)) {
			CHECK_INT(s->rollout->strategy, STRATEGY_FLIP);
			CHECK_INT(s->rollout->candidate, pool_index(s, p));
		}
		done(w);
	}
}

static bool no_room(void *context, const struct world_service *s, char *why, size_t size)
{
	(void)context;
	(void)s;
	snprintf(why, size, "64 MiB of memory are left");
	return false;
}

TEST(deploy_wants_room)
{
	static const char body[] = "{\"service\":\"side\",\"addresses\":[\":82\"]}";
	static const char forced[] =
		"{\"service\":\"side\",\"addresses\":[\":82\"],\"force\":true}";
	struct world *w = make("reject");

	ask.room = no_room;
	CHECK_INT(run(&w, "deploy", body, 1), OUT_FAILED_SAFE);
	CHECK(strstr(last.text, "64 MiB") != NULL);
	CHECK(last.hopeless);
	CHECK_STR(world_find(w, "side")->cfg->pools[1].backends[0].text, "10.0.5.1:81");
	CHECK_INT(run(&w, "deploy", forced, 1), 0);
	ask.room = NULL;
	done(w);
}

/* ---- refused ---- */

static const struct {
	const char *verb, *body, *word;
	int outcome;
} refusals[] = {
	{"canary", "{}", "'service' is missing", 2},
	{"canary", "{\"service\":\"shpo\",\"pool\":\"green\"}", "did you mean 'shop'", 3},
	{"canary", "{\"service\":\"shop\",\"pool\":\"gren\"}", "did you mean 'green'", 3},
	{"canary", "{\"service\":\"shop\"}", "say which", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"blue\"}", "blue is live already", 4},
	{"canary", "{\"service\":\"shop\",\"pool\":\"spare\"}", "has no backends", 4},
	{"canary", "{\"service\":\"web\",\"pool\":\"b\"}", "no IPv6 backend", 4},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":5}", "a list", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":[]}", "rising", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":[25,5]}", "rising", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":[5,5]}", "rising", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":[0]}", "rising", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":[101]}", "rising", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":[0.001]}", "rising", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"steps\":[\"5\"]}", "rising", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"until\":\"noon\"}", "person", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"until\":\"hook\"}", "hooks.gate", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"each_ms\":-1}", "each_ms", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"eachms\":5}", "did you mean", 2},
	{"canary", "{\"service\":\"shop\",\"pool\":\"green\",\"if_revision\":9}", "not 9", 4},
	{"experiment", "{\"service\":\"shop\"}", "'shares' is missing", 2},
	{"experiment", "{\"service\":\"shop\",\"shares\":{}}", "at least one", 2},
	{"experiment", "{\"service\":\"shop\",\"shares\":{\"green\":101}}", "0 to 100", 2},
	{"experiment", "{\"service\":\"shop\",\"shares\":{\"green\":0}}", "more than they have", 4},
	{"experiment", "{\"service\":\"shop\",\"shares\":{\"green\":100}}", "leaves blue", 4},
	{"experiment", "{\"service\":\"shop\",\"shares\":{\"spare\":5}}", "has no backends", 4},
	{"experiment", "{\"service\":\"web\",\"shares\":{\"b\":1,\"c\":5}}", "no IPv6 backend", 4},
	{"roll", "{\"service\":\"web\"}", "hooks.update", 4},
	{"roll", "{\"service\":\"shop\",\"pool\":\"spare\"}", "has no backends", 4},
	{"deploy", "{\"service\":\"side\"}", "'addresses' is missing", 2},
	{"deploy", "{\"service\":\"side\",\"addresses\":[]}", "address:port", 2},
	{"deploy", "{\"service\":\"side\",\"addresses\":[\":0\"]}", "':0'", 2},
	{"deploy", "{\"service\":\"side\",\"addresses\":[\":65536\"]}", "':65536'", 2},
	{"deploy", "{\"service\":\"side\",\"addresses\":[8081]}", "address:port", 2},
	{"deploy", "{\"service\":\"side\",\"addresses\":[\"10.0.0.300:1\"]}", "10.0.0.300", 2},
	{"deploy", "{\"service\":\"side\",\"addresses\":[\":80\"]}", "is a backend of old", 4},
	{"deploy", "{\"service\":\"side\",\"addresses\":[\":82\"],\"if_revision\":9}", "not 9", 4},
	{"deploy", "{\"service\":\"side\",\"addresses\":[\":82\",\":82\"]}", "10.0.5.1:82", 2},
	{"promote", "{\"service\":\"shop\"}", "has no rollout", 4},
	{"pause", "{\"service\":\"shop\"}", "has no rollout", 4},
	{"resume", "{\"service\":\"shop\"}", "has no rollout", 4},
	{"abort", "{\"service\":\"shop\"}", "has no rollout", 4},
	{"abort", "{\"service\":\"shpo\"}", "did you mean", 3},
	{"lock", "{}", "'service' is missing", 2},
	{"lock", "{\"service\":\"nope\"}", "no service", 3},
};

TEST(refused_requests_change_nothing)
{
	struct world *w = make("reject"), *same = w;
	json_t *before = world_saved(w), *after;

	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		ROW("%s %s", refusals[i].verb, refusals[i].body);
		CHECK_INT(run(&w, refusals[i].verb, refusals[i].body, 1), refusals[i].outcome);
		if (!CHECK(strstr(last.text, refusals[i].word) != NULL))
			printf("# %s\n", last.text);
		CHECK(last.text[0] && !strchr(last.text, '\n'));
		CHECK_INT(json_array_size(last.changes), 0);
		CHECK(w == same && !world_find(w, "shop")->rollout);
	}
	ROW("end");
	after = world_saved(w);
	CHECK(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	done(w);
}

/* What succeeded and was not kept leaves no trace, rollouts included. */
TEST(what_is_not_kept_leaves_nothing)
{
	static const char *const rows[][2] = {
		{"canary", "{\"service\":\"shop\",\"pool\":\"green\"}"},
		{"abort", "{\"service\":\"shop\"}"},
		{"pause", "{\"service\":\"shop\"}"},
		{"promote", "{\"service\":\"shop\",\"full\":true}"},
		{"lock", "{\"service\":\"shop\"}"},
		{"deploy", "{\"service\":\"side\",\"addresses\":[\":82\"]}"},
	};
	struct world *w = make("supersede");
	struct world_service *s = world_find(w, "shop");
	json_t *before;

	run(&w, "canary", "{\"service\":\"shop\",\"pool\":\"green\"}", 1);
	put_state(w, "shop", ROLLOUT_WATCHING, 1);
	before = service_saved(s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *body = json_loads(rows[i][1], 0, NULL), *after;
		struct txn t;

		ROW("%s", rows[i][0]);
		if (CHECK_INT(verb_try(verb_find(rows[i][0]), w, body, &ask, &t, &last), 0)) {
			CHECK(json_array_size(last.changes) > 0);
			txn_rollback(&t);
		} else {
			printf("# %s\n", last.text);
		}
		after = service_saved(s);
		CHECK(json_equal(before, after));
		CHECK(!world_find(w, "side")->rollout);
		json_decref(after);
		json_decref(body);
	}
	json_decref(before);
	done(w);
}

/* ---- dry run ---- */

static bool rate_now(void *context, const struct world_service *s, struct txn_rate *out)
{
	(void)s;
	*out = *(struct txn_rate *)context;
	return true;
}

TEST(a_dry_run_says_what_would_be)
{
	static const char body[] = "{\"service\":\"shop\",\"pool\":\"green\",\"dry_run\":true}";
	struct txn_rate rate = {40, .01};
	struct world *w = make("reject");

	world_find(w, "shop")->pools[1].backends[1].health.state = HEALTH_DOWN;
	CHECK_INT(run(&w, "canary", body, 1), 0);
	free(world_find(w, "shop")->rollout); /* the test keeps what the daemon would not */
	world_find(w, "shop")->rollout = NULL;
	CHECK_INT(json_array_size(last.changes), 6);
	CHECK_STR(change(0), "shop: canary to green begins");
	CHECK_STR(change(1),
		  "step 1 of 4: green 5 % (1 of 2 backends up), blue 95 % (2 of 2 backends up); "
		  "until evidence, 10m to 1h; how long a decision takes is not known");
	CHECK_STR(change(4),
		  "step 4 of 4: green 100 % (1 of 2 backends up), blue 0 % (2 of 2 backends up)");
	CHECK_STR(change(5), "then 7m of watching, blue is kept warm");
	ask.rate = rate_now;
	ask.context = &rate;
	run(&w, "canary", body, 1);
	CHECK(strstr(change(1), "a decision takes about 16 minutes at 40 new connections/s"));
	ask.rate = NULL;
	done(w);
}

TEST(a_dry_run_of_a_roll_tells_of_slow_start)
{
	struct world *w = make("reject");
	struct world_service *s = world_find(w, "shop");
	struct cfg_service cfg = *s->cfg;

	CHECK_INT(run(&w, "roll", "{\"service\":\"shop\",\"dry_run\":true}", 1), 0);
	free(s->rollout); /* as above */
	s->rollout = NULL;
	CHECK_INT(json_array_size(last.changes), 4);
	cfg.slow_start_ms = 20000;
	s->cfg = &cfg;
	CHECK_INT(run(&w, "roll", "{\"service\":\"shop\",\"dry_run\":true}", 1), 0);
	CHECK_INT(json_array_size(last.changes), 5);
	CHECK_STR(change(3),
		  "each has all of its weight (slow start, 20s) before the next one goes");
	s->cfg = &w->config->services[0];
	done(w);
}
