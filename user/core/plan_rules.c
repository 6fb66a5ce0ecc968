/* SPDX-License-Identifier: BSD-2-Clause */
/* Client -> pool: share tables, and cohort rules in order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "explain.h"
#include "seed.h"
#include "share.h"

/* ---- shares ---- */

static uint64_t shares_key(const struct share_pool *pools, size_t n, unsigned live, uint64_t salt)
{
	uint64_t key = salt ^ zdd_mix64(live + 1);

	for (size_t i = 0; i < n; i++)
		key = zdd_mix64(seed_of(pools[i].name, key) + pools[i].share);
	return key;
}

int plan_shares(struct draft *d, const struct world_service *s, struct zdd_service *out)
{
	struct share_pool pools[ZDD_POOLS_PER_SERVICE];
	size_t n = s->cfg->n_pools;
	int64_t first;
	bool fresh;

	if (s->share[s->live] == ZDD_SHARE_UNITS)
		return 0;
	for (size_t i = 0; i < n; i++)
		pools[i] = (struct share_pool){s->cfg->pools[i].name, s->share[i]};
	first = draft_take(d, &d->planner->shares, shares_key(pools, n, s->live, out->salt),
			   ZDD_SHARE_UNITS / 8, "share words", &fresh);
	if (first < 0)
		return (int)first;
	if (fresh)
		share_fill(pools, n, s->live, out->salt, (uint8_t *)(d->memory->shares + first));
	out->share_word = (uint32_t)first;
	out->flags |= ZDD_S_SHARE_TABLE;
	return 0;
}

/* ---- cohorts: the configuration has made sure that they are apart ---- */

static int by_first(const void *a, const void *b)
{
	return memcmp(&((const struct zdd_cohort *)a)->first,
		      &((const struct zdd_cohort *)b)->first, sizeof(struct zdd_addr));
}

static struct zdd_cohort interval(const struct cfg_cohort *cfg)
{
	struct zdd_cohort c = {.first = cfg->first, .last = cfg->first, .pool = cfg->pool};

	for (unsigned bit = cfg->prefix_len; bit < 128; bit++) {
		c.first.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
		c.last.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	}
	return c;
}

static uint64_t cohorts_key(const struct zdd_cohort *list, size_t n)
{
	uint64_t key = n;

	for (size_t i = 0; i < n; i++) {
		key = zdd_mix64(key ^ list[i].first.d[0]) ^ list[i].first.d[1];
		key = zdd_mix64(key) ^ list[i].last.d[0];
		key = zdd_mix64(key ^ zdd_mix64(list[i].last.d[1]) ^ list[i].pool);
	}
	return key;
}

static int write_cohorts(struct draft *d, const struct cfg_service *cfg,
			 const struct zdd_cohort *list, size_t n, struct zdd_service *out)
{
	int64_t first;
	bool fresh;

	if (n > ZDD_COHORTS_PER_SERVICE)
		return explain(d->error, -ENOSPC, "services.%s.cohorts: %zu ranges, at most %d fit",
			       cfg->name, n, ZDD_COHORTS_PER_SERVICE);
	first = draft_take(d, &d->planner->cohorts, cohorts_key(list, n), (uint32_t)n,
			   "cohort rules", &fresh);
	if (first < 0)
		return (int)first;
	if (fresh)
		memcpy(&d->memory->cohorts[first], list, n * sizeof(*list));
	out->cohort = (uint32_t)first;
	out->n_cohorts = (uint32_t)n;
	return 0;
}

int plan_cohorts(struct draft *d, const struct world_service *s, struct zdd_service *out)
{
	size_t n = s->cfg->n_cohorts;
	struct zdd_cohort *list;
	int err;

	if (!n)
		return 0;
	list = calloc(n, sizeof(*list));
	if (!list)
		return explain(d->error, -ENOMEM, "out of memory while compiling a plan");
	for (size_t i = 0; i < n; i++)
		list[i] = interval(&s->cfg->cohorts[i]);
	qsort(list, n, sizeof(*list), by_first);
	err = write_cohorts(d, s->cfg, list, n, out);
	free(list);
	return err;
}
