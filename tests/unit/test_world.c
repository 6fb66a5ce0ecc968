/* SPDX-License-Identifier: BSD-2-Clause */
/* World, verbs and what is saved of them: JSON in, shares and exit codes out. */
#include <stdlib.h>

#include "config_json.h"
#include "saved.h"
#include "t.h"
#include "verbs.h"

#define MINUTES(n) ((uint64_t)(n)*60000)

static const char base[] = "interfaces: [eth0]\n"
			   "services:\n"
			   "  shop:\n"
			   "    listen: [\"203.0.113.10:443/tcp\"]\n"
			   "    pools:\n"
			   "      blue: [\"10.0.1.11:8080\", \"10.0.1.12:8080\"]\n"
			   "      green: [\"10.0.2.11:8080\", \"10.0.2.12:8080\"]\n"
			   "    live: blue\n"
			   "  web:\n"
			   "    listen: [\"203.0.113.11:80/tcp\", \"[2001:db8::11]:80/tcp\"]\n"
			   "    pools:\n"
			   "      a: [\"10.0.1.11:80\", \"[fd00::1]:80\"]\n"
			   "      b: [\"10.0.2.11:80\"]\n"
			   "      c: [\"10.0.3.11:80\", \"[fd00::3]:80\"]\n"
			   "    live: a\n";

static struct world *make(const char *text, const struct world *old)
{
	struct config *config = NULL;
	struct world *w = NULL;
	char *error = NULL;

	if (config_parse("test", text, strlen(text), &config, &error) ||
	    world_make(config, old, &w, &error))
		printf("# %s\n", error ? error : "no memory");
	free(error);
	return w;
}

static void all_healthy(struct world *w, enum health_state state)
{
	for (size_t i = 0; i < w->config->n_services; i++)
		for (size_t k = 0; k < w->services[i].cfg->n_pools; k++)
			for (size_t b = 0; b < w->services[i].cfg->pools[k].n_backends; b++)
				w->services[i].pools[k].backends[b].health.state = state;
}

static struct answer last;

/* Carries the verb out and keeps it. */
static int run(struct world **w, const char *verb, const char *body, uint64_t now_ms)
{
	json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
	struct txn_ask ask = {.who = "anna", .now_ms = now_ms};
	struct txn t;
	enum outcome o = verb_try(verb_find(verb), *w, json, &ask, &t, &last);

	if (!o)
		txn_commit(&t);
	if (!o && t.next) {
		world_free(*w);
		*w = t.next;
	}
	json_decref(json);
	return (int)o;
}

static void done(struct world *w)
{
	world_free(w);
	answer_clear(&last);
}

TEST(holds_are_bounded_and_end)
{
	static const struct {
		const char *verb, *body;
		enum outcome is;
	} rows[] = {
		{"hold", "{\"service\":\"shop\",\"limit_ms\":50}", OUT_BAD_REQUEST},
		{"hold", "{\"service\":\"shop\",\"limit_ms\":60001}", OUT_BAD_REQUEST},
		{"hold", "{\"service\":\"shop\",\"max\":0}", OUT_BAD_REQUEST},
		{"hold", "{\"service\":\"shop\",\"max\":8193}", OUT_BAD_REQUEST},
		{"hold", "{\"service\":\"shop\",\"then\":\"rest\"}", OUT_BAD_REQUEST},
		{"hold", "{\"service\":\"shpo\"}", OUT_NOT_FOUND},
		{"unhold", "{\"service\":\"shop\"}", OUT_REACHED},
	};
	struct world *w = make(base, NULL), *next;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW("%s %s", rows[i].verb, rows[i].body);
		CHECK_INT(run(&w, rows[i].verb, rows[i].body, 1000), rows[i].is);
		CHECK_INT(w->services[0].hold.number, 0);
	}
	CHECK_INT(run(&w, "hold", "{\"service\":\"shop\",\"limit_ms\":3000,\"max\":7}", 1000), 0);
	CHECK_INT(run(&w, "hold", "{\"service\":\"web\",\"then\":\"reset\"}", 1000), 0);
	CHECK(!w->services[0].hold.reset && w->services[1].hold.reset);
	CHECK_INT(w->services[0].hold.until_ms, 4000);
	CHECK_INT(w->services[0].hold.max, 7);
	CHECK(w->services[0].hold.number && w->services[1].hold.number);
	CHECK(w->services[0].hold.number != w->services[1].hold.number);
	next = make(base, w); /* an applied file does not end it */
	CHECK_INT(next->services[0].hold.until_ms, 4000);
	world_free(next);
	CHECK_INT(run(&w, "unhold", "{\"service\":\"shop\"}", 2000), 0);
	CHECK_INT(w->services[0].hold.number, 0);
	done(w);
}

static const char *shares(struct world *w, const char *service)
{
	static char text[128];
	struct world_service *s = world_find(w, service);

	shares_text(s, s->share, text, sizeof(text));
	return text;
}

TEST(flip_and_undo_never_toggle)
{
	struct world *w = make(base, NULL);

	all_healthy(w, HEALTH_UP);
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\"}", 1), OUT_REFUSED);
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", MINUTES(1)), 0);
	CHECK_STR(last.text, "shop: green is live");
	CHECK_INT(world_find(w, "shop")->live, 1);
	CHECK_INT(world_find(w, "shop")->revision, 2);
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\"}", MINUTES(2)), 0);
	CHECK_STR(shares(w, "shop"), "blue");
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\"}", MINUTES(3)), OUT_REFUSED);
	CHECK_STR(shares(w, "shop"), "blue");
	done(w);
}

TEST(undo_of_a_release_that_lasted_never_toggles)
{
	struct world *w = make(base, NULL);

	all_healthy(w, HEALTH_UP);
	run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", MINUTES(1));
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\"}", MINUTES(21)), 0);
	CHECK_STR(shares(w, "shop"), "blue");
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\"}", MINUTES(22)), OUT_REFUSED);
	CHECK_STR(shares(w, "shop"), "blue");
	done(w);
}

TEST(undo_skips_what_did_not_last)
{
	struct world *w = make(base, NULL);

	all_healthy(w, HEALTH_UP);
	run(&w, "flip", "{\"targets\":{\"web\":\"c\"}}", MINUTES(1));
	run(&w, "flip", "{\"targets\":{\"web\":\"b\"},\"force\":true}", MINUTES(2));
	CHECK_INT(run(&w, "undo", "{\"service\":\"web\"}", MINUTES(3)), 0);
	CHECK_STR(shares(w, "web"), "a"); /* c lasted one minute */
	run(&w, "flip", "{\"targets\":{\"web\":\"c\"}}", MINUTES(4));
	run(&w, "flip", "{\"targets\":{\"web\":\"b\"},\"force\":true}", MINUTES(24));
	CHECK_INT(run(&w, "undo", "{\"service\":\"web\"}", MINUTES(25)), 0);
	CHECK_STR(shares(w, "web"), "c"); /* c lasted twenty */
	done(w);
}

TEST(undo_wants_a_healthy_pool)
{
	struct world *w = make(base, NULL);

	all_healthy(w, HEALTH_UP);
	run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", 1);
	all_healthy(w, HEALTH_DOWN);
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\"}", 2), OUT_REFUSED);
	CHECK_INT(last.outcome, OUT_REFUSED);
	CHECK_STR(shares(w, "shop"), "green");
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\",\"force\":true}", 3), 0);
	CHECK_STR(shares(w, "shop"), "blue");
	done(w);
}

/* Whole or not at all: the second target fails, the first must not have moved. */
TEST(flip_of_several_is_one_step)
{
	struct world *w = make(base, NULL);

	all_healthy(w, HEALTH_UP);
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"shop\":\"green\",\"web\":\"x\"}}", 1),
		  OUT_NOT_FOUND);
	CHECK_STR(shares(w, "shop"), "blue");
	CHECK_INT(world_find(w, "shop")->revision, 1);
	CHECK_INT(json_array_size(last.changes), 0);
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"shop\":null,\"web\":\"c\"}}", 1), 0);
	CHECK_STR(shares(w, "shop"), "green");
	CHECK_STR(shares(w, "web"), "c");
	done(w);
}

static const struct {
	const char *verb, *body;
	int outcome;
	bool hopeless;
} refusals[] = {
	{"flip", "{}", 2, false},
	{"flip", "[]", 2, false},
	{"flip", "{\"targets\":{}}", 2, false},
	{"flip", "{\"targets\":{\"shop\":1}}", 2, false},
	{"flip", "{\"target\":{\"shop\":\"green\"}}", 2, false},
	{"flip", "{\"targets\":{\"shop\":\"gren\"}}", 3, false},
	{"flip", "{\"targets\":{\"shpo\":\"green\"}}", 3, false},
	{"flip", "{\"targets\":{\"web\":null}}", 2, false},
	{"flip", "{\"targets\":{\"web\":\"b\"}}", 10, true}, /* no IPv6 there */
	{"flip", "{\"targets\":{\"shop\":\"green\"},\"if_revision\":7}", 4, false},
	{"flip", "{\"targets\":{\"shop\":\"blue\"},\"if_revision\":7}", 4, false},
	{"flip", "{\"targets\":{\"shop\":\"green\"},\"force\":1}", 2, false},
	{"flip", "{\"targets\":{\"shop\":\"green\"},\"timeout_ms\":-1}", 2, false},
	{"undo", "{\"service\":\"\"}", 2, false},
	{"undo", "{\"service\":\"nope\"}", 3, false},
	{"share", "{\"service\":\"shop\",\"shares\":{\"green\":101}}", 2, false},
	{"share", "{\"service\":\"shop\",\"shares\":{\"green\":0.001}}", 2, false},
	{"share", "{\"service\":\"shop\",\"shares\":{\"green\":\"5\"}}", 2, false},
	{"share", "{\"service\":\"shop\",\"shares\":{}}", 2, false},
	{"share", "{\"service\":\"shop\",\"shares\":{\"blue\":60,\"green\":60}}", 2, false},
	{"share", "{\"service\":\"shop\",\"shares\":{\"blue\":60,\"green\":30}}", 2, false},
	{"admin", "{\"service\":\"shop\",\"pool\":\"blue\",\"state\":\"drain\"}", 4, false},
	{"admin", "{\"service\":\"shop\",\"pool\":\"green\",\"state\":\"dry\"}", 2, false},
	{"admin",
	 "{\"service\":\"shop\",\"pool\":\"blue\",\"backend\":\"1.2.3.4:5\",\"state\":"
	 "\"maint\"}",
	 3, false},
	{"backend",
	 "{\"action\":\"add\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":"
	 "\"10.0.1.11:8080\"}",
	 4, false},
	{"backend",
	 "{\"action\":\"add\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":"
	 "\"10.0.1.11\"}",
	 2, false},
	{"backend",
	 "{\"action\":\"del\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":"
	 "\"10.9.1.11:80\"}",
	 3, false},
	{"backend",
	 "{\"action\":\"mul\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":"
	 "\"10.9.1.11:80\"}",
	 2, false},
	{"apply", "{\"config\":\"\"}", 2, false},
	{"apply", "{\"config\":\"services: 7\"}", 2, false},
};

TEST(refused_requests_change_nothing)
{
	struct world *w = make(base, NULL), *same = w;
	json_t *before, *after;

	all_healthy(w, HEALTH_UP);
	before = world_saved(w);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		ROW("%s %s", refusals[i].verb, refusals[i].body);
		CHECK_INT(run(&w, refusals[i].verb, refusals[i].body, 1), refusals[i].outcome);
		CHECK_INT(last.outcome, refusals[i].outcome);
		CHECK_INT(last.hopeless, refusals[i].hopeless);
		CHECK(last.text[0] && !strchr(last.text, '\n'));
		CHECK(w == same);
	}
	ROW("end");
	after = world_saved(w);
	CHECK(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	done(w);
}

TEST(flip_waits_for_health)
{
	struct world *w = make(base, NULL);

	CHECK_INT(run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", 1), OUT_FAILED_SAFE);
	CHECK(!last.hopeless);
	CHECK_STR(shares(w, "shop"), "blue");
	all_healthy(w, HEALTH_UP);
	CHECK_INT(run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", 1), 0);
	done(w);
}

TEST(shares_add_up_exactly)
{
	static const struct {
		const char *body, *want;
		unsigned live;
	} rows[] = {
		{"{\"b\":5}", "a 95 %, b 5 %", 0},
		{"{\"c\":33.33}", "a 63.34 %, b 3.33 %, c 33.33 %", 0},
		{"{\"b\":0}", "a 65.52 %, c 34.48 %", 0},
		{"{\"a\":50}", "a 50 %, c 50 %", 0},
		{"{\"a\":0}", "c", 2},
		{"{\"c\":90}", "c 90 %", 2}, /* refused: nobody has the rest */
		{"{\"b\":1,\"a\":98.99}", "a 98.99 %, b 1 %, c 0.01 %", 2},
	};
	struct world *w = make(base, NULL);

	all_healthy(w, HEALTH_UP);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world_service *s = world_find(w, "web");
		char body[128];
		unsigned sum = 0;

		ROW("%s", rows[i].body);
		snprintf(body, sizeof(body), "{\"service\":\"web\",\"shares\":%s,\"force\":true}",
			 rows[i].body);
		if (run(&w, "share", body, 1))
			continue;
		CHECK_STR(shares(w, "web"), rows[i].want);
		CHECK_INT(s->live, rows[i].live);
		for (size_t k = 0; k < s->cfg->n_pools; k++)
			sum += s->share[k];
		CHECK_INT(sum, ZDD_SHARE_UNITS);
	}
	done(w);
}

/* Four backends of one family: who may be ejected, when some are away already. */
TEST(how_many_may_be_ejected)
{
	static const struct {
		const char *is; /* u up, d down, e ejected, m maint; the last one asks */
		const char *max, *panic;
		bool live, may;
	} rows[] = {
		{"uuuu", "50%", "50%", true, true},   {"euuu", "50%", "50%", true, true},
		{"eeuu", "50%", "50%", true, false},  {"eduu", "50%", "50%", true, false},
		{"duuu", "50%", "50%", true, true},   {"uuuu", "10%", "50%", true, true},
		{"euuu", "10%", "50%", true, false},  {"euuu", "50%", "60%", true, false},
		{"euuu", "50%", "60%", false, true},  {"eeuu", "100%", "0%", true, true},
		{"eeeu", "100%", "0%", true, false},  {"deeu", "100%", "0%", true, false},
		{"mmuu", "50%", "50%", true, true},   {"mmmu", "100%", "0%", true, false},
		{"mmeu", "100%", "0%", true, false},  {"uuum", "50%", "50%", true, false},
		{"mmmu", "100%", "0%", false, false}, {"eeeu", "100%", "0%", false, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[512];
		struct world *w;
		struct world_pool *p;

		ROW("%s %s %s", rows[i].is, rows[i].max, rows[i].panic);
		snprintf(text, sizeof(text),
			 "interfaces: [lo]\nservices:\n  web:\n    listen: [\":80/tcp\"]\n"
			 "    panic: %s\n    passive: {max_ejected: %s}\n    live: %s\n    pools:\n"
			 "      a: [\"10.0.0.1:1\", \"10.0.0.2:1\", \"10.0.0.3:1\", \"10.0.0.4:1\","
			 " \"[fd00::1]:1\"]\n      b: [\"10.0.1.1:1\"]\n",
			 rows[i].panic, rows[i].max, rows[i].live ? "a" : "b");
		w = make(text, NULL);
		p = &w->services[0].pools[0];
		p->backends[4].admin = ADMIN_MAINT; /* another family helps nobody here */
		for (unsigned k = 0; k < 4; k++) {
			struct world_backend *b = &p->backends[k];
			char is = rows[i].is[k];

			b->health.state = is == 'd' ? HEALTH_DOWN : HEALTH_UP;
			b->passive.state = is == 'e' ? PASSIVE_EJECTED : PASSIVE_IN;
			b->admin = is == 'm' ? ADMIN_MAINT : ADMIN_READY;
		}
		CHECK_INT(pool_spares(&w->services[0], p, &p->backends[3]), rows[i].may);
		done(w);
	}
}

TEST(ejected_counts_as_away)
{
	struct world *w = make(base, NULL);
	struct world_service *s = world_find(w, "shop");
	struct world_pool *blue = &s->pools[0];

	blue->backends[0].health.state = blue->backends[1].health.state = HEALTH_UP;
	blue->backends[0].passive.state = PASSIVE_EJECTED;
	CHECK(!backend_takes_new(s, blue, &blue->backends[0]));
	CHECK(backend_takes_new(s, blue, &blue->backends[1]));
	CHECK(!pool_panics(s, blue));
	CHECK(pool_is_fit(s, blue, 0));
	blue->backends[1].health.state = HEALTH_UNKNOWN; /* all that is left may be asked */
	CHECK(backend_takes_new(s, blue, &blue->backends[1]));
	CHECK(!pool_is_fit(s, blue, 0));
	blue->backends[1].health.state = HEALTH_DOWN;
	CHECK(pool_panics(s, blue)); /* then neither counts */
	CHECK(backend_takes_new(s, blue, &blue->backends[0]));
	CHECK_INT(run(&w, "admin", "{\"service\":\"shop\",\"pool\":\"blue\",\"state\":\"ready\"}",
		      78),
		  0);
	CHECK_INT(blue->backends[0].passive.state, PASSIVE_IN);
	CHECK_INT(json_array_size(last.changes), 1);
	done(w);
}

TEST(admin_states_and_panic)
{
	struct world *w = make(base, NULL);
	struct world_service *s = world_find(w, "shop");
	struct world_pool *blue = &s->pools[0];

	CHECK(backend_takes_new(s, blue, &blue->backends[0])); /* nobody is known to be up */
	blue->backends[1].health.state = HEALTH_UP;
	CHECK(!backend_takes_new(s, blue, &blue->backends[0]));
	blue->backends[0].health.state = HEALTH_DOWN;
	CHECK(!pool_panics(s, blue)); /* 50 % is not fewer than 50 % */
	blue->backends[1].health.state = HEALTH_DOWN;
	CHECK(pool_panics(s, blue));
	CHECK(backend_takes_new(s, blue, &blue->backends[0]));
	s->pools[1].backends[0].health.state = s->pools[1].backends[1].health.state = HEALTH_DOWN;
	CHECK(!pool_takes_new(s, &s->pools[1], 0)); /* only live panics */
	CHECK_INT(run(&w, "admin",
		      "{\"service\":\"shop\",\"pool\":\"blue\",\"backend\":\"10.0.1.11:8080\","
		      "\"state\":\"maint\"}",
		      77),
		  0);
	CHECK_INT(blue->backends[0].admin, ADMIN_MAINT);
	CHECK_INT(blue->backends[0].admin_since_ms, 77);
	CHECK(!backend_takes_new(s, blue, &blue->backends[0]));
	CHECK_INT(run(&w, "admin", "{\"service\":\"shop\",\"pool\":\"blue\",\"state\":\"ready\"}",
		      78),
		  0);
	CHECK_INT(json_array_size(last.changes), 1);
	done(w);
}

TEST(apply_moves_no_traffic)
{
	static const char next[] =
		"{\"config\":\"interfaces: [eth0]\\nservices:\\n  shop:\\n    listen: "
		"[\\\"203.0.113.10:443/tcp\\\"]\\n    pools:\\n      green: "
		"[\\\"10.0.2.11:8080\\\"]\\n      red: [\\\"10.0.4.1:1\\\"]\\n    live: red\\n\"}";
	struct world *w = make(base, NULL);

	all_healthy(w, HEALTH_UP);
	CHECK_INT(run(&w, "apply", next, 1), OUT_REFUSED); /* drops blue, which is live */
	CHECK(strstr(last.text, "blue") != NULL);
	run(&w, "flip", "{\"targets\":{\"shop\":\"green\"}}", 1);
	CHECK_INT(run(&w, "apply", next, 2), 0);
	CHECK_STR(shares(w, "shop"), "green");
	CHECK(!world_find(w, "web"));
	CHECK_INT(world_find(w, "shop")->revision, 3);
	CHECK_INT(world_find(w, "shop")->pools[0].backends[0].health.state, HEALTH_UP);
	CHECK_INT(run(&w, "undo", "{\"service\":\"shop\"}", 3), OUT_REFUSED); /* blue is gone */
	CHECK_INT(run(&w, "apply", next, 4), 0);
	CHECK_INT(json_array_size(last.changes), 0);
	CHECK_INT(world_find(w, "shop")->revision, 3);
	done(w);
}

TEST(backends_come_and_go)
{
	struct world *w = make(base, NULL);

	CHECK_INT(run(&w, "backend",
		      "{\"action\":\"add\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":"
		      "\"10.0.1.13:8080\",\"weight\":3}",
		      1),
		  0);
	CHECK_INT(json_array_size(last.changes), 1);
	CHECK_STR(json_string_value(json_array_get(last.changes, 0)),
		  "shop/blue: adds 10.0.1.13:8080");
	CHECK_INT(world_find(w, "shop")->pools[0].backends[2].cfg->weight, 3);
	CHECK_INT(run(&w, "backend",
		      "{\"action\":\"del\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":"
		      "\"10.0.1.11:8080\"}",
		      1),
		  0);
	CHECK_INT(world_find(w, "shop")->cfg->pools[0].n_backends, 2);
	done(w);
}

TEST(saved_state_comes_back)
{
	struct world *w = make(base, NULL), *again;
	struct config *config;
	json_t *all, *saved = NULL;
	char *text, *error = NULL;

	all_healthy(w, HEALTH_UP);
	run(&w, "flip", "{\"targets\":{\"web\":\"c\"}}", 5);
	run(&w, "share", "{\"service\":\"shop\",\"shares\":{\"green\":12.5}}", 5);
	run(&w, "admin", "{\"service\":\"web\",\"pool\":\"a\",\"state\":\"drain\"}", 6);
	all = world_saved(w);
	text = json_dumps(all, JSON_INDENT(2));
	CHECK_INT(config_parse_saved("saved", text, strlen(text), &config, &saved, &error), 0);
	CHECK_INT(world_make(config, NULL, &again, &error), 0);
	CHECK(service_load(world_find(again, "shop"), json_object_get(saved, "shop")));
	CHECK(service_load(world_find(again, "web"), json_object_get(saved, "web")));
	CHECK_STR(shares(again, "shop"), "blue 87.5 %, green 12.5 %");
	CHECK_STR(shares(again, "web"), "c");
	CHECK_INT(world_find(again, "web")->pools[0].backends[1].admin, ADMIN_DRAIN);
	CHECK_INT(run(&again, "undo", "{\"service\":\"web\",\"force\":true}", 7), 0);
	CHECK_STR(shares(again, "web"), "a");
	world_free(again);
	json_decref(all);
	json_decref(saved);
	free(text);
	done(w);
}
