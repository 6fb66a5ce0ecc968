/* SPDX-License-Identifier: BSD-2-Clause */
/* Live flows of a service, from the flow table itself. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "daemon.h"

struct gathering {
	struct daemon *daemon;
	const struct world_service *service;
	const struct conns_query *query;
	json_t *list;
	uint64_t total;
};

static const char *state_of(const struct zdd_flow *f)
{
	uint16_t state = ZDD_META_STATE(f->meta);

	if (state & ZDD_F_UDP)
		return "udp";
	if (state & ZDD_F_RST)
		return "reset";
	if (state & (ZDD_F_FIN_C | ZDD_F_FIN_S))
		return "closing";
	return state & ZDD_F_HALF ? "half_open" : "established";
}

/* born is jiffies >> 10: good to about four seconds. */
static int64_t age_ms(const struct gathering *g, const struct zdd_flow *f, uint32_t idle_ms)
{
	uint32_t hz = datapath_memory(g->daemon->datapath)->geometry->hz;
	uint64_t now = ZDD_META_SEEN(f->meta) + (uint64_t)idle_ms * hz / 1000;
	uint16_t age = (uint16_t)((now >> 10) - f->born);
	int64_t ms = (int64_t)age * 1024 * 1000 / hz;

	return ms > idle_ms ? ms : idle_ms;
}

static const struct world_pool *pool_of(const struct gathering *g, uint16_t object)
{
	for (size_t i = 0; i < g->service->cfg->n_pools; i++)
		if (g->service->pools[i].object == object)
			return &g->service->pools[i];
	return NULL;
}

static void endpoint(const struct zdd_addr *addr, __be16 port, char *out, size_t size)
{
	format_endpoint(out, size, addr, ntohs(port));
}

static void append(struct gathering *g, const struct zdd_flow *f, const char *pool,
		   const char *backend, uint8_t proto, uint32_t idle_ms)
{
	const struct zdd_listener *l =
		&datapath_memory(g->daemon->datapath)->listeners[f->owner.listener];
	const char *protocol = proto == IPPROTO_UDP ? "udp" : "tcp";
	char client[ENDPOINT_TEXT], listener[ENDPOINT_TEXT];

	endpoint(&f->client, f->port, client, sizeof(client));
	endpoint(&l->addr, l->port, listener, sizeof(listener));
	json_array_append_new(
		g->list,
		json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "client", client,
			  "listener", json_sprintf("%s/%s", listener, protocol), "pool", pool,
			  "backend", backend, "protocol", protocol, "state", state_of(f), "idle_ms",
			  (json_int_t)idle_ms, "age_ms", (json_int_t)age_ms(g, f, idle_ms),
			  "generation", (json_int_t)f->generation));
}

static bool each(const struct zdd_flow *f, uint8_t proto, uint32_t idle_ms, void *context)
{
	struct gathering *g = context;
	const struct world_pool *p = pool_of(g, f->owner.pool);
	const struct zdd_memory *m = datapath_memory(g->daemon->datapath);
	const struct zdd_backend *b = &m->backends[f->owner.backend];
	char backend[ENDPOINT_TEXT];

	if (!p || ZDD_META_STATE(f->meta) & ZDD_F_ALIAS)
		return true;
	if (g->query->pool && strcmp(g->query->pool, p->cfg->name))
		return true;
	endpoint(&b->addr, b->port, backend, sizeof(backend));
	if (g->query->backend && strcmp(g->query->backend, backend))
		return true;
	g->total++;
	if (json_array_size(g->list) < g->query->limit)
		append(g, f, p->cfg->name, backend, proto, idle_ms);
	return true;
}

json_t *conns_of(struct daemon *d, const struct conns_query *query)
{
	struct gathering g = {.daemon = d,
			      .service = world_find(d->world, query->service),
			      .query = query,
			      .list = json_array()};

	datapath_each_flow(d->datapath, each, &g);
	return json_pack("{s:o, s:I}", "conns", g.list, "total", (json_int_t)g.total);
}
