/* SPDX-License-Identifier: BSD-2-Clause */
/* What the API shows of a world: every field of docs/api.md, unknown as null, and the drains. */
#include "config.h"
#include "sight.h"

static const json_t *at(const json_t *o, const char *pool, size_t backend)
{
	json_t *p;
	size_t i;

	json_array_foreach(json_object_get(o, "pools"), i, p)
		if (!strcmp(json_string_value(json_object_get(p, "name")), pool))
			return backend == (size_t)-1
				       ? p
				       : json_array_get(json_object_get(p, "backends"), backend);
	return NULL;
}

static const json_t *pool(const json_t *o, const char *name)
{
	return at(o, name, (size_t)-1);
}

/* The value as it stands in the JSON. */
static const char *said(const json_t *o, const char *key)
{
	static char text[4][256];
	static unsigned turn;
	char *value = json_dumps(json_object_get(o, key), JSON_ENCODE_ANY | JSON_COMPACT), *out;

	out = text[turn++ % 4];
	snprintf(out, sizeof(text[0]), "%s", value ? value : "absent");
	free(value);
	return out;
}

static json_t *view(const struct world *w, const char *service)
{
	return view_service(w, world_find(w, service), &sight_numbers);
}

TEST(times_and_shares)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} times[] = {{0, "null"},
		     {1, "\"1970-01-01T00:00:00.001Z\""},
		     {1795230245678, "\"2026-11-21T03:04:05.678Z\""},
		     {4102444799999, "\"2099-12-31T23:59:59.999Z\""}};
	static const struct {
		uint16_t units;
		const char *text;
	} shares[] = {{0, "0"}, {10000, "100"}, {500, "5"}, {3333, "33.33"}, {1, "0.01"}};

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		json_t *o = json_pack("{s:o}", "t", view_time(times[i].ms));

		CHECK_STR(said(o, "t"), times[i].text);
		json_decref(o);
	}
	for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
		json_t *value = view_share(shares[i].units);
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));

		CHECK_STR(text, shares[i].text);
		free(text);
		json_decref(value);
	}
}

TEST(every_field_is_there)
{
	static const char *const of_service[] = {"service", "state",   "generation", "revision",
						 "live",    "stable",  "released",   "forward",
						 "listen",  "preview", "panic",      "locked",
						 "hold",    "pools",   "drains",     "rollout"};
	static const char *const of_pool[] = {
		"name",      "share",        "measured_share",  "role",
		"takes_new", "flows_active", "flows_half_open", "flows_new",
		"packets",   "bytes",        "backends",        "shown"};
	static const char *const of_backend[] = {
		"address",  "weight",  "admin", "health",       "last_error",      "since",
		"checked",  "packets", "bytes", "flows_active", "flows_half_open", "flows_new",
		"draining", "replies", "mac",   "flows_closed", "reply_bytes",     "flows_cut",
		"ejected",  "signals", "shown", "slow_start"};
	struct world *w = sight_make();
	json_t *o = view(w, "shop");

	for (size_t i = 0; i < sizeof(of_service) / sizeof(*of_service); i++)
		if (!json_object_get(o, of_service[i]))
			CHECK_STR(of_service[i], "in the service");
	for (size_t i = 0; i < sizeof(of_pool) / sizeof(*of_pool); i++)
		if (!json_object_get(pool(o, "green"), of_pool[i]))
			CHECK_STR(of_pool[i], "in the pool");
	for (size_t i = 0; i < sizeof(of_backend) / sizeof(*of_backend); i++)
		if (!json_object_get(at(o, "green", 1), of_backend[i]))
			CHECK_STR(of_backend[i], "in the backend");
	CHECK_INT(json_object_size(o), sizeof(of_service) / sizeof(*of_service));
	CHECK_INT(json_object_size(pool(o, "blue")), sizeof(of_pool) / sizeof(*of_pool));
	CHECK_INT(json_object_size(at(o, "blue", 0)), sizeof(of_backend) / sizeof(*of_backend));
	json_decref(o);
	world_free(w);
}

TEST(what_connections_showed)
{
	struct world *w = sight_make();
	json_t *o = view(w, "shop"), *of_pool = json_object_get(pool(o, "blue"), "shown");
	const json_t *connect = json_object_get(of_pool, "connect_us");

	CHECK_INT(json_equal(of_pool, json_object_get(at(o, "blue", 0), "shown")), 1);
	CHECK_STR(said(json_object_get(of_pool, "5xx"), "n"), "9");
	CHECK_STR(said(of_pool, "bad"), "4");
	CHECK_STR(said(of_pool, "first_byte_us"), "null");
	CHECK_STR(said(connect, "n"), "4");
	CHECK_STR(said(connect, "p50"),
		  "1152"); /* where bucket 80 ends, of 2 and 1024 us once and three times */
	CHECK_STR(said(connect, "p99"), "1152");
	json_decref(o);
	world_free(w);
}

TEST(an_ejected_backend_is_seen)
{
	struct world *w = sight_make();
	struct passive *p = &world_find(w, "shop")->pools[0].backends[1].passive;
	json_t *o = view(w, "shop");

	CHECK_STR(said(at(o, "blue", 1), "ejected"), "null");
	json_decref(o);
	p->state = PASSIVE_EJECTED;
	p->since_ms = 1500;
	p->trial_ms = 11500;
	p->ejections = 2;
	strcpy(p->reason, "in a row: 5 refused");
	sight_change = (struct backend_numbers){.active = 1, .signals = {.refused = 7}};
	o = view(w, "shop");
	CHECK_STR(said(o, "state"), "\"degraded\"");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "ejected"), "reason"),
		  "\"in a row: 5 refused\"");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "ejected"), "next_trial"),
		  "\"1970-01-01T00:00:11.500Z\"");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "signals"), "refused"), "7");
	CHECK_STR(said(at(o, "blue", 1), "health"), "\"up\"");
	json_decref(o);
	p->state = PASSIVE_TRIAL;
	o = view(w, "shop");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "ejected"), "trial"), "true");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "ejected"), "next_trial"), "null");
	json_decref(o);
	world_free(w);
}

TEST(a_slow_start_is_seen)
{
	struct world *w = sight_make();
	struct slow_start *slow = &world_find(w, "shop")->pools[0].backends[1].slow_start;
	json_t *o = view(w, "shop");

	CHECK_STR(said(at(o, "blue", 1), "slow_start"), "null");
	json_decref(o);
	*slow = (struct slow_start){.level = 3, .began_ms = 1500};
	o = view(w, "shop");
	CHECK_STR(said(o, "state"), "\"ok\"");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "slow_start"), "percent"), "30");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "slow_start"), "until"),
		  "\"1970-01-01T00:00:21.500Z\"");
	json_decref(o);
	slow->level = SLOW_START_WHOLE;
	o = view(w, "shop");
	CHECK_STR(said(at(o, "blue", 1), "slow_start"), "null");
	json_decref(o);
	world_free(w);
}

TEST(numbers_go_to_their_own)
{
	struct world *w = sight_make();
	json_t *o = view(w, "shop");

	CHECK_STR(said(o, "state"), "\"ok\"");
	CHECK_STR(said(pool(o, "green"), "flows_active"), "1");
	CHECK_STR(said(pool(o, "green"), "flows_half_open"), "1001");
	CHECK_STR(said(pool(o, "green"), "flows_new"), "2001");
	CHECK_STR(said(pool(o, "green"), "bytes"), "9007199254740991");
	CHECK_STR(said(pool(o, "green"), "measured_share"), "100"); /* of 0 and 1 */
	CHECK_STR(said(at(o, "green", 1), "flows_active"), "11");
	CHECK_STR(said(at(o, "green", 1), "replies"), "3011");
	CHECK_STR(said(at(o, "green", 1), "address"), "\"[fd00::2]:8080\"");
	CHECK_STR(said(at(o, "blue", 0), "checked"), "null");
	CHECK_STR(said(at(o, "blue", 0), "last_error"), "null");
	CHECK_STR(said(o, "rollout"), "null");
	json_decref(o);
	w->services[1].pools[0].object = ZDD_NONE; /* not published yet */
	w->services[1].pools[0].backends[0].object = ZDD_NONE;
	o = view(w, w->services[1].cfg->name);
	CHECK_STR(said(json_array_get(json_object_get(o, "pools"), 0), "measured_share"), "null");
	json_decref(o);
	world_free(w);
}

TEST(state_in_a_word)
{
	static const struct {
		enum health_state live[2], other[2];
		uint16_t share;         /* of the other */
		enum admin_state admin; /* of the first of live */
		const char *state;
	} rows[] = {
		{{HEALTH_UP, HEALTH_UP}, {HEALTH_DOWN, HEALTH_DOWN}, 0, ADMIN_READY, "\"ok\""},
		{{HEALTH_UP, HEALTH_UP}, {HEALTH_DOWN, HEALTH_UP}, 1, ADMIN_READY, "\"degraded\""},
		{{HEALTH_UP, HEALTH_DOWN}, {HEALTH_UP, HEALTH_UP}, 0, ADMIN_READY, "\"degraded\""},
		{{HEALTH_DOWN, HEALTH_DOWN}, {HEALTH_UP, HEALTH_UP}, 0, ADMIN_READY, "\"panic\""},
		{{HEALTH_DOWN, HEALTH_UP}, {HEALTH_UP, HEALTH_UP}, 0, ADMIN_MAINT, "\"ok\""},
		{{HEALTH_UNKNOWN, HEALTH_UP},
		 {HEALTH_UP, HEALTH_UP},
		 0,
		 ADMIN_READY,
		 "\"degraded\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world *w = sight_make();
		struct world_service *s = world_find(w, "shop");
		unsigned live = s->live, other = !live;
		json_t *o;

		ROW("%zu", i);
		for (int b = 0; b < 2; b++) {
			s->pools[live].backends[b].health.state = rows[i].live[b];
			s->pools[other].backends[b].health.state = rows[i].other[b];
		}
		s->pools[live].backends[0].admin = rows[i].admin;
		s->share[other] = rows[i].share;
		s->share[live] = (uint16_t)(ZDD_SHARE_UNITS - rows[i].share);
		o = view(w, "shop");
		CHECK_STR(said(o, "state"), rows[i].state);
		json_decref(o);
		world_free(w);
	}
}

TEST(drains_are_listed_while_something_is_open)
{
	struct world *w = sight_make();
	struct world_service *s = world_find(w, "shop");
	struct world_pool *blue = world_find_pool(s, "blue"), *green = world_find_pool(s, "green");
	json_t *o = view(w, "shop"), *drain;

	CHECK_INT(json_array_size(json_object_get(o, "drains")), 0); /* nothing was released */
	json_decref(o);
	s->released_ms = 1795230245678;
	o = view(w, "shop");
	drain = json_array_get(json_object_get(o, "drains"), 0);
	CHECK_STR(said(drain, "pool"), "\"green\"");
	CHECK_STR(said(drain, "backend"), "null");
	CHECK_STR(said(drain, "open"), "1");
	CHECK_STR(said(drain, "deadline"), "\"2026-11-21T03:09:05.678Z\"");
	json_decref(o);
	green->object = 0; /* with nothing open */
	blue->backends[1].admin = ADMIN_DRAIN;
	blue->backends[1].admin_since_ms = 1795230245678;
	o = view(w, "shop");
	CHECK_INT(json_array_size(json_object_get(o, "drains")), 1);
	drain = json_array_get(json_object_get(o, "drains"), 0);
	CHECK_STR(said(drain, "backend"), "\"10.0.1.12:8080\"");
	CHECK_STR(said(json_object_get(at(o, "blue", 1), "draining"), "deadline"),
		  "\"2026-11-21T03:09:05.678Z\"");
	CHECK_STR(said(at(o, "blue", 0), "draining"), "null");
	json_decref(o);
	world_free(w);
}

TEST(counters_are_all_there)
{
	struct zdd_count_row row = {0};
	size_t n = 0, notes = 0;
	json_t *o, *first;

#define V(...) n++;
	ZDD_VERDICTS(V)
#undef V
#define N(...) notes++;
	ZDD_NOTES(N)
#undef N
	row.verdict[ZDD_V_NEW] = 1ull << 40;
	o = view_counters(&row);
	CHECK_INT(json_array_size(json_object_get(o, "verdicts")), n);
	CHECK_INT(json_array_size(json_object_get(o, "notes")), notes);
	first = json_array_get(json_object_get(o, "verdicts"), ZDD_V_NEW);
	CHECK_STR(said(first, "name"), "\"new\"");
	CHECK_STR(said(first, "count"), "1099511627776");
	CHECK_STR(said(first, "expected"), "true");
	json_decref(o);
}
