/* SPDX-License-Identifier: BSD-2-Clause */
/* World plus numbers -> the JSON of docs/api.md and the sentences of `why`. Pure: the numbers come
 * through functions that the edge lends. */
#ifndef ZDD_VIEW_H
#define ZDD_VIEW_H

#include <jansson.h>

#include "rollout_json.h"
#include "world.h"
#include "zdd/layout.h"

struct pool_numbers {
	uint64_t active, half_open;
	uint64_t recent; /* new flows of the last seconds: for the measured share */
	struct zdd_pool_row row;
};

struct backend_numbers {
	uint64_t active, half_open;
	struct zdd_backend_row row;
	struct zdd_signal_row signals;
	const char *mac; /* "resolved", "unresolved", "local", or NULL: not known yet */
};

/* What was open when a drain began, and the counter of cut connections then. */
struct drain_start {
	bool known;
	uint64_t open, cut;
};

/* Objects of ZDD_NONE are asked for too: all zero. */
struct numbers {
	void *context;
	struct pool_numbers (*pool)(void *context, uint16_t object);
	struct backend_numbers (*backend)(void *context, uint16_t object);
	/* By drain_key(); NULL: nothing is known of drains. */
	struct drain_start (*drain)(void *context, const char *key);
	/* NULL: nobody knows. */
	void (*pool_signals)(void *context, uint16_t object, struct zdd_signals *);
	void (*backend_signals)(void *context, uint16_t object, struct zdd_signals *);
	uint64_t (*held)(void *context, uint16_t hold); /* SYNs that wait; NULL: nobody knows */
	/* Of the rollout that view_service shows; NULL: nothing is known. */
	struct rollout_extras (*rollout)(void *context, const struct world_service *);
	uint64_t now_ms; /* wall clock */
};

/* All return new references. */
json_t *view_service(const struct world *, const struct world_service *, const struct numbers *);
json_t *view_services(const struct world *, const struct numbers *);
json_t *view_why(const struct world_service *, const struct numbers *);
json_t *view_counters(const struct zdd_count_row *);
/* Counts of each kind with all that were bad; times in microseconds, to the end of their bucket. */
json_t *view_shown(const struct zdd_signals *);
/* The cohort rule that an address falls under, or NULL. */
const struct cfg_cohort *rule_of(const struct cfg_service *, const struct zdd_addr *);
json_t *view_cohort(const struct world_service *, const char *text, const struct zdd_addr *);
json_t *view_share(uint16_t units);  /* percent */
json_t *view_time(uint64_t wall_ms); /* RFC 3339 UTC; null for 0 */

#endif
