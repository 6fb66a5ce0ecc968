/* SPDX-License-Identifier: GPL-2.0 */
/* Connections that were begun without a record (a flood, a held lock, a full table) get one once they
 * are known to be real: the client sent the ACK that the backend's SYN-ACK asked for, or the backend
 * sent data. Neither happens to a forged address. The record is for the backend that has the
 * connection, whatever the plan would choose by now. */
#ifndef ZDD_ADOPT_H
#define ZDD_ADOPT_H

#include "flood.h"
#include "open.h"

/* The packet is the client's, or its backend's with the client's way in j->out. */
ZDD_INLINE void fill_adopted(const struct zdd_job *j, struct zdd_flow *f, __u32 backend, int client)
{
	const struct zdd_packet *p = &j->p;
	const struct zdd_backend *b = AT(backends, backend);
	union zdd_owner owner = {.backend = backend, .listener = j->listener};

	owner.incarnation = b ? b->incarnation : 0;
	owner.pool = b ? b->pool : 0;
	ONCE(f->owner.word) = owner.word;
	f->client = client ? p->src : p->dst;
	f->port = client ? p->sport : p->dport;
	f->other = 0;
	f->generation = ZDD_WORD_GENERATION(j->word);
	f->source = 0;
	f->isn = (client ? p->seq : p->ack) - 1;
	f->client_seq = client ? seq_after(p) : p->ack;
	f->server_seq = client ? p->ack : seq_after(p);
	__builtin_memcpy(f->mac, client ? p->mac : j->out.mac, 6);
	f->vlan = client ? p->vlan : j->out.vlan;
	f->link = client ? link_of(p->ifindex) : j->out.link;
	f->born = j->now >> 10;
}

/* Under the lock. Not where the client's port belongs to another flow at this backend. */
ZDD_INLINE int adopt_locked(struct zdd_job *j, __u32 backend, __u32 client)
{
	struct zdd_survey *s = &j->survey;
	struct zdd_flow *f;

	s->no_room = 1;
	survey_region(region_half(), s);
	s->no_room = 0;
	if (s->same != NO_PLACE)
		return 0;
	survey_region(region_tcp(), s);
	if (s->same != NO_PLACE || is_taken(s, backend))
		return 0;
	if (s->room.place == NO_PLACE) {
		pressure_found_no_room(j->now);
		return 0;
	}
	f = flow_claim(&s->room, ZDD_F_SYNACK, j->now);
	if (!f)
		return 0;
	fill_adopted(j, f, backend, client);
	flow_publish(s->room.place, f, j->hash);
	return 1;
}

/* Returns 1 when the flow has a record now. j->listener is set; client: the packet is the client's,
 * else a backend's. */
ZDD_RARE int adopt(struct zdd_job *j, __u32 backend, __u32 client)
{
	const struct zdd_backend *b;
	struct zdd_survey *s;
	int done;

	if (!j || pressure_no_room(j->now))
		return 0;
	s = &j->survey;
	survey_start(j, s);
	if (!client) {
		s->client = j->p.dst;
		s->port = j->p.dport;
	}
	if (!flow_lock(j->hash))
		return 0;
	done = adopt_locked(j, backend, client);
	flow_unlock(j->hash);
	if (!done)
		return 0;
	b = AT(backends, backend);
	count_note(ZDD_N_FLOW_ADOPTED);
	count_adopted(b ? b->pool : 0, backend);
	return 1;
}

/* A client's packet without record, of a connection whose backend is remembered. Sets j->out and
 * returns 1, or 0: nothing is remembered. */
ZDD_INLINE int forward_remembered(struct zdd_job *j)
{
	enum zdd_verdict verdict = ZDD_V_STRAY_FORWARDED;
	const struct zdd_backend *b;
	struct zdd_recall r;

	if (!memo_get(j, &r) || r.listener != j->listener)
		return 0;
	b = AT(backends, r.backend);
	if (!b)
		return 0;
	if (r.ack && j->p.tcp_flags & TCP_ACK && seq_near(j->p.ack, r.ack) &&
	    adopt(j, r.backend, 1))
		verdict = ZDD_V_FORWARDED;
	else
		memo_put(j, link_of(j->p.ifindex), r.backend);
	count_forward(&j->p, b->pool, r.backend);
	end_backend(&j->out, verdict, b, 0);
	return 1;
}

/* A SYN again, of a connection without a record that its backend answered, or answers unseen: not a new
 * one, whatever the plan says by now. Before it is answered, the plan may choose once more: late.h has
 * what the one before says after that. Sets j->out and returns 1, or 0. */
ZDD_RARE int forward_repeat(struct zdd_job *j)
{
	const struct zdd_backend *b;
	struct zdd_recall r;

	if (!j || !pressure_remembers(j->now) || !memo_get(j, &r) || r.listener != j->listener ||
	    r.isn != j->p.seq)
		return 0;
	b = AT(backends, r.backend);
	if (!b || b->flags & ZDD_B_GONE || !(r.ack || zdd_one_way(b->forward)))
		return 0;
	memo_put(j, link_of(j->p.ifindex), r.backend);
	pressure_remember(j->now);
	count_forward(&j->p, b->pool, r.backend);
	end_backend(&j->out, ZDD_V_FORWARDED, b, 0);
	return 1;
}

/* A backend's answer to a flow that is only remembered. */
ZDD_INLINE void reply_remembered(struct zdd_job *j, const struct zdd_recall *r)
{
	const struct zdd_backend *b = AT(backends, r->backend);
	const struct zdd_packet *p = &j->p;

	if (p->proto != PROTO_TCP || !b || !is_endpoint(b, &p->src, p->sport))
		return;
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK))
		memo_seal(j, r->backend, p->seq + 1);
	else if (p->payload && (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK)
		adopt(j, r->backend, 0);
}

#endif
