/* SPDX-License-Identifier: GPL-2.0 */
/* Modes dsr, ipip and gue in XDP. Beside the hot path: global functions, verified by themselves. */
#ifndef ZDD_ONEWAY_XDP_H
#define ZDD_ONEWAY_XDP_H

#include "apply_xdp.h"
#include "oneway.h"

/* Tells the client that its packet is TOO_BIG, with the packet itself. */
ZDD_RARE int xdp_too_big(struct xdp_md *ctx, struct zdd_job *j)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	struct zdd_route r = {};
	__u32 at, quote;

	if (!j)
		return XDP_DROP;
	if (!may_answer(data, end, &j->p) || data + ETH_HEADER > end)
		return xdp_drop(&j->out, ZDD_V_TOO_BIG_UNTOLD);
	route_back(&j->p, data, &r);
	quote = quote_length(&j->p);
	if (bpf_xdp_adjust_tail(ctx, (int)(j->p.l3 + quote) - (int)(end - data)) ||
	    xdp_ethernet(ctx, &j->p, &r, answer_size(&j->p), j->p.v6))
		return xdp_drop(&j->out, ZDD_V_NO_ROOM);
	data = (__u8 *)(long)ctx->data;
	end = (__u8 *)(long)ctx->data_end;
	at = ETH_HEADER + (r.vlan ? VLAN_TAG : 0);
	if (data + at + TUNNEL_MAX > end)
		return xdp_drop(&j->out, ZDD_V_NO_ROOM);
	write_too_big(data + at, &j->p, j->mtu,
		      sum_quoted(data + at + answer_size(&j->p), end, j->p.v6));
	return bpf_redirect(r.ifindex, 0);
}

/* A router's error about a tunnel's packet becomes one about the client's. */
ZDD_RARE int xdp_relay(struct xdp_md *ctx, struct zdd_job *j)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	struct zdd_route r = {};
	__s64 sum;
	__u32 at;

	if (!j)
		return XDP_DROP;
	sum = sum_inside(data, end, j);
	if (route_by_way(&j->out, &r) || !r.native)
		return xdp_drop(&j->out, ZDD_V_NO_LINK);
	if (sum < 0 ||
	    xdp_ethernet(ctx, &j->p, &r, (int)answer_size(&j->quote) - (int)before_inside(j),
			 j->quote.v6))
		return xdp_drop(&j->out, ZDD_V_NO_ROOM);
	data = (__u8 *)(long)ctx->data;
	end = (__u8 *)(long)ctx->data_end;
	at = ETH_HEADER + (r.vlan ? VLAN_TAG : 0);
	if (data + at + TUNNEL_MAX > end)
		return xdp_drop(&j->out, ZDD_V_NO_ROOM);
	write_relayed(data + at, j, sum);
	return bpf_redirect(r.ifindex, 0);
}

ZDD_INLINE int xdp_wrap(struct xdp_md *ctx, const struct zdd_packet *p, struct zdd_tunnel *t,
			const struct zdd_route *r)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	__u32 at = ETH_HEADER + (r->vlan ? VLAN_TAG : 0);
	int tos = tunnel_enter(data, end, p->l3, p->v6);
	__u16 inner = inner_check(data, end, p), check;
	__u8 *h = data + bounded(p->l3);

	if (tos < 0)
		return -1;
	t->tos = tos;
	check = outer_check(h, end, p, t, inner);
	if (xdp_ethernet(ctx, p, r, t->size, t->v6))
		return -1;
	data = (__u8 *)(long)ctx->data;
	end = (__u8 *)(long)ctx->data_end;
	if (data + at + TUNNEL_MAX > end)
		return -1;
	write_outer(data + at, t, p->v6, check);
	return 0;
}

ZDD_INLINE int xdp_make_whole(struct xdp_md *ctx, const struct zdd_packet *p)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;

	if (!has_ports(p) || !is_partial(data, end, p))
		return 0;
	return xdp_complete(ctx, p);
}

/* What is TOO_BIG is left to the caller, for the stack's sake. */
ZDD_RARE int xdp_one_way(struct xdp_md *ctx, struct zdd_job *j)
{
	struct zdd_route r = {};
	enum zdd_verdict fault;
	struct zdd_tunnel t;

	if (!j)
		return XDP_DROP;
	route_to_backend(&j->out, 1, &r);
	if (!r.native)
		r.exit = EXIT_STACK;
	fault = one_way_check(j, &r, packet_length(&j->p), &t);
	if (fault != ZDD_VERDICT_COUNT)
		return xdp_drop(&j->out, fault);
	if (xdp_make_whole(ctx, &j->p))
		return xdp_drop(&j->out, ZDD_V_NO_ROOM);
	if (t.size ? xdp_wrap(ctx, &j->p, &t, &r) : xdp_ethernet(ctx, &j->p, &r, 0, j->p.v6))
		return xdp_drop(&j->out, ZDD_V_NO_ROOM);
	return bpf_redirect(r.ifindex, 0);
}

#endif
