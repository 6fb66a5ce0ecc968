/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP: checksums that are absent or come out as 0, and backends that go. */
#include "cases.h"

#define U(...) .as = {.proto = UDP, __VA_ARGS__}
#define TO(vip) .from = CLIENT, .to = vip
#define BACK(b) .from = b, .to = CLIENT

static const struct step exchange[] = {
	{TO(DNS), U(.data = 40), "new", DNS_B},
	{BACK(DNS_B), U(.data = 200), "reply", .source = DNS},
	{TO(DNS), U(.data = 41), "forwarded", DNS_B},
	{TO(DNS), U(.data = 0), "forwarded", DNS_B},
};

static const struct step exchange_v6[] = {
	{.from = CLIENT6, .to = DNS6, U(.data = 40), "new", DNS6_B},
	{.from = DNS6_B, .to = CLIENT6, U(.data = 201), "reply", .source = DNS6},
	{.from = CLIENT6, .to = DNS6, U(.data = 41), "forwarded", DNS6_B},
};

static const struct step no_checksum[] = {
	{TO(DNS), U(.data = 40, .check = CHECK_NONE), "new", DNS_B},
	{BACK(DNS_B), U(.data = 40, .check = CHECK_NONE), "reply", .source = DNS},
};

static const struct step zero_checksum[] = {
	{TO(DNS), U(.data = 40), "new", DNS_B, .zero_sum = true},
	{BACK(DNS_B), U(.data = 40), "reply", .source = DNS, .zero_sum = true},
	{.from = CLIENT6, .to = DNS6, U(.data = 40), "new", DNS6_B, .zero_sum = true},
	{.from = DNS6_B, .to = CLIENT6, U(.data = 40), "reply", .source = DNS6, .zero_sum = true},
};

static void down(struct site *s, const struct end *chosen)
{
	site_down(s, chosen);
}

static const struct step moved[] = {
	{TO(PAIR), U(.data = 4), "new", PAIR_B " " PAIR_B2},
	{TO(PAIR), U(.data = 4), "forwarded", "@"},
	{TO(PAIR), U(.data = 4), "new", "!", .notes = "udp_moved", .before = down},
	{TO(PAIR), U(.data = 4), "forwarded", "!"},
};

/* It has nowhere to go: better served badly than not at all. */
static const struct step last_one[] = {
	{TO(DNS), U(.data = 4), "new", DNS_B},
	{TO(DNS), U(.data = 4), "forwarded", DNS_B, .before = down},
	{.from = "198.51.100.7:40001", .to = DNS, U(.data = 4), "new", DNS_B},
};

static void silent_50(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_age(s, 50);
}

static void silent_61(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_age(s, 61);
}

/* `idle: {udp: 60s}` holds whether a daemon frees what is over or not. */
static const struct step idle[] = {
	{TO(DNS), U(.data = 4), "new", DNS_B},
	{TO(DNS), U(.data = 4), "forwarded", DNS_B, .before = silent_50},
	{TO(DNS), U(.data = 4), "new", DNS_B, .before = silent_61},
	{TO(DNS), U(.data = 4), "forwarded", DNS_B},
	{BACK(DNS_B), U(.data = 30), "reply", .source = DNS, .before = silent_50},
	{TO(DNS), U(.data = 4), "forwarded", DNS_B, .before = silent_50},
};

static const struct step direct[] = {
	{BACK(DNS_B), U(.data = 30), "direct"},
	{BACK(DNS_B), U(.data = 30, .fragment = 0x2000), "direct"},
	{BACK(DNS_B), U(.data = 30, .fragment = 0x0100), "fragment_pass"},
	{.from = WEB_B, .to = CLIENT, U(.data = 30), "not_ours"},
	{TO(WEB), U(.data = 30), "not_ours"},
};

static const struct packet_case cases[] = {
	{"udp: there and back", STEPS(exchange)},
	{"udp: there and back, v6", STEPS(exchange_v6)},
	{"udp: without checksum", STEPS(no_checksum)},
	{"udp: checksum comes out as 0", STEPS(zero_checksum)},
	{"udp: backend down, flow moves", STEPS(moved)},
	{"udp: the last backend down, flow stays", STEPS(last_one)},
	{"udp: silent for too long", STEPS(idle)},
	{"udp: a backend's own traffic", STEPS(direct)},
};

const struct case_list udp_cases = CASES(cases);
