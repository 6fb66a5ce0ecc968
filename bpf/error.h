/* SPDX-License-Identifier: GPL-2.0 */
/* ICMP errors belong to the flow of the packet that they quote (RFC 5508, 4.2). They change nothing
 * in it, as whoever can guess a flow's addresses can send one; but one that quotes the number of a SYN
 * refuses it. */
#ifndef ZDD_ERROR_H
#define ZDD_ERROR_H

#include "door.h"
#include "forward.h"
#include "relay.h"
#include "reply.h"

/* j->listener: of a quoted reply; ZDD_NONE: what is quoted went to a backend. */
ZDD_INLINE void quoted_key(struct zdd_job *j, struct zdd_key *key)
{
	const struct zdd_packet *q = &j->quote;
	int reply = j->listener != ZDD_NONE;

	key->client = reply ? &q->dst : &q->src;
	key->port = reply ? q->dport : q->sport;
	key->listener = j->listener;
	key->peer = reply ? 0 : &q->dst;
	OPAQUE(key->peer); /* see half_place */
	key->peer_port = q->dport;
	key->hash = zdd_flow_hash(key->client, key->port, q->proto, j->seed);
}

ZDD_INLINE void find_quoted(struct zdd_job *j, const struct zdd_key *key, struct zdd_hit *hit)
{
	if (j->quote.proto == PROTO_UDP)
		return flow_seek(j, region_udp(), key, hit);
	flow_seek(j, region_tcp(), key, hit);
	if (!hit->flow)
		flow_seek(j, region_half(), key, hit);
}

/* What is quoted went from an address of this node that stands for a client. */
ZDD_INLINE void find_source(struct zdd_job *j, struct zdd_key *key, struct zdd_hit *hit)
{
	const struct zdd_packet *q = &j->quote;

	*key = (struct zdd_key){
		.client = &q->src, .port = q->sport, .peer = &q->dst, .peer_port = q->dport};
	key->hash = zdd_alias_hash(&q->src, q->sport, q->proto, j->seed,
				   zdd_door_hash(&q->dst, q->dport, 0));
	find_quoted(j, key, hit);
	if (hit->flow && !(ZDD_META_STATE(hit->meta) & ZDD_F_ALIAS))
		hit->flow = 0;
}

/* About a reply: the router asks the VIP, its backend has to hear it; of a packet of its own, and
 * from the address that it takes for the client's, where that is one of this node. */
ZDD_INLINE void error_to_backend(struct zdd_job *j, const struct zdd_hit *hit)
{
	end_backend(&j->out, ZDD_V_ICMP_TO_BACKEND, AT(backends, hit->owner.backend),
		    hit->flow->other);
	if (hit->flow->source)
		end_source(&j->out, hit->flow->source);
}

/* About a client's packet, by its backend or a router before it. Whoever it is from, it comes from
 * the VIP now: an address behind the switch means nothing outside, and is filtered there. */
ZDD_INLINE void error_to_client(struct zdd_job *j, const struct zdd_hit *hit, __be16 port)
{
	const struct zdd_flow *f = hit->flow;
	struct zdd_out *o = &j->out;

	end_client(j, ZDD_V_ICMP_TO_CLIENT, hit->owner.listener);
	o->other = port;
	o->link = f->link;
	o->vlan = f->vlan;
	__builtin_memcpy(o->mac, f->mac, 6);
}

/* The SYN of this flow did not get to the backend that has it: tried elsewhere after the lookup, and
 * until then the client shall be told. */
ZDD_INLINE void note_unreachable(struct zdd_job *j, const struct zdd_hit *hit)
{
	const struct zdd_backend *b = AT(backends, hit->owner.backend);

	if (!is_unreachable(&j->p) || !b || !is_endpoint(b, &j->quote.dst, j->quote.dport) ||
	    !quotes_syn(&j->quote, ZDD_META_STATE(hit->meta), hit->flow->isn))
		return;
	COUNT_SIGNAL(hit->owner.backend, unreachable);
	refused_at(j, hit);
}

/* The client's own record of an alias knows the way to the client. Returns its port, 0 when hit is
 * no alias or there is no such record: hit->flow is NULL then. */
ZDD_INLINE __be16 find_own(struct zdd_job *j, struct zdd_key *key, struct zdd_hit *hit)
{
	const struct zdd_flow *f = hit->flow;
	__u32 source;

	if (!f || !(ZDD_META_STATE(hit->meta) & ZDD_F_ALIAS))
		return 0;
	source = f->source;
	j->out.other_addr = source ? f->behind : j->quote.src;
	*key = (struct zdd_key){
		.client = &j->out.other_addr, .port = f->other, .listener = hit->owner.listener};
	key->hash = zdd_flow_hash(key->client, key->port, j->quote.proto, j->seed);
	find_quoted(j, key, hit);
	if (!hit->flow || hit->flow->source != source || hit->flow->other != j->quote.sport)
		hit->flow = 0;
	j->out.both = source && hit->flow;
	return hit->flow ? key->port : 0;
}

/* A flow that is only remembered. Returns 1 when j->out is set. */
ZDD_RARE int error_remembered(struct zdd_job *j)
{
	struct zdd_recall known;
	const struct zdd_backend *b;

	if (!j || !memo_get(j, &known))
		return 0;
	b = AT(backends, known.backend);
	if (!b)
		return 0;
	if (j->listener != ZDD_NONE) {
		if (known.listener != j->listener)
			return 0;
		end_backend(&j->out, ZDD_V_ICMP_TO_BACKEND, b, 0);
		return 1;
	}
	if (!is_endpoint(b, &j->quote.dst, j->quote.dport))
		return 0;
	end_client(j, ZDD_V_ICMP_TO_CLIENT, known.listener);
	memo_way_out(&known, &j->out);
	return 1;
}

/* What an error is about, by the doors of the packet that it quotes. 0, or -1: nothing of ours. */
ZDD_INLINE int error_course(struct zdd_job *j)
{
	const struct zdd_packet *q = &j->quote;
	__u32 slot = ZDD_WORD_SLOT(j->word);
	const struct zdd_door *d;

	j->listener = ZDD_NONE;
	if (!zdd_addr_eq(&q->src, &j->p.dst))
		return -1; /* it goes to the sender of what it quotes */
	d = door_find(slot, &q->src, q->sport, q->proto);
	if (d && d->kind == ZDD_DOOR_LISTENER && !j->p.egress) {
		j->listener = d->listener;
		return 0;
	}
	d = door_find(slot, &q->dst, q->dport, q->proto);
	return d && d->kind == ZDD_DOOR_BACKEND ? 0 : -1;
}

/* In the modes without translation it goes to the backend as the packets do. */
ZDD_INLINE int is_translated(const struct zdd_out *o)
{
	return (o->action == ACT_TO_BACKEND || o->action == ACT_TO_CLIENT) &&
	       !zdd_one_way(o->forward);
}

/* A router says something about a tunnel's packet, which came from this node. The flow of the packet
 * inside knows whom it concerns, and whether it went into that tunnel. */
ZDD_RARE int look_inside(struct zdd_job *j)
{
	__u32 slot;
	const struct zdd_door *d;
	const struct zdd_packet *q;
	const struct zdd_backend *b;
	struct zdd_key key;
	struct zdd_hit hit;

	if (!j)
		return 0;
	slot = ZDD_WORD_SLOT(j->word);
	q = &j->quote;
	end_pass(&j->out, ZDD_V_NOT_L4);
	if (j->p.egress || !zdd_addr_eq(&j->inside.src, &j->p.dst) ||
	    !door_find(slot, &j->inside.dst, 0, 0))
		return 0;
	j->out.verdict = ZDD_V_TUNNEL_ERROR;
	d = q->proto ? door_find(slot, &q->dst, q->dport, q->proto) : 0;
	if (!d || d->kind != ZDD_DOOR_LISTENER)
		return 0;
	key = (struct zdd_key){.client = &q->src, .port = q->sport, .listener = d->listener};
	key.hash = zdd_flow_hash(key.client, key.port, q->proto, j->seed);
	find_quoted(j, &key, &hit);
	b = hit.flow ? AT(backends, hit.owner.backend) : 0;
	if (!b || !zdd_one_way(b->forward) || !zdd_addr_eq(&b->addr, &j->inside.dst)) {
		end_before(j);
		return 0;
	}
	if (tell_client(&j->inside, j->p.v6, q->v6))
		return 0;
	error_to_client(j, &hit, 0);
	j->out.action = ACT_RELAY;
	return 0;
}

/* j->quote is parsed. Sets j->out. */
ZDD_RARE int look_error(struct zdd_job *j)
{
	struct zdd_key key;
	struct zdd_hit hit;
	__be16 port;

	if (!j)
		return 0;
	if (error_course(j)) {
		end_pass(&j->out, ZDD_V_NOT_L4);
		return 0;
	}
	quoted_key(j, &key);
	j->hash = key.hash;
	find_quoted(j, &key, &hit);
	if (!hit.flow && j->listener == ZDD_NONE)
		find_source(j, &key, &hit);
	port = find_own(j, &key, &hit);
	if (hit.flow && j->listener == ZDD_NONE) {
		note_unreachable(j, &hit);
		error_to_client(j, &hit, port);
	} else if (hit.flow) {
		error_to_backend(j, &hit);
	} else if (!end_before(j) && !error_remembered(j)) {
		end_pass(&j->out, ZDD_V_NOT_L4);
	}
	return 0;
}

#endif
