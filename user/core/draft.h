/* SPDX-License-Identifier: BSD-2-Clause */
/* One plan being written; shared by plan*.c alone. */
#ifndef ZDD_DRAFT_H
#define ZDD_DRAFT_H

#include "arena.h"
#include "plan.h"

struct planner {
	const struct zdd_memory *memory;
	struct ids ids;
	struct arena tables, shares, cohorts;
	uint64_t generation[ZDD_PLAN_SLOTS]; /* 0: free */
	uint64_t settled;
};

struct draft {
	struct planner *planner;
	const struct zdd_memory *memory;
	const struct zdd_geometry *geometry;
	struct world *world;
	const struct zdd_addr *local;
	size_t n_local;
	unsigned slot;
	uint32_t n_services, n_pools; /* entries written */
	char **error;
};

/* Every function: 0, or negative errno with *draft->error set. */

/* plan_doors.c; after plan_services and all objects. */
int plan_doors(struct draft *);
/* plan_services.c: services, previews, pools and their objects. */
int plan_services(struct draft *);
/* plan_snat.c: addresses and ports for mode snat. */
int plan_snat(struct draft *);
/* plan_pools.c: the entry of one pool. preview: it never answers with live's backends. */
int plan_pool(struct draft *, const struct world_service *, unsigned pool, struct zdd_pool *out);
int plan_preview_pool(struct draft *, const struct world_service *, unsigned pool,
		      struct zdd_pool *out);
/* plan_rules.c: share table and cohort rules of a service, into its entry. */
int plan_shares(struct draft *, const struct world_service *, struct zdd_service *out);
int plan_cohorts(struct draft *, const struct world_service *, struct zdd_service *out);

/* plan_pools.c: which pool a preview listener shows, -1: none. */
int preview_pool(const struct world_service *);
/* Words from an arena for the draft's slot; -EAGAIN when a grace period may free some. */
int64_t draft_take(struct draft *, struct arena *, uint64_t key, uint32_t words, const char *what,
		   bool *fresh);
int draft_full(struct draft *, const char *what, uint32_t room);

#endif
