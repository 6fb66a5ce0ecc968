/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "store_db.h"

enum { SCHEMA_VERSION = 1, EVENTS_KEPT = 100000 };

static const char *const table_names[] = {"meta", "releases", "events", "services"};

static int fail(struct store_db *s, const char *what)
{
	snprintf(s->trouble, sizeof(s->trouble), "%s %.100s: %s", what, s->path,
		 s->db ? sqlite3_errmsg(s->db) : "cannot be opened");
	return -EIO;
}

static int run(struct store_db *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, "writing");
}

static int make_tables(struct store_db *s)
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

void store_db_close(struct store_db *s)
{
	sqlite3_close(s->db);
	s->db = NULL;
}

/* A database of a later version, or none at all, is not ours to write. */
static int check_version(struct store_db *s)
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

int store_db_open(struct store_db *s)
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
		store_db_close(s);
	return err;
}

int store_db_put(struct store_db *s, enum store_table table, const char *key, const char *body)
{
	sqlite3_stmt *stmt = NULL;
	char sql[128];
	int step;

	snprintf(sql, sizeof(sql),
		 body ? "INSERT OR REPLACE INTO %s (key, body) VALUES (?1, ?2)"
		      : "DELETE FROM %s WHERE key = ?1",
		 table_names[table]);
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail(s, "writing");
	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	if (body)
		sqlite3_bind_text(stmt, 2, body, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return step == SQLITE_DONE ? 0 : fail(s, "writing");
}

int store_db_begin(struct store_db *s)
{
	int err = store_db_open(s);

	return err ? err : run(s, "BEGIN IMMEDIATE");
}

int store_db_end(struct store_db *s, int err)
{
	if (!err)
		err = run(s, "COMMIT");
	if (err && s->db) {
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		store_db_close(s); /* a disk that came back may hold another file */
	}
	return err;
}

static void prune(struct store_db *s)
{
	char sql[128];

	snprintf(sql, sizeof(sql),
		 "DELETE FROM events WHERE key < (SELECT max(key) FROM events) - %d", EVENTS_KEPT);
	sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/* A file that is no database is put aside with a name that says so: nothing is thrown away. */
static void put_aside(struct store_db *s)
{
	char aside[sizeof(s->path) + 32];

	snprintf(aside, sizeof(aside), "%s.broken-%lld", s->path, (long long)time(NULL));
	if (rename(s->path, aside))
		return;
	log_warning("%s; it is kept as %s and a new one begins", s->trouble, aside);
	if (!store_db_open(s))
		s->trouble[0] = '\0';
}

int store_db_start(struct store_db *s, const char *dir)
{
	int err;

	snprintf(s->path, sizeof(s->path), "%s/zdd.db", dir);
	err = store_db_open(s);
	if (err && (strstr(s->trouble, "malformed") || strstr(s->trouble, "not a database"))) {
		put_aside(s);
		err = s->db ? 0 : err;
	}
	if (!err)
		prune(s);
	return err;
}

json_t *store_db_load(struct store_db *s, enum store_table table, unsigned limit)
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
