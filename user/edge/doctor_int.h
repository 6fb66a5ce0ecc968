/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside doctor*.c: one visit, which gathers facts. */
#ifndef ZDD_DOCTOR_INT_H
#define ZDD_DOCTOR_INT_H

#include "daemon.h"
#include "doctor.h"

enum { INTERFACES_MAX = 256 };

struct visit {
	struct daemon *daemon;
	struct doctor_fact facts[DOCTOR_CHECKS];
	struct datapath_interface rows[INTERFACES_MAX];
	size_t n_rows;
};

/* The first thing found stays: one sentence per check. */
void bad(struct visit *v, enum doctor_check check, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* doctor_roads.c: modes dsr, ipip and gue. */
void see_road(struct visit *, const struct world_service *, const struct world_backend *);
void see_untold(struct visit *);

#endif
