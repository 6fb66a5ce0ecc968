/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "daemon.h"
#include "jobs.h"
#include "proof.h"
#include "publish.h"
#include "saved.h"

enum { TIMEOUT_MS = 30000 };

enum parked { RUNNING, FOR_HEALTH, FOR_ROOM };

struct job {
	struct job *next; /* of the parked */
	struct jobs *jobs;
	const struct verb *verb;
	json_t *body;
	char who[96];
	job_done_fn *done;
	void *context;
	uint64_t started_ns;
	uv_timer_t deadline;
	enum parked parked;
	bool timed_out, intended, published;
	struct answer answer;
	int64_t *releases; /* one per record of the intent, 0-terminated */
	json_t *moved;     /* proof.h */
	json_t *revision;  /* of the one service, or null */
	uint64_t generation;
};

struct jobs {
	struct daemon *daemon;
	struct job *parked;
};

static bool body_flag(const struct job *job, const char *key)
{
	return json_is_true(json_object_get(job->body, key));
}

static const char *body_text(const struct job *job, const char *key)
{
	return json_string_value(json_object_get(job->body, key));
}

/* ---- the end ---- */

static void job_free(uv_handle_t *handle)
{
	struct job *job = handle->data;

	json_decref(job->answer.changes);
	json_decref(job->moved);
	json_decref(job->revision);
	json_decref(job->body);
	free(job->releases);
	free(job);
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
	json_object_set_new(o, "took_ms",
			    json_integer((json_int_t)((uv_hrtime() - job->started_ns) / 1000000)));
	json_object_set_new(o, "changes",
			    job->answer.changes ? json_incref(job->answer.changes) : json_array());
	json_object_set_new(o, "staying", proof_staying(d, job->moved));
	json_object_set_new(o, "verify",
			    proven ? proof_of(d, job->moved, job->generation) : json_null());
	return o;
}

static void end_releases(struct job *job)
{
	for (int64_t *number = job->releases; number && *number; number++)
		journal_end(job->jobs->daemon->journal, *number, outcome_word(job->answer.outcome),
			    job->published ? job->generation : 0);
	free(job->releases);
	job->releases = NULL;
}

static void finish(struct job *job)
{
	json_t *answer;

	end_releases(job);
	answer = answer_json(job);
	uv_timer_stop(&job->deadline);
	job->done(job->context, answer);
	uv_close((uv_handle_t *)&job->deadline, job_free);
}

static void settled(void *context)
{
	finish(context);
}

/* ---- waiting ---- */

static void job_try(struct job *job);

static void park(struct job *job, enum parked why)
{
	struct job **end = &job->jobs->parked;

	while (*end)
		end = &(*end)->next;
	job->parked = why;
	job->next = NULL;
	*end = job;
}

static void unpark(struct job *job)
{
	struct job **at = &job->jobs->parked;

	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
	job->parked = RUNNING;
}

void jobs_wake(struct jobs *jobs)
{
	struct job *list = jobs ? jobs->parked : NULL;

	if (!list)
		return;
	jobs->parked = NULL;
	while (list) {
		struct job *job = list;

		list = job->next;
		job->parked = RUNNING;
		job_try(job);
	}
}

static void deadline_over(uv_timer_t *timer)
{
	struct job *job = timer->data;
	enum parked was = job->parked;

	job->timed_out = true;
	if (was == RUNNING)
		return; /* the store or the grace period will end by themselves */
	unpark(job);
	if (was == FOR_ROOM) {
		job->answer.outcome = OUT_TIMEOUT;
		snprintf(job->answer.text, sizeof(job->answer.text),
			 "no room for another plan became free in time; nothing changed");
	}
	finish(job);
}

/* ---- publishing ---- */

static void remember(struct job *job, const json_t *records)
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

		store_put(d->store, STORE_SERVICES, name, s ? service_saved(s) : NULL);
		journal_event(d->journal, &e, "%s -> %s by %s%s%s",
			      json_string_value(json_object_get(record, "from")),
			      json_string_value(json_object_get(record, "to")), job->who,
			      why ? ": " : "", why ? why : "");
		if (s && json_array_size(records) == 1)
			job->revision = json_integer(s->revision);
	}
}

static void publish_failed(struct job *job, struct txn *t, int err, char *error)
{
	txn_rollback(t);
	if (err == -EAGAIN && !job->timed_out) {
		park(job, FOR_ROOM);
	} else {
		job->answer.outcome = OUT_ERROR;
		json_array_clear(job->answer.changes);
		snprintf(job->answer.text, sizeof(job->answer.text), "nothing changed: %s",
			 error ? error : strerror(-err));
		finish(job);
	}
	free(error);
}

static void publish(struct job *job, struct txn *t)
{
	struct daemon *d = job->jobs->daemon;
	struct world *now = d->world, *next = t->next;
	json_t *records;
	char *error = NULL;
	int err;

	if (next)
		d->world = next;
	err = publisher_now(d->publisher, &error);
	d->world = now;
	if (err) {
		publish_failed(job, t, err, error);
		return;
	}
	job->published = true;
	job->moved = proof_moved(t);
	records = json_incref(t->records);
	t->next = NULL;
	txn_commit(t);
	if (next)
		daemon_adopt_world(d, next);
	job->generation = d->world->generation;
	remember(job, records);
	json_decref(records);
	if (body_flag(job, "no_wait"))
		finish(job);
	else
		publisher_settled(d->publisher, job->generation, settled, job);
}

/* ---- the beginning ---- */

static void begin_releases(struct job *job, const json_t *records)
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

		if (job->releases)
			job->releases[i] = journal_begin(job->jobs->daemon->journal, &r);
	}
}

/* A store that cannot write is a problem of its own; traffic is not kept waiting for it. */
static void intent_written(void *context, int err)
{
	(void)err;
	job_try(context);
}

static bool is_configuration(const struct job *job)
{
	const char *name = verb_name(job->verb);

	return !strcmp(name, "apply") || !strcmp(name, "restore");
}

/* What is so already, and what is only asked about. */
static bool nothing_to_do(struct job *job)
{
	if (!json_array_size(job->answer.changes))
		return true;
	if (!body_flag(job, "dry_run"))
		return false;
	if (is_configuration(job))
		job->answer.outcome = OUT_CHANGES;
	return true;
}

static bool names_missing_interface(struct job *job, const struct world *next)
{
	const struct cfg_interface *f =
		is_configuration(job) ? daemon_missing_interface(job->jobs->daemon, next) : NULL;

	if (!f)
		return false;
	json_array_clear(job->answer.changes);
	tell(&job->answer, OUT_BAD_REQUEST, "%s:%u: interfaces: '%s': no such interface here",
	     body_text(job, "file") ?: "request", f->line, f->name);
	return true;
}

static void one_revision(struct job *job)
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

static void go_on(struct job *job, struct txn *t)
{
	if (t->next && names_missing_interface(job, t->next)) {
		txn_rollback(t);
		finish(job);
	} else if (nothing_to_do(job)) {
		txn_rollback(t);
		one_revision(job);
		finish(job);
	} else if (!job->intended) {
		begin_releases(job, t->records);
		txn_rollback(t);
		job->intended = true;
		store_barrier(job->jobs->daemon->store, intent_written, job);
	} else {
		publish(job, t);
	}
}

static bool may_wait(const struct job *job)
{
	return job->answer.outcome == OUT_FAILED_SAFE && !job->answer.hopeless && !job->timed_out &&
	       !body_flag(job, "no_wait") && !body_flag(job, "dry_run");
}

static void job_try(struct job *job)
{
	struct txn t;
	enum outcome o = verb_try(job->verb, job->jobs->daemon->world, job->body, wall_ms(), &t,
				  &job->answer);

	if (!o)
		go_on(job, &t);
	else if (may_wait(job))
		park(job, FOR_HEALTH);
	else
		finish(job);
}

void job_start(struct jobs *jobs, const struct verb *verb, const json_t *body, const char *who,
	       job_done_fn *done, void *context)
{
	const json_t *timeout = json_object_get(body, "timeout_ms");
	const char *by = json_string_value(json_object_get(body, "by"));
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		done(context, plain_answer(OUT_ERROR, "out of memory"));
		return;
	}
	job->jobs = jobs;
	job->verb = verb;
	job->body = json_incref((json_t *)body);
	job->done = done;
	job->context = context;
	job->started_ns = uv_hrtime();
	snprintf(job->who, sizeof(job->who), by ? "%.64s (%s)" : "%.0s%s", by ? by : "", who);
	uv_timer_init(jobs->daemon->loop, &job->deadline);
	job->deadline.data = job;
	uv_timer_start(
		&job->deadline, deadline_over,
		json_is_integer(timeout) ? (uint64_t)json_integer_value(timeout) : TIMEOUT_MS, 0);
	job_try(job);
}

struct jobs *jobs_make(struct daemon *d)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (jobs)
		jobs->daemon = d;
	return jobs;
}

void jobs_free(struct jobs *jobs)
{
	while (jobs && jobs->parked) {
		struct job *job = jobs->parked;

		unpark(job);
		job->answer.outcome = OUT_ERROR;
		snprintf(job->answer.text, sizeof(job->answer.text), "zddd is stopping");
		finish(job);
	}
	free(jobs);
}
