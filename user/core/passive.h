/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive health: what a backend's real connections show (DESIGN 4). Pure: counts over time in, who is
 * ejected and who may be tried out. The same idea as Envoy's outlier detection (consecutive failures,
 * ejection times that grow, a maximum share ejected), but nobody comes back by time alone:
 *
 *          failures in a row                 the wait is over, the check does not say down
 *   IN ----------------------> EJECTED ---------------------------------------------------> TRIAL
 *    ^                          ^  wait x 2 |                                                 |
 *    |                          '-----------'<--- the connection failed ----------------------|
 *    '-------------------------------------------- it was served, or answered and kept -------'
 *
 * A trial is one new connection of a client that the data path sends there. When it is refused, the
 * retry of bpf/retry.h gives its SYN to another backend. */
#ifndef ZDD_PASSIVE_H
#define ZDD_PASSIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/layout.h"

enum passive_state { PASSIVE_IN, PASSIVE_EJECTED, PASSIVE_TRIAL };

struct cfg_passive {
	bool on;
	uint16_t failures;    /* connections in a row, 1.. */
	uint8_t max_ejected;  /* percent of a pool's ready backends; one at least may go */
	uint32_t back_off_ms; /* before the first trial; doubles with each that fails */
};

struct passive {
	enum passive_state state;
	uint16_t ejections;         /* in a row, failed trials included: the back-off */
	bool withheld;              /* IN, though it failed often enough: too many are out */
	uint64_t ejected;           /* ever, by this daemon */
	uint64_t since_ms;          /* wall clock, as all times here: IN or not IN; 0: unknown */
	uint64_t trial_ms;          /* EJECTED: the next trial, not before */
	uint64_t taken_ms;          /* TRIAL: when the connection began, 0: it has not */
	uint64_t answered_ms;       /* TRIAL: when it was answered, 0: not yet */
	uint64_t failed_ms;         /* IN: the last failure of the run */
	struct zdd_signal_row run;  /* IN: the failures in a row, by their kind */
	struct zdd_signal_row last; /* the counters when they were last looked at */
	bool known;                 /* `last` is */
	char reason[96];            /* of the ejection or of the last trial's failure, for people */
};

/* What the counters do not tell. */
struct passive_facts {
	uint64_t now_ms;
	bool may_go;     /* the pool can do without it: pool_spares() */
	bool check_down; /* the active check says down: nothing is tried */
	bool taken;      /* the data path has used its trial, or sends it flows anyway (panic) */
};

enum passive_event {
	PASSIVE_NOTHING,
	PASSIVE_OUT,      /* ejected now */
	PASSIVE_WITHHELD, /* it should be, but too many are */
	PASSIVE_TRY,      /* TRIAL begins: the data path may send one connection */
	PASSIVE_PUT_OFF,  /* TRIAL ends without a connection: the check says down */
	PASSIVE_FAILED,   /* the trial failed, the wait is twice as long */
	PASSIVE_BACK,     /* IN again */
};

/* One look at the counters of a backend. They may begin anew (another object, other maps). */
enum passive_event passive_look(struct passive *, const struct cfg_passive *,
				const struct zdd_signal_row *now, const struct passive_facts *);
/* The active check found it up after it was down: the next trial need not wait. */
void passive_hint(struct passive *, uint64_t now_ms);
/* A person said so, or nobody watches any more: in, with a clean slate. */
void passive_clear(struct passive *);
/* As the data path remembers an ejection. */
void passive_recall(struct passive *, uint64_t since_ms, uint64_t trial_ms, uint16_t ejections);

/* Between an ejection, the `ejections`th in a row, and the trial: doubles, up to 32 times. */
uint64_t passive_wait_ms(const struct cfg_passive *, unsigned ejections);
/* How many connections in a row came to nothing, while IN. */
uint64_t passive_failures(const struct passive *);

#endif
