/* SPDX-License-Identifier: GPL-2.0 */
/* Client -> pool -> backend, by the plan alone. The same plan gives the same answer on every node. */
#ifndef ZDD_CHOOSE_H
#define ZDD_CHOOSE_H

#include "lease.h"

/* Values only, so that it can be handed to functions that are verified by themselves. */
struct zdd_choice {
	__u32 id;    /* global pool object */
	__u32 table; /* first word in `tables` */
	__u32 slot;  /* of the pool's table */
	__u32 n;     /* slots of that table */
	__u32 one;   /* the only backend when n is 1 */
	__u32 trial; /* as in struct zdd_pool */
	__u32 ruled; /* a cohort rule gave it */
};

ZDD_INLINE __u64 big64(__u64 memory)
{
	return __builtin_bswap64(memory);
}

/* a < b as big-endian numbers. */
ZDD_INLINE int addr_below(const struct zdd_addr *a, const struct zdd_addr *b)
{
	if (a->d[0] != b->d[0])
		return big64(a->d[0]) < big64(b->d[0]);
	return big64(a->d[1]) < big64(b->d[1]);
}

/* Binary search among the service's disjoint rules. Returns the pool's index or -1. */
ZDD_INLINE int choose_cohort(const struct zdd_service *s, const struct zdd_addr *client)
{
	__u32 low = 0, high = s->n_cohorts;

	for (int i = 0; i < 13 && low < high; i++) { /* 2^12 rules at most */
		__u32 middle = (low + high) / 2;
		const struct zdd_cohort *rule = AT(cohorts, s->cohort + middle);

		if (!rule)
			return -1;
		if (addr_below(client, &rule->first))
			high = middle;
		else if (addr_below(&rule->last, client))
			low = middle + 1;
		else
			return rule->pool;
	}
	return -1;
}

ZDD_INLINE __u32 choose_share(const struct zdd_service *s, __u64 hash)
{
	__u32 bucket = zdd_scale(hash >> 32, ZDD_SHARE_UNITS);
	const struct zdd_share_word *word;

	if (!(s->flags & ZDD_S_SHARE_TABLE))
		return s->live;
	word = AT(shares, s->share_word + bucket / 8);
	return word ? word->pool[bucket % 8] : s->live;
}

/* The client's address cut to the sticky prefix. */
ZDD_INLINE struct zdd_addr choose_mask(const struct zdd_service *s, const struct zdd_addr *client)
{
	struct zdd_addr a = *client;

	if (zdd_addr_is_v4(client)) {
		a.w[3] &= s->v4_mask;
	} else {
		a.d[0] &= s->v6_mask[0];
		a.d[1] &= s->v6_mask[1];
	}
	return a;
}

struct zdd_asker {
	struct zdd_addr client;
	__be16 port, listener_port;
	__u8 proto, v6;
};

struct zdd_hashes {
	__u64 client, tuple;
};

ZDD_INLINE struct zdd_hashes hashes_of(const struct zdd_service *s, const struct zdd_asker *a)
{
	struct zdd_addr masked = choose_mask(s, &a->client);
	__u64 client = zdd_client_hash(&masked, s->salt);

	return (struct zdd_hashes){client,
				   zdd_tuple_hash(client, a->port, a->listener_port, a->proto)};
}

/* In pool number `pool` of the service. */
ZDD_INLINE int choose_in(__u32 slot, const struct zdd_service *s, const struct zdd_hashes *h,
			 __u32 pool, int v6, struct zdd_choice *c)
{
	const struct zdd_pool *entry = AT(pools, slot * geometry.pools + s->pool + pool);
	__u64 tuple = s->flags & ZDD_S_STICKY_CLIENT ? zdd_mix64(h->client) : h->tuple;

	if (!entry || pool >= s->n_pools)
		return -1;
	c->id = entry->id;
	c->table = v6 ? entry->table[1] : entry->table[0];
	c->n = v6 ? entry->n_slots[1] : entry->n_slots[0];
	c->one = v6 ? entry->one[1] : entry->one[0];
	c->trial = v6 ? entry->trial[1] : entry->trial[0];
	c->slot = zdd_scale(tuple, c->n);
	return c->n ? 0 : -1;
}

/* The pool has no lease any more, or failed too often. */
ZDD_INLINE int is_withdrawn(__u32 slot, const struct zdd_service *s, __u32 pool)
{
	const struct zdd_pool *entry = AT(pools, slot * geometry.pools + s->pool + pool);

	return entry && turned_away(entry->id);
}

/* slot is the plan's. Returns 0 and fills c, or -1 when the pool has no backend of this family. */
ZDD_INLINE int choose(__u32 slot, const struct zdd_service *s, const struct zdd_asker *a,
		      struct zdd_choice *c)
{
	struct zdd_hashes h = hashes_of(s, a);
	int pool = s->n_cohorts ? choose_cohort(s, &a->client) : -1;

	c->ruled = pool >= 0;
	if (pool < 0)
		pool = choose_share(s, s->flags & ZDD_S_SPREAD ? h.tuple : h.client);
	if (unlikely(s->flags & ZDD_S_LEASED) && pool != s->live && is_withdrawn(slot, s, pool))
		pool = s->live;
	return choose_in(slot, s, &h, pool, a->v6, c);
}

/* In live, whatever pool the client belongs to. */
ZDD_INLINE int choose_live(__u32 slot, const struct zdd_service *s, const struct zdd_asker *a,
			   struct zdd_choice *c)
{
	struct zdd_hashes h = hashes_of(s, a);

	return choose_in(slot, s, &h, s->live, a->v6, c);
}

/* The backend at the choice's slot, ZDD_NONE when the plan is not sound. */
ZDD_INLINE __u16 chosen_backend(const struct zdd_choice *c)
{
	const struct zdd_table_word *word;

	if (c->n == 1)
		return c->one;
	word = AT(tables, c->table + c->slot / 4);
	return word ? word->backend[c->slot % 4] : ZDD_NONE;
}

/* The next slot in table order. */
ZDD_INLINE void choose_next(struct zdd_choice *c)
{
	c->slot = c->slot + 1 < c->n ? c->slot + 1 : 0;
}

#endif
