/* SPDX-License-Identifier: GPL-2.0 */
/* New flows: choosing a backend at which the client's port is free, writing the record, and moving
 * it to the established ones when the handshake is complete. */
#ifndef ZDD_OPEN_H
#define ZDD_OPEN_H

#include "alias.h"
#include "choose.h"
#include "decide.h"
#include "flood.h"
#include "tell.h"
#include "memo.h"
#include "prove.h"
#include "syn.h"

ZDD_INLINE __u16 link_of(__u32 ifindex)
{
	__u32 slot = zdd_link_slot(ifindex);

	for (__u32 i = 0; i < 2; i++) {
		const struct zdd_link *l = AT(links, slot + i);

		if (l && l->ifindex == ifindex)
			return slot + i;
	}
	return ZDD_NONE;
}

ZDD_INLINE int same_mac(const __u8 *a, const __u8 *b)
{
	return !((*(const __u16 *)a ^ *(const __u16 *)b) |
		 (*(const __u16 *)(a + 2) ^ *(const __u16 *)(b + 2)) |
		 (*(const __u16 *)(a + 4) ^ *(const __u16 *)(b + 4)));
}

ZDD_INLINE void learn_way(struct zdd_flow *f, const struct zdd_packet *p)
{
	const struct zdd_link *l = AT(links, f->link);

	if (l && l->ifindex == p->ifindex && f->vlan == p->vlan && same_mac(f->mac, p->mac))
		return;
	f->link = link_of(p->ifindex);
	f->vlan = p->vlan;
	copy_mac(f->mac, p->mac);
}

/* ---- a flow's packet ---- */

/* Returns 0 when there is nothing new. */
ZDD_INLINE int advance(__u32 *known, __u32 next)
{
	if ((__s32)(next - *known) <= 0)
		return 0;
	*known = next;
	return 1;
}

/* Only the client is heard. What it acknowledges is what the backend sends next; its FIN is taken
 * for the end, since the other one's cannot be told from data. */
ZDD_INLINE __u16 one_way_events(const struct zdd_packet *p, const struct zdd_hit *hit, __u16 bits)
{
	if (p->tcp_flags & TCP_ACK)
		advance(&hit->flow->server_seq, p->ack);
	if (bits & ZDD_F_FIN_C)
		bits |= ZDD_F_FIN_S;
	if (bits & (ZDD_F_RST | ZDD_F_FIN_S) & ~ZDD_META_STATE(hit->meta))
		count_closed(hit->owner.backend);
	return bits;
}

/* The backend sees an address of this node. */
ZDD_INLINE void end_source(struct zdd_out *o, __u16 source)
{
	const struct zdd_addr *addr = AT(sources, source);

	if (!addr)
		return;
	o->other_addr = *addr;
	o->both = 1;
}

ZDD_INLINE void forward_flow(struct zdd_job *j, const struct zdd_hit *hit, enum zdd_verdict verdict)
{
	const struct zdd_backend *b = AT(backends, hit->owner.backend);
	struct zdd_flow *f = hit->flow;
	__u16 bits = 0;

	if (unlikely(ZDD_META_STATE(hit->meta) & ZDD_F_CUT)) {
		end_cut(j, hit->place, hit->meta, 1);
		return;
	}
	if (j->p.proto == PROTO_TCP) {
		bits = tcp_events(&j->p, 1, f->client_seq);
		advance(&f->client_seq, seq_after(&j->p));
		if (b && zdd_one_way(b->forward))
			bits = one_way_events(&j->p, hit, bits);
		else if (unlikely(tells_more(&j->p, hit, bits)))
			bits = tell_asked(j, hit, bits);
	}
	if (flow_touch(hit, bits, j->now) && f->other)
		alias_touch(j, hit->owner.backend, f->source, f->other, bits);
	learn_way(f, &j->p);
	count_forward(&j->p, hit->owner.pool, hit->owner.backend);
	end_backend(&j->out, verdict, b, f->other);
	if (f->source)
		end_source(&j->out, f->source);
}

/* The flow of a place that was just looked at or written. By itself, for the stack's sake. */
ZDD_RARE int forward_place(struct zdd_job *j, __u32 place, __u32 verdict)
{
	struct zdd_hit hit = {.flow = AT(flow_recs, place), .place = place};

	if (!j || !hit.flow)
		return 0;
	hit.meta = ONCE(hit.flow->meta);
	hit.owner.word = ONCE(hit.flow->owner.word);
	forward_flow(j, &hit, verdict);
	return 0;
}

ZDD_INLINE void survey_start(const struct zdd_job *j, struct zdd_survey *s)
{
	s->hash = j->hash;
	s->client = j->p.src;
	s->port = j->p.sport;
	s->listener = j->listener;
	s->now = j->now;
	s->n_taken = 0;
	s->no_room = 0;
}

/* ---- choosing ---- */

ZDD_INLINE int choose_for(const struct zdd_job *j, struct zdd_asker *a, struct zdd_choice *c)
{
	__u32 slot = ZDD_WORD_SLOT(j->word);
	const struct zdd_service *s;

	asker_of(&j->p, a);
	if (j->service == ZDD_NONE)
		return -1;
	s = AT(services, slot * geometry.services + j->service);
	return s ? choose(slot, s, a, c) : -1;
}

/* Into j->choice. By itself, for the stack's sake. */
ZDD_RARE int choose_new(struct zdd_job *j)
{
	return j ? choose_for(j, &j->asker, &j->choice) : -1;
}

/* Forwards by the table and keeps no flow, only enough for the replies; what needs another source
 * cannot go that way. */
ZDD_RARE int forward_stateless(struct zdd_job *j, __u32 verdict)
{
	__u16 backend;

	if (!j)
		return 0;
	backend = chosen_backend(&j->choice);
	if (source_for(j, backend)) {
		end_drop(&j->out,
			 verdict == ZDD_V_STRAY_FORWARDED ? ZDD_V_SNAT_STRAY : ZDD_V_SNAT_NO_ROOM);
		return 0;
	}
	memo_put(j, link_of(j->p.ifindex), backend);
	if (is_syn(&j->p))
		pressure_remember(j->now);
	count_forward(&j->p, j->choice.id, backend);
	end_backend(&j->out, verdict, AT(backends, backend), 0);
	return 0;
}

/* The chosen backend, or the next in table order at which the client's port is free.
 * ZDD_NONE: taken at all that were tried. */
ZDD_RARE __u32 pick_backend(struct zdd_choice *c, const struct zdd_survey *s)
{
	__u16 backend;

	if (!c || !s)
		return ZDD_NONE;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 8; i++) {
		backend = chosen_backend(c);
		if (!is_taken(s, backend))
			return backend;
		choose_next(c);
	}
	return ZDD_NONE;
}

ZDD_INLINE void fill_flow(const struct zdd_job *j, struct zdd_flow *f, __u16 backend, __u16 pool)
{
	const struct zdd_backend *b = AT(backends, backend);
	union zdd_owner owner = {.backend = backend, .listener = j->listener, .pool = pool};

	owner.incarnation = b ? b->incarnation : 0;
	ONCE(f->owner.word) = owner.word;
	f->client = j->p.src;
	f->port = j->p.sport;
	f->other = 0;
	f->generation = ZDD_WORD_GENERATION(j->word);
	f->source = 0;
	f->isn = j->p.seq;
	f->client_seq = seq_after(&j->p);
	f->server_seq = 0;
	copy_mac(f->mac, j->p.mac);
	f->vlan = j->p.vlan;
	f->link = link_of(j->p.ifindex);
	f->born = j->now >> 10;
}

/* A SYN on a tuple that has an established record: from now on the half-open table is asked too. */
ZDD_INLINE void challenge(const struct zdd_key *key, __u32 place)
{
	struct zdd_hit hit;

	if (place != NO_PLACE && flow_read(place, key, &hit))
		flow_touch(&hit, ZDD_F_CHALLENGED, ZDD_META_SEEN(hit.meta));
}

ZDD_INLINE void end_alias_of(struct zdd_job *j, const struct zdd_hit *hit)
{
	if (!hit->flow->other)
		return;
	asker_of(&j->p, &j->asker);
	alias_end(j, hit->owner.backend, hit->flow->source, hit->flow->other);
}

/* Where the record may stand, and what it must avoid. Sets place when the client's own record is
 * there already, by another CPU's quicker hand. */
ZDD_INLINE enum zdd_verdict open_survey(struct zdd_job *j, const struct zdd_key *key, __u32 *place)
{
	struct zdd_survey *s = &j->survey;
	struct zdd_hit hit;
	int udp = j->p.proto == PROTO_UDP;

	survey_start(j, s);
	if (!udp) {
		s->no_room = 1;
		survey_region(region_tcp(), s);
		s->no_room = 0;
		challenge(key, s->same);
	}
	survey_region(udp ? region_udp() : region_half(), s);
	if (s->same != NO_PLACE && flow_read(s->same, key, &hit)) {
		*place = hit.place;
		if (udp || hit.flow->isn == j->p.seq)
			return ZDD_V_FORWARDED;
		s->room = room_of(&hit);
		end_alias_of(j, &hit);
	}
	return s->room.place == NO_PLACE ? ZDD_V_TABLE_FULL : ZDD_V_NEW;
}

/* Takes an ejected backend's trial (user/core/passive.h), by a SYN that could be made again and sent to
 * another. ZDD_NONE: there is none. */
ZDD_INLINE __u32 choose_trial(const struct zdd_job *j, const struct zdd_choice *c)
{
	__u32 backend = c->trial - 1;
	struct zdd_backend *b;

	if (likely(!c->trial) || j->p.proto != PROTO_TCP ||
	    (j->syn.kept & (ZDD_SYN_WHOLE | ZDD_SYN_DATA)) != ZDD_SYN_WHOLE)
		return ZDD_NONE;
	b = AT(backends, backend);
	if (!b || !ONCE(b->may_try) || is_taken(&j->survey, backend) ||
	    __sync_val_compare_and_swap(&b->may_try, 1, 0) != 1)
		return ZDD_NONE;
	return backend;
}

/* The backend, and what it shall see as in source_for. ZDD_NONE: the client's port is taken at all
 * that were tried. */
ZDD_INLINE __u32 open_choose(struct zdd_job *j, struct zdd_choice *c, __u32 *source)
{
	__u32 backend = choose_trial(j, c);

	if (backend == ZDD_NONE)
		backend = chosen_backend(c);
	*source = source_for(j, backend);
	if (*source || !j->survey.n_taken)
		return backend;
	backend = pick_backend(c, &j->survey);
	*source = source_for(j, backend);
	return backend;
}

/* What the backend sees, as by open_alias; 0: the client itself. A verdict of DROP when there is no
 * such thing, else NEW. */
ZDD_INLINE enum zdd_verdict open_source(struct zdd_job *j, struct zdd_choice *c, __u32 *backend,
					__u32 source, __u32 *seen)
{
	int taken = *backend == ZDD_NONE;

	*seen = 0;
	if (!taken && !source)
		return ZDD_V_NEW;
	if (taken)
		*backend = chosen_backend(c);
	*seen = open_alias(j, *backend, c->id, source);
	if (!*seen)
		return taken ? ZDD_V_REVERSE_TAKEN : ZDD_V_SNAT_EXHAUSTED;
	return ZDD_V_NEW;
}

/* Under the lock: picks a backend, writes the record. Sets place for NEW and FORWARDED; other
 * verdicts say how the packet goes without a record. FLOW_BUSY: another CPU's flow of the same bucket
 * took the room that was found. */
ZDD_RARE __u32 open_locked(struct zdd_job *j, __u32 *place)
{
	int fresh, reclaims;
	__u32 verdict, source, seen, backend;
	struct zdd_choice *c;
	struct zdd_room room;
	struct zdd_flow *f;
	struct zdd_key key;

	if (!j || !place)
		return ZDD_V_FLOW_BUSY;
	key = client_key(j);
	verdict = open_survey(j, &key, place);
	if (verdict != ZDD_V_NEW)
		return verdict;
	c = &j->choice;
	room = j->survey.room;
	fresh = j->survey.same == NO_PLACE;
	reclaims = room.occupied && fresh;
	backend = open_choose(j, c, &source);
	if (source == SOURCE_UNKNOWN)
		return ZDD_V_SNAT_NO_SOURCE;
	/* Before the alias, which must not take this place. */
	f = flow_claim(&room, j->p.proto == PROTO_UDP ? ZDD_F_UDP : ZDD_F_HALF, j->now);
	if (!f)
		return ZDD_V_FLOW_BUSY;
	verdict = open_source(j, c, &backend, source, &seen);
	if (verdict != ZDD_V_NEW) {
		flow_abandon(room.place);
		return verdict;
	}
	fill_flow(j, f, backend, c->id);
	f->other = seen;
	f->source = seen >> 16;
	if (j->p.proto == PROTO_TCP)
		keep_syn(j, room.place, f);
	*place = room.place;
	flow_publish(room.place, f, key.hash);
	if (reclaims)
		count_note(ZDD_N_FLOW_RECLAIMED);
	if (j->p.proto == PROTO_TCP && fresh)
		pressure_more();
	count_new(j, c->id, backend);
	j->new_pool = c->id;
	j->told |= c->ruled ? 0 : TELL_NEW;
	if (j->p.proto == PROTO_TCP)
		tell_sent(j, room.place);
	return ZDD_V_NEW;
}

/* A SYN gets no record, but one of its tuple stands, by which the ACK to come would go. One that is
 * over makes way. Else the SYN goes there as well, where it is answered as one out of place (RFC 5961 4).
 * Returns its place, or NO_PLACE. */
ZDD_RARE __u32 known_place(struct zdd_job *j)
{
	struct zdd_key key;
	struct zdd_hit hit;

	if (!j)
		return NO_PLACE;
	key = client_key(j);
	flow_seek(j, region_half(), &key, &hit);
	if (!hit.flow)
		flow_seek(j, region_tcp(), &key, &hit);
	if (!hit.flow)
		return NO_PLACE;
	if (!zdd_flow_ended(ZDD_META_STATE(hit.meta)) ||
	    ZDD_META_STATE(hit.meta) & (ZDD_F_CUT | ZDD_F_HALF))
		return hit.place;
	end_alias_of(j, &hit);
	flow_free(&hit);
	return NO_PLACE;
}

/* A new flow: SYN, or the first datagram of a 5-tuple. known: a record of the tuple stands already,
 * which only another record can take over from. Sets j->out. */
ZDD_RARE int open_flow(struct zdd_job *j, __u32 known)
{
	enum zdd_verdict verdict = ZDD_V_FLOW_BUSY;
	__u32 place = NO_PLACE;
	struct zdd_choice *c;
	struct zdd_key key;
	int flood;

	if (!j)
		return 0;
	c = &j->choice;
	key = client_key(j);
	if (choose_new(j)) {
		end_drop(&j->out, ZDD_V_NO_BACKEND);
		return 0;
	}
	flood = j->p.proto == PROTO_TCP && !known && pressure_high(j->now);
	if (flood && prove_syn(j))
		return 0;
	/* What needs another source needs its record, as long as there is room. */
	if (flood && !source_for(j, chosen_backend(c))) {
		verdict = pressure_no_room(j->now) ? ZDD_V_TABLE_FULL : ZDD_V_SYN_FLOOD;
	} else if (flow_lock(key.hash)) {
#pragma clang loop unroll(disable)
		for (int i = 0; i < 3 && verdict == ZDD_V_FLOW_BUSY; i++)
			verdict = open_locked(j, &place);
		flow_unlock(key.hash);
	}
	if (verdict == ZDD_V_FORWARDED)
		count_note(ZDD_N_FLOW_RACE);
	if (known && (verdict == ZDD_V_TABLE_FULL || verdict == ZDD_V_FLOW_BUSY)) {
		place = known_place(j);
		verdict = place == NO_PLACE ? verdict : ZDD_V_FORWARDED;
	}
	if (verdict == ZDD_V_NEW || verdict == ZDD_V_FORWARDED)
		forward_place(j, place, verdict);
	else if (verdict == ZDD_V_REVERSE_TAKEN || verdict == ZDD_V_SNAT_EXHAUSTED ||
		 verdict == ZDD_V_SNAT_NO_SOURCE)
		end_drop(&j->out, verdict);
	else
		forward_stateless(j, verdict);
	return 0;
}

/* ---- completing the handshake ---- */

/* Of one client: the port that the first one had was freed, and given to the other. */
ZDD_INLINE int same_alias(const struct zdd_hit *a, const struct zdd_hit *b)
{
	return a->owner.backend == b->owner.backend && a->flow->source == b->flow->source &&
	       a->flow->other == b->flow->other;
}

/* Moves a half-open record to the established ones. hit is the half-open one, and becomes the
 * established one; left as it is when there is no room, which costs nothing but its safety. */
ZDD_INLINE void promote(struct zdd_job *j, const struct zdd_key *key, struct zdd_hit *hit)
{
	struct zdd_survey *s = &j->survey;
	struct zdd_hit old;
	struct zdd_flow *f = hit->flow;

	if (f->other && !alias_promote(j, hit->owner.backend, f->source, f->other))
		return;
	survey_start(j, s);
	survey_region(region_tcp(), s);
	if (s->same != NO_PLACE && flow_read(s->same, key, &old)) {
		if (old.flow->isn == hit->flow->isn) {
			flow_free(hit);
			*hit = old;
			return;
		}
		s->room = room_of(&old);
		if (!same_alias(&old, hit))
			end_alias_of(j, &old);
	}
	if (s->room.place == NO_PLACE)
		return pressure_found_no_room(j->now);
	f = flow_claim(&s->room, ZDD_META_STATE(hit->meta) & ~(ZDD_F_HALF | ZDD_F_HEARD), j->now);
	if (!f)
		return;
	if (!copy_whole(f, hit))
		return flow_abandon(s->room.place);
	flow_publish(s->room.place, f, key->hash);
	flow_free(hit);
	pressure_less();
	*hit = (struct zdd_hit){f, s->room.place, ONCE(f->meta), f->owner};
}

/* The acknowledgement tells what the SYN-ACK was, where none came by. */
ZDD_INLINE void infer_synack(const struct zdd_job *j, const struct zdd_hit *half)
{
	const struct zdd_backend *b = AT(backends, half->owner.backend);

	if (b && zdd_one_way(b->forward))
		half->flow->server_seq = j->p.ack;
}

/* The packet that answers the backend's SYN-ACK. Sets j->out. */
ZDD_RARE int open_promote(struct zdd_job *j)
{
	struct zdd_key key;
	struct zdd_hit half;

	if (!j)
		return 0;
	key = client_key(j);
	flow_find(region_half(), &key, &half);
	if (!half.flow)
		return 0;
	if (flow_lock(key.hash)) {
		if (flow_read(half.place, &key, &half)) { /* another CPU may have moved it */
			infer_synack(j, &half);
			promote(j, &key, &half);
		}
		flow_unlock(key.hash);
	}
	forward_flow(j, &half, ZDD_V_FORWARDED);
	return 1;
}

#endif
