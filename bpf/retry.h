/* SPDX-License-Identifier: GPL-2.0 */
/* A SYN that one backend refused, or did not answer, goes to another: the client is not told
 * (DESIGN 2, guarantee 7). The record keeps its place and gets a new owner and epoch, under the
 * flow's lock; where a backend sees another source, an alias too. Steps are functions by themselves
 * for the stack's sake, and speak through j. */
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

/* ---- whose SYN ---- */

ZDD_INLINE int has_epoch(const struct zdd_flow *f, __u32 epoch)
{
	__u64 meta = ONCE(f->meta);

	return ZDD_META_EPOCH(meta) == epoch && !(ZDD_META_STATE(meta) & ZDD_F_WRITING);
}

/* The service that a listener belongs to in this plan; ZDD_NONE: none any more. */
ZDD_INLINE __u16 service_of(__u32 slot, const struct zdd_listener *l)
{
	const struct zdd_door *d = door_find(slot, &l->addr, l->port, PROTO_TCP);

	return d && d->kind == ZDD_DOOR_LISTENER ? d->service : ZDD_NONE;
}

/* The packet is not the client's: asker, listener, service and hash of the record that it is about.
 * -1: the record went. */
ZDD_RARE int ask_for(struct zdd_job *j, __u32 place, __u32 epoch)
{
	const struct zdd_flow *f = AT(flow_recs, place);
	const struct zdd_listener *l;

	if (!j || !f)
		return -1;
	j->asker.client = f->client;
	j->asker.port = f->port;
	j->listener = f->owner.listener;
	ORDER(&j->now);
	if (!has_epoch(f, epoch))
		return -1;
	l = AT(listeners, j->listener);
	if (!l)
		return -1;
	j->asker.listener_port = l->port;
	j->asker.proto = PROTO_TCP;
	j->asker.v6 = !zdd_addr_is_v4(&j->asker.client);
	j->service = service_of(ZDD_WORD_SLOT(j->word), l);
	j->hash = zdd_flow_hash(&j->asker.client, j->asker.port, PROTO_TCP, j->seed);
	return 0;
}

/* ---- where to ---- */

/* The SYN as kept, with the last attempt among those tried, into j->syn. -1: not whole. */
ZDD_INLINE int recall_syn(struct zdd_job *j, __u32 place, __u32 epoch)
{
	const struct zdd_flow *f = AT(flow_recs, place);
	const struct zdd_syn *s = syn_at(place);
	union zdd_owner owner;

	if (!f || !s || s->epoch != epoch || !(s->kept & ZDD_SYN_WHOLE))
		return -1;
	owner.word = ONCE(f->owner.word);
	j->syn = *s;
	for (__u32 i = 0; i < ZDD_SYN_TRIES - 1; i++)
		if (i + 1 == j->syn.tries)
			j->syn.tried[i] = owner.backend;
	return 0;
}

ZDD_INLINE int was_tried(const struct zdd_syn *s, __u16 backend)
{
	int found = 0;

	for (__u32 i = 0; i < ZDD_SYN_TRIES - 1; i++)
		found |= i < s->tries && s->tried[i] == backend;
	return found;
}

/* The next backend in table order that was not tried, rather one where the client's port is free. */
ZDD_RARE __u32 pick_other(struct zdd_choice *c, const struct zdd_survey *s,
			  const struct zdd_syn *tried)
{
	__u32 any = ZDD_NONE;
	__u16 backend;

	if (!c || !s || !tried)
		return ZDD_NONE;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++) {
		backend = chosen_backend(c);
		if (backend != ZDD_NONE && !was_tried(tried, backend)) {
			if (!is_taken(s, backend))
				return backend;
			any = backend;
		}
		choose_next(c);
	}
	return any;
}

/* What else has the client's port, into j->survey. */
ZDD_INLINE void survey_again(struct zdd_job *j)
{
	struct zdd_survey *s = &j->survey;

	s->hash = j->hash;
	s->client = j->asker.client;
	s->port = j->asker.port;
	s->listener = j->listener;
	s->now = j->now;
	s->n_taken = 0;
	s->no_room = 1;
	survey_region(region_tcp(), s);
	survey_region(region_half(), s);
}

/* ZDD_NONE: nobody is left. Else j->choice.id is the backend's pool. */
ZDD_INLINE __u32 pick_again(struct zdd_job *j, const struct zdd_service *s)
{
	__u32 slot = ZDD_WORD_SLOT(j->word), backend = ZDD_NONE;

	if (!choose(slot, s, &j->asker, &j->choice))
		backend = pick_other(&j->choice, &j->survey, &j->syn);
	if (backend == ZDD_NONE && s->flags & ZDD_S_RETRY_LIVE &&
	    !choose_live(slot, s, &j->asker, &j->choice))
		backend = pick_other(&j->choice, &j->survey, &j->syn);
	return backend;
}

/* After survey_again: j->again and j->syn. Returns enum zdd_retry. */
ZDD_RARE int again_choose(struct zdd_job *j, __u32 place, __u32 epoch)
{
	const struct zdd_service *s;
	const struct zdd_backend *b;
	__u32 backend = ZDD_NONE;
	struct zdd_again *a;

	if (!j || j->service == ZDD_NONE)
		return RETRY_NOT;
	s = AT(services, ZDD_WORD_SLOT(j->word) * geometry.services + j->service);
	if (!s || !(s->flags & ZDD_S_RETRY) || recall_syn(j, place, epoch))
		return RETRY_NOT;
	if (j->syn.tries < ZDD_SYN_TRIES)
		backend = pick_again(j, s);
	b = backend == ZDD_NONE ? 0 : AT(backends, backend);
	if (!b)
		return RETRY_EXHAUSTED;
	a = &j->again;
	a->to = (union zdd_owner){.backend = backend,
				  .incarnation = b->incarnation,
				  .listener = j->listener,
				  .pool = j->choice.id};
	a->source = source_for(j, backend);
	a->taken = is_taken(&j->survey, backend);
	return a->source == SOURCE_UNKNOWN ? RETRY_EXHAUSTED : RETRY_DONE;
}

/* ---- going there ---- */

/* Takes the record's place for another attempt, and returns its meta so far. Packets may touch it
 * meanwhile; when the backend answered after all, or the place has another flow, it is left alone: 0. */
ZDD_INLINE __u64 seize_half(struct zdd_flow *f, __u32 epoch)
{
	__u64 meta;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 3; i++) {
		meta = ONCE(f->meta);
		if (ZDD_META_EPOCH(meta) != epoch ||
		    ZDD_META_STATE(meta) & (ZDD_F_SYNACK | ZDD_F_WRITING))
			return 0;
		if (flow_seize(f, meta))
			return meta;
	}
	return 0;
}

/* A reset has been counted as the end of the attempt already. */
ZDD_INLINE void count_moved(const struct zdd_job *j, __u64 was)
{
	__u32 from = j->again.from.backend;

	COUNT_SIGNAL(from, taken);
	if (!(ZDD_META_STATE(was) & ZDD_F_RST))
		count_closed(from);
	count_new(j, j->again.to.pool, j->again.to.backend);
}

/* The next attempt into record and store; seen: as by open_alias. Returns 0, and nothing is changed,
 * when the record is not to be had any more. */
ZDD_RARE int again_write(struct zdd_job *j, __u32 place, __u32 epoch, __u32 seen)
{
	struct zdd_flow *f = AT(flow_recs, place);
	struct zdd_syn *s = syn_at(place);
	__u64 was;

	if (!j || !f || !s)
		return 0;
	was = seize_half(f, epoch);
	if (!was)
		return 0;
	j->again.from.word = f->owner.word;
	j->again.seen = (__u32)f->source << 16 | f->other;
	j->again.isn = f->isn;
	ONCE(f->meta) = ZDD_META(j->now, ZDD_F_HALF | ZDD_F_WRITING, ZDD_META_EPOCH(f->meta));
	ORDER(&f->meta);
	ONCE(f->owner.word) = j->again.to.word;
	f->generation = ZDD_WORD_GENERATION(j->word);
	f->other = seen;
	f->source = seen >> 16;
	f->server_seq = 0;
	j->syn.tries++;
	j->syn.kept &= ~(ZDD_SYN_TOLD | ZDD_SYN_JUDGED);
	j->syn.sent = j->now;
	j->syn.epoch = ZDD_META_EPOCH(f->meta);
	*s = j->syn;
	flow_publish(place, f, j->hash);
	tell_sent(j, place);
	count_moved(j, was);
	return 1;
}

ZDD_INLINE void drop_alias(struct zdd_job *j, __u32 backend, __u32 seen)
{
	if (!seen)
		return;
	alias_end(j, backend, seen >> 16, seen & 0xffff);
	pressure_less();
}

/* Under the lock, with the asker known. made: it costs a SYN that the client did not send. The record
 * and j->again tell the rest when it is DONE. */
ZDD_INLINE enum zdd_retry again_locked(struct zdd_job *j, __u32 place, __u32 epoch, int made)
{
	struct zdd_again *a = &j->again;
	__u32 seen = 0;
	int did;

	survey_again(j);
	did = again_choose(j, place, epoch);
	if (did != RETRY_DONE)
		return did;
	if (made && !budget_take(j->choice.id, j->now))
		return RETRY_LIMITED;
	if (a->source || a->taken) {
		seen = open_alias(j, a->to.backend, a->to.pool, a->source);
		if (!seen)
			return RETRY_EXHAUSTED;
	}
	if (!again_write(j, place, epoch, seen)) {
		drop_alias(j, a->to.backend, seen);
		return RETRY_NOT;
	}
	drop_alias(j, a->from.backend, a->seen);
	a->seen = seen;
	return RETRY_DONE;
}

/* ---- refused ---- */

/* The SYN made again: j->segment. */
ZDD_RARE int end_syn(struct zdd_job *j)
{
	const struct zdd_addr *source;
	const struct zdd_backend *b;
	const struct zdd_syn *s;

	if (!j)
		return 0;
	s = &j->syn;
	source = AT(sources, j->again.seen >> 16);
	b = AT(backends, j->again.to.backend);
	end_backend(&j->out, ZDD_V_SYN_RETRIED, b, 0);
	if (!b || !source)
		return 0;
	j->out.action = ACT_SYN;
	j->segment = (struct zdd_segment){.dst = b->addr,
					  .sport = j->again.seen ? j->again.seen : j->asker.port,
					  .dport = b->port,
					  .seq = j->again.isn,
					  .head = s->head,
					  .window = s->window,
					  .flags = s->flags,
					  .ttl = s->ttl,
					  .words = s->words};
	j->segment.src = j->again.seen >> 16 ? *source : j->asker.client;
	j->segment.v6 = !zdd_addr_is_v4(&b->addr);
	__builtin_memcpy(j->segment.options, s->options, sizeof(s->options));
	return 0;
}

/* What a backend, or a router on the way to it, sent refuses the SYN of this half-open record. */
ZDD_INLINE void refused_at(struct zdd_job *j, const struct zdd_hit *hit)
{
	tell_syn(j, hit->place, ZDD_META_EPOCH(hit->meta),
		 ZDD_TOLD(REFUSED, 1) | ZDD_TOLD(SYN_TIMEOUT, 0));
	j->refused = hit->place + 1;
	j->refused_epoch = ZDD_META_EPOCH(hit->meta);
}

/* The SYN that j->refused tells of: j->out sends it to another backend, and 1 is returned; or 0, and
 * the client shall be told: j->out as it was. */
ZDD_RARE int retry_refused(struct zdd_job *j)
{
	enum zdd_retry did = RETRY_NOT;
	__u32 place, epoch;

	if (!j)
		return 0;
	place = j->refused - 1;
	epoch = j->refused_epoch;
	j->refused = 0;
	if (ask_for(j, place, epoch) || !flow_lock(j->hash))
		return 0;
	did = again_locked(j, place, epoch, 1);
	flow_unlock(j->hash);
	if (did == RETRY_DONE)
		end_syn(j);
	if (did == RETRY_EXHAUSTED)
		count_note(ZDD_N_RETRY_EXHAUSTED);
	if (did == RETRY_LIMITED)
		count_note(ZDD_N_RETRY_LIMITED);
	return did == RETRY_DONE;
}

/* ---- silent ---- */

/* Is the client's repeated SYN to go elsewhere? Counts the silence of an attempt once. */
ZDD_INLINE int met_silence(struct zdd_job *j, __u32 place, __u32 epoch)
{
	const struct zdd_flow *f = AT(flow_recs, place);
	struct zdd_syn *s = syn_at(place);

	if (!f || !s || !has_epoch(f, epoch) || s->epoch != epoch ||
	    !is_silent(&j->p, ZDD_META_STATE(ONCE(f->meta)), s, j->now, geometry.hz))
		return 0;
	if (!(s->kept & ZDD_SYN_TOLD))
		COUNT_SIGNAL(f->owner.backend, silent);
	s->kept |= ZDD_SYN_TOLD;
	tell_syn(j, place, epoch, ZDD_TOLD(REFUSED, 0) | ZDD_TOLD(SYN_TIMEOUT, 1));
	return 1;
}

/* A client repeats the SYN of the half-open record at this place. Returns 1 when j->out sends it to
 * another backend; 0: to the one it has. */
ZDD_RARE int retry_silent(struct zdd_job *j, __u32 place, __u32 epoch)
{
	enum zdd_retry did = RETRY_NOT;

	if (!j || !flow_lock(j->hash))
		return 0;
	asker_of(&j->p, &j->asker);
	if (met_silence(j, place, epoch))
		did = again_locked(j, place, epoch, 0);
	flow_unlock(j->hash);
	if (did != RETRY_DONE)
		return 0;
	forward_place(j, place, ZDD_V_SYN_MOVED);
	return 1;
}

#endif
