/* SPDX-License-Identifier: BSD-2-Clause */
/* The brain and the frame code compiled natively; what the hooks add to them is done here again, on
 * a plain buffer. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "lookup.h"
#include "http.h"
#include "route.h"
#include "oneway.h"
#include "quote.h"

#include "engine.h"

enum { AF_V6 = 10, OUT_IFINDEX = 2, OUT_MTU = 1500 };

static int fib_answer(struct bpf_fib_lookup *f)
{
	const struct fib_way *way = &fib_ways[f->family == AF_V6];

	f->ifindex = OUT_IFINDEX;
	memcpy(f->dmac, way->dmac, 6);
	memcpy(f->smac, way->smac, 6);
	return BPF_FIB_LKUP_RET_SUCCESS;
}

/* One packet at the hook: tag and Ethernet header differ. */
struct pass {
	enum hook hook;
	bool egress, error;
	struct frame *f;
	struct zdd_job *j;
};

static enum ran_code refuse(struct pass *x, enum zdd_verdict verdict)
{
	x->j->out.verdict = verdict;
	return RAN_DROPPED;
}

static __u16 native_sum(const struct pass *x)
{
	const struct zdd_packet *p = &x->j->p;

	return csum_fold(sum_segment(x->f->bytes + p->l4, x->f->bytes + x->f->len, p->segment));
}

static int rewrite(struct pass *x, int decrement)
{
	const struct zdd_packet *p = &x->j->p;
	struct zdd_rewrite r = rewrite_of(&x->j->out, decrement);
	__u8 *data = x->f->bytes, *end = data + x->f->len;
	int partial, left;

	if (x->error)
		return write_error(data, end, p, &x->j->quote, &r);
	partial = x->hook == HOOK_XDP && is_partial(data, end, p);
	left = partial && is_generic(p->ifindex);
	if (left)
		partial = !is_whole_too(data, end, check_offset(p), native_sum(x));
	if (write_rewrite(data, end, p, &r, partial ? CSUM_PARTIAL : CSUM_WHOLE))
		return -1;
	if (!partial || left)
		return 0;
	count_note(ZDD_N_CSUM_COMPLETED);
	return write_whole(data, end, check_offset(p), native_sum(x));
}

/* In tc the tag lies beside the frame, where BPF_PROG_TEST_RUN does not show it. */
static void ethernet(struct pass *x, const struct zdd_route *r, int grow, int v6)
{
	size_t tag = r->vlan && x->hook == HOOK_XDP ? VLAN_TAG : 0, l3 = x->j->p.l3;
	size_t to = ETH_HEADER + tag + (size_t)(grow > 0 ? grow : 0);
	size_t cut = (size_t)(grow < 0 ? -grow : 0), left = x->f->len - l3 - cut;
	__u8 head[ETH_HEADER + VLAN_TAG] = {};
	__u16 type = v6 ? TYPE_V6 : TYPE_V4;

	write_macs(head, r->dmac, r->smac);
	if (tag) {
		((be16_at *)(head + 12))->v = __builtin_bswap16(TYPE_8021Q);
		((be16_at *)(head + 14))->v = __builtin_bswap16(r->vlan);
	}
	((be16_at *)(head + 12 + tag))->v = __builtin_bswap16(type);
	memmove(x->f->bytes + to, x->f->bytes + l3 + cut, left);
	memcpy(x->f->bytes, head, ETH_HEADER + tag);
	x->f->len = to + left;
	x->j->p.l3 = (__u16)(ETH_HEADER + tag);
}

static void find_route(const struct pass *x, struct zdd_route *r)
{
	const struct zdd_packet *p = &x->j->p;

	if (x->egress)
		r->exit = EXIT_STACK;
	else if (x->j->out.action == ACT_TO_BACKEND)
		route_to_backend(&x->j->out, x->hook == HOOK_XDP, r);
	else if (route_by_way(&x->j->out, r))
		route_by_fib(0, p, r);
}

static enum ran_code too_big(struct pass *x)
{
	const struct zdd_packet *p = &x->j->p;
	struct zdd_route r = {};
	__u8 *data = x->f->bytes;

	if (!may_answer(data, data + x->f->len, p))
		return refuse(x, ZDD_V_TOO_BIG_UNTOLD);
	route_back(p, data, &r);
	x->f->len = p->l3 + quote_length(p);
	ethernet(x, &r, answer_size(p), p->v6);
	write_too_big(data + p->l3, p, x->j->mtu,
		      sum_quoted(data + p->l3 + answer_size(p), data + x->f->len, p->v6));
	x->j->out.verdict = ZDD_V_TOO_BIG;
	return RAN_SENT;
}

/* Of a flow whose backend sees an address of the node. */
static int other(struct pass *x)
{
	struct zdd_job *j = x->j;
	__u8 *data = x->f->bytes, *end = data + x->f->len;
	int partial = x->hook == HOOK_XDP && is_partial(data, end, &j->p);

	if (x->error)
		return write_error_addr(data, end, &j->p, &j->quote, &j->out.other_addr,
					j->out.action == ACT_TO_BACKEND);
	if (partial && is_generic(j->p.ifindex))
		partial = !is_whole_too(data, end, check_offset(&j->p), native_sum(x));
	return write_addr(data, end, &j->p, &j->out.other_addr, j->out.action == ACT_TO_BACKEND,
			  partial ? CSUM_PARTIAL : CSUM_WHOLE);
}

static enum ran_code send_on(struct pass *x)
{
	enum zdd_verdict fault = ZDD_VERDICT_COUNT;
	struct zdd_route r = {};

	find_route(x, &r);
	if (exceeds(&r, &x->j->p) && !(x->hook == HOOK_XDP && is_generic(x->j->p.ifindex)))
		fault = size_check(x->j, packet_length(&x->j->p), &r);
	if (fault != ZDD_VERDICT_COUNT) {
		x->j->out.verdict = fault;
		return fault == ZDD_V_TOO_BIG ? too_big(x) : RAN_DROPPED;
	}
	if (x->j->out.both && other(x))
		return refuse(x, ZDD_V_NO_ROOM);
	if (x->hook == HOOK_XDP)
		route_check(0, &x->j->p, &r);
	if (!x->egress && r.exit == EXIT_STACK && x->j->out.action == ACT_TO_CLIENT) {
		if (x->j->out.both)
			return refuse(x, ZDD_V_SNAT_NO_WAY);
		end_later(&x->j->p, &x->j->out);
		return RAN_PASSED;
	}
	if (r.exit == EXIT_LOST)
		return refuse(x, ZDD_V_NO_LINK);
	if (r.exit != EXIT_STACK && x->j->p.ttl <= 1)
		return refuse(x, ZDD_V_TTL);
	if (rewrite(x, r.exit != EXIT_STACK))
		return refuse(x, ZDD_V_NO_ROOM);
	if (r.exit == EXIT_STACK) {
		if (!x->egress)
			count_note(ZDD_N_VIA_STACK);
		return RAN_PASSED;
	}
	if (r.exit != EXIT_NEIGH)
		ethernet(x, &r, 0, x->j->p.v6);
	return RAN_SENT;
}

/* ---- modes dsr, ipip, gue ---- */

static int make_whole(struct pass *x)
{
	const struct zdd_packet *p = &x->j->p;
	__u8 *data = x->f->bytes, *end = data + x->f->len;

	if (x->hook != HOOK_XDP || !has_ports(p) || !is_partial(data, end, p))
		return 0;
	count_note(ZDD_N_CSUM_COMPLETED);
	return write_whole(data, end, check_offset(p), native_sum(x));
}

/* Where the neighbour is the kernel's to find, it writes the MAC addresses too. */
static int wrap(struct pass *x, const struct zdd_route *r, struct zdd_tunnel *t)
{
	const struct zdd_packet *p = &x->j->p;
	__u8 *data = x->f->bytes, *end = data + x->f->len, macs[12];
	__u16 inner = inner_check(data, end, p), check;
	int tos = tunnel_enter(data, end, p->l3, p->v6);

	if (tos < 0)
		return -1;
	t->tos = (__u8)tos;
	check = outer_check(data + p->l3, end, p, t, inner);
	memcpy(macs, data, sizeof(macs));
	ethernet(x, r, t->size, t->v6);
	if (r->exit == EXIT_NEIGH)
		memcpy(data, macs, sizeof(macs));
	write_outer(data + p->l3, t, p->v6, check);
	return 0;
}

static enum ran_code one_way(struct pass *x)
{
	struct zdd_route r = {};
	enum zdd_verdict fault;
	struct zdd_tunnel t;

	find_route(x, &r);
	if (x->hook == HOOK_XDP && !r.native)
		r.exit = EXIT_STACK;
	fault = one_way_check(x->j, &r, packet_length(&x->j->p), &t);
	if (fault == ZDD_V_TOO_BIG)
		return too_big(x);
	if (fault != ZDD_VERDICT_COUNT)
		return refuse(x, fault);
	if (make_whole(x) || (t.size && wrap(x, &r, &t)))
		return refuse(x, ZDD_V_NO_ROOM);
	if (!t.size && r.exit != EXIT_NEIGH)
		ethernet(x, &r, 0, x->j->p.v6);
	return RAN_SENT;
}

/* The frame becomes the segment, Ethernet header and tags as they were. */
static int make_segment(struct pass *x)
{
	const struct zdd_packet *p = &x->j->p;
	__u8 *data = x->f->bytes;

	x->f->len = p->l3 + segment_bytes(&x->j->segment);
	return write_segment(data + p->l3, data + x->f->len, &x->j->segment, CSUM_WHOLE);
}

static enum ran_code send_own(struct pass *x)
{
	struct zdd_out *o = &x->j->out;
	struct zdd_route r = {};

	route_own(&x->j->p, o, x->hook == HOOK_XDP, &r);
	if (x->hook == HOOK_XDP)
		route_check(0, &x->j->p, &r);
	if (r.exit == EXIT_LOST)
		return refuse(x, ZDD_V_NO_LINK);
	if (x->egress && (r.exit == EXIT_STACK || o->action == ACT_RESET))
		r.exit = EXIT_SELF;
	if (o->action == ACT_SYN && r.exit != EXIT_STACK && r.exit != EXIT_SELF)
		x->j->segment.ttl--;
	if (make_segment(x))
		return refuse(x, ZDD_V_NO_ROOM);
	if (r.exit == EXIT_STACK) {
		count_note(ZDD_N_VIA_STACK);
		return RAN_PASSED;
	}
	if (r.exit == EXIT_SELF) {
		route_by_link(&x->j->p, &r);
		memcpy(r.dmac, r.smac, 6);
	}
	if (r.exit != EXIT_NEIGH)
		ethernet(x, &r, 0, x->j->p.v6);
	return RAN_SENT;
}

/* A router's error about a tunnel's packet. */
static enum ran_code relay(struct pass *x)
{
	struct zdd_job *j = x->j;
	__u8 *data = x->f->bytes;
	struct zdd_route r = {};
	__s64 sum = sum_inside(data, data + x->f->len, j);

	if (route_by_way(&j->out, &r) || (x->hook == HOOK_XDP && !r.native))
		return refuse(x, ZDD_V_NO_LINK);
	if (sum < 0)
		return refuse(x, ZDD_V_NO_ROOM);
	ethernet(x, &r, (int)answer_size(&j->quote) - (int)before_inside(j), j->quote.v6);
	write_relayed(data + j->p.l3, j, (__u64)sum);
	return RAN_SENT;
}

static enum ran_code apply(struct pass *x)
{
	enum ran_code code = RAN_PASSED;

	if (x->j->out.action == ACT_DROP)
		code = RAN_DROPPED;
	else if (zdd_one_way(x->j->out.forward))
		code = one_way(x);
	else if (x->j->out.action == ACT_RELAY)
		code = relay(x);
	else if (x->j->out.action >= ACT_SYN)
		code = send_own(x);
	else if (x->j->out.action != ACT_PASS)
		code = send_on(x);
	count_verdict(x->j->out.verdict);
	return code;
}

static void look_whole(struct pass *x, enum zdd_parsed parsed)
{
	size_t at;

	lookup(0, parsed, x->j);
	at = payload_offset(&x->j->p);
	if (x->j->http && at + HTTP_HEAD <= x->f->len)
		count_http(x->j, x->f->bytes + at);
}

/* As the programs do it: one road for errors, one for the rest. */
static void look_at(struct pass *x)
{
	__u8 *data = x->f->bytes, *end = data + x->f->len;
	enum zdd_parsed parsed = parse_frame(data, end, &x->j->p);

	if (parsed == PARSED_L4 && is_syn(&x->j->p))
		read_syn(data, end, &x->j->p, &x->j->syn);
	x->error = parsed == PARSED_ERROR || parsed == PARSED_FRAGMENT;
	if (parsed == PARSED_FRAGMENT)
		lookup_fragment(x->j);
	else if (!x->error)
		look_whole(x, parsed);
	else if (read_quote(data, end, x->j))
		end_pass(&x->j->out, ZDD_V_NOT_L4);
	else
		lookup_error(x->j);
	if (x->error)
		settle(x->j);
}

static int native_run(struct engine *e, bool egress, const struct frame *in, struct ran *out)
{
	struct zdd_count_row before = counts_sum(&e->memory), after;
	struct zdd_job j = {};
	struct pass x = {egress ? HOOK_TC : e->hook, egress, false, &out->out, &j};

	native_use(&e->memory);
	native_fib = fib_answer;
	native_too_large = in->len > ETH_HEADER + OUT_MTU ? OUT_IFINDEX : 0;
	out->out = *in;
	job_start(&j);
	j.p.frame = in->len;
	j.p.ifindex = 1;
	j.p.egress = egress;
	look_at(&x);
	if (j.held) {
		__u32 len;
		struct zdd_held *h = held_frame(&j, &len);

		if (h) {
			memcpy(h->frame, in->bytes, len);
			h->len = len;
		}
	}
	if (j.early) {
		struct zdd_early *kept = &native_memory.early[j.early - 1];

		memcpy(kept->frame, in->bytes, in->len);
		early_kept(&j, kept, (__u32)in->len);
	}
	out->code = apply(&x);
	after = counts_sum(&e->memory);
	out->counts = counts_minus(&after, &before);
	return 0;
}

void native_engine(struct engine *e, const char *name, enum hook hook)
{
	*e = (struct engine){.name = name, .hook = hook, .run = native_run};
	e->memory.geometry = &engine_geometry;
#define M(map, type, count) e->memory.map = calloc((size_t)(count), sizeof(type));
	const struct zdd_geometry *g = &engine_geometry;
	ZDD_MEMORY(M)
#undef M
}
