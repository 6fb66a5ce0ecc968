/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every case on every engine: packets [ROUNDS], rounds of the random comparison afterwards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "differ.h"

static const char *const verdict_names[] = {
#define V(symbol, name, kind, expected, sentence) #name,
	ZDD_VERDICTS(V)
#undef V
};
static const char *const note_names[] = {
#define N(symbol, name, expected, sentence) #name,
	ZDD_NOTES(N)
#undef N
};

static const char *const signal_names[] = {
#define S(symbol, name, breaks, sentence) #name,
	ZDD_SIGNALS(S)
#undef S
};

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0xcc, 1};

static unsigned passed, failed, skipped;

/* A case on its way through one engine. */
struct run {
	const struct packet_case *c;
	struct engine *e;
	struct site site;
	size_t step;
	struct end chosen; /* port 0: none yet */
	struct end alias;  /* port 0: none yet */
	char why[512];     /* "": nothing failed */
};

#define FAIL(r, ...) (snprintf((r)->why, sizeof((r)->why), __VA_ARGS__), false)

/* ---- building what goes in ---- */

static bool says(const char *list, const struct end *end)
{
	char text[256], *rest, *word;

	snprintf(text, sizeof(text), "%s", list);
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		struct end one = end_of(word);

		if (zdd_addr_eq(&one.addr, &end->addr) && one.port == end->port)
			return true;
	}
	return false;
}

static struct end other_of(const struct run *r)
{
	static const char *const pairs[] = {PAIR_B,      PAIR_B2, FAR_PAIR_B,
					    FAR_PAIR_B2, PAIR6_B, PAIR6_B2};
	size_t i = 0;

	while (i < 5 && !says(pairs[i], &r->chosen))
		i++;
	return end_of(pairs[i ^ 1]);
}

static struct end sender_of(const struct run *r, const char *from)
{
	if (!strcmp(from, "@"))
		return r->chosen;
	return !strcmp(from, "!") ? other_of(r) : end_of(from);
}

static struct end receiver_of(const struct run *r, const char *to)
{
	return strcmp(to, "@") ? end_of(to) : r->alias;
}

/* What an error quotes: went from `from`, which may have been given another port, to `to`. */
static void put_about(struct spec *error, struct spec *about, struct end from, struct end to)
{
	about->from = from;
	about->to = to;
	error->about = about;
}

/* "@": the client with the port that it was given; "#": the backend that was chosen; "!": the other
 * of the pair. */
static struct end end_in(const struct run *r, const char *text)
{
	if (!strcmp(text, "#"))
		return r->chosen;
	return strcmp(text, "!") ? receiver_of(r, text) : other_of(r);
}

/* Of the node's to a backend. */
static const struct outer *tunnel_to(const char *backend, bool gue)
{
	static struct outer o;
	struct end to = end_of(backend);

	o = (struct outer){
		.src = end_of(zdd_addr_is_v4(&to.addr) ? NODE_SOURCE : NODE_SOURCE6).addr,
		.dst = to.addr,
		.gue = gue,
		.port = 50000};
	return &o;
}

static struct spec incoming(const struct run *r, const struct step *s, struct spec *about)
{
	struct spec in = s->as;

	if (s->tunnel)
		in.in = tunnel_to(s->tunnel, s->gue);

	in.from = sender_of(r, s->from);
	in.to = receiver_of(r, s->to);
	if (s->about) {
		*about = *s->about;
		put_about(&in, about, end_in(r, s->about_from), end_in(r, s->about_to));
	}
	memcpy(in.smac, client_mac, 6);
	if (site_backend(&r->site, &in.from))
		backend_mac(&in.from, in.smac);
	memcpy(in.dmac, node_mac, 6);
	return in;
}

/* ---- what must come out ---- */

static struct end went_to(const struct frame *out)
{
	const uint8_t *l3 = out->bytes + (out->bytes[12] == 0x81 ? 18 : 14);
	bool v6 = l3[0] >> 4 == 6;
	const uint8_t *port = l3 + (v6 ? 42 : 22);
	struct end to = {.port = (uint16_t)(port[0] << 8 | port[1])};
	__be32 v4;

	memcpy(&v4, l3 + 16, 4);
	to.addr = zdd_addr_v4(v4);
	if (v6)
		memcpy(to.addr.b, l3 + 24, 16);
	return to;
}

/* The backend that the frame must go to; where several may be, the one it went to. */
static bool find_backend(struct run *r, const struct step *s, const struct frame *out,
			 struct end *to)
{
	struct end went;

	if (!strcmp(s->backend, "@") || !strcmp(s->backend, "!")) {
		*to = s->backend[0] == '@' ? r->chosen : other_of(r);
		return true;
	}
	if (!strchr(s->backend, ' ')) {
		*to = end_of(s->backend);
	} else {
		went = went_to(out);
		if (!says(s->backend, &went))
			return FAIL(r, "went to none of %s", s->backend);
		*to = went;
	}
	if (!r->chosen.port)
		r->chosen = *to;
	return true;
}

static struct end client_of(const struct step *s)
{
	return end_of(s->client ? s->client : CLIENT);
}

static bool find_alias(struct run *r, const struct step *s, const struct spec *in,
		       const struct frame *out)
{
	struct end client = s->made ? client_of(s) : in->from;
	size_t l3 = out->bytes[12] == 0x81 ? 18 : 14;
	size_t l4 = l3 + (zdd_addr_is_v4(&client.addr) ? 20 : 40);
	uint16_t port = (uint16_t)(out->bytes[l4] << 8 | out->bytes[l4 + 1]);

	if ((!r->alias.port || s->fresh) && (s->node || port != client.port))
		r->alias = (struct end){s->node ? end_of(s->node).addr : client.addr, port};
	return r->alias.port ? true : FAIL(r, "the client's port was not rewritten");
}

/* to: the backend. */
static void leave(const struct run *r, const struct step *s, const struct end *to,
		  struct spec *want)
{
	bool xdp = r->e->hook == HOOK_XDP && !s->egress;

	if (s->via == VIA_STACK)
		return;
	if (s->road != ROAD_DSR)
		want->ttl = (want->ttl ? want->ttl : 64) - 1;
	if (s->via == VIA_NEIGH)
		return;
	memset(want->vlan, 0, sizeof(want->vlan));
	want->vlan[0] = xdp ? s->tag : 0;
	want->ad = false;
	if (s->source)
		memcpy(want->dmac, client_mac, 6);
	else if (s->made && !s->backend) /* back to its sender */
		memcpy(want->dmac, want->smac, 6);
	else
		backend_mac(to, want->dmac);
	memcpy(want->smac, node_mac, 6);
	if (s->via == VIA_FIB) {
		const struct fib_way *way = &fib_ways[!zdd_addr_is_v4(&want->from.addr)];

		memcpy(want->dmac, way->dmac, 6);
		memcpy(want->smac, way->smac, 6);
	}
}

/* Sets want from in; out is only asked where the case leaves the choice to the engine. */
static bool wanted(struct run *r, const struct step *s, const struct spec *in,
		   const struct frame *out, struct spec *want, struct spec *about)
{
	struct end to = in->to;

	*want = *in;
	if (s->then_from) {
		*about = *in->about;
		put_about(want, about, end_in(r, s->then_from), end_in(r, s->then_to));
	}
	if (s->made) {
		*want = *s->made;
		memcpy(want->smac, in->smac, 6);
		memcpy(want->dmac, in->dmac, 6);
		memcpy(want->vlan, in->vlan, sizeof(want->vlan));
		want->from = in->to;
		want->to = to = in->from;
		want->about = in->about;
	}
	if (s->backend && !find_backend(r, s, out, &to))
		return false;
	if (s->road == ROAD_NAT)
		want->to = to;
	if (s->backend && s->alias) {
		if (!find_alias(r, s, in, out))
			return false;
		want->from = r->alias;
	}
	if (s->source)
		want->from = end_of(s->source);
	if (s->port_back)
		want->to = client_of(s);
	if (s->backend || s->source || s->made)
		leave(r, s, &to, want);
	if (want->check == CHECK_PARTIAL && (s->backend || s->source) && !s->stays)
		want->check = CHECK_WHOLE;
	return true;
}

/* ---- comparing ---- */

static bool check_verdict(struct run *r, const struct step *s, const struct ran *ran)
{
	char got[256] = "", notes[256] = "";

	for (size_t i = 0; i < ZDD_VERDICT_COUNT; i++)
		for (uint64_t n = ran->counts.verdict[i]; n; n--)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
				 got[0] ? " " : "", verdict_names[i]);
	if (strcmp(got, s->verdict))
		return FAIL(r, "verdict %s, not %s", got[0] ? got : "none", s->verdict);
	for (size_t i = 0; i < ZDD_NOTE_COUNT; i++)
		if (ran->counts.note[i])
			snprintf(notes + strlen(notes), sizeof(notes) - strlen(notes), "%s%s",
				 notes[0] ? " " : "", note_names[i]);
	if (strcmp(notes, s->notes ? s->notes : ""))
		return FAIL(r, "notes '%s', not '%s'", notes, s->notes ? s->notes : "");
	return true;
}

static bool check_signals(struct run *r, const struct step *s, const struct zdd_signal_row *before)
{
	static const char *const names[] = {"answered",    "refused", "silent", "unreachable",
					    "reset_early", "taken",   "served"};
	struct zdd_signal_row now = site_signals(&r->site);
	const uint64_t *old = (const uint64_t *)before, *new = (const uint64_t *)&now;
	char got[128] = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		for (uint64_t n = new[i] - old[i]; n; n--)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
				 got[0] ? " " : "", names[i]);
	if (s->signals && strcmp(got, s->signals))
		return FAIL(r, "signals '%s', not '%s'", got, s->signals);
	return true;
}

static void put_word(char *list, size_t room, const char *word, const char *mark)
{
	size_t n = strlen(list);

	snprintf(list + n, room - n, "%s%s%s", n ? " " : "", word, mark);
}

static void put_words(char *list, size_t room, const char *word, uint64_t n)
{
	while (n--)
		put_word(list, room, word, "");
}

/* But for sources, which backends have none of, the two sums are the same. */
static bool shows_alike(const struct zdd_signals *pools, const struct zdd_signals *backends)
{
	for (size_t i = 0; i < ZDD_SIGNAL_COUNT; i++)
		if (pools->kind[i].n != backends->kind[i].n ||
		    pools->kind[i].bad != backends->kind[i].bad || backends->kind[i].sources)
			return false;
	return pools->connect[0] == backends->connect[0] &&
	       pools->first_byte[0] == backends->first_byte[0] &&
	       pools->retransmits == backends->retransmits;
}

static bool check_shown(struct run *r, const struct step *s, const struct zdd_signals *before)
{
	struct zdd_signals now, backends;
	char got[256] = "";

	if (!s->shows)
		return true;
	site_shown(&r->site, &now, &backends);
	if (!shows_alike(&now, &backends))
		return FAIL(r, "the backends show something else than their pools");
	for (size_t i = 0; i < ZDD_SIGNAL_COUNT; i++) {
		const struct zdd_signal_count *new = &now.kind[i], *old = &before->kind[i];

		for (uint64_t n = old->n; n < new->n; n++)
			put_word(got, sizeof(got), signal_names[i],
				 n - old->n < new->bad - old->bad ? "!" : "");
		if (new->bad - old->bad > new->n - old->n)
			return FAIL(r, "more bad %s than all", signal_names[i]);
	}
	put_words(got, sizeof(got), "connect", now.connect[0] - before->connect[0]);
	put_words(got, sizeof(got), "first_byte", now.first_byte[0] - before->first_byte[0]);
	put_words(got, sizeof(got), "again", now.retransmits - before->retransmits);
	put_words(got, sizeof(got), "new", now.new_sources - before->new_sources);
	return !strcmp(got, s->shows) || FAIL(r, "shows '%s', not '%s'", got, s->shows);
}

static enum ran_code code_of(const struct step *s)
{
	if (s->told)
		return RAN_SENT;
	if (s->backend || s->source || s->made)
		return s->via == VIA_STACK ? RAN_PASSED : RAN_SENT;
	for (size_t i = 0; i < ZDD_VERDICT_COUNT; i++) {
#define V(symbol, name, kind, expected, sentence)                                                  \
	if (i == ZDD_V_##symbol && !strcmp(s->verdict, #name))                                     \
		return #kind[0] == 'P' ? RAN_PASSED : RAN_DROPPED;
		ZDD_VERDICTS(V)
#undef V
	}
	return RAN_DROPPED;
}

static bool check_bytes(struct run *r, const struct frame *got, const struct frame *want)
{
	size_t i = 0;

	if (got->len != want->len)
		return FAIL(r, "%zu bytes, not %zu", got->len, want->len);
	while (i < got->len && got->bytes[i] == want->bytes[i])
		i++;
	if (i < got->len)
		return FAIL(r, "byte %zu of %zu is %02x, not %02x", i, got->len, got->bytes[i],
			    want->bytes[i]);
	return true;
}

/* The source port is the engine's to choose, within its range. */
static bool put_in_tunnel(struct run *r, const struct step *s, const struct spec *in,
			  const struct frame *got, struct frame *want)
{
	struct end to = end_of(s->backend);
	bool v6 = !zdd_addr_is_v4(&to.addr);
	struct outer o = {.src = end_of(v6 ? NODE_SOURCE6 : NODE_SOURCE).addr,
			  .dst = to.addr,
			  .gue = s->road == ROAD_GUE,
			  .no_check = in->proto == UDP &&
				      (in->check == CHECK_NONE || (in->fragment & ~0x4000))};
	size_t at = (got->bytes[12] == 0x81 ? 18 : 14) + (v6 ? 40 : 20);

	if (o.gue) {
		o.port = (uint16_t)(got->bytes[at] << 8 | got->bytes[at + 1]);
		if (o.port < 49152)
			return FAIL(r, "source port %u", o.port);
		if (r->alias.port && r->alias.port != o.port)
			return FAIL(r, "another source port for the same flow");
		r->alias.port = o.port;
	}
	craft_tunnel(want, &o);
	return true;
}

static bool check_told(struct run *r, const struct step *s, const struct spec *in,
		       const struct ran *ran)
{
	struct frame frame, want;
	bool tag = r->e->hook == HOOK_XDP && in->vlan[0];

	craft(in, &frame);
	craft_too_big(&frame, s->told, tag, &want);
	return check_bytes(r, &ran->out, &want);
}

static bool check_ran(struct run *r, const struct step *s, const struct spec *in,
		      const struct ran *ran)
{
	static const char *const codes[] = {"passed", "dropped", "redirected"};
	struct frame want;
	struct spec spec, about;

	if (!check_verdict(r, s, ran))
		return false;
	if (ran->code != code_of(s))
		return FAIL(r, "%s, not %s", codes[ran->code], codes[code_of(s)]);
	if (ran->code == RAN_DROPPED)
		return true;
	if (s->told)
		return check_told(r, s, in, ran);
	if (!wanted(r, s, in, &ran->out, &spec, &about))
		return false;
	craft(&spec, &want);
	if (s->road > ROAD_DSR && !put_in_tunnel(r, s, in, &ran->out, &want))
		return false;
	if (!check_bytes(r, &ran->out, &want))
		return false;
	if (s->road <= ROAD_DSR && (s->backend || s->source) && !(in->fragment & ~0x4000) &&
	    !s->stays && frame_sums(ran->out.bytes, ran->out.len) != SUMS_GOOD)
		return FAIL(r, "a checksum is wrong");
	return true;
}

/* Finds a payload for which the outgoing checksum is computed as 0. */
static void make_zero_sum(struct run *r, const struct step *s, struct spec *in)
{
	struct frame unknown = {.len = 0}, f;
	struct spec want, about;

	for (uint32_t word = 0; word < 0x10000; word++) {
		in->word = (uint16_t)word;
		if (!wanted(r, s, in, &unknown, &want, &about))
			return;
		craft(&want, &f);
		if (!memcmp(f.bytes + (zdd_addr_is_v4(&want.from.addr) ? 40 : 60), "\xff\xff", 2))
			return;
	}
}

/* Finds a payload whose complete checksum is what a partial one would be. */
static void make_partial_looking(struct spec *in)
{
	struct spec partial = *in;
	struct frame whole, wanted;

	partial.check = CHECK_PARTIAL;
	for (uint32_t word = 0; word < 0x10000; word++) {
		in->word = partial.word = (uint16_t)word;
		craft(in, &whole);
		craft(&partial, &wanted);
		if (!memcmp(whole.bytes, wanted.bytes, whole.len))
			return;
	}
}

static bool run_frame(struct run *r, const struct step *s, uint16_t keep)
{
	struct zdd_signal_row signals = site_signals(&r->site);
	struct spec about, spec = incoming(r, s, &about);
	struct zdd_signals shown, of_backends;
	struct frame in;
	struct ran ran = {.code = RAN_PASSED};
	int err;

	if (s->zero_sum)
		make_zero_sum(r, s, &spec);
	if (s->looks_partial)
		make_partial_looking(&spec);
	spec.keep = keep;
	craft(&spec, &in);
	if (s->shows)
		site_shown(&r->site, &shown, &of_backends);
	err = r->e->run(r->e, s->egress, &in, &ran);
	if (err == -ENOTSUP)
		return true;
	if (err)
		return FAIL(r, "BPF_PROG_TEST_RUN: %s", strerror(-err));
	return check_ran(r, s, &spec, &ran) && check_signals(r, s, &signals) &&
	       check_shown(r, s, &shown);
}

static bool run_step(struct run *r, const struct step *s)
{
	if (s->before)
		s->before(&r->site, &r->chosen);
	else
		site_sent(&r->site, -60); /* however slow this machine is: no SYN waits for long */
	if (!s->keep_to)
		return run_frame(r, s, s->as.keep);
	for (uint16_t keep = s->as.keep; keep <= s->keep_to; keep++)
		if (!run_frame(r, s, keep)) {
			size_t n = strlen(r->why);

			snprintf(r->why + n, sizeof(r->why) - n, " (cut to %u)", keep);
			return false;
		}
	return true;
}

/* ---- cases ---- */

/* What an engine chose freely, every engine must choose. */
struct choice {
	struct end chosen;
	struct end alias;
	const char *by;
};

static void agree(struct run *r, struct choice *choice)
{
	if (!choice->by) {
		*choice = (struct choice){r->chosen, r->alias, r->e->name};
		return;
	}
	if (choice->chosen.port != r->chosen.port ||
	    !zdd_addr_eq(&choice->chosen.addr, &r->chosen.addr) ||
	    choice->alias.port != r->alias.port)
		(void)FAIL(r, "chose otherwise than %s", choice->by);
}

static void run_case(const struct packet_case *c, struct engine *e, struct choice *choice)
{
	struct run r = {.c = c, .e = e};

	site_make(&r.site, &e->memory, 0x1234567);
	while (r.step < c->n && run_step(&r, &c->steps[r.step]))
		r.step++;
	if (!r.why[0])
		agree(&r, choice);
	if (r.why[0])
		printf("not ok %s, %s: step %zu, %s > %s: %s\n", c->name, e->name, r.step + 1,
		       r.step < c->n ? c->steps[r.step].from : "",
		       r.step < c->n ? c->steps[r.step].to : "", r.why);
	else
		printf("ok %s, %s\n", c->name, e->name);
	passed += !r.why[0];
	failed += !!r.why[0];
	site_free(&r.site);
}

static void run_list(const struct case_list *list, struct engine *engines)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct packet_case *c = &list->cases[i];
		struct choice choice = {.by = NULL};

		for (size_t k = 0; k < ENGINES; k++)
			if (!engines[k].skip && (!c->hooks || c->hooks & engines[k].hook))
				run_case(c, &engines[k], &choice);
	}
}

static void say_skipped(const struct engine *engines)
{
	for (size_t k = 0; k < ENGINES; k++)
		if (engines[k].skip) {
			printf("ok engine %s # SKIP %s\n", engines[k].name, engines[k].skip);
			skipped++;
		}
}

int main(int argc, char **argv)
{
	const struct case_list *lists[] = {&tcp_cases,   &udp_cases,  &wire_cases,  &way_cases,
					   &road_cases,  &rare_cases, &cut_cases,   &error_cases,
					   &retry_cases, &snat_cases, &relay_cases, &passive_cases,
					   &signal_cases};
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct engine *engines = engines_open();

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		run_list(lists[i], engines);
	differ_all(engines, rounds, seed, &passed, &failed);
	say_skipped(engines);
	engines_close();
	printf("# %u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed || !passed;
}
