/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow start: a backend that begins to take new flows gets a tenth of its weight, then a tenth more with
 * each ninth of the time, all of it when the time is over. Envoy, HAProxy and nginx have the same under
 * the same name. Steps, so that a rise costs nine plans at most and nodes that saw the beginning alike have
 * the same tables. Pure.
 *
 *   level  0 --begins to take--> 1 -> 2 -> ... -> 10
 *          ^------ it takes no new flows any more ---'
 *
 * What a level means for the table is relative (plan_pools.c): a pool whose backends all stand at the same
 * one gives them what it would without slow start. */
#ifndef ZDD_SLOW_START_H
#define ZDD_SLOW_START_H

#include <stdbool.h>
#include <stdint.h>

enum { SLOW_START_WHOLE = 10 };

struct slow_start {
	uint8_t level;     /* tenths of the weight; 0: it takes no new flows */
	bool told;         /* to people, that it rises */
	uint64_t began_ms; /* wall clock; 0: a daemon before began it: slow_start_anchor() */
};

/* So long after it began; time_ms > 0. */
unsigned slow_start_level(uint64_t passed_ms, uint32_t time_ms);
bool slow_start_rises(const struct slow_start *);
unsigned slow_start_percent(const struct slow_start *); /* of the weight */
/* Whatever the clock says, it is at its level now: for one that a daemon before began, and when the clock
 * was set back. Nothing otherwise. */
void slow_start_anchor(struct slow_start *, uint32_t time_ms, uint64_t now_ms);
/* Time passes for one that rises: the level grows, and never falls. Returns whether it grew. */
bool slow_start_pass(struct slow_start *, uint32_t time_ms, uint64_t now_ms);

#endif
