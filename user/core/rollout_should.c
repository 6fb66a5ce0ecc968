/* SPDX-License-Identifier: BSD-2-Clause */
/* What should be so, by the state of a rollout alone. */
#include <stdio.h>
#include <string.h>

#include "rollout_int.h"

static bool is_back(enum rollout_state state)
{
	return state == ROLLOUT_ABORTED || state == ROLLOUT_SUPERSEDED ||
	       state == ROLLOUT_ROLLED_BACK || state == ROLLOUT_FAILED_SAFE;
}

enum rollout_state rollout_place(const struct rollout *r)
{
	return r->state == ROLLOUT_PAUSED ? r->paused_in : r->state;
}

static bool is_early(const struct rollout *r)
{
	return rollout_state_phase(rollout_place(r)) == PHASE_EARLY;
}

bool rollout_has_share(const struct rollout *r)
{
	return !is_back(rollout_place(r)) && !is_early(r);
}

static bool is_promoted(const struct rollout *r)
{
	return rollout_state_phase(r->state) == PHASE_LATE || r->state == ROLLOUT_STABLE;
}

/* Two states can be the first one with a share. */
bool rollout_had_share(const struct rollout *r)
{
	enum rollout_state place = rollout_place(r);

	if (place == ROLLOUT_SHIFTING)
		return r->step > 0;
	if (place == ROLLOUT_PROMOTED)
		return r->n_steps > 1 && !r->full;
	return rollout_has_share(r);
}

/* A step below what the candidate had takes nothing away. */
uint16_t rollout_share(const struct rollout *r)
{
	uint16_t had = r->base[r->candidate], step = r->steps[r->step].share;

	if (r->rolling.in_place || !rollout_has_share(r))
		return had;
	if (r->strategy == STRATEGY_EXPERIMENT)
		return r->fixed[r->candidate];
	if (is_promoted(r))
		return ZDD_SHARE_UNITS;
	return step > had ? step : had;
}

/* The others keep their proportions; what rounding leaves is the previous pool's. */
static void shrink_rest(const struct rollout *r, uint16_t mine, uint16_t *share)
{
	unsigned rest = ZDD_SHARE_UNITS - mine, had = ZDD_SHARE_UNITS - r->base[r->candidate];
	unsigned given = mine;

	for (unsigned i = 0; i < ZDD_POOLS_PER_SERVICE; i++) {
		if (i == r->candidate || i == r->previous)
			continue;
		share[i] = (uint16_t)(had ? rest * r->base[i] / had : 0);
		given += share[i];
	}
	share[r->candidate] = mine;
	share[r->previous] = (uint16_t)(ZDD_SHARE_UNITS - given);
}

void rollout_shares(const struct rollout *r, uint16_t share[ZDD_POOLS_PER_SERVICE])
{
	bool experiment = r->strategy == STRATEGY_EXPERIMENT;

	if (r->rolling.in_place || !rollout_has_share(r))
		memcpy(share, r->base, sizeof(r->base));
	else if (experiment)
		memcpy(share, r->fixed, sizeof(r->fixed));
	else
		shrink_rest(r, rollout_share(r), share);
}

bool rollout_is_leased(const struct rollout *r)
{
	return r->strategy == STRATEGY_CANARY && rollout_has_share(r) && !is_promoted(r);
}

bool rollout_is_judged(const struct rollout *r)
{
	return rollout_has_share(r) && !rollout_is_over(r) && !r->rolling.in_place &&
	       r->strategy != STRATEGY_ROLLING;
}

void rollout_token(const struct rollout *r, char *out)
{
	const struct rolling *b = &r->rolling;
	unsigned step = is_early(r) ? 0 : r->step + 1;
	int len = snprintf(out, ROLLOUT_TOKEN, "%llu-%u-%s", (unsigned long long)r->number, step,
			   hook_words[r->hook]);

	if (b->in_place && step)
		snprintf(out + len, (size_t)(ROLLOUT_TOKEN - len), "-%u%s", b->first + b->unit,
			 b->back ? "-back" : "");
}
