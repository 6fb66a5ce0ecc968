/* SPDX-License-Identifier: BSD-2-Clause */
/* What every verb records, before it is in force and after. */
#include "sight.h"
#include "reached.h"
#include "verbs.h"

static const struct {
	const char *verb, *body;
} rows[] = {
	{"flip", "{\"targets\":{\"shop\":\"green\"}}"},
	{"share", "{\"service\":\"shop\",\"shares\":{\"green\":12.5}}"},
	{"admin", "{\"service\":\"shop\",\"pool\":\"green\",\"state\":\"drain\"}"},
	{"admin",
	 "{\"service\":\"shop\",\"pool\":\"green\",\"backend\":\"[fd00::2]:8080\",\"state\":\"maint\"}"},
};

static const struct txn_ask ask = {.who = "anna", .now_ms = 1};

static void check(const struct world *w, const json_t *records, bool reached)
{
	json_t *record;
	size_t i;

	CHECK(json_array_size(records) > 0);
	json_array_foreach(records, i, record) {
		const char *name = json_string_value(json_object_get(record, "service"));

		CHECK_INT(change_reached(world_find(w, name),
					 json_string_value(json_object_get(record, "from")),
					 json_string_value(json_object_get(record, "to")), false),
			  reached);
	}
}

TEST(before_and_after)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world *w = sight_make();
		json_t *body = json_loads(rows[i].body, 0, NULL), *records;
		struct answer a = {0};
		struct txn t;

		ROW("%s %s", rows[i].verb, rows[i].body);
		CHECK_INT(verb_try(verb_find(rows[i].verb), w, body, &ask, &t, &a), OUT_REACHED);
		records = json_incref(t.records);
		check(w, records, true);
		txn_rollback(&t);
		check(w, records, false);
		json_decref(records);
		answer_clear(&a);
		json_decref(body);
		world_free(w);
	}
}

/* The way back is reached as well: a backend that is ready again. */
TEST(back_to_ready)
{
	struct world *w = sight_make();
	struct world_service *s = &w->services[0];

	s->pools[0].backends[1].admin = ADMIN_DRAIN;
	CHECK(!change_reached(s, "blue/10.0.1.12:8080 drain", "ready", false));
	s->pools[0].backends[1].admin = ADMIN_READY;
	CHECK(change_reached(s, "blue/10.0.1.12:8080 drain", "ready", false));
	CHECK(!change_reached(s, "blue/10.0.9.9:8080 drain", "ready", false));
	world_free(w);
}

TEST(files)
{
	struct world *w = sight_make();

	CHECK(change_reached(&w->services[0], "configured", "changed", false));
	CHECK(!change_reached(&w->services[0], "configured", "changed", true));
	CHECK(!change_reached(&w->services[0], "configured", "removed", false));
	CHECK(change_reached(NULL, "configured", "removed", false));
	CHECK(!change_reached(NULL, "blue", "green", false));
	world_free(w);
}
