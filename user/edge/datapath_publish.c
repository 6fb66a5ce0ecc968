/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "datapath_int.h"
#include "explain.h"
#include "net.h"
#include "zdd.skel.h"

static uint64_t wall_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Programs know jiffies, people the time of day. */
static void time_holds(const struct datapath *dp, struct world *world)
{
	uint32_t now = (uint32_t)kernel_jiffies(dp);
	uint64_t now_ms = wall_now_ms();

	for (size_t i = 0; i < world->config->n_services; i++) {
		struct world_hold *h = &world->services[i].hold;
		int64_t left = (int64_t)(h->until_ms - now_ms);

		if (!h->number)
			continue;
		if (!h->until_ms)
			h->until_ms = now_ms + (uint64_t)((int64_t)(int32_t)(h->until - now) *
							  1000 / dp->geometry.hz);
		else if (!h->until)
			h->until = now + (uint32_t)(left * dp->geometry.hz / 1000) + 1;
	}
}

int datapath_publish(struct datapath *dp, struct world *world, const struct net *net, char **error)
{
	const struct zdd_addr *local = NULL;
	size_t n_local = net ? net_local_addresses(net, &local) : 0;
	int slot;

	time_holds(dp, world);
	slot = planner_compile(dp->planner, world, local, n_local, error);
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
	size_t incomplete = plan_recall(&dp->memory, world);

	time_holds(dp, world);
	return incomplete;
}

bool datapath_stale(const struct datapath *dp)
{
	return dp->stale;
}
