/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors about packets of a flow: on to whom it concerns, with what they quote translated. */
#include "cases.h"

#define ROUTER "192.0.2.99:1"
#define ROUTER6 "[2001:db8:77::1]:1"
#define INNER "10.0.1.1:1" /* a router before the backends */
#define INNER6 "[fd00:1::1]:1"

#define A_SYN .as = {.flags = SYN, .seq = 1000}
#define A_SYNACK .as = {.flags = SYN | ACK, .seq = 5000, .ack = 1001}
#define AN_ACK .as = {.flags = ACK, .seq = 1001, .ack = 5001}
#define U .as = {.proto = UDP, .data = 8}
#define OPENED                                                                                     \
	{.from = CLIENT, .to = WEB, A_SYN, "new", WEB_B},                                          \
		{.from = WEB_B, .to = CLIENT, A_SYNACK, "reply", .source = WEB},                   \
	{                                                                                          \
		.from = CLIENT, .to = WEB, AN_ACK, "forwarded", WEB_B                              \
	}
#define OPENED6                                                                                    \
	{.from = CLIENT6, .to = WEB6, A_SYN, "new", WEB6_B},                                       \
		{.from = WEB6_B, .to = CLIENT6, A_SYNACK, "reply", .source = WEB6},                \
	{                                                                                          \
		.from = CLIENT6, .to = WEB6, AN_ACK, "forwarded", WEB6_B                           \
	}

static const struct spec data = {.flags = ACK, .seq = 1001, .ack = 5001, .data = 1200};
static const struct spec syn = {.flags = SYN, .seq = 1000};
static const struct spec odd = {.flags = ACK, .seq = 1001, .data = 33, .v4_words = 3, .ttl = 1};
static const struct spec udp = {.proto = UDP, .data = 1001};
static const struct spec bare = {.proto = UDP, .data = 100, .check = CHECK_NONE};
static const struct spec first = {.proto = UDP, .data = 100, .fragment = 0x2000};
static const struct spec later = {.proto = UDP, .data = 100, .fragment = 0x2001};
static const struct spec long6 = {.flags = ACK, .data = 10, .ext = "hD"};
static const struct spec tcp_words = {.flags = ACK, .tcp_words = 10, .data = 700};

/* .from a router, or a backend, about a packet to a backend; and about one to the client. */
#define ABOUT_OURS(what)                                                                           \
	.to = CLIENT, .about = &(what), .about_from = CLIENT, .about_to = WEB_B,                   \
	.then_from = CLIENT, .then_to = WEB, .source = WEB
#define ABOUT_REPLY(what)                                                                          \
	.to = WEB, .about = &(what), .about_from = WEB, .about_to = CLIENT, .then_from = WEB_B,    \
	.then_to = CLIENT, .backend = WEB_B
#define ABOUT_OURS6(what)                                                                          \
	.to = CLIENT6, .about = &(what), .about_from = CLIENT6, .about_to = WEB6_B,                \
	.then_from = CLIENT6, .then_to = WEB6, .source = WEB6
#define ABOUT_REPLY6(what)                                                                         \
	.to = WEB6, .about = &(what), .about_from = WEB6, .about_to = CLIENT6,                     \
	.then_from = WEB6_B, .then_to = CLIENT6, .backend = WEB6_B

#define QUOTES(what, sender, receiver)                                                             \
	.about = &(what), .about_from = (sender), .about_to = (receiver)

#define CLIENTS .verdict = "icmp_to_client"
#define BACKENDS .verdict = "icmp_to_backend"
#define NOBODYS .verdict = "not_l4"
#define TOO_BIG .error = 3, .code = 4, .word32 = 1400
#define TOO_BIG6 .error = 2, .word32 = 1400

static const struct step to_client[] = {
	OPENED,
	{.from = INNER, ABOUT_OURS(data), .as = {TOO_BIG, .quoted = 28}, CLIENTS},
	{.from = INNER, ABOUT_OURS(data), .as = {TOO_BIG, .quoted = 548}, CLIENTS},
	{.from = INNER, ABOUT_OURS(data), .as = {TOO_BIG, .quoted = 36}, CLIENTS},
	{.from = INNER, ABOUT_OURS(data), .as = {TOO_BIG, .quoted = 38}, CLIENTS},
	{.from = INNER, ABOUT_OURS(data), .as = {TOO_BIG, .v4_words = 4}, CLIENTS},
	{.from = WEB_B, ABOUT_OURS(syn), .as = {.error = 3, .code = 3}, CLIENTS},
	{.from = INNER, ABOUT_OURS(odd), .as = {.error = 11}, CLIENTS},
	{.from = INNER, ABOUT_OURS(odd), .as = {.error = 12, .vlan = {9}}, CLIENTS},
	{.from = INNER, ABOUT_OURS(tcp_words), .as = {TOO_BIG, .trailer = 7}, CLIENTS},
	{.from = INNER,
	 .to = CLIENT,
	 .as = {TOO_BIG, .ttl = 1},
	 QUOTES(data, CLIENT, WEB_B),
	 .verdict = "ttl_exceeded"},
};

static const struct step to_backend[] = {
	OPENED,
	{.from = ROUTER, ABOUT_REPLY(data), .as = {TOO_BIG, .quoted = 28}, BACKENDS},
	{.from = ROUTER, ABOUT_REPLY(data), .as = {TOO_BIG, .quoted = 548}, BACKENDS},
	{.from = ROUTER, ABOUT_REPLY(odd), .as = {TOO_BIG}, BACKENDS},
	{.from = CLIENT, ABOUT_REPLY(syn), .as = {.error = 3, .code = 10}, BACKENDS},
	{.from = ROUTER, ABOUT_REPLY(odd), .as = {.error = 11, .v4_words = 10}, BACKENDS},
	{.from = ROUTER, ABOUT_REPLY(tcp_words), .as = {TOO_BIG, .vlan = {1, 2}}, BACKENDS},
};

static const struct step six[] = {
	OPENED6,
	{.from = INNER6, ABOUT_OURS6(data), .as = {TOO_BIG6}, CLIENTS},
	{.from = WEB6_B, ABOUT_OURS6(syn), .as = {.error = 1, .code = 4}, CLIENTS},
	{.from = INNER6, ABOUT_OURS6(long6), .as = {.error = 3}, CLIENTS},
	{.from = INNER6, ABOUT_OURS6(data), .as = {TOO_BIG6, .quoted = 48}, CLIENTS},
	{.from = ROUTER6, ABOUT_REPLY6(data), .as = {TOO_BIG6}, BACKENDS},
	{.from = ROUTER6, ABOUT_REPLY6(data), .as = {TOO_BIG6, .ext = "d"}, BACKENDS},
	{.from = ROUTER6, ABOUT_REPLY6(long6), .as = {.error = 4, .quoted = 101}, BACKENDS},
	{.from = ROUTER6, ABOUT_REPLY6(syn), .as = {.error = 1, .vlan = {5}}, BACKENDS},
};

#define OURS_UDP(what)                                                                             \
	.to = CLIENT, .about = &(what), .about_from = CLIENT, .about_to = DNS_B,                   \
	.then_from = CLIENT, .then_to = DNS, .source = DNS
#define REPLY_UDP(what)                                                                            \
	.to = DNS, .about = &(what), .about_from = DNS, .about_to = CLIENT, .then_from = DNS_B,    \
	.then_to = CLIENT, .backend = DNS_B

static const struct step of_udp[] = {
	{.from = CLIENT, .to = DNS, U, "new", DNS_B},
	{.from = DNS_B, OURS_UDP(udp), .as = {.error = 3, .code = 3}, CLIENTS},
	{.from = DNS_B, OURS_UDP(udp), .as = {.error = 3, .code = 3, .quoted = 28}, CLIENTS},
	{.from = INNER, OURS_UDP(bare), .as = {TOO_BIG}, CLIENTS},
	{.from = INNER, OURS_UDP(first), .as = {TOO_BIG, .quoted = 28}, CLIENTS},
	{.from = ROUTER, REPLY_UDP(udp), .as = {TOO_BIG, .quoted = 28}, BACKENDS},
	{.from = CLIENT, REPLY_UDP(bare), .as = {.error = 3, .code = 3}, BACKENDS},
	{.from = DNS_B,
	 OURS_UDP(udp),
	 .as = {.error = 3, .code = 3},
	 CLIENTS,
	 .egress = true,
	 .via = VIA_STACK},
};

/* The client's port is another one at the backend. */
static const struct step aliased[] = {
	{.from = CLIENT, .to = TWIN, A_SYN, "new", TWIN_B},
	{.from = CLIENT,
	 .to = TWIN_TOO,
	 A_SYN,
	 "new",
	 TWIN_B,
	 .notes = "port_rewritten",
	 .alias = true},
	{.from = INNER,
	 .to = CLIENT,
	 .as = {TOO_BIG},
	 .about = &syn,
	 .about_from = "@",
	 .about_to = TWIN_B,
	 .then_from = CLIENT,
	 .then_to = TWIN_TOO,
	 .source = TWIN_TOO,
	 CLIENTS},
	{.from = INNER,
	 .to = CLIENT,
	 .as = {TOO_BIG},
	 .about = &syn,
	 .about_from = CLIENT,
	 .about_to = TWIN_B,
	 .then_from = CLIENT,
	 .then_to = TWIN,
	 .source = TWIN,
	 CLIENTS},
	{.from = ROUTER,
	 .to = TWIN_TOO,
	 .as = {TOO_BIG, .quoted = 28},
	 .about = &data,
	 .about_from = TWIN_TOO,
	 .about_to = CLIENT,
	 .then_from = TWIN_B,
	 .then_to = "@",
	 .backend = TWIN_B,
	 BACKENDS},
};

/* What belongs to no flow passes as it came. */
static const struct step nobodys[] = {
	{.from = ROUTER, .to = WEB, .as = {TOO_BIG}, QUOTES(data, WEB, CLIENT), NOBODYS},
	{.from = INNER, .to = CLIENT, .as = {TOO_BIG}, QUOTES(data, CLIENT, WEB_B), NOBODYS},
	OPENED,
	{.from = ROUTER, .to = WEB, .as = {.error = 5}, QUOTES(data, WEB, CLIENT), NOBODYS},
	{.from = ROUTER, .to = WEB, .as = {.error = 8}, QUOTES(data, WEB, CLIENT), NOBODYS},
	{.from = ROUTER, .to = WEB, .as = {TOO_BIG}, QUOTES(data, WEB, "198.51.100.7:1"), NOBODYS},
	{.from = ROUTER,
	 .to = WEB,
	 .as = {TOO_BIG},
	 QUOTES(data, "203.0.113.10:444", CLIENT),
	 NOBODYS},
	{.from = ROUTER, .to = PAIR_TOO, .as = {TOO_BIG}, QUOTES(data, WEB, CLIENT), NOBODYS},
	{.from = INNER, .to = CLIENT, .as = {TOO_BIG}, QUOTES(data, CLIENT, TWIN_B), NOBODYS},
	{.from = INNER, .to = CLIENT, .as = {TOO_BIG}, QUOTES(udp, CLIENT, WEB_B), NOBODYS},
	{.from = CLIENT, .to = DNS, U, "new", DNS_B},
	{.from = INNER, .to = CLIENT, .as = {TOO_BIG}, QUOTES(later, CLIENT, DNS_B), NOBODYS},
	{.from = ROUTER,
	 .to = WEB,
	 .as = {TOO_BIG, .fragment = 0x2000},
	 QUOTES(data, WEB, CLIENT),
	 NOBODYS},
	{.from = ROUTER,
	 .to = WEB,
	 .as = {TOO_BIG, .total_off = 1},
	 QUOTES(data, WEB, CLIENT),
	 NOBODYS},
	{.from = ROUTER,
	 .to = WEB,
	 .as = {TOO_BIG, .total_off = -1201},
	 .egress = true,
	 QUOTES(data, WEB, CLIENT),
	 NOBODYS},
	/* Cut, with an IP length that says so: too little, and just enough. */
	{.from = ROUTER,
	 .to = WEB,
	 .as = {TOO_BIG, .quoted = 23},
	 QUOTES(data, WEB, CLIENT),
	 NOBODYS},
	{.from = ROUTER, .as = {TOO_BIG, .quoted = 24}, ABOUT_REPLY(data), BACKENDS},
	/* Cut without. */
	{.from = ROUTER,
	 .to = WEB,
	 .as = {TOO_BIG, .quoted = 548, .keep = 43},
	 .keep_to = 589,
	 QUOTES(data, WEB, CLIENT),
	 NOBODYS},
};

static const struct packet_case cases[] = {
	{"error: about a client's packet", STEPS(to_client)},
	{"error: about a reply", STEPS(to_backend)},
	{"error: IPv6", STEPS(six)},
	{"error: UDP", STEPS(of_udp)},
	{"error: of a flow with a rewritten port", STEPS(aliased)},
	{"error: of nobody", STEPS(nobodys)},
};

const struct case_list error_cases = CASES(cases);
