/* SPDX-License-Identifier: BSD-2-Clause */
/* Instant queries of Prometheus (prometheus.io, HTTP API, "Instant queries") as texts: what is asked and
 * what was answered. Pure. */
#ifndef ZDD_PROMETHEUS_H
#define ZDD_PROMETHEUS_H

#include <stddef.h>
#include <stdint.h>

enum { PROMETHEUS_ERROR = 256 };

/* The query with the pool's name wherever {pool} stands. To be freed; NULL: out of memory. */
char *prometheus_query(const char *query, const char *pool);

/* The value of a counter, without its fraction. A counter that has no series yet is 0: the first error
 * makes it. 0, or -EINVAL with what is wrong in error (PROMETHEUS_ERROR bytes): no answer of Prometheus,
 * its own complaint, several series, a value that no counter has (below 0, above 2^53, not a number). */
int prometheus_counter(const char *answer, size_t len, uint64_t *value, char *error);

#endif
