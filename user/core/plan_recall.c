/* SPDX-License-Identifier: BSD-2-Clause */
/* The other direction: what a running plan says, into world. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static const struct zdd_pool_name *name_of(const struct zdd_memory *m, uint32_t pool)
{
	return pool < m->geometry->pools && m->pool_names[pool].used ? &m->pool_names[pool] : NULL;
}

static const struct zdd_backend *find_backend(const struct zdd_memory *m, uint16_t pool,
					      const struct cfg_backend *cfg, uint16_t *object)
{
	for (uint32_t i = 0; i < m->geometry->backends; i++) {
		const struct zdd_backend *b = &m->backends[i];

		if (!(b->flags & ZDD_B_USED) || b->pool != pool || b->port != htons(cfg->port) ||
		    !zdd_addr_eq(&b->addr, &cfg->addr))
			continue;
		*object = (uint16_t)i;
		return b;
	}
	return NULL;
}

static void recall_backend(struct world_backend *b, const struct zdd_backend *was)
{
	uint32_t flags = was->flags;

	b->admin = flags & ZDD_B_DRAIN   ? ADMIN_DRAIN
		   : flags & ZDD_B_MAINT ? ADMIN_MAINT
					 : ADMIN_READY;
	b->health.state = flags & ZDD_B_UP     ? HEALTH_UP
			  : flags & ZDD_B_DOWN ? HEALTH_DOWN
					       : HEALTH_UNKNOWN;
	b->slow_start = (struct slow_start){.level = was->slow_start};
	b->slow_start.told = slow_start_rises(&b->slow_start);
	if (flags & ZDD_B_EJECTED)
		passive_recall(&b->passive, was->ejected_ms, was->trial_ms, was->ejections);
}

static void recall_pool(const struct zdd_memory *m, uint16_t object, struct world_pool *p)
{
	p->object = object;
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		struct world_backend *b = &p->backends[i];
		const struct zdd_backend *was = find_backend(m, object, b->cfg, &b->object);

		if (was)
			recall_backend(b, was);
	}
}

/* Shares and live, when all pools that have them are still there. A candidate that is not loses
 * its share to live. */
static bool recall_shares(const struct zdd_memory *m, const struct zdd_service *was,
			  struct world_service *s)
{
	uint16_t share[ZDD_POOLS_PER_SERVICE] = {0}, lost = 0;
	struct world_pool *live = NULL;

	for (unsigned i = 0; i < was->n_pools && i < ZDD_POOLS_PER_SERVICE; i++) {
		const struct zdd_pool_name *name = name_of(m, was->pool_id[i]);
		struct world_pool *p = name ? world_find_pool(s, name->pool) : NULL;

		if (i == was->live)
			live = p;
		if (p)
			share[pool_index(s, p)] = was->share[i];
		else
			lost = (uint16_t)(lost + was->share[i]);
	}
	if (!live)
		return false;
	s->live = pool_index(s, live);
	share[s->live] = (uint16_t)(share[s->live] + lost);
	memcpy(s->share, share, sizeof(share));
	return !lost;
}

static bool recall_service(const struct zdd_memory *m, const struct zdd_service *was,
			   struct world_service *s)
{
	for (unsigned i = 0; i < was->n_pools && i < ZDD_POOLS_PER_SERVICE; i++) {
		const struct zdd_pool_name *name = name_of(m, was->pool_id[i]);
		struct world_pool *p = name ? world_find_pool(s, name->pool) : NULL;

		if (p)
			recall_pool(m, was->pool_id[i], p);
	}
	s->revision = was->revision;
	s->leased = was->flags & ZDD_S_LEASED;
	s->hold = (struct world_hold){.number = was->hold,
				      .max = was->hold_max,
				      .reset = was->flags & ZDD_S_HOLD_RESET,
				      .until = was->hold_until};
	return recall_shares(m, was, s);
}

size_t plan_recall(const struct zdd_memory *m, struct world *world)
{
	uint64_t word = m->desk->word;
	const struct zdd_service *was = &m->services[ZDD_WORD_SLOT(word) * m->geometry->services];
	bool *seen = calloc(world->config->n_services + 1, sizeof(*seen));
	size_t incomplete = 0;

	world->generation = ZDD_WORD_GENERATION(word);
	for (uint32_t i = 0; word && seen && i < m->geometry->services && was->n_pools;
	     i++, was++) {
		const struct zdd_pool_name *name = name_of(m, was->pool_id[0]);
		struct world_service *s = name ? world_find(world, name->service) : NULL;

		if (!s || seen[s - world->services])
			continue; /* a preview comes after its service */
		seen[s - world->services] = true;
		incomplete += !recall_service(m, was, s);
	}
	free(seen);
	return incomplete;
}
