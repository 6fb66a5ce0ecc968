/* SPDX-License-Identifier: BSD-2-Clause */
/* SYNs that one backend refuses or does not answer. */
#include "cases.h"

#define TO(vip) .from = CLIENT, .to = vip
#define EITHER PAIR_B " " PAIR_B2
#define A_SYN .as = {.flags = SYN, .seq = 1000, .tcp_words = 5}
#define A_REFUSAL .as = {.flags = RST | ACK, .ack = 1001}
#define AT_ONCE(b)                                                                                 \
	{                                                                                          \
		TO(PAIR), A_SYN, "new", b                                                          \
	}

static const struct spec again = {.flags = SYN, .seq = 1000, .tcp_words = 5, .own = true};
static const struct spec again_long = {
	.flags = SYN | 0xc0, .seq = 1000, .tcp_words = 10, .own = true};
static const struct spec again_bare = {.flags = SYN, .seq = 1000, .own = true};
static const struct spec reset = {.flags = RST, .seq = 1001, .own = true, .bare = true, .ttl = 65};

/* The client sees nothing of the first backend; the flow lives with the second one. */
static const struct step refused[] = {
	AT_ONCE(EITHER),
	{.from = "@", .to = CLIENT, A_REFUSAL, "syn_retried", "!", .made = &again},
	{TO(PAIR), A_SYN, "forwarded", "!"},
	{.from = "!",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 5000, .ack = 1001},
	 "reply",
	 .source = PAIR},
	{TO(PAIR), {.flags = ACK, .seq = 1001, .ack = 5001}, "forwarded", "!"},
	{TO(PAIR), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 9}, "forwarded", "!"},
	{.from = "@", .to = CLIENT, A_REFUSAL, "late_dropped"},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 7000, .ack = 1001},
	 "late_reset",
	 .made = &reset},
};

static const struct step refused_by_all[] = {
	AT_ONCE(EITHER),
	{.from = "@", .to = CLIENT, A_REFUSAL, "syn_retried", "!", .made = &again},
	{.from = "!", .to = CLIENT, A_REFUSAL, "reply", .source = PAIR, .notes = "retry_exhausted"},
};

static const struct step the_only_one[] = {
	{TO(WEB), A_SYN, "new", WEB_B},
	{.from = WEB_B,
	 .to = CLIENT,
	 A_REFUSAL,
	 "reply",
	 .source = WEB,
	 .notes = "retry_exhausted"},
};

/* Longest options; none; tagged; a refusal with data behind it. */
static const struct step shapes[] = {
	{TO(PAIR), {.flags = SYN | 0xc0, .seq = 1000, .tcp_words = 10}, "new", EITHER},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1001, .vlan = {7}},
	 "syn_retried",
	 "!",
	 .made = &again_long},
};

static const struct step shape_bare[] = {
	{TO(PAIR), {.flags = SYN, .seq = 1000}, "new", EITHER},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1001, .data = 300},
	 "syn_retried",
	 "!",
	 .made = &again_bare},
};

/* Its data is not kept: the next backend acknowledges the SYN alone (RFC 7413). */
static const struct step with_data[] = {
	{TO(PAIR), {.flags = SYN, .seq = 1000, .data = 100}, "new", EITHER},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1101},
	 "syn_retried",
	 "!",
	 .made = &again_bare},
};

/* Resets that answer something else are the client's. */
static const struct step not_refused[] = {
	AT_ONCE(EITHER),
	{.from = "@", .to = CLIENT, {.flags = RST | ACK, .ack = 1002}, "reply", .source = PAIR},
	{.from = "@", .to = CLIENT, {.flags = RST, .seq = 77}, "reply", .source = PAIR},
};

static const struct step refused_after_answer[] = {
	AT_ONCE(EITHER),
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 5000, .ack = 1001},
	 "reply",
	 .source = PAIR},
	{.from = "@", .to = CLIENT, A_REFUSAL, "reply", .source = PAIR},
};

static void second_later(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_sent(s, 1);
}

/* The client's repeat goes elsewhere after silence, not before. */
static const struct step silent[] = {
	AT_ONCE(EITHER),
	{TO(PAIR), A_SYN, "forwarded", "@"},
	{TO(PAIR), A_SYN, "syn_moved", "!", .before = second_later},
	{TO(PAIR), A_SYN, "forwarded", "!"},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 7000, .ack = 1001, .tcp_words = 5},
	 "late_reset",
	 .made = &reset},
	{.from = "!",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 5000, .ack = 1001},
	 "reply",
	 .source = PAIR},
	{TO(PAIR), A_SYN, "forwarded", "!", .before = second_later},
};

/* TIME_WAIT: a challenge ACK is an answer. */
static const struct step challenged[] = {
	AT_ONCE(EITHER),
	{.from = "@", .to = CLIENT, {.flags = ACK, .seq = 9, .ack = 99}, "reply", .source = PAIR},
	{TO(PAIR), {.flags = RST, .seq = 99}, "forwarded", "@"},
	{TO(PAIR), A_SYN, "forwarded", "@", .before = second_later},
};

/* What came with data may have been worked on. */
static const struct step silent_with_data[] = {
	{TO(PAIR), {.flags = SYN, .seq = 1000, .data = 100}, "new", EITHER},
	{TO(PAIR), {.flags = SYN, .seq = 1000}, "forwarded", "@", .before = second_later},
};

/* ---- where the backend sees another source ---- */

#define SEEN .alias = true, .node = NODE_SOURCE
#define EITHER_FAR FAR_PAIR_B " " FAR_PAIR_B2
#define FAR_NEW                                                                                    \
	{                                                                                          \
		TO(FAR_PAIR), A_SYN, "new", EITHER_FAR, SEEN                                       \
	}
#define BACK(b) .port_back = true, .source = FAR_PAIR, .from = (b), .to = "@"
#define FAR_RETRIED                                                                                \
	{                                                                                          \
		.from = "@", .to = "@", A_REFUSAL, "syn_retried", "!", .made = &again, SEEN        \
	}

static const struct step far_refused[] = {
	FAR_NEW,
	FAR_RETRIED,
	{.from = "@", .to = "@", {.flags = SYN | ACK, .seq = 7000, .ack = 1001}, "direct"},
	{TO(FAR_PAIR), A_SYN, "forwarded", "!", SEEN},
	{BACK("!"), {.flags = SYN | ACK, .seq = 5000, .ack = 1001}, "reply"},
	{TO(FAR_PAIR), {.flags = ACK, .seq = 1001, .ack = 5001}, "forwarded", "!", SEEN},
	{TO(FAR_PAIR), {.flags = ACK, .seq = 1001, .data = 9}, "forwarded", "!", SEEN},
	{BACK("!"), {.flags = ACK, .seq = 5001, .ack = 1010, .data = 99}, "reply"},
};

static const struct step far_refused_by_all[] = {
	FAR_NEW,
	FAR_RETRIED,
	{BACK("!"), A_REFUSAL, "reply", .notes = "retry_exhausted"},
	{TO(FAR_PAIR), {.flags = SYN, .seq = 2000}, "new", EITHER_FAR, SEEN},
};

static void fill(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_fill(s);
}

/* Without room for what the next one must see, the client is told, and keeps its record. */
static const struct step far_no_room[] = {
	FAR_NEW,
	{BACK("@"), A_REFUSAL, "reply", .notes = "retry_exhausted", .before = fill},
	{TO(FAR_PAIR), A_SYN, "forwarded", "@", SEEN},
};

static const struct step far_silent[] = {
	FAR_NEW,
	{TO(FAR_PAIR), A_SYN, "forwarded", "@", SEEN},
	{TO(FAR_PAIR), A_SYN, "syn_moved", "!", SEEN, .before = second_later},
	{.from = "@", .to = "@", {.flags = SYN | ACK, .seq = 7000, .ack = 1001}, "direct"},
	{BACK("!"), {.flags = SYN | ACK, .seq = 5000, .ack = 1001}, "reply"},
	{TO(FAR_PAIR), {.flags = ACK, .seq = 1001, .ack = 5001}, "forwarded", "!", SEEN},
};

/* Both backends have the client's port already: the third flow has another one, at each. */
static const struct step rewritten[] = {
	AT_ONCE(EITHER),
	{TO(PAIR_TOO), A_SYN, "new", "!"},
	{.from = "!",
	 .to = CLIENT,
	 A_REFUSAL,
	 "syn_retried",
	 "@",
	 .made = &again,
	 .alias = true,
	 .notes = "port_rewritten"},
	{TO(PAIR_TOO), A_SYN, "forwarded", "@", .alias = true},
	{.from = "@",
	 .to = "@",
	 {.flags = SYN | ACK, .seq = 5000, .ack = 1001},
	 "reply",
	 .source = PAIR_TOO,
	 .port_back = true},
	{TO(PAIR_TOO), {.flags = ACK, .seq = 1001, .ack = 5001}, "forwarded", "@", .alias = true},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 6000, .ack = 1001},
	 "reply",
	 .source = PAIR},
	{.from = "!",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 7000, .ack = 1001},
	 "late_reset",
	 .made = &reset},
};

#define NEAR "10.0.2.77:40000"

static void one_network(struct site *s, const struct end *chosen)
{
	struct end one = end_of(PAIR_B), two = end_of(PAIR_B2);

	(void)chosen;
	site_hop(s, &one)->prefix = 24;
	site_hop(s, &two)->prefix = 24;
}

/* Client and backends are neighbours. */
static const struct step neighbours[] = {
	{.from = NEAR,
	 .to = PAIR,
	 A_SYN,
	 "new",
	 EITHER,
	 SEEN,
	 .notes = "hairpin",
	 .before = one_network},
	{.from = "@",
	 .to = "@",
	 A_REFUSAL,
	 "syn_retried",
	 "!",
	 .made = &again,
	 SEEN,
	 .client = NEAR,
	 .notes = "hairpin"},
	{.from = "!",
	 .to = "@",
	 {.flags = SYN | ACK, .seq = 5000, .ack = 1001},
	 "reply",
	 .source = PAIR,
	 .port_back = true,
	 .client = NEAR},
};

/* ---- ICMP ---- */

#define INNER "10.0.1.1:1" /* a router before the backends */
#define INNER6 "[fd00:1::1]:1"
#define UNREACHABLE(n) .error = 3, .code = (n)
#define QUOTES(what, sender, receiver)                                                             \
	.about = &(what), .about_from = (sender), .about_to = (receiver)
#define OF_CLIENT(what) QUOTES(what, CLIENT, "#")
#define TOLD(what)                                                                                 \
	QUOTES(what, CLIENT, "#"), .then_from = CLIENT, .then_to = PAIR, .source = PAIR,           \
				   .verdict = "icmp_to_client"

static const struct spec syn = {.flags = SYN, .seq = 1000, .tcp_words = 5};
static const struct spec later_data = {.flags = ACK, .seq = 1001, .data = 40};

#define BY_ROUTER(n)                                                                               \
	AT_ONCE(EITHER),                                                                           \
	{                                                                                          \
		.from = INNER, .to = CLIENT, {UNREACHABLE(n), .quoted = 28}, "syn_retried", "!",   \
		.made = &again, OF_CLIENT(syn)                                                     \
	}

static const struct step by_router[] = {
	BY_ROUTER(1),
	{TO(PAIR), A_SYN, "forwarded", "!"},
	{.from = INNER, .to = CLIENT, {UNREACHABLE(1)}, "not_l4", OF_CLIENT(syn)},
	{.from = "!",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 5000, .ack = 1001},
	 "reply",
	 .source = PAIR},
	{TO(PAIR), {.flags = ACK, .seq = 1001, .ack = 5001}, "forwarded", "!"},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 7000, .ack = 1001},
	 "late_reset",
	 .made = &reset},
};

static const struct step net[] = {BY_ROUTER(0)};
static const struct step protocol[] = {BY_ROUTER(2)};
static const struct step net_prohibited[] = {BY_ROUTER(9)};
static const struct step host_prohibited[] = {BY_ROUTER(10)};

/* The longest error, and one with a tag. */
static const struct step by_backend[] = {
	AT_ONCE(EITHER),
	{.from = "@",
	 .to = CLIENT,
	 {UNREACHABLE(3), .vlan = {7}},
	 "syn_retried",
	 "!",
	 .made = &again,
	 OF_CLIENT(syn)},
	{.from = "!",
	 .to = CLIENT,
	 {UNREACHABLE(13)},
	 "icmp_to_client",
	 .source = PAIR,
	 .notes = "retry_exhausted",
	 QUOTES(syn, CLIENT, "!"),
	 .then_from = CLIENT,
	 .then_to = PAIR},
};

/* What says something else, or quotes another number, or none, is the client's. */
static const struct step no_refusal[] = {
	AT_ONCE(EITHER),
	{.from = INNER, .to = CLIENT, {UNREACHABLE(5)}, TOLD(syn)},
	{.from = INNER, .to = CLIENT, {UNREACHABLE(4), .word32 = 1400}, TOLD(syn)},
	{.from = INNER, .to = CLIENT, {UNREACHABLE(32)}, TOLD(syn)},
	{.from = INNER, .to = CLIENT, {.error = 11}, TOLD(syn)},
	{.from = "@", .to = CLIENT, {UNREACHABLE(3)}, TOLD(later_data)},
	{.from = "@", .to = CLIENT, {UNREACHABLE(3), .quoted = 24}, TOLD(syn)},
	{TO(PAIR), A_SYN, "forwarded", "@"},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 5000, .ack = 1001},
	 "reply",
	 .source = PAIR},
	{.from = "@", .to = CLIENT, {UNREACHABLE(3)}, TOLD(syn)},
};

/* A number that is 0 is not one that was not quoted. */
static const struct spec syn_of_0 = {.flags = SYN, .tcp_words = 5};
static const struct step number_0[] = {
	{TO(PAIR), {.flags = SYN, .tcp_words = 5}, "new", EITHER},
	{.from = "@", .to = CLIENT, {UNREACHABLE(3), .quoted = 27}, TOLD(syn_of_0)},
};

static const struct step six[] = {
	{.from = CLIENT6, .to = PAIR6, A_SYN, "new", PAIR6_B " " PAIR6_B2},
	{.from = INNER6,
	 .to = CLIENT6,
	 {.error = 1, .code = 3},
	 "syn_retried",
	 "!",
	 .made = &again,
	 QUOTES(syn, CLIENT6, "#")},
	{.from = CLIENT6, .to = PAIR6, A_SYN, "forwarded", "!"},
};

static const struct step six_refused[] = {
	{.from = CLIENT6, .to = PAIR6, A_SYN, "new", PAIR6_B " " PAIR6_B2},
	{.from = "@", .to = CLIENT6, A_REFUSAL, "syn_retried", "!", .made = &again},
	{.from = CLIENT6, .to = PAIR6, A_SYN, "forwarded", "!"},
};

static const struct step far_unreachable[] = {
	FAR_NEW,
	{.from = INNER,
	 .to = "@",
	 {UNREACHABLE(1), .quoted = 28},
	 "syn_retried",
	 "!",
	 .made = &again,
	 SEEN,
	 QUOTES(syn, "@", "#")},
	{.from = INNER, .to = "@", {UNREACHABLE(1)}, "not_l4", QUOTES(syn, "@", "#")},
	{TO(FAR_PAIR), A_SYN, "forwarded", "!", SEEN},
	{BACK("!"), {.flags = SYN | ACK, .seq = 5000, .ack = 1001}, "reply"},
};

static const struct packet_case cases[] = {
	{"retry: refused by one", STEPS(refused)},
	{"retry: refused by all", STEPS(refused_by_all)},
	{"retry: refused by the only one", STEPS(the_only_one)},
	{"retry: SYN with 40 bytes of options, ECN, tag", STEPS(shapes)},
	{"retry: SYN without options, RST with data", STEPS(shape_bare)},
	{"retry: SYN with data is made again without", STEPS(with_data)},
	{"retry: other resets", STEPS(not_refused)},
	{"retry: reset after the answer", STEPS(refused_after_answer)},
	{"retry: silence", STEPS(silent)},
	{"retry: challenge ACK", STEPS(challenged)},
	{"retry: silence, SYN with data", STEPS(silent_with_data)},
	{"retry: snat, refused by one", STEPS(far_refused)},
	{"retry: snat, refused by all", STEPS(far_refused_by_all)},
	{"retry: snat, no room for another", STEPS(far_no_room)},
	{"retry: snat, silence", STEPS(far_silent)},
	{"retry: the client's port is taken elsewhere", STEPS(rewritten)},
	{"retry: client and backends in one network", STEPS(neighbours)},
	{"retry: ICMP, host unreachable", STEPS(by_router)},
	{"retry: ICMP, network unreachable", STEPS(net)},
	{"retry: ICMP, protocol unreachable", STEPS(protocol)},
	{"retry: ICMP, network prohibited", STEPS(net_prohibited)},
	{"retry: ICMP, host prohibited", STEPS(host_prohibited)},
	{"retry: ICMP, by backends", STEPS(by_backend)},
	{"retry: ICMP that refuses no SYN", STEPS(no_refusal)},
	{"retry: ICMP that quotes no number", STEPS(number_0)},
	{"retry: ICMPv6", STEPS(six)},
	{"retry: refused, v6", STEPS(six_refused)},
	{"retry: snat, ICMP", STEPS(far_unreachable)},
};

const struct case_list retry_cases = CASES(cases);
