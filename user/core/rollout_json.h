/* SPDX-License-Identifier: BSD-2-Clause */
/* A rollout as JSON: what the store keeps of it, with pools by name, and what the API shows. Pure. */
#ifndef ZDD_ROLLOUT_JSON_H
#define ZDD_ROLLOUT_JSON_H

#include <jansson.h>

#include "world.h"

/* All of it, new reference. */
json_t *rollout_to_saved(const struct world_service *, const struct rollout *);
/* False, *out untouched: it does not fit the service, and why (ROLLOUT_WHY bytes) is a sentence. */
bool rollout_from_saved(const struct world_service *, const json_t *saved, struct rollout *out,
			char *why);

json_t *lock_to_saved(const struct world_lock *);
void lock_from_saved(struct world_lock *, const json_t *saved);

struct rollout_breaker {
	uint64_t limit, failed; /* connections */
};

/* What only the daemon knows; NULL: nothing. */
struct rollout_extras {
	json_t *judge; /* judge_json(), owned: rollout_view takes it */
	const struct rollout_breaker *breaker;
};

/* docs/api.md. r may be NULL: null. New reference. */
json_t *rollout_view(const struct world_service *, const struct rollout *r,
		     const struct rollout_extras *);
json_t *lock_view(const struct world_lock *);

#endif
