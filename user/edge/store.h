/* SPDX-License-Identifier: BSD-2-Clause */
/* STATE_DIR/zdd.db: four tables of (key, JSON). Writes go through one worker in order, off the
 * loop; what a full or read-only disk refuses is kept and tried again. */
#ifndef ZDD_STORE_H
#define ZDD_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

enum store_table { STORE_META, STORE_RELEASES, STORE_EVENTS, STORE_SERVICES, STORE_TABLES };

struct store;

/* Called in the loop when writing began to fail (text) or works again (NULL). */
typedef void store_health_fn(void *context, const char *trouble);

/* Never fails for want of a disk: then it only remembers. NULL when memory is out. */
struct store *store_open(uv_loop_t *, const char *dir, store_health_fn *, void *context);
/* Writes what is waiting and closes; blocks. */
void store_close(struct store *);

/* {key: body} of one table, the newest `limit` by key; at start, blocks. Empty on any trouble. */
json_t *store_load(struct store *, enum store_table, unsigned limit);
/* Takes the reference to body; NULL deletes. */
void store_put(struct store *, enum store_table, const char *key, json_t *body);
/* done is called in the loop once all that was put before is written, or could not be (err). */
void store_barrier(struct store *, void (*done)(void *context, int err), void *context);

#endif
