/* SPDX-License-Identifier: BSD-2-Clause */
/* What a frame can look like: tags, options, extension headers, fragments, lengths that lie. */
#include "cases.h"

#define S(...) .as = {.flags = SYN, .seq = 1000, __VA_ARGS__}
#define C4 .from = CLIENT, .to = WEB
#define C6 .from = CLIENT6, .to = WEB6
#define BACK .from = WEB_B, .to = CLIENT

static const struct step not_ip[] = {
	{C4, S(.type = 0x0806), "not_ip"},
	{C4, S(.type = 0x88cc), "not_ip"},
	{C4, S(.type = 0x86dd), "not_ip"},
	{C6, S(.type = 0x0800), "not_ip"},
	{C4, S(.vlan = {5}, .type = 0x0806), "not_ip"},
};

static const struct step not_l4[] = {
	{C4, S(.l4 = 1), "not_l4"},
	{C4, S(.l4 = 47), "not_l4"},
	{C4, S(.l4 = 132), "not_l4"},
	{C6, S(.l4 = 58), "not_l4"},
	{C6, S(.l4 = 51), "not_l4"},
	{C6, S(.ext = "hhhhhhh"), "not_l4"},
	{C6, S(.ext = "d", .l4 = 59), "not_l4"},
};

static const struct step not_ours[] = {
	{.from = CLIENT, .to = "203.0.113.10:444", S(), "not_ours"},
	{.from = CLIENT, .to = "203.0.113.11:443", S(), "not_ours"},
	{.from = CLIENT6, .to = "[2001:db8::11]:443", S(), "not_ours"},
	{.from = CLIENT, .to = DNS, S(), "not_ours"},
	{.from = CLIENT, .to = "203.0.113.11:443", S(.total_off = 100), "not_ours"},
	{.from = CLIENT, .to = "203.0.113.11:443", S(.fragment = 0x2000), "not_ours"},
};

static const struct step v4_options[] = {
	{C4, S(.v4_words = 1), "new", WEB_B},
	{C4, S(.v4_words = 10, .data = 7), "forwarded", WEB_B},
	{BACK, {.flags = SYN | ACK, .v4_words = 3, .tcp_words = 10}, "reply", .source = WEB},
};

static const struct step v6_extensions[] = {
	{C6, S(.ext = "h"), "new", WEB6_B},
	{C6, S(.ext = "d", .data = 3), "forwarded", WEB6_B},
	{C6, S(.ext = "R"), "forwarded", WEB6_B},
	{C6, S(.ext = "hDrd"), "forwarded", WEB6_B},
	{C6, S(.ext = "hhhhhh"), "forwarded", WEB6_B},
	{C6, S(.atomic = true), "forwarded", WEB6_B},
	{C6, S(.atomic = true, .ext = "d"), "forwarded", WEB6_B},
};

static void much_later(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_age(s, 61);
}

static const struct step fragments[] = {
	{C4, S(.fragment = 0x2008, .data = 64), "fragment_held"},
	{C4, S(.fragment = 0x2000, .data = 64), "new", WEB_B},
	{C4, S(.fragment = 0x2008, .data = 64), "fragment_forwarded", WEB_B},
	{C4, S(.fragment = 0x0008, .data = 63, .vlan = {7}), "fragment_forwarded", WEB_B},
	{C4, S(.fragment = 0x0008, .data = 64, .ttl = 1), "ttl_exceeded"},
	{C4, S(.fragment = 0x4000), "forwarded", WEB_B}, /* don't fragment */
	{.from = "198.51.100.8:40000", .to = WEB, S(.fragment = 8), "fragment_held"},
	{.from = "198.51.100.8:40000", .to = "203.0.113.11:443", S(.fragment = 8), "fragment_pass"},
	{.from = WEB_B, .to = "203.0.113.11:443", S(.fragment = 8), "fragment_held"},
	{.from = WEB_B,
	 .to = "203.0.113.11:443",
	 S(.fragment = 8),
	 "fragment_pass",
	 .egress = true},
	{.from = WEB_B, .to = "203.0.113.11:443", S(.fragment = 0x2000), "direct"},
	{.from = WEB_B, .to = "203.0.113.11:443", S(.fragment = 8), "fragment_pass"},
	{C6, S(.fragment = 0x0100, .data = 64), "fragment_held"},
	{C6, S(.fragment = 0x0001, .data = 64), "new", WEB6_B},
	{C6, S(.fragment = 0x0101, .data = 64), "fragment_forwarded", WEB6_B},
	{C6, S(.fragment = 0x0100, .data = 64), "fragment_forwarded", WEB6_B},
	{C6, S(.fragment = 0x0100, .ext = "dd", .data = 64), "fragment_forwarded", WEB6_B},
	{.from = CLIENT, .to = DNS, .as = {.proto = UDP, .fragment = 8}, "fragment_held"},
	{.from = CLIENT,
	 .to = DNS,
	 .as = {.proto = UDP, .fragment = 0x2000, .data = 64, .udp_off = 900},
	 "new",
	 DNS_B},
	{.from = CLIENT,
	 .to = DNS,
	 .as = {.proto = UDP, .fragment = 8},
	 "fragment_forwarded",
	 DNS_B},
	{BACK, {.flags = ACK, .fragment = 0x2000, .data = 9}, "reply", .source = WEB},
	{BACK, {.flags = ACK, .fragment = 0x0001}, "fragment_forwarded", .source = WEB},
	{BACK,
	 {.flags = ACK, .fragment = 0x0002},
	 "fragment_forwarded",
	 .source = WEB,
	 .egress = true,
	 .via = VIA_STACK},
	{C4, S(.fragment = 0x0008, .data = 64), "fragment_held", .before = much_later},
};

static const struct step lengths[] = {
	{C4, S(.ihl = 4), "not_ip"},
	{C4, S(.ihl = 15), "not_l4"},
	{C4, S(.ihl = 15, .data = 40), "not_ours"}, /* its ports are payload */
	{C4, S(.doff = 4), "malformed"},
	{C4, S(.doff = 6), "malformed"},
	{C4, S(.doff = 15, .data = 39), "malformed"},
	{C4, S(.total_off = 1), "malformed"},
	{C4, S(.total_off = -1), "malformed"},
	{C4, S(.total_off = -21), "malformed"},
	{C4, S(.total_off = -41), "malformed"},
	{C4, S(.trailer = 6), "new", WEB_B},
	{C6, S(.total_off = 1), "malformed"},
	{C6, S(.total_off = -1), "malformed"},
	{C6, S(.total_off = -20), "malformed"},
	{C6, S(.ext = "d", .total_off = -25), "malformed"},
	{C6, S(.trailer = 9), "new", WEB6_B},
};

#define D(...) .from = CLIENT, .to = DNS, .as = {.proto = UDP, __VA_ARGS__}

static const struct step udp_lengths[] = {
	{D(.data = 9, .udp_off = -10), "malformed"},
	{D(.data = 9, .udp_off = 1), "malformed"},
	{D(.data = 9, .total_off = -1), "malformed"},
	{D(.data = 9, .total_off = -10), "malformed"},
	{D(.data = 0), "new", DNS_B},
};

/* Up to the ports nothing is known, up to the end of the header hardly more. */
static const struct step cut_v4[] = {
	{C4, S(.data = 20, .keep = 14), "not_ip", .keep_to = 33},
	{C4, S(.data = 20, .keep = 34), "not_l4", .keep_to = 53},
	{C4, S(.data = 20, .keep = 54), "malformed", .keep_to = 73},
	{C4, S(.data = 20), "new", WEB_B},
};

static const struct step cut_v6[] = {
	{C6, S(.ext = "hD", .keep = 14), "not_ip", .keep_to = 53},
	{C6, S(.ext = "hD", .keep = 54), "not_l4", .keep_to = 97},
	{C6, S(.ext = "hD"), "new", WEB6_B},
};

static const struct step cut_tag[] = {
	{C4, S(.vlan = {7, 8}, .keep = 14), "not_ip", .keep_to = 41},
	{C4, S(.vlan = {7, 8}, .keep = 42), "not_l4", .keep_to = 61},
	{D(.data = 5, .keep = 14), "not_ip", .keep_to = 33},
	{D(.data = 5, .keep = 34), "not_l4", .keep_to = 41},
	{D(.data = 5, .keep = 42), "malformed", .keep_to = 46},
};

/* Both ends' tags are taken off; the client's goes on again to the client. */
static const struct step tags[] = {
	{C4, S(.vlan = {100}), "new", WEB_B},
	{BACK, {.flags = SYN | ACK, .seq = 50, .ack = 1001}, "reply", .source = WEB, .tag = 100},
	{BACK, {.flags = SYN | ACK, .vlan = {7}}, "reply", .source = WEB, .tag = 100},
	{C4, S(.vlan = {0x6064}), "forwarded", WEB_B},
	{BACK, {.flags = SYN | ACK}, "reply", .source = WEB, .tag = 0x6064},
	{C4, S(), "forwarded", WEB_B},
	{BACK, {.flags = SYN | ACK, .vlan = {7}}, "reply", .source = WEB},
	{C4, S(.vlan = {100}, .ad = true), "forwarded", WEB_B},
	{C4, S(.vlan = {100, 200}, .ad = true), "forwarded", WEB_B},
	{C6, S(.vlan = {100}), "new", WEB6_B},
	{.from = WEB6_B, .to = CLIENT6, {.flags = SYN | ACK}, "reply", .source = WEB6, .tag = 100},
};

static const struct step partial[] = {
	{C4, S(.check = CHECK_PARTIAL), "new", WEB_B, .notes = "csum_completed"},
	{C4, S(.check = CHECK_PARTIAL, .data = 1), "forwarded", WEB_B, .notes = "csum_completed"},
	{C4, S(.check = CHECK_PARTIAL, .data = 1447), "forwarded", WEB_B,
	 .notes = "csum_completed"},
	{C4, S(.check = CHECK_PARTIAL, .data = 5, .trailer = 9), "forwarded", WEB_B,
	 .notes = "csum_completed"},
	{BACK,
	 {.flags = SYN | ACK, .check = CHECK_PARTIAL, .data = 33},
	 "reply",
	 .source = WEB,
	 .notes = "csum_completed"},
	{C6, S(.check = CHECK_PARTIAL, .data = 1002), "new", WEB6_B, .notes = "csum_completed"},
	{C6, S(.check = CHECK_PARTIAL, .data = 3, .ext = "d"), "forwarded", WEB6_B,
	 .notes = "csum_completed"},
	{D(.check = CHECK_PARTIAL, .data = 77), "new", DNS_B, .notes = "csum_completed"},
	{D(.check = CHECK_PARTIAL, .data = 0), "forwarded", DNS_B, .notes = "csum_completed"},
	{D(.check = CHECK_PARTIAL, .data = 6), "forwarded", DNS_B, .notes = "csum_completed",
	 .zero_sum = true},
};

static const struct packet_case cases[] = {
	{"wire: not IP", STEPS(not_ip)},
	{"wire: neither TCP nor UDP", STEPS(not_l4)},
	{"wire: not for a listener", STEPS(not_ours)},
	{"wire: IPv4 options", STEPS(v4_options)},
	{"wire: IPv6 extension headers", STEPS(v6_extensions)},
	{"wire: fragments", STEPS(fragments)},
	{"wire: lengths that lie", STEPS(lengths)},
	{"wire: UDP lengths that lie", STEPS(udp_lengths)},
	{"wire: every truncation, v4", STEPS(cut_v4)},
	{"wire: every truncation, v6 with extensions", STEPS(cut_v6)},
	{"wire: every truncation, tags and UDP", STEPS(cut_tag)},
	{"wire: VLAN tags", STEPS(tags)},
	{"wire: partial checksums", STEPS(partial), HOOK_XDP},
};

const struct case_list wire_cases = CASES(cases);
