/* SPDX-License-Identifier: BSD-2-Clause */
/* The signals of include/zdd/signal.h, of every pool and backend. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "metrics_int.h"

/* Whose row it is. */
struct whose {
	const char *kind; /* "pool", "backend" */
	char labels[3 * ZDD_NAME_MAX + 64];
	struct zdd_signals row;
};

/* What is added to the text for one of them. */
typedef void part(struct text *, const struct whose *);

static void signal_counts(struct text *t, const struct whose *w, const char *signal,
			  const struct zdd_signal_count *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {{"n", c->n},
		      {"bad", c->bad},
		      {"sources", c->sources},
		      {"bad_sources", c->bad_sources}};
	const size_t known = *w->kind == 'p' ? 4 : 2;

	for (size_t i = 0; i < known; i++)
		metrics_add(t, "zdd_%s_signal_total{%s,signal=\"%s\",count=\"%s\"} %" PRIu64 "\n",
			    w->kind, w->labels, signal, counts[i].name, counts[i].value);
}

static void all_counts(struct text *t, const struct whose *w)
{
#define S(symbol, name, breaks, sentence)                                                          \
	signal_counts(t, w, #name, &w->row.kind[ZDD_SIG_##symbol]);
	ZDD_SIGNALS(S)
#undef S
}

static void retransmits(struct text *t, const struct whose *w)
{
	metrics_add(t, "zdd_%s_retransmits_total{%s} %" PRIu64 "\n", w->kind, w->labels,
		    (uint64_t)w->row.retransmits);
}

/* Cumulative, at the ends of octaves: 26 lines, not 208. */
static void histogram(struct text *t, const struct whose *w, const char *name, const uint32_t *row)
{
	double sum = 0;
	uint64_t n = 0;

	for (unsigned i = 0; i < ZDD_LATENCY_BUCKETS; i++) {
		double from = (double)((8ull + i % 8) << i / 8) / 8e6;

		n += row[i];
		sum += row[i] * from * (1 + 0.5 / (8 + i % 8));
		if (i % 8 == 7 && i + 1 < ZDD_LATENCY_BUCKETS)
			metrics_add(t, "zdd_%s_%s_seconds_bucket{%s,le=\"%.6f\"} %" PRIu64 "\n",
				    w->kind, name, w->labels, (double)(2ull << i / 8) / 1e6, n);
	}
	metrics_add(t, "zdd_%s_%s_seconds_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", w->kind, name,
		    w->labels, n);
	metrics_add(t, "zdd_%s_%s_seconds_sum{%s} %.9g\n", w->kind, name, w->labels, sum);
	metrics_add(t, "zdd_%s_%s_seconds_count{%s} %" PRIu64 "\n", w->kind, name, w->labels, n);
}

static void connect(struct text *t, const struct whose *w)
{
	histogram(t, w, "connect", w->row.connect);
}

static void first_byte(struct text *t, const struct whose *w)
{
	histogram(t, w, "first_byte", w->row.first_byte);
}

/* The sum is that of the buckets' middles. */
static const struct {
	const char *name, *type, *help;
	part *part;
} families[] = {
	{"signal_total", "counter",
	 "What connections showed: exposures (n), bad ones; of pools client addresses among either, "
	 "each once a second.",
	 all_counts},
	{"retransmits_total", "counter", "Segments that servers sent again.", retransmits},
	{"connect_seconds", "histogram", "From a SYN to its SYN-ACK; sum within 6 %.", connect},
	{"first_byte_seconds", "histogram",
	 "From a client's first data to the server's; sum within 6 %.", first_byte},
};

/* backend: NULL for the pool's own. */
static void add_one(struct text *t, part *add, const struct world_service *s,
		    const struct world_pool *p, const struct world_backend *b,
		    const struct numbers *n)
{
	struct whose w = {.kind = b ? "backend" : "pool"};
	int len = snprintf(w.labels, sizeof(w.labels), "service=\"%s\",pool=\"%s\"", s->cfg->name,
			   p->cfg->name);

	if (b)
		snprintf(w.labels + len, sizeof(w.labels) - (size_t)len, ",backend=\"%s\"",
			 b->cfg->text);
	if (b)
		n->backend_signals(n->context, b->object, &w.row);
	else
		n->pool_signals(n->context, p->object, &w.row);
	add(t, &w);
}

static void each(struct text *t, part *add, bool backends, const struct world *w,
		 const struct numbers *n)
{
	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct world_service *s = &w->services[i];

		for (size_t k = 0; k < s->cfg->n_pools; k++) {
			const struct world_pool *p = &s->pools[k];

			if (!backends)
				add_one(t, add, s, p, NULL, n);
			for (size_t b = 0; backends && b < p->cfg->n_backends; b++)
				if (p->backends[b].object < ZDD_WATCHED_MAX)
					add_one(t, add, s, p, &p->backends[b], n);
		}
	}
}

static void add_families(struct text *t, bool backends, const struct world *w,
			 const struct numbers *n)
{
	const char *kind = backends ? "backend" : "pool";

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		metrics_add(t, "# HELP zdd_%s_%s %s\n# TYPE zdd_%s_%s %s\n", kind, families[i].name,
			    families[i].help, kind, families[i].name, families[i].type);
		each(t, families[i].part, backends, w, n);
	}
}

void metrics_signals(struct text *t, const struct world *w, const struct numbers *n)
{
	if (n->pool_signals)
		add_families(t, false, w, n);
	if (n->backend_signals)
		add_families(t, true, w, n);
}
