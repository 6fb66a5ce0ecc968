/* SPDX-License-Identifier: BSD-2-Clause */
/* What the switch owns of a service (live, shares, stable release, admin states, revision) as
 * JSON: rows of the store, and the part "saved" of what `save` writes. Pure. */
#ifndef ZDD_SAVED_H
#define ZDD_SAVED_H

#include <jansson.h>

#include "world.h"

json_t *service_saved(const struct world_service *);
/* Sets what the JSON says about pools and backends that exist; all else stays. Shares that do not
 * add up, or name a pool that is gone, are left alone. Returns whether all of it could be set. */
bool service_load(struct world_service *, const json_t *saved);

/* The configuration in force plus "saved": {service: service_saved()}. */
json_t *world_saved(const struct world *);

/* config_parse for texts that may be what `save` wrote: *saved (may be NULL) is the part "saved",
 * a new reference, or NULL when the text has none. */
int config_parse_saved(const char *file, const char *text, size_t len, struct config **out,
		       json_t **saved, char **error);

#endif
