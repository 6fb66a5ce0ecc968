/* SPDX-License-Identifier: GPL-2.0 */
/* What packets tell about the pool and the backend of their flow (include/zdd/signal.h). Where a packet is
 * looked up, outcomes are only noted in the job; they are counted afterwards, with the stack empty. */
#ifndef ZDD_TELL_H
#define ZDD_TELL_H

#include "choose.h"
#include "decide.h"
#include "flow.h"
#include "lease.h"

/* Beside ZDD_TOLD, in zdd_job.told: */
enum zdd_tell {
	TELL_SENT = 1 << 16,      /* a SYN is on its way to a backend */
	TELL_CONNECTED = 1 << 17, /* it was answered */
	TELL_ASKED = 1 << 18,     /* the client's first data */
	TELL_ANSWERED = 1 << 19,  /* the backend's, after that */
	TELL_FAILED = 1 << 20,    /* a failure of no kind: for the breaker alone */
	TELL_NEW = 1 << 21,       /* a new flow for the pool `new_pool` */
	TELL_AGAIN = 1 << 22,     /* data that the backend had sent before */
};

ZDD_INLINE void tell(struct zdd_job *j, const struct zdd_hit *hit, __u32 told)
{
	j->told |= told;
	j->told_place = hit->place;
	j->told_epoch = ZDD_META_EPOCH(hit->meta);
	j->told_pool = hit->owner.pool;
	j->told_backend = hit->owner.backend;
	j->told_client = hit->flow->client;
}

/* ---- SYNs ---- */

/* What became of the SYN of a half-open record, said once. The record is the caller's to know of. By
 * itself: seldom, and called where the stack is deep. */
ZDD_RARE int tell_syn(struct zdd_job *j, __u32 place, __u32 epoch, __u32 told)
{
	struct zdd_syn *s = AT(syns, place - geometry.tcp_buckets * ZDD_FLOW_WAYS);
	struct zdd_hit hit = {.flow = AT(flow_recs, place), .place = place};

	if (!j || !hit.flow || (s && s->epoch == (__u16)epoch && s->kept & ZDD_SYN_JUDGED))
		return 0;
	if (s && s->epoch == (__u16)epoch)
		s->kept |= ZDD_SYN_JUDGED;
	hit.meta = epoch;
	hit.owner.word = ONCE(hit.flow->owner.word);
	tell(j, &hit, told);
	return 1;
}

/* A SYN is sent to the backend of the record at this place, whatever its epoch. */
ZDD_INLINE void tell_sent(struct zdd_job *j, __u32 place)
{
	j->told |= TELL_SENT;
	j->sent_place = place;
}

/* ---- ends ---- */

/* A connection whose client had asked ends by these bits. */
ZDD_INLINE int ends_asked(__u16 state, __u16 bits)
{
	return state & ZDD_F_ASKED && !zdd_flow_ended(state) && zdd_flow_ended(state | bits);
}

/* The server's reset is none of its client's wish, and not the tail of what both had ended. */
ZDD_INLINE int breaks_off(__u16 state)
{
	return !(state & ZDD_F_FIN_S) &&
	       (state & (ZDD_F_FIN_C | ZDD_F_SERVED)) != (ZDD_F_FIN_C | ZDD_F_SERVED);
}

/* The first data, or an end. */
ZDD_INLINE int tells_more(const struct zdd_packet *p, const struct zdd_hit *hit, __u16 bits)
{
	return (p->payload && !(ZDD_META_STATE(hit->meta) & ZDD_F_ASKED)) ||
	       bits & (ZDD_F_FIN_C | ZDD_F_RST);
}

/* bits: those that the client's packet brings. Returns more. */
ZDD_INLINE __u16 tell_asked(struct zdd_job *j, const struct zdd_hit *hit, __u16 bits)
{
	__u16 state = ZDD_META_STATE(hit->meta);
	__u32 told = 0;

	if (j->p.payload && !(state & ZDD_F_ASKED) && !(j->p.tcp_flags & TCP_SYN)) {
		told |= TELL_ASKED;
		bits |= ZDD_F_ASKED;
	}
	if (ends_asked(state, bits))
		told |= ZDD_TOLD(RESET, 0);
	if (told)
		tell(j, hit, told);
	return bits;
}

/* What a backend's FIN or RST says. */
ZDD_INLINE __u32 told_by_end(const struct zdd_packet *p, __u16 state, __u16 bits)
{
	const __u16 spoken = ZDD_F_SERVED | ZDD_F_FIN_S | ZDD_F_RST;
	__u32 told = 0;

	if (ends_asked(state, bits))
		told = bits & ZDD_F_RST && breaks_off(state) ? ZDD_TOLD(RESET, 1)
							     : ZDD_TOLD(RESET, 0);
	else if (bits & ZDD_F_RST && resets_early(state))
		told = TELL_FAILED;
	if (bits & ZDD_F_FIN_S && !(bits & ZDD_F_RST) && !p->payload && state & ZDD_F_ASKED &&
	    !(state & spoken))
		told |= ZDD_TOLD(EMPTY, 1);
	return told;
}

/* ---- UDP ---- */

/* A client's flow that is over now: its record may have another's already. */
ZDD_INLINE void tell_unanswered(struct zdd_job *j, const struct zdd_hit *hit)
{
	const struct zdd_backend *b = AT(backends, hit->owner.backend);

	if (ZDD_META_STATE(hit->meta) & ZDD_F_SERVED || !b || zdd_one_way(b->forward))
		return;
	tell(j, hit, ZDD_TOLD(UDP_SILENT, 1));
	j->told_client = j->p.src;
}

/* ---- counting ---- */

ZDD_INLINE __u32 now_us(void)
{
	return NOW_NS() / 1000;
}

/* Since the time that is kept for the record; NULL-safe. 0: none is. */
ZDD_INLINE __u32 us_since(const struct zdd_job *j, __u32 us)
{
	__u64 *time = AT(flow_times, j->told_place), then = time ? ONCE(*time) : 0;

	if (!then || then >> 32 != j->told_epoch)
		return 0;
	return us - (__u32)then ? us - (__u32)then : 1;
}

ZDD_INLINE void count_latency(__u32 *row, __u32 us)
{
	__u32 bucket = zdd_latency_bucket(us);

	if (us && bucket < ZDD_LATENCY_BUCKETS)
		row[bucket]++;
}

/* In microseconds, of what ended with this packet. */
ZDD_INLINE __u32 took_us(const struct zdd_job *j)
{
	__u32 us = now_us(), took = us_since(j, us);
	__u64 *time = j->told & TELL_ASKED ? AT(flow_times, j->told_place) : 0;

	if (time)
		ONCE(*time) = ZDD_FLOW_TIME(j->told_epoch, us);
	return took;
}

ZDD_INLINE void count_times(const struct zdd_job *j, struct zdd_signals *row, __u32 us)
{
	if (j->told & TELL_CONNECTED)
		count_latency(row->connect, us);
	if (j->told & TELL_ANSWERED)
		count_latency(row->first_byte, us);
}

/* Which outcomes are their client's first of this second in the pool. */
ZDD_INLINE __u32 first_told(const struct zdd_job *j)
{
	__u64 who = zdd_seen_who(&j->told_client, j->told_pool, j->seed);
	__u64 *cell = AT(tick_seen, ZDD_SEEN_CELL(who));

	return cell ? zdd_seen_first(cell, who, j->now / geometry.hz, j->told) : 0;
}

ZDD_INLINE void count_row(const struct zdd_job *j, struct zdd_signals *row, __u32 first, __u32 us)
{
	if (!row)
		return;
	if (j->told & ZDD_TOLD_ALL)
		zdd_signals_add(row, j->told, first);
	count_times(j, row, us);
	row->retransmits += !!(j->told & TELL_AGAIN);
}

ZDD_RARE int count_told(const struct zdd_job *j)
{
	const __u32 n_pools = ZDD_WATCHED(&geometry);
	const __u32 n_backends = ZDD_WATCHED_BACKENDS(&geometry);
	__u32 us = 0;

	if (!j)
		return 0;
	if (j->told & (zdd_told_breaks() | TELL_FAILED))
		count_failed(j->told_pool);
	if (j->told & (TELL_CONNECTED | TELL_ANSWERED | TELL_ASKED))
		us = took_us(j);
	if (j->told_pool < n_pools)
		count_row(j, AT(pool_signals, CPU() * n_pools + j->told_pool),
			  j->told & ZDD_TOLD_ALL ? first_told(j) : 0, us);
	if (j->told_backend < n_backends)
		count_row(j, AT(backend_signals, CPU() * n_backends + j->told_backend), 0, us);
	return 0;
}

/* The attempt that has the record now began. */
ZDD_RARE int keep_sent(__u32 place)
{
	const struct zdd_flow *f = AT(flow_recs, place);
	__u64 *time = AT(flow_times, place);

	if (f && time)
		ONCE(*time) = ZDD_FLOW_TIME(ZDD_META_EPOCH(ONCE(f->meta)), now_us());
	return 0;
}

/* Is the client of a new flow new in the rollout of its pool? */
ZDD_RARE int count_source(const struct zdd_job *j)
{
	const struct zdd_override *o = j ? AT(overrides, j->new_pool) : 0;
	const struct zdd_service *s;
	struct zdd_signals *row;
	struct zdd_addr masked;
	__u64 hash, *word;

	if (!o || !ONCE(o->rollout) || j->new_pool >= ZDD_WATCHED(&geometry))
		return 0;
	s = AT(services, ZDD_WORD_SLOT(j->word) * geometry.services + j->service);
	row = AT(pool_signals, CPU() * ZDD_WATCHED(&geometry) + j->new_pool);
	if (!s || !row)
		return 0;
	masked = choose_mask(s, &j->p.src);
	hash = zdd_met_hash(zdd_client_hash(&masked, s->salt), ONCE(o->rollout));
	word = AT(met, ZDD_MET_WORD(hash));
	if (word)
		row->new_sources += zdd_met_first(word, hash);
	return 0;
}

ZDD_INLINE void settle_told(struct zdd_job *j)
{
	if (j->told & TELL_SENT)
		keep_sent(j->sent_place);
	if (j->told & TELL_NEW)
		count_source(j);
	if (j->told & ~(TELL_SENT | TELL_NEW))
		count_told(j);
}

#endif
