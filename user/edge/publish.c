/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "jobs.h"
#include "log.h"
#include "publish.h"

enum { RETRY_MS = 1000 };

struct waiter {
	struct waiter *next;
	uint64_t generation;
	void (*done)(void *);
	void *context;
};

struct publisher {
	struct daemon *daemon;
	uv_check_t turn_end;
	uv_idle_t turn_now; /* so that the loop does not sleep before turn_end */
	uv_timer_t retry;
	uv_work_t grace;
	bool waiting_grace, dirty;
	uint64_t grace_from; /* generation that was out when the running grace period began */
	uint64_t settled, count;
	struct waiter *waiters;
	int grace_err;
};

/* ---- grace periods: one at a time, the next covers all that was published meanwhile ---- */

static void tell_waiters(struct publisher *p)
{
	struct waiter **at = &p->waiters;

	while (*at) {
		struct waiter *w = *at;

		if (w->generation > p->settled) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->done(w->context);
		free(w);
		at = &p->waiters; /* done may have added some */
	}
}

static void grace_wait(uv_work_t *work)
{
	struct publisher *p = work->data;

	p->grace_err = datapath_grace(p->daemon->datapath);
}

static void grace_start(struct publisher *p);

static void try_again(uv_timer_t *timer)
{
	struct publisher *p = timer->data;

	grace_start(p);
	if (p->dirty)
		publisher_soon(p);
}

static void grace_over(uv_work_t *work, int status)
{
	struct publisher *p = work->data;

	(void)status;
	p->waiting_grace = false;
	if (p->grace_err) {
		log_error("waiting for the grace period of plan %llu failed: %s; trying again",
			  (unsigned long long)p->grace_from, strerror(-p->grace_err));
		uv_timer_start(&p->retry, try_again, RETRY_MS, 0);
		return;
	}
	p->settled = p->grace_from;
	datapath_settled(p->daemon->datapath, p->settled);
	tell_waiters(p);
	jobs_wake(p->daemon->jobs);
	if (p->dirty)
		publisher_soon(p);
	grace_start(p);
}

static void grace_start(struct publisher *p)
{
	if (p->waiting_grace || p->settled >= p->daemon->world->generation)
		return;
	if (p->daemon->stopping && !p->waiters)
		return;
	p->waiting_grace = true;
	p->grace_from = p->daemon->world->generation;
	p->grace.data = p;
	uv_queue_work(p->daemon->loop, &p->grace, grace_wait, grace_over);
}

void publisher_settled(struct publisher *p, uint64_t generation, void (*done)(void *context),
		       void *context)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w || p->settled >= generation) {
		free(w);
		done(context);
		return;
	}
	w->generation = generation;
	w->done = done;
	w->context = context;
	w->next = p->waiters;
	p->waiters = w;
}

bool publisher_is_settled(const struct publisher *p, uint64_t generation)
{
	return p->settled >= generation;
}

/* ---- publishing ---- */

int publisher_now(struct publisher *p, char **error)
{
	int err;

	slow_starts_begin(p->daemon);
	err = datapath_publish(p->daemon->datapath, p->daemon->world, p->daemon->net, error);
	if (err)
		return err;
	slow_starts_tell(p->daemon);
	p->count++;
	store_put(p->daemon->store, STORE_META, "generation",
		  json_integer((json_int_t)p->daemon->world->generation));
	p->dirty = false; /* the plan holds all that is known */
	grace_start(p);
	return 0;
}

static void publish_joined(struct publisher *p)
{
	char *error = NULL;
	int err = publisher_now(p, &error);

	if (err == -EAGAIN) {
		p->dirty = true;
		grace_start(p);
	} else if (err) {
		char text[256];

		snprintf(text, sizeof(text), "a change of health or neighbours is not in force: %s",
			 error ? error : strerror(-err));
		p->dirty = true;
		daemon_problem(p->daemon, PROBLEM_PUBLISH, text);
		uv_timer_start(&p->retry, try_again, RETRY_MS, 0);
	} else {
		daemon_problem(p->daemon, PROBLEM_PUBLISH, NULL);
	}
	free(error);
}

static void turn_end(uv_check_t *check)
{
	struct publisher *p = check->data;

	uv_check_stop(&p->turn_end);
	uv_idle_stop(&p->turn_now);
	if (p->dirty && !p->daemon->stopping)
		publish_joined(p);
}

static void nothing(uv_idle_t *idle)
{
	(void)idle;
}

void publisher_soon(struct publisher *p)
{
	p->dirty = true;
	uv_check_start(&p->turn_end, turn_end);
	uv_idle_start(&p->turn_now, nothing);
}

uint64_t publisher_count(const struct publisher *p)
{
	return p->count;
}

struct publisher *publisher_make(struct daemon *d)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->daemon = d;
	uv_check_init(d->loop, &p->turn_end);
	uv_idle_init(d->loop, &p->turn_now);
	uv_timer_init(d->loop, &p->retry);
	p->turn_end.data = p;
	p->retry.data = p;
	return p;
}

void publisher_end(struct publisher *p)
{
	while (p && p->waiters) {
		struct waiter *w = p->waiters;

		p->waiters = w->next;
		free(w);
	}
	while (p && p->waiting_grace)
		uv_run(p->daemon->loop, UV_RUN_ONCE); /* the worker uses the data path */
	/* p itself stays for the loop, which has its handles: the process is about to end */
}
