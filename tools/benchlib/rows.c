/* SPDX-License-Identifier: BSD-2-Clause */
#include "rows.h"

/* By enum flow_set: powers of two. */
const unsigned flow_sets[][4] = {
	[ALL] = {0, 16, BENCH_FLOW_BITS, NO_BITS},
	[ENDS] = {0, BENCH_FLOW_BITS, NO_BITS},
	[MANY] = {BENCH_FLOW_BITS, NO_BITS},
};

#define XDP (1 << BENCH_XDP)
#define IN (1 << BENCH_TC_IN)
#define OUT (1 << BENCH_TC_OUT)

#define ROW(name, kind, packet, scene, fill, verdict, note, hooks, flows)                          \
	{name,  kind, PACKET_##packet, SCENE_##scene, FILL_##fill, ZDD_V_##verdict, note,          \
	 hooks, flows},
#define RECLAIMED (1u << ZDD_N_FLOW_RECLAIMED)

/* Both directions of an established flow, in both tables. */
#define ESTABLISHED(text, kind, hooks, fresh_flows)                                                \
	ROW(text " to backend", kind, DATA, FRESH, NONE, FORWARDED, 0, hooks, fresh_flows)         \
	ROW(text " to client", kind, REPLY, FRESH, NONE, REPLY, 0, hooks, fresh_flows)             \
	ROW(text " to backend", kind, DATA, FULL, NONE, FORWARDED, 0, hooks, ENDS)                 \
	ROW(text " to client", kind, REPLY, FULL, NONE, REPLY, 0, hooks, ENDS)

#define ROAD(text, kind, hooks)                                                                    \
	ROW(text, kind, DATA, FRESH, NONE, FORWARDED, 0, hooks, ENDS)                              \
	ROW(text, kind, DATA, FULL, NONE, FORWARDED, 0, hooks, ENDS)

/* clang-format off */
const struct row rows[] = {
	ROW("not for us v4", TCP4, OTHER, FRESH, NONE, NOT_OURS, 0, XDP | IN, ENDS)
	ROW("not for us v6", TCP6, OTHER, FRESH, NONE, NOT_OURS, 0, XDP | IN, ENDS)
	ESTABLISHED("TCP v4", TCP4, XDP | IN, ALL)
	ESTABLISHED("TCP v6", TCP6, XDP | IN, ENDS)
	ESTABLISHED("UDP v4", UDP4, XDP | IN, ENDS)
	ESTABLISHED("UDP v6", UDP6, XDP, ENDS)
	ROAD("TCP v4 by dsr", DSR4, XDP | IN)
	ROAD("TCP v4 by ipip", IPIP4, XDP)
	ROAD("TCP v4 by gue", GUE4, XDP)
	ROW("TCP v4 to client, HTTP on", TCP4, BODY, FRESH, NONE, REPLY, 0, XDP | IN, ENDS)
	ROW("TCP v4 to client, each an answer", TCP4, RESPONSE, FRESH, NONE, REPLY, 0, XDP | IN, ENDS)
	ROW("TCP v4 to client, leaving", TCP4, REPLY, FULL, NONE, REPLY, 0, OUT, ENDS)
	ROW("new TCP v4", TCP4, SYN, FRESH, NONE, NEW, 0, XDP | IN, MANY)
	ROW("new TCP v4, full", TCP4, SYN, FULL, LIVE, TABLE_FULL, 0, XDP | IN, MANY)
	ROW("new TCP v4, full of old", TCP4, SYN, FULL, EXPIRED, NEW, RECLAIMED, XDP | IN, MANY)
	ROW("new TCP v6", TCP6, SYN, FRESH, NONE, NEW, 0, XDP | IN, MANY)
	ROW("new UDP v4", UDP4, SYN, FRESH, NONE, NEW, 0, XDP | IN, MANY)
	ROW("new UDP v4, full", UDP4, SYN, FULL, LIVE, TABLE_FULL, 0, XDP | IN, MANY)
};
/* clang-format on */
const unsigned n_rows = sizeof(rows) / sizeof(*rows);
