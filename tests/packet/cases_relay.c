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

static const struct packet_case cases[] = {
	{"relay: mode snat", STEPS(snat)},
	{"relay: mode snat, v6", STEPS(snat_v6)},
	{"relay: mode snat, UDP", STEPS(snat_udp)},
	{"relay: client in the backend's network", STEPS(hairpin)},
	{"relay: of flows that are only remembered", STEPS(remembered)},
};

const struct case_list relay_cases = CASES(cases);
