/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a pool may get (more) traffic. Pure. */
#ifndef ZDD_FIT_H
#define ZDD_FIT_H

#include "world.h"

enum fit { FIT, NOT_FIT, NEVER_FIT /* no waiting will cure it: it has no backend of a family */ };

/* In each family by which clients can come and that live can serve now, a backend is ready and known
 * to be up. Else why (size bytes) is what is wrong: "web/green has no healthy backend (10.0.0.1:80 is
 * down: connection refused)". */
enum fit pool_fitness(const struct world_service *, const struct world_pool *, char *why,
		      size_t size);

#endif
