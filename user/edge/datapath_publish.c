/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "datapath_int.h"
#include "explain.h"
#include "net.h"
#include "zdd.skel.h"

int datapath_publish(struct datapath *dp, struct world *world, const struct net *net, char **error)
{
	const struct zdd_addr *local = NULL;
	size_t n_local = net ? net_local_addresses(net, &local) : 0;
	int slot = planner_compile(dp->planner, world, local, n_local, error);

	if (slot < 0)
		return slot;
	if (net)
		hops_for_new(dp, net);
	local_forget(dp);
	world->generation = planner_publish(dp->planner, (unsigned)slot, world->generation);
	dp->stale = false;
	/* The iterator finds backends by the doors that were just published. */
	if (local_wanted(world))
		local_collect(dp);
	return 0;
}

int datapath_grace(struct datapath *dp)
{
	uint32_t key = 0;

	/* Linux waits in this call until no program can see the map that was there before. */
	return bpf_map_update_elem(bpf_map__fd(dp->bpf->maps.grace), &key, &dp->spare_fd, 0)
		       ? -errno
		       : 0;
}

void datapath_settled(struct datapath *dp, uint64_t generation)
{
	planner_settled(dp->planner, generation);
	hops_settled(dp, generation);
}

size_t datapath_recall(const struct datapath *dp, struct world *world)
{
	return plan_recall(&dp->memory, world);
}

bool datapath_stale(const struct datapath *dp)
{
	return dp->stale;
}
