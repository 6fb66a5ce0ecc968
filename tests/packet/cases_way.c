/* SPDX-License-Identifier: BSD-2-Clause */
/* Where packets leave: next hops of all kinds, TTL, the client's way, backends on this host. */
#include "cases.h"

#define C4 .from = CLIENT, .to = WEB
#define C6 .from = CLIENT6, .to = WEB6
#define BACK .from = WEB_B, .to = CLIENT
#define A_SYN .as = {.flags = SYN, .seq = 1000}
#define A_SYNACK .as = {.flags = SYN | ACK, .seq = 5000, .ack = 1001}

static void hop_flags(struct site *s, uint16_t flags)
{
	struct end web = end_of(WEB_B);

	site_hop(s, &web)->flags = flags;
}

static void unresolved(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, ZDD_H_XDP);
}

static void on_this_host(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, ZDD_H_LOCAL);
}

static void no_xdp(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, ZDD_H_RESOLVED);
}

static void container(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hop_flags(s, ZDD_H_RESOLVED | ZDD_H_PEER);
}

static void tagged(struct site *s, const struct end *chosen)
{
	struct end web = end_of(WEB_B);

	(void)chosen;
	site_hop(s, &web)->vlan = 300;
}

static void no_hop(struct site *s, const struct end *chosen)
{
	struct end web = end_of(WEB_B);

	(void)chosen;
	site_backend(s, &web)->hop = 0;
}

static void no_link(struct site *s, const struct end *chosen)
{
	(void)chosen;
	s->memory->links[zdd_link_slot(1)].ifindex = 0;
}

static void link_flags(struct site *s, uint16_t flags)
{
	s->memory->links[zdd_link_slot(1)].flags = flags;
}

static void link_takes_none(struct site *s, const struct end *chosen)
{
	(void)chosen;
	link_flags(s, 0);
}

static void generic(struct site *s, const struct end *chosen)
{
	no_xdp(s, chosen);
	link_flags(s, ZDD_H_GENERIC);
}

#define STACK .notes = "via_stack", .via = VIA_STACK

static const struct step xdp_to_stack[] = {
	{C4, A_SYN, "new", WEB_B, .before = unresolved, STACK},
	{C4, {.flags = SYN, .seq = 1000, .vlan = {9}, .ttl = 1}, "forwarded", WEB_B, STACK},
	{C4, A_SYN, "forwarded", WEB_B, .before = no_xdp, STACK},
	{C4, A_SYN, "forwarded", WEB_B, .before = on_this_host, STACK},
	{C4, {.flags = ACK, .seq = 1001, .data = 1600}, "forwarded", WEB_B, STACK},
	{C4, A_SYN, "forwarded", WEB_B, .before = no_hop, STACK},
};

/* An answer that XDP cannot send on: untouched into the stack, rewritten on its way out. */
static const struct step xdp_reply_to_stack[] = {
	{C4, A_SYN, "new", WEB_B},
	{BACK, A_SYNACK, "reply", .source = WEB},
	{C4, {.flags = ACK, .seq = 1001, .ack = 5001}, "forwarded", WEB_B},
	{BACK, {.flags = ACK, .seq = 5001}, "reply_later", .before = link_takes_none},
	{BACK,
	 {.flags = ACK, .seq = 5001},
	 "reply",
	 .source = WEB,
	 .egress = true,
	 .via = VIA_STACK},
	{BACK, {.flags = ACK, .seq = 5001, .ttl = 1}, "reply_later"},
};

/* The socket buffer knows which checksum is partial, and which only looks so. */
#define PARTIAL .check = CHECK_PARTIAL, .data = 40
static const struct step generic_xdp[] = {
	{C4, A_SYN, "new", WEB_B, .before = generic},
	{BACK, A_SYNACK, "reply", .source = WEB},
	{C4, {.flags = ACK, .seq = 1001, PARTIAL}, "forwarded", WEB_B, .stays = true},
	{BACK, {.flags = ACK, .seq = 5001, PARTIAL}, "reply", .source = WEB, .stays = true},
	{C4, {.flags = ACK, .seq = 1001, .data = 40}, "forwarded", WEB_B, .looks_partial = true},
	{C4, {.flags = ACK, .seq = 1001, .data = 1600}, "forwarded", WEB_B, STACK},
};

static const struct step tc_ways[] = {
	{C4, A_SYN, "new", WEB_B, .before = unresolved, .via = VIA_NEIGH},
	{C4, A_SYN, "forwarded", WEB_B, .before = no_xdp},
	{C4, A_SYN, "forwarded", WEB_B, .before = container},
	{C4,
	 {.flags = SYN, .seq = 1000, .ttl = 1},
	 "forwarded",
	 WEB_B,
	 .before = on_this_host,
	 STACK},
	{C4, A_SYN, "forwarded", WEB_B, .before = no_hop, STACK},
};

static const struct step hop_with_tag[] = {
	{C4, A_SYN, "new", WEB_B, .before = tagged, .tag = 300},
	{C4, {.flags = SYN, .seq = 1000, .vlan = {9}}, "forwarded", WEB_B, .tag = 300},
	{C4, {.flags = SYN, .seq = 1000, .vlan = {9, 10}}, "forwarded", WEB_B, .tag = 300},
	{BACK, {.flags = SYN | ACK, .vlan = {300}}, "reply", .source = WEB, .tag = 9},
};

static const struct step ttl[] = {
	{C4, {.flags = SYN, .seq = 1000, .ttl = 1}, "ttl_exceeded"},
	{C4, {.flags = SYN, .seq = 1000, .ttl = 2}, "forwarded", WEB_B},
	{C4, {.flags = SYN, .seq = 1000, .ttl = 255}, "forwarded", WEB_B},
	{BACK, {.flags = SYN | ACK, .ttl = 1}, "ttl_exceeded"},
	{C6, {.flags = SYN, .seq = 1000, .ttl = 1}, "ttl_exceeded"},
	{C6, {.flags = SYN, .seq = 1000, .ttl = 2}, "forwarded", WEB6_B},
	{.from = "198.51.100.7:40009", .to = "203.0.113.99:443", .as = {.ttl = 1}, "not_ours"},
};

/* Its interface is gone: the host's routes are asked. */
static const struct step link_lost[] = {
	{C4, A_SYN, "new", WEB_B},
	{BACK, A_SYNACK, "reply", .source = WEB, .before = no_link, .via = VIA_FIB},
	{.from = "192.168.77.7:40000", .to = WEB, A_SYN, "new", WEB_B},
};

/* Answers of a backend on this host leave through its stack. */
static const struct step going_out[] = {
	{C4, A_SYN, "new", WEB_B, .before = on_this_host, STACK},
	{BACK, A_SYNACK, "reply", .source = WEB, .egress = true, .via = VIA_STACK},
	{BACK,
	 {.flags = ACK, .seq = 5001, .data = 1400, .ttl = 1},
	 "reply",
	 .source = WEB,
	 .egress = true,
	 .via = VIA_STACK},
	{BACK,
	 {.flags = ACK, .seq = 6401, .v4_words = 2, .data = 1},
	 "reply",
	 .source = WEB,
	 .egress = true,
	 .via = VIA_STACK},
	{C4, A_SYN, "not_ours", .egress = true},
	{.from = WEB_B, .to = "198.51.100.8:1", A_SYNACK, "direct", .egress = true},
	{C6, A_SYN, "new", WEB6_B},
	{.from = WEB6_B,
	 .to = CLIENT6,
	 A_SYNACK,
	 "reply",
	 .source = WEB6,
	 .egress = true,
	 .via = VIA_STACK},
	{.from = CLIENT, .to = DNS, {.proto = UDP, .data = 9}, "new", DNS_B},
	{.from = DNS_B,
	 .to = CLIENT,
	 {.proto = UDP, .data = 19, .check = CHECK_NONE},
	 "reply",
	 .source = DNS,
	 .egress = true,
	 .via = VIA_STACK},
};

/* ---- larger than the way out takes */

static void narrow_way(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_mtu(s, 1400);
	s->memory->links[zdd_link_slot(1)].mtu = 1400;
}

#define DF .fragment = 0x4000
#define SIZED(n, ...) .as = {.proto = UDP, .data = (n)-28, __VA_ARGS__}
#define SIZED6(n) .as = {.proto = UDP, .data = (n)-48}

static const struct step oversized[] = {
	{.from = CLIENT, .to = DNS, SIZED(1400, DF), "new", DNS_B, .before = narrow_way},
	{.from = CLIENT, .to = DNS, SIZED(1401, DF), "too_big", .told = 1400},
	{.from = CLIENT, .to = DNS, SIZED(1401, DF, .vlan = {5}), "too_big", .told = 1400},
	{.from = CLIENT,
	 .to = DNS,
	 SIZED(1401),
	 "forwarded",
	 DNS_B,
	 .via = VIA_STACK,
	 .notes = "via_stack"},
	{.from = CLIENT, .to = DNS, SIZED(1300, DF, .trailer = 150), "forwarded", DNS_B},
	{.from = DNS_B, .to = CLIENT, SIZED(1400, DF), "reply", .source = DNS},
	{.from = DNS_B, .to = CLIENT, SIZED(1401, DF), "too_big", .told = 1400},
	{.from = DNS_B, .to = CLIENT, SIZED(1401), "reply_later"},
	{.from = DNS_B,
	 .to = CLIENT,
	 SIZED(1401, DF),
	 "reply",
	 .source = DNS,
	 .egress = true,
	 .via = VIA_STACK},
	{.from = CLIENT6, .to = DNS6, SIZED6(1400), "new", DNS6_B},
	{.from = CLIENT6, .to = DNS6, SIZED6(1401), "too_big", .told = 1400},
	{.from = DNS6_B, .to = CLIENT6, SIZED6(1401), "too_big", .told = 1400},
	{.from = CLIENT6,
	 .to = DNS6,
	 .as = {.proto = UDP, .data = 1353, .fragment = 1},
	 "too_big",
	 .told = 1400},
};

static const struct step oversized_snat[] = {
	{.from = CLIENT,
	 .to = FAR,
	 SIZED(1400, DF),
	 "new",
	 FAR_B,
	 .alias = true,
	 .node = NODE_SOURCE,
	 .before = narrow_way},
	{.from = CLIENT, .to = FAR, SIZED(1401, DF), "too_big", .told = 1400},
	{.from = CLIENT, .to = FAR, SIZED(1401), "too_big_untold"},
	{.from = FAR_B, .to = "@", SIZED(1401, DF), "too_big", .told = 1400},
	{.from = FAR_B, .to = "@", SIZED(1401), "too_big_untold"},
};

static const struct packet_case cases[] = {
	{"way: larger than it takes", STEPS(oversized)},
	{"way: larger than it takes, mode snat", STEPS(oversized_snat)},
	{"way: left to the host, XDP", STEPS(xdp_to_stack), HOOK_XDP},
	{"way: answers left to the host, XDP", STEPS(xdp_reply_to_stack), HOOK_XDP},
	{"way: generic XDP", STEPS(generic_xdp), HOOK_XDP},
	{"way: hops of all kinds, tc", STEPS(tc_ways), HOOK_TC},
	{"way: next hop behind a tag", STEPS(hop_with_tag)},
	{"way: TTL and hop limit", STEPS(ttl)},
	{"way: client's interface lost", STEPS(link_lost)},
	{"way: backend on this host", STEPS(going_out)},
};

const struct case_list way_cases = CASES(cases);
