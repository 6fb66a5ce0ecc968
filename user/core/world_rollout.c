/* SPDX-License-Identifier: BSD-2-Clause */
/* A service and its rollouts: which one runs, what it stands on, what it makes of the shares. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rolling.h"
#include "world.h"

struct rollout *service_rollout(const struct world_service *s)
{
	return s->rollout && !rollout_is_over(s->rollout) ? s->rollout : NULL;
}

int rollout_copy(struct rollout **to, const struct rollout *from)
{
	struct rollout *copy = from ? malloc(sizeof(*copy)) : NULL;

	if (from && !copy)
		return -ENOMEM;
	if (copy)
		*copy = *from;
	*to = copy;
	return 0;
}

void service_settle(struct world_service *s, uint64_t now_ms)
{
	if (!s->released_ms || now_ms - s->released_ms >= BAKE_MS)
		service_make_stable(s);
}

/* An experiment decides nothing, and a rollout in place stays in its pool. */
static unsigned live_of(const struct rollout *r)
{
	bool late = rollout_state_phase(r->state) == PHASE_LATE || r->state == ROLLOUT_STABLE;

	return late && r->strategy != STRATEGY_EXPERIMENT ? r->candidate : r->previous;
}

/* Whom a person took out stays as the person wants it; whom an earlier rollout left out stays so until
 * its turn comes. */
static bool hold_out(struct world_backend *b, bool out, uint64_t now_ms)
{
	if (out ? b->admin != ADMIN_READY && !b->left_out : !b->held_out)
		return false;
	b->held_out = out;
	b->left_out = false;
	b->admin = out ? ADMIN_DRAIN : ADMIN_READY;
	b->admin_since_ms = now_ms;
	return true;
}

static bool hold_batch_out(struct world_service *s)
{
	struct world_pool *p = &s->pools[s->rollout->candidate];
	bool changed = false;

	for (unsigned k = 0; k < p->cfg->n_backends; k++) {
		struct world_backend *b = &p->backends[k];

		changed |= hold_out(b, rolling_holds_out(s->rollout, k), s->rollout->state_ms);
		if (!b->held_out || !rollout_is_over(s->rollout))
			continue;
		b->held_out = false;
		b->left_out = true;
	}
	return changed;
}

void service_hold_again(struct world_service *s)
{
	const struct rollout *r = service_rollout(s);

	for (unsigned k = 0; r && k < s->cfg->pools[r->candidate].n_backends; k++)
		if (rolling_holds_out(r, k) &&
		    s->pools[r->candidate].backends[k].admin == ADMIN_READY)
			s->pools[r->candidate].backends[k].held_out = true;
}

bool service_follow(struct world_service *s)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE];
	bool leased = rollout_is_leased(s->rollout), changed = s->leased != leased;
	unsigned was = s->live;

	rollout_shares(s->rollout, share);
	changed |= memcmp(share, s->share, sizeof(share)) != 0;
	memcpy(s->share, share, sizeof(share));
	s->leased = leased;
	s->live = live_of(s->rollout);
	if (s->live != was)
		s->released_ms = s->rollout->state_ms;
	return hold_batch_out(s) || changed;
}

/* ---- beginning ---- */

/* A step that gives the candidate no more than it has would move clients back. */
static void drop_steps(struct rollout *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_steps; i++)
		if (r->steps[i].share > r->base[r->candidate] || i + 1 == r->n_steps)
			r->steps[n++] = r->steps[i];
	r->n_steps = n;
}

void service_ground(const struct world_service *s, struct rollout *r)
{
	memcpy(r->base, s->share, sizeof(r->base));
	r->previous = s->live;
	if (r->rolling.in_place)
		r->candidate = s->live;
	else if (r->strategy != STRATEGY_EXPERIMENT)
		drop_steps(r);
}

bool service_dequeue(struct world_service *s, uint64_t now_ms)
{
	struct rollout *r = s->queued;

	if (!r || service_rollout(s))
		return false;
	free(s->rollout);
	s->rollout = r;
	s->queued = NULL;
	service_settle(s, now_ms);
	service_ground(s, r);
	if (r->candidate != s->live || r->rolling.in_place)
		return true;
	r->state = ROLLOUT_FAILED_SAFE;
	r->state_ms = now_ms;
	snprintf(r->why, sizeof(r->why), "%s became live before it could begin",
		 s->cfg->pools[r->candidate].name);
	return true;
}
