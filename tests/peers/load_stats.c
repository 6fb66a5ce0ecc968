// SPDX-License-Identifier: BSD-2-Clause
#include "load.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define TALLIES_MAX 256
#define DETAILS_MAX 5
/* Log-linear: 16 steps in each power of two of microseconds. */
#define HISTOGRAM_STEPS 16
#define HISTOGRAM_SIZE (HISTOGRAM_STEPS * 40)

struct histogram {
	uint64_t count[HISTOGRAM_SIZE];
	uint64_t total, max_us;
};

struct tally {
	char backend[NAME_LEN], pool[NAME_LEN];
	uint64_t flows, requests;
};

static const char *const failure_names[] = {
#define X(name) #name,
	LOAD_FAILURES(X)
#undef X
		"ok",
};

static struct {
	FILE *log;
	struct histogram connect, answer;
	struct tally tallies[TALLIES_MAX];
	size_t tallies_len;
	uint64_t flows, requests, retransmits, late, rewritten;
	uint64_t failures[FAILURES];
	char details[DETAILS_MAX][ANSWER_MAX];
	size_t details_len;
} st;

void stats_open(const struct load_opts *o)
{
	if (!o->log_path)
		return;
	st.log = fopen(o->log_path, "w");
	if (!st.log)
		die("%s: %s", o->log_path, strerror(errno));
}

static void histogram_add(struct histogram *h, uint64_t ns)
{
	uint64_t us = ns / 1000, i = us;
	int shift = 0;

	while (i >= 2 * HISTOGRAM_STEPS) {
		i >>= 1;
		shift++;
	}
	i += (uint64_t)shift * HISTOGRAM_STEPS;
	h->count[i < HISTOGRAM_SIZE ? i : HISTOGRAM_SIZE - 1]++;
	h->total++;
	if (us > h->max_us)
		h->max_us = us;
}

static uint64_t histogram_lower_us(size_t i)
{
	if (i < 2 * HISTOGRAM_STEPS)
		return i;
	return (i % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << (i / HISTOGRAM_STEPS - 1);
}

static uint64_t histogram_us(const struct histogram *h, double part)
{
	uint64_t seen = 0;
	size_t i;

	for (i = 0; i < HISTOGRAM_SIZE; i++) {
		seen += h->count[i];
		if (h->total && (double)seen >= part * (double)h->total)
			return histogram_lower_us(i);
	}
	return h->max_us;
}

void stats_connect(uint64_t ns)
{
	histogram_add(&st.connect, ns);
}

static struct tally *tally_of(const char *backend, const char *pool)
{
	struct tally *t = st.tallies;

	for (; t < st.tallies + st.tallies_len; t++)
		if (!strcmp(t->backend, backend) && !strcmp(t->pool, pool))
			return t;
	if (st.tallies_len == TALLIES_MAX)
		die("answers from more than %d backends", TALLIES_MAX);
	strcpy(t->backend, backend);
	strcpy(t->pool, pool);
	st.tallies_len++;
	return t;
}

void stats_answer(const char *backend, const char *pool, bool first, uint64_t ns)
{
	struct tally *t = tally_of(backend, pool);

	histogram_add(&st.answer, ns);
	st.requests++;
	t->requests++;
	t->flows += first;
	st.flows += first;
}

void stats_retransmits(uint32_t n)
{
	st.retransmits += n;
}

void stats_rewritten(void)
{
	st.rewritten++;
}

void stats_late(void)
{
	st.late++;
}

void stats_failure(enum failure why, const char *detail)
{
	st.failures[why]++;
	if (st.details_len < DETAILS_MAX)
		snprintf(st.details[st.details_len++], ANSWER_MAX, "%s: %s", failure_names[why],
			 detail);
}

/* NUMBER TARGET START CONNECT FIRST END HOST PORT BACKEND POOL REQUESTS RESULT
 * Times in ns; 0 or - for none. */
void stats_log(const struct slot *s, enum failure result)
{
	if (!st.log)
		return;
	fprintf(st.log, "%llu %u %llu %llu %llu %llu %s %u %s %s %llu %s\n",
		(unsigned long long)s->number, s->target, (unsigned long long)s->start_ns,
		(unsigned long long)s->connect_ns, (unsigned long long)s->first_ns,
		(unsigned long long)now_ns(), s->host[0] ? s->host : "-", s->port,
		s->backend[0] ? s->backend : "-", s->pool[0] ? s->pool : "-",
		(unsigned long long)s->requests, failure_names[result]);
}

static void print_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++)
		fprintf(out, *text < ' ' || strchr("\"\\", *text) ? "\\u%04x" : "%c",
			(unsigned char)*text);
	fputc('"', out);
}

static void print_failures(FILE *out)
{
	uint64_t failed = 0;
	int i;

	fprintf(out, "\"failures\": {");
	for (i = 0; i < FAILURES; i++) {
		failed += st.failures[i];
		fprintf(out, "%s\"%s\": %llu", i ? ", " : "", failure_names[i],
			(unsigned long long)st.failures[i]);
	}
	fprintf(out, "}, \"failed\": %llu, \"details\": [", (unsigned long long)failed);
	for (i = 0; i < (int)st.details_len; i++) {
		fputs(i ? ", " : "", out);
		print_text(out, st.details[i]);
	}
	fputs("], ", out);
}

static void print_backends(FILE *out)
{
	size_t i;

	fprintf(out, "\"backends\": [");
	for (i = 0; i < st.tallies_len; i++)
		fprintf(out,
			"%s{\"backend\": \"%s\", \"pool\": \"%s\", \"flows\": %llu, "
			"\"requests\": %llu}",
			i ? ", " : "", st.tallies[i].backend, st.tallies[i].pool,
			(unsigned long long)st.tallies[i].flows,
			(unsigned long long)st.tallies[i].requests);
	fputs("], ", out);
}

static void print_histogram(FILE *out, const char *name, const struct histogram *h)
{
	fprintf(out, "\"%s_us\": {\"p50\": %llu, \"p99\": %llu, \"max\": %llu}, ", name,
		(unsigned long long)histogram_us(h, 0.5), (unsigned long long)histogram_us(h, 0.99),
		(unsigned long long)h->max_us);
}

static void print_slots(FILE *out, const struct load *l)
{
	uint32_t i, open = 0, answered = 0;

	for (i = 0; i < l->opts.flows; i++) {
		open += l->slots[i].fd >= 0;
		answered += l->slots[i].fd >= 0 && l->slots[i].requests > 0;
	}
	fprintf(out, "\"open\": %u, \"answered\": %u, ", open, answered);
}

void stats_print(const struct load *l, FILE *out)
{
	fprintf(out, "{\"mode\": \"%s\", \"started\": %llu, \"flows\": %llu, \"requests\": %llu, ",
		l->opts.mode, (unsigned long long)l->started, (unsigned long long)st.flows,
		(unsigned long long)st.requests);
	print_failures(out);
	print_backends(out);
	print_histogram(out, "connect", &st.connect);
	print_histogram(out, "answer", &st.answer);
	print_slots(out, l);
	fprintf(out,
		"\"retransmits\": %llu, \"late\": %llu, \"rewritten\": %llu, \"duration_ms\": %llu}\n",
		(unsigned long long)st.retransmits, (unsigned long long)st.late,
		(unsigned long long)st.rewritten,
		(unsigned long long)((now_ns() - l->begin_ns) / NSEC_PER_MSEC));
}

void stats_status(const struct load *l)
{
	char path[PATH_MAX];
	FILE *out;

	if (!l->opts.status_path)
		return;
	snprintf(path, sizeof(path), "%s.new", l->opts.status_path);
	out = fopen(path, "w");
	if (!out)
		die("%s: %s", path, strerror(errno));
	stats_print(l, out);
	fclose(out);
	rename(path, l->opts.status_path);
}

void stats_close(void)
{
	if (st.log)
		fclose(st.log);
}
