/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that change something: one row of a table each, JSON body in, changed world out.
 * docs/api.md has their bodies. Pure. */
#ifndef ZDD_VERBS_H
#define ZDD_VERBS_H

#include "txn.h"

struct verb;

/* By the last part of its path ("flip"), or NULL. */
const struct verb *verb_find(const char *name);
const char *verb_name(const struct verb *);
/* The body may be this large; configurations are larger than commands. */
size_t verb_body_max(const struct verb *);

/* Validates body against the verb's keys and carries it out on world. OUT_REACHED: *t holds what
 * to commit or roll back, answer the sentence and the list of changes (empty: all was so already).
 * Else world is untouched and *t holds nothing. OUT_FAILED_SAFE without answer->hopeless may
 * succeed later: ask again when health changed. answer is zeroed by the caller before the first
 * call, answer_clear() is for the end. */
enum outcome verb_try(const struct verb *, struct world *, const json_t *body,
		      const struct txn_ask *, struct txn *t, struct answer *);

/* In verbs_move.c and verbs_care.c; the shape of all verbs. */
typedef enum outcome verb_fn(struct txn *);
verb_fn verb_flip, verb_undo, verb_share, verb_admin, verb_backend, verb_apply, verb_restore;
verb_fn verb_hold, verb_unhold, verb_lock, verb_unlock;
verb_fn verb_canary, verb_roll, verb_experiment, verb_deploy;
verb_fn verb_promote, verb_pause, verb_resume, verb_abort;

/* ---- verbs_move.c ---- */

/* Moves the service to these shares; makes the present ones what undo returns to if they baked. */
void service_release(struct world_service *, const uint16_t *share, uint64_t now_ms);

/* "shop: green is live" and `already`, to answer->moved. */
void say_moved(struct txn *, const struct world_service *, const char *already);
/* The pool that is not live, of two. */
enum outcome other_pool(struct txn *, struct world_service *, struct world_pool **);
/* 0 to 100 percent in steps of 0.01. */
bool share_units(const json_t *percent, uint16_t *units);
/* The body's shares; the pools that are not named share the rest as they did before. share is zeroed by
 * the caller. */
enum outcome read_shares(struct txn *, struct world_service *, const uint16_t *before,
			 uint16_t *share);

/* ---- verbs_begin.c ---- */

/* As the file has it, with one step of 100 %. */
struct rollout make_rollout(const struct txn *, const struct world_service *, enum strategy,
			    unsigned candidate);
/* Begins it, or queues it, or refuses, as on_conflict says. */
enum outcome begin_rollout(struct txn *, struct world_service *, struct rollout *);
bool flips_by_rollout(const struct txn *, const struct world_service *);
enum outcome begin_flip(struct txn *, struct world_service *, unsigned pool);

/* ---- verbs_rollout.c ---- */

/* One runs or waits: the sentence says which, and what to do. */
enum outcome refuse_running(struct txn *, const struct world_service *);
/* Its rollout has just ended: says so, and lets the record end its release. */
void end_rollout(struct txn *, struct world_service *, json_t *record);

/* ---- verbs_care.c ---- */

/* Makes t->next of an edited configuration. */
enum outcome adopt_json(struct txn *, const json_t *edited);

#endif
