/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "store.h"

enum { SCHEMA_VERSION = 1, RETRY_MS = 5000, KEPT_MAX = 20000, EVENTS_KEPT = 100000 };

static const char *const table_names[] = {"meta", "releases", "events", "services"};

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
	char path[4096];
	sqlite3 *db; /* the worker's while it runs, else the loop's */
	store_health_fn *health;
	void *context;
	struct op *first, **last; /* waiting */
	size_t waiting;
	struct op *batch; /* with the worker */
	uv_work_t work;
	uv_timer_t retry;
	bool working, failing;
	int err;
	char trouble[256];
};

/* ---- SQLite; runs in the worker, at start and end in the loop's thread ---- */

static int fail(struct store *s, const char *what)
{
	snprintf(s->trouble, sizeof(s->trouble), "%s %.100s: %s", what, s->path,
		 s->db ? sqlite3_errmsg(s->db) : "cannot be opened");
	return -EIO;
}

static int run(struct store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, "writing");
}

static int make_tables(struct store *s)
{
	char sql[256];
	int err = 0;

	for (int i = 0; i < STORE_TABLES && !err; i++) {
		bool numbered = i == STORE_RELEASES || i == STORE_EVENTS;

		snprintf(sql, sizeof(sql),
			 "CREATE TABLE IF NOT EXISTS %s (key %s PRIMARY KEY, body TEXT NOT NULL)%s",
			 table_names[i], numbered ? "INTEGER" : "TEXT",
			 numbered ? "" : " WITHOUT ROWID");
		err = run(s, sql);
	}
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", SCHEMA_VERSION);
	return err ? err : run(s, sql);
}

static void shut(struct store *s)
{
	sqlite3_close(s->db);
	s->db = NULL;
}

/* A database of a later version, or none at all, is not ours to write. */
static int check_version(struct store *s)
{
	sqlite3_stmt *stmt = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		version = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	if (version < 0)
		return fail(s, "reading");
	if (version <= SCHEMA_VERSION)
		return 0;
	snprintf(s->trouble, sizeof(s->trouble),
		 "%.100s is of version %d, this zddd knows %d: left alone", s->path, version,
		 SCHEMA_VERSION);
	return -EPROTO;
}

static int open_db(struct store *s)
{
	int err;

	if (s->db)
		return 0;
	if (sqlite3_open(s->path, &s->db) != SQLITE_OK)
		err = fail(s, "opening");
	else
		err = check_version(s);
	if (!err) {
		sqlite3_busy_timeout(s->db, 2000);
		err = run(s, "PRAGMA journal_mode = WAL") ?: run(s, "PRAGMA synchronous = NORMAL");
	}
	if (!err)
		err = make_tables(s);
	if (err)
		shut(s);
	return err;
}

static int write_one(struct store *s, const struct op *op)
{
	sqlite3_stmt *stmt = NULL;
	char sql[128];
	int step;

	if (op->done)
		return 0;
	snprintf(sql, sizeof(sql),
		 op->body ? "INSERT OR REPLACE INTO %s (key, body) VALUES (?1, ?2)"
			  : "DELETE FROM %s WHERE key = ?1",
		 table_names[op->table]);
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail(s, "writing");
	sqlite3_bind_text(stmt, 1, op->key, -1, SQLITE_STATIC);
	if (op->body)
		sqlite3_bind_text(stmt, 2, op->body, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return step == SQLITE_DONE ? 0 : fail(s, "writing");
}

static int write_batch(struct store *s)
{
	int err = open_db(s);

	if (!err)
		err = run(s, "BEGIN IMMEDIATE");
	for (const struct op *op = s->batch; op && !err; op = op->next)
		err = write_one(s, op);
	if (!err)
		err = run(s, "COMMIT");
	if (err && s->db) {
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		shut(s); /* a disk that came back may hold another file */
	}
	return err;
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
	s->health(s->context, failing ? s->trouble : NULL);
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

static void prune(struct store *s)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
		 "DELETE FROM events WHERE key < (SELECT max(key) FROM events) - %d", EVENTS_KEPT);
	sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/* A file that is no database is put aside with a name that says so: nothing is thrown away. */
static void put_aside(struct store *s)
{
	char aside[sizeof(s->path) + 32];

	snprintf(aside, sizeof(aside), "%s.broken-%lld", s->path, (long long)time(NULL));
	if (rename(s->path, aside))
		return;
	log_warning("%s; it is kept as %s and a new one begins", s->trouble, aside);
	if (!open_db(s))
		s->trouble[0] = '\0';
}

struct store *store_open(uv_loop_t *loop, const char *dir, store_health_fn *health, void *context)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	s->health = health;
	s->context = context;
	s->last = &s->first;
	snprintf(s->path, sizeof(s->path), "%s/zdd.db", dir);
	uv_timer_init(loop, &s->retry);
	s->retry.data = s;
	s->err = open_db(s);
	if (s->err && (strstr(s->trouble, "malformed") || strstr(s->trouble, "not a database"))) {
		put_aside(s);
		s->err = s->db ? 0 : s->err;
	}
	if (s->db)
		prune(s);
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
		log_warning("%s; the last lines of history are lost", s->trouble);
	drop_batch(s);
	shut(s);
	uv_close((uv_handle_t *)&s->retry, NULL);
	/* s itself stays until the loop has closed the timer: the process is about to end */
}

json_t *store_load(struct store *s, enum store_table table, unsigned limit)
{
	json_t *all = json_object();
	sqlite3_stmt *stmt = NULL;
	char sql[128];

	if (!s->db)
		return all;
	snprintf(sql, sizeof(sql), "SELECT key, body FROM %s ORDER BY key DESC LIMIT %u",
		 table_names[table], limit);
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return all;
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *body = json_loads((const char *)sqlite3_column_text(stmt, 1),
					  JSON_DECODE_ANY, NULL);

		if (body)
			json_object_set_new(all, (const char *)sqlite3_column_text(stmt, 0), body);
	}
	sqlite3_finalize(stmt);
	return all;
}
