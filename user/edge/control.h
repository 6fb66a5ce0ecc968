/* SPDX-License-Identifier: BSD-2-Clause */
/* The control API of docs/api.md: paths to functions. */
#ifndef ZDD_CONTROL_H
#define ZDD_CONTROL_H

#include "server.h"

struct daemon;

/* RUN_DIR/zddd.sock. NULL with *error one line. */
struct server *control_make(struct daemon *, int fd, char **error);
/* Only / and /metrics. */
struct server *metrics_server_make(struct daemon *, int fd, char **error);
/* Answers whoever waits for events, now. */
void control_release_watchers(struct daemon *);

/* ---- what the paths answer; each takes the request to its end ---- */
typedef void route_fn(struct daemon *, struct request *, const char *service);
route_fn show_state, show_service, show_conns, show_cohort, show_history, show_why, show_events;
route_fn show_counters, show_doctor, show_ready, show_config, show_metrics, show_front;

/* conns.c: new references. */
struct conns_query {
	const char *service, *pool, *backend; /* pool, backend may be NULL */
	size_t limit;
	bool draining; /* only those that hold up a drain */
};
/* Oldest first. */
json_t *conns_of(struct daemon *, const struct conns_query *);
/* doctor.c */
json_t *doctor_report(struct daemon *);
/* Why this node is not fit to get traffic, or NULL. */
const char *not_ready(struct daemon *, char *out, size_t size);

#endif
