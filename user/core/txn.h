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
	char text[512];  /* one sentence */
	json_t *changes; /* sentences; owned */
	json_t *moved;   /* [{"service","text"}]: what new flows get now, where asked for; owned */
	bool hopeless;   /* FAILED_SAFE that no waiting will cure */
};

/* Releases what it owns and zeroes it. */
void answer_clear(struct answer *);

/* {"result","exit","text"}: an answer that says no more. New reference. */
json_t *plain_answer(enum outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct saved_service {
	struct world_service *at, copy; /* copy owns its pools */
};

struct txn {
	struct world *world;
	struct world *next; /* owned; replaces world when kept */
	const json_t *body;
	uint64_t now_ms; /* wall clock */
	struct saved_service *saved;
	size_t n_saved;
	json_t *records; /* [{"service","from","to"}]: what history will say; owned */
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
/* Remembers the service, checks if_revision and counts a new revision. Before the first change. */
enum outcome touch(struct txn *, struct world_service *);
enum outcome check_revision(struct txn *, const struct world_service *);
void txn_record(struct txn *, const char *service, const char *from, const char *to);
bool txn_flag(const struct txn *, const char *key);
const char *txn_text(const struct txn *, const char *key); /* or NULL */

/* "blue", or "blue 95 %, green 5 %". */
void shares_text(const struct world_service *, const uint16_t *share, char *out, size_t size);

#endif
