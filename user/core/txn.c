/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "txn.h"

static const struct {
	enum outcome outcome;
	const char *word;
	unsigned status;
} outcomes[] = {
#define E(symbol, code, word, status) {OUT_##symbol, word, status},
	ZDD_OUTCOMES(E)
#undef E
};

const char *outcome_word(enum outcome o)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (outcomes[i].outcome == o)
			return outcomes[i].word;
	return "error";
}

unsigned outcome_status(enum outcome o)
{
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		if (outcomes[i].outcome == o)
			return outcomes[i].status;
	return 500;
}

enum outcome tell(struct answer *a, enum outcome o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(a->text, sizeof(a->text), format, args);
	va_end(args);
	return a->outcome = o;
}

void answer_clear(struct answer *a)
{
	json_decref(a->changes);
	json_decref(a->moved);
	*a = (struct answer){0};
}

json_t *plain_answer(enum outcome outcome, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return json_pack("{s:s, s:i, s:o}", "result", outcome_word(outcome), "exit", outcome,
			 "text", json_string(text) ?: json_string("not UTF-8"));
}

/* ---- finding, with the nearest name for those who mistyped ---- */

static enum outcome no_such(struct answer *a, const char *what, const char *name,
			    const char *const *words, size_t n)
{
	const char *near = nearest_word(name, words, n);

	if (near)
		return tell(a, OUT_NOT_FOUND, "no %s '%.64s'; did you mean '%s'?", what, name,
			    near);
	return tell(a, OUT_NOT_FOUND, "no %s '%.64s'", what, name);
}

enum outcome find_service(struct txn *t, const char *name, struct world_service **out)
{
	const struct config *c = t->world->config;
	const char **words;
	enum outcome o;

	*out = world_find(t->world, name);
	if (*out)
		return OUT_REACHED;
	words = calloc(c->n_services + 1, sizeof(*words));
	for (size_t i = 0; words && i < c->n_services; i++)
		words[i] = c->services[i].name;
	o = no_such(t->answer, "service", name, words, words ? c->n_services : 0);
	free(words);
	return o;
}

enum outcome find_pool(struct txn *t, struct world_service *s, const char *name,
		       struct world_pool **out)
{
	const char *words[ZDD_POOLS_PER_SERVICE];
	char what[ZDD_NAME_MAX + 32];

	*out = world_find_pool(s, name);
	if (*out)
		return OUT_REACHED;
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		words[i] = s->cfg->pools[i].name;
	snprintf(what, sizeof(what), "pool in %s called", s->cfg->name);
	return no_such(t->answer, what, name, words, s->cfg->n_pools);
}

bool txn_flag(const struct txn *t, const char *key)
{
	return json_is_true(json_object_get(t->body, key));
}

const char *txn_text(const struct txn *t, const char *key)
{
	return json_string_value(json_object_get(t->body, key));
}

json_t *txn_record(struct txn *t, const char *service, const char *from, const char *to)
{
	json_t *record = json_pack("{s:s, s:o, s:o}", "service", service, "from", json_sound(from),
				   "to", json_sound(to));

	json_array_append_new(t->records, record);
	return record;
}

void shares_text(const struct world_service *s, const uint16_t *share, char *out, size_t size)
{
	size_t len = 0;

	if (size)
		out[0] = '\0';
	for (size_t i = 0; i < s->cfg->n_pools && len < size; i++) {
		const char *name = s->cfg->pools[i].name;

		if (share[i] == ZDD_SHARE_UNITS)
			len += (size_t)snprintf(out + len, size - len, "%s", name);
		else if (share[i])
			len += (size_t)snprintf(out + len, size - len, "%s%s %g %%",
						len ? ", " : "", name, share[i] / 100.0);
	}
}

/* ---- keeping and undoing ---- */

enum outcome check_revision(struct txn *t, const struct world_service *s)
{
	const json_t *want = json_object_get(t->body, "if_revision");

	if (!json_is_integer(want) || json_integer_value(want) == s->revision)
		return OUT_REACHED;
	return tell(t->answer, OUT_REFUSED, "%s is at revision %u, not %lld: it was changed since",
		    s->cfg->name, s->revision, (long long)json_integer_value(want));
}

static enum outcome check_lock(struct txn *t, const struct world_service *s)
{
	const struct world_lock *lock = &s->lock;

	if (!lock->who[0] || t->over_lock || !strcmp(lock->who, t->ask->who))
		return OUT_REACHED;
	return tell(t->answer, OUT_REFUSED, "%s is locked by %s%s%s; `unlock --force` breaks it",
		    s->cfg->name, lock->who, lock->why[0] ? ": " : "", lock->why);
}

enum outcome may_change(struct txn *t, const struct world_service *s)
{
	enum outcome o = check_lock(t, s);

	return o ? o : check_revision(t, s);
}

static void free_copy(struct world_service *copy)
{
	for (size_t i = 0; copy->pools && i < copy->cfg->n_pools; i++)
		free(copy->pools[i].backends);
	free(copy->pools);
	free(copy->rollout);
	free(copy->queued);
}

static bool copy_pool(struct world_pool *to, const struct world_pool *from)
{
	size_t size = (from->cfg->n_backends + 1) * sizeof(*to->backends);

	*to = *from;
	to->backends = malloc(size);
	if (to->backends)
		memcpy(to->backends, from->backends, size);
	return to->backends;
}

static bool copy_service(struct world_service *to, const struct world_service *from)
{
	bool whole;

	*to = *from;
	to->rollout = to->queued = NULL;
	to->pools = calloc(from->cfg->n_pools, sizeof(*to->pools));
	whole = to->pools && !rollout_copy(&to->rollout, from->rollout) &&
		!rollout_copy(&to->queued, from->queued);
	for (size_t i = 0; whole && i < from->cfg->n_pools; i++)
		whole = copy_pool(&to->pools[i], &from->pools[i]);
	if (!whole)
		free_copy(to);
	return whole;
}

enum outcome touch(struct txn *t, struct world_service *s)
{
	struct saved_service *more;
	enum outcome o;

	for (size_t i = 0; i < t->n_saved; i++)
		if (t->saved[i].at == s)
			return OUT_REACHED;
	o = may_change(t, s);
	if (o)
		return o;
	more = realloc(t->saved, (t->n_saved + 1) * sizeof(*more));
	if (!more)
		return tell(t->answer, OUT_ERROR, "out of memory");
	t->saved = more;
	if (!copy_service(&more[t->n_saved].copy, s))
		return tell(t->answer, OUT_ERROR, "out of memory");
	more[t->n_saved++].at = s;
	s->revision++;
	return OUT_REACHED;
}

/* Back into the same arrays, so that nobody's pointers into world go stale. */
static void put_back(struct saved_service *saved)
{
	struct world_pool *pools = saved->at->pools;

	for (size_t i = 0; i < saved->at->cfg->n_pools; i++) {
		struct world_backend *backends = pools[i].backends;
		const struct world_backend *was = saved->copy.pools[i].backends;

		memcpy(backends, was, pools[i].cfg->n_backends * sizeof(*backends));
		pools[i].object = saved->copy.pools[i].object;
	}
	free(saved->at->rollout);
	free(saved->at->queued);
	*saved->at = saved->copy;
	saved->at->pools = pools;
	saved->copy.rollout = saved->copy.queued = NULL;
}

static void release(struct txn *t, bool undo)
{
	for (size_t i = 0; i < t->n_saved; i++) {
		if (undo)
			put_back(&t->saved[i]);
		free_copy(&t->saved[i].copy);
	}
	free(t->saved);
	json_decref(t->records);
	t->saved = NULL;
	t->n_saved = 0;
	t->records = NULL;
}

void txn_commit(struct txn *t)
{
	release(t, false);
}

void txn_rollback(struct txn *t)
{
	release(t, true);
	world_free(t->next);
	t->next = NULL;
}
