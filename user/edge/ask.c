/* SPDX-License-Identifier: BSD-2-Clause */
/* What verbs may ask of the daemon: how busy a service is, and whether this host has room. */
#include <stdlib.h>

#include "daemon.h"
#include "host_room.h"
#include "job.h"

/* Of all outcomes that its pools showed, the part that was bad. */
static double bad_part(const struct daemon *d, const struct world_service *s)
{
	uint64_t n = 0, bad = 0;

	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		struct zdd_signals row;

		datapath_pool_signals(d->datapath, s->pools[i].object, &row);
		for (unsigned kind = 0; kind < ZDD_SIGNAL_COUNT; kind++) {
			n += row.kind[kind].n;
			bad += row.kind[kind].bad;
		}
	}
	return n ? (double)bad / (double)n : 0;
}

static bool rate(void *context, const struct world_service *s, struct txn_rate *out)
{
	struct daemon *d = context;

	out->per_s = numbers_rate(d, s);
	out->bad = bad_part(d, s);
	return out->per_s > 0;
}

/* Files of the kernel that cannot be read tell nothing. */
static char *read_quietly(const char *path)
{
	char *error = NULL, *text;
	size_t len;

	text = read_file(path, &len, &error);
	free(error);
	return text;
}

static bool room(void *context, const struct world_service *s, char *why, size_t size)
{
	char *meminfo = read_quietly("/proc/meminfo");
	char *pressure = read_quietly("/proc/pressure/memory");
	bool has = host_has_room(meminfo, pressure, why, size);

	(void)context;
	(void)s;
	free(meminfo);
	free(pressure);
	return has;
}

struct txn_ask job_ask(const struct job *job)
{
	return (struct txn_ask){.who = job->who,
				.now_ms = wall_ms(),
				.context = job->jobs->daemon,
				.rate = rate,
				.room = room};
}
