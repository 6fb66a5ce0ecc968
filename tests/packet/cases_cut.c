/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that the daemon cuts: nothing passes, and acknowledgements tell exact numbers. */
#include "cases.h"

#define TO(vip) .from = CLIENT, .to = vip
#define BACK(b) .from = b, .to = CLIENT
#define A_SYN .as = {.flags = SYN, .seq = 1000}
#define A_SYNACK .as = {.flags = SYN | ACK, .seq = 5000, .ack = 1001}
#define AN_ACK .as = {.flags = ACK, .seq = 1001, .ack = 5001}
#define OPENED(vip, b)                                                                             \
	{TO(vip), A_SYN, "new", .backend = b}, {BACK(b), A_SYNACK, "reply", .source = vip},        \
	{                                                                                          \
		TO(vip), AN_ACK, "forwarded", .backend = b                                         \
	}

static void cut(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_cut(s);
}

/* The record's next numbers of client and backend, after the step before. */
#define KNOWS(name, client, server)                                                                \
	static void name(struct site *s, const struct end *chosen)                                 \
	{                                                                                          \
		(void)chosen;                                                                      \
		site_knows(s, client, server);                                                     \
	}
KNOWS(knows_seen, 1101, 6001)
KNOWS(knows_less, 1101, 5501)
KNOWS(knows_both, 1051, 5501)
KNOWS(knows_reset, 1040, 5501)

static const struct step both_ways[] = {
	OPENED(WEB, WEB_B),
	{TO(WEB), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 100}, "forwarded", WEB_B},
	{BACK(WEB_B),
	 {.flags = ACK, .seq = 5001, .ack = 1101, .data = 1000},
	 "reply",
	 .source = WEB},
	{TO(WEB), {.flags = RST, .seq = 1101}, "cut", .before = cut},
	/* the client lost half of what was sent to it: its challenge ACK says so */
	{TO(WEB), {.flags = ACK, .seq = 1101, .ack = 5501}, "cut", .before = knows_seen},
	{BACK(WEB_B),
	 {.flags = ACK, .seq = 6001, .ack = 1051, .data = 9},
	 "cut",
	 .before = knows_less},
	{TO(WEB), {.flags = ACK, .seq = 1101, .ack = 5501, .data = 9}, "cut", .before = knows_both},
	{BACK(WEB_B), {.flags = RST, .seq = 6001}, "cut"},
	/* what it answers to a late packet bears what the backend expects */
	{TO(WEB), {.flags = RST, .seq = 1040}, "cut", .before = knows_both},
	/* another connection of the same port begins and lives */
	{TO(WEB), {.flags = SYN, .seq = 90000}, "new", WEB_B, .before = knows_reset},
	{BACK(WEB_B), {.flags = SYN | ACK, .seq = 70000, .ack = 90001}, "reply", .source = WEB},
	{TO(WEB), {.flags = ACK, .seq = 90001, .ack = 70001}, "forwarded", WEB_B},
	{TO(WEB), {.flags = ACK, .seq = 90001, .ack = 70001, .data = 5}, "forwarded", WEB_B},
	{BACK(WEB_B), {.flags = ACK, .seq = 70001, .ack = 90006}, "reply", .source = WEB},
};

static const struct step v6[] = {
	{.from = CLIENT6, .to = WEB6, A_SYN, "new", WEB6_B},
	{.from = WEB6_B, .to = CLIENT6, A_SYNACK, "reply", .source = WEB6},
	{.from = CLIENT6, .to = WEB6, AN_ACK, "forwarded", WEB6_B},
	{.from = CLIENT6,
	 .to = WEB6,
	 {.flags = ACK, .seq = 1001, .ack = 5501},
	 "cut",
	 .before = cut},
	{.from = WEB6_B, .to = CLIENT6, {.flags = ACK, .seq = 5001, .ack = 1051}, "cut"},
	{.from = CLIENT6, .to = WEB6, {.flags = RST, .seq = 1001}, "cut", .before = knows_both},
};

/* The backend knows the client by another port. */
static const struct step rewritten[] = {
	OPENED(TWIN, TWIN_B),
	{TO(TWIN_TOO), A_SYN, "new", TWIN_B, .notes = "port_rewritten", .alias = true},
	{.port_back = true, .source = TWIN_TOO, .from = TWIN_B, .to = "@", A_SYNACK, "reply"},
	{TO(TWIN_TOO), AN_ACK, "forwarded", TWIN_B, .alias = true},
	{.from = TWIN_B, .to = "@", {.flags = ACK, .seq = 5001, .ack = 1051}, "cut", .before = cut},
	{TO(TWIN_TOO), {.flags = ACK, .seq = 1001, .ack = 5501}, "cut"},
};

static const struct packet_case cases[] = {
	{"cut: acknowledgements tell the numbers", STEPS(both_ways)},
	{"cut: v6", STEPS(v6)},
	{"cut: a rewritten port", STEPS(rewritten)},
};

const struct case_list cut_cases = CASES(cases);
