/* SPDX-License-Identifier: BSD-2-Clause */
/* What connections show about pools, and the leases of candidates. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath_int.h"
#include "rows.h"
#include "zdd.skel.h"

void datapath_pool_signals(const struct datapath *dp, uint16_t pool, struct zdd_signals *sum)
{
	rows_pool_signals(&dp->memory, pool, sum);
}

void datapath_backend_signals(const struct datapath *dp, uint16_t backend, struct zdd_signals *sum)
{
	rows_backend_signals(&dp->memory, backend, sum);
}

/* Without limit nothing is added to what is cleared meanwhile. */
void datapath_override_begin(const struct datapath *dp, uint16_t pool, uint32_t rollout)
{
	struct zdd_override *o = &dp->memory.overrides[pool];

	if (pool >= dp->geometry.pools)
		return;
	__atomic_store_n(&o->until, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&o->limit, 0, __ATOMIC_SEQ_CST);
	memset(o, 0, sizeof(*o));
	__atomic_store_n(&o->rollout, rollout, __ATOMIC_RELEASE);
}

int datapath_lease(const struct datapath *dp, uint16_t pool, uint64_t ms, uint32_t limit)
{
	struct zdd_renewal renewal = {.pool = pool, .limit = limit, .ms = ms};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &renewal,
			    .ctx_size_in = sizeof(renewal));

	if (bpf_prog_test_run_opts(bpf_program__fd(dp->bpf->progs.zdd_renew), &opts))
		return -errno;
	if (opts.retval)
		return opts.retval == 1 ? -ETIME : -ENOENT;
	return 0;
}

struct zdd_override datapath_override(const struct datapath *dp, uint16_t pool)
{
	return pool < dp->geometry.pools ? dp->memory.overrides[pool] : (struct zdd_override){0};
}
