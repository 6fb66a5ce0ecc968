/* SPDX-License-Identifier: GPL-2.0 */
/* Carrying out a decision in XDP: the frame is rewritten in place and redirected. */
#ifndef ZDD_APPLY_XDP_H
#define ZDD_APPLY_XDP_H

#include "quote.h"
#include "route.h"

/* Folded. By itself: the verifier walks each round of a loop over a packet. */
ZDD_RARE int xdp_sum_part(struct xdp_md *ctx, __u32 at, __u32 length)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;

	return csum_fold(sum_part(data + (at & 0x1fff), end, length));
}

/* Of the L4 segment, folded. */
ZDD_RARE int xdp_sum(struct xdp_md *ctx, __u32 l4, __u32 length)
{
	__u32 sum = 0, done = 0;

#pragma clang loop unroll(disable)
	for (int n = 0; n < SUM_PARTS && done < length; n++, done += SUM_PART)
		sum += xdp_sum_part(ctx, l4 + done,
				    length - done < SUM_PART ? length - done : SUM_PART);
	return csum_fold(sum);
}

ZDD_INLINE int xdp_complete(struct xdp_md *ctx, const struct zdd_packet *p)
{
	__u32 sum = xdp_sum(ctx, p->l4, p->segment);

	count_note(ZDD_N_CSUM_COMPLETED);
	return write_whole((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end, check_offset(p),
			   sum);
}

ZDD_INLINE int xdp_is_whole(struct xdp_md *ctx, const struct zdd_packet *p)
{
	__u32 sum = xdp_sum(ctx, p->l4, p->segment);

	return is_whole_too((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end, check_offset(p),
			    sum);
}

/* Of a flow whose backend sees an address of this node. quoted: see xdp_send. */
ZDD_RARE int xdp_other(struct xdp_md *ctx, struct zdd_job *j, __u32 quoted)
{
	int partial;

	if (!j)
		return -1;
	if (quoted)
		return write_error_addr((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end, &j->p,
					&j->quote, &j->out.other_addr,
					j->out.action == ACT_TO_BACKEND);
	partial = is_partial((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end, &j->p);
	if (partial && is_generic(j->p.ifindex))
		partial = !xdp_is_whole(ctx, &j->p);
	return write_addr((__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end, &j->p,
			  &j->out.other_addr, j->out.action == ACT_TO_BACKEND,
			  partial ? CSUM_PARTIAL : CSUM_WHOLE);
}

/* A frame of a local stack (veth) carries only the pseudo-header's sum: native XDP computes the
 * rest, as hardware would have. Generic XDP leaves it: the socket buffer still says that the rest is
 * to be added, and whoever adds it starts from the field.
 * quote: of an ICMP error, NULL: no such packet. */
ZDD_INLINE int xdp_rewrite(struct xdp_md *ctx, const struct zdd_packet *p,
			   const struct zdd_packet *quote, const struct zdd_out *o, int decrement)
{
	struct zdd_rewrite r = rewrite_of(o, decrement);
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	int partial, left;

	if (quote)
		return write_error(data, end, p, quote, &r);
	partial = is_partial(data, end, p);
	left = unlikely(partial) && is_generic(p->ifindex);
	if (left)
		partial = !xdp_is_whole(ctx, p);
	if (write_rewrite(data, end, p, &r, partial ? CSUM_PARTIAL : CSUM_WHOLE))
		return -1;
	return partial && !left ? xdp_complete(ctx, p) : 0;
}

/* Ethernet header for the next hop, with its tag or without, `grow` bytes before the packet, of
 * which it tells the type. The L3 bytes stay where they are. */
ZDD_INLINE int xdp_ethernet(struct xdp_md *ctx, const struct zdd_packet *p,
			    const struct zdd_route *r, int grow, int v6)
{
	int tag = r->vlan ? VLAN_TAG : 0, move = (int)p->tags - tag - grow;
	__u8 *data, *end;

	if (move && bpf_xdp_adjust_head(ctx, move))
		return -1;
	data = (__u8 *)(long)ctx->data;
	end = (__u8 *)(long)ctx->data_end;
	if (data + ETH_HEADER + VLAN_TAG > end)
		return -1;
	write_macs(data, r->dmac, r->smac);
	if (tag) {
		((be16_at *)(data + 12))->v = __builtin_bswap16(TYPE_8021Q);
		((be16_at *)(data + 14))->v = __builtin_bswap16(r->vlan);
	}
	((be16_at *)(data + 12 + tag))->v = __builtin_bswap16(v6 ? TYPE_V6 : TYPE_V4);
	return 0;
}

ZDD_INLINE int xdp_drop(struct zdd_out *o, enum zdd_verdict verdict)
{
	o->verdict = verdict;
	return XDP_DROP;
}

/* quoted: an ICMP error, or a later fragment. What is TOO_BIG is left to the caller. */
ZDD_INLINE int xdp_send(struct xdp_md *ctx, struct zdd_job *j, int quoted)
{
	const struct zdd_packet *p = &j->p;
	struct zdd_out *o = &j->out;
	enum zdd_verdict fault;
	struct zdd_route r = {};
	int lost = 0;

	if (o->action == ACT_TO_BACKEND)
		route_to_backend(o, 1, &r);
	else
		lost = route_by_way(o, &r);
	if (unlikely(exceeds(&r, p)) && !is_generic(p->ifindex)) {
		fault = size_check(j, packet_length(p), &r);
		if (fault != ZDD_VERDICT_COUNT)
			return xdp_drop(o, fault);
	}
	if (unlikely(o->both) && xdp_other(ctx, j, quoted))
		return xdp_drop(o, ZDD_V_NO_ROOM);
	if (unlikely(lost))
		route_by_fib(ctx, p, &r);
	route_check(ctx, p, &r);
	if (r.exit == EXIT_STACK && o->action == ACT_TO_CLIENT) {
		if (o->both) /* to the host's own address: its stack would take it */
			return xdp_drop(o, ZDD_V_SNAT_NO_WAY);
		end_later(p, o);
		return XDP_PASS;
	}
	if (r.exit == EXIT_LOST)
		return xdp_drop(o, ZDD_V_NO_LINK);
	if (r.exit != EXIT_STACK && p->ttl <= 1)
		return xdp_drop(o, ZDD_V_TTL);
	if (xdp_rewrite(ctx, p, quoted ? &j->quote : 0, o, r.exit != EXIT_STACK))
		return xdp_drop(o, ZDD_V_NO_ROOM);
	if (r.exit == EXIT_STACK) {
		count_note(ZDD_N_VIA_STACK);
		return XDP_PASS;
	}
	if (xdp_ethernet(ctx, p, &r, 0, p->v6))
		return xdp_drop(o, ZDD_V_NO_ROOM);
	return bpf_redirect(r.ifindex, 0);
}

/* oneway_xdp.h */
int xdp_relay(struct xdp_md *ctx, struct zdd_job *j);
int xdp_one_way(struct xdp_md *ctx, struct zdd_job *j);
int xdp_too_big(struct xdp_md *ctx, struct zdd_job *j);

enum { ETH_MOST = ETH_HEADER + VLAN_TAGS_MAX * VLAN_TAG };

/* The frame becomes j->segment. It grows at the front, because there is room; what was in front of
 * L3 stays so. */
ZDD_RARE int xdp_segment(struct xdp_md *ctx, const struct zdd_job *j)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	__u8 ethernet[ETH_MOST];

	if (!j || data + ETH_MOST > end)
		return -1;
	__builtin_memcpy(ethernet, data, ETH_MOST);
	if (bpf_xdp_adjust_head(ctx, (int)j->p.frame - (int)(j->p.l3 + segment_bytes(&j->segment))))
		return -1;
	data = (__u8 *)(long)ctx->data;
	end = (__u8 *)(long)ctx->data_end;
	if (data + ETH_MOST > end)
		return -1;
	__builtin_memcpy(data, ethernet, ETH_MOST);
	return write_segment(data + bounded(j->p.l3), end, &j->segment, CSUM_WHOLE);
}

ZDD_RARE int xdp_send_own(struct xdp_md *ctx, struct zdd_job *j)
{
	struct zdd_route r = {};
	struct zdd_out *o;

	if (!j)
		return XDP_DROP;
	o = &j->out;
	route_own(&j->p, o, 1, &r);
	route_check(ctx, &j->p, &r);
	if (r.exit == EXIT_LOST)
		return xdp_drop(o, ZDD_V_NO_LINK);
	if (o->action == ACT_SYN && r.exit != EXIT_STACK)
		j->segment.ttl--;
	if (xdp_segment(ctx, j))
		return xdp_drop(o, ZDD_V_NO_ROOM);
	if (r.exit == EXIT_STACK) {
		count_note(ZDD_N_VIA_STACK);
		return XDP_PASS;
	}
	if (xdp_ethernet(ctx, &j->p, &r, 0, j->p.v6))
		return xdp_drop(o, ZDD_V_NO_ROOM);
	return bpf_redirect(r.ifindex, 0);
}

ZDD_INLINE int xdp_apply(struct xdp_md *ctx, struct zdd_job *j)
{
	struct zdd_out *o = &j->out;
	int code = XDP_PASS;

	if (o->action == ACT_DROP)
		code = XDP_DROP;
	else if (unlikely(zdd_one_way(o->forward)))
		code = xdp_one_way(ctx, j);
	else if (unlikely(o->action == ACT_RELAY))
		code = xdp_relay(ctx, j);
	else if (unlikely(o->action >= ACT_SYN))
		code = xdp_send_own(ctx, j);
	else if (o->action != ACT_PASS)
		code = xdp_send(ctx, j, 0);
	if (unlikely(o->verdict == ZDD_V_TOO_BIG))
		code = xdp_too_big(ctx, j);
	count_verdict(o->verdict);
	return code;
}

/* What an ICMP error quotes. By itself, for the stack's sake. Returns 0 when it is nothing of ours. */
ZDD_RARE int xdp_quote(struct xdp_md *ctx, struct zdd_job *j)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;

	return j && !read_quote(data, end, j);
}

/* An ICMP error, or a later fragment. Sets j->out. */
ZDD_RARE int xdp_look(struct xdp_md *ctx, struct zdd_job *j, __u32 fragment)
{
	if (!j)
		return 0;
	if (fragment)
		lookup_fragment(j);
	else if (xdp_quote(ctx, j))
		lookup_error(j);
	else
		end_pass(&j->out, ZDD_V_NOT_L4);
	return 0;
}

/* The same, when is_translated. */
ZDD_RARE int xdp_send_quoted(struct xdp_md *ctx, struct zdd_job *j)
{
	int code;

	if (!j)
		return XDP_DROP;
	code = xdp_send(ctx, j, 1);
	if (j->out.verdict == ZDD_V_TOO_BIG)
		code = xdp_too_big(ctx, j);
	count_verdict(j->out.verdict);
	return code;
}

#endif
