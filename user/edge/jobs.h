/* SPDX-License-Identifier: BSD-2-Clause */
/* Change requests on their way, from the first check to the proven answer:
 *
 *   try --not healthy, no room--> parked --something changed--> try
 *   try --ok--> intent is written --> try again --> published --> grace period over --> answered
 *
 * The second try is there because the world may have moved while the store was written. */
#ifndef ZDD_JOBS_H
#define ZDD_JOBS_H

#include <jansson.h>

#include "verbs.h"

struct daemon;
struct jobs;

struct jobs *jobs_make(struct daemon *);
/* Answers all: what is parked with an error, what is on its way when it is done, or with an error
 * when that takes long. */
void jobs_free(struct jobs *);

/* answer is docs/api.md's; the callee takes it. Called exactly once, perhaps before job_start
 * returns. */
typedef void job_done_fn(void *context, json_t *answer);
void job_start(struct jobs *, const struct verb *, const json_t *body, const char *who,
	       job_done_fn *done, void *context);
/* Health changed or room became free: parked jobs try again. */
void jobs_wake(struct jobs *);

#endif
