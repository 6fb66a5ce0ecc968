/* SPDX-License-Identifier: GPL-2.0 */
/* The flow table: two candidate buckets of eight tags, records beside them at the same place, no
 * free list. The protocol, its proof and its limits are in docs/flows.md; in short:
 *
 *   read    tag equal -> meta -> key and owner -> meta again: same epoch, not WRITING: one flow
 *   open    under the lock of the flow's hash; a free place is claimed by compare-and-swap of its
 *           tag to BUSY; epoch grows first, fields follow, the tag publishes, WRITING goes last
 *   change  state and last-seen only by compare-and-swap of meta, so never in a reused place
 *   end     meta to WRITING and the next epoch by compare-and-swap: the winner has the place, and
 *           writes another flow there or sets the tag to FREE */
#ifndef ZDD_FLOW_H
#define ZDD_FLOW_H

#include "job.h"

enum { NO_PLACE = 0xffffffff };

struct zdd_region {
	__u32 first, n; /* buckets */
};

ZDD_INLINE struct zdd_region region_tcp(void)
{
	return (struct zdd_region){0, geometry.tcp_buckets};
}

ZDD_INLINE struct zdd_region region_half(void)
{
	return (struct zdd_region){geometry.tcp_buckets, geometry.half_buckets};
}

ZDD_INLINE struct zdd_region region_udp(void)
{
	return (struct zdd_region){geometry.tcp_buckets + geometry.half_buckets,
				   geometry.udp_buckets};
}

/* Of the settled flows of this protocol. */
ZDD_INLINE struct zdd_region region_of(__u8 proto)
{
	return proto == PROTO_UDP ? region_udp() : region_tcp();
}

ZDD_INLINE __u32 flow_bucket(struct zdd_region r, __u64 hash, int second)
{
	return r.first + zdd_flow_bucket(hash, second, r.n);
}

/* Which flow is meant. A client's packet names the listener; a backend's names its own endpoint. */
struct zdd_key {
	__u64 hash;
	const struct zdd_addr *client;
	const struct zdd_addr *peer; /* a backend's packet: its address; NULL: a client's packet */
	__be16 port;                 /* the client's, as this side sees it */
	__be16 peer_port;
	__u16 listener; /* a client's packet */
};

ZDD_INLINE struct zdd_key client_key(const struct zdd_job *j)
{
	return (struct zdd_key){
		.hash = j->hash, .client = &j->p.src, .port = j->p.sport, .listener = j->listener};
}

ZDD_INLINE struct zdd_key backend_key(const struct zdd_job *j)
{
	return (struct zdd_key){.hash = j->hash,
				.client = &j->p.dst,
				.port = j->p.dport,
				.peer = &j->p.src,
				.peer_port = j->p.sport};
}

/* A record as read whole. */
struct zdd_hit {
	struct zdd_flow *flow; /* NULL: none */
	__u32 place;
	__u64 meta;
	union zdd_owner owner;
};

ZDD_INLINE int same_client(const struct zdd_flow *f, const struct zdd_key *k)
{
	return ((f->client.d[0] ^ k->client->d[0]) | (f->client.d[1] ^ k->client->d[1]) |
		(f->port ^ k->port)) == 0;
}

ZDD_INLINE int is_endpoint(const struct zdd_backend *b, const struct zdd_addr *addr, __be16 port)
{
	return b->port == port && zdd_addr_eq(&b->addr, addr);
}

ZDD_INLINE int same_owner(union zdd_owner owner, __u64 meta, const struct zdd_key *k)
{
	const struct zdd_backend *b;
	int alias = !!(ZDD_META_STATE(meta) & ZDD_F_ALIAS);

	if (!k->peer)
		return owner.listener == k->listener && !alias;
	b = AT(backends, owner.backend);
	return b && !zdd_one_way(b->forward) && is_endpoint(b, k->peer, k->peer_port);
}

/* The record at a place, if it is the key's and stayed so while it was read. */
ZDD_INLINE int flow_read(__u32 place, const struct zdd_key *k, struct zdd_hit *hit)
{
	struct zdd_flow *f = AT(flow_recs, place);
	union zdd_owner owner;
	__u64 meta;

	if (!f)
		return 0;
	meta = ONCE(f->meta);
	if (!meta || ZDD_META_STATE(meta) & ZDD_F_WRITING) /* 0: there was never a flow */
		return 0;
	ORDER(&f->meta);
	owner.word = ONCE(f->owner.word);
	if (!same_client(f, k))
		return 0;
	if (k->peer && f->other && !(ZDD_META_STATE(meta) & ZDD_F_ALIAS))
		return 0; /* its backend knows it by another port: the alias answers */
	if (!same_owner(owner, meta, k))
		return 0;
	ORDER(&f->meta);
	if (ZDD_META_EPOCH(ONCE(f->meta)) != ZDD_META_EPOCH(meta))
		return 0;
	*hit = (struct zdd_hit){f, place, meta, owner};
	return 1;
}

/* 1 when x is 0. Without a branch: eight of them in a row are 256 paths to the verifier. */
ZDD_INLINE __u32 zero_bit(__u32 x)
{
	__u64 wide = x;

	OPAQUE(wide);
	return (wide - 1) >> 63;
}

/* Bit w is set when way w has this tag. */
ZDD_INLINE __u32 ways_with(const struct zdd_flow_bucket *b, __u32 tag)
{
	__u32 ways = 0;

	for (int w = 0; w < ZDD_FLOW_WAYS; w++)
		ways |= zero_bit(ONCE(b->tag[w]) ^ tag) << w;
	return ways;
}

/* The lowest set bit of 8, by halving; there is no such instruction in BPF. */
ZDD_INLINE __u32 lowest_way(__u32 ways)
{
	__u32 bit = ways & -ways;

	return (zero_bit(bit & 0xaa) | zero_bit(bit & 0xcc) << 1 | zero_bit(bit & 0xf0) << 2) ^ 7;
}

ZDD_INLINE __u32 count_ways(__u32 ways)
{
	ways = (ways & 0x55) + (ways >> 1 & 0x55);
	ways = (ways & 0x33) + (ways >> 2 & 0x33);
	return (ways & 15) + (ways >> 4 & 15);
}

ZDD_INLINE int flow_find_in(__u32 bucket, const struct zdd_key *k, struct zdd_hit *hit)
{
	const struct zdd_flow_bucket *b = AT(flow_tags, bucket);
	__u32 ways = b ? ways_with(b, zdd_flow_tag(k->hash)) : 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_FLOW_WAYS && ways; i++) {
		if (flow_read(bucket * ZDD_FLOW_WAYS + lowest_way(ways), k, hit))
			return 1;
		ways &= ways - 1;
	}
	return 0;
}

/* The way that a flow has at home, in the first of its buckets. */
ZDD_INLINE __u32 home_way(__u64 hash)
{
	return hash % ZDD_FLOW_WAYS;
}

/* hit->flow is NULL when there is none. At home nobody asks the tag: a record says itself whose it
 * is, so that most flows cost one line of memory. */
ZDD_INLINE void flow_find(struct zdd_region r, const struct zdd_key *k, struct zdd_hit *hit)
{
	__u32 one = flow_bucket(r, k->hash, 0);

	hit->flow = 0;
	if (!flow_read(one * ZDD_FLOW_WAYS + home_way(k->hash), k, hit) &&
	    !flow_find_in(one, k, hit))
		flow_find_in(flow_bucket(r, k->hash, 1), k, hit);
}

/* The packet's half-open flow. By itself: most packets have none. NO_PLACE: none. */
ZDD_RARE __u32 half_place(const struct zdd_job *j, __u32 of_client)
{
	struct zdd_key key;
	struct zdd_hit hit;

	if (!j)
		return NO_PLACE;
	key = of_client ? client_key(j) : backend_key(j);
	/* Else clang 14 asks for of_client where the peer is asked for, and the verifier of 6.1 does
	 * not know that the two go together. */
	OPAQUE(key.peer);
	flow_find(region_half(), &key, &hit);
	return hit.flow ? hit.place : NO_PLACE;
}

/* key: client_key or backend_key. */
ZDD_INLINE void find_half(const struct zdd_job *j, const struct zdd_key *key, struct zdd_hit *hit)
{
	__u32 place = half_place(j, !key->peer);

	if (place == NO_PLACE || !flow_read(place, key, hit))
		hit->flow = 0;
}

/* As flow_find does it. By itself: the verifier walks a search once for each place it is inlined. */
ZDD_RARE __u32 seek_place(const struct zdd_seek *s, __u32 first, __u32 n)
{
	struct zdd_region r = {first, n};
	struct zdd_key key;
	struct zdd_hit hit;

	if (!s)
		return NO_PLACE;
	key = (struct zdd_key){.hash = s->hash,
			       .client = &s->client,
			       .port = s->port,
			       .peer = s->of_backend ? &s->peer : 0,
			       .peer_port = s->peer_port,
			       .listener = s->listener};
	OPAQUE(key.peer);
	flow_find(r, &key, &hit);
	return hit.flow ? hit.place : NO_PLACE;
}

/* flow_find for what comes seldom. */
ZDD_INLINE void flow_seek(struct zdd_job *j, struct zdd_region r, const struct zdd_key *key,
			  struct zdd_hit *hit)
{
	struct zdd_seek *s = &j->seek;
	__u32 place;

	s->hash = key->hash;
	s->client = *key->client;
	s->port = key->port;
	s->of_backend = key->peer != 0;
	if (key->peer)
		s->peer = *key->peer;
	s->peer_port = key->peer_port;
	s->listener = key->listener;
	place = seek_place(s, r.first, r.n);
	if (place == NO_PLACE || !flow_read(place, key, hit))
		hit->flow = 0;
}

/* Neither look has met a flow that another CPU's packet promoted between them: once more. */
ZDD_INLINE void find_promoted(struct zdd_job *j, const struct zdd_key *key, struct zdd_hit *hit)
{
	flow_seek(j, region_tcp(), key, hit);
}

ZDD_INLINE __u64 meta_touched(__u64 meta, __u16 bits, __u32 now)
{
	return ZDD_META(now, ZDD_META_STATE(meta) | bits, ZDD_META_EPOCH(meta));
}

/* Adds state bits and refreshes last-seen; a place that was reused meanwhile is left alone. Tries
 * twice: both directions of a flow may come at once, and a lost bit (SYNACK, FIN) would keep the
 * record half-open or alive for long. Returns 0 when there was nothing to change. */
ZDD_INLINE int flow_touch(const struct zdd_hit *hit, __u16 bits, __u32 now)
{
	__u16 state = ZDD_META_STATE(hit->meta);
	__u64 was;

	if ((state | bits) == state && now - ZDD_META_SEEN(hit->meta) < geometry.hz / 4)
		return 0;
	was = __sync_val_compare_and_swap(&hit->flow->meta, hit->meta,
					  meta_touched(hit->meta, bits, now));
	if (was != hit->meta && ZDD_META_EPOCH(was) == ZDD_META_EPOCH(hit->meta))
		__sync_val_compare_and_swap(&hit->flow->meta, was, meta_touched(was, bits, now));
	return 1;
}

/* Ends the flow of an occupied place if its meta still is this one; the place is then this CPU's
 * alone until flow_publish or flow_abandon. */
ZDD_INLINE int flow_seize(struct zdd_flow *f, __u64 meta)
{
	return __sync_val_compare_and_swap(&f->meta, meta, ZDD_META_SEIZED(meta)) == meta;
}

/* Gives a place back that is this CPU's. */
ZDD_INLINE void flow_abandon(__u32 place)
{
	struct zdd_flow_bucket *b = AT(flow_tags, place / ZDD_FLOW_WAYS);

	if (b)
		__sync_lock_test_and_set(&b->tag[place % ZDD_FLOW_WAYS], ZDD_TAG_FREE);
}

/* A packet of a connection that the daemon is ending goes nowhere, so that both ends' numbers stand
 * still. What it acknowledges is the number that a reset to its sender must bear (RFC 5961 3.2);
 * also when that is lower than thought: data was lost on its way. Its own reset, which answers what
 * went past this node in one-way modes, bears the number that the other one expects. */
ZDD_RARE int end_cut(struct zdd_job *j, __u32 place, __u64 meta, __u32 from_client)
{
	struct zdd_hit hit = {.flow = AT(flow_recs, place), .place = place, .meta = meta};

	if (!j || !hit.flow)
		return 0;
	if (j->p.tcp_flags & TCP_ACK && from_client)
		ONCE(hit.flow->server_seq) = j->p.ack;
	else if (j->p.tcp_flags & TCP_ACK)
		ONCE(hit.flow->client_seq) = j->p.ack;
	if (j->p.tcp_flags & TCP_RST && from_client)
		ONCE(hit.flow->client_seq) = j->p.seq;
	flow_touch(&hit, 0, j->now);
	end_drop(&j->out, ZDD_V_CUT);
	return 0;
}

/* When a touch comes between, the record stays and expires. */
ZDD_INLINE void flow_free(const struct zdd_hit *hit)
{
	__u64 meta = ONCE(hit->flow->meta);

	if (ZDD_META_EPOCH(meta) == ZDD_META_EPOCH(hit->meta) && flow_seize(hit->flow, meta))
		flow_abandon(hit->place);
}

#endif
