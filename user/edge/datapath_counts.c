/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows per CPU, added up. */
#include <string.h>

#include "datapath_int.h"

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

struct zdd_pool_row datapath_pool_row(const struct datapath *dp, uint16_t pool)
{
	struct zdd_pool_row sum = {0};

	if (pool >= dp->geometry.pools)
		return sum;
	for (uint32_t cpu = 0; cpu < dp->geometry.cpus; cpu++) {
		const struct zdd_pool_row row =
			dp->memory.pool_rows[cpu * dp->geometry.pools + pool];

		sum.new_flows += row.new_flows;
		sum.packets += row.packets;
		sum.bytes += row.bytes;
		add_stamps(&sum, &row);
	}
	return sum;
}

struct zdd_backend_row datapath_backend_row(const struct datapath *dp, uint16_t backend)
{
	struct zdd_backend_row sum = {0};

	for (uint32_t cpu = 0; backend < dp->geometry.backends && cpu < dp->geometry.cpus; cpu++)
		add_words((uint64_t *)&sum,
			  &dp->memory.backend_rows[cpu * dp->geometry.backends + backend],
			  sizeof(sum));
	return sum;
}

struct zdd_count_row datapath_counts(const struct datapath *dp)
{
	struct zdd_count_row sum = {0};

	for (uint32_t cpu = 0; cpu < dp->geometry.cpus; cpu++)
		add_words((uint64_t *)&sum, &dp->memory.counts[cpu], sizeof(sum));
	return sum;
}

size_t datapath_interfaces(const struct datapath *dp, struct datapath_interface *out, size_t room)
{
	size_t n = dp->n_interfaces < room ? dp->n_interfaces : room;

	if (n)
		memcpy(out, dp->interfaces, n * sizeof(*out));
	return n;
}
