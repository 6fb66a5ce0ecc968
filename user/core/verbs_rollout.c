/* SPDX-License-Identifier: BSD-2-Clause */
/* promote, pause, resume, abort: what people do to a rollout that runs. */
#include <stdio.h>
#include <stdlib.h>

#include "config_json.h"
#include "rollout_plan.h"
#include "verbs.h"

/* "release 12, a canary to green, is watching at 5 %" */
static void where_text(const struct world_service *s, const struct rollout *r, char *out,
		       size_t size)
{
	char title[96];

	rollout_title(s, r, title, sizeof(title));
	snprintf(out, size, "release %llu (%s) is %s at %g %%", (unsigned long long)r->number,
		 title, rollout_state_word(r->state), rollout_share(r) / 100.0);
}

enum outcome refuse_running(struct txn *t, const struct world_service *s)
{
	const struct rollout *r = service_rollout(s);
	bool late = r && rollout_state_phase(r->state) == PHASE_LATE;
	char where[200];

	where_text(s, r ? r : s->queued, where, sizeof(where));
	t->answer->rollout = (r ? r : s->queued)->number;
	return tell(t->answer, OUT_REFUSED, "%s: %s: %s", s->cfg->name, where,
		    late && r->rolling.in_place ? "wait until it is stable"
		    : late                      ? "undo takes it back, or wait until it is stable"
						: "abort it first, or wait");
}

void end_rollout(struct txn *t, struct world_service *s, json_t *record)
{
	const struct rollout *r = s->rollout;
	char title[96];

	rollout_title(s, r, title, sizeof(title));
	json_say(t->answer->changes, "%s: release %llu (%s) is %s", s->cfg->name,
		 (unsigned long long)r->number, title, rollout_state_word(r->state));
	json_object_set_new(record, "ended",
			    json_pack("{s:I, s:s}", "number", (json_int_t)r->number, "result",
				      rollout_state_word(r->state)));
}

static const char *why_of(const struct txn *t)
{
	const char *why = txn_text(t, "why");

	return why ? why : "";
}

/* The one that the verb is about: the one that runs, unless only the queued one can be aborted. */
static enum outcome steered(struct txn *t, enum rollout_verb verb, struct world_service **s,
			    struct rollout **out)
{
	enum outcome o = find_service(t, txn_text(t, "service"), s);
	char error[ROLLOUT_WHY];

	if (o)
		return o;
	*out = service_rollout(*s);
	if (verb == DO_ABORT && (*s)->queued && (!*out || rollout_allows(*out, verb, error)))
		*out = (*s)->queued;
	if (!*out)
		*out = (*s)->rollout; /* which is over, and says so */
	if (!*out)
		return tell(t->answer, OUT_REFUSED, "%s has no rollout", (*s)->cfg->name);
	t->answer->rollout = (*out)->number;
	return OUT_REACHED;
}

static enum outcome steer(struct txn *t, enum rollout_verb verb, struct world_service **s,
			  struct rollout **r, char *from, size_t size)
{
	char error[ROLLOUT_WHY];
	enum outcome o = steered(t, verb, s, r);

	if (!o && rollout_allows(*r, verb, error))
		o = tell(t->answer, OUT_REFUSED, "%s: %s", (*s)->cfg->name, error);
	if (!o)
		o = touch(t, *s);
	if (o)
		return o;
	where_text(*s, *r, from, size);
	return rollout_do(*r, verb, t->ask->who, why_of(t), t->now_ms, error)
		       ? tell(t->answer, OUT_REFUSED, "%s: %s", (*s)->cfg->name, error)
		       : OUT_REACHED;
}

static enum outcome steered_text(struct txn *t, const struct world_service *s,
				 const struct rollout *r, const char *from)
{
	const char *word = rollout_state_word(r->state);
	char title[96];

	rollout_title(s, r, title, sizeof(title));
	json_say(t->answer->changes, "%s: %s -> %s", s->cfg->name, from, word);
	txn_record(t, s->cfg->name, from, word);
	return tell(t->answer, OUT_REACHED, "%s: %s: %s, %s", s->cfg->name, title, word,
		    rollout_state_sentence(r->state));
}

static enum outcome go_on(struct txn *t, enum rollout_verb verb)
{
	struct world_service *s;
	struct rollout *r;
	char from[200];
	enum outcome o = steer(t, verb, &s, &r, from, sizeof(from));

	return o ? o : steered_text(t, s, r, from);
}

enum outcome verb_promote(struct txn *t)
{
	return go_on(t, txn_flag(t, "full") ? DO_PROMOTE_FULL : DO_PROMOTE);
}

enum outcome verb_pause(struct txn *t)
{
	return go_on(t, DO_PAUSE);
}

enum outcome verb_resume(struct txn *t)
{
	return go_on(t, DO_RESUME);
}

/* Nothing of it was begun: it is only a release that ends. */
static enum outcome forget_queued(struct txn *t, struct world_service *s, const char *from)
{
	json_t *record = txn_record(t, s->cfg->name, from, "aborted");
	struct rollout *running = s->rollout;

	s->rollout = s->queued;
	end_rollout(t, s, record);
	s->queued = NULL;
	free(s->rollout);
	s->rollout = running;
	return tell(t->answer, OUT_REACHED, "%s: the queued rollout is aborted", s->cfg->name);
}

enum outcome verb_abort(struct txn *t)
{
	struct world_service *s;
	struct rollout *r;
	char from[200], now[256];
	enum outcome o = steer(t, DO_ABORT, &s, &r, from, sizeof(from));

	if (o)
		return o;
	if (r == s->queued)
		return forget_queued(t, s, from);
	service_follow(s);
	shares_text(s, s->share, now, sizeof(now));
	end_rollout(t, s, txn_record(t, s->cfg->name, from, now));
	say_moved(t, s, "");
	return tell(t->answer, OUT_REACHED, "%s: release %llu is aborted, new flows go to %s",
		    s->cfg->name, (unsigned long long)r->number, now);
}
