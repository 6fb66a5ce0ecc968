/* SPDX-License-Identifier: BSD-2-Clause */
/* An absolute guard, "5xx ratio > 5 % over 5m for 2m": a part of bad among exposures that was over a
 * limit in the window of the last 5 minutes at every tick for 2 minutes. Counts are raw: every bad
 * event, whoever had it. Pure, no allocation. */
#ifndef ZDD_GUARD_H
#define ZDD_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/limits.h"

enum { GUARD_SLOTS = 60, GUARD_TEXT = 128 };

struct guard {
	char text[GUARD_TEXT]; /* as written, for messages */
	char signal[ZDD_NAME_MAX];
	uint16_t limit_bp;        /* of 10000 */
	uint32_t over_ms, for_ms; /* over: at least 1 s; for: 0 at once */
};

/* NAME ["ratio"] > PERCENT "over" DURATION ["for" DURATION], spaces where one likes. 0, or -EINVAL
 * with what was expected and where in error (size bytes), *guard then untouched. */
int guard_parse(const char *text, struct guard *, char *error, size_t size);

/* The window in slots of a sixtieth: what leaves it, leaves it a slot at a time. */
struct guard_window {
	uint64_t n[GUARD_SLOTS], bad[GUARD_SLOTS];
	uint64_t slot; /* of the last tick, counted from t = 0 */
};

/* of one side */
struct guard_state {
	struct guard_window window;
	bool over;
	uint64_t since_ms; /* over without a break since the tick of this time */
	uint64_t last_ms;  /* the last tick at which it was over; 0: none */
};

/* bad of n since the tick before; t_ms (at most 2^53) is the end of this one and grows. Returns
 * true while the guard has been over its limit for its time. Never over: a window with a single bad
 * event, whose ratio says more about how few there were. */
bool guard_feed(const struct guard *, struct guard_state *, uint64_t t_ms, uint64_t n,
		uint64_t bad);
/* At some tick within the last window: what was bad then may be in the other side's window still. */
bool guard_was_over(const struct guard *, const struct guard_state *, uint64_t t_ms);
void guard_sums(const struct guard_state *, uint64_t *n, uint64_t *bad);

#endif
