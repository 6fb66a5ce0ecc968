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
