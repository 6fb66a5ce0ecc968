/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table, by one CPU. test_flow_race.c has several. */
#include "t.h"

#include "flow_node.h"

/* ---- finding ---- */

TEST(both_directions_meet_one_record)
{
	node_make(64, 2);
	for (__u32 i = 0; i < 200; i++) {
		struct client c = client_n(i * 77777, i & 1 ? PROTO_UDP : PROTO_TCP);
		struct zdd_out o = from_client(&c, N_SYN, 100, 0), back;
		unsigned b = backend_in(&o);

		ROW("flow %u", i);
		CHECK_INT(o.verdict, ZDD_V_NEW);
		back = from_backend(b, &c, c.port, N_SYN | N_ACK, 500, 101);
		CHECK_INT(back.verdict, ZDD_V_REPLY);
		CHECK(zdd_addr_eq(&back.addr, &node.listeners[0].addr));
		CHECK_INT(back.port, htons(443));
		CHECK(!memcmp(back.mac, &c.port, 2));
		CHECK_INT(from_backend(!b, &c, c.port, N_SYN | N_ACK, 1, 1).verdict, ZDD_V_DIRECT);
		o = from_client(&c, N_SYN, 100, 0);
		CHECK_INT(o.verdict, ZDD_V_FORWARDED);
		CHECK_INT(backend_in(&o), b);
	}
	node_end();
}

/* ---- load ---- */

/* Opens UDP flows from `first` on; returns how many found no room. */
static unsigned open_many(__u32 first, __u32 n)
{
	unsigned full = 0;

	for (__u32 i = first; i < first + n; i++) {
		struct client c = client_n(i * 2654435761u, PROTO_UDP);

		full += from_client(&c, 0, 0, 0).verdict == ZDD_V_TABLE_FULL;
	}
	return full;
}

TEST(nothing_is_lost_when_all_is_full)
{
	const unsigned places = 64 * ZDD_FLOW_WAYS;
	unsigned full, known = 0;

	node_make(64, 2);
	full = open_many(0, 4000);
	CHECK_INT(taken_places(REGION_UDP), places);
	CHECK_INT(full, 4000 - places);
	for (__u32 i = 0; i < 4000; i++) {
		struct client c = client_n(i * 2654435761u, PROTO_UDP);

		known += from_client(&c, 0, 0, 0).verdict == ZDD_V_FORWARDED;
	}
	CHECK_INT(known, places);
	CHECK_INT(taken_places(REGION_TCP) + taken_places(REGION_HALF), 0);
	node_end();
}

/* Two buckets of eight (DESIGN 3): parts per million of the flows that find no room. */
TEST(overflow_by_load)
{
	static const struct {
		unsigned percent, ppm;
	} rows[] = {{50, 0}, {75, 100}, {85, 3000}, {90, 15000}};
	const unsigned places = 8192 * ZDD_FLOW_WAYS;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned n = places / 100 * rows[i].percent, ppm;

		node_make(8192, 2);
		ppm = (unsigned)(open_many(1, n) * 1000000ull / n);
		ROW("%u %%: %u ppm", rows[i].percent, ppm);
		printf("# load %u %%: %u ppm without room\n", rows[i].percent, ppm);
		CHECK(ppm <= rows[i].ppm);
		node_end();
	}
}

/* ---- expiry ---- */

TEST(expired_places_are_reclaimed_and_no_others)
{
	unsigned alive = 0;

	node_make(16, 2);
	open_many(0, 1000);
	CHECK_INT(taken_places(REGION_UDP), 16 * ZDD_FLOW_WAYS);
	native_now += 40 * HZ;
	for (__u32 i = 0; i < 1000; i += 2) { /* keeps the even ones alive */
		struct client c = client_n(i * 2654435761u, PROTO_UDP);

		alive += from_client(&c, 0, 0, 0).verdict == ZDD_V_FORWARDED;
	}
	CHECK_INT(node.counts[0].note[ZDD_N_FLOW_RECLAIMED], 0);
	native_now += 30 * HZ;
	open_many(5000, 1000);
	CHECK_INT(node.counts[0].note[ZDD_N_FLOW_RECLAIMED], 16 * ZDD_FLOW_WAYS - alive);
	for (__u32 i = 0; i < 1000; i += 2) {
		struct client c = client_n(i * 2654435761u, PROTO_UDP);

		alive -= from_client(&c, 0, 0, 0).verdict == ZDD_V_FORWARDED;
	}
	CHECK_INT(alive, 0);
	node_end();
}

static struct zdd_key key_of(const struct client *c)
{
	return (struct zdd_key){
		.hash = zdd_flow_hash(&c->addr, htons(c->port), c->proto, node.desk->flow_seed),
		.client = &c->addr,
		.port = htons(c->port),
		.listener = c->proto == PROTO_UDP};
}

static __u32 home_of(const struct client *c)
{
	return home_way(key_of(c).hash);
}

/* Another client whose flow has the same home, in a region of one bucket. */
static struct client neighbour_of(const struct client *c)
{
	struct client other = *c;

	do
		other.port++;
	while (home_of(&other) != home_of(c));
	return other;
}

/* A flow is found at home without its tag, and elsewhere when another one lives there. */
TEST(flows_live_at_home)
{
	struct client first = client_n(11, PROTO_UDP), second;
	struct zdd_key key;
	struct zdd_hit hit;

	node_make(1, 2);
	second = neighbour_of(&first);
	from_client(&first, 0, 0, 0);
	from_client(&second, 0, 0, 0);
	key = key_of(&first);
	flow_find(region_udp(), &key, &hit);
	CHECK_INT(hit.place % ZDD_FLOW_WAYS, home_of(&first));
	node.flow_tags[hit.place / ZDD_FLOW_WAYS].tag[hit.place % ZDD_FLOW_WAYS] = ZDD_TAG_BUSY;
	flow_find(region_udp(), &key, &hit);
	CHECK(hit.flow);
	key = key_of(&second);
	flow_find(region_udp(), &key, &hit);
	CHECK(hit.flow && hit.place % ZDD_FLOW_WAYS != home_of(&second));
	node_end();
}

/* A place that never had a flow is nobody's, whatever a packet says. */
TEST(an_empty_home_is_nobodys)
{
	struct zdd_addr none = {0};
	struct zdd_key key = {.client = &none};
	struct zdd_hit hit;

	node_make(1, 2);
	flow_find(region_tcp(), &key, &hit);
	CHECK(!hit.flow);
	node_end();
}

/* A CPU that found a record long ago must not touch who lives there now. */
TEST(late_writers_are_kept_out_by_the_epoch)
{
	struct client old = client_n(7, PROTO_UDP), young;
	struct zdd_key old_key, young_key;
	struct zdd_hit late, now;
	__u64 meta;

	node_make(1, 2); /* one bucket: all meet */
	young = neighbour_of(&old);
	old_key = key_of(&old);
	young_key = key_of(&young);
	from_client(&old, 0, 0, 0);
	flow_find(region_udp(), &old_key, &late);
	if (!CHECK(late.flow))
		return node_end();
	flow_free(&late);
	from_client(&young, 0, 0, 0);
	flow_find(region_udp(), &young_key, &now);
	CHECK(now.flow == late.flow);
	meta = now.flow->meta;
	flow_touch(&late, ZDD_F_RST, (__u32)native_now + 100);
	CHECK_INT(now.flow->meta, meta);
	flow_free(&late);
	CHECK_INT(from_client(&young, 0, 0, 0).verdict, ZDD_V_FORWARDED);
	CHECK(!flow_read(now.place, &old_key, &late));
	node_end();
}

static unsigned backend_of(const struct client *c)
{
	struct zdd_out o = from_client(c, 0, 0, 0);

	return backend_in(&o);
}

/* A flow that another CPU is just ending keeps its client from no backend. */
TEST(what_ends_takes_no_port)
{
	struct client c = client_n(10, PROTO_UDP);
	struct zdd_key key;
	struct zdd_hit ends;
	unsigned backend;

	node_make(4, 2);
	key = key_of(&c);
	backend = backend_of(&c);
	flow_find(region_udp(), &key, &ends);
	CHECK(ends.flow && flow_seize(ends.flow, ends.meta));
	CHECK_INT(backend_of(&c), backend);
	CHECK_INT(records(REGION_UDP, &c, c.port, NULL), 2);
	flow_abandon(ends.place);
	CHECK_INT(records(REGION_UDP, &c, c.port, NULL), 1);
	node_end();
}

/* Both directions at once: the slower one's bits arrive too. */
TEST(state_bits_survive_a_lost_swap)
{
	struct client c = client_n(9, PROTO_UDP);
	struct zdd_key key;
	struct zdd_hit one, two;

	node_make(4, 2);
	key = key_of(&c);
	from_client(&c, 0, 0, 0);
	flow_find(region_udp(), &key, &one);
	two = one;
	flow_touch(&one, ZDD_F_FIN_C, (__u32)native_now);
	flow_touch(&two, ZDD_F_FIN_S, (__u32)native_now);
	CHECK_INT(state_of(one.flow), ZDD_F_UDP | ZDD_F_FIN_C | ZDD_F_FIN_S);
	node_end();
}

/* ---- TCP ---- */

static unsigned shake(const struct client *c, __u16 port, __u32 isn)
{
	struct zdd_out o = from_client(c, N_SYN, isn, 0);
	unsigned b = backend_in(&o);

	from_backend(b, c, port ? port : c->port, N_SYN | N_ACK, 5000, isn + 1);
	from_client(c, N_ACK, isn + 1, 5001);
	return b;
}

TEST(handshake_promotes)
{
	struct client c = client_n(1, PROTO_TCP);
	struct zdd_flow *f = NULL;

	node_make(64, 2);
	from_client(&c, N_SYN, 1000, 0);
	CHECK_INT(records(REGION_HALF, &c, c.port, &f), 1);
	CHECK_INT(state_of(f), ZDD_F_HALF);
	CHECK_INT(from_client(&c, N_ACK, 1001, 5001).verdict, ZDD_V_FORWARDED); /* no SYN-ACK yet */
	CHECK_INT(records(REGION_HALF, &c, c.port, &f), 1);
	from_backend(0, &c, c.port, N_SYN | N_ACK, 5000, 1001);
	from_backend(1, &c, c.port, N_SYN | N_ACK, 5000, 1001);
	CHECK_INT(state_of(f), ZDD_F_HALF | ZDD_F_SYNACK);
	from_client(&c, N_ACK, 1001, 5000 - 9); /* not what it owes */
	CHECK_INT(records(REGION_TCP, &c, c.port, NULL), 0);
	from_client(&c, N_ACK, 1001, 5001);
	CHECK_INT(records(REGION_HALF, &c, c.port, NULL), 0);
	CHECK_INT(records(REGION_TCP, &c, c.port, &f), 1);
	CHECK_INT(state_of(f), ZDD_F_SYNACK);
	CHECK_INT(f->isn, 1000);
	CHECK_INT(f->server_seq, 5001);
	node_end();
}

/* Handshakes that are completed press nothing, others for as long as their records live. */
TEST(pressure_is_of_handshakes_that_wait)
{
	const __s64 most = 16 * ZDD_FLOW_WAYS * 3 / 8;
	unsigned new = 0;

	node_make(16, 2);
	for (unsigned i = 0; i < 10 * most; i++) {
		struct client c = client_n(i % 32 * 7919, PROTO_TCP);

		shake(&c, 0, i << 16);
	}
	CHECK_INT(node.pressure->waiting, 0);
	for (unsigned i = 0; i < 10 * most; i++) {
		struct client c = client_n(i * 104729 + 5, PROTO_TCP);

		new += from_client(&c, N_SYN, 1, 0).verdict == ZDD_V_NEW;
	}
	CHECK_INT(new, most);
	CHECK_INT(node.counts[0].verdict[ZDD_V_SYN_FLOOD], 9 * most);
	native_now += ZDD_HALF_OPEN_S * HZ / 2;
	CHECK(!pressure_high(native_now));
	CHECK_INT(node.pressure->waiting, most - most / 2);
	native_now += ZDD_HALF_OPEN_S * HZ;
	CHECK(!pressure_high(native_now));
	CHECK_INT(node.pressure->waiting, 0);
	node_end();
}

/* Time writes off evenly what a flood made at once, and lets the flood make as much again: there is room
 * for both until the first records expire. */
TEST(a_flood_leaves_room)
{
	unsigned n = 0;

	node_make(512, 2);
	for (unsigned second = 0; second < 3 * ZDD_HALF_OPEN_S; second++, native_now += HZ)
		for (unsigned i = 0; i < 512; i++, n++) {
			struct client c = client_n(n * 104729 + 5, PROTO_TCP);

			from_client(&c, N_SYN, 1, 0);
		}
	CHECK(node.counts[0].verdict[ZDD_V_SYN_FLOOD] > n / 2);
	CHECK_INT(node.counts[0].verdict[ZDD_V_TABLE_FULL], 0);
	node_end();
}

static void flood(unsigned first, unsigned n, unsigned per_jiffy)
{
	for (unsigned i = 0; i < n; i++) {
		struct client c = client_n((first + i) * 104729 + 5, PROTO_TCP);

		from_client(&c, N_SYN, 1, 0);
		native_now += !(i % per_jiffy);
	}
}

/* 64 000 SYNs a second, and a second between a SYN and its answer. */
TEST(a_flood_does_not_drive_out_what_is_young)
{
	enum { YOUNG = 1000 };
	unsigned lost = 0;

	node_make(16, 1);
	flood(0, 2 * ZDD_MEMO_SETS * ZDD_MEMO_WAYS, 64000 / HZ);
	flood(1u << 24, YOUNG, YOUNG);
	flood(1u << 25, 64000, 64000 / HZ);
	for (unsigned i = 0; i < YOUNG; i++) {
		struct client c = client_n(((1u << 24) + i) * 104729 + 5, PROTO_TCP);

		lost += from_backend(0, &c, c.port, N_SYN | N_ACK, 1, 2).verdict !=
			ZDD_V_REPLY_STATELESS;
	}
	printf("# %u of %u young ones lost\n", lost, YOUNG);
	CHECK(lost < YOUNG / 100);
	node_end();
}

/* New connections go to the other backend, and no half-open one finds room. */
static void flip_and_fill(unsigned to)
{
	__u32 first = geometry.tcp_buckets;

	for (unsigned i = 0; i < 64; i++)
		node.tables[i / 4].backend[i % 4] = (__u16)to;
	memset(&node.flow_tags[first], 0xff, geometry.half_buckets * sizeof(*node.flow_tags));
}

/* The ACK of a connection without a record must not go the way of one before it. */
TEST(syn_without_room_takes_over_what_is_over)
{
	struct client c = client_n(2, PROTO_TCP);
	struct zdd_out o;
	unsigned b;

	node_make(16, 2);
	b = shake(&c, 0, 1000);
	from_client(&c, N_FIN | N_ACK, 1001, 5001);
	from_backend(b, &c, c.port, N_FIN | N_ACK, 5001, 1002);
	flip_and_fill(!b);
	o = from_client(&c, N_SYN, 777000, 0);
	CHECK_INT(o.verdict, ZDD_V_TABLE_FULL);
	CHECK_INT(backend_in(&o), !b);
	from_backend(!b, &c, c.port, N_SYN | N_ACK, 60000, 777001);
	o = from_client(&c, N_ACK, 777001, 60001);
	CHECK_INT(backend_in(&o), !b);
	CHECK_INT(node.counts[0].note[ZDD_N_FLOW_ADOPTED], 1);
	node_end();
}

/* One that is open is not thrown out by what anybody may send: its backend hears of it. */
TEST(syn_without_room_follows_what_is_open)
{
	struct client c = client_n(2, PROTO_TCP);
	struct zdd_flow *f = NULL;
	struct zdd_out o;
	unsigned b;

	node_make(16, 2);
	b = shake(&c, 0, 1000);
	flip_and_fill(!b);
	o = from_client(&c, N_SYN, 777000, 0);
	CHECK_INT(o.verdict, ZDD_V_FORWARDED);
	CHECK_INT(backend_in(&o), b);
	CHECK_INT(records(REGION_TCP, &c, c.port, &f), 1);
	CHECK_INT(f->isn, 1000);
	node_end();
}

TEST(new_isn_replaces_when_it_is_complete)
{
	struct client c = client_n(2, PROTO_TCP);
	struct zdd_flow *f = NULL;
	unsigned b;

	node_make(64, 2);
	b = shake(&c, 0, 1000);
	CHECK_INT(from_client(&c, N_SYN, 777000, 0).verdict, ZDD_V_NEW);
	CHECK_INT(records(REGION_TCP, &c, c.port, &f), 1);
	CHECK_INT(f->isn, 1000);
	CHECK(state_of(f) & ZDD_F_CHALLENGED);
	CHECK_INT(records(REGION_HALF, &c, c.port, NULL), 1);
	from_backend(b, &c, c.port, N_SYN | N_ACK, 60000, 777001);
	from_client(&c, N_ACK, 777001, 60001);
	CHECK_INT(records(REGION_HALF, &c, c.port, NULL), 0);
	CHECK_INT(records(REGION_TCP, &c, c.port, &f), 1);
	CHECK_INT(f->isn, 777000);
	CHECK(!(state_of(f) & ZDD_F_CHALLENGED));
	node_end();
}

/* RFC 5961: a blind reset ends nothing. */
TEST(ends_are_seen)
{
	static const struct {
		const char *what;
		bool client;
		unsigned flags;
		__u32 seq;
		__u16 bits;
	} rows[] = {
		{"client's FIN", true, N_FIN | N_ACK, 1001, ZDD_F_FIN_C},
		{"backend's FIN", false, N_FIN | N_ACK, 5001, ZDD_F_FIN_S},
		{"client's RST", true, N_RST, 1001, ZDD_F_RST},
		{"backend's RST", false, N_RST, 5001, ZDD_F_RST},
		{"blind RST to the backend", true, N_RST, 0x70000000, 0},
		{"blind RST to the client", false, N_RST, 0x70000000, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client c = client_n(3, PROTO_TCP);
		struct zdd_flow *f = NULL;
		unsigned b;

		ROW("%s", rows[i].what);
		node_make(16, 2);
		b = shake(&c, 0, 1000);
		if (rows[i].client)
			from_client(&c, rows[i].flags, rows[i].seq, 5001);
		else
			from_backend(b, &c, c.port, rows[i].flags, rows[i].seq, 1001);
		CHECK_INT(records(REGION_TCP, &c, c.port, &f), 1);
		CHECK_INT(state_of(f), ZDD_F_SYNACK | rows[i].bits);
		node_end();
	}
}

TEST(expiry_by_state)
{
	const __u32 idle = 7200 * HZ;

	CHECK_INT(zdd_flow_idle(ZDD_F_HALF, idle, HZ), 75 * HZ);
	CHECK_INT(zdd_flow_idle(0, idle, HZ), idle);
	CHECK_INT(zdd_flow_idle(ZDD_F_FIN_C, idle, HZ), idle);
	CHECK_INT(zdd_flow_idle(ZDD_F_FIN_C | ZDD_F_FIN_S, idle, HZ), 30 * HZ);
	CHECK_INT(zdd_flow_idle(ZDD_F_RST | ZDD_F_HALF, idle, HZ), 5 * HZ);
	/* Whoever the backend sees lives longer, and rests beyond its TIME_WAIT. */
	CHECK_INT(zdd_flow_idle(ZDD_F_ALIAS | ZDD_F_HALF, idle, HZ), 77 * HZ);
	CHECK_INT(zdd_flow_idle(ZDD_F_ALIAS, idle, HZ), idle + 2 * HZ);
	CHECK_INT(zdd_flow_idle(ZDD_F_ALIAS | ZDD_F_FIN_C | ZDD_F_FIN_S, idle, HZ), 62 * HZ);
	CHECK_INT(zdd_flow_idle(ZDD_F_ALIAS | ZDD_F_RST, idle, HZ), 7 * HZ);
}

/* ---- a client's port that is taken ---- */

/* The answers to the rewritten port must count for the client's own record, or it stays half-open
 * and is over after 75 s of silence. */
TEST(aliased_handshake_promotes)
{
	struct client one = client_n(4, PROTO_TCP), two = one;
	struct zdd_flow *f = NULL, *alias = NULL;
	struct zdd_out o;
	__u16 port;

	node_make(64, 1);
	two.vip_port = 444;
	shake(&one, 0, 1000);
	o = from_client(&two, N_SYN, 3000, 0);
	port = ntohs(o.other);
	CHECK(port && port != two.port);
	o = from_backend(0, &two, port, N_SYN | N_ACK, 9000, 3001);
	CHECK_INT(o.verdict, ZDD_V_REPLY);
	CHECK_INT(o.other, htons(two.port));
	CHECK_INT(o.port, htons(444));
	from_client(&two, N_ACK, 3001, 9001);
	CHECK_INT(records(REGION_HALF, &two, two.port, NULL), 0);
	CHECK_INT(records(REGION_TCP, &two, two.port, &f), 2);
	CHECK_INT(records(REGION_HALF, &two, port, NULL), 0);
	CHECK_INT(records(REGION_TCP, &two, port, &alias), 1);
	from_client(&two, N_FIN | N_ACK, 3001, 9001);
	from_backend(0, &two, port, N_FIN | N_ACK, 9001, 3002);
	CHECK_INT(state_of(alias), ZDD_F_ALIAS | ZDD_F_FIN_C | ZDD_F_FIN_S);
	o = from_backend(0, &two, port, N_ACK, 9002, 3002);
	CHECK_INT(o.other, htons(two.port));
	node_end();
}

/* No other port can be had: refused, and nothing of it stays. */
TEST(no_room_for_an_alias)
{
	struct client one = client_n(5, PROTO_TCP), two = one;
	unsigned before;

	node_make(1, 1);
	node.pressure->waiting = -ZDD_FLOW_WAYS; /* a bucket this full is meant */
	node.pressure->aged = native_now;
	two.vip_port = 444;
	from_client(&one, N_SYN, 1, 0);
	for (unsigned i = 0; i < ZDD_FLOW_WAYS - 2; i++) {
		struct client c = client_n(100 + i, PROTO_TCP);

		from_client(&c, N_SYN, 1, 0);
	}
	before = taken_places(REGION_HALF);
	CHECK_INT(before, ZDD_FLOW_WAYS - 1);
	CHECK_INT(from_client(&two, N_SYN, 1, 0).verdict, ZDD_V_REVERSE_TAKEN);
	CHECK_INT(taken_places(REGION_HALF), before);
	node_end();
}
