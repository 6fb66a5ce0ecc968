/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine.h"

/* Small: tables that fill, and a memory that is cleared in no time. */
const struct zdd_geometry engine_geometry = {
	.layout_version = ZDD_LAYOUT_VERSION,
	.cpus = 256,
	.hz = 250,
	.listeners = 64,
	.services = 32,
	.pools = 64,
	.backends = 64,
	.hops = 64,
	.door_buckets = 64,
	.table_words = 8192,
	.share_words = 4 * ZDD_SHARE_UNITS / 8,
	.cohorts = 64,
	.tcp_buckets = 16,
	.half_buckets = 16,
	.udp_buckets = 16,
};

struct fib_way fib_ways[2] = {
	{"198.51.100.0/24", {2, 0, 0, 0, 0x0f, 2}, {2, 0, 0, 0, 0x0f, 1}},
	{"2001:db8:100::/48", {2, 0, 0, 0, 0x0f, 2}, {2, 0, 0, 0, 0x0f, 1}},
};

struct zdd_count_row counts_sum(const struct zdd_memory *m)
{
	return m->counts[0]; /* the engines stay on CPU 0 */
}

struct zdd_count_row counts_minus(const struct zdd_count_row *now, const struct zdd_count_row *then)
{
	struct zdd_count_row d = *now;

	for (size_t i = 0; i < ZDD_VERDICT_COUNT; i++)
		d.verdict[i] -= then->verdict[i];
	for (size_t i = 0; i < ZDD_NOTE_COUNT; i++)
		d.note[i] -= then->note[i];
	return d;
}
