/* SPDX-License-Identifier: BSD-2-Clause */
/* The doors of one plan slot: a hash table of two buckets a key. Pure. */
#ifndef ZDD_DOORS_H
#define ZDD_DOORS_H

#include <stdint.h>

#include "zdd/layout.h"

/* Into the first of its two buckets, or the emptier one when that is half full. Of doors with one key the first stays, but of backends the
 * lowest: it stands for all with that endpoint. 0 or -ENOSPC. */
int door_put(struct zdd_door_bucket *doors, uint32_t buckets, const struct zdd_door *);
/* NULL: none. */
const struct zdd_door *door_get(struct zdd_door_bucket *doors, uint32_t buckets,
				const struct zdd_addr *, __be16 port, uint8_t proto);

#endif
