/* SPDX-License-Identifier: BSD-2-Clause */
/* One change request on its way through the world: validated, tried, then kept or undone. Pure. A
 * verb that fails has changed nothing; one that succeeded has changed world in place (or made
 * `next`), and the caller publishes and then calls txn_commit or txn_rollback. */
#ifndef ZDD_TXN_H
#define ZDD_TXN_H

#include <jansson.h>

#include "world.h"

/* What zddctl exits with. E(symbol, code, word, HTTP status) */
#define ZDD_OUTCOMES(E)                                                                            \
	E(REACHED, 0, "reached", 200)                                                              \
	E(ERROR, 1, "error", 500)                                                                  \
	E(BAD_REQUEST, 2, "bad_request", 400)                                                      \
	E(NOT_FOUND, 3, "not_found", 404)                                                          \
	E(REFUSED, 4, "refused", 409)                                                              \
	E(NOT_PERMITTED, 6, "not_permitted", 403)                                                  \
	E(FAILED_SAFE, 10, "failed_safe", 409)                                                     \
	E(ROLLED_BACK, 11, "rolled_back", 409)                                                     \
	E(ABORTED, 12, "aborted", 409)                                                             \
	E(WAITING, 13, "waiting", 200)                                                             \
	E(INCONCLUSIVE, 14, "inconclusive", 409)                                                   \
	E(TIMEOUT, 15, "timeout", 504)                                                             \
	E(CUT, 16, "cut", 200)                                                                     \
	E(CHANGES, 20, "changes", 200)

enum outcome {
#define E(symbol, code, word, status) OUT_##symbol = code,
	ZDD_OUTCOMES(E)
#undef E
};

const char *outcome_word(enum outcome);
unsigned outcome_status(enum outcome);

struct answer {
	enum outcome outcome;
	char text[512];   /* one sentence */
	json_t *changes;  /* sentences; owned */
	json_t *moved;    /* [{"service","text"}]: what new flows get now, where asked for; owned */
	bool hopeless;    /* FAILED_SAFE that no waiting will cure */
	uint64_t rollout; /* number of the one it is about; 0: of none, or not begun yet */
};

/* Releases what it owns and zeroes it. */
void answer_clear(struct answer *);

/* {"result","exit","text"}: an answer that says no more. New reference. */
json_t *plain_answer(enum outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct saved_service {
	struct world_service *at, copy; /* copy owns its pools */
};

/* New connections of a service as they come now. */
struct txn_rate {
	double per_s;
	double bad; /* 0..1: the part of them that fails; 0: none did, or nobody knows */
};

/* Who asks, and what the edge lends for an answer; without a function nothing is known. */
struct txn_ask {
	const char *who;
	uint64_t now_ms; /* wall clock */
	void *context;
	bool (*rate)(void *context, const struct world_service *, struct txn_rate *);
	/* This host has room for one more version of the service; else why it has not. */
	bool (*room)(void *context, const struct world_service *, char *why, size_t size);
};

struct txn {
	struct world *world;
	struct world *next; /* owned; replaces world when kept */
	const json_t *body;
	const struct txn_ask *ask;
	uint64_t now_ms; /* wall clock */
	bool over_lock;  /* the lock is broken by force */
	struct saved_service *saved;
	size_t n_saved;
	json_t *records; /* what history will say: txn_record(); owned */
	struct answer *answer;
};

/* What txn_try filled in is released by exactly one of these two. */
void txn_commit(struct txn *);
void txn_rollback(struct txn *);

/* For verbs. Each returns an enum outcome, 0 to go on. */
enum outcome tell(struct answer *, enum outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
enum outcome find_service(struct txn *, const char *name, struct world_service **);
enum outcome find_pool(struct txn *, struct world_service *, const char *name,
		       struct world_pool **);
/* Remembers the service, asks may_change and counts a new revision. Before the first change. */
enum outcome touch(struct txn *, struct world_service *);
enum outcome check_revision(struct txn *, const struct world_service *);
/* The service is not locked by someone else, and at the revision that was named. */
enum outcome may_change(struct txn *, const struct world_service *);
/* {"service","from","to"}, and where it is so "rollout": true (the release ends with the rollout that
 * begins) and "ended": {"number","result"} (the release of one that this ends). Borrowed. */
json_t *txn_record(struct txn *, const char *service, const char *from, const char *to);
bool txn_flag(const struct txn *, const char *key);
const char *txn_text(const struct txn *, const char *key); /* or NULL */

/* "blue", or "blue 95 %, green 5 %". */
void shares_text(const struct world_service *, const uint16_t *share, char *out, size_t size);

#endif
