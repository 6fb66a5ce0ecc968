/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "seed.h"
#include "share.h"

/* Fisher and Yates' shuffle of all buckets. */
static void shuffle(uint16_t order[ZDD_SHARE_UNITS], uint64_t seed)
{
	for (uint32_t i = 0; i < ZDD_SHARE_UNITS; i++)
		order[i] = (uint16_t)i;
	for (uint32_t left = ZDD_SHARE_UNITS; left > 1; left--) {
		uint32_t at = zdd_scale((uint32_t)zdd_mix64(seed + left), left);
		uint16_t swap = order[at];

		order[at] = order[left - 1];
		order[left - 1] = swap;
	}
}

static void claim(const struct share_pool *pool, size_t index, size_t live, uint64_t salt,
		  uint8_t table[ZDD_SHARE_UNITS])
{
	uint16_t order[ZDD_SHARE_UNITS];
	unsigned wanted = pool->share;

	shuffle(order, seed_of(pool->name, salt));
	for (uint32_t i = 0; i < ZDD_SHARE_UNITS && wanted; i++) {
		if (table[order[i]] != live)
			continue;
		table[order[i]] = (uint8_t)index;
		wanted--;
	}
}

static void sort_names(const struct share_pool *pools, size_t n, size_t *sorted)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = i;

		for (; k && strcmp(pools[sorted[k - 1]].name, pools[i].name) > 0; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = i;
	}
}

void share_fill(const struct share_pool *pools, size_t n, size_t live, uint64_t salt,
		uint8_t table[ZDD_SHARE_UNITS])
{
	size_t sorted[ZDD_POOLS_PER_SERVICE];

	memset(table, (int)live, ZDD_SHARE_UNITS);
	sort_names(pools, n, sorted);
	for (size_t i = 0; i < n; i++)
		if (sorted[i] != live && pools[sorted[i]].share)
			claim(&pools[sorted[i]], sorted[i], live, salt, table);
}
