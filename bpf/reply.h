/* SPDX-License-Identifier: GPL-2.0 */
/* A backend's packet on its way to the client. */
#ifndef ZDD_REPLY_H
#define ZDD_REPLY_H

#include "adopt.h"
#include "late.h"
#include "retry.h"

/* Returns the listener's flags. */
ZDD_INLINE __u32 end_client(struct zdd_job *j, enum zdd_verdict verdict, __u16 listener)
{
	const struct zdd_listener *l = AT(listeners, listener);
	struct zdd_out *o = &j->out;

	if (!l) {
		end_pass(o, ZDD_V_DIRECT);
		return 0;
	}
	o->action = ACT_TO_CLIENT;
	o->verdict = verdict;
	o->addr = l->addr;
	o->port = l->port;
	return l->flags;
}

ZDD_INLINE void tell_answered(struct zdd_job *j, const struct zdd_hit *hit)
{
	COUNT_SIGNAL(hit->owner.backend, answered);
	tell(j, hit, TELL_CONNECTED);
	tell_syn(j, hit->place, ZDD_META_EPOCH(hit->meta),
		 ZDD_TOLD(REFUSED, 0) | ZDD_TOLD(SYN_TIMEOUT, 0));
}

ZDD_INLINE __u16 tell_served(struct zdd_job *j, const struct zdd_hit *hit)
{
	COUNT_SIGNAL(hit->owner.backend, served);
	if (ZDD_META_STATE(hit->meta) & ZDD_F_ASKED)
		tell(j, hit, ZDD_TOLD(EMPTY, 0) | TELL_ANSWERED);
	return ZDD_F_SERVED;
}

/* What a connection on which its backend has sent no data yet tells about it; a refusal is tried
 * elsewhere after the lookup. Returns state bits. */
ZDD_INLINE __u16 tell_young(struct zdd_job *j, const struct zdd_hit *hit, __u16 bits)
{
	__u16 state = ZDD_META_STATE(hit->meta), backend = hit->owner.backend;

	if (bits & ZDD_F_SYNACK) {
		if (!(state & ZDD_F_SYNACK))
			tell_answered(j, hit);
	} else if (refuses_syn(&j->p, state, hit->flow->isn, hit->flow->client_seq)) {
		COUNT_SIGNAL(backend, refused);
		refused_at(j, hit);
		return ZDD_F_RST;
	} else if (bits & ZDD_F_RST) {
		if (resets_early(state))
			COUNT_SIGNAL(backend, reset_early);
	} else if (j->p.payload) {
		return tell_served(j, hit);
	}
	return 0;
}

ZDD_INLINE void tell_end(struct zdd_job *j, const struct zdd_hit *hit, __u16 bits)
{
	__u32 told = told_by_end(&j->p, ZDD_META_STATE(hit->meta), bits);

	if (told)
		tell(j, hit, told);
}

/* Nothing new. What XDP left to the host comes by once more on its way out. */
ZDD_INLINE void tell_again(struct zdd_job *j, const struct zdd_hit *hit)
{
	if (unlikely(j->p.payload) && j->p.egress != EGRESS_FORWARDED)
		tell(j, hit, TELL_AGAIN);
}

/* Data that was not there before. */
ZDD_INLINE void may_be_http(struct zdd_job *j, const struct zdd_hit *hit, __u32 expected)
{
	if (!j->p.payload || (__s32)(j->p.seq - expected) < 0)
		return;
	j->http = 1;
	tell(j, hit, 0);
}

ZDD_INLINE void reply_flow(struct zdd_job *j, const struct zdd_hit *hit)
{
	struct zdd_flow *f = hit->flow;
	__u16 state = ZDD_META_STATE(hit->meta), bits = 0;
	struct zdd_out *o = &j->out;
	__u32 expected = f->server_seq;

	if (unlikely(state & ZDD_F_CUT)) {
		end_cut(j, hit->place, hit->meta, 0);
		return;
	}
	if (j->p.proto == PROTO_TCP) {
		bits = tcp_events(&j->p, 0, f->server_seq);
		if (unlikely(!(state & ZDD_F_SERVED)))
			bits |= tell_young(j, hit, bits);
		if (unlikely(bits & (ZDD_F_FIN_S | ZDD_F_RST)))
			tell_end(j, hit, bits);
		if (bits & ZDD_F_SYNACK)
			f->server_seq = seq_after(&j->p);
		else if (!advance(&f->server_seq, seq_after(&j->p)))
			tell_again(j, hit);
		bits |= state & ZDD_F_HALF && !(bits & ZDD_F_SYNACK) ? ZDD_F_HEARD : 0;
	} else if (unlikely(!(state & ZDD_F_SERVED))) {
		tell(j, hit, ZDD_TOLD(UDP_SILENT, 0));
		bits = ZDD_F_SERVED;
	}
	flow_touch(hit, bits, j->now);
	count_reply(&j->p, hit->owner.backend, !!(bits & (ZDD_F_RST | ZDD_F_FIN_S) & ~state));
	if (unlikely(end_client(j, ZDD_V_REPLY, hit->owner.listener) & ZDD_L_HTTP))
		may_be_http(j, hit, expected);
	o->backend = hit->owner.backend;
	o->link = f->link;
	o->vlan = f->vlan;
	copy_mac(o->mac, f->mac);
}

/* SYN-ACKs belong to half-open flows first, everything else to established ones first, and once more:
 * another CPU may promote the flow between the looks. */
ZDD_INLINE struct zdd_region region_at(const struct zdd_packet *p, int look)
{
	int syn = !!(p->tcp_flags & TCP_SYN);

	if (p->proto == PROTO_UDP)
		return region_udp();
	return (look & 1) == syn ? region_tcp() : region_half();
}

ZDD_INLINE int looks_of(const struct zdd_packet *p)
{
	return p->proto == PROTO_UDP ? 1 : 3;
}

ZDD_INLINE void find_reply(struct zdd_job *j, const struct zdd_key *key, struct zdd_hit *hit)
{
	hit->flow = 0;
#pragma clang loop unroll(disable)
	for (int look = 0; look < looks_of(&j->p) && !hit->flow; look++)
		flow_seek(j, region_at(&j->p, look), key, hit);
}

/* The flow that this alias is of, and no later one of the same client's. */
ZDD_INLINE int is_alias_of(const struct zdd_job *j, const struct zdd_hit *own, __u64 owner,
			   __u32 source)
{
	return own->flow && own->owner.word == owner && own->flow->other == j->p.dport &&
	       own->flow->source == source;
}

/* The client's own record of an alias takes the answer: it counts the handshake and the end. The
 * client is out.other_addr and port. Returns 0 when there is none, else ZDD_F_ALIAS and the bits by
 * which both records end. */
ZDD_RARE int reply_own(struct zdd_job *j, __u64 owner, __u32 port, __u32 source)
{
	union zdd_owner o = {.word = owner};
	struct zdd_key key;
	struct zdd_hit hit;

	if (!j)
		return 0;
	key = (struct zdd_key){.client = &j->out.other_addr, .port = port, .listener = o.listener};
	key.hash = zdd_flow_hash(key.client, key.port, j->p.proto, j->seed);
	hit.flow = 0;
#pragma clang loop unroll(disable)
	for (int look = 0; look < looks_of(&j->p) && !is_alias_of(j, &hit, owner, source); look++)
		flow_seek(j, region_at(&j->p, look), &key, &hit);
	if (!is_alias_of(j, &hit, owner, source))
		return 0;
	reply_flow(j, &hit);
	j->out.other = port;
	j->out.both = source != 0;
	return ZDD_F_ALIAS |
	       (ZDD_META_STATE(ONCE(hit.flow->meta)) & (ZDD_F_FIN_C | ZDD_F_FIN_S | ZDD_F_RST));
}

ZDD_INLINE void reply_alias(struct zdd_job *j, const struct zdd_hit *hit)
{
	const struct zdd_flow *f = hit->flow;
	int bits;

	j->out.other_addr = f->source ? f->behind : j->p.dst;
	bits = reply_own(j, hit->owner.word, f->other, f->source);
	if (bits)
		flow_touch(hit, bits, j->now);
	else
		end_pass(&j->out, ZDD_V_DIRECT);
}

ZDD_INLINE void reply_found(struct zdd_job *j, const struct zdd_hit *hit)
{
	enum zdd_verdict shape = decide_shape(&j->p);

	if (shape != ZDD_VERDICT_COUNT)
		end_drop(&j->out, shape);
	else if (ZDD_META_STATE(hit->meta) & ZDD_F_ALIAS)
		reply_alias(j, hit);
	else
		reply_flow(j, hit);
}

/* Perhaps it goes to an address of this node that stands for a client. */
ZDD_RARE int reply_to_source(struct zdd_job *j)
{
	struct zdd_key key;
	enum zdd_verdict shape;
	struct zdd_hit hit;
	if (!j)
		return 0;
	shape = decide_shape(&j->p);
	key = (struct zdd_key){.client = &j->p.dst,
			       .port = j->p.dport,
			       .peer = &j->p.src,
			       .peer_port = j->p.sport};
	key.hash = zdd_alias_hash(key.client, key.port, j->p.proto, j->seed,
				  zdd_door_hash(key.peer, key.peer_port, 0));
	find_reply(j, &key, &hit);
	if (!hit.flow || !(ZDD_META_STATE(hit.meta) & ZDD_F_ALIAS))
		return 0;
	if (shape != ZDD_VERDICT_COUNT)
		end_drop(&j->out, shape);
	else
		reply_alias(j, &hit);
	return 1;
}

/* A TCP flow that is only remembered is with another backend. */
ZDD_INLINE int is_with_another(const struct zdd_job *j, const struct zdd_recall *r)
{
	const struct zdd_backend *b = AT(backends, r->backend);

	return j->p.proto == PROTO_TCP && b && !is_endpoint(b, &j->p.src, j->p.sport);
}

/* No record: a flow that is kept without state, or none. */
ZDD_INLINE void reply_unknown(struct zdd_job *j)
{
	enum zdd_verdict shape = decide_shape(&j->p);
	struct zdd_recall known;

	if (reply_to_source(j) || end_before(j))
		return;
	if (!memo_get(j, &known) || is_with_another(j, &known)) {
		if (j->p.proto != PROTO_TCP || !(j->p.tcp_flags & (TCP_SYN | TCP_RST)) ||
		    !reply_late(j))
			end_pass(&j->out, ZDD_V_DIRECT);
		return;
	}
	if (shape != ZDD_VERDICT_COUNT)
		return end_drop(&j->out, shape);
	j->listener = known.listener;
	memo_way_out(&known, &j->out);
	reply_remembered(j, &known);
	end_client(j, ZDD_V_REPLY_STATELESS, known.listener);
	j->out.backend = ZDD_NONE;
}

ZDD_INLINE void reply(struct zdd_job *j)
{
	struct zdd_key key = backend_key(j);
	struct zdd_hit hit;
	int tcp = j->p.proto == PROTO_TCP, syn = tcp && j->p.tcp_flags & TCP_SYN;

	hit.flow = 0;
	if (syn)
		find_half(j, &key, &hit);
	if (!hit.flow)
		flow_find(region_of(j->p.proto), &key, &hit);
	if (!hit.flow && tcp && !syn)
		find_half(j, &key, &hit);
	if (!hit.flow && tcp && !syn)
		find_promoted(j, &key, &hit);
	if (hit.flow)
		reply_found(j, &hit);
	else
		reply_unknown(j);
}

/* XDP cannot send it on: the host's stack routes it as the backend wrote it (with the listener's
 * address, which is this host's, it would be a martian), and the tc program on its way out takes it
 * for a reply once more. */
ZDD_INLINE void end_later(const struct zdd_packet *p, struct zdd_out *o)
{
	uncount_reply(p, o->backend);
	end_pass(o, ZDD_V_REPLY_LATER);
}

#endif
