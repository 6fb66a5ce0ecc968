/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "datapath_int.h"
#include "rows.h"

struct zdd_pool_row datapath_pool_row(const struct datapath *dp, uint16_t pool)
{
	return rows_pool(&dp->memory, pool);
}

struct zdd_backend_row datapath_backend_row(const struct datapath *dp, uint16_t backend)
{
	return rows_backend(&dp->memory, backend);
}

struct zdd_signal_row datapath_signals(const struct datapath *dp, uint16_t backend)
{
	return rows_signals(&dp->memory, backend);
}

void datapath_offer_trial(struct datapath *dp, uint16_t backend)
{
	if (backend < dp->geometry.backends)
		__atomic_store_n(&dp->memory.backends[backend].may_try, 1, __ATOMIC_RELAXED);
}

bool datapath_trial_taken(const struct datapath *dp, uint16_t backend)
{
	return backend < dp->geometry.backends &&
	       !__atomic_load_n(&dp->memory.backends[backend].may_try, __ATOMIC_RELAXED);
}

struct zdd_count_row datapath_counts(const struct datapath *dp)
{
	return rows_counts(&dp->memory);
}

size_t datapath_interfaces(const struct datapath *dp, struct datapath_interface *out, size_t room)
{
	size_t n = dp->n_interfaces < room ? dp->n_interfaces : room;

	if (n)
		memcpy(out, dp->interfaces, n * sizeof(*out));
	return n;
}
