/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change says it did: one sentence, and one for each service whose new flows were moved. */
#include "sight.h"
#include "verbs.h"

static const struct {
	const char *verb, *body, *text, *moved; /* of the first service, "": none */
} rows[] = {
	{"flip", "{\"targets\":{\"shop\":\"green\"}}", "shop: green is live",
	 "shop: green is live"},
	{"flip", "{\"targets\":{\"shop\":null,\"zero\":\"only\"}}",
	 "shop: green is live; zero: only is live already", "shop: green is live"},
	{"flip", "{\"targets\":{\"shop\":\"blue\"}}", "shop: blue is live already",
	 "shop: blue is live already"},
	{"flip", "{\"targets\":{\"shop\":\"green\"},\"dry_run\":true}",
	 "1 change, none made (dry run)", ""},
	{"share", "{\"service\":\"shop\",\"shares\":{\"green\":12.5}}",
	 "shop: green 12.5 %, blue 87.5 %", "shop: green 12.5 %, blue 87.5 %"},
	{"share", "{\"service\":\"shop\",\"shares\":{\"green\":100}}", "shop: green is live",
	 "shop: green is live"},
	{"admin", "{\"service\":\"shop\",\"pool\":\"green\",\"state\":\"drain\"}",
	 "shop/green drains", ""},
	{"admin",
	 "{\"service\":\"shop\",\"pool\":\"blue\",\"backend\":\"10.0.1.11:8080\",\"state\":"
	 "\"maint\"}",
	 "shop/blue/10.0.1.11:8080 is in maint", ""},
	{"admin", "{\"service\":\"shop\",\"pool\":\"blue\",\"state\":\"ready\"}",
	 "shop/blue is ready already", ""},
	{"admin", "{\"service\":\"shop\",\"pool\":\"green\",\"state\":\"maint\",\"dry_run\":true}",
	 "2 changes, none made (dry run)", ""},
	{"backend",
	 "{\"action\":\"add\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":\"10.0.1.13:80\"}",
	 "shop/blue: added 10.0.1.13:80", ""},
	{"backend",
	 "{\"action\":\"del\",\"service\":\"shop\",\"pool\":\"blue\",\"address\":\"10.0.1.12:8080\","
	 "\"dry_run\":true}",
	 "1 change, none made (dry run)", ""},
};

static const struct txn_ask ask = {.who = "anna", .now_ms = 1};

TEST(words)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world *w = sight_make();
		json_t *body = json_loads(rows[i].body, 0, NULL);
		struct answer a = {0};
		struct txn t;
		const char *moved;

		ROW("%s %s", rows[i].verb, rows[i].body);
		if (!CHECK_INT(verb_try(verb_find(rows[i].verb), w, body, &ask, &t, &a),
			       OUT_REACHED))
			printf("# %s\n", a.text);
		else
			txn_rollback(&t);
		CHECK_STR(a.text, rows[i].text);
		moved = json_string_value(json_object_get(json_array_get(a.moved, 0), "text"));
		CHECK_STR(moved ? moved : "", rows[i].moved);
		answer_clear(&a);
		json_decref(body);
		world_free(w);
	}
}

/* Who is refused hears what would help, in one line. */
TEST(refusals)
{
	static const struct {
		const char *verb, *body, *word;
		int outcome;
	} refused[] = {
		{"admin", "{\"service\":\"shop\",\"pool\":\"blue\",\"state\":\"drain\"}", "force",
		 OUT_REFUSED},
		{"undo", "{\"service\":\"shop\"}", "nothing to undo", OUT_REFUSED},
		{"flip", "{\"targets\":{\"shop\":\"gren\"}}", "did you mean 'green'",
		 OUT_NOT_FOUND},
		{"flip", "{\"targets\":{\"zero\":null}}", "say which", OUT_BAD_REQUEST},
		{"flip", "{\"targets\":{\"shop\":\"green\"},\"if_revision\":7}", "not 7",
		 OUT_REFUSED},
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct world *w = sight_make();
		json_t *body = json_loads(refused[i].body, 0, NULL);
		struct answer a = {0};
		struct txn t;

		ROW("%s", refused[i].body);
		CHECK_INT(verb_try(verb_find(refused[i].verb), w, body, &ask, &t, &a),
			  refused[i].outcome);
		CHECK(strstr(a.text, refused[i].word) && !strchr(a.text, '\n'));
		CHECK_INT(json_array_size(a.moved), 0);
		answer_clear(&a);
		json_decref(body);
		world_free(w);
	}
}
