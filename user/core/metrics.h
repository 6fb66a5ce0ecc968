/* SPDX-License-Identifier: BSD-2-Clause */
/* World and numbers as Prometheus text, format 0.0.4. Pure. */
#ifndef ZDD_METRICS_H
#define ZDD_METRICS_H

#include "view.h"

struct metrics_facts {
	const char *version;
	bool adopted, degraded;
	uint64_t started_ms; /* wall clock */
	uint64_t publishes;
};

/* The text (release with free), or NULL when memory is out. */
char *metrics_text(const struct world *, const struct numbers *, const struct zdd_count_row *,
		   const struct metrics_facts *);

#endif
