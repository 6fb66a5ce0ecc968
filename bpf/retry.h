/* SPDX-License-Identifier: GPL-2.0 */
/* A SYN that one backend refused, or did not answer, goes to another: the client is not told
 * (DESIGN 2, guarantee 7). The record keeps its place and gets a new owner and epoch, under the
 * flow's lock. */
#ifndef ZDD_RETRY_H
#define ZDD_RETRY_H

#include "door.h"
#include "open.h"

enum zdd_retry {
	RETRY_DONE,
	RETRY_NOT,       /* not asked for, or not possible */
	RETRY_EXHAUSTED, /* nobody left */
	RETRY_LIMITED,
};

/* The service that a listener belongs to in this plan; NULL: none any more. */
ZDD_INLINE const struct zdd_service *service_of(__u32 slot, const struct zdd_listener *l)
{
	const struct zdd_door *d = door_find(slot, &l->addr, l->port, PROTO_TCP);

	if (!d || d->kind != ZDD_DOOR_LISTENER || d->service == ZDD_NONE)
		return 0;
	return AT(services, slot * geometry.services + d->service);
}

/* Who asks again: j->asker. Returns the service, NULL when this flow is not tried again. */
ZDD_INLINE const struct zdd_service *again_for(struct zdd_job *j, const struct zdd_hit *hit)
{
	const struct zdd_listener *l = AT(listeners, hit->owner.listener);
	const struct zdd_flow *f = hit->flow;
	const struct zdd_service *s;

	if (!l || f->other)
		return 0;
	s = service_of(ZDD_WORD_SLOT(j->word), l);
	if (!s || !(s->flags & ZDD_S_RETRY))
		return 0;
	j->asker.client = f->client;
	j->asker.port = f->port;
	j->asker.listener_port = l->port;
	j->asker.proto = PROTO_TCP;
	j->asker.v6 = !zdd_addr_is_v4(&f->client);
	return s;
}

/* The SYN as kept, with the last attempt among those tried, into j->syn. -1: not whole. */
ZDD_INLINE int recall_syn(struct zdd_job *j, const struct zdd_hit *hit)
{
	const struct zdd_syn *s = syn_at(hit->place);

	if (!s || s->epoch != ZDD_META_EPOCH(hit->meta) || !(s->kept & ZDD_SYN_WHOLE))
		return -1;
	j->syn = *s;
	for (__u32 i = 0; i < ZDD_SYN_TRIES - 1; i++)
		if (i + 1 == j->syn.tries)
			j->syn.tried[i] = hit->owner.backend;
	return 0;
}

ZDD_INLINE int was_tried(const struct zdd_syn *s, __u16 backend)
{
	int found = 0;

	for (__u32 i = 0; i < ZDD_SYN_TRIES - 1; i++)
		found |= i < s->tries && s->tried[i] == backend;
	return found;
}

/* The next backend in table order that was not tried and where the client's port is free. */
ZDD_RARE __u32 pick_other(struct zdd_choice *c, const struct zdd_survey *s,
			  const struct zdd_syn *tried)
{
	__u16 backend;

	if (!c || !s || !tried)
		return ZDD_NONE;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++) {
		backend = chosen_backend(c);
		if (backend != ZDD_NONE && !was_tried(tried, backend) && !is_taken(s, backend))
			return backend;
		choose_next(c);
	}
	return ZDD_NONE;
}

/* What else has the client's port, into j->survey. */
ZDD_INLINE void survey_again(struct zdd_job *j, __u16 listener)
{
	struct zdd_survey *s = &j->survey;

	s->hash = j->hash;
	s->client = j->asker.client;
	s->port = j->asker.port;
	s->listener = listener;
	s->now = j->now;
	s->n_taken = 0;
	s->no_room = 1;
	survey_region(region_tcp(), s);
	survey_region(region_half(), s);
}

/* ZDD_NONE: nobody is left. Else j->choice.id is the backend's pool. */
ZDD_INLINE __u32 pick_again(struct zdd_job *j, const struct zdd_service *s, __u16 listener)
{
	__u32 slot = ZDD_WORD_SLOT(j->word), backend = ZDD_NONE;

	survey_again(j, listener);
	if (!choose(slot, s, &j->asker, &j->choice))
		backend = pick_other(&j->choice, &j->survey, &j->syn);
	if (backend == ZDD_NONE && s->flags & ZDD_S_RETRY_LIVE &&
	    !choose_live(slot, s, &j->asker, &j->choice))
		backend = pick_other(&j->choice, &j->survey, &j->syn);
	return backend;
}

/* Takes the record's place for another attempt. A client's repeat may touch it meanwhile; when the
 * backend answered after all, or the place has another flow, it is left alone. */
ZDD_INLINE int seize_half(const struct zdd_hit *hit)
{
	__u64 meta;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 3; i++) {
		meta = ONCE(hit->flow->meta);
		if (ZDD_META_EPOCH(meta) != ZDD_META_EPOCH(hit->meta) ||
		    ZDD_META_STATE(meta) & (ZDD_F_SYNACK | ZDD_F_WRITING))
			return 0;
		if (flow_seize(hit->flow, meta))
			return 1;
	}
	return 0;
}

/* The place is this CPU's: the next attempt into record and store. */
ZDD_INLINE void write_again(struct zdd_job *j, struct zdd_hit *hit)
{
	struct zdd_syn *s = syn_at(hit->place);
	struct zdd_flow *f = hit->flow;

	ONCE(f->meta) = ZDD_META(j->now, ZDD_F_HALF | ZDD_F_WRITING, ZDD_META_EPOCH(f->meta));
	ORDER(&f->meta);
	ONCE(f->owner.word) = hit->owner.word;
	f->generation = ZDD_WORD_GENERATION(j->word);
	f->server_seq = 0;
	if (s) {
		j->syn.tries++;
		j->syn.kept &= ~ZDD_SYN_TOLD;
		j->syn.sent = j->now;
		j->syn.epoch = ZDD_META_EPOCH(f->meta);
		*s = j->syn;
	}
	flow_publish(hit->place, f, j->hash);
	hit->meta = ONCE(f->meta);
}

ZDD_INLINE void count_moved(const struct zdd_job *j, union zdd_owner from, union zdd_owner to)
{
	struct zdd_backend_row *old = AT(backend_rows, CPU() * geometry.backends + from.backend);

	COUNT_SIGNAL(from.backend, taken);
	if (old)
		old->closed++;
	count_new(j, to.pool, to.backend);
}

/* Under the lock. made: it costs a SYN that the client did not send. Changes hit, and its record,
 * when it is DONE. */
ZDD_INLINE enum zdd_retry again_locked(struct zdd_job *j, struct zdd_hit *hit, int made)
{
	const struct zdd_service *service = again_for(j, hit);
	union zdd_owner from = hit->owner;
	const struct zdd_backend *b;
	__u32 backend = ZDD_NONE;

	if (!service || recall_syn(j, hit))
		return RETRY_NOT;
	if (j->syn.tries < ZDD_SYN_TRIES)
		backend = pick_again(j, service, from.listener);
	b = backend == ZDD_NONE ? 0 : AT(backends, backend);
	if (!b)
		return RETRY_EXHAUSTED;
	if (made && !budget_take(j->choice.id, j->now))
		return RETRY_LIMITED;
	if (!seize_half(hit))
		return RETRY_NOT;
	hit->owner.backend = backend;
	hit->owner.pool = j->choice.id;
	hit->owner.incarnation = b->incarnation;
	write_again(j, hit);
	count_moved(j, from, hit->owner);
	return RETRY_DONE;
}

/* ---- refused ---- */

/* The SYN made again: j->segment. */
ZDD_INLINE void end_syn(struct zdd_job *j, const struct zdd_hit *hit)
{
	const struct zdd_backend *b = AT(backends, hit->owner.backend);
	const struct zdd_syn *s = &j->syn;

	end_backend(&j->out, ZDD_V_SYN_RETRIED, b, 0);
	if (!b)
		return;
	j->out.action = ACT_SYN;
	j->segment = (struct zdd_segment){.src = hit->flow->client,
					  .dst = b->addr,
					  .sport = hit->flow->port,
					  .dport = b->port,
					  .seq = hit->flow->isn,
					  .head = s->head,
					  .window = s->window,
					  .flags = s->flags,
					  .ttl = s->ttl,
					  .words = s->words};
	j->segment.v6 = !zdd_addr_is_v4(&b->addr);
	__builtin_memcpy(j->segment.options, s->options, sizeof(s->options));
}

ZDD_INLINE enum zdd_retry refused_locked(struct zdd_job *j, const struct zdd_key *key, __u32 place)
{
	enum zdd_retry did;
	struct zdd_hit hit;

	if (!flow_read(place, key, &hit))
		return RETRY_NOT;
	did = again_locked(j, &hit, 1);
	if (did == RETRY_DONE)
		end_syn(j, &hit);
	return did;
}

/* A backend refused the SYN of the half-open record at this place: j->out sends it to another, and 1
 * is returned; or 0, and the client shall be told. */
ZDD_RARE int retry_refused(struct zdd_job *j, __u32 place)
{
	enum zdd_retry did = RETRY_NOT;
	struct zdd_key key;

	if (!j)
		return 0;
	key = backend_key(j);
	if (flow_lock(key.hash)) {
		did = refused_locked(j, &key, place);
		flow_unlock(key.hash);
	}
	if (did == RETRY_EXHAUSTED)
		count_note(ZDD_N_RETRY_EXHAUSTED);
	if (did == RETRY_LIMITED)
		count_note(ZDD_N_RETRY_LIMITED);
	return did == RETRY_DONE;
}

/* ---- silent ---- */

/* Is the client's repeated SYN to go elsewhere? Counts the silence of an attempt once. */
ZDD_INLINE int met_silence(struct zdd_job *j, const struct zdd_hit *hit)
{
	struct zdd_syn *s = syn_at(hit->place);

	if (!s || s->epoch != ZDD_META_EPOCH(hit->meta) ||
	    !is_silent(&j->p, ZDD_META_STATE(hit->meta), s, j->now, geometry.hz))
		return 0;
	if (!(s->kept & ZDD_SYN_TOLD))
		COUNT_SIGNAL(hit->owner.backend, silent);
	s->kept |= ZDD_SYN_TOLD;
	return 1;
}

/* A client repeats the SYN of the half-open record at this place. Returns 1 when j->out sends it to
 * another backend; 0: to the one it has. */
ZDD_RARE int retry_silent(struct zdd_job *j, __u32 place)
{
	enum zdd_retry did = RETRY_NOT;
	struct zdd_key key;
	struct zdd_hit hit;

	if (!j)
		return 0;
	key = client_key(j);
	if (!flow_lock(key.hash))
		return 0;
	if (flow_read(place, &key, &hit) && met_silence(j, &hit))
		did = again_locked(j, &hit, 0);
	flow_unlock(key.hash);
	if (did != RETRY_DONE)
		return 0;
	forward_flow(j, &hit, ZDD_V_SYN_MOVED);
	return 1;
}

/* ---- late ---- */

/* The record of this client and port whose SYN had the number that is acknowledged. */
ZDD_INLINE int has_isn(__u32 place, const struct zdd_packet *p)
{
	struct zdd_key key = {.client = &p->dst, .port = p->dport};
	struct zdd_flow *f = AT(flow_recs, place);

	return f && same_client(f, &key) && f->isn + 1 == p->ack && !f->other &&
	       !(ZDD_META_STATE(ONCE(f->meta)) & (ZDD_F_WRITING | ZDD_F_ALIAS));
}

ZDD_INLINE int isn_in(__u32 bucket, const struct zdd_job *j)
{
	const struct zdd_flow_bucket *b = AT(flow_tags, bucket);
	__u32 ways = b ? ways_with(b, zdd_flow_tag(j->hash)) : 0;
	int found = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_FLOW_WAYS && ways; i++) {
		found |= has_isn(bucket * ZDD_FLOW_WAYS + lowest_way(ways), &j->p);
		ways &= ways - 1;
	}
	return found;
}

ZDD_INLINE int isn_known(struct zdd_region r, const struct zdd_job *j)
{
	return isn_in(flow_bucket(r, j->hash, 0), j) || isn_in(flow_bucket(r, j->hash, 1), j);
}

/* A reset by the number that the SYN-ACK asked for (RFC 9293 3.10.7.4): j->segment. */
ZDD_INLINE void end_reset(struct zdd_job *j)
{
	j->out.action = ACT_RESET;
	j->out.verdict = ZDD_V_LATE_RESET;
	j->segment = (struct zdd_segment){.src = j->p.dst,
					  .dst = j->p.src,
					  .sport = j->p.dport,
					  .dport = j->p.sport,
					  .seq = j->p.ack,
					  .flags = TCP_RST,
					  .ttl = 64,
					  .v6 = j->p.v6};
	j->segment.head = j->p.v6 ? __builtin_bswap32(0x60000000) : 0;
}

/* A backend without a record answers the SYN of a flow that another backend has: it was given up
 * on. Returns 1 when j->out is set. */
ZDD_RARE int reply_late(struct zdd_job *j)
{
	if (!j || !(j->p.tcp_flags & TCP_ACK) || j->p.bad_length || j->p.first_fragment ||
	    !(isn_known(region_half(), j) || isn_known(region_tcp(), j)))
		return 0;
	if (j->p.tcp_flags & TCP_RST)
		end_drop(&j->out, ZDD_V_LATE_DROPPED);
	else
		end_reset(j);
	return 1;
}

#endif
