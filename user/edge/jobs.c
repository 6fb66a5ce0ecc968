/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "applied.h"
#include "hooks.h"
#include "job.h"
#include "proof.h"
#include "publish.h"

enum { TIMEOUT_MS = 30000 };

static const uint64_t stop_patience_ns = 2000000000;

/* The daemon ends. */
static void stop_job(struct job *job)
{
	tell(&job->answer, OUT_ERROR, "zddd is stopping; %s",
	     job->published ? "the change is in force, but its grace period was not waited for"
			    : "nothing changed");
	if (!job->published)
		json_array_clear(job->answer.changes);
	job_finish(job);
}

static void settled(void *context)
{
	struct job *job = context;

	job->awaited = false;
	if (!job->answered)
		job_finish(job);
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
	job_finish(job);
}

/* ---- publishing ---- */

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
		job_finish(job);
	}
	free(error);
}

static void follow_holds(struct job *job)
{
	size_t waiting = holds_follow(job->jobs->daemon->holds);

	if (!strcmp(verb_name(job->verb), "unhold"))
		tell(&job->answer, OUT_REACHED,
		     "%s: new connections go on, %zu that waited are let go",
		     body_text(job, "service"), waiting);
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
	job_remember(job, records);
	json_decref(records);
	follow_holds(job);
	if (body_flag(job, "no_wait")) {
		job_finish(job);
		return;
	}
	job->awaited = true;
	publisher_settled(d->publisher, job->generation, settled, job);
}

/* ---- the beginning ---- */

/* A store that cannot write is a problem of its own; traffic is not kept waiting for it. */
static void intent_written(void *context, int err)
{
	struct job *job = context;

	(void)err;
	job->awaited = false;
	if (job->answered)
		return;
	if (job->jobs->daemon->stopping)
		stop_job(job);
	else
		job_try(job);
}

/* What is to be done goes to the store before it is done. The configuration first: the release is
 * what a later daemon believes it by. */
static void intend(struct job *job, struct txn *t)
{
	struct daemon *d = job->jobs->daemon;

	if (t->next) {
		applied_put(d, t->next->config);
		job->configures = true;
	}
	job_begin_releases(job, t->records);
	txn_rollback(t);
	job->intended = true;
	job->awaited = true;
	store_barrier(d->store, intent_written, job);
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

static bool names_missing_address(struct job *job, const struct world *next)
{
	const struct cfg_address *a =
		is_configuration(job) ? daemon_missing_address(job->jobs->daemon, next) : NULL;

	if (!a)
		return false;
	json_array_clear(job->answer.changes);
	tell(&job->answer, OUT_BAD_REQUEST,
	     "%s:%u: snat.addresses: '%s': not an address of this host",
	     body_text(job, "file") ?: "request", a->line, a->text);
	return true;
}

/* What it takes to end connections of mode local. */
static bool names_lasting_sockets(struct job *job, const struct world *next)
{
	const char *why = datapath_sockets_trouble(job->jobs->daemon->datapath);
	const struct config *c = next->config;
	size_t i = 0;

	while (i < c->n_services &&
	       (c->services[i].forward != FORWARD_LOCAL || c->services[i].drain_then == THEN_KEEP))
		i++;
	if (!why || !is_configuration(job) || i == c->n_services)
		return false;
	json_array_clear(job->answer.changes);
	tell(&job->answer, OUT_BAD_REQUEST,
	     "%s: services.%s.drain.then: expected keep with forward: local: %s",
	     body_text(job, "file") ?: "request", c->services[i].name, why);
	return true;
}

static bool names_bad_user(struct job *job, const struct world *next)
{
	char *error = NULL;

	if (!is_configuration(job) ||
	    !hooks_check_users(next->config, body_text(job, "file") ?: "request", true, &error))
		return false;
	json_array_clear(job->answer.changes);
	tell(&job->answer, OUT_BAD_REQUEST, "%s", error ? error : "out of memory");
	free(error);
	return true;
}

static void go_on(struct job *job, struct txn *t)
{
	if (t->next &&
	    (names_missing_interface(job, t->next) || names_missing_address(job, t->next) ||
	     names_lasting_sockets(job, t->next) || names_bad_user(job, t->next))) {
		txn_rollback(t);
		job_finish(job);
	} else if (nothing_to_do(job)) {
		job->configures = t->next && !body_flag(job, "dry_run"); /* the file may be new */
		txn_rollback(t);
		job_one_revision(job);
		job_finish(job);
	} else if (!job->intended) {
		intend(job, t);
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
	struct txn_ask ask = job_ask(job);
	struct txn t;
	enum outcome o =
		verb_try(job->verb, job->jobs->daemon->world, job->body, &ask, &t, &job->answer);

	if (!o)
		go_on(job, &t);
	else if (may_wait(job))
		park(job, FOR_HEALTH);
	else
		job_finish(job);
}

void job_start(struct jobs *jobs, const struct verb *verb, const json_t *body, const char *who,
	       job_done_fn *done, void *context)
{
	const json_t *timeout = json_object_get(body, "timeout_ms");
	const char *by = json_string_value(json_object_get(body, "by"));
	struct job *job = calloc(1, sizeof(*job));

	if (!job || jobs->daemon->stopping) {
		done(context,
		     plain_answer(OUT_ERROR, "%s",
				  job ? "zddd is stopping; nothing changed" : "out of memory"));
		free(job);
		return;
	}
	job->jobs = jobs;
	job->next_all = jobs->all;
	jobs->all = job;
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
	uint64_t until = uv_hrtime() + stop_patience_ns;

	while (jobs && jobs->parked) {
		struct job *job = jobs->parked;

		unpark(job);
		stop_job(job);
	}
	while (jobs && jobs->all && uv_hrtime() < until)
		uv_run(jobs->daemon->loop, UV_RUN_ONCE); /* the walk's timer wakes it */
	while (jobs && jobs->all)
		stop_job(jobs->all);
	free(jobs);
}
