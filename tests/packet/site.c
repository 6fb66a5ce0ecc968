/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flows.h"
#include "rows.h"
#include "site.h"

/* clang-format off */
#define POOL(backends) "    health: {type: none}\n    live: one\n    pools: {one: [" backends "]}\n"
#define STAYING                                                                                    \
	"interfaces: [eth0]\nservices:\n"                                                          \
	"  web:\n    listen: ['" WEB "/tcp', '" WEB6 "/tcp']\n"                                    \
	POOL("'" WEB_B "', '" WEB6_B "'")                                                          \
	"  dns:\n    listen: ['" DNS "/udp', '" DNS6 "/udp']\n"                                    \
	POOL("'" DNS_B "', '" DNS6_B "'")                                                          \
	"  pair:\n    listen: ['" PAIR "/tcp', '" PAIR "/udp', '"                                  \
	PAIR_TOO "/tcp', '" PAIR_TOO "/udp', '" PAIR6 "/tcp']\n"                                   \
	POOL("'" PAIR_B "', '" PAIR_B2 "', '" PAIR6_B "', '" PAIR6_B2 "'")                                                        \
	"  twin:\n    listen: ['" TWIN "/tcp', '" TWIN "/udp', '"                                  \
	TWIN_TOO "/tcp', '" TWIN_TOO "/udp']\n"                                                    \
	POOL("'" TWIN_B "'")                                                                       \
	"  empty:\n    listen: ['" EMPTY "/tcp', '" EMPTY6 "/tcp']\n    live: one\n"              \
	"    pools: {one: [], two: ['10.0.9.9:1', '[fd00:9::9]:1']}\n"                             \
	"  local:\n    listen: ['" LOCAL "/tcp']\n    forward: local\n    live: one\n"           \
	"    pools: {one: ['127.0.0.1:8080']}\n"                                                 \
	"  http:\n    listen: ['" HTTP "/tcp']\n    signals: {http: true}\n"                     \
	POOL("'" HTTP_B "'")                                                                       \
	"  far:\n    listen: ['" FAR "/tcp', '" FAR "/udp', '" FAR6 "/tcp', '" FAR6 "/udp']\n"     \
	"    forward: snat\n"                                                                     \
	POOL("'" FAR_B "', '" FAR6_B "'")                                                          \
	"  far-pair:\n    listen: ['" FAR_PAIR "/tcp']\n    forward: snat\n"                        \
	POOL("'" FAR_PAIR_B "', '" FAR_PAIR_B2 "'")                                                \
	"  canary:\n    listen: ['" CANARY "/tcp']\n    health: {type: none}\n    live: old\n" \
	"    retry: off\n    pools: {old: ['" CANARY_LIVE "'], new: ['" CANARY_NEW "']}\n"
#define ROAD(name, mode, v4, v6, backends)                                                         \
	"  " name ":\n    forward: " mode "\n    listen: ['" v4 "/tcp', '" v4 "/udp', '"             \
	v6 "/tcp', '" v6 "/udp']\n" POOL(backends)
#define ROADS                                                                                      \
	ROAD("dsr", "dsr", DSR, DSR6, "'" DSR_B "', '" DSR6_B "'")                                 \
	ROAD("ipip", "ipip", IPIP, IPIP6, "'" IPIP_B "'")                                          \
	ROAD("ipip-by6", "ipip", IPIP_BY6, IPIP6_BY6, "'" IPIP_BY6_B "'")                          \
	ROAD("gue", "gue", GUE, GUE6, "'" GUE_B "'")                                               \
	ROAD("gue-by6", "gue", GUE_BY6, GUE6_BY6, "'" GUE_BY6_B "'")                               \
	"  same-dsr:\n    forward: dsr\n    listen: ['" OTHER_DSR "/tcp']\n" POOL("'" DSR_B "'")
#define LAST(port) "  leaving:\n    listen: ['203.0.113.30:" port "/tcp']\n" POOL("'" LEAVING_B "'")

/* clang-format on */
const char site_config[] = STAYING ROADS LAST("443");
const char site_config_less[] = STAYING ROADS LAST("80");
const char site_config_few[] = "snat: {ports: 20000-20001}\n" STAYING ROADS LAST("443");
const char site_config_one[] = "snat: {ports: 20000-20000}\n" STAYING ROADS LAST("443");
const char site_config_twenty[] = "snat: {ports: 20000-20019}\n" STAYING ROADS LAST("443");
const char site_config_listed[] =
	"snat: {addresses: [" NODE_TOO ", '" NODE6_TOO "']}\n" STAYING ROADS LAST("443");

const uint8_t node_mac[6] = {2, 0, 0, 0, 0xaa, 1};

static void must(bool held, const char *what, const char *why)
{
	if (held)
		return;
	fprintf(stderr, "site: %s: %s\n", what, why ? why : "");
	exit(2);
}

void backend_mac(const struct end *backend, uint8_t mac[6])
{
	const uint8_t *b = backend->addr.b;

	memcpy(mac, (uint8_t[]){2, 0, 0, b[13], b[14], b[15]}, 6);
}

static void wipe(struct zdd_memory *m, uint64_t seed)
{
	struct zdd_geometry first = engine_geometry, *g = &first;

	first.cpus = 1; /* the engines stay on CPU 0 */
#define M(name, type, count) memset(m->name, 0, (size_t)(count) * sizeof(type));
	ZDD_MEMORY(M)
#undef M
	m->desk->geometry = engine_geometry;
	m->desk->flow_seed = seed;
	m->pressure->aged = 1ull << 62; /* no time passes: engines have clocks of their own */
}

static void set_hops(const struct site *s)
{
	struct zdd_memory *m = s->memory;

	for (uint32_t i = 0; i < engine_geometry.backends; i++) {
		struct zdd_backend *b = &m->backends[i];
		struct end end = {b->addr, ntohs(b->port)};
		struct zdd_hop *h = &m->hops[i + 1];

		if (!(b->flags & ZDD_B_USED) || b->hop || i + 1 >= engine_geometry.hops)
			continue;
		*h = (struct zdd_hop){.ifindex = 2, .flags = ZDD_H_RESOLVED | ZDD_H_XDP};
		backend_mac(&end, h->dmac);
		memcpy(h->smac, node_mac, 6);
		h->source = zdd_addr_is_v4(&b->addr) ? 1 : 2;
		b->hop = (uint16_t)(i + 1);
	}
}

static void publish(struct site *s)
{
	char *error = NULL;
	int slot = planner_compile(s->planner, s->world, NULL, 0, &error);

	must(slot >= 0, "compile", error);
	set_hops(s);
	s->world->generation = planner_publish(s->planner, (unsigned)slot, 0);
	planner_settled(s->planner, s->world->generation);
}

void site_apply(struct site *s, const char *text)
{
	struct config *config = NULL;
	struct world *next = NULL;
	char *error = NULL;
	int err = config_parse("site", text, strlen(text), &config, &error);

	must(!err, "config", error);
	err = world_make(config, s->world, &next, &error);
	must(!err, "world", error);
	world_free(s->world);
	s->world = next;
	publish(s);
}

void site_make(struct site *s, struct zdd_memory *m, uint64_t seed)
{
	struct zdd_link *link = &m->links[zdd_link_slot(1)];

	*s = (struct site){.memory = m, .seed = seed};
	wipe(m, seed);
	must(!planner_make(m, &s->planner), "planner", NULL);
	m->sources[1] = end_of(NODE_SOURCE).addr;
	m->sources[2] = end_of(NODE_SOURCE6).addr;
	link->ifindex = 1;
	link->flags = ZDD_H_XDP;
	memcpy(link->mac, node_mac, 6);
	site_apply(s, site_config);
}

void site_free(struct site *s)
{
	planner_free(s->planner);
	world_free(s->world);
}

static struct world_backend *world_backend_at(struct site *s, const struct end *end)
{
	for (size_t i = 0; i < s->world->config->n_services; i++)
		for (size_t k = 0; k < s->world->services[i].pools[0].cfg->n_backends; k++) {
			struct world_backend *b = &s->world->services[i].pools[0].backends[k];

			if (zdd_addr_eq(&b->cfg->addr, &end->addr) && b->cfg->port == end->port)
				return b;
		}
	return NULL;
}

void site_down(struct site *s, const struct end *end)
{
	struct world_backend *b = world_backend_at(s, end);

	must(b, "no such backend", NULL);
	b->health.state = HEALTH_DOWN;
	publish(s);
}

void site_eject(struct site *s, const struct end *end, bool on_trial)
{
	struct world_backend *b = world_backend_at(s, end);

	must(b, "no such backend", NULL);
	b->passive.state = on_trial ? PASSIVE_TRIAL : PASSIVE_EJECTED;
	s->memory->backends[b->object].may_try = on_trial;
	publish(s);
}

void site_lease(struct site *s, const struct zdd_override *lease)
{
	struct world_service *canary = world_find(s->world, "canary");

	canary->leased = true;
	canary->share[0] = 0;
	canary->share[1] = ZDD_SHARE_UNITS;
	s->memory->overrides[canary->pools[1].object] = *lease;
	publish(s);
}

static void add_rows(const struct zdd_signals *rows, uint32_t n, struct zdd_signals *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (const struct zdd_signals *row = rows; row < rows + n; row++) {
		for (size_t k = 0; k < offsetof(struct zdd_signals, connect) / 8; k++)
			((uint64_t *)sum)[k] += ((const uint64_t *)row)[k];
		for (size_t k = 0; k < ZDD_LATENCY_BUCKETS; k++) {
			sum->connect[0] += row->connect[k];
			sum->first_byte[0] += row->first_byte[k];
		}
	}
}

void site_shown(const struct site *s, struct zdd_signals *pools, struct zdd_signals *backends)
{
	add_rows(s->memory->pool_signals, engine_geometry.pools, pools); /* of CPU 0 */
	add_rows(s->memory->backend_signals, engine_geometry.backends, backends);
}

struct zdd_signal_row site_signals(const struct site *s)
{
	struct zdd_signal_row sum = {0};

	for (uint32_t i = 0; i < engine_geometry.backends; i++) {
		const struct zdd_signal_row row = rows_signals(s->memory, i);

		for (size_t k = 0; k < sizeof(row) / sizeof(uint64_t); k++)
			((uint64_t *)&sum)[k] += ((const uint64_t *)&row)[k];
	}
	return sum;
}

struct zdd_backend *site_backend(const struct site *s, const struct end *end)
{
	for (uint32_t i = 0; i < engine_geometry.backends; i++) {
		struct zdd_backend *b = &s->memory->backends[i];

		if (b->flags & ZDD_B_USED && zdd_addr_eq(&b->addr, &end->addr) &&
		    b->port == htons(end->port))
			return b;
	}
	return NULL;
}

struct zdd_hop *site_hop(const struct site *s, const struct end *end)
{
	const struct zdd_backend *b = site_backend(s, end);

	must(b, "no such backend", NULL);
	return &s->memory->hops[b->hop];
}

void site_mtu(const struct site *s, uint16_t mtu)
{
	for (uint32_t i = 0; i < engine_geometry.hops; i++)
		s->memory->hops[i].mtu = mtu;
}

/* ---- flows ---- */

void site_age(const struct site *s, uint32_t seconds)
{
	uint32_t n = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t meta = s->memory->flow_recs[i].meta;
		uint32_t seen = ZDD_META_SEEN(meta) - seconds * engine_geometry.hz;

		s->memory->flow_recs[i].meta =
			ZDD_META(seen, ZDD_META_STATE(meta), ZDD_META_EPOCH(meta));
	}
	for (uint32_t i = 0; i < ZDD_FRAGMENT_SETS * ZDD_FRAGMENT_WAYS; i++)
		s->memory->fragments[i / ZDD_FRAGMENT_WAYS].fragment[i % ZDD_FRAGMENT_WAYS].seen -=
			seconds * engine_geometry.hz;
}

static uint32_t newest_seen(const struct site *s)
{
	uint32_t n = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry), newest = 0;

	for (uint32_t i = 0; i < n; i++)
		if (s->memory->flow_recs[i].meta)
			newest = ZDD_META_SEEN(s->memory->flow_recs[i].meta);
	return newest;
}

void site_sent(const struct site *s, int seconds_ago)
{
	uint32_t n = ZDD_FLOW_WAYS * engine_geometry.half_buckets;
	uint32_t sent = newest_seen(s) - (uint32_t)seconds_ago * engine_geometry.hz;

	for (uint32_t i = 0; i < n; i++)
		s->memory->syns[i].sent = sent;
}

/* Strangers are of the last listener, whose flows never expire, and were seen just now. */
void site_fill(const struct site *s)
{
	uint32_t n = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry);
	uint16_t last = (uint16_t)(engine_geometry.listeners - 1);
	uint32_t now = newest_seen(s);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t *tag = &s->memory->flow_tags[i / ZDD_FLOW_WAYS].tag[i % ZDD_FLOW_WAYS];

		if (*tag != ZDD_TAG_FREE)
			continue;
		*tag = ZDD_TAG_FIRST + 1;
		s->memory->flow_recs[i].meta = ZDD_META(now, ZDD_F_UDP, 1);
		s->memory->flow_recs[i].owner.listener = last;
	}
	s->memory->listeners[last].idle = ~0u;
}

void site_cut(const struct site *s)
{
	uint32_t n = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry), tag;
	struct zdd_flow f;

	for (uint32_t i = 0; i < n; i++)
		if (flow_copy(s->memory, i, &f, &tag) &&
		    !(ZDD_META_STATE(f.meta) & (ZDD_F_UDP | ZDD_F_ALIAS)))
			flow_cut(s->memory, i, f.meta, ZDD_META_SEEN(f.meta));
}

void site_knows(const struct site *s, uint32_t client_seq, uint32_t server_seq)
{
	uint32_t n = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(&engine_geometry), tag;
	struct zdd_flow f;

	for (uint32_t i = 0; i < n; i++)
		if (flow_copy(s->memory, i, &f, &tag) && ZDD_META_STATE(f.meta) & ZDD_F_CUT &&
		    f.client_seq == client_seq && f.server_seq == server_seq)
			return;
	must(false, "no flow that is cut expects these numbers", NULL);
}

void site_clear_flows(const struct site *s)
{
	const struct zdd_geometry *g = &engine_geometry;

	memset(s->memory->flow_tags, 0, ZDD_FLOW_BUCKETS(g) * sizeof(struct zdd_flow_bucket));
	memset(s->memory->flow_recs, 0,
	       ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(g) * sizeof(struct zdd_flow));
}
