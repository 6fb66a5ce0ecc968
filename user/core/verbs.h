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
verb_fn verb_hold, verb_unhold;
/* Moves the service to these shares; makes the present ones what undo returns to if they baked. */
void service_release(struct world_service *, const uint16_t *share, uint64_t now_ms);

#endif
