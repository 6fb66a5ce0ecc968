/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "differ.h"
#include "site.h"

enum { ROUNDS_PER_SITE = 3000 }; /* the small tables are full long before */

static uint64_t state;

static uint32_t any(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * n >> 32);
}

static bool one_in(uint32_t n)
{
	return any(n) == 0;
}

/* ---- frames ---- */

static const char *const listeners[] = {WEB,
					WEB6,
					DNS,
					DNS6,
					PAIR,
					PAIR_TOO,
					EMPTY6,
					TWIN,
					TWIN_TOO,
					EMPTY,
					LOCAL,
					LEAVING,
					"203.0.113.10:1",
					DSR,
					DSR6,
					IPIP,
					IPIP6,
					IPIP_BY6,
					IPIP6_BY6,
					GUE,
					GUE6,
					GUE_BY6,
					GUE6_BY6,
					OTHER_DSR,
					FAR,
					FAR6,
					FAR_PAIR};
static const char *const backends[] = {WEB_B,   WEB6_B, DNS_B,     DNS6_B,        PAIR_B,
				       PAIR_B2, TWIN_B, LEAVING_B, "10.0.1.11:1", DSR_B,
				       IPIP_B,  FAR_B,  FAR6_B,    FAR_PAIR_B,    FAR_PAIR_B2};

#define PICK(list) end_of((list)[any(sizeof(list) / sizeof((list)[0]))])

static struct end some_client(const struct end *peer)
{
	struct end c = end_of(zdd_addr_is_v4(&peer->addr) ? CLIENT : CLIENT6);

	if (one_in(4))
		c.addr = peer->addr; /* another of its network, or itself */
	c.addr.b[15] = (uint8_t)(one_in(2) ? 11 : 1 + any(6));
	c.port = (uint16_t)(40000 + any(6));
	return c;
}

/* An answer to somebody who is known under another port or address. */
static bool alias_ends(const struct site *site, struct spec *s)
{
	uint32_t n = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry), at = any(n);

	for (uint32_t i = 0; i < n; i++, at = at + 1 < n ? at + 1 : 0) {
		const struct zdd_flow *f = &site->memory->flow_recs[at];
		const struct zdd_backend *b = &site->memory->backends[f->owner.backend];

		if (!(ZDD_META_STATE(f->meta) & ZDD_F_ALIAS))
			continue;
		s->proto = at / ZDD_FLOW_WAYS < engine_geometry.tcp_buckets +
							engine_geometry.half_buckets
				   ? TCP
				   : UDP;
		s->from = (struct end){b->addr, ntohs(b->port)};
		s->to = (struct end){f->client, ntohs(f->port)};
		backend_mac(&s->from, s->smac);
		return true;
	}
	return false;
}

static void random_ends(const struct site *site, struct spec *s)
{
	if (one_in(6) && alias_ends(site, s)) {
	} else if (one_in(3)) {
		s->from = PICK(backends);
		s->to = some_client(&s->from);
		backend_mac(&s->from, s->smac);
	} else {
		s->to = PICK(listeners);
		s->from = some_client(&s->to);
		s->smac[5] = (uint8_t)any(3);
	}
	memcpy(s->dmac, node_mac, 6);
}

static void random_tcp(struct spec *s)
{
	static const uint8_t flags[] = {SYN, SYN,       SYN,       SYN | ACK, SYN | ACK, ACK, ACK,
					ACK, PSH | ACK, FIN | ACK, RST,       RST | ACK, 0,   255};

	s->flags = flags[any(sizeof(flags))];
	s->seq = 1000 + any(3);
	s->ack = 1000 + any(3);
	s->tcp_words = (uint8_t)(one_in(4) ? any(11) : 0);
}

static void random_odds(struct spec *s)
{
	static const char *const exts[] = {"h", "d", "r", "D", "hd", "hRd", "hhhhhh", "hhhhhhh"};
	static const uint16_t fragments[] = {0x4000, 0x2000, 0x0001, 0x0100, 0x2100, 0x8000};

	if (one_in(4))
		s->vlan[0] = (uint16_t)any(4);
	if (one_in(12))
		s->vlan[1] = (uint16_t)any(4);
	s->ad = one_in(2);
	if (one_in(6))
		s->v4_words = (uint8_t)any(11);
	if (one_in(4))
		s->ext = exts[any(sizeof(exts) / sizeof(exts[0]))];
	if (one_in(16))
		s->fragment = fragments[any(sizeof(fragments) / sizeof(fragments[0]))];
	s->atomic = one_in(30);
	if (one_in(10))
		s->ttl = (uint8_t)any(3);
	s->check = one_in(4) ? (enum check)any(4) : CHECK_WHOLE;
}

static void random_lies(struct spec *s)
{
	if (one_in(30))
		s->ihl = (uint8_t)any(16);
	if (one_in(30))
		s->doff = (uint8_t)any(16);
	if (one_in(30))
		s->total_off = (int16_t)((int)any(81) - 60);
	if (one_in(30))
		s->udp_off = (int16_t)((int)any(41) - 20);
	if (one_in(20))
		s->trailer = (uint16_t)any(20);
	if (one_in(40))
		s->type = (uint16_t)any(65536);
	if (one_in(40))
		s->l4 = (uint8_t)any(256);
	if (one_in(15))
		s->keep = (uint16_t)(14 + any(100));
}

/* About a packet that `s` was before: of a client to a backend, or of a listener to a client. */
static void make_error(struct spec *s, struct spec *about)
{
	static const uint8_t types[2][8] = {{3, 3, 3, 11, 12, 3, 5, 8}, {1, 2, 2, 3, 4, 2, 5, 128}};
	bool v6 = !zdd_addr_is_v4(&s->from.addr);
	struct end to = s->to;

	*about = *s;
	memset(about->vlan, 0, sizeof(about->vlan));
	s->to = s->from;
	s->from = one_in(2) ? to : end_of(v6 ? "[2001:db8:77::1]:1" : "192.0.2.99:1");
	s->error = types[v6][any(8)];
	s->code = (uint8_t)any(5);
	s->word32 = any(2000);
	s->quoted = (uint16_t)(one_in(2) ? any(120) : 548);
	s->about = about;
	random_odds(s);
	random_lies(s);
}

/* Listeners and clients, or backends and clients, the other way round. */
static void turn(struct spec *s)
{
	struct end from = s->from;

	s->from = s->to;
	s->to = from;
}

static void random_frame(const struct site *site, struct frame *f)
{
	struct spec s = {.proto = one_in(3) ? UDP : TCP}, about;
	bool error = one_in(6);

	random_ends(site, &s);
	if (error)
		turn(&s);
	if (s.proto == TCP)
		random_tcp(&s);
	s.data = (uint16_t)(one_in(2) ? any(1400) : 0);
	s.word = (uint16_t)any(65536);
	random_odds(&s);
	random_lies(&s);
	if (error)
		make_error(&s, &about);
	craft(&s, f);
	for (uint32_t n = one_in(10) ? 1 + any(3) : 0; n; n--)
		f->bytes[any((uint32_t)f->len)] = (uint8_t)any(256);
}

/* ---- next hops and links of all kinds, the same at both ---- */

static void vary(const struct site *a, const struct site *b)
{
	static const uint16_t flags[] = {ZDD_H_RESOLVED | ZDD_H_XDP, ZDD_H_XDP, ZDD_H_LOCAL,
					 ZDD_H_RESOLVED, ZDD_H_RESOLVED | ZDD_H_PEER};

	for (uint32_t i = 1; i < engine_geometry.hops; i++) {
		struct zdd_hop *h = &a->memory->hops[i];

		h->flags = flags[one_in(2) ? 0 : any(5)];
		h->vlan = (uint16_t)(one_in(2) ? 0 : 300);
		h->prefix = (uint8_t)(one_in(4) ? any(33) : 0);
		b->memory->hops[i] = *h;
	}
}

/* ---- comparing ---- */

static bool equal(const struct ran *a, const struct ran *b)
{
	if (memcmp(&a->counts, &b->counts, sizeof(a->counts)) || a->code != b->code)
		return false;
	if (a->code == RAN_DROPPED)
		return true; /* what is in it then is nobody's business */
	return a->out.len == b->out.len && !memcmp(a->out.bytes, b->out.bytes, a->out.len);
}

static void show(const char *who, const struct frame *f)
{
	printf("# %s:", who);
	for (size_t i = 0; i < f->len && i < 128; i++)
		printf(" %02x", f->bytes[i]);
	printf("\n");
}

static void show_counts(const char *who, const struct ran *r)
{
	printf("# %s: code %u, verdicts", who, r->code);
	for (size_t i = 0; i < ZDD_VERDICT_COUNT; i++)
		if (r->counts.verdict[i])
			printf(" %zu", i);
	printf(", notes");
	for (size_t i = 0; i < ZDD_NOTE_COUNT; i++)
		if (r->counts.note[i])
			printf(" %zu", i);
	printf("\n");
}

/* Good checksums stay good, and what passes is what came. */
static const char *unsound(const struct frame *in, const struct ran *r)
{
	uint64_t verdicts = 0;

	for (size_t i = 0; i < ZDD_VERDICT_COUNT; i++)
		verdicts += r->counts.verdict[i];
	if (verdicts != 1)
		return "not one verdict";
	if (r->code == RAN_DROPPED || frame_sums(in->bytes, in->len) != SUMS_GOOD)
		return NULL;
	switch (frame_sums(r->out.bytes, r->out.len)) {
	case SUMS_GOOD:
		return NULL;
	case SUMS_NONE: /* in another packet: the cases look inside */
		return r->out.len >= in->len + 20 - 8 ? NULL : "lengths";
	default:
		return "checksum";
	}
}

/* Returns false when the engines differ, after saying how. */
static bool differ_one(const struct site *site, struct engine *native, struct engine *kernel,
		       unsigned long round)
{
	struct frame in;
	struct ran a = {.code = RAN_PASSED}, b = {.code = RAN_PASSED};
	bool egress = one_in(8);
	const char *fault;
	int err;

	random_frame(site, &in);
	err = kernel->run(kernel, egress, &in, &b);
	if (err == -ENOTSUP)
		return true;
	native->run(native, egress, &in, &a);
	if (err) {
		show("refused by BPF_PROG_TEST_RUN", &in);
		return false;
	}
	fault = equal(&a, &b) ? unsound(&in, &a) : "they differ";
	if (!fault)
		return true;
	printf("# round %lu%s: %s\n", round, egress ? ", egress" : "", fault);
	show("in", &in);
	show_counts(native->name, &a);
	show_counts(kernel->name, &b);
	show(native->name, &a.out);
	show(kernel->name, &b.out);
	return false;
}

static bool differ(struct engine *native, struct engine *kernel, unsigned long rounds,
		   struct zdd_count_row *seen)
{
	struct site a = {.memory = NULL}, b = {.memory = NULL};
	bool same = true;

	for (unsigned long i = 0; i < rounds && same; i++) {
		if (i % ROUNDS_PER_SITE == 0) {
			uint64_t seed = state;

			site_free(&a);
			site_free(&b);
			site_make(&a, &native->memory, seed);
			site_make(&b, &kernel->memory, seed);
		}
		site_sent(&a, -60); /* the kernel's clock goes on while this machine is slow */
		site_sent(&b, -60);
		if (i % 100 == 0)
			vary(&a, &b);
		same = differ_one(&a, native, kernel, i);
		if (i % ROUNDS_PER_SITE == ROUNDS_PER_SITE - 1)
			for (size_t v = 0; v < ZDD_VERDICT_COUNT; v++)
				seen->verdict[v] += native->memory.counts[0].verdict[v];
	}
	site_free(&a);
	site_free(&b);
	return same;
}

static void show_seen(const struct zdd_count_row *seen)
{
	printf("#");
	for (size_t i = 0; i < ZDD_VERDICT_COUNT; i++) {
#define V(symbol, name, kind, expected, sentence)                                                  \
	if (i == ZDD_V_##symbol)                                                                   \
		printf(" %s %llu", #name, (unsigned long long)seen->verdict[i]);
		ZDD_VERDICTS(V)
#undef V
	}
	printf("\n");
}

void differ_all(struct engine *engines, unsigned long rounds, uint64_t seed, unsigned *passed,
		unsigned *failed)
{
	for (size_t k = 2; k < ENGINES; k++) {
		struct engine *native = &engines[engines[k].hook == HOOK_XDP ? 0 : 1];
		struct zdd_count_row seen = {.verdict = {0}};
		bool same;

		if (engines[k].skip)
			continue;
		state = seed * 0x9e3779b97f4a7c15ull | 1;
		same = differ(native, &engines[k], rounds, &seen);
		printf("%s %lu random frames, native and %s%s\n", same ? "ok" : "not ok", rounds,
		       engines[k].name, same ? "" : ": see above");
		show_seen(&seen);
		*passed += same;
		*failed += !same;
	}
}
