/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

/* All of a pool that rise or have risen stand at one level: who gets what does not depend on it. */
static bool is_even(const struct world_pool *p)
{
	unsigned level = 0;

	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		unsigned other = p->backends[i].slow_start.level;

		if (level && other && other != level)
			return false;
		level = other ? other : level;
	}
	return true;
}

static bool any_rises(const struct world_pool *p)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (slow_start_rises(&p->backends[i].slow_start))
			return true;
	return false;
}

/* Those that begin while another of their pool is at its first step rise with it: a pool that starts as a
 * whole stays even. */
static uint64_t beginning(const struct world_pool *p, uint64_t now_ms)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		const struct slow_start *other = &p->backends[i].slow_start;

		if (other->level == 1)
			return other->began_ms;
	}
	return now_ms;
}

/* Something is known against it. One that took flows while nobody was known to be up, and waits for its
 * first check while another is, is as warm as that one. */
static bool is_out(const struct world_backend *b)
{
	return b->admin != ADMIN_READY || b->health.state == HEALTH_DOWN || backend_is_ejected(b);
}

/* In panic a backend has all of its weight, and keeps it when health counts again: it is warm then. */
static void begin_pool(const struct world_service *s, struct world_pool *p, uint64_t now_ms)
{
	bool whole = !s->cfg->slow_start_ms || pool_panics(s, p);

	for (size_t i = 0; i < p->cfg->n_backends && !whole; i++)
		slow_start_anchor(&p->backends[i].slow_start, s->cfg->slow_start_ms, now_ms);
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		struct world_backend *b = &p->backends[i];
		struct slow_start *slow = &b->slow_start;
		bool takes = backend_takes_new(s, p, b);

		if (takes && whole) {
			slow->level = SLOW_START_WHOLE;
		} else if (takes && !slow->level) {
			slow->began_ms = beginning(p, now_ms);
			slow->level = 1;
		} else if (!takes && is_out(b)) {
			slow->level = 0;
		}
	}
}

void service_begin_slow_starts(struct world_service *s, uint64_t now_ms)
{
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		begin_pool(s, &s->pools[i], now_ms);
}

static bool pass_pool(const struct world_service *s, struct world_pool *p, uint64_t now_ms)
{
	bool changed = false;

	for (size_t i = 0; i < p->cfg->n_backends; i++)
		changed |=
			slow_start_pass(&p->backends[i].slow_start, s->cfg->slow_start_ms, now_ms);
	return changed;
}

/* The end is worth a plan even where it moves nothing: the data path remembers it. */
bool service_pass_slow_starts(struct world_service *s, uint64_t now_ms)
{
	bool due = false;

	for (size_t i = 0; s->cfg->slow_start_ms && i < s->cfg->n_pools; i++) {
		struct world_pool *p = &s->pools[i];
		bool even = is_even(p);

		if (any_rises(p) && pass_pool(s, p, now_ms))
			due |= !even || !is_even(p) || !any_rises(p);
	}
	return due;
}
