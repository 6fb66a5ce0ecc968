/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change leaves behind: releases, events, the saved state, and the answer. */
#include <stdlib.h>

#include "applied.h"
#include "job.h"
#include "proof.h"
#include "saved.h"

/* ---- history ---- */

void job_begin_releases(struct job *job, const json_t *records)
{
	json_t *record;
	size_t i;

	job->releases = calloc(json_array_size(records) + 1, sizeof(*job->releases));
	json_array_foreach(records, i, record) {
		struct release r = {
			.service = json_string_value(json_object_get(record, "service")),
			.kind = verb_name(job->verb),
			.from = json_string_value(json_object_get(record, "from")),
			.to = json_string_value(json_object_get(record, "to")),
			.who = job->who,
			.why = body_text(job, "why"),
		};

		if (!job->releases)
			continue;
		job->releases[i] = journal_begin(job->jobs->daemon->journal, &r);
		if (json_is_true(json_object_get(record, "rollout")))
			job->begins = job->releases[i];
	}
}

/* The rollout that the record says began is known by its release from now on. */
static void number_rollout(struct job *job, const json_t *record, const struct world_service *s)
{
	struct rollout *r = s->rollout && !s->rollout->number ? s->rollout : s->queued;

	if (!json_is_true(json_object_get(record, "rollout")) || !r || r->number)
		return;
	r->number = (uint64_t)job->begins;
	job->answer.rollout = r->number;
}

static void end_other(struct job *job, const json_t *record)
{
	const json_t *ended = json_object_get(record, "ended");

	if (ended)
		journal_end(job->jobs->daemon->journal,
			    json_integer_value(json_object_get(ended, "number")),
			    json_string_value(json_object_get(ended, "result")), job->generation);
}

void job_remember(struct job *job, const json_t *records)
{
	struct daemon *d = job->jobs->daemon;
	json_t *record;
	size_t i;

	json_array_foreach(records, i, record) {
		const char *name = json_string_value(json_object_get(record, "service"));
		const struct world_service *s = world_find(d->world, name);
		struct event e = {.kind = verb_name(job->verb),
				  .service = name,
				  .who = job->who,
				  .generation = job->generation};
		const char *why = body_text(job, "why");

		end_other(job, record);
		if (s)
			number_rollout(job, record, s);
		store_put(d->store, STORE_SERVICES, name, s ? service_saved(s) : NULL);
		journal_event(d->journal, &e, "%s -> %s by %s%s%s",
			      json_string_value(json_object_get(record, "from")),
			      json_string_value(json_object_get(record, "to")), job->who,
			      why ? ": " : "", why ? why : "");
		if (s && json_array_size(records) == 1)
			job->revision = json_integer(s->revision);
	}
}

static void end_releases(struct job *job)
{
	for (int64_t *number = job->releases; number && *number; number++)
		if (*number != job->begins || !job->answer.rollout)
			journal_end(job->jobs->daemon->journal, *number,
				    outcome_word(job->answer.outcome),
				    job->published ? job->generation : 0);
	free(job->releases);
	job->releases = NULL;
}

/* ---- the answer ---- */

void job_one_revision(struct job *job)
{
	const char *name = body_text(job, "service");
	const json_t *targets = json_object_get(job->body, "targets");
	const struct world_service *s;

	if (!name && json_object_size(targets) == 1)
		name = json_object_iter_key(json_object_iter((json_t *)targets));
	s = name ? world_find(job->jobs->daemon->world, name) : NULL;
	if (s)
		job->revision = json_integer(s->revision);
}

static json_t *answer_json(struct job *job)
{
	struct daemon *d = job->jobs->daemon;
	json_t *o = plain_answer(job->answer.outcome, "%s", job->answer.text);
	bool proven = job->published && !body_flag(job, "no_wait");

	json_object_set_new(o, "generation",
			    json_integer((json_int_t)(job->published ? job->generation
								     : d->world->generation)));
	json_object_set_new(o, "revision",
			    job->revision ? json_incref(job->revision) : json_null());
	json_object_set_new(o, "rollout",
			    job->answer.rollout ? json_integer((json_int_t)job->answer.rollout)
						: json_null());
	json_object_set_new(o, "took_ms",
			    json_integer((json_int_t)((uv_hrtime() - job->started_ns) / 1000000)));
	json_object_set_new(o, "changes",
			    job->answer.changes ? json_incref(job->answer.changes) : json_array());
	json_object_set_new(o, "moved",
			    job->answer.moved ? json_incref(job->answer.moved) : json_array());
	json_object_set_new(o, "staying", proof_staying(d, job->moved));
	json_object_set_new(o, "verify",
			    proven ? proof_of(d, job->moved, job->generation) : json_null());
	return o;
}

static void job_free(uv_handle_t *handle)
{
	struct job *job = handle->data;

	answer_clear(&job->answer);
	json_decref(job->moved);
	json_decref(job->revision);
	json_decref(job->body);
	free(job->releases);
	free(job);
}

static void forget(struct job *job)
{
	struct job **at = &job->jobs->all;

	while (*at && *at != job)
		at = &(*at)->next_all;
	if (*at)
		*at = job->next_all;
	job->answered = true;
}

void job_finish(struct job *job)
{
	json_t *answer;

	end_releases(job);
	if (job->configures && job->published)
		applied_settle(job->jobs->daemon);
	else if (job->configures)
		applied_refused(job->jobs->daemon);
	answer = answer_json(job);
	forget(job);
	uv_timer_stop(&job->deadline);
	job->done(job->context, answer);
	if (!job->awaited)
		uv_close((uv_handle_t *)&job->deadline, job_free);
}
