/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "breaker.h"

/* ln E over all signals if signal i had c failures more, and live its own. */
static double log_with(const struct judge *j, unsigned i, double c, double live_bad, double share)
{
	double logs[JUDGE_SIGNALS];

	for (unsigned k = 0; k < j->set.n_signals; k++) {
		struct worse w = j->signal[k].worse;

		if (k == i)
			worse_feed(&w, (struct bad_events){c, c + live_bad, share});
		logs[k] = worse_log(&w);
	}
	return log_mean_exp(logs, j->set.n_signals);
}

static bool decides(const struct judge *j, double c, double live_bad, double share)
{
	for (unsigned i = 0; i < j->set.n_signals; i++)
		if (log_with(j, i, c, live_bad, share) >= -log(j->set.alpha))
			return true;
	return false;
}

unsigned breaker_limit(const struct judge *j, double share, double live_bad)
{
	unsigned low = 0, high = 1;

	while (high < BREAKER_MAX && !decides(j, high, live_bad, share)) {
		low = high;
		high *= 2;
	}
	while (high - low > 1) {
		unsigned middle = low + (high - low) / 2;

		if (decides(j, middle, live_bad, share))
			high = middle;
		else
			low = middle;
	}
	return high;
}
