/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store_db.h"

enum { RETRY_MS = 5000, KEPT_MAX = 20000 };

/* A write, or (done set) a barrier. Belongs to the queue, then to the worker, then is freed. */
struct op {
	struct op *next;
	enum store_table table;
	char *key, *body; /* body NULL: delete */
	void (*done)(void *, int);
	void *context;
};

struct store {
	uv_loop_t *loop;
	struct store_db db; /* the worker's while it runs, else the loop's */
	store_health_fn *health;
	void *context;
	struct op *first, **last; /* waiting */
	size_t waiting;
	struct op *batch; /* with the worker */
	uv_work_t work;
	uv_timer_t retry;
	bool working, failing;
	int err;
};

/* Runs in the worker, at the end in the loop's thread. */
static int write_batch(struct store *s)
{
	int err = store_db_begin(&s->db);

	for (const struct op *op = s->batch; op && !err; op = op->next)
		if (!op->done)
			err = store_db_put(&s->db, op->table, op->key, op->body);
	return store_db_end(&s->db, err);
}

/* ---- the queue; runs in the loop ---- */

static void op_free(struct op *op)
{
	free(op->key);
	free(op->body);
	free(op);
}

/* Tells the barriers of the batch; what is left of it afterwards is writes. */
static void tell_barriers(struct store *s, int err)
{
	struct op **at = &s->batch;

	while (*at) {
		struct op *op = *at;

		if (!op->done) {
			at = &op->next;
			continue;
		}
		*at = op->next;
		op->done(op->context, err);
		op_free(op);
	}
}

static void drop_batch(struct store *s)
{
	while (s->batch) {
		struct op *op = s->batch;

		s->batch = op->next;
		op_free(op);
	}
}

/* Back in front of the queue, in order. */
static void keep_batch(struct store *s)
{
	struct op **end = &s->batch;

	for (; *end; end = &(*end)->next)
		s->waiting++;
	*end = s->first;
	if (!s->first && s->batch)
		s->last = end;
	s->first = s->batch;
	s->batch = NULL;
}

static void set_failing(struct store *s, bool failing)
{
	if (s->failing == failing)
		return;
	s->failing = failing;
	s->health(s->context, failing ? s->db.trouble : NULL);
}

static bool has_barrier(const struct store *s)
{
	for (const struct op *op = s->first; op; op = op->next)
		if (op->done)
			return true;
	return false;
}

static void kick(struct store *s);

static void retry(uv_timer_t *timer)
{
	kick(timer->data);
}

static void worked(uv_work_t *work, int status)
{
	struct store *s = work->data;
	int err = s->err;

	(void)status;
	tell_barriers(s, err);
	if (err)
		keep_batch(s);
	else
		drop_batch(s);
	s->working = false; /* only now: the batch is empty again */
	set_failing(s, err != 0);
	if (err)
		uv_timer_start(&s->retry, retry, RETRY_MS, 0);
	if (!err || has_barrier(s))
		kick(s);
}

static void work(uv_work_t *w)
{
	struct store *s = w->data;

	s->err = write_batch(s);
}

static void take_all(struct store *s)
{
	s->batch = s->first;
	s->first = NULL;
	s->last = &s->first;
	s->waiting = 0;
}

static void kick(struct store *s)
{
	if (s->working || !s->first)
		return;
	take_all(s);
	s->working = true;
	s->work.data = s;
	uv_queue_work(s->loop, &s->work, work, worked);
}

static void drop_oldest(struct store *s)
{
	struct op *op = s->first;

	if (!op || op->done)
		return;
	s->first = op->next;
	if (!s->first)
		s->last = &s->first;
	s->waiting--;
	op_free(op);
}

static void enqueue(struct store *s, struct op *op)
{
	if (s->waiting >= KEPT_MAX)
		drop_oldest(s);
	op->next = NULL;
	*s->last = op;
	s->last = &op->next;
	s->waiting++;
	/* while the disk fails, barriers are answered at once and writes wait for the timer */
	if (!s->failing || op->done)
		kick(s);
}

void store_put(struct store *s, enum store_table table, const char *key, json_t *body)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op) {
		op->table = table;
		op->key = strdup(key);
		op->body = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
		enqueue(s, op);
	}
	json_decref(body);
}

void store_barrier(struct store *s, void (*done)(void *context, int err), void *context)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op) {
		done(context, -ENOMEM);
		return;
	}
	op->done = done;
	op->context = context;
	enqueue(s, op);
}

/* ---- start and end ---- */

struct store *store_open(uv_loop_t *loop, const char *dir, store_health_fn *health, void *context)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->health = health;
	s->context = context;
	s->last = &s->first;
	uv_timer_init(loop, &s->retry);
	s->retry.data = s;
	s->err = store_db_start(&s->db, dir);
	set_failing(s, s->err != 0);
	if (s->err)
		uv_timer_start(&s->retry, retry, RETRY_MS, 0);
	return s;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	uv_timer_stop(&s->retry);
	while (s->working)
		uv_run(s->loop, UV_RUN_ONCE);
	take_all(s);
	if (s->batch && write_batch(s))
		log_warning("%s; the last lines of history are lost", s->db.trouble);
	drop_batch(s);
	store_db_close(&s->db);
	uv_close((uv_handle_t *)&s->retry, NULL);
	/* s itself stays until the loop has closed the timer: the process is about to end */
}

json_t *store_load(struct store *s, enum store_table table, unsigned limit)
{
	return store_db_load(&s->db, table, limit);
}
