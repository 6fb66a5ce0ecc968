/* SPDX-License-Identifier: BSD-2-Clause */
/* A rollout in the store and in the API: all of it comes back, and what does not fit is none. */
#include "rollout_json.h"
#include "saved.h"
#include "sight.h"

static const struct rollout canary = {
	.number = 12,
	.strategy = STRATEGY_CANARY,
	.state = ROLLOUT_PAUSED,
	.paused_in = ROLLOUT_WATCHING,
	.candidate = 1,
	.previous = 0,
	.base = {10000, 0},
	.steps = {{500, {600000, 3600000, UNTIL_EVIDENCE, 100, 7}},
		  {2500, {1, 2, UNTIL_HOOK, 0, 0}},
		  {10000, {0, 0, UNTIL_TIME, 0, 0}}},
	.n_steps = 3,
	.step = 1,
	.bake_ms = 600000,
	.lease_ms = 30000,
	.staging_ms = 300000,
	.hook = HOOK_GATE,
	.hook_state = HOOK_DUE,
	.full = true,
	.began_ms = 1795230245678,
	.state_ms = 1795230300000,
	.watched_ms = 250000,
	.doubt = 1 << WHY_SPLIT,
	.forgiven = 1 << WHY_BOTH,
	.why = "by anna: lunch",
	.who = "anna",
};

static const struct rollout in_place = {
	.number = 1ull << 40,
	.strategy = STRATEGY_ROLLING,
	.state = ROLLOUT_SHIFTING,
	.base = {10000, 0},
	.steps = {{10000, {1000, 0, UNTIL_TIME, 0, 0}}},
	.n_steps = 1,
	.hook = HOOK_UPDATE,
	.hook_state = HOOK_DONE,
	.rolling = {true, ROLLING_UPDATE, 1, 1, 0, 1, 1, true, true},
	.who = "ci",
};

static const struct rollout experiment = {
	.strategy = STRATEGY_EXPERIMENT,
	.state = ROLLOUT_QUEUED,
	.candidate = 1,
	.base = {10000, 0},
	.fixed = {8750, 1250},
	.steps = {{1250, {0, 0, UNTIL_PERSON, 0, 0}}},
	.n_steps = 1,
};

TEST(all_of_it_comes_back)
{
	const struct rollout *rows[] = {&canary, &in_place, &experiment};
	struct world *w = sight_make();
	const struct world_service *s = world_find(w, "shop");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *saved = rollout_to_saved(s, rows[i]), *again;
		char *text = json_dumps(saved, JSON_COMPACT);
		struct rollout r;
		char why[ROLLOUT_WHY];

		ROW("%zu", i);
		json_decref(saved);
		saved = json_loads(text, 0, NULL); /* as the store does */
		if (CHECK(rollout_from_saved(s, saved, &r, why))) {
			again = rollout_to_saved(s, &r);
			CHECK(json_equal(saved, again));
			CHECK(!memcmp(r.steps, rows[i]->steps, sizeof(r.steps)));
			CHECK(!memcmp(r.base, rows[i]->base, sizeof(r.base)));
			CHECK(!memcmp(r.fixed, rows[i]->fixed, sizeof(r.fixed)));
			CHECK(!memcmp(&r.rolling, &rows[i]->rolling, sizeof(r.rolling)));
			CHECK_INT(r.state, rows[i]->state);
			CHECK_INT(r.paused_in, rows[i]->paused_in);
			CHECK_INT(r.number, rows[i]->number);
			CHECK_INT(r.watched_ms, rows[i]->watched_ms);
			CHECK_INT(r.hook_state, rows[i]->hook_state);
			CHECK_STR(r.why, rows[i]->why);
			CHECK_STR(r.who, rows[i]->who);
			json_decref(again);
		}
		json_decref(saved);
		free(text);
	}
	world_free(w);
}

/* One value of the saved canary is another one. */
TEST(what_does_not_fit_is_none)
{
	static const struct {
		const char *key, *value, *word;
	} rows[] = {
		{"candidate", "\"red\"", "'red' is gone"},
		{"previous", "null", "gone"},
		{"base", "{\"blue\": 9999}", "add up"},
		{"base", "{\"red\": 10000}", "'red' is gone"},
		{"base", "{\"blue\": 10001, \"green\": -1}", "add up"},
		{"fixed", "{\"blue\": 1}", "add up"},
		{"state", "\"shifty\"", "'state'"},
		{"strategy", "7", "'strategy'"},
		{"strategy", "\"experiment\"", "add up"}, /* without its shares */
		{"step", "3", "add up"},
		{"step", "-1", "'step'"},
		{"step", "4294967296", "'step'"},
		{"full", "1", "'full'"},
		{"steps", "[]", "add up"},
		{"steps", "[{\"share\": 500}]", "add up"},
		{"rolling.in_place", "\"yes\"", "'rolling.in_place'"},
	};
	struct world *w = sight_make();
	const struct world_service *s = world_find(w, "shop");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *saved = rollout_to_saved(s, &canary);
		struct rollout r = {.number = 77};
		char why[ROLLOUT_WHY];

		ROW("%s %s", rows[i].key, rows[i].value);
		json_object_set_new(saved, rows[i].key,
				    json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		CHECK(!rollout_from_saved(s, saved, &r, why));
		CHECK(strstr(why, rows[i].word) != NULL);
		CHECK_INT(r.number, 77);
		json_decref(saved);
	}
	world_free(w);
}

TEST(a_batch_beyond_the_pool_is_none)
{
	struct world *w = sight_make();
	const struct world_service *s = world_find(w, "shop");
	json_t *saved = rollout_to_saved(s, &in_place);
	struct rollout r;
	char why[ROLLOUT_WHY];

	json_object_set_new(saved, "rolling.n", json_integer(2)); /* of 2, from the second on */
	CHECK(!rollout_from_saved(s, saved, &r, why));
	json_decref(saved);
	world_free(w);
}

static void set(struct rollout **at, const struct rollout *r)
{
	free(*at);
	CHECK_INT(rollout_copy(at, r), 0);
}

TEST(a_service_keeps_rollout_queue_and_lock)
{
	struct world *w = sight_make(), *other = sight_make();
	struct world_service *s = world_find(w, "shop"), *again = world_find(other, "shop");
	char why[ROLLOUT_WHY];
	json_t *saved, *kept;

	set(&s->rollout, &canary);
	set(&s->queued, &experiment);
	s->lock = (struct world_lock){"anna", "caf\xc3", 5};
	saved = service_saved(s);
	CHECK(service_load_rollouts(again, saved, why));
	if (CHECK(again->rollout && again->queued)) {
		CHECK_INT(again->rollout->number, 12);
		CHECK_INT(again->queued->fixed[1], 1250);
	}
	CHECK_STR(again->lock.who, "anna");
	CHECK_STR(again->lock.why, "caf?"); /* no UTF-8 */
	CHECK_INT(again->lock.since_ms, 5);
	json_object_set_new(json_object_get(saved, "rollout"), "candidate", json_string("gone"));
	json_object_set_new(saved, "lock", json_null());
	CHECK(!service_load_rollouts(again, saved, why));
	CHECK(strstr(why, "'gone'") != NULL);
	CHECK(!again->rollout && again->queued);
	CHECK_STR(again->lock.who, "");
	json_decref(saved);

	/* what people keep brings no candidate back without its rollout */
	s->share[0] = 7500;
	s->share[1] = 2500;
	saved = world_saved(w);
	kept = json_object_get(json_object_get(saved, "saved"), "shop");
	CHECK(!json_object_get(kept, "rollout") && !json_object_get(kept, "lock"));
	CHECK_INT(json_integer_value(json_object_get(json_object_get(kept, "shares"), "blue")),
		  10000);
	json_decref(saved);
	world_free(w);
	world_free(other);
}

static const char *said(const json_t *o, const char *key)
{
	static char text[256];
	char *value = json_dumps(json_object_get(o, key), JSON_ENCODE_ANY | JSON_COMPACT);

	snprintf(text, sizeof(text), "%s", value ? value : "absent");
	free(value);
	return text;
}

static const struct {
	const struct rollout *of;
	const char *key, *value;
} shown[] = {
	{&canary, "number", "12"},
	{&canary, "strategy", "\"canary\""},
	{&canary, "title", "\"canary to green\""},
	{&in_place, "title", "\"update of blue in place\""},
	{&canary, "state", "\"paused\""},
	{&canary, "result", "\"paused\""},
	{&canary, "exit", "13"},
	{&canary, "candidate", "\"green\""},
	{&canary, "previous", "\"blue\""},
	{&canary, "share", "25"},
	{&canary, "step", "2"},
	{&canary, "steps", "[5,25,100]"},
	{&canary, "began", "\"2026-11-21T03:04:05.678Z\""},
	{&canary, "watched_ms", "250000"},
	{&canary, "left_ms", "null"}, /* it stands still */
	{&canary, "who", "\"anna\""},
	{&canary, "why", "\"by anna: lunch\""},
	{&canary, "hook", "{\"kind\":\"gate\",\"token\":\"12-2-gate\"}"},
	{&canary, "lease_ms", "30000"},
	{&canary, "breaker", "{\"limit\":5,\"failed\":2}"},
	{&canary, "judge", "{\"ticks\":7}"},
	{&canary, "batch", "null"},
	{&canary, "queued", "{\"strategy\":\"experiment\",\"candidate\":\"green\",\"who\":\"\"}"},
	{&in_place, "batch",
	 "{\"first\":1,\"n\":1,\"size\":1,\"of\":2,\"step\":\"update\",\"back\":true}"},
	{&in_place, "hook", "null"},
	{&in_place, "lease_ms", "null"},
	{&experiment, "number", "0"},
	{&experiment, "queued", "null"},
	{&experiment, "share", "0"},
};

TEST(what_the_api_shows)
{
	static const struct rollout_breaker breaker = {5, 2};
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");

	set(&s->rollout, &canary);
	set(&s->queued, &experiment);
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		struct rollout_extras extras = {json_pack("{s:i}", "ticks", 7), &breaker};
		const struct rollout *r = shown[i].of == &experiment ? s->queued : shown[i].of;
		json_t *o = rollout_view(s, r, &extras);

		ROW("%s", shown[i].key);
		CHECK_STR(said(o, shown[i].key), shown[i].value);
		json_decref(o);
	}
	world_free(w);
}

TEST(time_left_is_what_is_not_watched)
{
	static const struct {
		enum rollout_state state;
		enum until until;
		enum strategy strategy;
		const char *left;
	} rows[] = {
		{ROLLOUT_STAGING, UNTIL_TIME, STRATEGY_CANARY, "50000"},
		{ROLLOUT_GATE, UNTIL_TIME, STRATEGY_CANARY, "null"},
		{ROLLOUT_SHIFTING, UNTIL_TIME, STRATEGY_CANARY, "null"},
		{ROLLOUT_WATCHING, UNTIL_TIME, STRATEGY_CANARY, "350000"},
		{ROLLOUT_WATCHING, UNTIL_EVIDENCE, STRATEGY_CANARY, "3350000"},
		{ROLLOUT_WATCHING, UNTIL_TIME, STRATEGY_EXPERIMENT, "null"},
		{ROLLOUT_BAKE, UNTIL_TIME, STRATEGY_CANARY, "550000"},
		{ROLLOUT_STABLE, UNTIL_TIME, STRATEGY_CANARY, "null"},
	};
	struct world *w = sight_make();

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rollout r = canary;
		json_t *o;

		ROW("%s %s", rollout_state_word(rows[i].state), until_words[rows[i].until]);
		r.step = 0;
		r.state = rows[i].state;
		r.strategy = rows[i].strategy;
		r.steps[0].each.until = rows[i].until;
		if (r.state != ROLLOUT_WATCHING)
			r.bake_ms = 800000;
		o = rollout_view(world_find(w, "shop"), &r, NULL);
		CHECK_STR(said(o, "left_ms"), rows[i].left);
		CHECK_STR(said(o, "judge"), "null");
		json_decref(o);
	}
	world_free(w);
}

TEST(a_view_has_it)
{
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");
	json_t *o = view_service(w, s, &sight_numbers);

	CHECK_STR(said(o, "rollout"), "null");
	CHECK_STR(said(o, "locked"), "null");
	json_decref(o);
	set(&s->queued, &experiment);
	s->lock = (struct world_lock){"anna", "", 1};
	o = view_service(w, s, &sight_numbers);
	CHECK_STR(said(json_object_get(o, "rollout"), "state"), "\"queued\"");
	CHECK_STR(said(o, "locked"),
		  "{\"who\":\"anna\",\"why\":\"\",\"since\":\"1970-01-01T00:00:00.001Z\"}");
	json_decref(o);
	world_free(w);
}

/* ---- what a service makes of its rollout ---- */

TEST(shares_and_live_follow_the_state)
{
	static const struct {
		enum rollout_state state;
		enum strategy strategy;
		unsigned green, live;
	} rows[] = {
		{ROLLOUT_STAGING, STRATEGY_CANARY, 0, 0},
		{ROLLOUT_WATCHING, STRATEGY_CANARY, 2500, 0},
		{ROLLOUT_PROMOTED, STRATEGY_CANARY, 10000, 1},
		{ROLLOUT_BAKE, STRATEGY_FLIP, 10000, 1},
		{ROLLOUT_STABLE, STRATEGY_CANARY, 10000, 1},
		{ROLLOUT_ROLLED_BACK, STRATEGY_CANARY, 0, 0},
		{ROLLOUT_WATCHING, STRATEGY_EXPERIMENT, 1250, 0},
		{ROLLOUT_ABORTED, STRATEGY_EXPERIMENT, 0, 0},
	};
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct rollout r = canary;
		unsigned was = s->live;

		ROW("%s", rollout_state_word(rows[i].state));
		r.state = rows[i].state;
		r.strategy = rows[i].strategy;
		r.state_ms = 1000 + i;
		memcpy(r.fixed, experiment.fixed, sizeof(r.fixed));
		set(&s->rollout, &r);
		service_follow(s);
		CHECK_INT(s->share[1], rows[i].green);
		CHECK_INT(s->share[0], 10000 - rows[i].green);
		CHECK_INT(s->live, rows[i].live);
		CHECK_INT(s->leased,
			  rows[i].state == ROLLOUT_WATCHING && rows[i].strategy == STRATEGY_CANARY);
		if (s->live != was)
			CHECK_INT(s->released_ms, 1000 + i);
	}
	world_free(w);
}

TEST(the_queued_one_stands_on_what_is_there_then)
{
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");
	struct rollout r = canary;

	CHECK(!service_dequeue(s, 1)); /* there is none */
	set(&s->rollout, &r);
	r.state = ROLLOUT_QUEUED;
	r.number = 13;
	set(&s->queued, &r);
	CHECK(!service_dequeue(s, 1)); /* the first one runs */
	s->rollout->state = ROLLOUT_ROLLED_BACK;
	s->share[0] = 9000;
	s->share[1] = 1000;
	CHECK(service_dequeue(s, 1));
	CHECK(!s->queued);
	CHECK_INT(s->rollout->number, 13);
	CHECK_INT(s->rollout->state, ROLLOUT_QUEUED);
	CHECK_INT(s->rollout->base[1], 1000);
	CHECK_INT(s->rollout->n_steps, 2); /* 5 % would be less than it has */
	CHECK_INT(s->rollout->steps[0].share, 2500);
	CHECK_INT(s->stable_share[1], 1000);

	s->rollout->state = ROLLOUT_STABLE;
	s->live = 1;
	r.number = 14;
	set(&s->queued, &r);
	CHECK(service_dequeue(s, 2));
	CHECK_INT(s->rollout->number, 14);
	CHECK_INT(s->rollout->state, ROLLOUT_FAILED_SAFE);
	CHECK(strstr(s->rollout->why, "green") != NULL);
	world_free(w);
}
