/* SPDX-License-Identifier: BSD-2-Clause */
/* What mode local needs: the lookup program in this network namespace, and the one that notices
 * listeners, at the root of the cgroup tree. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath_int.h"
#include "doors.h"
#include "explain.h"
#include "zdd.skel.h"

bool local_wanted(const struct world *world)
{
	for (size_t i = 0; i < world->config->n_services; i++)
		if (world->services[i].cfg->forward == FORWARD_LOCAL)
			return true;
	return false;
}

static int open_cgroup_root(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *entry;
	int fd = -ENOENT;

	while (mounts && fd == -ENOENT && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_type, "cgroup2"))
			fd = open(entry->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mounts)
		endmntent(mounts);
	return fd == -1 ? -errno : fd;
}

static int set_at(struct datapath *dp, enum hook_kind kind, int target)
{
	int err = target < 0 ? target : hook_set(dp, kind, 0, target);

	if (target >= 0)
		close(target);
	return err;
}

int local_attach(struct datapath *dp, const struct world *world, char **error)
{
	int netns, err;

	if (!local_wanted(world)) {
		hook_drop(dp, HOOK_LOOKUP, 0);
		hook_drop(dp, HOOK_LISTEN, 0);
		return 0;
	}
	netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	err = set_at(dp, HOOK_LOOKUP, netns < 0 ? -errno : netns);
	if (err)
		return explain(error, err,
			       "forward: local: the socket lookup program cannot be "
			       "attached: %s",
			       strerror(-err));
	err = set_at(dp, HOOK_LISTEN, open_cgroup_root());
	if (err)
		return explain(error, err,
			       "forward: local: no cgroup2 to notice restarted backends "
			       "while zddd is away: %s",
			       strerror(-err));
	return 0;
}

/* ---- sockets: kept under the lowest backend of their endpoint ---- */

/* What an adopted map holds is taken to be right. */
int local_make(struct datapath *dp)
{
	dp->incarnations = calloc(dp->geometry.backends, sizeof(*dp->incarnations));
	for (uint32_t i = 0; dp->incarnations && i < dp->geometry.backends; i++)
		dp->incarnations[i] = dp->memory.backends[i].incarnation;
	return dp->incarnations ? 0 : -ENOMEM;
}

void local_forget(struct datapath *dp)
{
	int fd = bpf_map__fd(dp->bpf->maps.socks);

	for (uint32_t i = 0; i < dp->geometry.backends; i++) {
		uint32_t key = i * ZDD_SOCKS_PER_BACKEND, end = key + ZDD_SOCKS_PER_BACKEND;

		if (dp->incarnations[i] == dp->memory.backends[i].incarnation)
			continue;
		dp->incarnations[i] = dp->memory.backends[i].incarnation;
		for (; key < end; key++)
			bpf_map_delete_elem(fd, &key);
	}
}

/* The door of an endpoint names the lowest of its backends; that is where the iterator and the
 * listen program put sockets. */
static uint16_t socks_of(const struct datapath *dp, uint32_t backend)
{
	const struct zdd_backend *b = &dp->memory.backends[backend];
	uint32_t buckets = dp->geometry.door_buckets;
	struct zdd_door_bucket *doors =
		&dp->memory.doors[ZDD_WORD_SLOT(dp->memory.desk->word) * buckets];
	const struct zdd_door *door = door_get(doors, buckets, &b->addr, b->port, IPPROTO_TCP);

	return door && door->kind == ZDD_DOOR_BACKEND ? door->listener : (uint16_t)backend;
}

void local_collect(struct datapath *dp)
{
	kernel_collect_sockets(dp);
	for (uint32_t i = 0; i < dp->geometry.backends; i++)
		if (dp->memory.backends[i].flags & ZDD_B_USED)
			dp->memory.backends[i].socks = socks_of(dp, i);
}
