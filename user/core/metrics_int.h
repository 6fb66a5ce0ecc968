/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside metrics*.c. */
#ifndef ZDD_METRICS_INT_H
#define ZDD_METRICS_INT_H

#include "metrics.h"

struct text {
	char *bytes;
	size_t len, room;
	bool failed;
};

void metrics_add(struct text *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What connections show about pools. */
void metrics_signals(struct text *, const struct world *, const struct numbers *);

#endif
