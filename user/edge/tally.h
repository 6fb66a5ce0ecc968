/* SPDX-License-Identifier: BSD-2-Clause */
/* The counts of one rollout: each second what the data path counted of both pools goes to the judge and,
 * as a line of zdd-counts(5), to STATE_DIR/counts/NUMBER.jsonl. From there a later daemon gets the
 * judge's mind back, and `zddctl judge` anyone's. */
#ifndef ZDD_TALLY_H
#define ZDD_TALLY_H

#include "daemon.h"
#include "judge_text.h"

struct tally;

/* What is in the file already (a daemon before wrote it) is judged anew at once. NULL when memory is
 * out; a file that cannot be written is an event, and judging goes on without. */
struct tally *tally_begin(struct daemon *, const struct world_service *, const struct rollout *);
void tally_end(struct tally *);

/* A look, any time: a tick when a second has passed since the last one. Returns whether it was one. */
bool tally_look(struct tally *, const struct world_service *, const struct rollout *);

/* The word that holds: rolled back for good, passed until the step is another, paused while it is so. */
struct judge_verdict tally_verdict(const struct tally *);
void tally_text(const struct tally *, char out[JUDGE_TEXT]);
/* What the judge would say were the step's time over now. */
void tally_undecided(const struct tally *, char out[JUDGE_TEXT]);
json_t *tally_json(const struct tally *);
/* Connections that failed on the candidate since the rollout began. */
uint64_t tally_failed(const struct tally *);
/* Failed connections that decide, coming within a second (core/breaker.h). */
unsigned tally_breaker(const struct tally *, double share);

#endif
