/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors that must be made anew on their way: where the backend sees an address of this node, and
 * about flows that are only remembered. */
#include "cases.h"

#define ROUTER "192.0.2.99:1"
#define ROUTER6 "[2001:db8:77::1]:1"
#define INNER "10.0.1.1:1" /* a router before the backends */
#define INNER6 "[fd00:1::1]:1"

#define A_SYN .as = {.flags = SYN, .seq = 1000}
#define U .as = {.proto = UDP, .data = 8}
#define CLIENTS .verdict = "icmp_to_client"
#define BACKENDS .verdict = "icmp_to_backend"
#define NOBODYS .verdict = "not_l4"
#define TOO_BIG .error = 3, .code = 4, .word32 = 1400
#define TOO_BIG6 .error = 2, .word32 = 1400

static const struct spec data = {.flags = ACK, .seq = 1001, .ack = 5001, .data = 1200};
static const struct spec odd = {.flags = ACK, .seq = 1001, .data = 33, .v4_words = 3, .ttl = 1};
static const struct spec udp = {.proto = UDP, .data = 1001};
static const struct spec bare = {.proto = UDP, .data = 100, .check = CHECK_NONE};
static const struct spec long6 = {.flags = ACK, .data = 10, .ext = "hD"};

/* ---- mode snat: `listener` leads `client` to `b`, which sees "@" */

#define OPEN(who, listener, b, source, what)                                                       \
	.from = who, .to = listener, what, .verdict = "new", .backend = b, .alias = true,          \
	.node = source
#define ABOUT_OURS(who, listener, b, what)                                                         \
	.to = "@", .about = &(what), .about_from = "@", .about_to = b, .then_from = who,           \
	.then_to = listener, .source = listener, .port_back = true, .client = who, CLIENTS
#define ABOUT_REPLY(who, listener, b, what)                                                        \
	.to = listener, .about = &(what), .about_from = listener, .about_to = who, .then_from = b, \
	.then_to = "@", .backend = b, .alias = true, BACKENDS
#define OURS(what) ABOUT_OURS(CLIENT, FAR, FAR_B, what)
#define REPLY(what) ABOUT_REPLY(CLIENT, FAR, FAR_B, what)
#define OURS6(what) ABOUT_OURS(CLIENT6, FAR6, FAR6_B, what)
#define REPLY6(what) ABOUT_REPLY(CLIENT6, FAR6, FAR6_B, what)

static const struct step snat[] = {
	{OPEN(CLIENT, FAR, FAR_B, NODE_SOURCE, A_SYN)},
	{.from = INNER, OURS(data), .as = {TOO_BIG}},
	{.from = INNER, OURS(data), .as = {TOO_BIG, .quoted = 28}},
	{.from = INNER, OURS(data), .as = {TOO_BIG, .quoted = 38, .v4_words = 4}},
	{.from = FAR_B, OURS(odd), .as = {.error = 11, .vlan = {9}}},
	{.from = ROUTER, REPLY(data), .as = {TOO_BIG}},
	{.from = ROUTER, REPLY(data), .as = {TOO_BIG, .quoted = 28}},
	{.from = CLIENT, REPLY(odd), .as = {.error = 3, .code = 10, .trailer = 7}},
	/* the same port of the node's, of no flow; and another port */
	{.from = INNER,
	 .to = "@",
	 .as = {TOO_BIG},
	 .about = &data,
	 .about_from = "@",
	 .about_to = WEB_B,
	 .verdict = "not_l4"},
	{.from = INNER,
	 .to = NODE_SOURCE,
	 .as = {TOO_BIG},
	 .about = &data,
	 .about_from = NODE_SOURCE,
	 .about_to = FAR_B,
	 .verdict = "not_l4"},
};

static const struct step snat_v6[] = {
	{OPEN(CLIENT6, FAR6, FAR6_B, NODE_SOURCE6, A_SYN)},
	{.from = INNER6, OURS6(data), .as = {TOO_BIG6}},
	{.from = INNER6, OURS6(long6), .as = {.error = 3, .quoted = 101}},
	{.from = INNER6, OURS6(data), .as = {TOO_BIG6, .quoted = 48}},
	{.from = ROUTER6, REPLY6(data), .as = {TOO_BIG6, .ext = "d"}},
	{.from = CLIENT6, REPLY6(long6), .as = {.error = 1, .code = 4}},
};

static const struct step snat_udp[] = {
	{OPEN(CLIENT, FAR, FAR_B, NODE_SOURCE, U)},
	{.from = FAR_B, OURS(udp), .as = {.error = 3, .code = 3}},
	{.from = FAR_B, OURS(udp), .as = {.error = 3, .code = 3, .quoted = 28}},
	{.from = FAR_B, OURS(bare), .as = {.error = 3, .code = 3}},
	{.from = CLIENT, REPLY(udp), .as = {.error = 3, .code = 3, .quoted = 28}},
	{.from = CLIENT, REPLY(bare), .as = {.error = 3, .code = 3}},
};

static void one_network(struct site *s, const struct end *chosen)
{
	struct end web = end_of(WEB_B);

	(void)chosen;
	site_hop(s, &web)->prefix = 25;
}

#define NEAR "10.0.1.77:40000"

static const struct step hairpin[] = {
	{OPEN(NEAR, WEB, WEB_B, NODE_SOURCE, A_SYN), .before = one_network, .notes = "hairpin"},
	{.from = WEB_B, ABOUT_OURS(NEAR, WEB, WEB_B, data), .as = {TOO_BIG}},
	{.from = NEAR, ABOUT_REPLY(NEAR, WEB, WEB_B, data), .as = {TOO_BIG}},
};

/* ---- flows without a record */

static void flooded(struct site *s, const struct end *chosen)
{
	(void)chosen;
	s->memory->pressure->waiting = 2 * ZDD_PRESSURE_MAX(&engine_geometry);
}

static void fill(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_fill(s);
}

#define ABOUT_KEPT(who, listener, b, what)                                                         \
	.to = who, .about = &(what), .about_from = who, .about_to = b, .then_from = who,           \
	.then_to = listener, .source = listener, CLIENTS
#define ABOUT_ITS_REPLY(who, listener, b, what)                                                    \
	.to = listener, .about = &(what), .about_from = listener, .about_to = who, .then_from = b, \
	.then_to = who, .backend = b, BACKENDS

static const struct step remembered[] = {
	{.from = CLIENT, .to = WEB, A_SYN, "syn_flood", WEB_B, .before = flooded},
	{.from = INNER, ABOUT_KEPT(CLIENT, WEB, WEB_B, data), .as = {TOO_BIG}},
	{.from = ROUTER, ABOUT_ITS_REPLY(CLIENT, WEB, WEB_B, data), .as = {TOO_BIG}},
	{.from = INNER,
	 .to = CLIENT,
	 .as = {TOO_BIG},
	 .about = &data,
	 .about_from = CLIENT,
	 .about_to = TWIN_B,
	 .verdict = "not_l4"},
	{.from = ROUTER,
	 .to = PAIR,
	 .as = {TOO_BIG},
	 .about = &data,
	 .about_from = PAIR,
	 .about_to = CLIENT,
	 .verdict = "not_l4"},
	{.from = CLIENT6, .to = DNS6, U, "flow_table_full", DNS6_B, .before = fill},
	{.from = DNS6_B, ABOUT_KEPT(CLIENT6, DNS6, DNS6_B, udp), .as = {.error = 1, .code = 4}},
};

/* ---- routers inside a tunnel */

#define MID "10.0.99.1:1" /* routers between the node and its backends */
#define MID6 "[fd00:99::1]:1"

static const struct spec big = {.flags = ACK, .seq = 1001, .data = 1000};
static const struct spec two = {.proto = UDP, .data = 601, .v4_words = 2};

/* What the client is told: new, and `leave` takes one of its TTL. */
#define TOLD .own = true, .bare = true, .ttl = 65
#define TOLD4(mtu) TOLD, .error = 3, .code = 4, .word32 = (mtu)
#define TOLD6(mtu) TOLD, .error = 2, .word32 = (mtu)
static const struct spec told_1380 = {TOLD4(1380)}, told_1360 = {TOLD4(1360)},
			 told_1352 = {TOLD4(1352)}, told_1380_cut = {TOLD4(1380), .quoted = 28},
			 told_68 = {TOLD4(68)}, told_1372_6 = {TOLD6(1372)},
			 told_1360_6 = {TOLD6(1360)}, told_least_6 = {TOLD6(1280)},
			 lost4 = {TOLD, .error = 3, .code = 1},
			 lost6 = {TOLD, .error = 1, .code = 3};

#define INSIDE(router, node, who, listener, b, what)                                               \
	.from = router, .to = node, .tunnel = b, .about = &(what), .about_from = who,              \
	.about_to = listener, .then_from = who, .then_to = listener
#define AT4(b, listener, what) INSIDE(MID, NODE_SOURCE, CLIENT, listener, b, what)
#define AT6(b, listener, what) INSIDE(MID6, NODE_SOURCE6, CLIENT, listener, b, what)
#define FROM6(b, listener, what) INSIDE(MID, NODE_SOURCE, CLIENT6, listener, b, what)
#define BOTH6(b, listener, what) INSIDE(MID6, NODE_SOURCE6, CLIENT6, listener, b, what)
#define TELLS(listener, spec) .source = listener, .port_back = true, .made = &(spec), CLIENTS
#define TELLS6(listener, spec) TELLS(listener, spec), .client = CLIENT6
#define LOST .verdict = "tunnel_error"
#define ROAD(who, listener, b, way)                                                                \
	{                                                                                          \
		.from = who, .to = listener, A_SYN, .verdict = "new", .backend = b, .road = way    \
	}

static const struct step ipip[] = {
	{AT4(IPIP_B, IPIP, big), .as = {TOO_BIG}, LOST},
	ROAD(CLIENT, IPIP, IPIP_B, ROAD_IPIP),
	{AT4(IPIP_B, IPIP, big), .as = {TOO_BIG}, TELLS(IPIP, told_1380)},
	{AT4(IPIP_B, IPIP, big), .as = {TOO_BIG, .quoted = 48, .vlan = {7}},
	 TELLS(IPIP, told_1380_cut)},
	{AT4(IPIP_B, IPIP, big), .as = {.error = 3, .code = 4, .word32 = 30}, TELLS(IPIP, told_68)},
	{AT4(IPIP_B, IPIP, big), .as = {.error = 3, .code = 2, .v4_words = 3}, TELLS(IPIP, lost4)},
	{AT4(IPIP_B, IPIP, big), .as = {.error = 11}, TELLS(IPIP, lost4)},
	{AT4(IPIP_B, IPIP, big), .as = {.error = 3, .code = 4}, LOST}, /* before RFC 1191 */
	{AT4(IPIP_B, IPIP, big), .as = {.error = 12}, LOST},
	{AT4(IPIP_B, IPIP, big), .as = {TOO_BIG, .quoted = 28}, LOST},
	{AT4(IPIP_B, IPIP, big), .as = {TOO_BIG, .quoted = 43}, LOST},
	{AT4(GUE_B, IPIP, big), .as = {TOO_BIG}, LOST}, /* not where it went */
	{AT4(FAR_B, IPIP, big), .as = {TOO_BIG}, LOST},
	{AT4("10.7.7.7:1", IPIP, big), .as = {TOO_BIG}, NOBODYS},
	{INSIDE(MID, "10.0.0.77:1", CLIENT, IPIP, IPIP_B, big), .as = {TOO_BIG}, NOBODYS},
	{AT4(IPIP_B, IPIP_BY6, big), .as = {TOO_BIG}, LOST},
};

static const struct step ipip_by6[] = {
	ROAD(CLIENT, IPIP_BY6, IPIP_BY6_B, ROAD_IPIP),
	{AT6(IPIP_BY6_B, IPIP_BY6, big), .as = {TOO_BIG6}, TELLS(IPIP_BY6, told_1360)},
	{AT6(IPIP_BY6_B, IPIP_BY6, big), .as = {.error = 3, .ext = "d"}, TELLS(IPIP_BY6, lost4)},
	{AT6(IPIP_BY6_B, IPIP_BY6, big), .as = {.error = 4}, LOST},
	ROAD(CLIENT6, IPIP6_BY6, IPIP_BY6_B, ROAD_IPIP),
	{BOTH6(IPIP_BY6_B, IPIP6_BY6, big), .as = {TOO_BIG6}, TELLS6(IPIP6_BY6, told_1360_6)},
	{BOTH6(IPIP_BY6_B, IPIP6_BY6, big), .as = {.error = 2, .word32 = 1300},
	 TELLS6(IPIP6_BY6, told_least_6)},
	{BOTH6(IPIP_BY6_B, IPIP6_BY6, big), .as = {.error = 1}, TELLS6(IPIP6_BY6, lost6)},
};

static const struct step gue[] = {
	ROAD(CLIENT6, GUE6, GUE_B, ROAD_GUE),
	{FROM6(GUE_B, GUE6, big), .gue = true, .as = {TOO_BIG}, TELLS6(GUE6, told_1372_6)},
	{FROM6(GUE_B, GUE6, big), .gue = true, .as = {.error = 3, .code = 3}, TELLS6(GUE6, lost6)},
	{FROM6(GUE_B, GUE6, big), .gue = true, .as = {TOO_BIG, .quoted = 28}, LOST},
};

static const struct step gue_by6[] = {
	ROAD(CLIENT, GUE_BY6, GUE_BY6_B, ROAD_GUE),
	{AT6(GUE_BY6_B, GUE_BY6, big), .gue = true, .as = {TOO_BIG6}, TELLS(GUE_BY6, told_1352)},
};

static const struct step ipip_udp[] = {
	{.from = CLIENT, .to = IPIP, U, "new", IPIP_B, .road = ROAD_IPIP},
	{AT4(IPIP_B, IPIP, two), .as = {TOO_BIG}, TELLS(IPIP, told_1380)},
};

static const struct packet_case cases[] = {
	{"relay: inside ipip", STEPS(ipip)},
	{"relay: inside ipip by IPv6", STEPS(ipip_by6)},
	{"relay: inside gue", STEPS(gue)},
	{"relay: inside gue by IPv6", STEPS(gue_by6)},
	{"relay: inside ipip, UDP", STEPS(ipip_udp)},
	{"relay: mode snat", STEPS(snat)},
	{"relay: mode snat, v6", STEPS(snat_v6)},
	{"relay: mode snat, UDP", STEPS(snat_udp)},
	{"relay: client in the backend's network", STEPS(hairpin)},
	{"relay: of flows that are only remembered", STEPS(remembered)},
};

const struct case_list relay_cases = CASES(cases);
