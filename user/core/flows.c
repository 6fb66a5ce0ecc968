/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "flows.h"

enum { NO_PLACE = 0xffffffff };

uint32_t region_buckets(const struct zdd_geometry *g, enum flow_region region)
{
	return region == FLOWS_TCP    ? g->tcp_buckets
	       : region == FLOWS_HALF ? g->half_buckets
				      : g->udp_buckets;
}

uint32_t region_first(const struct zdd_geometry *g, enum flow_region region)
{
	return region == FLOWS_TCP    ? 0
	       : region == FLOWS_HALF ? g->tcp_buckets
				      : g->tcp_buckets + g->half_buckets;
}

uint8_t region_proto(enum flow_region region)
{
	return region == FLOWS_UDP ? IPPROTO_UDP : IPPROTO_TCP;
}

static uint32_t *tag_at(const struct zdd_memory *m, uint32_t place)
{
	return &m->flow_tags[place / ZDD_FLOW_WAYS].tag[place % ZDD_FLOW_WAYS];
}

/* ---- reading ---- */

/* The epoch before and after tells whether one flow was read. */
bool flow_copy(const struct zdd_memory *m, uint32_t place, struct zdd_flow *out, uint32_t *tag)
{
	const struct zdd_flow *f = &m->flow_recs[place];
	__u64 meta;

	*tag = __atomic_load_n(tag_at(m, place), __ATOMIC_ACQUIRE);
	if (*tag < ZDD_TAG_FIRST)
		return false;
	meta = __atomic_load_n(&f->meta, __ATOMIC_ACQUIRE);
	if (ZDD_META_STATE(meta) & ZDD_F_WRITING)
		return false;
	memcpy(out, f, sizeof(*out));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (ZDD_META_EPOCH(__atomic_load_n(&f->meta, __ATOMIC_RELAXED)) != ZDD_META_EPOCH(meta))
		return false;
	out->meta = meta;
	return out->owner.listener < m->geometry->listeners &&
	       out->owner.backend < m->geometry->backends && out->owner.pool < m->geometry->pools;
}

uint32_t flows_held(const struct zdd_memory *m, enum flow_region region)
{
	const struct zdd_flow_bucket *b = &m->flow_tags[region_first(m->geometry, region)];
	uint32_t held = 0;

	for (uint32_t i = 0; i < region_buckets(m->geometry, region); i++, b++)
		for (unsigned w = 0; w < ZDD_FLOW_WAYS; w++)
			held += b->tag[w] >= ZDD_TAG_FIRST;
	return held;
}

bool flow_end(const struct zdd_memory *m, uint32_t place, __u64 meta)
{
	if (!__atomic_compare_exchange_n(&m->flow_recs[place].meta, &meta, ZDD_META_SEIZED(meta),
					 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(tag_at(m, place), ZDD_TAG_FREE, __ATOMIC_SEQ_CST);
	return true;
}

bool flow_has_ended(uint16_t state)
{
	const uint16_t both = ZDD_F_FIN_C | ZDD_F_FIN_S;

	return state & ZDD_F_RST || (state & both) == both;
}

__u64 flow_cut(const struct zdd_memory *m, uint32_t place, __u64 meta, uint32_t now)
{
	__u64 *at = &m->flow_recs[place].meta, was = meta, next;

	do {
		if (ZDD_META_EPOCH(was) != ZDD_META_EPOCH(meta))
			return 0;
		next = ZDD_META(now, ZDD_META_STATE(was) | ZDD_F_CUT | ZDD_F_RST,
				ZDD_META_EPOCH(was));
	} while (!__atomic_compare_exchange_n(at, &was, next, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return next;
}

/* ---- where a flow belongs ---- */

struct seat {
	uint32_t bucket[2], tag;
};

/* What the hash of an alias has more than that of a flow. */
static uint64_t endpoint_of(const struct zdd_memory *m, const struct zdd_flow *f)
{
	const struct zdd_backend *b = &m->backends[f->owner.backend];

	if (!f->source || !(ZDD_META_STATE(f->meta) & ZDD_F_ALIAS))
		return 0;
	return zdd_door_hash(&b->addr, b->port, 0);
}

static struct seat seat_of(const struct zdd_memory *m, enum flow_region region,
			   const struct zdd_flow *f)
{
	uint64_t hash = zdd_alias_hash(&f->client, f->port, region_proto(region),
				       m->desk->flow_seed, endpoint_of(m, f));
	uint32_t first = region_first(m->geometry, region);
	uint32_t n = region_buckets(m->geometry, region);

	return (struct seat){
		{first + zdd_flow_bucket(hash, 0, n), first + zdd_flow_bucket(hash, 1, n)},
		zdd_flow_tag(hash)};
}

/* An alias is known by its backend, a flow by its listener. */
static bool same_flow(const struct zdd_flow *a, const struct zdd_flow *b)
{
	uint16_t one = ZDD_META_STATE(a->meta), two = ZDD_META_STATE(b->meta);

	if (!zdd_addr_eq(&a->client, &b->client) || a->port != b->port || (one ^ two) & ZDD_F_ALIAS)
		return false;
	return one & ZDD_F_ALIAS ? a->owner.backend == b->owner.backend
				 : a->owner.listener == b->owner.listener;
}

/* The place of f's record, with a copy of it, or NO_PLACE. */
static uint32_t find(const struct zdd_memory *m, enum flow_region region, const struct zdd_flow *f,
		     struct zdd_flow *found)
{
	struct seat seat = seat_of(m, region, f);
	uint32_t tag;

	for (unsigned i = 0; i < 2 * ZDD_FLOW_WAYS; i++) {
		uint32_t place = seat.bucket[i / ZDD_FLOW_WAYS] * ZDD_FLOW_WAYS + i % ZDD_FLOW_WAYS;

		if (*tag_at(m, place) == seat.tag && flow_copy(m, place, found, &tag) &&
		    same_flow(found, f))
			return place;
	}
	return NO_PLACE;
}

static unsigned free_ways(const struct zdd_memory *m, uint32_t bucket)
{
	unsigned n = 0;

	for (unsigned w = 0; w < ZDD_FLOW_WAYS; w++)
		n += m->flow_tags[bucket].tag[w] == ZDD_TAG_FREE;
	return n;
}

static uint32_t claim_in(const struct zdd_memory *m, uint32_t bucket)
{
	for (unsigned w = 0; w < ZDD_FLOW_WAYS; w++) {
		uint32_t was = ZDD_TAG_FREE;

		if (__atomic_compare_exchange_n(&m->flow_tags[bucket].tag[w], &was, ZDD_TAG_BUSY,
						false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return bucket * ZDD_FLOW_WAYS + w;
	}
	return NO_PLACE;
}

static uint32_t claim(const struct zdd_memory *m, const struct seat *seat)
{
	unsigned second = free_ways(m, seat->bucket[1]) > free_ways(m, seat->bucket[0]);
	uint32_t place = claim_in(m, seat->bucket[second]);

	return place == NO_PLACE ? claim_in(m, seat->bucket[!second]) : place;
}

/* ---- entering ---- */

static void write_record(const struct zdd_memory *m, uint32_t place, const struct zdd_flow *f,
			 uint32_t tag)
{
	struct zdd_flow *to = &m->flow_recs[place];
	uint64_t meta = ZDD_META(ZDD_META_SEEN(f->meta), ZDD_META_STATE(f->meta),
				 ZDD_META_EPOCH(to->meta) + 1);

	__atomic_store_n(&to->meta, meta | (uint64_t)ZDD_F_WRITING << 16, __ATOMIC_SEQ_CST);
	memcpy((char *)to + sizeof(to->meta), (const char *)f + sizeof(f->meta),
	       sizeof(*to) - sizeof(to->meta));
	__atomic_store_n(tag_at(m, place), tag, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->meta, meta, __ATOMIC_SEQ_CST);
}

/* Adds state bits and takes the later time, unless the place was reused since `was`. */
static void touch(struct zdd_flow *f, uint64_t was, uint16_t bits, uint32_t seen)
{
	__u64 now = __atomic_load_n(&f->meta, __ATOMIC_ACQUIRE), next;

	do {
		if (ZDD_META_EPOCH(now) != ZDD_META_EPOCH(was))
			return;
		if ((int32_t)(ZDD_META_SEEN(now) - seen) > 0)
			seen = ZDD_META_SEEN(now);
		next = ZDD_META(seen, ZDD_META_STATE(now) | bits, ZDD_META_EPOCH(now));
	} while (!__atomic_compare_exchange_n(&f->meta, &now, next, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
}

void flow_end_alias(const struct zdd_memory *m, const struct zdd_flow *f, uint32_t now)
{
	struct zdd_flow alias = *f, found;
	uint32_t place;

	alias.meta = ZDD_META(0, ZDD_F_ALIAS, 0);
	alias.port = f->other;
	if (f->source)
		alias.client = m->sources[f->source % ZDD_SOURCES];
	place = find(m, FLOWS_TCP, &alias, &found);
	if (place == NO_PLACE)
		place = find(m, FLOWS_HALF, &alias, &found);
	if (place != NO_PLACE)
		touch(&m->flow_recs[place], found.meta, ZDD_F_RST, now);
}

static void advance(uint32_t *known, uint32_t next)
{
	if ((int32_t)(next - *known) > 0)
		*known = next;
}

/* The record is the newer one when they are not of one connection: flows begin here. */
static void learn(struct zdd_flow *to, const struct zdd_flow *was, const struct zdd_flow *f)
{
	bool alias = ZDD_META_STATE(f->meta) & ZDD_F_ALIAS;
	const uint16_t told =
		ZDD_F_SYNACK | ZDD_F_FIN_C | ZDD_F_FIN_S | ZDD_F_RST | ZDD_F_CUT | ZDD_F_CHALLENGED;
	uint16_t bits = ZDD_META_STATE(f->meta) & told;

	if (alias)
		return touch(to, was->meta, bits, ZDD_META_SEEN(f->meta));
	if (was->isn != f->isn)
		return;
	advance(&to->client_seq, f->client_seq);
	if (bits & ~ZDD_META_STATE(was->meta) & ZDD_F_SYNACK)
		to->server_seq = f->server_seq;
	else if (bits & ZDD_F_SYNACK)
		advance(&to->server_seq, f->server_seq);
	touch(to, was->meta, bits, ZDD_META_SEEN(f->meta));
}

/* An established record has come to this place: the half-open one of the same connection goes,
 * another one must be heard too. */
static void meet_half(const struct zdd_memory *m, const struct zdd_flow *f, uint32_t place)
{
	struct zdd_flow half;
	uint32_t at = find(m, FLOWS_HALF, f, &half);

	if (at == NO_PLACE)
		return;
	if (ZDD_META_STATE(f->meta) & ZDD_F_ALIAS || half.isn == f->isn)
		flow_end(m, at, half.meta);
	else
		touch(&m->flow_recs[place], m->flow_recs[place].meta, ZDD_F_CHALLENGED,
		      ZDD_META_SEEN(f->meta));
}

int flow_enter(const struct zdd_memory *m, enum flow_region region, const struct zdd_flow *f)
{
	struct seat seat = seat_of(m, region, f);
	struct zdd_flow was;
	uint32_t place = find(m, region, f, &was);

	if (place != NO_PLACE) {
		learn(&m->flow_recs[place], &was, f);
		return 0;
	}
	if (region == FLOWS_HALF && find(m, FLOWS_TCP, f, &was) != NO_PLACE &&
	    (ZDD_META_STATE(f->meta) & ZDD_F_ALIAS || was.isn == f->isn))
		return 0;
	place = claim(m, &seat);
	if (place == NO_PLACE)
		return -ENOSPC;
	write_record(m, place, f, seat.tag);
	if (region == FLOWS_TCP)
		meet_half(m, f, place);
	return 0;
}

static size_t enter_region(const struct zdd_memory *from, const struct zdd_memory *to,
			   enum flow_region region)
{
	uint32_t place = region_first(from->geometry, region) * ZDD_FLOW_WAYS, tag;
	uint32_t end = place + region_buckets(from->geometry, region) * ZDD_FLOW_WAYS;
	struct zdd_flow f;
	size_t lost = 0;

	for (; place < end; place++) {
		if (!flow_copy(from, place, &f, &tag))
			continue;
		if (from->geometry->layout_version < 2)
			f.source = 0; /* were bits of the generation */
		if (from->geometry->layout_version < 4 && region == FLOWS_UDP)
			f.meta |= (__u64)ZDD_F_SERVED << 16; /* nobody noted what was answered */
		if (flow_enter(to, region, &f))
			lost++;
	}
	return lost;
}

size_t flows_enter_all(const struct zdd_memory *from, const struct zdd_memory *to)
{
	size_t lost = enter_region(from, to, FLOWS_HALF);

	lost += enter_region(from, to, FLOWS_TCP);
	return lost + enter_region(from, to, FLOWS_UDP);
}
