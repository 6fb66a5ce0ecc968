/* SPDX-License-Identifier: BSD-2-Clause */
/* Moving memory into other sizes: objects, plan, flows, counters. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "t.h"
#include "convert.h"
#include "doors.h"
#include "flows.h"
#include "geometry.h"
#include "memory.h"
#include "plan.h"
#include "rows.h"

static const char text[] = "interfaces: [eth0]\n"
			   "services:\n"
			   "  web:\n"
			   "    listen: ['203.0.113.10:443/tcp', '203.0.113.10:443/udp']\n"
			   "    pools:\n"
			   "      blue: ['10.0.1.1:80', '10.0.1.2:80', '10.0.1.3:80']\n"
			   "      green: ['10.0.2.1:80', '10.0.2.2:80']\n"
			   "    live: blue\n"
			   "    cohorts: {green: ['198.51.100.0/24']}\n";

static struct zdd_geometry small, large;
static struct zdd_memory from, to;
static struct world *world;
static char *error;

/* A published plan in `from`, green at 25 %; `to` empty, with other sizes. */
static void begin(void)
{
	struct config *config = NULL;
	struct planner *planner = NULL;
	int slot;

	CHECK_INT(config_parse("t", text, strlen(text), &config, &error), 0);
	CHECK_INT(world_make(config, NULL, &world, &error), 0);
	geometry_for(world->config, &small);
	small.tcp_buckets = small.udp_buckets = small.half_buckets = 64;
	small.cpus = 3;
	small.hz = 1000;
	large = small;
	large.door_buckets = small.door_buckets * 2 + 1;
	large.tcp_buckets = 100;
	large.backends = small.backends + 7;
	large.pools = small.pools + 5;
	large.services = small.services + 3;
	memory_make(&from, &small);
	memory_make(&to, &large);
	from.desk->flow_seed = 0x1234567890abcdef;
	world->services[0].share[0] = 7500;
	world->services[0].share[1] = 2500;
	world->services[0].leased = true;
	CHECK_INT(planner_make(&from, &planner), 0);
	for (int i = 0; i < 3; i++) { /* so that another slot than 0 runs */
		slot = planner_compile(planner, world, NULL, 0, &error);
		world->generation = planner_publish(planner, (unsigned)slot, 41);
	}
	planner_free(planner);
}

static void end(void)
{
	world_free(world);
	memory_free(&from);
	memory_free(&to);
	free(error);
	world = NULL;
	error = NULL;
}

static int convert(void)
{
	int err = convert_from(ZDD_LAYOUT_VERSION)->objects(&from, &to);

	to.desk->geometry = large;
	return err;
}

static struct zdd_flow flow(uint32_t client, uint16_t port, uint16_t state, uint32_t isn)
{
	return (struct zdd_flow){.meta = ZDD_META(1000, state, 9),
				 .owner = {.backend = 1, .listener = 0, .pool = 0},
				 .client = zdd_addr_v4(htonl(client)),
				 .port = htons(port),
				 .isn = isn,
				 .client_seq = isn + 1,
				 .server_seq = state & ZDD_F_SYNACK ? 7001 : 0};
}

/* The only record of this client in a region, NULL: none, or more than one. */
static struct zdd_flow *only(const struct zdd_memory *m, enum flow_region region, uint32_t client)
{
	uint32_t place = region_first(m->geometry, region) * ZDD_FLOW_WAYS, tag;
	uint32_t n = region_buckets(m->geometry, region) * ZDD_FLOW_WAYS;
	struct zdd_flow *found = NULL, f;

	for (; n--; place++) {
		if (!flow_copy(m, place, &f, &tag) || f.client.w[3] != htonl(client))
			continue;
		if (found)
			return NULL;
		found = &m->flow_recs[place];
	}
	return found;
}

/* ---- objects and plan ---- */

TEST(layouts)
{
	CHECK(convert_from(ZDD_LAYOUT_VERSION) != NULL);
	CHECK(convert_from(ZDD_LAYOUT_VERSION - 1) != NULL);
	CHECK(convert_from(1) != NULL);
	CHECK(convert_from(ZDD_LAYOUT_VERSION + 1) == NULL);
	CHECK(convert_from(999) == NULL);
}

TEST(plan_is_the_same)
{
	struct zdd_service *was, *is;
	struct planner *planner = NULL;

	begin();
	CHECK_INT(convert(), 0);
	CHECK_INT(ZDD_WORD_GENERATION(to.desk->word), ZDD_WORD_GENERATION(from.desk->word));
	was = &from.services[ZDD_WORD_SLOT(from.desk->word) * small.services];
	is = &to.services[ZDD_WORD_SLOT(to.desk->word) * large.services];
	CHECK(!memcmp(was, is, 2 * sizeof(*was)));
	CHECK(!memcmp(
		&from.tables[from.pools[ZDD_WORD_SLOT(from.desk->word) * small.pools].table[0]],
		&to.tables[to.pools[ZDD_WORD_SLOT(to.desk->word) * large.pools].table[0]], 256));
	CHECK(!memcmp(from.backends, to.backends, small.backends * sizeof(*from.backends)));
	CHECK_INT(planner_make(&to, &planner), 0);
	planner_free(planner);
	end();
}

/* What takes a candidate's share away does so afterwards too. */
TEST(leases_go_on)
{
	begin();
	from.overrides[1] = (struct zdd_override){.until = 77, .limit = 3, .failed = 2};
	from.met[5] = 9;
	CHECK_INT(convert(), 0);
	CHECK_INT(to.overrides[1].until, 77);
	CHECK_INT(to.overrides[1].failed, 2);
	CHECK_INT(to.met[5], 9);
	end();
}

/* A layout of before knows of no signals. */
TEST(what_was_not_there_is_not_taken)
{
	begin();
	free(from.pool_signals);
	free(from.backend_signals);
	free(from.overrides);
	free(from.met);
	from.pool_signals = NULL;
	from.backend_signals = NULL;
	from.overrides = NULL;
	from.met = NULL;
	CHECK_INT(convert_from(3)->objects(&from, &to), 0);
	convert_from(3)->counts(&from, &to);
	CHECK_INT(to.overrides[1].until, 0);
	end();
}

TEST(every_door_is_found)
{
	struct zdd_door_bucket *doors;

	begin();
	CHECK_INT(convert(), 0);
	doors = &to.doors[ZDD_WORD_SLOT(to.desk->word) * large.door_buckets];
	for (uint32_t i = 0; i < small.backends; i++) {
		const struct zdd_backend *b = &from.backends[i];
		const struct zdd_door *door;

		if (!(b->flags & ZDD_B_USED))
			continue;
		door = door_get(doors, large.door_buckets, &b->addr, b->port, IPPROTO_UDP);
		if (CHECK(door != NULL))
			CHECK_INT(door->listener, i);
	}
	end();
}

TEST(recall_finds_the_state)
{
	struct config *config = NULL;
	struct world *again = NULL;

	begin();
	CHECK_INT(convert(), 0);
	CHECK_INT(config_parse("t", text, strlen(text), &config, &error), 0);
	CHECK_INT(world_make(config, NULL, &again, &error), 0);
	CHECK_INT(plan_recall(&to, again), 0);
	CHECK_INT(again->generation, world->generation);
	CHECK_INT(again->services[0].share[1], 2500);
	CHECK(again->services[0].leased);
	CHECK_INT(again->services[0].pools[1].object, world->services[0].pools[1].object);
	world_free(again);
	end();
}

TEST(least_holds_what_is_there)
{
	struct zdd_geometry least, tiny = {0};

	begin();
	CHECK_INT(convert_least(&from, &least), 0);
	CHECK_INT(least.backends, 5);
	CHECK_INT(least.listeners, 2);
	CHECK_INT(least.services, 1);
	CHECK(least.table_words > 0 && least.table_words <= small.table_words);
	CHECK(least.share_words >= ZDD_SHARE_UNITS / 8);
	geometry_hold(&tiny, &least);
	CHECK_INT(tiny.backends, 5);
	CHECK(tiny.door_buckets > 0);
	from.services[ZDD_WORD_SLOT(from.desk->word) * small.services].pool = 1 << 30;
	CHECK_INT(convert_least(&from, &least), -EPROTO);
	end();
}

TEST(room_for_a_configuration)
{
	struct zdd_geometry g;

	begin();
	geometry_for(world->config, &g);
	CHECK(geometry_has_room(world->config, &g));
	g.backends = 4;
	CHECK(!geometry_has_room(world->config, &g));
	end();
}

/* ---- flows ---- */

TEST(flows_come_over)
{
	struct zdd_flow *f;

	begin();
	CHECK_INT(convert(), 0);
	for (uint32_t i = 0; i < 200; i++) {
		struct zdd_flow one = flow(0x0a400001 + i, (uint16_t)(5000 + i), ZDD_F_SYNACK, i);
		struct zdd_flow two = flow(0x0a400001 + i, (uint16_t)(5000 + i), ZDD_F_UDP, 0);

		CHECK_INT(flow_enter(&from, FLOWS_TCP, &one), 0);
		CHECK_INT(flow_enter(&from, FLOWS_UDP, &two), 0);
	}
	for (int again = 0; again < 2; again++) {
		CHECK_INT(flows_enter_all(&from, &to), 0);
		CHECK_INT(flows_held(&to, FLOWS_TCP), 200);
		CHECK_INT(flows_held(&to, FLOWS_UDP), 200);
	}
	f = only(&to, FLOWS_TCP, 0x0a400001 + 77);
	if (CHECK(f != NULL)) {
		CHECK_INT(f->isn, 77);
		CHECK_INT(f->server_seq, 7001);
		CHECK_INT(ZDD_META_SEEN(f->meta), 1000);
	}
	end();
}

/* Of flows of before nobody knows whether they were answered: they are not to seem silent. */
TEST(udp_of_before_is_answered)
{
	struct zdd_flow one = flow(1, 1, ZDD_F_UDP, 0), *f;

	for (uint32_t version = 3; version <= 4; version++) {
		begin();
		CHECK_INT(convert(), 0);
		small.layout_version = version;
		CHECK_INT(flow_enter(&from, FLOWS_UDP, &one), 0);
		CHECK_INT(flows_enter_all(&from, &to), 0);
		f = only(&to, FLOWS_UDP, 1);
		CHECK(f && !(ZDD_META_STATE(f->meta) & ZDD_F_SERVED) == (version == 4));
		end();
	}
}

TEST(later_news_are_added)
{
	struct zdd_flow one = flow(1, 1, ZDD_F_SYNACK, 100), *old, *new;

	begin();
	CHECK_INT(convert(), 0);
	CHECK_INT(flow_enter(&from, FLOWS_TCP, &one), 0);
	CHECK_INT(flows_enter_all(&from, &to), 0);
	old = only(&from, FLOWS_TCP, 1);
	new = only(&to, FLOWS_TCP, 1);
	if (CHECK(old && new)) {
		old->meta = ZDD_META(2000, ZDD_F_SYNACK | ZDD_F_FIN_C, ZDD_META_EPOCH(old->meta));
		old->client_seq = 500;
		new->meta = ZDD_META(3000, ZDD_F_SYNACK | ZDD_F_FIN_S, ZDD_META_EPOCH(new->meta));
		new->server_seq = 9000;
		CHECK_INT(flows_enter_all(&from, &to), 0);
		CHECK_INT(ZDD_META_STATE(new->meta), ZDD_F_SYNACK | ZDD_F_FIN_C | ZDD_F_FIN_S);
		CHECK_INT(ZDD_META_SEEN(new->meta), 3000);
		CHECK_INT(new->client_seq, 500);
		CHECK_INT(new->server_seq, 9000);
	}
	end();
}

TEST(newer_connection_of_the_tuple_stays)
{
	struct zdd_flow one = flow(1, 1, ZDD_F_SYNACK | ZDD_F_RST, 100);
	struct zdd_flow two = flow(1, 1, ZDD_F_SYNACK, 200), *f;

	begin();
	CHECK_INT(convert(), 0);
	CHECK_INT(flow_enter(&from, FLOWS_TCP, &one), 0);
	CHECK_INT(flow_enter(&to, FLOWS_TCP, &two), 0);
	CHECK_INT(flows_enter_all(&from, &to), 0);
	f = only(&to, FLOWS_TCP, 1);
	if (CHECK(f != NULL)) {
		CHECK_INT(f->isn, 200);
		CHECK_INT(ZDD_META_STATE(f->meta), ZDD_F_SYNACK);
	}
	end();
}

TEST(memos_stay_whole)
{
	const struct zdd_whom whom = {0x123456789abc, 7, 8};
	const struct zdd_memo old = {5, 6}, newer = {9, 10};

	begin();
	from.memo[3].memo[2] = from.memo[4].memo[1] = old;
	from.memo_whom[3].whom[2] = from.memo_whom[4].whom[1] = whom;
	to.memo[4].memo[1] = newer;
	CHECK_INT(convert_from(ZDD_LAYOUT_VERSION)->flows(&from, &to), 0);
	CHECK(!memcmp(&to.memo[3].memo[2], &old, sizeof(old)));
	CHECK(!memcmp(&to.memo_whom[3].whom[2], &whom, sizeof(whom)));
	CHECK(!memcmp(&to.memo[4].memo[1], &newer, sizeof(newer)));
	CHECK_INT(to.memo_whom[4].whom[1].isn, 0);
	end();
}

/* Half-open when it was copied, established in the old memory a moment later. */
TEST(established_meanwhile)
{
	struct zdd_flow half = flow(1, 1, ZDD_F_HALF, 100), est = flow(1, 1, ZDD_F_SYNACK, 100);

	begin();
	CHECK_INT(convert(), 0);
	CHECK_INT(flow_enter(&to, FLOWS_HALF, &half), 0);
	CHECK_INT(flow_enter(&from, FLOWS_TCP, &est), 0);
	CHECK_INT(flow_enter(&from, FLOWS_HALF, &half), 0);
	CHECK_INT(flows_held(&from, FLOWS_HALF), 0);
	CHECK_INT(flows_enter_all(&from, &to), 0);
	CHECK(only(&to, FLOWS_TCP, 1) != NULL);
	CHECK_INT(flows_held(&to, FLOWS_HALF), 0);
	end();
}

/* A newer SYN of the tuple waits in the new memory: the old connection must not hide it. */
TEST(newer_half_open_is_heard)
{
	struct zdd_flow half = flow(1, 1, ZDD_F_HALF, 200), est = flow(1, 1, ZDD_F_SYNACK, 100), *f;

	begin();
	CHECK_INT(convert(), 0);
	CHECK_INT(flow_enter(&to, FLOWS_HALF, &half), 0);
	CHECK_INT(flow_enter(&from, FLOWS_TCP, &est), 0);
	CHECK_INT(flows_enter_all(&from, &to), 0);
	f = only(&to, FLOWS_TCP, 1);
	CHECK(f && ZDD_META_STATE(f->meta) & ZDD_F_CHALLENGED);
	CHECK_INT(flows_held(&to, FLOWS_HALF), 1);
	end();
}

TEST(what_has_no_room_is_told)
{
	size_t lost;

	begin();
	large.tcp_buckets = 2;
	CHECK_INT(convert(), 0);
	for (uint32_t i = 0; i < 60; i++) {
		struct zdd_flow f = flow(0x0a400001 + i, 5000, ZDD_F_SYNACK, i);

		CHECK_INT(flow_enter(&from, FLOWS_TCP, &f), 0);
	}
	lost = flows_enter_all(&from, &to);
	CHECK(lost >= 60 - 2 * ZDD_FLOW_WAYS);
	CHECK_INT(flows_held(&to, FLOWS_TCP), 60 - lost);
	end();
}

/* ---- counters ---- */

TEST(counters_go_on)
{
	struct zdd_signals sum;

	begin();
	CHECK_INT(convert(), 0);
	from.pool_rows[0 * small.pools + 1] = (struct zdd_pool_row){
		.new_flows = 5, .generation = 44, .first_ns = 90, .flows_of_generation = 2};
	from.pool_rows[1 * small.pools + 1] = (struct zdd_pool_row){
		.new_flows = 6, .generation = 44, .first_ns = 70, .flows_of_generation = 3};
	from.backend_rows[1 * small.backends + 4].packets = 8;
	from.counts[0].verdict[3] = 10;
	to.counts[1].verdict[3] = 1;
	from.pool_signals[2 * ZDD_WATCHED(&small) + 1].kind[ZDD_SIG_EMPTY].bad = 4;
	from.pool_signals[1].first_byte[9] = 2;
	from.backend_signals[ZDD_WATCHED_BACKENDS(&small) + 4].kind[ZDD_SIG_RESET].n = 6;
	for (int again = 0; again < 2; again++)
		convert_from(ZDD_LAYOUT_VERSION)->counts(&from, &to);
	CHECK_INT(rows_counts(&to).verdict[3], 11);
	CHECK_INT(rows_pool(&to, 1).new_flows, 11);
	CHECK_INT(rows_pool(&to, 1).first_ns, 70);
	CHECK_INT(rows_pool(&to, 1).flows_of_generation, 5);
	CHECK_INT(rows_backend(&to, 4).packets, 8);
	rows_pool_signals(&to, 1, &sum);
	CHECK_INT(sum.kind[ZDD_SIG_EMPTY].bad, 4);
	CHECK_INT(sum.first_byte[9], 2);
	rows_backend_signals(&to, 4, &sum);
	CHECK_INT(sum.kind[ZDD_SIG_RESET].n, 6);
	end();
}
