/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics_int.h"

/* What one sample is about; NULL where a metric of that level has none. */
struct subject {
	const struct world *world;
	const struct world_service *service;
	const struct world_pool *pool;
	const struct world_backend *backend;
	struct pool_numbers pool_now;
	struct backend_numbers backend_now;
	const struct metrics_facts *facts;
};

enum level { GLOBAL, SERVICE, POOL, BACKEND };

struct metric {
	const char *name, *type, *help;
	enum level level;
	double (*value)(const struct subject *);
};

#define VALUE(id, expression)                                                                      \
	static double id(const struct subject *u)                                                  \
	{                                                                                          \
		return (double)(expression);                                                       \
	}
VALUE(generation, u->world->generation)
VALUE(services, u->world->config->n_services)
VALUE(degraded, u->facts->degraded)
VALUE(adopted, u->facts->adopted)
VALUE(publishes, u->facts->publishes)
VALUE(started, (double)u->facts->started_ms / 1000)
VALUE(revision, u->service->revision)
VALUE(panics, pool_panics(u->service, &u->service->pools[u->service->live]))
VALUE(share, u->service->share[pool_index(u->service, u->pool)] / 100.0)
VALUE(live, pool_index(u->service, u->pool) == u->service->live)
VALUE(pool_takes, pool_takes_new(u->service, u->pool, 0))
VALUE(pool_active, u->pool_now.active)
VALUE(pool_half, u->pool_now.half_open)
VALUE(pool_new, u->pool_now.row.new_flows)
VALUE(pool_packets, u->pool_now.row.packets)
VALUE(pool_bytes, u->pool_now.row.bytes)
VALUE(up, u->backend->health.state == HEALTH_UP)
VALUE(ready, u->backend->admin == ADMIN_READY)
VALUE(takes, backend_takes_new(u->service, u->pool, u->backend))
VALUE(weight, u->backend->cfg->weight)
VALUE(weight_part, slow_start_percent(&u->backend->slow_start))
VALUE(ejected, backend_is_ejected(u->backend))
VALUE(ejections, u->backend->passive.ejected)
VALUE(answered, u->backend_now.signals.answered)
VALUE(served, u->backend_now.signals.served)
VALUE(refused, u->backend_now.signals.refused)
VALUE(silent, u->backend_now.signals.silent)
VALUE(unreachable, u->backend_now.signals.unreachable)
VALUE(reset_early, u->backend_now.signals.reset_early)
VALUE(taken, u->backend_now.signals.taken)
VALUE(active, u->backend_now.active)
VALUE(half, u->backend_now.half_open)
VALUE(new_flows, u->backend_now.row.new_flows)
VALUE(closed, u->backend_now.row.closed)
VALUE(cut, u->backend_now.row.cut)
VALUE(packets, u->backend_now.row.packets)
VALUE(bytes, u->backend_now.row.bytes)
VALUE(replies, u->backend_now.row.replies)
VALUE(reply_bytes, u->backend_now.row.reply_bytes)

static const struct metric metrics[] = {
	{"zdd_generation", "gauge", "Number of the plan in force.", GLOBAL, generation},
	{"zdd_services", "gauge", "Services configured.", GLOBAL, services},
	{"zdd_degraded", "gauge", "1 when something is missing; /v1/state says what.", GLOBAL,
	 degraded},
	{"zdd_adopted", "gauge", "1 when this daemon found a running data path at its start.",
	 GLOBAL, adopted},
	{"zdd_publishes_total", "counter", "Plans published by this daemon.", GLOBAL, publishes},
	{"zdd_start_time_seconds", "gauge", "Start of the daemon, Unix time.", GLOBAL, started},
	{"zdd_service_revision", "gauge", "Grows when a person or a rollout changes the service.",
	 SERVICE, revision},
	{"zdd_service_panic", "gauge", "1 while health is ignored because too few are healthy.",
	 SERVICE, panics},
	{"zdd_pool_share_percent", "gauge", "Part of the clients that the pool is meant to get.",
	 POOL, share},
	{"zdd_pool_live", "gauge", "1 for the pool that is live.", POOL, live},
	{"zdd_pool_takes_new", "gauge", "1 when some backend takes new flows.", POOL, pool_takes},
	{"zdd_pool_flows_active", "gauge", "Open flows.", POOL, pool_active},
	{"zdd_pool_flows_half_open", "gauge", "Flows whose handshake is not complete.", POOL,
	 pool_half},
	{"zdd_pool_flows_new_total", "counter", "Flows opened.", POOL, pool_new},
	{"zdd_pool_packets_total", "counter", "Packets towards the pool.", POOL, pool_packets},
	{"zdd_pool_bytes_total", "counter", "Bytes towards the pool.", POOL, pool_bytes},
	{"zdd_backend_up", "gauge", "1 when the health check says so.", BACKEND, up},
	{"zdd_backend_ready", "gauge", "0 in drain and maint.", BACKEND, ready},
	{"zdd_backend_takes_new", "gauge", "1 when it gets new flows of its pool.", BACKEND, takes},
	{"zdd_backend_weight", "gauge", "Weight as configured.", BACKEND, weight},
	{"zdd_backend_weight_percent", "gauge", "Part of the weight that slow start gives it now.",
	 BACKEND, weight_part},
	{"zdd_backend_flows_active", "gauge", "Open flows.", BACKEND, active},
	{"zdd_backend_flows_half_open", "gauge", "Flows whose handshake is not complete.", BACKEND,
	 half},
	{"zdd_backend_flows_new_total", "counter", "Flows opened.", BACKEND, new_flows},
	{"zdd_backend_flows_closed_total", "counter", "Flows seen to end by FIN or RST.", BACKEND,
	 closed},
	{"zdd_backend_flows_cut_total", "counter", "Flows cut at the deadline of a drain.", BACKEND,
	 cut},
	{"zdd_backend_ejected", "gauge", "1 while it gets no new flows for what its own showed.",
	 BACKEND, ejected},
	{"zdd_backend_ejections_total", "counter", "Ejections by this daemon.", BACKEND, ejections},
	{"zdd_backend_answered_total", "counter", "SYNs that it answered.", BACKEND, answered},
	{"zdd_backend_served_total", "counter", "Flows that it sent data on.", BACKEND, served},
	{"zdd_backend_refused_total", "counter", "SYNs that it answered with RST.", BACKEND,
	 refused},
	{"zdd_backend_silent_total", "counter", "SYNs that it did not answer.", BACKEND, silent},
	{"zdd_backend_unreachable_total", "counter", "SYNs that an ICMP error answered.", BACKEND,
	 unreachable},
	{"zdd_backend_reset_early_total", "counter", "Flows that it reset before any data.",
	 BACKEND, reset_early},
	{"zdd_backend_taken_total", "counter", "SYNs that were taken from it and sent elsewhere.",
	 BACKEND, taken},
	{"zdd_backend_packets_total", "counter", "Packets towards the backend.", BACKEND, packets},
	{"zdd_backend_bytes_total", "counter", "Bytes towards the backend.", BACKEND, bytes},
	{"zdd_backend_replies_total", "counter", "Packets from the backend.", BACKEND, replies},
	{"zdd_backend_reply_bytes_total", "counter", "Bytes from the backend.", BACKEND,
	 reply_bytes},
};

void metrics_add(struct text *t, const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (t->failed || n < 0 || (size_t)n >= sizeof(line))
		return;
	if (t->len + (size_t)n + 1 > t->room) {
		size_t room = (t->room + (size_t)n + 1) * 2;
		char *more = realloc(t->bytes, room);

		t->failed = !more;
		if (!more)
			return;
		t->bytes = more;
		t->room = room;
	}
	memcpy(t->bytes + t->len, line, (size_t)n + 1);
	t->len += (size_t)n;
}

/* Names are [A-Za-z0-9._-] and addresses hold no quotes: nothing to escape. */
static void sample(struct text *t, const struct metric *m, const struct subject *u)
{
	metrics_add(t, "%s", m->name);
	if (m->level >= SERVICE)
		metrics_add(t, "{service=\"%s\"", u->service->cfg->name);
	if (m->level >= POOL)
		metrics_add(t, ",pool=\"%s\"", u->pool->cfg->name);
	if (m->level == BACKEND)
		metrics_add(t, ",backend=\"%s\"", u->backend->cfg->text);
	metrics_add(t, "%s %.16g\n", m->level >= SERVICE ? "}" : "", m->value(u));
}

static void sample_pool(struct text *t, const struct metric *m, struct subject *u,
			const struct numbers *n)
{
	if (m->level == POOL) {
		u->pool_now = n->pool(n->context, u->pool->object);
		sample(t, m, u);
		return;
	}
	for (size_t i = 0; i < u->pool->cfg->n_backends; i++) {
		u->backend = &u->pool->backends[i];
		u->backend_now = n->backend(n->context, u->backend->object);
		sample(t, m, u);
	}
}

static void sample_all(struct text *t, const struct metric *m, struct subject *u,
		       const struct numbers *n)
{
	if (m->level == GLOBAL) {
		sample(t, m, u);
		return;
	}
	for (size_t i = 0; i < u->world->config->n_services; i++) {
		u->service = &u->world->services[i];
		if (m->level == SERVICE) {
			sample(t, m, u);
			continue;
		}
		for (size_t k = 0; k < u->service->cfg->n_pools; k++) {
			u->pool = &u->service->pools[k];
			sample_pool(t, m, u, n);
		}
	}
}

static void counters(struct text *t, const struct zdd_count_row *row)
{
	metrics_add(t, "# HELP zdd_packets_total Frames seen, by how they left zdd.\n"
		       "# TYPE zdd_packets_total counter\n");
#define V(symbol, name, kind, expected, sentence)                                                  \
	metrics_add(t, "zdd_packets_total{verdict=\"" #name "\"} %" PRIu64 "\n",                   \
		    (uint64_t)row->verdict[ZDD_V_##symbol]);
	ZDD_VERDICTS(V)
#undef V
	metrics_add(t, "# HELP zdd_notes_total What happened to frames on the way.\n"
		       "# TYPE zdd_notes_total counter\n");
#define N(symbol, name, expected, sentence)                                                        \
	metrics_add(t, "zdd_notes_total{note=\"" #name "\"} %" PRIu64 "\n",                        \
		    (uint64_t)row->note[ZDD_N_##symbol]);
	ZDD_NOTES(N)
#undef N
}

char *metrics_text(const struct world *w, const struct numbers *n, const struct zdd_count_row *row,
		   const struct metrics_facts *facts)
{
	struct subject u = {.world = w, .facts = facts};
	struct text t = {0};

	metrics_add(&t,
		    "# HELP zdd_build_info The version that runs.\n# TYPE zdd_build_info gauge\n"
		    "zdd_build_info{version=\"%s\"} 1\n",
		    facts->version);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		metrics_add(&t, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help,
			    metrics[i].name, metrics[i].type);
		sample_all(&t, &metrics[i], &u, n);
	}
	metrics_signals(&t, w, n);
	counters(&t, row);
	if (!t.failed)
		return t.bytes;
	free(t.bytes);
	return NULL;
}
