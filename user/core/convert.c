/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "convert.h"
#include "doors.h"
#include "flows.h"
#include "rows.h"

#define LESS(a, b) ((a) < (b) ? (a) : (b))
#define RAISE(to, value) ((to) = (to) < (value) ? (value) : (to))

/* ---- how much there is ---- */

static void least_objects(const struct zdd_memory *m, struct zdd_geometry *least)
{
	for (uint32_t i = 0; i < m->geometry->listeners; i++)
		if (m->listeners[i].used)
			RAISE(least->listeners, i + 1);
	for (uint32_t i = 0; i < m->geometry->pools; i++)
		if (m->pool_names[i].used)
			RAISE(least->pools, i + 1);
	for (uint32_t i = 0; i < m->geometry->backends; i++) {
		if (!(m->backends[i].flags & ZDD_B_USED))
			continue;
		RAISE(least->backends, i + 1);
		RAISE(least->hops, m->backends[i].hop + 1u);
	}
}

static int least_of_service(const struct zdd_memory *m, unsigned slot, const struct zdd_service *s,
			    struct zdd_geometry *least)
{
	const struct zdd_pool *pool = &m->pools[slot * m->geometry->pools + s->pool];

	if (s->pool > m->geometry->pools || s->n_pools > m->geometry->pools - s->pool)
		return -EPROTO;
	RAISE(least->pools, s->pool + s->n_pools);
	for (unsigned i = 0; i < s->n_pools * 2u; i++)
		if (pool[i / 2].n_slots[i & 1] > 1)
			RAISE(least->table_words,
			      pool[i / 2].table[i & 1] + (pool[i / 2].n_slots[i & 1] + 3) / 4);
	if (s->flags & ZDD_S_SHARE_TABLE)
		RAISE(least->share_words, s->share_word + ZDD_SHARE_UNITS / 8);
	if (s->n_cohorts)
		RAISE(least->cohorts, s->cohort + s->n_cohorts);
	return 0;
}

static uint32_t n_services(const struct zdd_memory *m, unsigned slot)
{
	const struct zdd_service *s = &m->services[slot * m->geometry->services];
	uint32_t n = 0;

	while (n < m->geometry->services && s[n].n_pools)
		n++;
	return n;
}

int convert_least(const struct zdd_memory *m, struct zdd_geometry *least)
{
	const struct zdd_geometry *g = m->geometry;
	uint64_t word = m->desk->word;
	unsigned slot = ZDD_WORD_SLOT(word);
	int err = slot < ZDD_PLAN_SLOTS ? 0 : -EPROTO;

	memset(least, 0, sizeof(*least));
	least_objects(m, least);
	if (!word || err)
		return err;
	least->services = n_services(m, slot);
	for (uint32_t i = 0; i < least->services && !err; i++)
		err = least_of_service(m, slot, &m->services[slot * g->services + i], least);
	if (least->table_words > g->table_words || least->share_words > g->share_words ||
	    least->cohorts > g->cohorts || least->hops > g->hops)
		return -EPROTO;
	return err;
}

/* ---- objects and plan of one layout, other sizes ---- */

#define COPY(field, n)                                                                             \
	memcpy(to->field, from->field,                                                             \
	       sizeof(*to->field) * LESS(from->geometry->n, to->geometry->n))

/* Doors are hashed by how many there are: each goes to its new place. Into slot 0. */
static int copy_doors(const struct zdd_memory *from, const struct zdd_memory *to, unsigned slot)
{
	const struct zdd_door_bucket *b = &from->doors[slot * from->geometry->door_buckets];
	int err = 0;

	memset(to->doors, 0, sizeof(*to->doors) * to->geometry->door_buckets);
	for (uint32_t i = 0; i < from->geometry->door_buckets; i++, b++)
		for (unsigned w = 0; w < ZDD_DOOR_WAYS && !ZDD_DOOR_IS_FREE(b->way[w].kind) && !err;
		     w++)
			err = door_put(to->doors, to->geometry->door_buckets, &b->way[w]);
	return err;
}

static int copy_plan(const struct zdd_memory *from, const struct zdd_memory *to)
{
	uint64_t word = from->desk->word;
	unsigned slot = ZDD_WORD_SLOT(word);
	uint32_t services = n_services(from, slot);

	COPY(tables, table_words);
	COPY(shares, share_words);
	COPY(cohorts, cohorts);
	memcpy(to->pools, from->pools + slot * from->geometry->pools,
	       sizeof(*to->pools) * LESS(from->geometry->pools, to->geometry->pools));
	memset(to->services, 0, sizeof(*to->services) * to->geometry->services);
	memcpy(to->services, from->services + slot * from->geometry->services,
	       sizeof(*to->services) * services);
	if (from->snat)
		to->snat[0] = from->snat[slot];
	to->desk->word = word ? ZDD_WORD(ZDD_WORD_GENERATION(word), 0) : 0;
	return word ? copy_doors(from, to, slot) : 0;
}

static int copy_objects(const struct zdd_memory *from, const struct zdd_memory *to)
{
	COPY(listeners, listeners);
	COPY(pool_names, pools);
	COPY(backends, backends);
	COPY(hops, hops);
	memcpy(to->links, from->links, sizeof(*to->links) * ZDD_LINKS);
	if (from->overrides)
		COPY(overrides, pools);
	if (from->met)
		memcpy(to->met, from->met, sizeof(*to->met) * ZDD_MET_WORDS);
	if (from->sources)
		memcpy(to->sources, from->sources, sizeof(*to->sources) * ZDD_SOURCES);
	to->desk->flow_seed = from->desk->flow_seed;
	to->desk->netns_cookie = from->desk->netns_cookie;
	return copy_plan(from, to);
}

/* What this memory learned meanwhile stays. */
static void copy_memo(const struct zdd_memory *from, const struct zdd_memory *to)
{
	for (uint32_t i = 0; i < ZDD_MEMO_SETS * ZDD_MEMO_WAYS; i++) {
		uint32_t set = i / ZDD_MEMO_WAYS, way = i % ZDD_MEMO_WAYS;
		const struct zdd_memo *old = &from->memo[set].memo[way];
		struct zdd_memo *new = &to->memo[set].memo[way];

		if (new->who || !old->who)
			continue;
		__atomic_store_n(&new->way, old->way, __ATOMIC_RELAXED);
		if (from->memo_whom)
			to->memo_whom[set].whom[way] = from->memo_whom[set].whom[way];
		__atomic_store_n(&new->who, old->who, __ATOMIC_RELEASE);
	}
}

static size_t copy_flows(const struct zdd_memory *from, const struct zdd_memory *to)
{
	copy_memo(from, to);
	return flows_enter_all(from, to);
}

static void copy_rows(const struct zdd_memory *from, const struct zdd_memory *to)
{
	const struct zdd_geometry *g = to->geometry;
	uint32_t row = g->cpus - 1;

	for (uint32_t i = 0; i < g->pools; i++)
		to->pool_rows[row * g->pools + i] = rows_pool(from, i);
	for (uint32_t i = 0; i < g->backends; i++)
		to->backend_rows[row * g->backends + i] = rows_backend(from, i);
	for (uint32_t i = 0; i < g->backends && from->signals; i++)
		to->signals[row * g->backends + i] = rows_signals(from, i);
	for (uint32_t i = 0; i < ZDD_WATCHED(g) && from->pool_signals; i++)
		rows_pool_signals(from, i, &to->pool_signals[row * ZDD_WATCHED(g) + i]);
	for (uint32_t i = 0; i < ZDD_WATCHED_BACKENDS(g) && from->backend_signals; i++)
		rows_backend_signals(from, i,
				     &to->backend_signals[row * ZDD_WATCHED_BACKENDS(g) + i]);
}

static void copy_counts(const struct zdd_memory *from, const struct zdd_memory *to)
{
	to->counts[to->geometry->cpus - 1] = rows_counts(from);
	copy_rows(from, to);
}

/* ---- the layouts that can be taken over ---- */

static const struct conversion conversions[] = {
	{ZDD_LAYOUT_VERSION, copy_objects, copy_flows, copy_counts},
	{5, copy_objects, copy_flows, copy_counts},
	{4, copy_objects, copy_flows, copy_counts},
	{3, copy_objects, copy_flows, copy_counts},
	/* Their structs have zeros where later ones have fields, but for flow.source of 1, which
	 * flows_enter_all clears. Their verdicts have other numbers: they begin anew. */
	{2, copy_objects, copy_flows, copy_rows},
	{1, copy_objects, copy_flows, copy_rows},
};

const struct conversion *convert_from(uint32_t version)
{
	for (size_t i = 0; i < sizeof(conversions) / sizeof(*conversions); i++)
		if (conversions[i].from == version)
			return &conversions[i];
	return NULL;
}
