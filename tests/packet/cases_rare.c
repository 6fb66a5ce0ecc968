/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's port that is taken at the backend, and tables that are full. */
#include "cases.h"

#define TO(vip) .from = CLIENT, .to = vip
#define BACK(b) .from = b, .to = CLIENT
#define A_SYN .as = {.flags = SYN, .seq = 1000}
#define A_SYNACK .as = {.flags = SYN | ACK, .seq = 5000, .ack = 1001}
#define AN_ACK .as = {.flags = ACK, .seq = 1001, .ack = 5001}
#define U(...) .as = {.proto = UDP, __VA_ARGS__}
#define ALIASED .port_back = true, .source = TWIN_TOO, .from = TWIN_B, .to = "@"

/* One client port to two listeners that share their only backend (TRAPS 6). */
static const struct step twins[] = {
	{TO(TWIN), A_SYN, "new", TWIN_B},
	{BACK(TWIN_B), A_SYNACK, "reply", .source = TWIN},
	{TO(TWIN), AN_ACK, "forwarded", TWIN_B},
	{TO(TWIN_TOO), A_SYN, "new", TWIN_B, .notes = "port_rewritten", .alias = true},
	{TO(TWIN_TOO), A_SYN, "forwarded", TWIN_B, .alias = true},
	{ALIASED, A_SYNACK, "reply"},
	{TO(TWIN_TOO), AN_ACK, "forwarded", TWIN_B, .alias = true},
	{TO(TWIN), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 8}, "forwarded", TWIN_B},
	{BACK(TWIN_B), {.flags = ACK, .seq = 5001, .ack = 1009}, "reply", .source = TWIN},
	{TO(TWIN_TOO),
	 {.flags = ACK, .seq = 1001, .ack = 5001, .data = 8},
	 "forwarded",
	 TWIN_B,
	 .alias = true},
	{ALIASED, {.flags = ACK, .seq = 5001, .ack = 1009, .data = 99}, "reply"},
	{ALIASED, {.flags = FIN | ACK, .seq = 5100, .ack = 1009}, "reply"},
	{TO(TWIN_TOO),
	 {.flags = FIN | ACK, .seq = 1009, .ack = 5101},
	 "forwarded",
	 TWIN_B,
	 .alias = true},
};

static const struct step twins_udp[] = {
	{TO(TWIN), U(.data = 8), "new", TWIN_B},
	{TO(TWIN_TOO), U(.data = 8), "new", TWIN_B, .notes = "port_rewritten", .alias = true},
	{TO(TWIN_TOO), U(.data = 9), "forwarded", TWIN_B, .alias = true},
	{ALIASED, U(.data = 100), "reply"},
	{BACK(TWIN_B), U(.data = 100), "reply", .source = TWIN},
	{ALIASED, U(.data = 100, .check = CHECK_NONE), "reply"},
};

/* With two backends, the other one; each answer finds its own listener. */
static const struct step pairs[] = {
	{TO(PAIR), A_SYN, "new", PAIR_B " " PAIR_B2},
	{TO(PAIR_TOO), A_SYN, "new", "!"},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply", .source = PAIR},
	{.from = "!", .to = CLIENT, A_SYNACK, "reply", .source = PAIR_TOO},
	{TO(PAIR), AN_ACK, "forwarded", "@"},
	{TO(PAIR_TOO), AN_ACK, "forwarded", "!"},
};

static void fill(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_fill(s);
}

static const struct step full[] = {
	{TO(PAIR), A_SYN, "new", PAIR_B " " PAIR_B2},
	{TO(WEB), A_SYN, "flow_table_full", WEB_B, .before = fill},
	{TO(WEB), A_SYN, "flow_table_full", WEB_B},
	{BACK(WEB_B), A_SYNACK, "reply_stateless", .source = WEB},
	{TO(WEB), AN_ACK, "stray_forwarded", WEB_B},
	{BACK(WEB_B), {.flags = ACK, .data = 44}, "reply_stateless", .source = WEB},
	{TO(PAIR), A_SYN, "forwarded", "@"}, /* what has a place keeps it */
	{.from = "@", .to = CLIENT, A_SYNACK, "reply", .source = PAIR},
	{TO(PAIR), AN_ACK, "forwarded", "@"}, /* no room to move: it stays half-open */
	{TO(PAIR), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 9}, "forwarded", "@"},
	{.from = CLIENT, .to = DNS, U(.data = 3), "flow_table_full", DNS_B},
	{.from = CLIENT, .to = DNS, U(.data = 3), "flow_table_full", DNS_B},
	{.from = DNS_B, .to = CLIENT, U(.data = 3), "reply_stateless", .source = DNS},
	{.from = CLIENT6, .to = WEB6, A_SYN, "flow_table_full", WEB6_B},
	{.from = WEB6_B, .to = CLIENT6, A_SYNACK, "reply_stateless", .source = WEB6},
};

/* The room of flows that were silent for too long is taken for new ones. */
static void expired(struct site *s, const struct end *chosen)
{
	(void)chosen;
	site_fill(s);
	s->memory->listeners[engine_geometry.listeners - 1].idle = 60 * engine_geometry.hz;
	site_age(s, 61);
}

static const struct step reclaimed[] = {
	{TO(WEB), A_SYN, "new", WEB_B},
	{.from = "198.51.100.7:40001",
	 .to = WEB,
	 A_SYN,
	 "new",
	 WEB_B,
	 .notes = "flow_reclaimed",
	 .before = expired},
};

/* More handshakes wait than half-open records can hold: SYNs go by the table. */
static void flooded(struct site *s, const struct end *chosen)
{
	(void)chosen;
	s->memory->pressure->waiting = 2 * ZDD_PRESSURE_MAX(&engine_geometry);
}

static void down(struct site *s, const struct end *chosen)
{
	site_down(s, chosen);
}

/* The client's ACK is what the SYN-ACK asked for: a record, which outlives the backend's fall. */
static const struct step flood[] = {
	{TO(PAIR), A_SYN, "syn_flood", PAIR_B " " PAIR_B2, .before = flooded},
	{TO(PAIR), A_SYN, "syn_flood", "@"},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply_stateless", .source = PAIR},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply_stateless", .source = PAIR},
	{TO(PAIR), {.flags = ACK, .seq = 1001, .ack = 4000}, "stray_forwarded", "@"},
	{TO(PAIR), AN_ACK, "forwarded", "@", .notes = "flow_adopted", .before = down},
	{TO(PAIR), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 9}, "forwarded", "@"},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = ACK, .seq = 5001, .ack = 1010, .data = 99},
	 "reply",
	 .source = PAIR},
	{TO(PAIR), A_SYN, "forwarded", "@"},                 /* the SYN again is the same flow */
	{TO(PAIR), {.flags = SYN, .seq = 9000}, "new", "!"}, /* beside a record: one of its own */
};

/* The ACK came when the backend was remembered no more: its data prove the connection. */
static const struct step flood_data[] = {
	{.from = CLIENT6, .to = WEB6, A_SYN, "syn_flood", WEB6_B, .before = flooded},
	{.from = WEB6_B,
	 .to = CLIENT6,
	 {.flags = RST | ACK, .ack = 1001},
	 "reply_stateless",
	 .source = WEB6},
	{.from = CLIENT6, .to = WEB6, AN_ACK, "stray_forwarded", WEB6_B},
	{.from = WEB6_B,
	 .to = CLIENT6,
	 {.flags = ACK, .seq = 5001, .ack = 1001, .data = 5},
	 "reply_stateless",
	 .source = WEB6,
	 .notes = "flow_adopted"},
	{.from = CLIENT6,
	 .to = WEB6,
	 {.flags = ACK, .seq = 1001, .ack = 5006},
	 "forwarded",
	 WEB6_B},
	{.from = WEB6_B,
	 .to = CLIENT6,
	 {.flags = FIN | ACK, .seq = 5006, .ack = 1001},
	 "reply",
	 .source = WEB6},
};

static void eject(struct site *s, const struct end *chosen)
{
	site_eject(s, chosen, false);
}

/* What was answered stays through a new plan; the next connection of that client and port does not. */
static const struct step flood_again[] = {
	{TO(PAIR), A_SYN, "syn_flood", PAIR_B " " PAIR_B2, .before = flooded},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply_stateless", .source = PAIR},
	{TO(PAIR), A_SYN, "forwarded", "@", .before = eject},
	{TO(PAIR_TOO), A_SYN, "syn_flood", "!"}, /* another listener: another connection */
	{TO(PAIR), {.flags = SYN, .seq = 9000}, "syn_flood", "!"},
};

static const struct step flood_again_down[] = {
	{TO(PAIR), A_SYN, "syn_flood", PAIR_B " " PAIR_B2, .before = flooded},
	{.from = "@", .to = CLIENT, A_SYNACK, "reply_stateless", .source = PAIR},
	{TO(PAIR), A_SYN, "syn_flood", "!", .before = down},
};

static const struct step flood_again_dsr[] = {
	{TO(DSR), A_SYN, "syn_flood", DSR_B, .road = ROAD_DSR, .before = flooded},
	{TO(DSR), A_SYN, "forwarded", DSR_B, .road = ROAD_DSR},
};

static const struct spec late_reset = {
	.flags = RST, .seq = 1001, .own = true, .bare = true, .ttl = 65};

/* What was not answered is chosen anew; what the backend before says then is not for the client. */
static const struct step flood_late[] = {
	{TO(PAIR), A_SYN, "syn_flood", PAIR_B " " PAIR_B2, .before = flooded},
	{TO(PAIR), A_SYN, "syn_flood", "!", .before = eject},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 7000, .ack = 1001},
	 "late_reset",
	 .made = &late_reset},
	{.from = "@", .to = CLIENT, {.flags = RST | ACK, .ack = 1001}, "late_dropped"},
	{.from = "!", .to = CLIENT, A_SYNACK, "reply_stateless", .source = PAIR},
	{TO(PAIR), AN_ACK, "forwarded", "!", .notes = "flow_adopted"},
	{.from = "@",
	 .to = CLIENT,
	 {.flags = SYN | ACK, .seq = 7000, .ack = 1001},
	 "late_reset",
	 .made = &late_reset},
};

/* New connections of PAIR's service wait; what is open runs on. The hold ends by its time, whatever the
 * daemon does; here the clocks are moved by moving the end. */
static void hold_until(struct site *s, uint32_t until)
{
	struct zdd_memory *m = s->memory;
	struct zdd_service *list =
		&m->services[ZDD_WORD_SLOT(m->desk->word) * engine_geometry.services];

	for (uint32_t i = 0; i < engine_geometry.services; i++) {
		list[i].hold = 1;
		list[i].hold_max = 2;
		list[i].hold_until = until;
	}
}

static uint32_t last_seen(const struct site *s)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry); i++)
		if (s->memory->flow_recs[i].meta)
			seen = ZDD_META_SEEN(s->memory->flow_recs[i].meta);
	return seen;
}

static void hold(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hold_until(s, last_seen(s) + 3600 * engine_geometry.hz);
}

static void hold_over(struct site *s, const struct end *chosen)
{
	(void)chosen;
	hold_until(s, last_seen(s));
}

#define FROM(port) .from = "198.51.100.7:" port, .to = WEB

static const struct step held[] = {
	{TO(WEB), A_SYN, "new", WEB_B},
	{TO(WEB), A_SYN, "forwarded", WEB_B, .before = hold}, /* begun already */
	{BACK(WEB_B), A_SYNACK, "reply", .source = WEB},
	{TO(WEB), AN_ACK, "forwarded", WEB_B},
	{FROM("40001"), A_SYN, "held"},
	{FROM("40001"), A_SYN, "held"}, /* its repeat: once */
	{FROM("40002"), A_SYN, "held"},
	{FROM("40003"), A_SYN, "hold_full"},
	{FROM("40002"), A_SYN, "held"},
	{.from = CLIENT, .to = DNS, U(.data = 3), "new", DNS_B},
	{TO(WEB), {.flags = ACK, .seq = 1001, .ack = 5001, .data = 9}, "forwarded", WEB_B},
	{FROM("40001"), A_SYN, "new", WEB_B, .before = hold_over},
};

static void hold_or_reset(struct site *s, const struct end *chosen)
{
	struct zdd_memory *m = s->memory;
	struct zdd_service *list =
		&m->services[ZDD_WORD_SLOT(m->desk->word) * engine_geometry.services];

	hold(s, chosen);
	for (uint32_t i = 0; i < engine_geometry.services; i++)
		list[i].flags |= ZDD_S_HOLD_RESET;
}

static const struct spec closed = {
	.flags = RST | ACK, .ack = 1001, .own = true, .bare = true, .ttl = 65};
static const struct spec closed_data = {
	.flags = RST | ACK, .ack = 1021, .own = true, .bare = true, .ttl = 65};

/* Of others, resets tell that they may not wait. */
static const struct step held_or_reset[] = {
	{TO(WEB), A_SYN, "new", WEB_B},
	{FROM("40001"), A_SYN, "held", .before = hold_or_reset},
	{FROM("40002"), A_SYN, "held"},
	{FROM("40003"), A_SYN, "hold_reset", .made = &closed},
	{FROM("40003"),
	 {.flags = SYN, .seq = 1000, .data = 20, .vlan = {7}},
	 "hold_reset",
	 .made = &closed_data,
	 .tag = 7},
	{.from = CLIENT6, .to = WEB6, A_SYN, "hold_reset", .made = &closed},
	{FROM("40002"), A_SYN, "held"},
};

static const struct packet_case cases[] = {
	{"rare: one client port, two listeners, one backend", STEPS(twins)},
	{"rare: the same in UDP", STEPS(twins_udp)},
	{"rare: one client port, two listeners, two backends", STEPS(pairs)},
	{"rare: tables full", STEPS(full)},
	{"rare: a flood of SYNs, a handshake in it", STEPS(flood)},
	{"rare: a flood of SYNs, data of the backend", STEPS(flood_data)},
	{"rare: a flood of SYNs, one again after its answer", STEPS(flood_again)},
	{"rare: a flood of SYNs, one again, its backend is down", STEPS(flood_again_down)},
	{"rare: a flood of SYNs, one again in mode dsr", STEPS(flood_again_dsr)},
	{"rare: a flood of SYNs, an answer that comes too late", STEPS(flood_late)},
	{"rare: a service on hold", STEPS(held)},
	{"rare: a service on hold that resets", STEPS(held_or_reset)},
	{"rare: room of expired flows", STEPS(reclaimed)},
};

const struct case_list rare_cases = CASES(cases);
