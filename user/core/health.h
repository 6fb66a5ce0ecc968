/* SPDX-License-Identifier: BSD-2-Clause */
/* One rise/fall state machine for all kinds of probe (DESIGN 4). Pure: results in, state out. */
#ifndef ZDD_HEALTH_H
#define ZDD_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

struct health {
	enum health_state state;
	uint16_t
		streak; /* equal results in a row that speak against `state` (or for it, while unknown) */
	bool last_ok;
	uint64_t since_ms;   /* wall clock of the last change of state */
	uint64_t checked_ms; /* wall clock of the last result, 0: never */
	char last_error[96]; /* of the last failed probe, shown to people; "" after a success */
};

struct cfg_health;

/* Feeds one probe's result. Returns true when the state changed. From unknown, the first success
 * makes it up at once and `fall` failures make it down. error may be NULL when ok. */
bool health_feed(struct health *, const struct cfg_health *, bool ok, const char *error,
		 uint64_t now_ms);
/* When the next probe is due, relative to the end of the last: interval, or the fast interval while
 * a change is on its way. */
uint32_t health_next_ms(const struct health *, const struct cfg_health *);

#endif
