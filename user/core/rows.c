/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include <string.h>

#include "rows.h"

static void add_words(uint64_t *sum, const void *row, size_t bytes)
{
	const uint64_t *words = row;

	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		sum[i] += __atomic_load_n(&words[i], __ATOMIC_RELAXED);
}

/* The stamps of those CPUs that have seen the pool's newest generation. */
static void add_stamps(struct zdd_pool_row *sum, const struct zdd_pool_row *row)
{
	if (row->generation > sum->generation) {
		sum->generation = row->generation;
		sum->first_ns = row->first_ns;
		sum->flows_of_generation = 0;
	}
	if (row->generation == sum->generation) {
		sum->flows_of_generation += row->flows_of_generation;
		if (row->first_ns < sum->first_ns)
			sum->first_ns = row->first_ns;
	}
	if (row->last_jiffies > sum->last_jiffies)
		sum->last_jiffies = row->last_jiffies;
}

struct zdd_pool_row rows_pool(const struct zdd_memory *m, uint32_t pool)
{
	struct zdd_pool_row sum = {0};

	for (uint32_t cpu = 0; pool < m->geometry->pools && cpu < m->geometry->cpus; cpu++) {
		const struct zdd_pool_row row = m->pool_rows[cpu * m->geometry->pools + pool];

		sum.new_flows += row.new_flows;
		sum.packets += row.packets;
		sum.bytes += row.bytes;
		sum.cut += row.cut;
		add_stamps(&sum, &row);
	}
	return sum;
}

struct zdd_backend_row rows_backend(const struct zdd_memory *m, uint32_t backend)
{
	struct zdd_backend_row sum = {0};

	for (uint32_t cpu = 0; backend < m->geometry->backends && cpu < m->geometry->cpus; cpu++)
		add_words((uint64_t *)&sum, &m->backend_rows[cpu * m->geometry->backends + backend],
			  sizeof(sum));
	return sum;
}

struct zdd_signal_row rows_signals(const struct zdd_memory *m, uint32_t backend)
{
	struct zdd_signal_row sum = {0};

	for (uint32_t cpu = 0; backend < m->geometry->backends && cpu < m->geometry->cpus; cpu++)
		add_words((uint64_t *)&sum, &m->signals[cpu * m->geometry->backends + backend],
			  sizeof(sum));
	return sum;
}

/* rows: `watched` of them for each CPU. */
static void add_signals(const struct zdd_memory *m, const struct zdd_signals *rows,
			uint32_t watched, uint32_t i, struct zdd_signals *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t cpu = 0; i < watched && cpu < m->geometry->cpus; cpu++) {
		const struct zdd_signals *row = &rows[cpu * watched + i];

		add_words((uint64_t *)sum, row, offsetof(struct zdd_signals, connect));
		for (unsigned k = 0; k < ZDD_LATENCY_BUCKETS; k++) {
			sum->connect[k] += row->connect[k];
			sum->first_byte[k] += row->first_byte[k];
		}
	}
}

void rows_pool_signals(const struct zdd_memory *m, uint32_t pool, struct zdd_signals *sum)
{
	add_signals(m, m->pool_signals, ZDD_WATCHED(m->geometry), pool, sum);
}

void rows_backend_signals(const struct zdd_memory *m, uint32_t backend, struct zdd_signals *sum)
{
	add_signals(m, m->backend_signals, ZDD_WATCHED_BACKENDS(m->geometry), backend, sum);
}

struct zdd_count_row rows_counts(const struct zdd_memory *m)
{
	struct zdd_count_row sum = {0};

	for (uint32_t cpu = 0; cpu < m->geometry->cpus; cpu++)
		add_words((uint64_t *)&sum, &m->counts[cpu], sizeof(sum));
	return sum;
}
