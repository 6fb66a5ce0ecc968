/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet that another CPU handles while this one handles its own: it comes between any two looks at
 * memory, each in its turn, from before the first to after the last. test_flow_race.c leaves it to chance,
 * with more CPUs and packets that overlap as they like. */
#include "t.h"

#include "flow_node.h"

static struct {
	unsigned left; /* looks of the first packet before the other one comes; 0: it was there */
	void (*other)(void);
} between;

static void on_look(void)
{
	if (!between.left || --between.left)
		return;
	native_look = NULL;
	native_cpu = 1;
	between.other();
	native_cpu = 0;
	native_look = on_look;
}

/* 0: the first packet was done before its n-th look. */
static int come_between(unsigned n, void (*first)(void), void (*other)(void))
{
	between.left = n;
	between.other = other;
	native_look = on_look;
	first();
	native_look = NULL;
	return between.left == 0;
}

static const struct {
	const char *name;
	enum zdd_forward forward;
} modes[] = {
	{"nat", ZDD_FORWARD_NAT},
	{"snat", ZDD_FORWARD_SNAT},
	{"dsr", ZDD_FORWARD_DSR},
};

enum { MODES = sizeof(modes) / sizeof(modes[0]) };

static void node_of(__u32 buckets, enum zdd_forward forward)
{
	node_make(buckets, 2);
	node.sources[1] = v4(10, 0, 0, 1);
	node.hops[1].source = 1;
	for (unsigned i = 0; i < 2; i++) {
		node.backends[i].forward = (__u8)forward;
		node.backends[i].hop = 1;
	}
}

/* All new connections go there from now on. */
static void flip_to(unsigned backend)
{
	for (unsigned i = 0; i < 64; i++)
		node.tables[i / 4].backend[i % 4] = (__u16)backend;
}

/* ---- a handshake that ends while its connection's next packet is on its way ---- */

static struct client one, two;
static struct zdd_out of_one, of_two;

static unsigned holder(enum region r)
{
	struct zdd_flow *f = NULL;

	CHECK_INT(records(r, &one, one.port, &f), 1);
	return f ? f->owner.backend : ~0u;
}

/* What the backend sees of the client, and the answer to it. */
static struct zdd_out answer(enum region r, unsigned flags, __u32 seq, __u32 ack)
{
	struct zdd_flow *f = NULL;
	struct client seen = one;

	records(r, &one, one.port, &f);
	if (!f)
		return (struct zdd_out){};
	if (f->source)
		seen.addr = node.sources[f->source];
	return from_backend(f->owner.backend, &seen, f->other ? ntohs(f->other) : one.port, flags,
			    seq, ack);
}

static void shake_half(__u32 isn)
{
	from_client(&one, N_SYN, isn, 0);
	if (node.backends[0].forward != ZDD_FORWARD_DSR)
		CHECK_INT(answer(REGION_HALF, N_SYN | N_ACK, 500, isn + 1).verdict, ZDD_V_REPLY);
}

static void the_ack(void)
{
	of_two = from_client(&one, N_ACK, 100001, 501);
}

static void the_request(void)
{
	of_one = from_client(&one, N_ACK, 100001, 501);
}

static void the_answer(void)
{
	of_one = answer(REGION_HALF, N_ACK, 501, 100001);
}

/* A connection of before, from the same port, that ended: its backend was the first one. */
static void connection_before(void)
{
	flip_to(0);
	shake_half(100);
	from_client(&one, N_ACK, 101, 501);
	CHECK_INT(holder(REGION_TCP), 0);
	from_client(&one, N_RST, 101, 0);
	native_now += 2 * HZ;
}

/* Half-open at the second backend, and the plan says the first. */
static void half_open(enum zdd_forward forward, int before)
{
	node_of(64, forward);
	one = client_n(7, PROTO_TCP);
	if (before)
		connection_before();
	flip_to(1);
	shake_half(100000);
	flip_to(0);
}

static unsigned request_meets_ack(enum zdd_forward forward, int before)
{
	unsigned n = 0;
	int came;

	do {
		half_open(forward, before);
		came = come_between(++n, the_request, the_ack);
		if (!came)
			the_ack();
		ROW("mode %u, one before: %d, look %u", forward, before, n);
		CHECK_INT(of_one.verdict, ZDD_V_FORWARDED);
		CHECK_INT(of_two.verdict, ZDD_V_FORWARDED);
		CHECK_INT(backend_in(&of_one), 1);
		CHECK_INT(backend_in(&of_two), 1);
		CHECK_INT(holder(REGION_TCP), 1);
		node_end();
	} while (came && !t_fails);
	return n;
}

TEST(a_request_stays_with_its_backend)
{
	for (unsigned m = 0; m < MODES; m++) {
		CHECK(request_meets_ack(modes[m].forward, 0) > 20);
		CHECK(request_meets_ack(modes[m].forward, 1) > 20);
	}
}

TEST(an_answer_finds_its_client)
{
	for (unsigned m = 0; modes[m].forward != ZDD_FORWARD_DSR; m++) {
		unsigned n = 0;
		int came;

		do {
			half_open(modes[m].forward, 0);
			came = come_between(++n, the_answer, the_ack);
			ROW("%s, look %u", modes[m].name, n);
			CHECK_INT(of_one.verdict, ZDD_V_REPLY);
			CHECK(zdd_addr_eq(&of_one.addr, &node.listeners[0].addr));
			node_end();
		} while (came && !t_fails);
		CHECK(n > 10);
	}
}

/* ---- two new flows that want the same place ---- */

static void open_one(void)
{
	of_one = from_client(&one, N_SYN, 100, 0);
}

static void open_two(void)
{
	of_two = from_client(&two, N_SYN, 200, 0);
}

static __u64 hash_of(const struct client *c)
{
	return zdd_flow_hash(&c->addr, htons(c->port), c->proto, node.desk->flow_seed);
}

/* In a region of one bucket: the same way at home, and another lock. */
static void two_neighbours(__u8 proto)
{
	one = two = client_n(1, proto);
	do
		two.port++;
	while (home_way(hash_of(&one)) != home_way(hash_of(&two)) ||
	       hash_of(&one) % ZDD_FLOW_LOCKS == hash_of(&two) % ZDD_FLOW_LOCKS);
}

static unsigned open_beside(enum zdd_forward forward, __u8 proto)
{
	enum region r = proto == PROTO_UDP ? REGION_UDP : REGION_HALF;
	unsigned n = 0;
	int came;

	do {
		node_of(1, forward);
		two_neighbours(proto);
		came = come_between(++n, open_one, open_two);
		if (!came)
			open_two();
		ROW("mode %u, protocol %u, look %u", forward, proto, n);
		CHECK_INT(of_one.verdict, ZDD_V_NEW);
		CHECK_INT(of_two.verdict, ZDD_V_NEW);
		CHECK_INT(records(r, &one, one.port, NULL), 1);
		CHECK_INT(records(r, &two, two.port, NULL), 1);
		CHECK_INT(taken_places(r), forward == ZDD_FORWARD_SNAT ? 4 : 2);
		node_end();
	} while (came && !t_fails);
	return n;
}

TEST(both_new_flows_get_a_record)
{
	for (unsigned m = 0; m < MODES; m++) {
		CHECK(open_beside(modes[m].forward, PROTO_TCP) > 20);
		CHECK(open_beside(modes[m].forward, PROTO_UDP) > 20);
	}
}
