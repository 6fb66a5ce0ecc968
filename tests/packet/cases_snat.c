/* SPDX-License-Identifier: BSD-2-Clause */
/* The backend sees an address of this node: mode snat, and nat within one network. */
#include "cases.h"

#define TO .from = CLIENT, .to = FAR
#define TO6 .from = CLIENT6, .to = FAR6
#define SEEN .alias = true, .node = NODE_SOURCE
#define FRESH SEEN, .fresh = true
#define SEEN6 .alias = true, .node = NODE_SOURCE6
#define BACK .port_back = true, .source = FAR, .from = FAR_B, .to = "@"
#define BACK6 .port_back = true, .client = CLIENT6, .source = FAR6, .from = FAR6_B, .to = "@"
#define A_SYN .as = {.flags = SYN, .seq = 1000}
#define A_SYNACK .as = {.flags = SYN | ACK, .seq = 5000, .ack = 1001}
#define AN_ACK .as = {.flags = ACK, .seq = 1001, .ack = 5001}
#define U(...) .as = {.proto = UDP, __VA_ARGS__}

static const struct step tcp[] = {
	{TO, A_SYN, "new", FAR_B, SEEN},
	{TO, A_SYN, "forwarded", FAR_B, SEEN},
	{BACK, A_SYNACK, "reply"},
	{TO, AN_ACK, "forwarded", FAR_B, SEEN},
	{TO, {.flags = ACK, .seq = 1001, .ack = 5001, .data = 77}, "forwarded", FAR_B, SEEN},
	{BACK, {.flags = ACK, .seq = 5001, .ack = 1078, .data = 1400}, "reply"},
	{BACK, {.flags = ACK, .seq = 6401, .ack = 1078, .v4_words = 3, .data = 3}, "reply"},
	{BACK,
	 {.flags = ACK, .seq = 6404, .data = 33, .check = CHECK_PARTIAL},
	 "reply",
	 .notes = "csum_completed"},
	{TO, {.flags = FIN | ACK, .seq = 1078, .ack = 6404}, "forwarded", FAR_B, SEEN},
	{BACK, {.flags = FIN | ACK, .seq = 6404, .ack = 1079}, "reply"},
	{TO, {.flags = ACK, .seq = 1079, .ack = 6405}, "forwarded", FAR_B, SEEN},
};

static const struct step tcp_v6[] = {
	{TO6, A_SYN, "new", FAR6_B, SEEN6},
	{BACK6, A_SYNACK, "reply"},
	{TO6, AN_ACK, "forwarded", FAR6_B, SEEN6},
	{TO6,
	 {.flags = ACK, .seq = 1001, .ack = 5001, .ext = "h", .data = 77},
	 "forwarded",
	 FAR6_B,
	 SEEN6},
	{BACK6, {.flags = ACK, .seq = 5001, .ack = 1078, .data = 1400}, "reply"},
};

static const struct step udp[] = {
	{TO, U(.data = 40), "new", FAR_B, SEEN},
	{BACK, U(.data = 1000), "reply"},
	{BACK, U(.data = 10, .check = CHECK_NONE), "reply"},
	{TO, U(.data = 41, .check = CHECK_NONE), "forwarded", FAR_B, SEEN},
	{TO, U(.data = 40), "forwarded", FAR_B, SEEN, .zero_sum = true},
	{BACK, U(.data = 40), "reply", .zero_sum = true},
};

static const struct step fragments[] = {
	{TO, U(.data = 64, .fragment = 0x2000), "new", FAR_B, SEEN},
	{TO, U(.data = 64, .fragment = 0x2008), "fragment_forwarded", FAR_B, SEEN},
	{TO, U(.data = 63, .fragment = 0x0010), "fragment_forwarded", FAR_B, SEEN},
	{BACK, U(.data = 64, .fragment = 0x2000), "reply"},
	{BACK, U(.data = 64, .fragment = 0x0008), "fragment_forwarded"},
};

static const struct step fragments_v6[] = {
	{TO6, U(.data = 64), "new", FAR6_B, SEEN6},
	{TO6, U(.data = 64, .fragment = 0x0001), "forwarded", FAR6_B, SEEN6},
	{TO6, U(.data = 61, .fragment = 0x0100), "fragment_forwarded", FAR6_B, SEEN6},
	{BACK6, U(.data = 64, .fragment = 0x0001), "reply"},
	{BACK6, U(.data = 64, .fragment = 0x0101), "fragment_forwarded"},
};

static const struct step udp_v6[] = {
	{TO6, U(.data = 40), "new", FAR6_B, SEEN6},
	{BACK6, U(.data = 1000), "reply"},
	{TO6, U(.data = 41), "forwarded", FAR6_B, SEEN6},
};

/* The host's own connections to backends, from the same address. */
static const struct step host[] = {
	{TO, A_SYN, "new", FAR_B, SEEN},
	{.from = FAR_B, .to = "10.0.0.1:999", A_SYNACK, "direct"},
	{.from = FAR_B, .to = "10.0.0.2:20000", A_SYNACK, "direct"},
	{BACK, A_SYNACK, "reply"},
};

/* One client port to two listeners, and one backend for all: nothing is in the way. */
static const struct step stray[] = {
	{TO, {.flags = ACK, .seq = 7}, "snat_stray"},
	{TO, {.flags = RST, .seq = 7}, "stray_rst"},
	{.from = FAR_B, .to = NODE_SOURCE, {.flags = ACK}, "direct"},
};

static void fill(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_fill(s);
}

static const struct step full[] = {
	{TO, A_SYN, "new", FAR_B, SEEN},
	{.from = "198.51.100.8:1", .to = FAR, A_SYN, "snat_no_room", .before = fill},
	{BACK, A_SYNACK, "reply"},
	{TO, AN_ACK, "forwarded", FAR_B, SEEN}, /* no room to move */
	{BACK, {.flags = ACK, .seq = 5001, .ack = 1001, .data = 9}, "reply"},
	{.from = CLIENT, .to = FAR, U(.data = 3), "snat_no_room"},
};

static void no_source(struct site *s, const struct end *chosen)
{
	struct end far = end_of(FAR_B);

	(void)chosen;
	site_hop(s, &far)->source = 0;
}

static const struct step unknown[] = {
	{TO, A_SYN, "snat_no_source", .before = no_source},
	{TO6, A_SYN, "new", FAR6_B, SEEN6},
};

static void few(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_apply(s, site_config_few);
}

#define FROM(port) .from = "198.51.100.7:" #port, .to = FAR

static void a_minute(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_age(s, 78);
}

static void some_seconds(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_age(s, 3);
}

/* Two ports; the ports of what was silent for too long, or ended, are had again. */
static const struct step exhausted[] = {
	{FROM(1), A_SYN, "new", FAR_B, FRESH, .before = few},
	{FROM(2), A_SYN, "new", FAR_B, FRESH},
	{FROM(3), A_SYN, "snat_exhausted"},
	{FROM(3), A_SYN, "snat_exhausted"},
	{.from = "[2001:db8:100::7]:3", .to = FAR6, A_SYN, "new", FAR6_B, SEEN6, .fresh = true},
	{FROM(3), U(.data = 1), "new", FAR_B, FRESH},
	{FROM(1), A_SYN, "forwarded", FAR_B, FRESH},
	{FROM(3), A_SYN, "new", FAR_B, FRESH, .before = a_minute},
};

static const struct step ended[] = {
	{TO, A_SYN, "new", FAR_B, SEEN, .before = few},
	{BACK, A_SYNACK, "reply"},
	{FROM(2), A_SYN, "new", FAR_B, FRESH},
	{FROM(3), A_SYN, "snat_exhausted"},
	{TO, {.flags = RST, .seq = 1001}, "forwarded", FAR_B, FRESH},
	{FROM(3), A_SYN, "snat_exhausted"},
	{FROM(3), A_SYN, "new", FAR_B, FRESH, .before = some_seconds},
};

static void twenty(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_apply(s, site_config_twenty);
}

#define OVER(port)                                                                                 \
	{FROM(port), A_SYN, "new", FAR_B, FRESH},                                                  \
	{                                                                                          \
		FROM(port), {.flags = RST, .seq = 1001}, "forwarded", FAR_B, FRESH                 \
	}
#define OVER5(a, b, c, d, e) OVER(a), OVER(b), OVER(c), OVER(d), OVER(e)

/* All rest, and are more than the last tries look at: who finds one that rested for long enough has it. */
static const struct step resting[] = {
	{FROM(99), U(.data = 1), "new", FAR_B, FRESH, .before = twenty},
	OVER5(1, 2, 3, 4, 5),
	OVER5(6, 7, 8, 9, 10),
	OVER5(11, 12, 13, 14, 15),
	OVER5(16, 17, 18, 19, 20),
	{FROM(21), A_SYN, "snat_exhausted"},
	{FROM(21), A_SYN, "new", FAR_B, FRESH, .before = some_seconds},
	{FROM(22), A_SYN, "new", FAR_B, FRESH},
};

static void one(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_apply(s, site_config_one);
}

/* A client that comes back from the same port may get what it had before, if that was freed: what stands of
 * its first connection does not take it away. */
static const struct step had_before[] = {
	{TO, A_SYN, "new", FAR_B, FRESH, .before = one},
	{BACK, A_SYNACK, "reply"},
	{TO, AN_ACK, "forwarded", FAR_B, SEEN},
	{TO, {.flags = FIN | ACK, .seq = 1001, .ack = 5001}, "forwarded", FAR_B, SEEN},
	{BACK, {.flags = FIN | ACK, .seq = 5001, .ack = 1002}, "reply"},
	{TO, {.flags = ACK, .seq = 1002, .ack = 5002}, "forwarded", FAR_B, SEEN},
	{FROM(2), A_SYN, "new", FAR_B, FRESH, .before = some_seconds},
	{FROM(2), {.flags = RST, .seq = 1001}, "forwarded", FAR_B, FRESH},
	{TO, {.flags = SYN, .seq = 90000}, "new", FAR_B, FRESH, .before = some_seconds},
	{BACK, {.flags = SYN | ACK, .seq = 7000, .ack = 90001}, "reply"},
	{TO, {.flags = ACK, .seq = 90001, .ack = 7001}, "forwarded", FAR_B, SEEN},
	{BACK, {.flags = ACK, .seq = 7001, .ack = 90001, .data = 9}, "reply"},
};

static void listed(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_apply(s, site_config_listed);
}

/* Flows that began before keep their source. */
static const struct step addresses[] = {
	{TO, A_SYN, "new", FAR_B, SEEN},
	{BACK, A_SYNACK, "reply", .before = listed},
	{TO, AN_ACK, "forwarded", FAR_B, SEEN},
};

static const struct step addresses_too[] = {
	{TO, A_SYN, "new", FAR_B, .alias = true, .node = NODE_TOO ":1", .before = listed},
	{BACK, A_SYNACK, "reply"},
	{TO, AN_ACK, "forwarded", FAR_B, .alias = true, .node = NODE_TOO ":1"},
};

static const struct step addresses_v6[] = {
	{TO6, A_SYN, "new", FAR6_B, .alias = true, .node = "[" NODE6_TOO "]:1", .before = listed},
	{BACK6, A_SYNACK, "reply"},
};

/* A new connection on the old port: the old alias ends with its flow. */
static const struct step again[] = {
	{TO, A_SYN, "new", FAR_B, SEEN, .before = few},
	{TO, {.flags = SYN, .seq = 777000}, "new", FAR_B, FRESH},
	{TO, {.flags = SYN, .seq = 1777000}, "new", FAR_B, FRESH},
	{TO, {.flags = SYN, .seq = 2777000}, "new", FAR_B, FRESH},
	{FROM(2), A_SYN, "new", FAR_B, FRESH},
	{FROM(3), A_SYN, "snat_exhausted"},
};

static void one_network(struct site *s, const struct end *chosen)
{
	struct end web = end_of(WEB_B), web6 = end_of(WEB6_B);

	(void)chosen;
	site_hop(s, &web)->prefix = 25;
	site_hop(s, &web6)->prefix = 64;
}

#define NEAR "10.0.1.77:40000"
#define NEAR6 "[fd00:1::77]:40000"
#define PINNED .alias = true, .node = NODE_SOURCE, .before = one_network
#define PINNED6 .alias = true, .node = NODE_SOURCE6, .before = one_network

static const struct step hairpin[] = {
	{.from = NEAR, .to = WEB, A_SYN, "new", WEB_B, PINNED, .notes = "hairpin"},
	{.from = WEB_B,
	 .to = "@",
	 A_SYNACK,
	 "reply",
	 .source = WEB,
	 .port_back = true,
	 .client = NEAR},
	{.from = NEAR, .to = WEB, AN_ACK, "forwarded", WEB_B, PINNED},
	{.from = "10.0.1.177:40000", .to = WEB, A_SYN, "new", WEB_B},
	{.from = WEB_B, .to = "10.0.1.177:40000", A_SYNACK, "reply", .source = WEB},
	{.from = "10.0.1.78:1", .to = WEB, AN_ACK, "snat_stray"},
};

static const struct step hairpin_v6[] = {
	{.from = NEAR6, .to = WEB6, A_SYN, "new", WEB6_B, PINNED6, .notes = "hairpin"},
	{.from = WEB6_B,
	 .to = "@",
	 A_SYNACK,
	 "reply",
	 .source = WEB6,
	 .port_back = true,
	 .client = NEAR6},
	{.from = CLIENT6, .to = WEB6, A_SYN, "new", WEB6_B},
};

#define ITSELF "10.0.1.11:40000"

static const struct step itself[] = {
	{.from = ITSELF,
	 .to = WEB,
	 A_SYN,
	 "new",
	 WEB_B,
	 .alias = true,
	 .node = NODE_SOURCE,
	 .notes = "hairpin"},
	{.from = WEB_B,
	 .to = "@",
	 A_SYNACK,
	 "reply",
	 .source = WEB,
	 .port_back = true,
	 .client = ITSELF},
	{.from = ITSELF, .to = WEB, AN_ACK, "forwarded", WEB_B, .alias = true, .node = NODE_SOURCE},
};

static const struct packet_case cases[] = {
	{"snat: TCP", STEPS(tcp), HOOK_XDP},
	{"snat: TCP, v6", STEPS(tcp_v6)},
	{"snat: UDP", STEPS(udp)},
	{"snat: UDP, v6", STEPS(udp_v6)},
	{"snat: fragments", STEPS(fragments)},
	{"snat: fragments, v6", STEPS(fragments_v6)},
	{"snat: the host's own connections", STEPS(host)},
	{"snat: packets without a flow", STEPS(stray)},
	{"snat: tables full", STEPS(full)},
	{"snat: no address known", STEPS(unknown)},
	{"snat: no port left", STEPS(exhausted)},
	{"snat: ports of flows that ended", STEPS(ended)},
	{"snat: all ports rest", STEPS(resting)},
	{"snat: the port that it had before", STEPS(had_before)},
	{"snat: addresses change under a flow", STEPS(addresses)},
	{"snat: listed addresses", STEPS(addresses_too)},
	{"snat: listed addresses, v6", STEPS(addresses_v6)},
	{"snat: a client's port used again", STEPS(again)},
	{"hairpin: client in the backend's network", STEPS(hairpin)},
	{"hairpin: the same, v6", STEPS(hairpin_v6)},
	{"hairpin: a backend calls its own listener", STEPS(itself)},
};

const struct case_list snat_cases = CASES(cases);
