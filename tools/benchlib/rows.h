/* SPDX-License-Identifier: BSD-2-Clause */
/* What is measured. */
#ifndef ROWS_H
#define ROWS_H

#include "frames.h"

enum { SCENE_FRESH, SCENE_FULL, SCENES };

/* Over how many flows: one; 64k; 1M. */
enum flow_set { ALL, ENDS, MANY };

enum { NO_BITS = 99 };

/* A row is run over several numbers of flows; each of these is a line of the result. */
struct row {
	const char *name;
	enum bench_kind kind;
	enum packet packet;
	unsigned scene;
	enum fill new_fill;       /* of the place of new flows, for rows that open some */
	enum zdd_verdict verdict; /* of every packet */
	uint32_t note;            /* 1 << that every packet brings, else 0 */
	unsigned hooks;           /* 1 << enum bench_hook */
	enum flow_set flows;
};

static inline bool opens_flows(const struct row *r)
{
	return r->packet == PACKET_SYN || r->verdict == ZDD_V_NEW || r->verdict == ZDD_V_TABLE_FULL;
}

extern const unsigned flow_sets[][4]; /* ends with NO_BITS */
extern const struct row rows[];
extern const unsigned n_rows;

#endif
