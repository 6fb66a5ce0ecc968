/* SPDX-License-Identifier: BSD-2-Clause */
/* What the switch owns of a service (live, shares, stable release, admin states, revision) as
 * JSON: rows of the store, and the part "saved" of what `save` writes. Pure. */
#ifndef ZDD_SAVED_H
#define ZDD_SAVED_H

#include <jansson.h>

#include "world.h"

/* {POOL: 0.01 %}, those that have some. */
json_t *shares_to_saved(const struct world_service *, const uint16_t *share);
json_t *service_saved(const struct world_service *);
/* Sets what the JSON says about pools and backends that exist; all else stays. Shares that do not
 * add up, or name a pool that is gone, are left alone. Returns whether all of it could be set. */
bool service_load(struct world_service *, const json_t *saved);

/* Its rollout, the queued one and the lock, which service_load leaves alone: a saved configuration
 * brings no rollout back. Returns false, with one sentence in why (ROLLOUT_WHY bytes), when a rollout
 * was saved that does not fit; it is none then. */
bool service_load_rollouts(struct world_service *, const json_t *saved, char *why);

/* The configuration in force plus "saved": {service: service_saved()}, as if no rollout ran that is
 * not promoted yet. */
json_t *world_saved(const struct world *);

/* config_parse for texts that may be what `save` wrote: *saved (may be NULL) is the part "saved",
 * a new reference, or NULL when the text has none. */
int config_parse_saved(const char *file, const char *text, size_t len, struct config **out,
		       json_t **saved, char **error);

#endif
