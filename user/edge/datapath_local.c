/* SPDX-License-Identifier: BSD-2-Clause */
/* What mode local needs: the lookup program in this network namespace, and the one that notices
 * listeners, at the root of the cgroup tree. */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datapath_int.h"
#include "explain.h"

static bool wanted(const struct world *world)
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

	if (!wanted(world)) {
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
