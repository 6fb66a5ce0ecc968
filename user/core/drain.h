/* SPDX-License-Identifier: BSD-2-Clause */
/* What is being emptied, and how far that has come. Pure. */
#ifndef ZDD_DRAIN_H
#define ZDD_DRAIN_H

#include "view.h"

/* A drained pool or backend whose flows are not over: who, how many, until when. */
struct drain {
	const struct world_pool *pool;
	const struct world_backend *backend; /* NULL: the whole pool, since it lost its share */
	uint64_t since_ms, deadline_ms, open;
	uint64_t cut_ever;      /* the counter of its pool or backend */
	uint64_t finished, cut; /* since it began: ended by themselves; at its deadline */
};

enum { DRAIN_KEY = 2 * ZDD_NAME_MAX + ENDPOINT_TEXT + 32 };
/* One name for each drain that ever is. out has DRAIN_KEY bytes. */
void drain_key(char *out, const struct world_service *, const struct drain *);
/* Calls each for every drain of the service, those with nothing left open too. */
void each_drain(const struct world_service *, const struct numbers *,
		void (*each)(void *context, const struct drain *), void *context);

/* Whether a pool without a share has this flow by right, as it gets new ones like it all the time:
 * through a preview listener, or by a cohort rule. */
bool flow_stays(const struct cfg_service *, const char *pool, const struct zdd_addr *client,
		const struct zdd_listener *);

/* When the drain that this flow holds up is over; 0: it holds up none. The sooner one counts. */
uint64_t flow_deadline_ms(const struct world_service *, const struct world_pool *,
			  const struct zdd_flow *, const struct zdd_listener *);

#endif
