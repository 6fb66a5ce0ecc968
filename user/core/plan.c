/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "explain.h"

/* ---- the life of slots ---- */

static int adopt_tables(struct planner *p, const struct zdd_service *s, unsigned slot)
{
	const struct zdd_memory *m = p->memory;
	const struct zdd_pool *pools = &m->pools[slot * m->geometry->pools];

	if (s->pool + s->n_pools > m->geometry->pools)
		return -EPROTO;
	for (unsigned i = 0; i < s->n_pools * 2u; i++) {
		const struct zdd_pool *pool = &pools[s->pool + i / 2];
		uint32_t n = pool->n_slots[i & 1];

		if (n > 1 && arena_adopt(&p->tables, pool->table[i & 1], (n + 3) / 4, slot))
			return -EPROTO;
	}
	return 0;
}

static int adopt_plan(struct planner *p, unsigned slot)
{
	const struct zdd_memory *m = p->memory;
	const struct zdd_service *s = &m->services[slot * m->geometry->services];

	for (uint32_t i = 0; i < m->geometry->services && s->n_pools; i++, s++) {
		int err = adopt_tables(p, s, slot);

		if (!err && s->flags & ZDD_S_SHARE_TABLE)
			err = arena_adopt(&p->shares, s->share_word, ZDD_SHARE_UNITS / 8, slot);
		if (!err && s->n_cohorts)
			err = arena_adopt(&p->cohorts, s->cohort, s->n_cohorts, slot);
		if (err)
			return err == -ENOMEM ? err : -EPROTO;
	}
	return 0;
}

int planner_make(const struct zdd_memory *memory, struct planner **out)
{
	const struct zdd_geometry *g = memory->geometry;
	uint64_t word = memory->desk->word;
	struct planner *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	if (!p)
		return err;
	p->memory = memory;
	if (ids_make(&p->ids, memory) || arena_make(&p->tables, g->table_words) ||
	    arena_make(&p->shares, g->share_words) || arena_make(&p->cohorts, g->cohorts))
		goto out;
	err = word && ZDD_WORD_SLOT(word) >= ZDD_PLAN_SLOTS ? -EPROTO : 0;
	if (word && !err) {
		p->generation[ZDD_WORD_SLOT(word)] = ZDD_WORD_GENERATION(word);
		err = adopt_plan(p, ZDD_WORD_SLOT(word));
	}
out:
	if (err)
		planner_free(p);
	else
		*out = p;
	return err;
}

void planner_free(struct planner *p)
{
	if (!p)
		return;
	ids_free(&p->ids);
	arena_free(&p->tables);
	arena_free(&p->shares);
	arena_free(&p->cohorts);
	free(p);
}

static void drop_slot(struct planner *p, unsigned slot)
{
	p->generation[slot] = 0;
	arena_drop(&p->tables, slot);
	arena_drop(&p->shares, slot);
	arena_drop(&p->cohorts, slot);
}

static int free_slot(const struct planner *p)
{
	for (unsigned slot = 0; slot < ZDD_PLAN_SLOTS; slot++)
		if (!p->generation[slot])
			return (int)slot;
	return -EAGAIN;
}

uint64_t planner_publish(struct planner *p, unsigned slot, uint64_t above)
{
	uint64_t running = ZDD_WORD_GENERATION(p->memory->desk->word);
	uint64_t generation = (running > above ? running : above) + 1;

	p->generation[slot] = generation;
	ids_commit(&p->ids, generation);
	__atomic_store_n(&p->memory->desk->word, ZDD_WORD(generation, slot), __ATOMIC_SEQ_CST);
	return generation;
}

void planner_settled(struct planner *p, uint64_t generation)
{
	for (unsigned slot = 0; slot < ZDD_PLAN_SLOTS; slot++)
		if (p->generation[slot] && p->generation[slot] < generation)
			drop_slot(p, slot);
	if (generation > p->settled)
		p->settled = generation;
}

uint64_t planner_settled_generation(const struct planner *p)
{
	return p->settled;
}

bool planner_release(struct planner *p, uint64_t settled, const uint32_t *const flows[ID_KINDS])
{
	return ids_release(&p->ids, settled, flows) > 0;
}

/* ---- drafting ---- */

/* Some older plan still rests: what it holds comes free after a grace period. */
static bool more_comes(const struct planner *p)
{
	unsigned used = 0;

	for (unsigned slot = 0; slot < ZDD_PLAN_SLOTS; slot++)
		used += p->generation[slot] != 0;
	return used > 1;
}

int draft_full(struct draft *d, const char *what, uint32_t room)
{
	return explain(d->error, -ENOSPC,
		       "no room for more %s: the running data path was made for %u; a restart "
		       "of zddd with this configuration makes it larger, connections stay",
		       what, room);
}

int64_t draft_take(struct draft *d, struct arena *arena, uint64_t key, uint32_t words,
		   const char *what, bool *fresh)
{
	int64_t first = arena_take(arena, key, words, d->slot, fresh);

	if (first == -ENOSPC && more_comes(d->planner))
		return -EAGAIN;
	if (first == -ENOSPC)
		return draft_full(d, what, arena->words);
	if (first < 0)
		return explain(d->error, (int)first, "out of memory while compiling a plan");
	return first;
}

int planner_compile(struct planner *p, struct world *world, const struct zdd_addr *local,
		    size_t n_local, char **error)
{
	int slot = free_slot(p), err;
	struct draft d = {p,     p->memory, p->memory->geometry, world,
			  local, n_local,   (unsigned)slot,      0,
			  0,     error};

	if (slot < 0)
		return slot;
	ids_begin(&p->ids);
	err = plan_services(&d);
	if (!err)
		err = plan_snat(&d);
	if (!err)
		err = plan_doors(&d);
	if (!err)
		return slot;
	drop_slot(p, (unsigned)slot);
	return err;
}
