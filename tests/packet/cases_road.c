/* SPDX-License-Identifier: BSD-2-Clause */
/* Modes dsr, ipip and gue: what leaves for the backend, what cannot, and what is seen of flows whose
 * answers do not come by. */
#include "cases.h"

#define C4 .from = CLIENT
#define C6 .from = CLIENT6
#define A_SYN .as = {.flags = SYN, .seq = 1000}
#define AN_ACK .as = {.flags = ACK, .seq = 1001, .ack = 9001}
#define THE_DATA .as = {.flags = PSH | ACK, .seq = 1001, .ack = 9001, .data = 601}
#define A_DATAGRAM .as = {.proto = UDP, .data = 100}

/* The v4 listener's and the v6 listener's traffic, which lead to these backends. */
#define ROAD_STEPS(way, v4, v6, b4, b6)                                                            \
	{C4, .to = v4, A_SYN, "new", b4, .road = way},                                             \
		{C4, .to = v4, AN_ACK, "forwarded", b4, .road = way},                              \
		{C4, .to = v4, THE_DATA, "forwarded", b4, .road = way},                            \
		{C4,                                                                               \
		 .to = v4,                                                                         \
		 .as = {.flags = ACK, .seq = 1602, .v4_words = 3, .tcp_words = 3},                 \
		 "forwarded",                                                                      \
		 b4,                                                                               \
		 .road = way},                                                                     \
	{                                                                                          \
		C4, .to = v4, .as = {.flags = RST, .seq = 1602, .ttl = 2}, "forwarded", b4,        \
		    .road = way                                                                    \
	}
#define ROAD_STEPS6(way, v6, b6)                                                                   \
	{C6, .to = v6, A_SYN, "new", b6, .road = way},                                             \
		{C6, .to = v6, AN_ACK, "forwarded", b6, .road = way},                              \
		{C6, .to = v6, THE_DATA, "forwarded", b6, .road = way},                            \
	{                                                                                          \
		C6, .to = v6, .as = {.flags = ACK, .seq = 1602, .vlan = {7, 8}}, "forwarded", b6,  \
		    .road = way                                                                    \
	}
#define ROAD_STEPS_UDP(way, client, listener, b)                                                   \
	{.from = client, .to = listener, A_DATAGRAM, "new", b, .road = way},                       \
		{.from = client,                                                                   \
		 .to = listener,                                                                   \
		 .as = {.proto = UDP, .data = 1},                                                  \
		 .verdict = "forwarded",                                                           \
		 .backend = b,                                                                     \
		 .road = way},                                                                     \
	{                                                                                          \
		.from = client, .to = listener,                                                    \
		.as = {.proto = UDP, .data = 33, .check = CHECK_NONE}, .verdict = "forwarded",     \
		.backend = b, .road = way                                                          \
	}

static const struct step dsr[] = {
	ROAD_STEPS(ROAD_DSR, DSR, DSR6, DSR_B, DSR6_B),
	ROAD_STEPS6(ROAD_DSR, DSR6, DSR6_B),
	/* no router: the last hop's TTL is enough */
	{C4, .to = DSR, .as = {.flags = SYN, .seq = 5000, .ttl = 1}, "new", DSR_B,
	 .road = ROAD_DSR},
};
static const struct step dsr_udp[] = {
	ROAD_STEPS_UDP(ROAD_DSR, CLIENT, DSR, DSR_B),
};
static const struct step in_v4[] = {
	ROAD_STEPS(ROAD_IPIP, IPIP, IPIP6, IPIP_B, IPIP_B),
	ROAD_STEPS6(ROAD_IPIP, IPIP6, IPIP_B),
	{C4, .to = IPIP, .as = {.flags = SYN, .seq = 5000, .ttl = 1}, "ttl_exceeded"},
};
static const struct step in_v6[] = {
	ROAD_STEPS(ROAD_IPIP, IPIP_BY6, IPIP6_BY6, IPIP_BY6_B, IPIP_BY6_B),
	ROAD_STEPS6(ROAD_IPIP, IPIP6_BY6, IPIP_BY6_B),
};
static const struct step ipip_udp[] = {
	ROAD_STEPS_UDP(ROAD_IPIP, CLIENT6, IPIP6, IPIP_B),
	ROAD_STEPS_UDP(ROAD_IPIP, CLIENT, IPIP_BY6, IPIP_BY6_B),
};
static const struct step gue[] = {ROAD_STEPS(ROAD_GUE, GUE, GUE6, GUE_B, GUE_B)};
static const struct step gue_6in4[] = {ROAD_STEPS6(ROAD_GUE, GUE6, GUE_B)};
static const struct step gue_4in6[] = {
	ROAD_STEPS(ROAD_GUE, GUE_BY6, GUE6_BY6, GUE_BY6_B, GUE_BY6_B)};
static const struct step gue_6in6[] = {ROAD_STEPS6(ROAD_GUE, GUE6_BY6, GUE_BY6_B)};
static const struct step gue_udp[] = {ROAD_STEPS_UDP(ROAD_GUE, CLIENT, GUE, GUE_B)};
static const struct step gue_udp6[] = {ROAD_STEPS_UDP(ROAD_GUE, CLIENT6, GUE6_BY6, GUE_BY6_B)};

/* A local stack's checksums are made whole before the packet goes inside another. */
#define PARTIAL .notes = "csum_completed"
static const struct step partial[] = {
	{C4, .to = DSR, .as = {.flags = SYN, .check = CHECK_PARTIAL}, "new", DSR_B,
	 .road = ROAD_DSR, PARTIAL},
	{C4, .to = IPIP, .as = {.flags = SYN, .check = CHECK_PARTIAL, .data = 777}, "new", IPIP_B,
	 .road = ROAD_IPIP, PARTIAL},
	{C6, .to = GUE6_BY6, .as = {.proto = UDP, .check = CHECK_PARTIAL, .data = 3}, "new",
	 GUE_BY6_B, .road = ROAD_GUE, PARTIAL},
};

static struct zdd_flow *flow_of(const struct site *s)
{
	for (uint32_t i = 0; i < ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry); i++)
		if (s->memory->flow_tags[i / ZDD_FLOW_WAYS].tag[i % ZDD_FLOW_WAYS] >= ZDD_TAG_FIRST)
			return &s->memory->flow_recs[i];
	return NULL;
}

/* What fails here shows as a packet that has no flow any more. */
static void want(struct site *s, bool held)
{
	if (!held)
		site_clear_flows(s);
}

static void half(struct site *s, const struct end *chosen)
{
	struct zdd_flow *f = flow_of(s);

	(void)chosen;
	want(s, f && ZDD_META_STATE(f->meta) & ZDD_F_HALF);
}

static void established(struct site *s, const struct end *chosen)
{
	struct zdd_flow *f = flow_of(s);

	(void)chosen;
	want(s, f && !(ZDD_META_STATE(f->meta) & ZDD_F_HALF) && f->server_seq == 0xfffffff0);
}

static void told_more(struct site *s, const struct end *chosen)
{
	struct zdd_flow *f = flow_of(s);

	(void)chosen;
	want(s, f && f->server_seq == 5 && f->client_seq == 1002);
}

static void over(struct site *s, const struct end *chosen)
{
	struct zdd_flow *f = flow_of(s);

	(void)chosen;
	want(s,
	     f && ZDD_META_STATE(f->meta) & ZDD_F_FIN_C && ZDD_META_STATE(f->meta) & ZDD_F_FIN_S);
}

/* The handshake is seen from one side; the backend's numbers are what the client acknowledges. */
static const struct step one_sided[] = {
	{C4, .to = IPIP, A_SYN, "new", IPIP_B, .road = ROAD_IPIP},
	{C4, .to = IPIP, .as = {.flags = ACK, .seq = 500, .ack = 1}, "forwarded", IPIP_B,
	 .road = ROAD_IPIP},
	{C4, .to = IPIP, .as = {.flags = ACK, .seq = 1001, .ack = 0xfffffff0}, "forwarded", IPIP_B,
	 .road = ROAD_IPIP, .before = half},
	{C4, .to = IPIP, .as = {.flags = ACK, .seq = 1001, .ack = 5, .data = 1}, "forwarded",
	 IPIP_B, .road = ROAD_IPIP, .before = established},
	{C4, .to = IPIP, .as = {.flags = FIN | ACK, .seq = 1002, .ack = 4}, "forwarded", IPIP_B,
	 .road = ROAD_IPIP, .before = told_more},
	{C4, .to = IPIP, .as = {.flags = ACK, .seq = 1003, .ack = 6}, "forwarded", IPIP_B,
	 .road = ROAD_IPIP, .before = over},
	/* what the backend sends is no business of this node's */
	{.from = IPIP, .to = CLIENT, .as = {.flags = ACK}, "not_ours"},
	{.from = IPIP_B, .to = CLIENT, .as = {.flags = ACK}, "not_ours"},
};

/* Answers do not come by, so nothing tells two listeners' flows apart, and nothing needs to. */
static const struct step two_listeners[] = {
	{C4, .to = DSR, A_SYN, "new", DSR_B, .road = ROAD_DSR},
	{C4, .to = OTHER_DSR, A_SYN, "new", DSR_B, .road = ROAD_DSR},
	{C4, .to = DSR, AN_ACK, "forwarded", DSR_B, .road = ROAD_DSR},
	{C4, .to = OTHER_DSR, AN_ACK, "forwarded", DSR_B, .road = ROAD_DSR},
};

static void hop_flags(struct site *s, const char *backend, uint16_t flags)
{
	struct end end = end_of(backend);

	site_hop(s, &end)->flags = flags;
}

static void unresolved(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, DSR_B, ZDD_H_XDP);
	hop_flags(s, IPIP_B, ZDD_H_XDP);
}

static void no_xdp(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, DSR_B, ZDD_H_RESOLVED);
}

static void on_this_host(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, IPIP_B, ZDD_H_LOCAL);
}

static void behind_a_router(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, DSR_B, ZDD_H_RESOLVED | ZDD_H_XDP | ZDD_H_GATEWAY);
	hop_flags(s, IPIP_B, ZDD_H_RESOLVED | ZDD_H_XDP | ZDD_H_GATEWAY);
}

static void no_source(struct site *s, const struct end *chosen)
{
	struct end backend = end_of(IPIP_B);

	(void)chosen;
	site_hop(s, &backend)->source = 0;
}

/* The stack can carry none of them on. */
static const struct step no_way_xdp[] = {
	{C4, .to = DSR, A_SYN, "no_way", .before = unresolved},
	{C4, .to = IPIP, A_SYN, "no_way"},
	{C4, .to = DSR, A_SYN, "no_way", .before = no_xdp},
};
static const struct step neighbour_tc[] = {
	{C4, .to = DSR, A_SYN, "new", DSR_B, .before = unresolved, .road = ROAD_DSR,
	 .via = VIA_NEIGH},
	{C4, .to = IPIP, A_SYN, "new", IPIP_B, .road = ROAD_IPIP, .via = VIA_NEIGH},
	{C4, .to = DSR, A_SYN, "forwarded", DSR_B, .before = no_xdp, .road = ROAD_DSR},
};
static const struct step no_way[] = {
	{C4, .to = IPIP, A_SYN, "no_way", .before = on_this_host},
	{C4, .to = DSR, A_SYN, "no_way", .before = behind_a_router},
	{C4, .to = IPIP, A_SYN, "forwarded", IPIP_B, .road = ROAD_IPIP},
	{C4, .to = IPIP, A_SYN, "no_way", .before = no_source},
};

static void tagged(struct site *s, const struct end *chosen)
{
	struct end dsr_b = end_of(DSR_B), gue_b = end_of(GUE_B);

	(void)chosen;
	site_hop(s, &dsr_b)->vlan = 300;
	site_hop(s, &gue_b)->vlan = 300;
}

static const struct step tags[] = {
	{C4, .to = DSR, A_SYN, "new", DSR_B, .before = tagged, .road = ROAD_DSR, .tag = 300},
	{C4, .to = GUE, .as = {.flags = SYN, .vlan = {9}}, "new", GUE_B, .road = ROAD_GUE,
	 .tag = 300},
	{C4, .to = GUE, .as = {.flags = SYN, .vlan = {9, 10}}, "forwarded", GUE_B, .road = ROAD_GUE,
	 .tag = 300},
	{C4, .to = IPIP, .as = {.flags = SYN, .vlan = {9}}, "new", IPIP_B, .road = ROAD_IPIP},
};

/* ---- size ---- */

static void usual_mtu(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_mtu(s, 1500);
}

#define DF .fragment = 0x4000
#define BIG4(n) .as = {.proto = UDP, .data = (n)-28, DF}
#define BIG6(n) .as = {.proto = UDP, .data = (n)-48}

static const struct step too_big[] = {
	{C4, .to = DSR, BIG4(1500), "new", DSR_B, .road = ROAD_DSR, .before = usual_mtu},
	{C4, .to = DSR, BIG4(1501), "too_big", .told = 1500},
	{C4, .to = IPIP, BIG4(1480), "new", IPIP_B, .road = ROAD_IPIP},
	{C4, .to = IPIP, BIG4(1481), "too_big", .told = 1480},
	{C6, .to = IPIP6, BIG6(1480), "new", IPIP_B, .road = ROAD_IPIP},
	{C6, .to = IPIP6, BIG6(1481), "too_big", .told = 1480},
	{C6, .to = IPIP6, .as = {.proto = UDP, .data = 1500, .vlan = {5}}, "too_big", .told = 1480},
	{C4, .to = IPIP_BY6, BIG4(1461), "too_big", .told = 1460},
	{C6, .to = IPIP6_BY6, BIG6(1461), "too_big", .told = 1460},
	{C4, .to = GUE, BIG4(1473), "too_big", .told = 1472},
	{C6, .to = GUE6_BY6, BIG6(1453), "too_big", .told = 1452},
	{C4, .to = IPIP, .as = {.flags = SYN, .data = 1600, DF, .vlan = {5}, .v4_words = 2},
	 "too_big", .told = 1480},
	{C4, .to = IPIP, .as = {.proto = UDP, .data = 1600}, "too_big_untold"},
};

static void tiny_mtu(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_mtu(s, 300);
}

static const struct step nothing_to_quote[] = {
	{C4, .to = IPIP, BIG4(281), "too_big_untold", .before = tiny_mtu},
	{C6, .to = IPIP6, BIG6(1231), "too_big_untold"},
	{C6, .to = IPIP6, BIG6(1232), "too_big", .told = 280},
};

/* ---- fragments: inside a tunnel they stay what they are */

#define FRAGMENTS(way, client, listener, b, first, later)                                          \
	{.from = client,                                                                           \
	 .to = listener,                                                                           \
	 .as = {.proto = UDP, .data = 64, .fragment = first},                                      \
	 .verdict = "new",                                                                         \
	 .backend = b,                                                                             \
	 .road = way},                                                                             \
	{                                                                                          \
		.from = client, .to = listener,                                                    \
		.as = {.proto = UDP, .data = 77, .fragment = later, .vlan = {7}},                  \
		.verdict = "fragment_forwarded", .backend = b, .road = way                         \
	}
#define FRAGMENTS4(way, v4, b) FRAGMENTS(way, CLIENT, v4, b, 0x2000, 0x2008)
#define FRAGMENTS6(way, v6, b) FRAGMENTS(way, CLIENT6, v6, b, 0x0001, 0x0100)

static const struct step fragments[] = {
	FRAGMENTS4(ROAD_DSR, DSR, DSR_B),
	FRAGMENTS6(ROAD_DSR, DSR6, DSR6_B),
	FRAGMENTS4(ROAD_IPIP, IPIP, IPIP_B),
	FRAGMENTS6(ROAD_IPIP, IPIP6, IPIP_B),
	FRAGMENTS4(ROAD_IPIP, IPIP_BY6, IPIP_BY6_B),
	{C4, .to = IPIP, .as = {.proto = UDP, .fragment = 9, .ttl = 1}, "ttl_exceeded"},
	{C4, .to = IPIP, .as = {.proto = UDP, .data = 1481, .fragment = 9}, "too_big_untold",
	 .before = usual_mtu},
	{C6, .to = IPIP6, .as = {.proto = UDP, .data = 1433, .fragment = 0x101}, "too_big",
	 .told = 1480},
};
static const struct step gue_fragments[] = {FRAGMENTS4(ROAD_GUE, GUE, GUE_B)};
static const struct step gue_fragments6[] = {FRAGMENTS6(ROAD_GUE, GUE6_BY6, GUE_BY6_B)};
static const struct step gue_fragments46[] = {FRAGMENTS4(ROAD_GUE, GUE_BY6, GUE_BY6_B)};

static const struct packet_case cases[] = {
	{"road: fragments", STEPS(fragments)},
	{"road: fragments, gue", STEPS(gue_fragments)},
	{"road: fragments, gue, 6 in 6", STEPS(gue_fragments6)},
	{"road: fragments, gue, 4 in 6", STEPS(gue_fragments46)},
	{"road: dsr", STEPS(dsr)},
	{"road: dsr, UDP", STEPS(dsr_udp)},
	{"road: ipip in IPv4", STEPS(in_v4)},
	{"road: ipip in IPv6", STEPS(in_v6)},
	{"road: ipip, UDP", STEPS(ipip_udp)},
	{"road: gue, 4 in 4", STEPS(gue)},
	{"road: gue, 6 in 4", STEPS(gue_6in4)},
	{"road: gue, 4 in 6", STEPS(gue_4in6)},
	{"road: gue, 6 in 6", STEPS(gue_6in6)},
	{"road: gue, UDP", STEPS(gue_udp)},
	{"road: gue, UDP, IPv6", STEPS(gue_udp6)},
	{"road: partial checksums", STEPS(partial), HOOK_XDP},
	{"road: a flow seen from one side", STEPS(one_sided)},
	{"road: one client port, two listeners", STEPS(two_listeners)},
	{"road: no way, XDP", STEPS(no_way_xdp), HOOK_XDP},
	{"road: neighbour unknown, tc", STEPS(neighbour_tc), HOOK_TC},
	{"road: no way", STEPS(no_way)},
	{"road: tags", STEPS(tags)},
	{"road: too big", STEPS(too_big)},
	{"road: too small to quote", STEPS(nothing_to_quote)},
};

const struct case_list road_cases = CASES(cases);
