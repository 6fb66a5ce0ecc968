/* SPDX-License-Identifier: GPL-2.0 */
/* Room for a new flow: the lock of its hash, what stands in its two buckets, the place that it gets. */
#ifndef ZDD_ROOM_H
#define ZDD_ROOM_H

#include "flow.h"

ZDD_INLINE int flow_lock(__u64 hash)
{
	struct zdd_flow_lock *l = AT(flow_locks, hash % ZDD_FLOW_LOCKS);

	/* It may be held for another flow, and a SYN that goes by the table alone never gets a
	 * record: worth a microsecond of waiting. */
#pragma clang loop unroll(disable)
	for (int i = 0; i < 64 && l; i++)
		if (__sync_val_compare_and_swap(&l->held, 0, 1) == 0)
			return 1;
	return 0;
}

ZDD_INLINE void flow_unlock(__u64 hash)
{
	struct zdd_flow_lock *l = AT(flow_locks, hash % ZDD_FLOW_LOCKS);

	if (l)
		__sync_lock_test_and_set(&l->held, 0);
}

/* What tells the backend's packets from others', 0: they do not come by. */
ZDD_INLINE __u64 endpoint_of(__u16 backend)
{
	const struct zdd_backend *b = AT(backends, backend);

	return b && !zdd_one_way(b->forward) ? zdd_door_hash(&b->addr, b->port, 0) : 0;
}

/* The meta of a flow that has been silent for too long, else 0. */
ZDD_INLINE __u64 flow_expired(__u32 place, __u32 now)
{
	struct zdd_flow *f = AT(flow_recs, place);
	const struct zdd_listener *l;
	__u64 meta;
	__u32 age;

	if (!f)
		return 0;
	meta = ONCE(f->meta);
	ORDER(&f->meta);
	l = AT(listeners, f->owner.listener);
	age = now - ZDD_META_SEEN(meta);
	if (!l || ZDD_META_STATE(meta) & ZDD_F_WRITING || (__s32)age <= 0)
		return 0;
	return age > zdd_flow_idle(ZDD_META_STATE(meta), l->idle, geometry.hz) ? meta : 0;
}

/* The backend sees this client and port, or the alias that is asked for. A record that another CPU
 * is ending takes nothing: what lasts is not written without the lock. */
ZDD_INLINE int is_seen(const struct zdd_flow *f)
{
	__u16 state = ZDD_META_STATE(ONCE(f->meta));

	return !(state & ZDD_F_WRITING) && (!f->source || state & ZDD_F_ALIAS);
}

/* A record with the key's tag: the key's own, or this client and port under another listener. */
ZDD_INLINE void survey_record(__u32 place, const struct zdd_key *k, struct zdd_survey *s)
{
	const struct zdd_flow *f = AT(flow_recs, place);
	struct zdd_hit hit;

	if (flow_read(place, k, &hit))
		s->same = place;
	else if (f && same_client(f, k) && is_seen(f) && s->n_taken < TAKEN_MAX)
		s->taken[s->n_taken++ & (TAKEN_MAX - 1)] = endpoint_of(f->owner.backend);
}

/* Looks at one bucket; returns the ways that are free. */
ZDD_INLINE __u32 survey_bucket(__u32 bucket, const struct zdd_key *k, struct zdd_survey *s)
{
	const struct zdd_flow_bucket *b = AT(flow_tags, bucket);
	__u32 ways = b ? ways_with(b, zdd_flow_tag(k->hash)) : 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_FLOW_WAYS && ways; i++) {
		survey_record(bucket * ZDD_FLOW_WAYS + lowest_way(ways), k, s);
		ways &= ways - 1;
	}
	return b ? ways_with(b, ZDD_TAG_FREE) : 0;
}

/* Second look, only when both buckets are full: the room of an expired flow. */
ZDD_INLINE void survey_expired(__u32 bucket, struct zdd_survey *s)
{
	const struct zdd_flow_bucket *b = AT(flow_tags, bucket);

	if (!b)
		return;
#pragma clang loop unroll(disable)
	for (__u32 w = 0; w < ZDD_FLOW_WAYS; w++) {
		__u32 place = bucket * ZDD_FLOW_WAYS + w;
		__u64 meta = ONCE(b->tag[w]) < ZDD_TAG_FIRST ? 0 : flow_expired(place, s->now);

		if (!meta)
			continue;
		s->room = (struct zdd_room){place, 1, meta};
		return;
	}
}

/* One of these ways of the first bucket: home, if it is among them. */
ZDD_INLINE __u32 nearest_way(__u32 ways, __u64 hash)
{
	return ways >> home_way(hash) & 1 ? home_way(hash) : lowest_way(ways);
}

/* Fills s; taken is added to. The first bucket gives the place while half of it is free, then the
 * emptier one, which keeps both from filling (Azar et al., Balanced Allocations, STOC 1994). */
ZDD_RARE int flow_survey(struct zdd_survey *s, __u32 first, __u32 n)
{
	struct zdd_region r = {first, n};
	__u32 one, two, free_one, free_two;
	struct zdd_key key;

	if (!s)
		return 0;
	key = (struct zdd_key){
		.hash = s->hash, .client = &s->client, .port = s->port, .listener = s->listener};
	one = flow_bucket(r, s->hash, 0);
	two = flow_bucket(r, s->hash, 1);
	s->same = NO_PLACE;
	s->room = (struct zdd_room){NO_PLACE};
	free_one = survey_bucket(one, &key, s);
	free_two = survey_bucket(two, &key, s);
	if (free_one && (count_ways(free_one) > ZDD_FLOW_WAYS / 2 ||
			 count_ways(free_one) >= count_ways(free_two)))
		s->room.place = one * ZDD_FLOW_WAYS + nearest_way(free_one, s->hash);
	else if (free_two)
		s->room.place = two * ZDD_FLOW_WAYS + lowest_way(free_two);
	if (s->room.place == NO_PLACE && s->same == NO_PLACE && !s->no_room) {
		survey_expired(one, s);
		if (s->room.place == NO_PLACE)
			survey_expired(two, s);
	}
	return 0;
}

ZDD_INLINE void survey_region(struct zdd_region r, struct zdd_survey *s)
{
	flow_survey(s, r.first, r.n);
}

/* By itself: every comparison doubles the paths of a loop around it (clang 14, 200k instructions). */
ZDD_RARE int is_taken(const struct zdd_survey *s, __u32 backend)
{
	__u64 endpoint = endpoint_of(backend);
	int found = 0;

	if (!s)
		return 0;
	for (__u32 i = 0; i < TAKEN_MAX; i++)
		found |= i < s->n_taken && s->taken[i] == endpoint;
	return found && endpoint;
}

ZDD_INLINE struct zdd_room room_of(const struct zdd_hit *hit)
{
	return (struct zdd_room){hit->place, 1, hit->meta};
}

/* Takes a place; the record then belongs to this CPU until flow_publish or flow_abandon.
 * NULL: another CPU was first. */
ZDD_INLINE struct zdd_flow *flow_claim(const struct zdd_room *room, __u16 state, __u32 now)
{
	struct zdd_flow_bucket *b = AT(flow_tags, room->place / ZDD_FLOW_WAYS);
	struct zdd_flow *f = AT(flow_recs, room->place);

	if (!b || !f)
		return 0;
	if (room->occupied && !flow_seize(f, room->meta))
		return 0;
	if (!room->occupied && __sync_val_compare_and_swap(&b->tag[room->place % ZDD_FLOW_WAYS],
							   ZDD_TAG_FREE, ZDD_TAG_BUSY))
		return 0;
	ONCE(f->meta) = ZDD_META(now, state | ZDD_F_WRITING, ZDD_META_EPOCH(f->meta) + 1);
	ORDER(&f->meta);
	return f;
}

/* The exchange orders all fields before the end of WRITING. */
ZDD_INLINE void flow_publish(__u32 place, struct zdd_flow *f, __u64 hash)
{
	struct zdd_flow_bucket *b = AT(flow_tags, place / ZDD_FLOW_WAYS);

	if (b)
		__sync_lock_test_and_set(&b->tag[place % ZDD_FLOW_WAYS], zdd_flow_tag(hash));
	ONCE(f->meta) = f->meta & ~((__u64)ZDD_F_WRITING << 16);
}

#endif
