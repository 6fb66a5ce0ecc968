/* SPDX-License-Identifier: BSD-2-Clause */
/* A node without frames: packets are facts, put to the brain natively. One VIP with two ports, each
 * for TCP and UDP, and a pool of two backends with a table of 64 slots. */
#ifndef ZDD_FLOW_NODE_H
#define ZDD_FLOW_NODE_H

#include <arpa/inet.h>

#include "mem.h"
#include "lookup.h"

#include "memory.h"

enum { N_FIN = 1, N_SYN = 2, N_RST = 4, N_ACK = 16, PORTS = 2, HZ = 250 };

static struct zdd_memory node;
static struct zdd_geometry node_geometry;

static struct zdd_addr v4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	return zdd_addr_v4(htonl(a << 24 | b << 16 | c << 8 | d));
}

static struct zdd_addr vip(void)
{
	return v4(203, 0, 113, 10);
}

static void put_door(struct zdd_addr addr, unsigned port, __u8 proto, struct zdd_door door)
{
	__u64 hash = zdd_door_hash(&addr, htons((__u16)port), proto);
	struct zdd_door *way = node.doors[zdd_scale((__u32)hash, geometry.door_buckets)].way;

	while (way->kind)
		way++;
	door.addr = addr;
	door.port = htons((__u16)port);
	door.proto = proto;
	*way = door;
}

static void put_listeners(void)
{
	for (unsigned i = 0; i < 2 * PORTS; i++) {
		unsigned port = 443 + i / 2;
		__u8 proto = i & 1 ? PROTO_UDP : PROTO_TCP;

		node.listeners[i] = (struct zdd_listener){
			.addr = vip(), .port = htons((__u16)port), .proto = proto, .used = 1};
		node.listeners[i].idle = 60 * HZ;
		put_door(vip(), port, proto,
			 (struct zdd_door){.kind = ZDD_DOOR_LISTENER, .listener = (__u16)i});
	}
}

static void put_backends(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct zdd_addr addr = v4(10, 0, 1, 11 + i);

		node.backends[i] = (struct zdd_backend){
			.addr = addr, .port = htons(8080), .flags = ZDD_B_USED};
		put_door(addr, 8080, PROTO_TCP, (struct zdd_door){.kind = ZDD_DOOR_BACKEND});
		put_door(addr, 8080, PROTO_UDP, (struct zdd_door){.kind = ZDD_DOOR_BACKEND});
	}
	node.pools[0].n_slots[0] = n > 1 ? 64 : 1;
	for (unsigned i = 0; i < 64; i++)
		node.tables[i / 4].backend[i % 4] = (__u16)(i % n);
}

/* buckets of each region */
static inline void node_make(__u32 buckets, unsigned n_backends)
{
	node_geometry = (struct zdd_geometry){.cpus = 8,
					      .hz = HZ,
					      .listeners = 8,
					      .services = 2,
					      .pools = 2,
					      .backends = 4,
					      .hops = 2,
					      .door_buckets = 64,
					      .table_words = 16,
					      .share_words = 1,
					      .cohorts = 1,
					      .tcp_buckets = buckets,
					      .half_buckets = buckets,
					      .udp_buckets = buckets};
	memory_make(&node, &node_geometry);
	native_use(&node);
	native_now = 1 << 20;
	node.services[0] = (struct zdd_service){.n_pools = 1, .v4_mask = ~0u};
	put_listeners();
	put_backends(n_backends);
	node.desk->flow_seed = 0x5eed;
	node.desk->word = ZDD_WORD(1, 0);
}

static void node_end(void)
{
	memory_free(&node);
}

/* ---- packets ---- */

struct client {
	struct zdd_addr addr;
	__u16 port;
	__u16 vip_port;
	__u8 proto;
};

static inline struct client client_n(__u32 n, __u8 proto)
{
	return (struct client){v4(198, 51, n >> 24 & 255, n >> 16 & 255), (__u16)n, 443, proto};
}

static struct zdd_packet packet_of(const struct client *c, unsigned flags, __u32 seq, __u32 ack)
{
	struct zdd_packet p = {.proto = c->proto,
			       .tcp_flags = (__u8)flags,
			       .seq = seq,
			       .ack = ack,
			       .ttl = 64,
			       .ifindex = 1};

	memcpy(p.mac, &c->port, 2);
	return p;
}

static struct zdd_out ask(const struct zdd_packet *p)
{
	struct zdd_job j = {.syn = {.kept = ZDD_SYN_WHOLE}};

	job_start(&j);
	j.p = *p;
	lookup(NULL, PARSED_L4, &j);
	count_verdict(j.out.verdict);
	return j.out;
}

static inline struct zdd_out from_client(const struct client *c, unsigned flags, __u32 seq,
					 __u32 ack)
{
	struct zdd_packet p = packet_of(c, flags, seq, ack);

	p.src = c->addr;
	p.sport = htons(c->port);
	p.dst = vip();
	p.dport = htons(c->vip_port);
	return ask(&p);
}

/* To the client's port as the backend knows it, host order. */
static inline struct zdd_out from_backend(unsigned backend, const struct client *c, __u16 port,
					  unsigned flags, __u32 seq, __u32 ack)
{
	struct zdd_packet p = packet_of(c, flags, seq, ack);

	p.src = node.backends[backend].addr;
	p.sport = node.backends[backend].port;
	p.dst = c->addr;
	p.dport = htons(port);
	return ask(&p);
}

/* Which backend a decision leads to. */
static inline unsigned backend_in(const struct zdd_out *o)
{
	return o->addr.b[15] - 11u;
}

/* ---- looking into the table ---- */

enum region { REGION_TCP, REGION_HALF, REGION_UDP };

/* Valid records of this client and port, aliases or not; *last is one of them. */
static inline unsigned records(enum region r, const struct client *c, __u16 port,
			       struct zdd_flow **last)
{
	__u32 first = r * geometry.tcp_buckets * ZDD_FLOW_WAYS, n = 0;

	for (__u32 i = first; i < first + geometry.tcp_buckets * ZDD_FLOW_WAYS; i++) {
		struct zdd_flow *f = &node.flow_recs[i];

		if (node.flow_tags[i / ZDD_FLOW_WAYS].tag[i % ZDD_FLOW_WAYS] < ZDD_TAG_FIRST)
			continue;
		if (!zdd_addr_eq(&f->client, &c->addr) || f->port != htons(port))
			continue;
		n++;
		if (last)
			*last = f;
	}
	return n;
}

static inline unsigned taken_places(enum region r)
{
	__u32 first = r * geometry.tcp_buckets, n = 0;

	for (__u32 b = first; b < first + geometry.tcp_buckets; b++)
		for (unsigned w = 0; w < ZDD_FLOW_WAYS; w++)
			n += node.flow_tags[b].tag[w] != ZDD_TAG_FREE;
	return n;
}

static inline __u16 state_of(const struct zdd_flow *f)
{
	return f ? ZDD_META_STATE(f->meta) : 0;
}

#endif
