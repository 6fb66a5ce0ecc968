/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table by several CPUs at once: each thread is one. Under ThreadSanitizer (run it by hand,
 * gcc -fsanitize=thread) the reports are about fields of records that are read while another CPU
 * writes them: by design, the epoch is compared before and after (docs/flows.md). Tags, metas and
 * locks change by atomic operations only. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include "t.h"

#include "flow_node.h"

#include "flows.h"

enum {
	THREADS = 4,
	ROUNDS = 4000,
	GROUP = 100, /* clients that are active at a time; the others expire */
	CLIENTS = 3 * GROUP,
	STEPS = 100000,
	WALKS = 200,
	WALKS_A_GROUP = 12, /* 84 s, more than a flow may be silent */
};

/* ---- one flow opened by all at the same moment ---- */

static struct {
	unsigned arrived, round; /* a barrier that spins: threads start within nanoseconds */
	struct zdd_out out[THREADS];
	__u8 proto;
	unsigned met; /* rounds in which two did meet in the table */
} race;

static void meet(void)
{
	unsigned round = __atomic_load_n(&race.round, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&race.arrived, 1, __ATOMIC_ACQ_REL) == THREADS) {
		__atomic_store_n(&race.arrived, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&race.round, round + 1, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&race.round, __ATOMIC_ACQUIRE) == round)
		sched_yield();
}

static unsigned verdicts(enum zdd_verdict v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < THREADS; i++)
		n += race.out[i].verdict == v;
	return n;
}

static void judge_race(__u32 round)
{
	struct client c = client_n(round * 2654435761u, race.proto);
	enum region region = race.proto == PROTO_UDP ? REGION_UDP : REGION_HALF;
	unsigned sent = verdicts(ZDD_V_NEW) + verdicts(ZDD_V_FORWARDED) + verdicts(ZDD_V_FLOW_BUSY);

	ROW("round %u, protocol %u", round, race.proto);
	CHECK_INT(verdicts(ZDD_V_NEW), 1);
	CHECK_INT(sent, THREADS);
	race.met += verdicts(ZDD_V_FLOW_BUSY) > 0;
	CHECK_INT(records(region, &c, c.port, NULL), 1);
	for (unsigned i = 1; i < THREADS; i++)
		CHECK_INT(backend_in(&race.out[i]), backend_in(&race.out[0]));
}

static void *racer(void *arg)
{
	native_cpu = (__u32)(uintptr_t)arg;
	for (__u32 i = 0; i < ROUNDS && !t_fails; i++) {
		struct client c = client_n(i * 2654435761u, race.proto);

		meet();
		race.out[native_cpu] = from_client(&c, N_SYN, 100, 0);
		meet();
		if (native_cpu == 0)
			judge_race(i);
		meet();
	}
	return NULL;
}

static void run_threads(void *(*run)(void *), unsigned n)
{
	pthread_t threads[THREADS + 1];

	for (uintptr_t i = 0; i < n; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, run, (void *)i), 0);
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static unsigned locks_held(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ZDD_FLOW_LOCKS; i++)
		n += node.flow_locks[i].held;
	return n;
}

TEST(one_flow_by_all_at_once)
{
	static const __u8 protos[] = {PROTO_UDP, PROTO_TCP};

	for (unsigned i = 0; i < 2; i++) {
		node_make(2048, 2);
		race.proto = protos[i];
		run_threads(racer, THREADS);
		CHECK_INT(locks_held(), 0);
		node_end();
	}
	printf("# %u of %u rounds met\n", race.met, 2 * ROUNDS);
}

/* ---- a SYN that is refused, repeated after silence and answered at the same moment ---- */

static struct {
	struct zdd_addr source; /* what backends see, and the port; the client's own in nat */
	__u16 port;
	unsigned first;              /* the backend that has the flow before the round */
	unsigned moved, stayed, old; /* rounds; aliases of before that stayed */
} again;

static void retry_node(enum zdd_forward forward)
{
	node_make(1024, 2);
	node.services[0].flags |= ZDD_S_RETRY;
	node.sources[1] = v4(10, 0, 0, 1);
	node.hops[1].source = 1;
	for (unsigned i = 0; i < 2; i++) {
		node.backends[i].forward = (__u8)forward;
		node.backends[i].hop = 1;
	}
	node.budgets[0].tokens = 1 << 30;
	race.proto = PROTO_TCP;
}

static struct zdd_flow *own_of(const struct client *c)
{
	struct zdd_flow *f = NULL;

	CHECK_INT(records(REGION_HALF, c, c->port, &f), 1);
	return f;
}

static void begin(const struct client *c)
{
	struct zdd_flow *f;

	from_client(c, N_SYN, 100, 0);
	f = own_of(c);
	if (!f)
		return;
	again.first = f->owner.backend;
	again.source = f->source ? node.sources[f->source] : c->addr;
	again.port = f->other ? ntohs(f->other) : c->port;
	__atomic_add_fetch(&native_now, HZ, __ATOMIC_RELAXED);
}

static struct zdd_out from_first(const struct client *c, unsigned flags, __u32 seq)
{
	struct client seen = {.addr = again.source, .proto = c->proto};

	return from_backend(again.first, &seen, again.port, flags, seq, 101);
}

static struct zdd_out retry_step(const struct client *c)
{
	switch (native_cpu) {
	case 0:
		return from_client(c, N_SYN, 100, 0);
	case 1:
		return from_first(c, N_SYN | N_ACK, 500);
	default:
		return from_first(c, N_RST | N_ACK, 0);
	}
}

/* Of its alias and one whose free was overtaken, only the first leads to it. */
static void judge_alias(const struct zdd_flow *own)
{
	struct client seen = {.addr = node.sources[1]};
	struct zdd_flow *alias = NULL;
	unsigned n = 0;

	if (!own->source)
		return;
	for (__u32 i = 0; i < ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&geometry); i++) {
		struct zdd_flow *f = &node.flow_recs[i];

		if (node.flow_tags[i / ZDD_FLOW_WAYS].tag[i % ZDD_FLOW_WAYS] < ZDD_TAG_FIRST ||
		    !(state_of(f) & ZDD_F_ALIAS) || !zdd_addr_eq(&f->client, &seen.addr) ||
		    !zdd_addr_eq(&f->behind, &own->client) || f->other != own->port)
			continue;
		if (f->port == own->other && f->owner.word == own->owner.word)
			alias = f;
		n++;
	}
	CHECK(alias);
	CHECK(n == 1 || n == 2);
	again.old += n - 1;
}

static void judge_retry(__u32 round)
{
	struct client c = client_n(round * 2654435761u, PROTO_TCP);
	unsigned moved = verdicts(ZDD_V_SYN_RETRIED) + verdicts(ZDD_V_SYN_MOVED);
	const struct zdd_flow *own = own_of(&c);

	ROW("round %u", round);
	if (!own)
		return;
	CHECK(moved <= 1);
	CHECK_INT(own->owner.backend, again.first ^ moved);
	if (moved)
		CHECK_INT(state_of(own), ZDD_F_HALF);
	judge_alias(own);
	again.moved += moved;
	again.stayed += !moved;
}

static void *retrier(void *arg)
{
	native_cpu = (__u32)(uintptr_t)arg;
	for (__u32 i = 0; i < ROUNDS && !t_fails; i++) {
		struct client c = client_n(i * 2654435761u, PROTO_TCP);

		if (native_cpu == 0)
			begin(&c);
		meet();
		race.out[native_cpu] = retry_step(&c);
		meet();
		if (native_cpu == 0)
			judge_retry(i);
		meet();
	}
	return NULL;
}

TEST(one_retry_by_all_at_once)
{
	static const enum zdd_forward modes[] = {ZDD_FORWARD_NAT, ZDD_FORWARD_SNAT};

	for (unsigned i = 0; i < 2; i++) {
		memset(&again, 0, sizeof(again));
		retry_node(modes[i]);
		run_threads(retrier, THREADS);
		CHECK_INT(locks_held(), 0);
		CHECK(again.moved > 0 && again.stayed > 0);
		printf("# %u moved, %u stayed, %u aliases left to expire\n", again.moved,
		       again.stayed, again.old);
		node_end();
	}
}

/* ---- all of it at once, with a walker that expires ---- */

static struct {
	unsigned backend[CLIENTS]; /* the table's answer */
	unsigned running, walks;
	unsigned wrong_backend, wrong_reply, foreign_mac, replies, expired;
} mix;

static struct client mix_client(unsigned n)
{
	return client_n(n * 2654435761u, n & 1 ? PROTO_UDP : PROTO_TCP);
}

#define COUNT(counter) __atomic_add_fetch(&mix.counter, 1, __ATOMIC_RELAXED)

static void judge_forward(const struct zdd_out *o, unsigned n)
{
	if (o->action == ACT_TO_BACKEND && backend_in(o) != mix.backend[n])
		COUNT(wrong_backend);
}

/* The right backend's answers reach their client, nobody else's do. */
static void judge_reply(const struct zdd_out *o, const struct client *c, bool right)
{
	if (o->verdict != ZDD_V_REPLY)
		return;
	COUNT(replies);
	if (!right)
		COUNT(wrong_reply);
	if (memcmp(o->mac, &c->port, 2))
		COUNT(foreign_mac);
}

static void mix_step(__u64 dice)
{
	unsigned group = __atomic_load_n(&mix.walks, __ATOMIC_RELAXED) / WALKS_A_GROUP % 3;
	unsigned n = dice % GROUP + group * GROUP, what = dice >> 32 & 7, b = mix.backend[n];
	struct client c = mix_client(n);
	struct zdd_out o;

	if (what < 4) {
		o = from_client(&c, what < 2 ? N_SYN : N_ACK, what < 2 ? 100 : 101, 501);
		judge_forward(&o, n);
		return;
	}
	b ^= what == 7;
	o = from_backend(b, &c, c.port, what < 6 ? N_SYN | N_ACK : N_ACK, 500, 101);
	judge_reply(&o, &c, what != 7);
}

/* As datapath_flows.c does it. */
static void expire(__u32 place)
{
	__u32 *tag = &node.flow_tags[place / ZDD_FLOW_WAYS].tag[place % ZDD_FLOW_WAYS];
	__u64 meta = 0;

	if (__atomic_load_n(tag, __ATOMIC_ACQUIRE) >= ZDD_TAG_FIRST)
		meta = flow_expired(place, (__u32)NOW());
	if (meta && flow_end(&node, place, meta))
		COUNT(expired);
}

static void walk(void)
{
	const __u32 places = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&geometry);

	while (__atomic_load_n(&mix.running, __ATOMIC_ACQUIRE)) {
		for (__u32 i = 0; i < places; i++)
			expire(i);
		__atomic_add_fetch(&native_now, 7 * HZ, __ATOMIC_RELAXED);
		COUNT(walks);
		sched_yield();
	}
}

static void *mixer(void *arg)
{
	__u64 dice;

	native_cpu = (__u32)(uintptr_t)arg;
	dice = zdd_mix64(native_cpu + 1);
	if (native_cpu == THREADS) {
		walk();
		return NULL;
	}
	for (unsigned i = 0; i < STEPS || __atomic_load_n(&mix.walks, __ATOMIC_RELAXED) < WALKS;
	     i++)
		mix_step(dice = zdd_mix64(dice + i));
	__atomic_sub_fetch(&mix.running, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Each client's place in the table, learned while nobody else is there. */
static void learn_backends(void)
{
	for (unsigned n = 0; n < CLIENTS; n++) {
		struct client c = mix_client(n);
		struct zdd_out o = from_client(&c, N_SYN, 100, 0);

		mix.backend[n] = backend_in(&o);
	}
}

static unsigned busy_tags(void)
{
	unsigned n = 0;

	for (__u32 b = 0; b < ZDD_FLOW_BUCKETS(&geometry); b++)
		for (unsigned w = 0; w < ZDD_FLOW_WAYS; w++)
			n += node.flow_tags[b].tag[w] == ZDD_TAG_BUSY;
	return n;
}

static unsigned doubles(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client c = mix_client(i);

		for (unsigned r = REGION_TCP; r <= REGION_UDP; r++)
			n += records((enum region)r, &c, c.port, NULL) > 1;
	}
	return n;
}

TEST(a_mix_with_a_walker)
{
	node_make(32, 2);
	memset(&mix, 0, sizeof(mix));
	learn_backends();
	mix.running = THREADS;
	run_threads(mixer, THREADS + 1);
	printf("# %u replies, %u expired, %u to a MAC of another\n", mix.replies, mix.expired,
	       mix.foreign_mac);
	CHECK_INT(mix.wrong_backend, 0);
	CHECK_INT(mix.wrong_reply, 0);
	CHECK(mix.replies > 0);
	CHECK(mix.expired >= 2 * GROUP);
	CHECK_INT(busy_tags(), 0);
	CHECK_INT(locks_held(), 0);
	CHECK_INT(doubles(), 0);
	node_end();
}
