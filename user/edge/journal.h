/* SPDX-License-Identifier: BSD-2-Clause */
/* Events and releases: kept in memory for the API, written behind to the store, shown in the log.
 * A release is begun before its plan is published and ended after, so that a daemon that dies in
 * between leaves a row that the next one closes with what it finds. */
#ifndef ZDD_JOURNAL_H
#define ZDD_JOURNAL_H

#include <jansson.h>
#include <stdint.h>

#include "store.h"

struct journal;

/* Reads what the store has. NULL when memory is out. */
struct journal *journal_open(struct store *);
void journal_close(struct journal *);

/* All texts may be NULL. who: NULL for zddd itself. */
struct event {
	const char *kind, *service, *pool, *backend, *who;
	uint64_t generation; /* 0: none */
};
/* One event: for the API, the store and the log. */
void journal_event(struct journal *, const struct event *, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct release {
	const char *service, *kind, *from, *to, *who, *why;
};
/* Returns the release's number. */
int64_t journal_begin(struct journal *, const struct release *);
/* The first end counts. A release that began a rollout ends with it, by the word of its state. */
void journal_end(struct journal *, int64_t number, const char *result, uint64_t generation);
/* One more fact about a release, told once: value (taken over) is dropped when it has the key. */
void journal_note(struct journal *, int64_t number, const char *key, json_t *value);
/* Calls each for every release that was begun and never ended, with its JSON. */
void journal_each_open(struct journal *,
		       void (*each)(void *context, int64_t number, const json_t *release),
		       void *context);

/* New references. */
json_t *journal_events(const struct journal *, int64_t after);
json_t *journal_releases(const struct journal *, const char *service, size_t limit);
int64_t journal_last_event(const struct journal *);
/* Called after each event. */
void journal_watch(struct journal *, void (*seen)(void *context), void *context);

uint64_t wall_ms(void);

#endif
