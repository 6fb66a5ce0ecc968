/* SPDX-License-Identifier: GPL-2.0 */
/* A client's packet on its way to a backend. */
#ifndef ZDD_FORWARD_H
#define ZDD_FORWARD_H

#include "adopt.h"
#include "ahead.h"
#include "hold.h"
#include "host.h"
#include "retry.h"

ZDD_INLINE struct zdd_view view_of(const struct zdd_hit *hit)
{
	struct zdd_view v = {};

	if (hit->flow) {
		v.found = 1;
		v.state = ZDD_META_STATE(hit->meta);
		v.isn = hit->flow->isn;
		v.server_seq = hit->flow->server_seq;
	}
	return v;
}

ZDD_INLINE struct zdd_view half_view_of(const struct zdd_hit *hit)
{
	const struct zdd_backend *b = hit->flow ? AT(backends, hit->owner.backend) : 0;
	struct zdd_view v = view_of(hit);

	v.one_way = b && zdd_one_way(b->forward);
	return v;
}

/* TCP without SYN or record: where it is remembered to belong, else by the table, unless the host
 * itself has this connection. */
ZDD_RARE int forward_stray(struct zdd_job *j, __u32 reset, __u32 of_host)
{
	if (!j || end_before(j))
		return 0;
	if (of_host)
		end_pass(&j->out, ZDD_V_HOST_SOCKET);
	else if (reset)
		end_drop(&j->out, prove_reset(j) ? ZDD_V_SYN_PROVEN : ZDD_V_STRAY_RST);
	else if (forward_remembered(j))
		return 0;
	else if (choose_new(j))
		end_drop(&j->out, ZDD_V_NO_BACKEND);
	else
		forward_stateless(j, ZDD_V_STRAY_FORWARDED);
	return 0;
}

/* known: a record of the tuple stands already. */
ZDD_INLINE void forward_new(struct zdd_job *j, __u32 known)
{
	if ((known || !forward_repeat(j)) && !hold_syn(j))
		open_flow(j, known);
}

ZDD_INLINE void forward_step(void *ctx, struct zdd_job *j, enum zdd_step step,
			     const struct zdd_hit *est, const struct zdd_hit *half, __u32 known)
{
	if (step == STEP_FLOW && est->flow)
		forward_flow(j, est, ZDD_V_FORWARDED);
	else if (step == STEP_OPEN)
		forward_new(j, known);
	else if (step == STEP_STRAY || step == STEP_STRAY_RST)
		forward_stray(j, step == STEP_STRAY_RST, host_socket(ctx, &j->p));
	else if (step == STEP_HALF && j->p.tcp_flags & TCP_SYN &&
		 retry_silent(j, half->place, ZDD_META_EPOCH(half->meta)))
		return;
	else if ((step != STEP_PROMOTE || !open_promote(j)) && half->flow)
		forward_flow(j, half, ZDD_V_FORWARDED);
}

/* est: as found by the first look. */
ZDD_INLINE void forward_tcp(void *ctx, struct zdd_job *j, const struct zdd_key *key,
			    struct zdd_hit *est)
{
	int unsure = !est->flow || ZDD_META_STATE(est->meta) & ZDD_F_CHALLENGED;
	struct zdd_view est_view, half_view;
	struct zdd_hit half = {};

	if (likely(!unsure && !(j->p.tcp_flags & TCP_SYN))) /* as decide_tcp has it */
		return forward_flow(j, est, ZDD_V_FORWARDED);
	est_view = view_of(est);
	if (unsure || j->p.tcp_flags & TCP_SYN)
		find_half(j, key, &half);
	if (unlikely(unsure && !half.flow && !(j->p.tcp_flags & TCP_SYN))) {
		find_promoted(j, key, est);
		est_view = view_of(est);
	}
	half_view = half_view_of(&half);
	forward_step(ctx, j, decide_tcp(&j->p, &est_view, &half_view), est, &half,
		     est_view.found | half_view.found);
}

/* A UDP flow leaves a backend that is gone (removed, down), and only then. */
ZDD_INLINE int must_move(const struct zdd_hit *hit)
{
	const struct zdd_backend *b = AT(backends, hit->owner.backend);

	return !b || b->flags & ZDD_B_GONE || b->incarnation != hit->owner.incarnation;
}

/* Ends a UDP flow that was silent for longer than its listener allows, whether the daemon has walked
 * over it or not. A packet that touches it meanwhile keeps it. */
ZDD_RARE int end_idle(__u32 place, __u32 epoch, __u32 now)
{
	struct zdd_flow *f = AT(flow_recs, place);
	__u64 meta = flow_expired(place, now);

	if (!f || !meta || ZDD_META_EPOCH(meta) != epoch || !flow_seize(f, meta))
		return 0;
	flow_abandon(place);
	return 1;
}

/* Flows of the last second are not asked about: no listener allows less. */
ZDD_INLINE int is_over(const struct zdd_hit *hit, __u32 now)
{
	return unlikely((__s32)(now - ZDD_META_SEEN(hit->meta)) > (__s32)geometry.hz) &&
	       end_idle(hit->place, ZDD_META_EPOCH(hit->meta), now);
}

ZDD_INLINE void forward_udp(struct zdd_job *j, struct zdd_hit *hit)
{
	if (hit->flow && is_over(hit, j->now)) {
		tell_unanswered(j, hit);
		hit->flow = 0;
	}
	if (hit->flow && !must_move(hit))
		return forward_flow(j, hit, ZDD_V_FORWARDED);
	if (hit->flow) {
		end_alias_of(j, hit);
		flow_free(hit);
		count_note(ZDD_N_UDP_MOVED);
	}
	open_flow(j, 0);
}

ZDD_INLINE void forward(void *ctx, struct zdd_job *j)
{
	struct zdd_key key = client_key(j);
	struct zdd_hit hit = {};

	if (unlikely(is_syn(&j->p)))
		fetch_ahead(j);
	flow_find(region_of(j->p.proto), &key, &hit);
	if (j->p.proto == PROTO_TCP)
		forward_tcp(ctx, j, &key, &hit);
	else
		forward_udp(j, &hit);
}

#endif
