/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool's entry: one consistent table per family, or the entry of live in its place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "explain.h"
#include "seed.h"
#include "table.h"

/* Who of a pool counts as taking new flows. */
typedef bool takes_fn(const struct world_service *, const struct world_pool *,
		      const struct world_backend *);

static bool is_ready(const struct world_service *s, const struct world_pool *p,
		     const struct world_backend *b)
{
	(void)s;
	(void)p;
	return b->admin == ADMIN_READY;
}

/* The backends for clients of one family, and how many of them take new flows. */
struct roster {
	struct table_backend *list;
	size_t n, takers;
	unsigned highest; /* level of slow start among them */
	uint16_t last;    /* object of the last taker */
};

/* 0: it takes no new flows. One that is down and asked all the same has no slow start. */
static unsigned level_of(const struct world_backend *b, bool taker)
{
	if (!taker)
		return 0;
	return b->slow_start.level ? b->slow_start.level : SLOW_START_WHOLE;
}

/* Levels become parts. The highest has all of its slots: weights are relative, and while all rise nobody
 * need answer for another. */
static void set_parts(struct roster *r)
{
	for (size_t i = 0; i < r->n && r->highest; i++)
		r->list[i].part = (uint16_t)(r->list[i].part * TABLE_WHOLE / r->highest);
}

static int roster_make(const struct world_service *s, const struct world_pool *p, int family,
		       takes_fn *takes, struct roster *r)
{
	memset(r, 0, sizeof(*r));
	r->list = calloc(p->cfg->n_backends + 1, sizeof(*r->list));
	if (!r->list)
		return -ENOMEM;
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		const struct world_backend *b = &p->backends[i];
		unsigned level = level_of(b, takes(s, p, b));

		if ((zdd_addr_is_v4(&b->cfg->addr) ? 0 : 1) != family &&
		    !forward_crosses(s->cfg->forward))
			continue;
		r->list[r->n++] = (struct table_backend){b->cfg->text, b->cfg->weight, b->object,
							 (uint16_t)level};
		r->takers += level > 0;
		r->highest = level > r->highest ? level : r->highest;
		r->last = level ? b->object : r->last;
	}
	set_parts(r);
	return 0;
}

static uint64_t roster_key(const struct roster *r)
{
	uint64_t key = r->n;

	for (size_t i = 0; i < r->n; i++) {
		const struct table_backend *b = &r->list[i];

		key = seed_of(b->text, key) ^
		      zdd_mix64((uint64_t)b->weight << 32 | (uint64_t)b->object << 16 | b->part);
	}
	return key;
}

static int table_into(struct draft *d, const struct roster *r, uint32_t size, struct zdd_pool *out,
		      int family)
{
	bool fresh;
	int64_t first = draft_take(d, &d->planner->tables, roster_key(r), (size + 3) / 4,
				   "table words", &fresh);

	if (first < 0)
		return (int)first;
	if (fresh && table_fill(r->list, r->n, (uint16_t *)(d->memory->tables + first), size))
		return explain(d->error, -ENOMEM, "out of memory while filling a table");
	out->n_slots[family] = size;
	out->table[family] = (uint32_t)first;
	return 0;
}

/* Sets n_slots and table or `one` of a family; n_slots 0 when nobody takes. */
static int plan_family(struct draft *d, const struct world_service *s, const struct world_pool *p,
		       int family, takes_fn *takes, struct zdd_pool *out)
{
	struct roster r;
	int err = roster_make(s, p, family, takes, &r);

	out->n_slots[family] = 0;
	if (err)
		return explain(d->error, err, "out of memory while compiling a plan");
	if (r.takers == 1) {
		out->n_slots[family] = 1;
		out->one[family] = r.last;
	} else if (r.takers) {
		err = table_into(d, &r, table_size(r.list, r.n), out, family);
	}
	free(r.list);
	return err;
}

/* An ejected backend that is to be tried out, as zdd_pool.trial: the first one. One that takes flows
 * anyway (panic) needs none. */
static uint32_t plan_trial(const struct world_service *s, const struct world_pool *p, int family)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		const struct world_backend *b = &p->backends[i];

		if (b->admin == ADMIN_READY && b->passive.state == PASSIVE_TRIAL &&
		    !b->passive.taken_ms && !backend_takes_new(s, p, b) &&
		    (zdd_addr_is_v4(&b->cfg->addr) ? 0 : 1) == family)
			return b->object + 1u;
	}
	return 0;
}

/* With nobody left, health is ignored (guarantee 4), but not what people asked for. */
static int plan_family_or_panic(struct draft *d, const struct world_service *s,
				const struct world_pool *p, int family, struct zdd_pool *out)
{
	int err = plan_family(d, s, p, family, backend_takes_new, out);

	if (!err && !out->n_slots[family])
		err = plan_family(d, s, p, family, is_ready, out);
	return err;
}

int plan_preview_pool(struct draft *d, const struct world_service *s, unsigned pool,
		      struct zdd_pool *out)
{
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->id = s->pools[pool].object;
	for (int family = 0; family < 2 && !err; family++)
		err = plan_family_or_panic(d, s, &s->pools[pool], family, out);
	return err;
}

/* A candidate gets its flows while someone of it takes them, family by family; else live does. */
int plan_pool(struct draft *d, const struct world_service *s, unsigned pool, struct zdd_pool *out)
{
	const struct world_pool *live = &s->pools[s->live];
	int err = 0;
	bool own = pool == s->live;

	memset(out, 0, sizeof(*out));
	for (int family = 0; family < 2 && !err; family++) {
		const struct world_pool *from = &s->pools[pool];

		if (pool != s->live)
			err = plan_family(d, s, from, family, backend_takes_new, out);
		own |= out->n_slots[family] > 0;
		if (!err && !out->n_slots[family]) {
			from = live;
			err = plan_family_or_panic(d, s, from, family, out);
		}
		out->trial[family] = plan_trial(s, from, family);
	}
	out->id = own ? s->pools[pool].object : live->object;
	return err;
}

int preview_pool(const struct world_service *s)
{
	int best = -1;

	if (s->cfg->n_pools == 2)
		return s->live == 0;
	for (unsigned i = 0; i < s->cfg->n_pools; i++)
		if (i != s->live && s->share[i] && (best < 0 || s->share[i] > s->share[best]))
			best = (int)i;
	return best;
}
