/* SPDX-License-Identifier: BSD-2-Clause */
/* Client -> pool -> backend (bpf/choose.h), and what a decision rests on (bpf/decide.h). */
#include "t.h"

#include "flow_node.h"

/* Two pools: of backend 0 and of backend 1, 50 % each, every other bucket. */
static void split(void)
{
	node_make(64, 2);
	node_geometry.share_words = ZDD_SHARE_UNITS / 8;
	free(node.shares);
	node.shares = calloc(node_geometry.share_words, sizeof(*node.shares));
	native_use(&node);
	for (unsigned i = 0; i < ZDD_SHARE_UNITS; i++)
		node.shares[i / 8].pool[i % 8] = i & 1;
	for (unsigned i = 0; i < 2; i++)
		node.pools[i] =
			(struct zdd_pool){.id = i, .n_slots = {1, 1}, .one = {(__u16)i, (__u16)i}};
	node.services[0].n_pools = 2;
	node.services[0].flags = ZDD_S_SHARE_TABLE;
	node.services[0].salt = 1;
}

static unsigned pool_for(struct zdd_addr client, __u16 port)
{
	struct zdd_asker a = {.client = client,
			      .port = port,
			      .listener_port = htons(443),
			      .proto = PROTO_TCP,
			      .v6 = !zdd_addr_is_v4(&client)};
	struct zdd_choice c;

	return choose(0, &node.services[0], &a, &c) ? 99 : c.id;
}

static unsigned in_pool_1(unsigned n)
{
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		found += pool_for(v4(198, 51, i >> 8, i & 255), 1) == 1;
	return found;
}

TEST(share_is_of_clients)
{
	unsigned share;

	split();
	share = in_pool_1(10000);
	CHECK(share > 4800 && share < 5200);
	for (unsigned i = 0; i < 100; i++)
		CHECK_INT(pool_for(v4(198, 51, 100, i), 1), pool_for(v4(198, 51, 100, i), 2));
	node.services[0].flags = 0;
	node.services[0].live = 1;
	CHECK_INT(in_pool_1(100), 100);
	node_end();
}

TEST(salt_makes_another_split)
{
	unsigned same = 0;
	unsigned before[1000];

	split();
	for (unsigned i = 0; i < 1000; i++)
		before[i] = pool_for(v4(198, 51, i >> 8, i & 255), 1);
	node.services[0].salt = 2;
	for (unsigned i = 0; i < 1000; i++)
		same += before[i] == pool_for(v4(198, 51, i >> 8, i & 255), 1);
	CHECK(same > 400 && same < 600);
	node_end();
}

TEST(spread_asks_the_port)
{
	unsigned found = 0;

	split();
	node.services[0].flags |= ZDD_S_SPREAD;
	for (__u16 port = 0; port < 1000; port++)
		found += pool_for(v4(198, 51, 100, 7), port) == 1;
	CHECK(found > 400 && found < 600);
	node_end();
}

static struct zdd_addr v6(__u8 net, __u8 subnet, __u8 host)
{
	return (struct zdd_addr){.b = {0x20, 1, 0xd, 0xb8, net, [7] = subnet, [15] = host}};
}

TEST(prefixes_are_one_client)
{
	unsigned nets = 0;

	split();
	node.services[0].v6_mask[0] = ~0ull;
	node.services[0].v4_mask = htonl(0xffffff00);
	for (unsigned i = 0; i < 100; i++) {
		CHECK_INT(pool_for(v6(1, 1, (__u8)i), 1), pool_for(v6(1, 1, 0), 1));
		CHECK_INT(pool_for(v4(198, 51, 100, i), 1), pool_for(v4(198, 51, 100, 0), 1));
		nets += pool_for(v6(1, (__u8)i, 1), 1) == 1;
	}
	CHECK(nets > 20 && nets < 80);
	node_end();
}

TEST(sticky_clients_keep_their_backend)
{
	struct zdd_asker a = {.client = v4(198, 51, 100, 7), .proto = PROTO_TCP};
	struct zdd_choice c;
	__u32 first, others = 0;

	node_make(64, 2);
	node.services[0].flags = ZDD_S_STICKY_CLIENT;
	CHECK_INT(choose(0, &node.services[0], &a, &c), 0);
	first = c.slot;
	for (a.port = 1; a.port < 100; a.port++)
		CHECK(!choose(0, &node.services[0], &a, &c) && c.slot == first);
	node.services[0].flags = 0;
	for (a.port = 1; a.port < 100; a.port++)
		others += !choose(0, &node.services[0], &a, &c) && c.slot != first;
	CHECK(others > 80);
	node_end();
}

TEST(rules_come_first_and_are_closed_intervals)
{
	static const struct {
		unsigned d;
		unsigned pool;
	} rows[] = {{9, 0}, {10, 1}, {15, 1}, {20, 1}, {21, 0}, {30, 1}, {31, 0}};

	split();
	node_geometry.cohorts = 2;
	free(node.cohorts);
	node.cohorts = calloc(2, sizeof(*node.cohorts));
	native_use(&node);
	node.services[0].flags = 0; /* all else to pool 0 */
	node.services[0].n_cohorts = 2;
	node.cohorts[0] = (struct zdd_cohort){v4(10, 0, 0, 10), v4(10, 0, 0, 20), 1, 0};
	node.cohorts[1] = (struct zdd_cohort){v4(10, 0, 0, 30), v4(10, 0, 0, 30), 1, 0};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ROW("10.0.0.%u", rows[i].d);
		CHECK_INT(pool_for(v4(10, 0, 0, rows[i].d), 1), rows[i].pool);
	}
	node_end();
}

/* ---- decisions ---- */

/* SYN-ACK seen: the client owes seq 1001, ack 5001. */
TEST(only_the_right_ack_completes_a_handshake)
{
	static const struct {
		__u16 state;
		__u32 seq, ack;
		enum zdd_step step;
	} rows[] = {
		{ZDD_F_HALF | ZDD_F_SYNACK, 1001, 5001, STEP_PROMOTE},
		{ZDD_F_HALF | ZDD_F_SYNACK, 1500, 5001, STEP_PROMOTE}, /* the first ACK was lost */
		{ZDD_F_HALF | ZDD_F_SYNACK, 1000, 5001, STEP_HALF},
		{ZDD_F_HALF | ZDD_F_SYNACK, 0x80001001, 5001, STEP_HALF},
		{ZDD_F_HALF | ZDD_F_SYNACK, 1001, 5000, STEP_HALF},
		{ZDD_F_HALF | ZDD_F_SYNACK, 1001, 0x80005001, STEP_HALF},
		{ZDD_F_HALF, 1001, 5001, STEP_HALF}, /* nobody answered yet */
	};
	const struct zdd_view none = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zdd_packet p = {
			.tcp_flags = TCP_ACK, .seq = rows[i].seq, .ack = rows[i].ack};
		struct zdd_view half = {1, rows[i].state, 1000, 5001};

		ROW("row %zu", i);
		CHECK_INT(decide_tcp(&p, &none, &half), rows[i].step);
		p.tcp_flags = TCP_ACK | TCP_RST;
		CHECK_INT(decide_tcp(&p, &none, &half), STEP_HALF);
	}
}

/* Answers that do not come by: the client's own number is all there is to go by. */
TEST(one_way_handshake_is_completed_by_the_client_alone)
{
	const struct zdd_view none = {0},
			      half = {.found = 1, .state = ZDD_F_HALF, .isn = 1000, .one_way = 1};
	struct zdd_packet p = {.tcp_flags = TCP_ACK, .seq = 1001, .ack = 77};

	CHECK_INT(decide_tcp(&p, &none, &half), STEP_PROMOTE);
	p.seq = 1000;
	CHECK_INT(decide_tcp(&p, &none, &half), STEP_HALF);
	p.seq = 1001;
	p.tcp_flags = TCP_RST | TCP_ACK;
	CHECK_INT(decide_tcp(&p, &none, &half), STEP_HALF);
}

/* ---- stamps and reused indices ---- */

TEST(new_flows_are_stamped_with_their_generation)
{
	struct client c = client_n(1, PROTO_TCP);

	node_make(64, 2);
	node.desk->word = ZDD_WORD(7, 0);
	from_client(&c, N_SYN, 1, 0);
	c.port++;
	from_client(&c, N_SYN, 1, 0);
	from_client(&c, N_SYN, 1, 0); /* repeated: not new */
	CHECK_INT(node.pool_rows[0].generation, 7);
	CHECK_INT(node.pool_rows[0].flows_of_generation, 2);
	CHECK_INT(node.pool_rows[0].last_jiffies, native_now);
	node.desk->word = ZDD_WORD(8, 0);
	c.port++;
	from_client(&c, N_SYN, 1, 0);
	CHECK_INT(node.pool_rows[0].generation, 8);
	CHECK_INT(node.pool_rows[0].flows_of_generation, 1);
	CHECK_INT(node.pool_rows[0].new_flows, 3);
	node_end();
}

TEST(udp_leaves_an_index_that_is_another_backend_now)
{
	struct client c = client_n(1, PROTO_UDP);

	node_make(64, 1);
	from_client(&c, 0, 0, 0);
	CHECK_INT(from_client(&c, 0, 0, 0).verdict, ZDD_V_FORWARDED);
	node.backends[0].incarnation++;
	CHECK_INT(from_client(&c, 0, 0, 0).verdict, ZDD_V_NEW);
	CHECK_INT(from_client(&c, 0, 0, 0).verdict, ZDD_V_FORWARDED);
	node_end();
}
