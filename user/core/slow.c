/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "slow.h"

enum { BEYOND = 10 };

static void freeze(struct slow *s, double quantile)
{
	uint64_t below = 0;

	if ((double)s->n * (1 - quantile) < BEYOND)
		return;
	for (s->tau = 0; s->tau < LATENCY_BUCKETS - 1; s->tau++) {
		below += s->count[s->tau];
		if ((double)below >= quantile * (double)s->n)
			break;
	}
	s->frozen = true;
}

void slow_step(struct slow *s, double quantile)
{
	freeze(s, quantile);
	memset(s->count, 0, sizeof(s->count));
	s->n = 0;
}

void slow_learn(struct slow *s, const struct latency *live, double quantile)
{
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		s->count[i] += live->count[i];
		s->n += live->count[i];
	}
	if (!s->frozen)
		freeze(s, quantile);
}

void slow_count(const struct slow *s, const struct latency *l, unsigned level, uint64_t *n,
		uint64_t *bad)
{
	unsigned limit = s->tau + 8 * 2 * level; /* 8 buckets an octave */

	*n = *bad = 0;
	for (unsigned i = 0; s->frozen && i < LATENCY_BUCKETS; i++) {
		*n += l->count[i];
		if (i > limit)
			*bad += l->count[i];
	}
}

uint64_t slow_tau_us(const struct slow *s)
{
	return zdd_latency_end_us(s->tau);
}
