/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "geometry.h"
#include "table.h"

enum {
	LOCAL_ADDRESSES = 64, /* what ":443" may stand for */
	SHARE_WORDS = ZDD_SHARE_UNITS / 8,
	LEAST_WORDS = (4 << 20) / 8,
	AMPLE_WORDS = (64 << 20) / 8,
};

/* What a configuration asks for at once. */
struct demand {
	uint64_t services, pools, backends, listeners, cohorts, split, table_words;
};

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* Words of the pool's tables, both families. -> 0 when memory is out: the least will have to do. */
static uint64_t words_of(const struct cfg_pool *pool)
{
	struct table_backend *list = calloc(pool->n_backends + 1, sizeof(*list));
	uint64_t words = 0;

	for (int v4 = 0; v4 < 2 && list; v4++) {
		size_t n = 0;

		for (size_t i = 0; i < pool->n_backends; i++)
			if (zdd_addr_is_v4(&pool->backends[i].addr) == v4)
				list[n++].weight = pool->backends[i].weight;
		words += (table_size(list, n) + 3) / 4;
	}
	free(list);
	return words;
}

/* Four times what is asked for; where that is a lot, twice and some more: a plan that changes every
 * table needs twice. */
static uint64_t ample(uint64_t words)
{
	return words < AMPLE_WORDS ? 4 * words : 2 * (words + AMPLE_WORDS);
}

static void add_listeners(struct demand *d, const struct cfg_listener *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		d->listeners += list[i].any ? LOCAL_ADDRESSES : 1;
}

static struct demand demand_of(const struct config *config)
{
	struct demand d = {0};

	for (size_t i = 0; i < config->n_services; i++) {
		const struct cfg_service *s = &config->services[i];

		d.services += 1 + !!s->n_preview;
		d.pools += s->n_pools + !!s->n_preview;
		d.split += s->n_pools > 1;
		d.cohorts += s->n_cohorts;
		add_listeners(&d, s->listen, s->n_listen);
		add_listeners(&d, s->preview, s->n_preview);
		for (size_t k = 0; k < s->n_pools; k++) {
			d.backends += s->pools[k].n_backends;
			d.table_words += words_of(&s->pools[k]);
		}
	}
	return d;
}

/* Flows -> buckets that are 85 % full at that number. */
static uint32_t buckets_for(uint64_t flows)
{
	return (uint32_t)clamp(flows * 100 / 85 / ZDD_FLOW_WAYS + 1, 128, 1u << 26);
}

/* A backend may have a TCP and a UDP door, each address has one; half of the ways stay free. */
static uint32_t door_buckets(const struct zdd_geometry *g)
{
	return (2 * g->listeners + 3 * g->backends) * 2 / ZDD_DOOR_WAYS;
}

void geometry_for(const struct config *config, struct zdd_geometry *g)
{
	struct demand d = demand_of(config);
	const uint64_t most = ZDD_NONE - 1;

	memset(g, 0, sizeof(*g));
	g->layout_version = ZDD_LAYOUT_VERSION;
	g->services = (uint32_t)clamp(2 * d.services, 64, most);
	g->pools = (uint32_t)clamp(2 * d.pools, 256, most);
	g->backends = (uint32_t)clamp(2 * d.backends, 512, most);
	g->listeners = (uint32_t)clamp(2 * d.listeners, 256, most);
	g->hops = (uint32_t)clamp(2 * d.backends, 1024, most);
	g->door_buckets = door_buckets(g);
	g->table_words = (uint32_t)clamp(ample(d.table_words), LEAST_WORDS, 1u << 28);
	g->share_words = (uint32_t)(SHARE_WORDS * clamp(4 * d.split, 64, 4096));
	g->cohorts = (uint32_t)clamp(4 * d.cohorts, 4 * ZDD_COHORTS_PER_SERVICE, 1u << 22);
	g->tcp_buckets = buckets_for(config->flows_tcp);
	g->half_buckets = (uint32_t)clamp(g->tcp_buckets / 8, 1024, 1u << 26);
	g->udp_buckets = buckets_for(config->flows_udp);
}

/* No more than geometry_for gives, so that what was made by it is enough. */
static uint32_t need(uint64_t wanted, uint32_t given)
{
	return wanted < given ? (uint32_t)wanted : given;
}

bool geometry_has_room(const struct config *config, const struct zdd_geometry *g)
{
	struct demand d = demand_of(config);
	struct zdd_geometry full;

	geometry_for(config, &full);
	return g->services >= need(d.services, full.services) &&
	       g->pools >= need(d.pools, full.pools) &&
	       g->backends >= need(d.backends, full.backends) &&
	       g->listeners >= need(d.listeners, full.listeners) &&
	       g->hops >= need(d.backends + 1, full.hops) &&
	       g->table_words >= need(2 * d.table_words, full.table_words) &&
	       g->share_words >= need(2 * d.split * SHARE_WORDS, full.share_words) &&
	       g->cohorts >= need(2 * d.cohorts, full.cohorts);
}

#define RAISE(field) g->field = g->field < least->field ? least->field : g->field

void geometry_hold(struct zdd_geometry *g, const struct zdd_geometry *least)
{
	RAISE(listeners);
	RAISE(services);
	RAISE(pools);
	RAISE(backends);
	RAISE(hops);
	RAISE(table_words);
	RAISE(share_words);
	RAISE(cohorts);
	g->door_buckets = door_buckets(g);
}
