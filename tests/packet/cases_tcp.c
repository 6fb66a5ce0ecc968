/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of TCP connections. */
#include "cases.h"

#define TO(vip) .from = CLIENT, .to = vip
#define BACK(b) .from = b, .to = CLIENT

/* Client's ISN 1000, backend's 5000. */
#define A_SYN .as = {.flags = SYN, .seq = 1000, .tcp_words = 5}
#define A_SYNACK .as = {.flags = SYN | ACK, .seq = 5000, .ack = 1001, .tcp_words = 5}
#define AN_ACK .as = {.flags = ACK, .seq = 1001, .ack = 5001}

#define OPENED(vip, b)                                                                             \
	{TO(vip), A_SYN, "new", .backend = b}, {BACK(b), A_SYNACK, "reply", .source = vip},        \
	{                                                                                          \
		TO(vip), AN_ACK, "forwarded", .backend = b                                         \
	}

static const struct step whole_life[] = {
	OPENED(WEB, WEB_B),
	{TO(WEB), {.flags = PSH | ACK, .seq = 1001, .ack = 5001, .data = 333}, "forwarded", WEB_B},
	{BACK(WEB_B), {.flags = ACK, .seq = 5001, .ack = 1334}, "reply", .source = WEB},
	{BACK(WEB_B),
	 {.flags = PSH | ACK, .seq = 5001, .ack = 1334, .data = 1400},
	 "reply",
	 .source = WEB},
	{TO(WEB), {.flags = FIN | ACK, .seq = 1334, .ack = 6401}, "forwarded", WEB_B},
	{BACK(WEB_B), {.flags = FIN | ACK, .seq = 6401, .ack = 1335}, "reply", .source = WEB},
	{TO(WEB), {.flags = ACK, .seq = 1335, .ack = 6402}, "forwarded", WEB_B},
};

static const struct step whole_life_v6[] = {
	{.from = CLIENT6, .to = WEB6, A_SYN, "new", WEB6_B},
	{.from = WEB6_B, .to = CLIENT6, A_SYNACK, "reply", .source = WEB6},
	{.from = CLIENT6, .to = WEB6, AN_ACK, "forwarded", WEB6_B},
	{.from = CLIENT6,
	 .to = WEB6,
	 {.flags = ACK, .seq = 1001, .ack = 5001, .data = 1},
	 "forwarded",
	 WEB6_B},
	{.from = WEB6_B,
	 .to = CLIENT6,
	 {.flags = ACK, .seq = 5001, .ack = 1002, .data = 777},
	 "reply",
	 .source = WEB6},
	{.from = WEB6_B, .to = CLIENT6, {.flags = RST, .seq = 5778}, "reply", .source = WEB6},
};

/* The same SYN again is the same flow, before and after the handshake. */
static const struct step syn_again[] = {
	{TO(PAIR), A_SYN, "new", PAIR_B " " PAIR_B2},
	{TO(PAIR), A_SYN, "forwarded", "@"},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply", .source = PAIR},
	{TO(PAIR), A_SYN, "forwarded", "@"},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply", .source = PAIR},
	{TO(PAIR), AN_ACK, "forwarded", "@"},
	{TO(PAIR), A_SYN, "forwarded", "@"},
	{TO(PAIR), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 20}, "forwarded", "@"},
};

/* An old connection's tuple: the new SYN does not disturb it until its handshake is complete. */
static const struct step new_isn[] = {
	OPENED(WEB, WEB_B),
	{TO(WEB), {.flags = SYN, .seq = 900000}, "new", WEB_B},
	{TO(WEB), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 9}, "forwarded", WEB_B},
	{BACK(WEB_B), {.flags = SYN | ACK, .seq = 70000, .ack = 900001}, "reply", .source = WEB},
	{TO(WEB), {.flags = ACK, .seq = 900001, .ack = 70001}, "forwarded", WEB_B},
	{TO(WEB), {.flags = ACK, .seq = 900001, .ack = 70001, .data = 9}, "forwarded", WEB_B},
	{BACK(WEB_B), {.flags = ACK, .seq = 70001, .ack = 900010}, "reply", .source = WEB},
};

static const struct step new_isn_half_open[] = {
	{TO(WEB), A_SYN, "new", WEB_B},
	{TO(WEB), {.flags = SYN, .seq = 2000}, "new", WEB_B},
	{BACK(WEB_B), {.flags = SYN | ACK, .seq = 5000, .ack = 2001}, "reply", .source = WEB},
	{TO(WEB), {.flags = ACK, .seq = 2001, .ack = 5001}, "forwarded", WEB_B},
};

static const struct step half_open_reset[] = {
	{TO(WEB), A_SYN, "new", WEB_B},
	{BACK(WEB_B),
	 {.flags = RST | ACK, .seq = 0, .ack = 1001},
	 "reply",
	 .source = WEB,
	 .notes = "retry_exhausted"},
	{TO(WEB), {.flags = RST, .seq = 1001}, "forwarded", WEB_B},
};

static const struct step reset_by_client[] = {
	OPENED(WEB, WEB_B),
	{TO(WEB), {.flags = RST | ACK, .seq = 1001, .ack = 5001}, "forwarded", WEB_B},
	{BACK(WEB_B), {.flags = ACK, .seq = 5001, .ack = 1001}, "reply", .source = WEB},
};

static const struct step strays[] = {
	{TO(WEB), {.flags = ACK, .seq = 1, .ack = 2}, "stray_forwarded", WEB_B},
	{TO(WEB), {.flags = PSH | ACK, .seq = 1, .ack = 2, .data = 100}, "stray_forwarded", WEB_B},
	{TO(WEB), {.flags = FIN | ACK, .seq = 1, .ack = 2}, "stray_forwarded", WEB_B},
	{TO(WEB), {.flags = 0}, "stray_forwarded", WEB_B},
	{TO(WEB), {.flags = SYN | ACK, .seq = 1, .ack = 2}, "stray_forwarded", WEB_B},
	{TO(WEB), {.flags = RST, .seq = 1}, "stray_rst"},
	{TO(WEB), {.flags = RST | ACK, .seq = 1, .ack = 2}, "stray_rst"},
	{TO(WEB), {.flags = SYN | RST, .seq = 1}, "stray_rst"},
	{BACK(WEB_B), {.flags = ACK, .seq = 2, .ack = 1}, "reply_stateless", .source = WEB},
};

static const struct step strays_v6[] = {
	{.from = CLIENT6, .to = WEB6, {.flags = ACK, .seq = 1}, "stray_forwarded", WEB6_B},
	{.from = CLIENT6, .to = WEB6, {.flags = RST, .seq = 1}, "stray_rst"},
	{.from = WEB6_B,
	 .to = CLIENT6,
	 {.flags = ACK, .seq = 2},
	 "reply_stateless",
	 .source = WEB6},
};

/* SYN with ECN bits, with data (RFC 7413). */
static const struct step unusual_syns[] = {
	{TO(WEB), {.flags = SYN | 0xc0, .seq = 1}, "new", WEB_B},
	{.from = "198.51.100.7:40001",
	 .to = WEB,
	 {.flags = SYN, .seq = 1, .data = 500},
	 "new",
	 WEB_B},
	{.from = WEB_B,
	 .to = "198.51.100.7:40001",
	 {.flags = SYN | ACK, .seq = 9, .ack = 502},
	 "reply",
	 .source = WEB},
};

/* What a backend does on its own account is nobody's business. */
static const struct step direct[] = {
	{BACK(WEB_B), A_SYNACK, "direct"},
	{BACK(WEB_B), {.flags = ACK, .data = 50}, "direct"},
	{BACK(WEB_B), {.flags = ACK, .data = 50, .fragment = 0x2000}, "direct"},
	{BACK(WEB_B), {.flags = ACK, .data = 50, .total_off = 9}, "direct"},
	{.from = "10.0.1.11:8081", .to = CLIENT, A_SYNACK, "not_ours"},
	{.from = "10.0.1.11:40000", .to = "198.51.100.9:443", A_SYN, "not_ours"},
	{TO(WEB_B), A_SYN, "not_ours"},
	OPENED(WEB, WEB_B),
	{.from = WEB_B, .to = "198.51.100.7:40001", A_SYNACK, "direct"},
};

static void down(struct site *s, const struct end *chosen)
{
	site_down(s, chosen);
}

/* A connection stays where it is; a new one goes to the other. */
static const struct step backend_down[] = {
	{TO(PAIR), A_SYN, "new", PAIR_B " " PAIR_B2},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply", .source = PAIR},
	{TO(PAIR), AN_ACK, "forwarded", "@"},
	{TO(PAIR),
	 {.flags = ACK, .seq = 1001, .ack = 5001, .data = 3},
	 "forwarded",
	 "@",
	 .before = down},
	{TO(PAIR), {.flags = SYN, .seq = 88888}, "new", "!"},
	{TO(PAIR), {.flags = ACK, .seq = 1004, .ack = 5001, .data = 3}, "forwarded", "@"},
};

static void leave(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_apply(s, site_config_less);
}

/* A listener that the configuration dropped: what is open runs on, nothing new begins. */
static const struct step listener_dropped[] = {
	OPENED(LEAVING, LEAVING_B),
	{TO(LEAVING),
	 {.flags = ACK, .seq = 1001, .ack = 5001, .data = 3},
	 "forwarded",
	 LEAVING_B,
	 .before = leave},
	{BACK(LEAVING_B), {.flags = ACK, .seq = 5001, .ack = 1004}, "reply", .source = LEAVING},
	{.from = "198.51.100.7:40001", .to = LEAVING, A_SYN, "no_backend"},
	{.from = "198.51.100.7:40001", .to = LEAVING, AN_ACK, "no_backend"},
};

static const struct step no_backend[] = {
	{TO(EMPTY), A_SYN, "no_backend"},
	{TO(EMPTY), AN_ACK, "no_backend"},
	{.from = CLIENT6, .to = EMPTY6, A_SYN, "no_backend"},
};

static const struct step local_mode[] = {
	{TO(LOCAL), A_SYN, "local_mode"},
	{TO(LOCAL), AN_ACK, "local_mode"},
	{TO(LOCAL), {.flags = RST}, "local_mode"},
};

static const struct packet_case cases[] = {
	{"tcp: from SYN to the last ACK", STEPS(whole_life)},
	{"tcp: from SYN to RST, v6", STEPS(whole_life_v6)},
	{"tcp: SYN repeated with the same ISN", STEPS(syn_again)},
	{"tcp: new ISN on an established tuple", STEPS(new_isn)},
	{"tcp: new ISN on a half-open tuple", STEPS(new_isn_half_open)},
	{"tcp: backend refuses", STEPS(half_open_reset)},
	{"tcp: client resets", STEPS(reset_by_client)},
	{"tcp: strays", STEPS(strays)},
	{"tcp: strays, v6", STEPS(strays_v6)},
	{"tcp: SYN with ECN bits, with data", STEPS(unusual_syns)},
	{"tcp: a backend's own traffic", STEPS(direct)},
	{"tcp: backend down, connection stays", STEPS(backend_down)},
	{"tcp: listener dropped", STEPS(listener_dropped)},
	{"tcp: no backend", STEPS(no_backend)},
	{"tcp: mode local", STEPS(local_mode)},
};

const struct case_list tcp_cases = CASES(cases);
