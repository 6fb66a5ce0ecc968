/* SPDX-License-Identifier: BSD-2-Clause */
/* What connections tell about their backends, and the trial of one that was ejected. */
#include "cases.h"

#define EITHER PAIR_B " " PAIR_B2
#define CLIENT_2 "198.51.100.7:40002"
#define CLIENT_3 "198.51.100.7:40003"
#define A_SYN .as = {.flags = SYN, .seq = 1000, .tcp_words = 5}
#define OPENED                                                                                     \
	{                                                                                          \
		.from = CLIENT, .to = PAIR, A_SYN, "new", EITHER, .signals = ""                    \
	}
#define CLIENTS(...)                                                                               \
	{                                                                                          \
		.from = CLIENT, .to = PAIR, {__VA_ARGS__}, "forwarded", "@", .signals = ""         \
	}
#define ANSWER(what, ...)                                                                          \
	{                                                                                          \
		.from = "@", .to = CLIENT, {__VA_ARGS__}, "reply", .source = PAIR, .signals = what \
	}
#define MADE                                                                                       \
	OPENED, ANSWER("answered", .flags = SYN | ACK, .seq = 5000, .ack = 1001),                  \
		CLIENTS(.flags = ACK, .seq = 1001, .ack = 5001)
#define RESET .flags = RST | ACK, .seq = 5001, .ack = 1001

/* Each is counted once. */
static const struct step served[] = {
	OPENED,
	ANSWER("answered", .flags = SYN | ACK, .seq = 5000, .ack = 1001),
	ANSWER("", .flags = SYN | ACK, .seq = 5000, .ack = 1001),
	CLIENTS(.flags = ACK, .seq = 1001, .ack = 5001),
	ANSWER("", .flags = ACK, .seq = 5001, .ack = 1001),
	ANSWER("served", .flags = ACK, .seq = 5001, .ack = 1001, .data = 9),
	ANSWER("", .flags = ACK, .seq = 5010, .ack = 1001, .data = 9),
	ANSWER("", .flags = RST | ACK, .seq = 5019, .ack = 1001),
};

static const struct step reset_early[] = {
	MADE,
	ANSWER("reset_early", RESET),
	ANSWER("", RESET),
};

/* A forged reset, far from what comes next. */
static const struct step reset_unbelieved[] = {
	MADE,
	ANSWER("", .flags = RST, .seq = 0x90000000),
	ANSWER("reset_early", RESET),
};

/* The client, or the backend, had begun to end it. */
static const struct step reset_after_fin[] = {
	MADE,
	CLIENTS(.flags = FIN | ACK, .seq = 1001, .ack = 5001),
	ANSWER("", RESET),
};

static const struct step reset_after_its_fin[] = {
	MADE,
	ANSWER("", .flags = FIN | ACK, .seq = 5001, .ack = 1001),
	ANSWER("", .flags = RST | ACK, .seq = 5002, .ack = 1001),
};

static const struct step refused[] = {
	OPENED,
	{.from = "@",
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1001},
	 "syn_retried",
	 "!",
	 .made = &(const struct spec){.flags = SYN, .seq = 1000, .tcp_words = 5, .own = true},
	 .signals = "refused taken"},
	{.from = "!",
	 .to = CLIENT,
	 {.flags = RST | ACK, .ack = 1001},
	 "reply",
	 .source = PAIR,
	 .notes = "retry_exhausted",
	 .signals = "refused"},
};

/* Where the backend sees another source, its answers lead to the same record. */
#define FAR_OPENED                                                                                 \
	{                                                                                          \
		.from = CLIENT, .to = FAR, A_SYN, "new", FAR_B, .alias = true,                     \
		.node = NODE_SOURCE, .signals = ""                                                 \
	}
#define FAR_ANSWER(what, ...)                                                                      \
	{                                                                                          \
		.from = FAR_B, .to = "@", {__VA_ARGS__}, "reply", .source = FAR,                   \
		.port_back = true, .signals = what                                                 \
	}

static const struct step far_served[] = {
	FAR_OPENED,
	FAR_ANSWER("answered", .flags = SYN | ACK, .seq = 5000, .ack = 1001),
	FAR_ANSWER("served", .flags = ACK, .seq = 5001, .ack = 1001, .data = 9),
	FAR_ANSWER("", .flags = RST | ACK, .seq = 5010, .ack = 1001),
};

static const struct step far_reset[] = {
	FAR_OPENED,
	FAR_ANSWER("answered", .flags = SYN | ACK, .seq = 5000, .ack = 1001),
	FAR_ANSWER("reset_early", RESET),
};

/* ---- trials ---- */

static void eject(struct site *s, const struct end *chosen)
{
	site_eject(s, chosen, false);
}

static void try_out(struct site *s, const struct end *chosen)
{
	site_eject(s, chosen, true);
}

#define SYN_FROM(client, b, ...)                                                                   \
	{                                                                                          \
		.from = client, .to = PAIR, A_SYN, "new", b, __VA_ARGS__                           \
	}

static const struct step ejected[] = {
	OPENED, SYN_FROM(CLIENT_2, "!", .before = eject), SYN_FROM(CLIENT_3, "!"),
	ANSWER("answered", .flags = SYN | ACK, .seq = 5000, .ack = 1001), /* it keeps what it has */
};

/* One connection, no other. */
static const struct step one_trial[] = {
	OPENED,
	SYN_FROM(CLIENT_2, "@", .before = try_out),
	SYN_FROM(CLIENT_3, "!"),
	SYN_FROM("198.51.100.8:40000", "!"),
	SYN_FROM("198.51.100.9:40000", "!"),
	{.from = CLIENT_2, .to = PAIR, A_SYN, "forwarded", "@"},
};

/* Neither could be made again for another backend. */
static const struct step no_trial[] = {
	OPENED,
	{.from = CLIENT_2,
	 .to = PAIR,
	 {.flags = SYN, .seq = 1000, .data = 9},
	 "new",
	 "!",
	 .before = try_out},
	{.from = CLIENT_2, .to = PAIR, {.proto = UDP, .data = 9}, "new", "!"},
	SYN_FROM(CLIENT_3, "@"),
};

/* Whoever has the client's port there is not disturbed. */
static const struct step port_taken[] = {
	OPENED,
	{.from = CLIENT, .to = PAIR_TOO, A_SYN, "new", "!", .before = try_out},
	{.from = CLIENT_2, .to = PAIR_TOO, A_SYN, "new", "@"},
};

static const struct step trial_refused[] = {
	OPENED,
	SYN_FROM(CLIENT_2, "@", .before = try_out),
	{.from = "@",
	 .to = CLIENT_2,
	 {.flags = RST | ACK, .ack = 1001},
	 "syn_retried",
	 "!",
	 .made = &(const struct spec){.flags = SYN, .seq = 1000, .tcp_words = 5, .own = true},
	 .signals = "refused taken"},
	{.from = CLIENT_2, .to = PAIR, A_SYN, "forwarded", "!"},
};

static const struct packet_case cases[] = {
	{"passive: answered and served", STEPS(served)},
	{"passive: reset before any data", STEPS(reset_early)},
	{"passive: reset that nobody believes", STEPS(reset_unbelieved)},
	{"passive: reset after the client's FIN", STEPS(reset_after_fin)},
	{"passive: reset after its own FIN", STEPS(reset_after_its_fin)},
	{"passive: refused", STEPS(refused)},
	{"passive: snat, answered and served", STEPS(far_served)},
	{"passive: snat, reset before any data", STEPS(far_reset)},
	{"passive: ejected", STEPS(ejected)},
	{"passive: one trial", STEPS(one_trial)},
	{"passive: no trial for data and UDP", STEPS(no_trial)},
	{"passive: no trial where the port is taken", STEPS(port_taken)},
	{"passive: refused trial", STEPS(trial_refused)},
};

const struct case_list passive_cases = CASES(cases);
