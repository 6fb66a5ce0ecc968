/* SPDX-License-Identifier: BSD-2-Clause */
/* The database file under edge/store.h. Used by one thread at a time. All but load: 0 or negative
 * errno, with a sentence in `trouble`. */
#ifndef ZDD_STORE_DB_H
#define ZDD_STORE_DB_H

#include <jansson.h>
#include <sqlite3.h>

#include "store.h"

struct store_db {
	sqlite3 *db; /* NULL: not open */
	char path[4096];
	char trouble[256];
};

/* Opens for the first time: a file that is broken is put aside, old events are dropped. */
int store_db_start(struct store_db *, const char *dir);
int store_db_open(struct store_db *); /* nothing when it is open already */
void store_db_close(struct store_db *);
/* One transaction; end is told what went wrong in it and returns that, or its own error. */
int store_db_begin(struct store_db *);
int store_db_put(struct store_db *, enum store_table, const char *key, const char *body);
int store_db_end(struct store_db *, int err);
json_t *store_db_load(struct store_db *, enum store_table, unsigned limit);

#endif
