/* SPDX-License-Identifier: BSD-2-Clause */
/* One change request, between jobs.c, which takes it through, and job_end.c, which records it and
 * says what became of it. */
#ifndef ZDD_JOB_H
#define ZDD_JOB_H

#include "daemon.h"
#include "jobs.h"

enum parked { RUNNING, FOR_HEALTH, FOR_ROOM };

struct job {
	struct job *next;     /* of the parked */
	struct job *next_all; /* of those without an answer */
	struct jobs *jobs;
	const struct verb *verb;
	json_t *body;
	char who[96];
	job_done_fn *done;
	void *context;
	uint64_t started_ns;
	uv_timer_t deadline;
	enum parked parked;
	bool timed_out, intended, published, answered;
	bool awaited;    /* the store or the publisher will call back: must not be freed */
	bool configures; /* another configuration, or the same from another file */
	struct answer answer;
	int64_t *releases; /* one per record of the intent, 0-terminated */
	int64_t begins;    /* the one among them that a rollout ends; 0: none */
	json_t *moved;     /* proof.h */
	json_t *revision;  /* of the one service, or null */
	uint64_t generation;
};

struct jobs {
	struct daemon *daemon;
	struct job *parked, *all;
};

static inline bool body_flag(const struct job *job, const char *key)
{
	return json_is_true(json_object_get(job->body, key));
}

static inline const char *body_text(const struct job *job, const char *key)
{
	return json_string_value(json_object_get(job->body, key));
}

/* ask.c */
struct txn_ask job_ask(const struct job *);
/* job_end.c */
/* The releases that history shows as begun; before the plan is published. */
void job_begin_releases(struct job *, const json_t *records);
/* The state of services for a later start, and events; after it. */
void job_remember(struct job *, const json_t *records);
/* The revision that the answer shows: of the one service that the body names. */
void job_one_revision(struct job *);
/* Ends its releases and tells who asked. The job is freed soon. */
void job_finish(struct job *);

#endif
