/* SPDX-License-Identifier: BSD-2-Clause */
/* The signals of include/zdd/signal.h, of every pool. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "metrics_int.h"

/* What is added to the text for one pool. */
typedef void part(struct text *, const char *labels, const struct zdd_pool_signals *);

static void signal_counts(struct text *t, const char *labels, const char *signal,
			  const struct zdd_signal_count *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {{"n", c->n},
		      {"bad", c->bad},
		      {"sources", c->sources},
		      {"bad_sources", c->bad_sources}};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		metrics_add(t, "zdd_pool_signal_total{%s,signal=\"%s\",count=\"%s\"} %" PRIu64 "\n",
			    labels, signal, counts[i].name, counts[i].value);
}

static void all_counts(struct text *t, const char *labels, const struct zdd_pool_signals *row)
{
#define S(symbol, name, breaks, sentence)                                                          \
	signal_counts(t, labels, #name, &row->kind[ZDD_SIG_##symbol]);
	ZDD_SIGNALS(S)
#undef S
}

static void retransmits(struct text *t, const char *labels, const struct zdd_pool_signals *row)
{
	metrics_add(t, "zdd_pool_retransmits_total{%s} %" PRIu64 "\n", labels,
		    (uint64_t)row->retransmits);
}

/* Cumulative, at the ends of octaves: 26 lines, not 208. */
static void histogram(struct text *t, const char *name, const char *labels, const uint32_t *row)
{
	double sum = 0;
	uint64_t n = 0;

	for (unsigned i = 0; i < ZDD_LATENCY_BUCKETS; i++) {
		double from = (double)((8ull + i % 8) << i / 8) / 8e6;

		n += row[i];
		sum += row[i] * from * (1 + 0.5 / (8 + i % 8));
		if (i % 8 == 7 && i + 1 < ZDD_LATENCY_BUCKETS)
			metrics_add(t, "%s_bucket{%s,le=\"%.6f\"} %" PRIu64 "\n", name, labels,
				    (double)(2ull << i / 8) / 1e6, n);
	}
	metrics_add(t, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, n);
	metrics_add(t, "%s_sum{%s} %.9g\n%s_count{%s} %" PRIu64 "\n", name, labels, sum, name,
		    labels, n);
}

static void connect(struct text *t, const char *labels, const struct zdd_pool_signals *row)
{
	histogram(t, "zdd_pool_connect_seconds", labels, row->connect);
}

static void first_byte(struct text *t, const char *labels, const struct zdd_pool_signals *row)
{
	histogram(t, "zdd_pool_first_byte_seconds", labels, row->first_byte);
}

/* The sum is that of the buckets' middles. */
static const struct {
	const char *name, *type, *help;
	part *part;
} families[] = {
	{"zdd_pool_signal_total", "counter",
	 "What connections showed: exposures (n), bad ones, client addresses among either, each "
	 "once a second.",
	 all_counts},
	{"zdd_pool_retransmits_total", "counter", "Segments that the pool's servers sent again.",
	 retransmits},
	{"zdd_pool_connect_seconds", "histogram", "From a SYN to its SYN-ACK; sum within 6 %.",
	 connect},
	{"zdd_pool_first_byte_seconds", "histogram",
	 "From a client's first data to the server's; sum within 6 %.", first_byte},
};

static void each_pool(struct text *t, part *add, const struct world *w, const struct numbers *n)
{
	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct world_service *s = &w->services[i];

		for (size_t k = 0; k < s->cfg->n_pools; k++) {
			char labels[2 * ZDD_NAME_MAX + 32];
			struct zdd_pool_signals row;

			snprintf(labels, sizeof(labels), "service=\"%s\",pool=\"%s\"", s->cfg->name,
				 s->pools[k].cfg->name);
			n->pool_signals(n->context, s->pools[k].object, &row);
			add(t, labels, &row);
		}
	}
}

void metrics_signals(struct text *t, const struct world *w, const struct numbers *n)
{
	for (size_t i = 0; n->pool_signals && i < sizeof(families) / sizeof(*families); i++) {
		metrics_add(t, "# HELP %s %s\n# TYPE %s %s\n", families[i].name, families[i].help,
			    families[i].name, families[i].type);
		each_pool(t, families[i].part, w, n);
	}
}
