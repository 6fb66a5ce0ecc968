/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "config.h"
#include "health.h"

static void enter(struct health *h, enum health_state state, uint64_t now_ms)
{
	h->state = state;
	h->streak = 0;
	h->since_ms = now_ms;
}

/* How many results against the present state turn it. Unknown believes the first good one: a
 * backend that just answered is worth more than one nobody asked. */
static unsigned needed(const struct health *h, const struct cfg_health *cfg, bool ok)
{
	if (!ok)
		return cfg->fall ? cfg->fall : 1;
	return h->state == HEALTH_UNKNOWN || !cfg->rise ? 1 : cfg->rise;
}

bool health_feed(struct health *h, const struct cfg_health *cfg, bool ok, const char *error,
		 uint64_t now_ms)
{
	enum health_state spoken_for = ok ? HEALTH_UP : HEALTH_DOWN;

	h->checked_ms = now_ms;
	h->last_ok = ok;
	snprintf(h->last_error, sizeof(h->last_error), "%s", ok || !error ? "" : error);
	if (h->state == spoken_for) {
		h->streak = 0;
		return false;
	}
	if (h->streak < UINT16_MAX)
		h->streak++;
	if (h->streak < needed(h, cfg, ok))
		return false;
	enter(h, spoken_for, now_ms);
	return true;
}

uint32_t health_next_ms(const struct health *h, const struct cfg_health *cfg)
{
	bool changing = h->state == HEALTH_UNKNOWN || h->streak;
	bool faster = cfg->fast_interval_ms && cfg->fast_interval_ms < cfg->interval_ms;

	return changing && faster ? cfg->fast_interval_ms : cfg->interval_ms;
}
