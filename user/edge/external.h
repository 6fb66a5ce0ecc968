/* SPDX-License-Identifier: BSD-2-Clause */
/* The counts of the signal `external`: four counters of a Prometheus, asked for at one moment each
 * interval; what they grew by is what happened. One that fell began anew and counts from there. */
#ifndef ZDD_EXTERNAL_H
#define ZDD_EXTERNAL_H

#include "daemon.h"
#include "judge.h"

struct external;

/* Asks at once. Who does not answer, and why, is an event, once until it answers again. NULL: out of
 * memory. */
struct external *external_begin(struct daemon *, const struct cfg_service *, unsigned canary,
				unsigned live);
/* What came since the last call. */
struct judge_counts external_take(struct external *);
/* NULL is fine. */
void external_end(struct external *);

#endif
