/* SPDX-License-Identifier: BSD-2-Clause */
/* What people do to a rollout that runs, what other verbs may do beside it, and who may. */
#include "rollout_plan.h"
#include "rollout_world.h"

#include <math.h>

static const char canary[] = "{\"service\":\"shop\",\"pool\":\"green\"}";
static const char shop[] = "{\"service\":\"shop\"}";

#define NO_SHOP                                                                                    \
	"{\"config\":\"interfaces: [eth0]\\nservices: {web: {listen: [':80/tcp'], pools: {a: "     \
	"['10.0.1.11:80']}}}\\n\"}"

/* A canary of shop, release 10 or later, in a state. */
static struct world *running(const char *on_conflict, enum rollout_state state, unsigned step)
{
	struct world *w = make(on_conflict);

	CHECK_INT(run(&w, "canary", canary, 1000), 0);
	put_state(w, "shop", state, step);
	return w;
}

static const struct {
	const char *verb, *body;
	enum rollout_state from, to;
	int outcome;
	const char *shares, *ended;
} steers[] = {
	{"pause", shop, ROLLOUT_WATCHING, ROLLOUT_PAUSED, 0, "blue 75 %, green 25 %", ""},
	{"resume", shop, ROLLOUT_WATCHING, ROLLOUT_WATCHING, 4, "blue 75 %, green 25 %", ""},
	{"promote", shop, ROLLOUT_WAITING, ROLLOUT_SHIFTING, 0, "blue 75 %, green 25 %", ""},
	{"promote", shop, ROLLOUT_WATCHING, ROLLOUT_WATCHING, 4, "blue 75 %, green 25 %", ""},
	{"promote", "{\"service\":\"shop\",\"full\":true}", ROLLOUT_WATCHING, ROLLOUT_PROMOTED, 0,
	 "blue 75 %, green 25 %", ""},
	{"promote", "{\"service\":\"shop\",\"full\":true}", ROLLOUT_BAKE, ROLLOUT_BAKE, 4, "green",
	 ""},
	{"abort", shop, ROLLOUT_STAGING, ROLLOUT_ABORTED, 0, "blue", "aborted"},
	{"abort", shop, ROLLOUT_WATCHING, ROLLOUT_ABORTED, 0, "blue", "aborted"},
	{"abort", shop, ROLLOUT_INCONCLUSIVE, ROLLOUT_ABORTED, 0, "blue", "aborted"},
	{"abort", shop, ROLLOUT_BAKE, ROLLOUT_BAKE, 4, "green", ""},
	{"abort", shop, ROLLOUT_ROLLED_BACK, ROLLOUT_ROLLED_BACK, 4, "blue", ""},
	{"undo", shop, ROLLOUT_BAKE, ROLLOUT_ROLLED_BACK, 0, "blue", "rolled_back"},
	{"undo", shop, ROLLOUT_PROMOTED, ROLLOUT_ROLLED_BACK, 0, "blue", "rolled_back"},
	{"undo", shop, ROLLOUT_WATCHING, ROLLOUT_WATCHING, 4, "blue 75 %, green 25 %", ""},
	{"undo", shop, ROLLOUT_STAGING, ROLLOUT_STAGING, 4, "blue", ""},
	{"undo", shop, ROLLOUT_STABLE, ROLLOUT_STABLE, 0, "blue", ""},
	{"flip", "{\"targets\":{\"shop\":\"green\"}}", ROLLOUT_WATCHING, ROLLOUT_WATCHING, 4,
	 "blue 75 %, green 25 %", ""},
	{"flip", "{\"targets\":{\"shop\":\"blue\"},\"force\":true}", ROLLOUT_BAKE, ROLLOUT_BAKE, 4,
	 "green", ""},
	{"flip", "{\"targets\":{\"web\":\"c\"}}", ROLLOUT_WATCHING, ROLLOUT_WATCHING, 0,
	 "blue 75 %, green 25 %", ""},
	{"share", "{\"service\":\"shop\",\"shares\":{\"green\":9}}", ROLLOUT_WATCHING,
	 ROLLOUT_WATCHING, 4, "blue 75 %, green 25 %", ""},
	{"backend",
	 "{\"action\":\"add\",\"service\":\"shop\",\"pool\":\"spare\",\"address\":\"10.0.9.1:1\"}",
	 ROLLOUT_WATCHING, ROLLOUT_WATCHING, 4, "blue 75 %, green 25 %", ""},
	{"backend",
	 "{\"action\":\"add\",\"service\":\"web\",\"pool\":\"a\",\"address\":\"10.0.9.1:1\"}",
	 ROLLOUT_WATCHING, ROLLOUT_WATCHING, 0, "blue 75 %, green 25 %", ""},
	{"admin", "{\"service\":\"shop\",\"pool\":\"spare\",\"state\":\"ready\"}", ROLLOUT_WATCHING,
	 ROLLOUT_WATCHING, 0, "blue 75 %, green 25 %", ""},
	{"admin",
	 "{\"service\":\"shop\",\"pool\":\"green\",\"backend\":\"10.0.2.11:8080\",\"state\":"
	 "\"drain\"}",
	 ROLLOUT_WATCHING, ROLLOUT_WATCHING, 0, "blue 75 %, green 25 %", ""},
	{"hold", shop, ROLLOUT_WATCHING, ROLLOUT_WATCHING, 0, "blue 75 %, green 25 %", ""},
	{"apply", NO_SHOP, ROLLOUT_WATCHING, ROLLOUT_WATCHING, 4, "blue 75 %, green 25 %", ""},
	{"deploy", "{\"service\":\"shop\",\"addresses\":[\":8081\"]}", ROLLOUT_WATCHING,
	 ROLLOUT_WATCHING, 4, "blue 75 %, green 25 %", ""},
	{"canary", canary, ROLLOUT_BAKE, ROLLOUT_BAKE, 4, "green", ""},
};

TEST(what_each_verb_does_to_a_rollout)
{
	for (size_t i = 0; i < sizeof(steers) / sizeof(*steers); i++) {
		struct world *w = running("reject", steers[i].from, 1);
		struct world_service *s = world_find(w, "shop");
		uint64_t number = s->rollout->number;

		ROW("%s %s in %s", steers[i].verb, steers[i].body,
		    rollout_state_word(steers[i].from));
		if (steers[i].from == ROLLOUT_STABLE)
			s->released_ms = 1500;
		CHECK_INT(run(&w, steers[i].verb, steers[i].body, 2000), steers[i].outcome);
		s = world_find(w, "shop");
		CHECK_INT(s->rollout->number, number);
		CHECK_STR(rollout_state_word(s->rollout->state), rollout_state_word(steers[i].to));
		CHECK_STR(shares(w, "shop"), steers[i].shares);
		if (!steers[i].outcome)
			CHECK_STR(ended(), steers[i].ended);
		done(w);
	}
}

TEST(live_comes_back_with_the_shares)
{
	struct world *w = running("reject", ROLLOUT_BAKE, 3);
	struct world_service *s = world_find(w, "shop");

	CHECK_INT(s->live, 1);
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\",\"why\":\"slow\"}", 2000), 0);
	CHECK_INT(s->live, 0);
	CHECK_STR(s->rollout->why, "undone by anna: slow");
	CHECK_INT(run(&w, "undo", shop, 3000), OUT_REFUSED); /* it never toggles */
	done(w);
}

/* What did not last is not what undo returns to, rollouts or not. */
TEST(undo_skips_what_did_not_last)
{
	struct world *w = make("reject");

	run(&w, "flip", "{\"targets\":{\"web\":\"c\"}}", 1000);
	CHECK_INT(run(&w, "canary", "{\"service\":\"web\",\"pool\":\"b\",\"steps\":[100]}", 2000),
		  OUT_REFUSED); /* no IPv6 there */
	CHECK_INT(run(&w, "canary", "{\"service\":\"web\",\"pool\":\"a\"}", 2000), 0);
	put_state(w, "web", ROLLOUT_BAKE, 3);
	CHECK_STR(shares(w, "web"), "a");
	CHECK_INT(run(&w, "undo", "{\"service\":\"web\"}", 3000), OUT_REFUSED); /* a is stable */
	done(w);
}

TEST(abort_says_where_new_flows_go)
{
	struct world *w = running("reject", ROLLOUT_WATCHING, 1);

	CHECK_INT(run(&w, "abort", "{\"service\":\"shop\",\"why\":\"no\"}", 2000), 0);
	CHECK(strstr(last.text, "is aborted, new flows go to blue"));
	CHECK_INT(last.rollout, world_find(w, "shop")->rollout->number);
	CHECK_STR(json_string_value(json_object_get(json_array_get(last.moved, 0), "text")),
		  "shop: blue is live");
	CHECK_STR(world_find(w, "shop")->rollout->why, "by anna: no");
	done(w);
}

/* ---- another one ---- */

TEST(rejected)
{
	struct world *w = running("reject", ROLLOUT_WATCHING, 1);
	char want[64];

	CHECK_INT(run(&w, "canary", canary, 2000), OUT_REFUSED);
	snprintf(want, sizeof(want), "release %llu (canary to green) is watching at 25 %%",
		 (unsigned long long)world_find(w, "shop")->rollout->number);
	CHECK(strstr(last.text, want) != NULL);
	done(w);
}

TEST(queued)
{
	struct world *w = running("queue", ROLLOUT_WATCHING, 1);
	struct world_service *s = world_find(w, "shop");
	char why[ROLLOUT_WHY];
	json_t *saved;

	CHECK_INT(run(&w, "experiment", "{\"service\":\"shop\",\"shares\":{\"green\":9}}", 2000),
		  0);
	CHECK(strstr(last.text, "waits for the rollout before it") != NULL);
	CHECK(begins());
	if (CHECK(s->queued != NULL)) {
		CHECK_INT(s->queued->state, ROLLOUT_QUEUED);
		CHECK_INT(s->queued->number, s->rollout->number + 1);
	}
	CHECK_INT(s->rollout->state, ROLLOUT_WATCHING);
	saved = service_saved(s);
	if (!CHECK(service_load_rollouts(s, saved, why)))
		printf("# %s\n", why);
	json_decref(saved);
	CHECK_INT(run(&w, "canary", canary, 2000), OUT_REFUSED); /* one may wait */
	put_state(w, "shop", ROLLOUT_BAKE, 3);
	CHECK_INT(run(&w, "abort", shop, 3000), 0); /* what waits, for the other cannot be */
	CHECK(!s->queued);
	CHECK_STR(ended(), "aborted");
	CHECK_INT(s->rollout->state, ROLLOUT_BAKE);
	CHECK_STR(shares(w, "shop"), "green");
	done(w);
}

TEST(undo_does_not_wait_for_what_waits)
{
	struct world *w = running("queue", ROLLOUT_WATCHING, 1);
	struct world_service *s = world_find(w, "shop");

	run(&w, "canary", canary, 2000);
	put_state(w, "shop", ROLLOUT_BAKE, 3);
	CHECK_INT(run(&w, "undo", shop, 3000), 0);
	CHECK_STR(shares(w, "shop"), "blue");
	CHECK_STR(ended(), "rolled_back");
	CHECK(s->queued != NULL);
	CHECK_INT(run(&w, "undo", shop, 3000), OUT_REFUSED);
	CHECK(strstr(last.text, "abort it first") != NULL);
	done(w);
}

TEST(what_waits_goes_first)
{
	struct world *w = running("queue", ROLLOUT_WATCHING, 1);
	struct world_service *s = world_find(w, "shop");

	run(&w, "canary", canary, 2000);
	CHECK_INT(run(&w, "abort", shop, 3000), 0);
	CHECK_INT(s->rollout->state, ROLLOUT_ABORTED);
	CHECK(s->queued != NULL);
	CHECK_INT(run(&w, "canary", canary, 3500), OUT_REFUSED);
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", 3500), OUT_REFUSED);
	CHECK(service_dequeue(s, 4000));
	CHECK_INT(s->rollout->base[0], 10000);
	done(w);
}

TEST(superseded)
{
	struct world *w = running("supersede", ROLLOUT_WATCHING, 1);
	struct world_service *s = world_find(w, "shop");
	uint64_t number = s->rollout->number;

	CHECK_INT(run(&w, "experiment", "{\"service\":\"shop\",\"shares\":{\"green\":9}}", 2000),
		  0);
	CHECK_STR(shares(w, "shop"), "blue");
	CHECK_INT(s->rollout->number, number + 1);
	CHECK_INT(s->rollout->strategy, STRATEGY_EXPERIMENT);
	CHECK_INT(s->rollout->base[0], 10000);
	CHECK_STR(ended(), "superseded");
	CHECK(begins());
	CHECK_INT(json_integer_value(json_object_get(
			  json_object_get(json_array_get(records, 0), "ended"), "number")),
		  number);
	done(w);
}

/* That would be an undo. */
TEST(a_promoted_one_is_not_superseded)
{
	struct world *w = running("supersede", ROLLOUT_BAKE, 3);

	CHECK_INT(run(&w, "canary", canary, 2000), OUT_REFUSED);
	CHECK(strstr(last.text, "undo takes it back") != NULL);
	CHECK_STR(shares(w, "shop"), "green");
	done(w);
}

/* ---- locks ---- */

static int as(const char *who, struct world **w, const char *verb, const char *body)
{
	int outcome;

	ask.who = who;
	outcome = run(w, verb, body, 5000);
	ask.who = "anna";
	return outcome;
}

TEST(only_the_owner_changes_a_locked_service)
{
	static const char *const rows[][2] = {
		{"flip", "{\"targets\":{\"shop\":\"green\"}}"},
		{"flip", "{\"targets\":{\"shop\":\"green\"},\"force\":true}"},
		{"share", "{\"service\":\"shop\",\"shares\":{\"green\":5}}"},
		{"admin", "{\"service\":\"shop\",\"pool\":\"green\",\"state\":\"drain\"}"},
		{"backend",
		 "{\"action\":\"add\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":"
		 "\"10.0.9.1:1\"}"},
		{"hold", shop},
		{"canary", canary},
		{"roll", shop},
		{"deploy", "{\"service\":\"shop\",\"addresses\":[\":8081\"]}"},
		{"apply", NO_SHOP},
		{"lock", shop},
		{"unlock", shop},
	};
	struct world *w = make("reject");
	struct world_service *s = world_find(w, "shop");
	json_t *before, *after;

	CHECK_INT(run(&w, "lock", "{\"service\":\"shop\",\"why\":\"payday\"}", 4000), 0);
	CHECK_STR(last.text, "shop is locked by anna: payday");
	CHECK_INT(s->lock.since_ms, 4000);
	before = service_saved(s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ROW("%s", rows[i][0]);
		CHECK_INT(as("ben", &w, rows[i][0], rows[i][1]), OUT_REFUSED);
		if (!CHECK(strstr(last.text, "locked by anna: payday") != NULL))
			printf("# %s\n", last.text);
	}
	ROW("end");
	after = service_saved(world_find(w, "shop"));
	CHECK(json_equal(before, after));
	CHECK_INT(as("ben", &w, "flip", "{\"targets\":{\"web\":\"c\"}}"), 0); /* another service */
	CHECK_INT(run(&w, "share", "{\"service\":\"shop\",\"shares\":{\"green\":5}}", 6000), 0);
	CHECK_INT(run(&w, "lock", "{\"service\":\"shop\",\"why\":\"audit\"}", 7000), 0);
	CHECK_STR(s->lock.why, "audit");
	CHECK_INT(as("ben", &w, "unlock", "{\"service\":\"shop\",\"force\":true}"), 0);
	CHECK_STR(s->lock.who, "");
	CHECK_INT(run(&w, "unlock", shop, 8000), 0);
	CHECK_STR(last.text, "shop is not locked");
	CHECK_INT(json_array_size(last.changes), 0);
	json_decref(before);
	json_decref(after);
	done(w);
}

/* ---- JUDGE.md's arithmetic ---- */

TEST(errors_that_a_decision_takes)
{
	static const struct {
		double rho, share;
		int errors;
	} rows[] = {{2, .01, 1802}, {2, .05, 395}, {2, .25, 126}, {2, .5, 120},
		    {5, .01, 178},  {5, .05, 44},  {5, .25, 22},  {5, .5, 28}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ROW("x%g at %g", rows[i].rho, rows[i].share);
		CHECK_INT(lround(errors_to_decide(.01, rows[i].rho, rows[i].share)),
			  rows[i].errors);
	}
}

TEST(time_that_a_decision_takes)
{
	static const struct {
		double per_s, bad;
		uint16_t slo_bp;
		uint32_t connections;
		double low, high; /* s */
	} rows[] = {
		{40, .01, 0, 0, 980, 995},          /* 395 errors */
		{40, .01, 0, 100000, 49999, 50001}, /* connections are what lacks */
		{40, 0, 0, 0, INFINITY, INFINITY},
		{40, 0, 50, 0, 590, 610}, /* 1 200 connections without an error */
		{40, .1, 50, 0, 98, 100}, /* above the slo errors decide */
		{0, .01, 0, 0, INFINITY, INFINITY},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct cfg_judge judge = {.alpha_bp = 100,
					  .beta_bp = 100,
					  .slo_bp = rows[i].slo_bp,
					  .margin_hundredths = 200};
		struct cfg_step step = {500, {.min_connections = rows[i].connections}};
		struct txn_rate rate = {rows[i].per_s, rows[i].bad};
		double s = seconds_to_decide(&judge, &step, &rate);

		ROW("%zu", i);
		if (!CHECK(s >= rows[i].low && s <= rows[i].high))
			printf("# %g\n", s);
	}
}
