/* SPDX-License-Identifier: BSD-2-Clause */
/* Live flows of a service, from the flow table itself; in mode local its sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "daemon.h"
#include "drain.h"
#include "flows.h"

struct found {
	struct zdd_flow flow;
	const struct world_pool *pool;
	uint32_t idle_ms;
	uint8_t proto;
	int64_t age_ms;
	uint64_t deadline_ms;
};

struct gathering {
	struct daemon *daemon;
	const struct world_service *service;
	const struct conns_query *query;
	struct found *list; /* room for twice the limit: then only the oldest stay */
	size_t n, limit;
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

static const struct zdd_listener *listener_of(const struct gathering *g, const struct zdd_flow *f)
{
	return &datapath_memory(g->daemon->datapath)->listeners[f->owner.listener];
}

/* What the backend sees instead of the client, or null. */
static json_t *source_of(const struct zdd_memory *m, const struct zdd_flow *f)
{
	char text[ENDPOINT_TEXT];

	if (!f->other)
		return json_null();
	endpoint(f->source && f->source < ZDD_SOURCES ? &m->sources[f->source] : &f->client,
		 f->other, text, sizeof(text));
	return json_string(text);
}

static void backend_text(const struct gathering *g, const struct zdd_flow *f, char *out,
			 size_t size)
{
	const struct zdd_backend *b =
		&datapath_memory(g->daemon->datapath)->backends[f->owner.backend];

	endpoint(&b->addr, b->port, out, size);
}

/* A socket does not tell which plan chose. */
static json_t *generation_of(const struct gathering *g, const struct found *c)
{
	if (g->service->cfg->forward == FORWARD_LOCAL)
		return json_null();
	return json_integer(c->flow.generation);
}

static json_t *row(const struct gathering *g, const struct found *c)
{
	const struct zdd_listener *l = listener_of(g, &c->flow);
	const char *protocol = c->proto == IPPROTO_UDP ? "udp" : "tcp";
	char client[ENDPOINT_TEXT], listener[ENDPOINT_TEXT], backend[ENDPOINT_TEXT];

	endpoint(&c->flow.client, c->flow.port, client, sizeof(client));
	endpoint(&l->addr, l->port, listener, sizeof(listener));
	backend_text(g, &c->flow, backend, sizeof(backend));
	return json_pack("{s:s, s:o, s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "client",
			 client, "listener", json_sprintf("%s/%s", listener, protocol), "pool",
			 c->pool->cfg->name, "source",
			 source_of(datapath_memory(g->daemon->datapath), &c->flow), "backend",
			 backend, "protocol", protocol, "state", state_of(&c->flow), "idle_ms",
			 (json_int_t)c->idle_ms, "age_ms", (json_int_t)c->age_ms, "generation",
			 generation_of(g, c), "deadline", view_time(c->deadline_ms));
}

/* Ages are coarse: of two of one age, the one that was silent for longer. */
static int older_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->age_ms != y->age_ms)
		return x->age_ms < y->age_ms ? 1 : -1;
	return x->idle_ms < y->idle_ms ? 1 : x->idle_ms > y->idle_ms ? -1 : 0;
}

static void sort(struct gathering *g)
{
	if (g->n)
		qsort(g->list, g->n, sizeof(*g->list), older_first);
	if (g->n > g->limit)
		g->n = g->limit;
}

static bool is_wanted(const struct gathering *g, const struct found *c)
{
	char backend[ENDPOINT_TEXT];

	if (g->query->pool && strcmp(g->query->pool, c->pool->cfg->name))
		return false;
	if (g->query->draining && (!c->deadline_ms || flow_has_ended(ZDD_META_STATE(c->flow.meta))))
		return false;
	backend_text(g, &c->flow, backend, sizeof(backend));
	return !g->query->backend || !strcmp(g->query->backend, backend);
}

static bool each(const struct zdd_flow *f, uint8_t proto, uint32_t idle_ms, void *context)
{
	struct gathering *g = context;
	struct found c = {
		.flow = *f, .pool = pool_of(g, f->owner.pool), .idle_ms = idle_ms, .proto = proto};

	if (!c.pool || ZDD_META_STATE(f->meta) & ZDD_F_ALIAS)
		return true;
	c.deadline_ms = flow_deadline_ms(g->service, c.pool, f, listener_of(g, f));
	if (!is_wanted(g, &c))
		return true;
	c.age_ms = age_ms(g, f, idle_ms);
	g->total++;
	if (!g->list)
		return true;
	if (g->n == 2 * g->limit)
		sort(g);
	g->list[g->n++] = c;
	return true;
}

/* A limit that memory does not hold gives the number alone. */
json_t *conns_of(struct daemon *d, const struct conns_query *query)
{
	struct gathering g = {.daemon = d,
			      .service = world_find(d->world, query->service),
			      .query = query,
			      .limit = ZDD_FLOW_WAYS *
				       ZDD_FLOW_BUCKETS(datapath_memory(d->datapath)->geometry)};
	json_t *list = json_array();

	if (query->limit < g.limit)
		g.limit = query->limit;
	g.list = g.limit ? calloc(2 * g.limit, sizeof(*g.list)) : NULL;
	datapath_each_flow(d->datapath, each, &g);
	sort(&g);
	for (size_t i = 0; i < g.n; i++)
		json_array_append_new(list, row(&g, &g.list[i]));
	free(g.list);
	return json_pack("{s:o, s:I}", "conns", list, "total", (json_int_t)g.total);
}
