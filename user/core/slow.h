/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency as a count: an answer is slow when it comes after tau, the upper edge of the bucket that
 * holds the baseline's p95 (or p99) before the step began. Tau then stays for the step: a threshold
 * that followed the data would be judged by what chose it. Pure. */
#ifndef ZDD_SLOW_H
#define ZDD_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "zdd/signal.h"

/* In the buckets of zdd_latency_bucket. */
enum { LATENCY_BUCKETS = ZDD_LATENCY_BUCKETS };

struct latency {
	uint32_t count[LATENCY_BUCKETS];
};

struct slow {
	uint64_t count[LATENCY_BUCKETS], n; /* the baseline since the step began */
	bool frozen;
	unsigned tau; /* buckets above it are slow */
};

/* Freezes tau when the baseline had enough answers (ten beyond the quantile), else keeps the old one;
 * quantile is .95 or .99. */
void slow_step(struct slow *, double quantile);
/* One tick's baseline. The first tau of all is frozen as soon as there is enough: it counts from the
 * next tick on. */
void slow_learn(struct slow *, const struct latency *, double quantile);
enum { SLOW_LEVELS = 3 };
/* n answers, bad of them later than tau (level 0), 4 times tau (1) or 16 times (2); none before tau is
 * frozen. */
void slow_count(const struct slow *, const struct latency *, unsigned level, uint64_t *n,
		uint64_t *bad);
/* The upper edge of tau's bucket in microseconds. */
uint64_t slow_tau_us(const struct slow *);

#endif
