/* SPDX-License-Identifier: BSD-2-Clause */
/* What connections tell about their backends. */
#include "cases.h"

#define EITHER PAIR_B " " PAIR_B2
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

static const struct packet_case cases[] = {
	{"passive: answered and served", STEPS(served)},
	{"passive: reset before any data", STEPS(reset_early)},
	{"passive: reset that nobody believes", STEPS(reset_unbelieved)},
	{"passive: reset after the client's FIN", STEPS(reset_after_fin)},
	{"passive: reset after its own FIN", STEPS(reset_after_its_fin)},
	{"passive: refused", STEPS(refused)},
	{"passive: snat, answered and served", STEPS(far_served)},
	{"passive: snat, reset before any data", STEPS(far_reset)},
};

const struct case_list passive_cases = CASES(cases);
