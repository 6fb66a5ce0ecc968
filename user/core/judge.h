/* SPDX-License-Identifier: BSD-2-Clause */
/* The judge of a canary: counts of each tick in, a verdict out. It compares the canary with the live
 * pool in the same ticks, never with a constant or with yesterday. Pure: no clock, no allocation.
 *
 * Per signal, from evidence.h:
 *   worse    over the whole rollout, whatever the share; the mean over the signals reaches 1/alpha:
 *            roll back (an average of e-values is an e-value, Vovk and Wang 2021; one signal alone at
 *            S/alpha makes the average reach it, so that rule needs no line of its own)
 *   late     beside it, for what breaks after a long healthy run: 1e6 ticks between false alarms
 *   ok, slo  from the start of each step; their mean reaches 1/beta for every signal: the step passes
 * Sources, where they are counted, make clumps harmless: a retrying client is one bad source a tick.
 * To roll back, the evidence of sources counts; to pass, that of sources and that of raw events, since
 * sources alone look alike once most of them have met an error. */
#ifndef ZDD_JUDGE_H
#define ZDD_JUDGE_H

#include "evidence.h"
#include "guard.h"
#include "slow.h"

enum {
	JUDGE_SIGNALS = 16,
	JUDGE_GUARDS = 8,
	JUDGE_LOOK = 3,  /* exposures of each side */
	JUDGE_APART = 5, /* ticks for so few exposures: each event stands for itself */
};
#define JUDGE_LATE_TICKS 1e6      /* between false alarms of late */
#define JUDGE_EXTERNAL "external" /* the signal that somebody else counts */

enum side { CANARY, LIVE, SIDES };

struct judge_settings {
	double alpha, beta;       /* wrong roll-backs, wrong passes: 0..1 */
	double margin;            /* 1.2..100: at or above so many times the live rate is no pass */
	double slo;               /* 0..1; 0: none */
	double quantile;          /* of the signal "slow": .95 or .99 */
	uint64_t min_ms, max_ms;  /* a step's; max 0: no end */
	uint64_t min_connections; /* the canary's, in the step */
	uint64_t min_sources;     /* the canary's, since the rollout began */
	char signals[JUDGE_SIGNALS][ZDD_NAME_MAX];
	unsigned n_signals;
	int slow; /* index of the signal that comes from first_byte, -1: none */
	struct guard guards[JUDGE_GUARDS];
	unsigned guard_signal[JUDGE_GUARDS];
	unsigned n_guards;
};

/* Exposures whose outcome became known in the tick, and those among them that were bad; different
 * client addresses among the former and among the latter. At most 1e9 a tick, bad <= n,
 * bad_sources <= sources <= n. */
struct judge_side {
	uint64_t n, bad, sources, bad_sources;
};

struct judge_counts {
	struct judge_side side[SIDES];
	bool by_source; /* sources were counted */
};

struct judge_tick {
	uint64_t t_ms;     /* its end, since the record began; at most 2^53 */
	unsigned step;     /* 1..; 0: before the canary gets a share */
	uint16_t share_bp; /* of new sources that the canary should get, in 0.01 % */
	struct judge_counts counts[JUDGE_SIGNALS];
	uint64_t new_sources[SIDES]; /* seen for the first time in the rollout, not by a rule */
	struct latency first_byte[SIDES];
};

enum judge_result {
	JUDGE_WATCHING, /* nothing to say yet */
	JUDGE_PASSED,   /* said once per step */
	JUDGE_ROLLED_BACK,
	JUDGE_PAUSED,
	JUDGE_INCONCLUSIVE,
};

enum judge_why {
	WHY_TIME,  /* watching: too early; inconclusive: at the deadline */
	WHY_GOOD,  /* passed */
	WHY_WORSE, /* rolled back */
	WHY_LATE,
	WHY_GUARD,
	WHY_BOTH, /* paused: a guard is over its limit on both sides */
	WHY_SPLIT,
};

struct judge_verdict {
	enum judge_result result;
	enum judge_why why;
	unsigned signal; /* the one with most evidence; that of the guard */
	unsigned guard;
};

/* Of what is clumped: the live pool's clumps, and what ticks say. */
struct ticks {
	struct spread spread;
	struct bets bets;
};

struct judge_signal {
	struct worse worse;
	struct ok ok_raw, ok_sources;
	struct slo slo_raw, slo_sources;
	bool clumped;                    /* slow */
	bool asked_for;                  /* external: that it was not met lets nothing pass */
	struct ticks ticks[SLOW_LEVELS]; /* of slow */
	struct judge_counts open;        /* not looked at yet */
	unsigned open_ticks;
	struct judge_counts step, all; /* sums */
};

struct judge {
	struct judge_settings set;
	struct judge_signal signal[JUDGE_SIGNALS];
	struct guard_state guard[JUDGE_GUARDS][SIDES];
	struct split split;
	struct slow slow;
	uint64_t new_sources[SIDES];
	uint64_t t_ms, ticks, step_began_ms;
	unsigned step;
	uint16_t share_bp;
	bool passed; /* the step */
};

void judge_begin(struct judge *, const struct judge_settings *);
/* Ticks in the order of time. What was said last stays said: feed nothing after ROLLED_BACK, PAUSED
 * or INCONCLUSIVE. */
struct judge_verdict judge_feed(struct judge *, const struct judge_tick *);

/* The canary's in this step, of the signal that has most. */
uint64_t judge_connections(const struct judge *);

/* Evidence as natural logarithms. */
double judge_worse_log(const struct judge *); /* over all signals */
double judge_late_log(const struct judge *);  /* over all signals */
double judge_signal_worse_log(const struct judge_signal *);
double judge_signal_late_log(const struct judge_signal *);
double judge_ok_log(const struct judge_signal *);  /* of raw and sources the lesser */
double judge_slo_log(const struct judge_signal *); /* 0 without a limit */
/* A rate (0..1) below which the canary is good enough, however few bad events the live pool has: of
 * slow, margin times what lies beyond the quantile by its definition; of others the slo. 0: none. */
double judge_limit(const struct judge *, unsigned signal);
bool judge_signal_passes(const struct judge *, unsigned signal);
/* How much longer the step takes to pass at its present traffic, if the canary is as good as the live
 * pool; share (0..1) instead of the present one when it is not 0. INFINITY: not on these counts.
 * *signal is the slowest. */
double judge_signal_more_ms(const struct judge *, unsigned signal, double share);
double judge_more_ms(const struct judge *, double share, unsigned *signal);

#endif
