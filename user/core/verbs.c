/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of verbs and what their bodies may hold. */
#include <string.h>

#include "verbs.h"

enum kind { TEXT, NAME, FLAG, COUNT, OBJECT, LIST };
static const char *const kind_words[] = {"a text",         "a name",    "true or false",
					 "a whole number", "an object", "a list"};

struct key {
	const char *name;
	enum kind kind;
	bool required;
};

struct verb {
	const char *name;
	verb_fn *run;
	size_t body_max;
	struct key keys[8];
};

enum { COMMAND_MAX = 1 << 20, CONFIG_MAX = 16 << 20 };

static const struct key common_keys[] = {
	{"if_revision", COUNT, false}, {"dry_run", FLAG, false},     {"why", TEXT, false},
	{"by", TEXT, false},           {"timeout_ms", COUNT, false}, {"no_wait", FLAG, false},
	{"force", FLAG, false},        {"verify", FLAG, false},      {NULL, TEXT, false}};

static const struct verb verbs[] = {
	{"flip", verb_flip, COMMAND_MAX, {{"targets", OBJECT, true}}},
	{"undo", verb_undo, COMMAND_MAX, {{"service", NAME, true}}},
	{"share", verb_share, COMMAND_MAX, {{"service", NAME, true}, {"shares", OBJECT, true}}},
	{"admin",
	 verb_admin,
	 COMMAND_MAX,
	 {{"service", NAME, true},
	  {"pool", NAME, true},
	  {"backend", NAME, false},
	  {"state", NAME, true}}},
	{"backend",
	 verb_backend,
	 COMMAND_MAX,
	 {{"action", NAME, true},
	  {"service", NAME, true},
	  {"pool", NAME, true},
	  {"address", NAME, true},
	  {"weight", COUNT, false}}},
	{"hold",
	 verb_hold,
	 COMMAND_MAX,
	 {{"service", NAME, true},
	  {"limit_ms", COUNT, false},
	  {"max", COUNT, false},
	  {"then", NAME, false}}},
	{"unhold", verb_unhold, COMMAND_MAX, {{"service", NAME, true}}},
	{"canary",
	 verb_canary,
	 COMMAND_MAX,
	 {{"service", NAME, true},
	  {"pool", NAME, false},
	  {"steps", LIST, false},
	  {"each_ms", COUNT, false},
	  {"until", NAME, false}}},
	{"experiment",
	 verb_experiment,
	 COMMAND_MAX,
	 {{"service", NAME, true}, {"shares", OBJECT, true}}},
	{"roll", verb_roll, COMMAND_MAX, {{"service", NAME, true}, {"pool", NAME, false}}},
	{"deploy", verb_deploy, COMMAND_MAX, {{"service", NAME, true}, {"addresses", LIST, true}}},
	{"promote", verb_promote, COMMAND_MAX, {{"service", NAME, true}, {"full", FLAG, false}}},
	{"pause", verb_pause, COMMAND_MAX, {{"service", NAME, true}}},
	{"resume", verb_resume, COMMAND_MAX, {{"service", NAME, true}}},
	{"abort", verb_abort, COMMAND_MAX, {{"service", NAME, true}}},
	{"lock", verb_lock, COMMAND_MAX, {{"service", NAME, true}}},
	{"unlock", verb_unlock, COMMAND_MAX, {{"service", NAME, true}}},
	{"apply", verb_apply, CONFIG_MAX, {{"config", TEXT, true}, {"file", TEXT, false}}},
	{"restore", verb_restore, CONFIG_MAX, {{"config", TEXT, true}, {"file", TEXT, false}}},
};

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

const char *verb_name(const struct verb *v)
{
	return v->name;
}

size_t verb_body_max(const struct verb *v)
{
	return v->body_max;
}

static bool is_kind(const json_t *value, enum kind kind)
{
	switch (kind) {
	case TEXT:
		return json_is_string(value);
	case NAME:
		return json_string_length(value) && !strchr(json_string_value(value), '\n');
	case FLAG:
		return json_is_boolean(value);
	case COUNT:
		return json_is_integer(value) && json_integer_value(value) >= 0 &&
		       json_integer_value(value) <= UINT32_MAX;
	case OBJECT:
		return json_is_object(value);
	case LIST:
		return json_is_array(value);
	}
	return false;
}

static const struct key *find_key(const struct key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (!strcmp(keys->name, name))
			return keys;
	return NULL;
}

static enum outcome unknown_key(struct answer *a, const struct verb *v, const char *name)
{
	const char *words[16];
	size_t n = 0;

	for (const struct key *k = v->keys; k->name; k++)
		words[n++] = k->name;
	for (const struct key *k = common_keys; k->name; k++)
		words[n++] = k->name;
	const char *near = nearest_word(name, words, n);

	return tell(a, OUT_BAD_REQUEST, "%s: unknown key '%.64s'%s%s%s", v->name, name,
		    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static enum outcome check_body(struct answer *a, const struct verb *v, const json_t *body)
{
	const char *name;
	json_t *value;

	if (!json_is_object(body))
		return tell(a, OUT_BAD_REQUEST, "%s: expected a JSON object", v->name);
	json_object_foreach((json_t *)body, name, value) {
		const struct key *key = find_key(v->keys, name);

		if (!key)
			key = find_key(common_keys, name);
		if (!key)
			return unknown_key(a, v, name);
		if (!is_kind(value, key->kind) && (key->required || !json_is_null(value)))
			return tell(a, OUT_BAD_REQUEST, "%s.%s: expected %s", v->name, name,
				    kind_words[key->kind]);
	}
	for (const struct key *k = v->keys; k->name; k++)
		if (k->required && !json_object_get(body, k->name))
			return tell(a, OUT_BAD_REQUEST, "%s: '%s' is missing: expected %s", v->name,
				    k->name, kind_words[k->kind]);
	return OUT_REACHED;
}

/* What a dry run says instead of the verb's own sentence, which tells of things done. */
static enum outcome only_asked(struct txn *t)
{
	size_t n = json_array_size(t->answer->changes);

	if (!n || !txn_flag(t, "dry_run"))
		return OUT_REACHED;
	json_array_clear(t->answer->moved);
	return tell(t->answer, OUT_REACHED, "%zu change%s, none made (dry run)", n,
		    n == 1 ? "" : "s");
}

enum outcome verb_try(const struct verb *v, struct world *w, const json_t *body,
		      const struct txn_ask *ask, struct txn *t, struct answer *a)
{
	enum outcome o;

	answer_clear(a);
	a->changes = json_array();
	a->moved = json_array();
	o = check_body(a, v, body);
	if (o)
		return o;
	*t = (struct txn){
		.world = w,
		.body = body,
		.ask = ask,
		.now_ms = ask->now_ms,
		.answer = a,
		.records = json_array(),
	};
	o = v->run(t);
	if (o) {
		txn_rollback(t);
		json_array_clear(a->changes);
		json_array_clear(a->moved);
		return o;
	}
	return only_asked(t);
}
