/* SPDX-License-Identifier: BSD-2-Clause */
/* Health checks: one probe per backend asks on its timer and feeds core/health.h. */
#ifndef ZDD_PROBE_H
#define ZDD_PROBE_H

#include <stdbool.h>
#include <uv.h>

#include "world.h"

struct daemon;
struct probes;
struct web;

struct probe {
	struct probes *probes;
	char *key; /* "service/pool/address" */
	/* into the present world; changed by probes_follow alone */
	struct world_service *service;
	struct world_pool *pool;
	struct world_backend *backend;
	uv_timer_t timer; /* the next question, or the patience for this one */
	void *attempt;    /* of the kind that is asking; NULL: resting */
	void (*cancel)(struct probe *);
	bool seen;
};

struct probes *probes_make(struct daemon *);
/* Another world is in force: probes for its backends, none for others. The world before must still
 * be there. Backends in maint rest. */
void probes_follow(struct probes *, struct world *);
/* A backend of the present world is asked now, if it rests. */
void probes_hurry(struct probes *, const struct world_backend *);
void probes_free(struct probes *);

/* ---- for the kinds: tcp, http and https, exec ---- */

/* Asks once. Ends in one call of probe_done, unless cancelled. A kind that cannot begin calls it
 * at once. */
void probe_tcp(struct probe *);
void probe_http(struct probe *, struct web *);
void probe_exec(struct probe *);
/* error may be NULL when ok. */
void probe_done(struct probe *, bool ok, const char *error);

#endif
