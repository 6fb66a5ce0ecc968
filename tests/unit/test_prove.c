/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients that must prove in a flood that they are there: numbers, times, and who is believed. */
#include "t.h"

#include "flow_node.h"

/* The reference implementation's vectors: key 00 01 .. 0f, messages 00 01 .. */
TEST(siphash_is_siphash)
{
	const __u64 words[] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull}, *key = words;

	CHECK(zdd_siphash(words, 0, key[0], key[1]) == 0x726fdb47dd0e0e31ull);
	CHECK(zdd_siphash(words, 1, key[0], key[1]) == 0x93f5f5799a932462ull);
	CHECK(zdd_siphash(words, 2, key[0], key[1]) == 0x3f2acc7f57c29bdbull);
}

static void flooded_node(void)
{
	node_make(64, 2);
	node.services[0].flags |= ZDD_S_PROVE;
	node.pressure->waiting = 2 * ZDD_PRESSURE_MAX(&node_geometry);
	node.pressure->aged = native_now;
}

/* Time passes, the flood goes on. */
static void later(__u32 seconds)
{
	native_now += (__u64)seconds * HZ;
	node.pressure->waiting = 2 * ZDD_PRESSURE_MAX(&node_geometry);
	node.pressure->aged = native_now;
}

static enum zdd_verdict verdict_of(const struct client *c, unsigned flags, __u32 seq)
{
	return from_client(c, flags, seq, 0).verdict;
}

/* What a SYN of this number is asked with. */
static __u32 number_for(const struct client *c, __u32 isn)
{
	struct zdd_job j = {.syn = {.kept = ZDD_SYN_WHOLE}};

	job_start(&j);
	j.p = packet_of(c, N_SYN, isn, 0);
	j.p.src = c->addr;
	j.p.sport = htons(c->port);
	j.p.dst = vip();
	j.p.dport = htons(c->vip_port);
	lookup(NULL, PARSED_L4, &j);
	CHECK_INT(j.out.verdict, ZDD_V_SYN_ASKED);
	CHECK_INT(j.out.action, ACT_RESET);
	CHECK_INT(j.segment.flags, N_SYN | N_ACK);
	CHECK(j.segment.ack != isn + 1);
	return j.segment.ack;
}

TEST(who_answers_is_let_in)
{
	struct client c = client_n(7, PROTO_TCP), other = client_n(1 << 16 | 7, PROTO_TCP);
	__u32 number;

	flooded_node();
	number = number_for(&c, 1000);
	CHECK_INT(verdict_of(&c, N_SYN, 1000), ZDD_V_SYN_ASKED);
	CHECK_INT(verdict_of(&c, N_RST, number + 1), ZDD_V_STRAY_RST);
	CHECK_INT(verdict_of(&other, N_RST, number), ZDD_V_STRAY_RST);
	CHECK_INT(verdict_of(&c, N_SYN, 1000), ZDD_V_SYN_ASKED);
	CHECK_INT(verdict_of(&c, N_RST, number), ZDD_V_SYN_PROVEN);
	CHECK_INT(verdict_of(&c, N_SYN, 1000), ZDD_V_SYN_FLOOD);
	c.port = 8;
	CHECK_INT(verdict_of(&c, N_SYN, 5), ZDD_V_SYN_FLOOD); /* the address, whatever its port */
	CHECK_INT(verdict_of(&other, N_SYN, 5), ZDD_V_SYN_ASKED);
	CHECK_INT(taken_places(REGION_HALF), 0);
	node_end();
}

TEST(a_number_is_never_the_right_one)
{
	struct client c = client_n(9, PROTO_TCP);
	__u32 number, other;

	flooded_node();
	number = number_for(&c, 1000);
	other = number_for(&c, number - 1);
	CHECK(other != number);
	CHECK_INT(verdict_of(&c, N_RST, other), ZDD_V_SYN_PROVEN);
	node_end();
}

TEST(numbers_and_answers_grow_old)
{
	struct client c = client_n(11, PROTO_TCP);
	__u32 number;

	flooded_node();
	number = number_for(&c, 1000);
	later(64);
	CHECK_INT(verdict_of(&c, N_RST, number), ZDD_V_SYN_PROVEN);
	later(59);
	CHECK_INT(verdict_of(&c, N_SYN, 1), ZDD_V_SYN_FLOOD);
	later(59); /* since then */
	c.port++;
	CHECK_INT(verdict_of(&c, N_SYN, 2), ZDD_V_SYN_FLOOD);
	later(61);
	c.port++;
	CHECK_INT(verdict_of(&c, N_SYN, 3), ZDD_V_SYN_ASKED);
	c.port = 11;
	CHECK_INT(verdict_of(&c, N_RST, number), ZDD_V_STRAY_RST);
	node_end();
}

/* As many as a set has ways, and one: whoever was heard longest ago is asked again, nobody else. */
TEST(clients_of_one_set_do_not_drive_each_other_out)
{
	struct client c[ZDD_PROVEN_WAYS + 1];
	__u32 n = 0, set = 0;

	flooded_node();
	for (__u32 i = 1; n <= ZDD_PROVEN_WAYS; i++) {
		struct client one = client_n(i << 16 | 21, PROTO_TCP);
		__u32 its =
			(__u32)zdd_client_hash(&one.addr, node.desk->flow_seed) % ZDD_PROVEN_SETS;

		if (!n)
			set = its;
		if (its == set)
			c[n++] = one;
	}
	for (__u32 i = 0; i < n; i++) {
		CHECK_INT(verdict_of(&c[i], N_RST, number_for(&c[i], 7)), ZDD_V_SYN_PROVEN);
		later(1);
	}
	CHECK_INT(verdict_of(&c[0], N_SYN, 8), ZDD_V_SYN_ASKED);
	for (__u32 i = 1; i < n; i++)
		CHECK_INT(verdict_of(&c[i], N_SYN, 8), ZDD_V_SYN_FLOOD);
	node_end();
}

/* Another listener's number, a service that asks nobody, and times without a flood. */
TEST(only_where_it_is_asked)
{
	struct client c = client_n(13, PROTO_TCP), there = c;
	__u32 number;

	flooded_node();
	number = number_for(&c, 1000);
	there.vip_port = 444;
	CHECK_INT(verdict_of(&there, N_RST, number), ZDD_V_STRAY_RST);
	node.services[0].flags &= ~(__u32)ZDD_S_PROVE;
	CHECK_INT(verdict_of(&c, N_RST, number), ZDD_V_STRAY_RST);
	CHECK_INT(verdict_of(&c, N_SYN, 1000), ZDD_V_SYN_FLOOD);
	node.services[0].flags |= ZDD_S_PROVE;
	node.pressure->waiting = 0;
	c.port++;
	CHECK_INT(verdict_of(&c, N_SYN, 1000), ZDD_V_NEW);
	node_end();
}
