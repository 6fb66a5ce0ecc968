/* SPDX-License-Identifier: GPL-2.0 */
/* Flows whose backend sees another source than the client's: another port, where the client's is
 * taken there (nat), or an address and port of this node (snat, and nat within one network). A
 * second record under what the backend sees, the alias, leads its answers to the client's own
 * record, which alone has the state. The alias lives a little longer than its flow and is the only
 * one of its source, port and backend: see docs/flows.md. */
#ifndef ZDD_ALIAS_H
#define ZDD_ALIAS_H

#include "choose.h"
#include "count.h"
#include "door.h"
#include "flood.h"
#include "room.h"

enum {
	PORT_TRIES = 32,   /* half at random, then one after the other */
	PORT_FIRST = 1024, /* when the plan names no range */
	PORTS_ALL = 64512,
	SOURCE_LISTED = 1 << 16,  /* one of the plan's list */
	SOURCE_UNKNOWN = 1 << 17, /* it takes one, and there is none */
};

/* ---- whose flow ---- */

/* For a client's packet; what follows asks for j->asker's flow, since a backend's packet can open an
 * alias too. */
ZDD_INLINE void asker_of(const struct zdd_packet *p, struct zdd_asker *a)
{
	a->client = p->src;
	a->port = p->sport;
	a->listener_port = p->dport;
	a->proto = p->proto;
	a->v6 = p->v6;
}

/* ---- which source ---- */

/* Both lie in the network of `bits` that the node itself is in: the backend would answer the client
 * past this node. */
ZDD_INLINE int same_network(const struct zdd_addr *a, const struct zdd_addr *b, __u32 bits)
{
	__u64 high = __builtin_bswap64(a->d[0] ^ b->d[0]);
	__u64 low = __builtin_bswap64(a->d[1] ^ b->d[1]);

	if (!(high | low))
		return 1;
	if (!bits || zdd_addr_is_v4(a) != zdd_addr_is_v4(b))
		return 0;
	if (zdd_addr_is_v4(b))
		bits += 96;
	if (bits <= 64)
		return !(high >> ((64 - bits) & 63));
	return !high && !(low >> ((128 - bits) & 63));
}

ZDD_INLINE __u32 snat_source(const struct zdd_job *j, const struct zdd_backend *b,
			     const struct zdd_hop *h)
{
	const struct zdd_snat *list = AT(snat, ZDD_WORD_SLOT(j->word));

	if (list && list->n[!zdd_addr_is_v4(&b->addr)])
		return SOURCE_LISTED;
	return h->source ? h->source : SOURCE_UNKNOWN;
}

/* What a new flow's backend must see: an index in `sources`, SOURCE_LISTED or SOURCE_UNKNOWN; 0:
 * the client. A backend on this host answers through it, whoever asks. */
ZDD_RARE __u32 source_for(const struct zdd_job *j, __u32 backend)
{
	const struct zdd_backend *b = AT(backends, backend);
	const struct zdd_hop *h = b ? AT(hops, b->hop) : 0;

	if (!j || !h || h->flags & ZDD_H_LOCAL)
		return 0;
	if (b->forward == ZDD_FORWARD_SNAT)
		return snat_source(j, b, h);
	if (b->forward == ZDD_FORWARD_NAT && same_network(&j->asker.client, &b->addr, h->prefix))
		return h->source;
	return 0;
}

/* ---- finding ---- */

/* Where new flows are, and those that last. */
ZDD_INLINE struct zdd_region region_new(const struct zdd_job *j)
{
	return j->asker.proto == PROTO_UDP ? region_udp() : region_half();
}

ZDD_INLINE struct zdd_region region_lasting(const struct zdd_job *j)
{
	return j->asker.proto == PROTO_UDP ? region_udp() : region_tcp();
}

/* Sets client, port and hash of the survey to the alias's. */
ZDD_INLINE int alias_name(struct zdd_job *j, __u32 backend, __u32 source, __u32 port)
{
	const struct zdd_addr *addr = AT(sources, source);
	struct zdd_survey *s = &j->survey;

	if (!addr)
		return -1;
	s->client = source ? *addr : j->asker.client;
	s->port = port;
	s->listener = ZDD_NONE;
	s->now = j->now;
	s->n_taken = 0;
	s->no_room = 0;
	s->hash = zdd_alias_hash(&s->client, s->port, j->asker.proto, j->seed,
				 source ? endpoint_of(backend) : 0);
	return 0;
}

/* The alias of the survey's name in a region. */
ZDD_INLINE int alias_in(struct zdd_region r, const struct zdd_job *j, __u32 backend,
			struct zdd_hit *hit)
{
	const struct zdd_backend *b = AT(backends, backend);
	const struct zdd_survey *s = &j->survey;
	struct zdd_key key;

	hit->flow = 0;
	if (!b)
		return 0;
	key = (struct zdd_key){.hash = s->hash,
			       .client = &s->client,
			       .peer = &b->addr,
			       .port = s->port,
			       .peer_port = b->port};
	flow_find(r, &key, hit);
	return hit->flow && ZDD_META_STATE(hit->meta) & ZDD_F_ALIAS;
}

/* It may have gone to another client meanwhile. */
ZDD_INLINE int is_behind(const struct zdd_job *j, const struct zdd_hit *hit)
{
	const struct zdd_flow *f = hit->flow;

	return f->other == j->asker.port &&
	       (!f->source || zdd_addr_eq(&f->behind, &j->asker.client));
}

ZDD_INLINE int alias_find(const struct zdd_job *j, __u32 backend, struct zdd_hit *hit)
{
	if (!alias_in(region_lasting(j), j, backend, hit) &&
	    !(j->asker.proto == PROTO_TCP && alias_in(region_half(), j, backend, hit)))
		return 0;
	return is_behind(j, hit);
}

/* ---- living and ending with its flow ---- */

/* A client's packet changed its record. */
ZDD_RARE int alias_touch(struct zdd_job *j, __u32 backend, __u32 source, __u32 port, __u32 bits)
{
	struct zdd_hit hit;

	if (!j)
		return 0;
	asker_of(&j->p, &j->asker);
	if (!alias_name(j, backend, source, port) && alias_find(j, backend, &hit))
		flow_touch(&hit, bits, j->now);
	return 0;
}

/* Its flow ends here, or gets another alias. Leaves what a survey found. */
ZDD_RARE int alias_end(struct zdd_job *j, __u32 backend, __u32 source, __u32 port)
{
	struct zdd_hit hit;

	if (!j || alias_name(j, backend, source, port))
		return 0;
	if (alias_find(j, backend, &hit))
		flow_free(&hit);
	return 0;
}

ZDD_INLINE void copy_flow(struct zdd_flow *to, const struct zdd_flow *from)
{
	ONCE(to->owner.word) = from->owner.word;
	to->client = from->client;
	to->port = from->port;
	to->other = from->other;
	to->generation = from->generation;
	to->source = from->source;
	to->isn = from->isn;
	to->client_seq = from->client_seq;
	to->server_seq = from->server_seq;
	__builtin_memcpy(to->mac, from->mac, 6);
	to->vlan = from->vlan;
	to->link = from->link;
	to->born = from->born;
}

/* A copy of a record that was reused meanwhile is none. */
ZDD_INLINE int copy_whole(struct zdd_flow *to, const struct zdd_hit *from)
{
	copy_flow(to, from->flow);
	ORDER(&to->meta);
	return ZDD_META_EPOCH(ONCE(from->flow->meta)) == ZDD_META_EPOCH(from->meta);
}

/* Moves an alias to the established flows, before its flow goes there. 0: no room. */
ZDD_RARE int alias_promote(struct zdd_job *j, __u32 backend, __u32 source, __u32 port)
{
	struct zdd_survey *s;
	struct zdd_hit half;
	struct zdd_flow *f;

	if (!j)
		return 1;
	asker_of(&j->p, &j->asker);
	if (alias_name(j, backend, source, port))
		return 1;
	s = &j->survey;
	if (!alias_in(region_half(), j, backend, &half) || !is_behind(j, &half))
		return 1; /* it was moved before its flow was */
	survey_region(region_tcp(), s);
	if (s->room.place == NO_PLACE)
		return 0;
	f = flow_claim(&s->room, ZDD_META_STATE(half.meta) & ~ZDD_F_HALF, j->now);
	if (!f)
		return 0;
	if (!copy_whole(f, &half)) {
		flow_abandon(s->room.place);
		return 1;
	}
	flow_publish(s->room.place, f, s->hash);
	flow_free(&half);
	pressure_less();
	return 1;
}

/* ---- opening ---- */

/* It was silent for too long; late: it ended some seconds ago will do. */
ZDD_INLINE __u64 alias_over(const struct zdd_job *j, const struct zdd_hit *hit, __u32 late)
{
	__u64 meta = flow_expired(hit->place, j->now);

	if (!meta && late && zdd_flow_ended(ZDD_META_STATE(hit->meta)) &&
	    (__s32)(j->now - ZDD_META_SEEN(hit->meta)) > (__s32)(2 * geometry.hz))
		return hit->meta;
	return meta;
}

/* Somebody has the port: frees it if that is over, and returns whether it did. Leaves what a survey found. */
ZDD_RARE int alias_reap(struct zdd_job *j, __u32 backend, __u32 late)
{
	struct zdd_hit hit;
	__u64 meta;

	if (!j)
		return 0;
	if (!alias_in(region_lasting(j), j, backend, &hit) &&
	    !(j->asker.proto == PROTO_TCP && alias_in(region_half(), j, backend, &hit)))
		return 0;
	meta = alias_over(j, &hit, late);
	if (!meta || !flow_seize(hit.flow, meta))
		return 0;
	flow_abandon(hit.place);
	return 1;
}

/* Under the lock of the alias's hash. NULL: somebody has this port there, or there is no room. The
 * half-open flows come first: an alias that is promoted meanwhile is met once or twice. */
ZDD_INLINE struct zdd_flow *alias_claim(struct zdd_job *j, __u32 backend)
{
	int tcp = j->asker.proto == PROTO_TCP;
	struct zdd_survey *s = &j->survey;
	struct zdd_room room;

	survey_region(region_new(j), s);
	room = s->room;
	if (tcp) {
		s->no_room = 1;
		survey_region(region_tcp(), s);
	}
	s->room = room;
	if (is_taken(s, backend) || room.place == NO_PLACE)
		return 0;
	return flow_claim(&room, ZDD_F_ALIAS | (tcp ? ZDD_F_HALF : 0), j->now);
}

ZDD_INLINE void alias_fill(const struct zdd_job *j, struct zdd_flow *f, __u32 backend, __u32 pool,
			   __u32 source)
{
	const struct zdd_backend *b = AT(backends, backend);
	union zdd_owner owner = {.backend = backend, .listener = j->listener, .pool = pool};

	owner.incarnation = b ? b->incarnation : 0;
	ONCE(f->owner.word) = owner.word;
	f->client = j->survey.client;
	f->port = j->survey.port;
	f->other = j->asker.port;
	f->generation = ZDD_WORD_GENERATION(j->word);
	f->source = source;
	f->behind = j->asker.client;
	f->link = 0;
	f->born = j->now >> 10;
}

/* A listener's own address and port would take the answers for a client's packets. */
ZDD_INLINE int is_listener(const struct zdd_job *j)
{
	const struct zdd_survey *s = &j->survey;
	const struct zdd_door *d =
		door_find(ZDD_WORD_SLOT(j->word), &s->client, s->port, j->asker.proto);

	return d && d->kind == ZDD_DOOR_LISTENER;
}

/* One of the plan's list, else the one that is given. */
ZDD_INLINE __u32 pick_source(const struct zdd_snat *list, __u32 source, __u32 v6, __u32 random)
{
	__u32 i = zdd_scale(random, list->n[v6 & 1]);

	return source == SOURCE_LISTED ? list->source[v6 & 1][i & (ZDD_SNAT_ADDRESSES - 1)]
				       : source;
}

/* Half of the tries are at random, the others, and all in a short range, one after the other. */
ZDD_INLINE int is_linear(const struct zdd_snat *list, __u32 source, __u32 i)
{
	return i >= PORT_TRIES / 2 || (source && list->n_ports && list->n_ports <= PORT_TRIES);
}

ZDD_INLINE __be16 pick_port(const struct zdd_snat *list, __u32 source, __u32 i, __u32 random)
{
	__u32 first = PORT_FIRST, n = PORTS_ALL, port;

	if (source && list->n_ports) {
		first = list->port;
		n = list->n_ports;
	}
	port = zdd_scale(random, n) + i;
	return __builtin_bswap16(first + (port < n ? port : port % n));
}

/* Sets the survey's name to what try i of PORT_TRIES is for; source is as by source_for. Returns
 * source << 16 | port, 0 when that cannot be. */
ZDD_RARE __u32 alias_pick(struct zdd_job *j, __u32 backend, __u32 source, __u32 i)
{
	const struct zdd_backend *b = AT(backends, backend);
	const struct zdd_snat *list;
	__u64 random;
	__be16 port;
	int linear;

	if (!j || !b)
		return 0;
	list = AT(snat, ZDD_WORD_SLOT(j->word));
	if (!list)
		return 0;
	linear = is_linear(list, source, i);
	random = zdd_mix64(j->hash + (linear ? 0 : i));
	source = pick_source(list, source, !zdd_addr_is_v4(&b->addr), random >> 32);
	port = pick_port(list, source, linear ? i : 0, random);
	if (alias_name(j, backend, source, port) || (source && is_listener(j)))
		return 0;
	return source << 16 | port;
}

ZDD_INLINE void note_alias(__u32 backend, __u32 source)
{
	const struct zdd_backend *b = AT(backends, backend);

	if (!source)
		count_note(ZDD_N_PORT_REWRITTEN);
	else if (b && b->forward == ZDD_FORWARD_NAT)
		count_note(ZDD_N_HAIRPIN);
}

/* Writes the alias of a new flow, unless its source and port is taken at the backend. seen is as by
 * alias_pick. */
ZDD_RARE __u32 alias_write(struct zdd_job *j, __u32 backend, __u32 pool, __u32 seen)
{
	struct zdd_flow *f;
	int lock;

	if (!j)
		return 0;
	/* The flow's own lock is held already. */
	lock = (j->survey.hash ^ j->hash) % ZDD_FLOW_LOCKS != 0;
	if (lock && !flow_lock(j->survey.hash))
		return 0;
	f = alias_claim(j, backend);
	if (f) {
		alias_fill(j, f, backend, pool, seen >> 16);
		flow_publish(j->survey.room.place, f, j->survey.hash);
		if (j->asker.proto == PROTO_TCP)
			pressure_more(); /* it too waits among the half-open ones */
		note_alias(backend, seen >> 16);
	}
	if (lock)
		flow_unlock(j->survey.hash);
	return f != 0;
}

/* What the backend shall see of a new flow: source << 16 | port, 0 when all that was tried is
 * taken. A port that is freed is tried again at once: no other flow may want it. */
ZDD_INLINE __u32 open_alias(struct zdd_job *j, __u32 backend, __u32 pool, __u32 source)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < PORT_TRIES; i++) {
		__u32 seen = alias_pick(j, backend, source, i);

		if (seen && alias_write(j, backend, pool, seen))
			return seen;
		if (seen && alias_reap(j, backend, i >= PORT_TRIES / 2) &&
		    alias_pick(j, backend, source, i) && alias_write(j, backend, pool, seen))
			return seen;
	}
	return 0;
}

#endif
