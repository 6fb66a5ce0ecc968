/* SPDX-License-Identifier: BSD-2-Clause */
/* Removal at the drain deadline: finds the flows of what is to be emptied, marks them, and resets both
 * ends until they are surely gone; in mode local has the kernel end their sockets. Who holds what until when is drains.c's. */
#ifndef ZDD_REMOVAL_H
#define ZDD_REMOVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct daemon;
struct removal;

/* Goes on with what a daemon before began to cut. */
struct removal *removal_make(struct daemon *);
void removal_free(struct removal *);
/* Why nothing is cut in mode local (the kernel), or in the others (no sockets to send from). NULL: it is. */
const char *removal_trouble(const struct removal *, bool is_local);

/* One that is to be emptied: all flows of a backend, or those of a pool that no preview listener or
 * rule gave it. */
struct removal_target {
	bool is_pool, is_local;
	uint16_t object;
	uint32_t rate; /* a second, 0: as fast as is good for the network */
	const char *service, *pool;
};
/* The whole list anew, each time it is looked at: begin, add each, end. */
void removal_begin(struct removal *);
void removal_add(struct removal *, const struct removal_target *);
void removal_end(struct removal *);

#endif
