/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, adopting and removing what is pinned. New pins are made aside and renamed, so that a
 * directory holds a whole data path or none. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert.h"
#include "datapath_int.h"
#include "explain.h"
#include "flows_orphans.h"
#include "geometry.h"
#include "zdd.skel.h"

/* ---- a new one ---- */

static int make_new(struct datapath *dp, const struct config *config, char **error)
{
	int fds[MAP_COUNT], err;

	geometry_for(config, &dp->geometry);
	dp->geometry.cpus = (uint32_t)libbpf_num_possible_cpus() + 1;
	err = kernel_hz(&dp->geometry.hz, error);
	if (!err)
		err = taken_load(dp, NULL, error);
	if (err)
		return err;
	pins_fds(dp, fds);
	err = memory_map(dp, fds, error);
	if (err)
		return err;
	dp->memory.desk->geometry = dp->geometry;
	if (getrandom(&dp->memory.desk->flow_seed, sizeof(uint64_t), 0) < 0)
		return explain(error, -errno, "no random numbers: %s", strerror(errno));
	hooks_remove_all(dp->dir); /* left by a removal that was interrupted */
	err = pins_write(dp, "maps-new");
	if (!err)
		err = pins_rename(dp, "maps-new", "maps");
	if (err)
		return explain(error, err, "pinning maps under %s: %s", dp->dir, strerror(-err));
	return 0;
}

/* ---- a running one ---- */

/* The geometry stands in the desk at the same place in every layout. */
int read_desk(struct datapath *dp, int desk_fd, uint32_t *moving, char **error)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	const struct zdd_desk *desk;

	if (bpf_obj_get_info_by_fd(desk_fd, &info, &len))
		return explain(error, -errno, "%s/maps/desk: %s", dp->dir, strerror(errno));
	if (info.value_size < sizeof(*desk))
		return explain(error, -EPROTO, "%s/maps/desk is not zdd's", dp->dir);
	desk = mmap(NULL, sizeof(*desk), PROT_READ, MAP_SHARED, desk_fd, 0);
	if (desk == MAP_FAILED)
		return explain(error, -errno, "%s/maps/desk: %s", dp->dir, strerror(errno));
	dp->geometry = desk->geometry;
	*moving = desk->moving;
	munmap((void *)desk, sizeof(*desk));
	return 0;
}

static int known_layout(const struct datapath *dp, char **error)
{
	uint32_t version = dp->geometry.layout_version;

	if (convert_from(version))
		return 0;
	return explain(error, -EPROTO,
		       "the running data path under %s has layout %u, this zddd (layout %d) takes "
		       "over %s: run the zddd that made it, or zddd --remove (open connections "
		       "break)",
		       dp->dir, version, ZDD_LAYOUT_VERSION,
		       version > ZDD_LAYOUT_VERSION ? "none that is newer" : "none that is so old");
}

/* Where it must move and cannot, memory of this layout is used as it is. */
static int load_or_move(struct datapath *dp, const struct config *config, int fds[MAP_COUNT],
			char **error)
{
	struct zdd_geometry to;
	char *why = NULL;
	int err;

	err = move_wanted(dp, config, &to);
	if (err < 0)
		return explain(error, err, "the running plan under %s is not sound", dp->dir);
	if (!err)
		return taken_load(dp, fds, error);
	err = move_to(dp, &to, &why);
	if (err && dp->geometry.layout_version == ZDD_LAYOUT_VERSION) {
		snprintf(dp->problem, sizeof(dp->problem),
			 "the data path keeps its size, it cannot be moved into a new one: %.100s",
			 why ? why : strerror(-err));
		err = taken_load(dp, fds, error);
	} else if (err) {
		err = explain(error, err, "layout %u under %s cannot be taken over: %s",
			      dp->geometry.layout_version, dp->dir, why ? why : strerror(-err));
	}
	free(why);
	return err;
}

static int adopt(struct datapath *dp, const struct config *config, char **error)
{
	int fds[MAP_COUNT], err = pins_open(dp, "maps", fds, error);
	uint32_t moving;

	if (!err)
		err = read_desk(dp, fds[0], &moving, error);
	if (!err)
		err = known_layout(dp, error);
	if (!err)
		err = memory_map(dp, fds, error);
	if (!err)
		err = load_or_move(dp, config, fds, error);
	pins_close(fds);
	return err;
}

/* ---- both ---- */

/* Linux 5.14; 0 when it cannot be told. */
static uint64_t netns_cookie(void)
{
	const int so_netns_cookie = 71;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd >= 0) {
		getsockopt(fd, SOL_SOCKET, so_netns_cookie, &cookie, &len);
		close(fd);
	}
	return cookie;
}

/* The links of a data path that served another network namespace mean other interfaces. */
static void take_hooks(struct datapath *dp)
{
	uint64_t cookie = netns_cookie();

	if (dp->memory.desk->netns_cookie != cookie)
		hooks_remove_all(dp->dir);
	dp->memory.desk->netns_cookie = cookie;
	hooks_adopt(dp);
}

enum { ORPHANS_MAX = 64 }; /* a killed daemon leaves one */

static int take_over(struct datapath *dp, char **error)
{
	int err = planner_make(&dp->memory, &dp->planner);
	struct orphan orphans[ORPHANS_MAX];
	size_t n = dp->adopted ? orphans_find(&dp->memory, orphans, ORPHANS_MAX) : 0;

	if (err == -EPROTO)
		return explain(error, err, "the running plan under %s is not sound", dp->dir);
	if (!err)
		err = tallies_make(dp);
	if (!err)
		err = local_make(dp);
	if (!err)
		err = sockets_make(dp);
	/* The daemon before may have published a moment ago. */
	if (!err && dp->adopted)
		err = datapath_grace(dp);
	if (err)
		return explain(error, err, "taking over the data path: %s", strerror(-err));
	dp->memory.desk->moving = ZDD_MOVING_NOT; /* a daemon may have died right before this */
	orphans_free(&dp->memory, orphans, n);
	hops_adopt(dp);
	take_hooks(dp);
	return 0;
}

static int open_dir(struct datapath *dp, char **error)
{
	int err = pins_make_dir(dp->dir);

	if (err)
		return explain(error, err, "%s: %s", dp->dir, strerror(-err));
	err = pins_lock(dp->dir, &dp->dir_fd, error);
	if (err)
		return err;
	if (mkdirat(dp->dir_fd, "links", 0700) && errno != EEXIST)
		return explain(error, -errno, "%s/links: %s", dp->dir, strerror(errno));
	dp->spare_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "zdd_spare", 4, 4, 1, NULL);
	if (dp->spare_fd < 0)
		return explain(error, -errno, "no BPF map can be made: %s", strerror(errno));
	return 0;
}

int datapath_open(const char *dir, const struct config *config, struct datapath **out, char **error)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	int err;

	if (!dp)
		return -ENOMEM;
	dp->dir_fd = dp->spare_fd = -1;
	dp->dir = strdup(dir);
	err = dp->dir ? open_dir(dp, error) : -ENOMEM;
	if (!err)
		err = move_finish(dp, error);
	if (!err) {
		dp->adopted = pins_exist(dp, "maps");
		err = dp->adopted ? adopt(dp, config, error) : make_new(dp, config, error);
	}
	if (!err)
		err = take_over(dp, error);
	if (err)
		datapath_close(dp);
	else
		*out = dp;
	return err;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	for (size_t i = 0; i < dp->n_hooks; i++)
		close(dp->hooks[i].fd);
	net_sockets_close(dp->sockets);
	tallies_free(dp);
	planner_free(dp->planner);
	memory_unmap(dp);
	ring_buffer__free(dp->wake);
	zdd_bpf__destroy(dp->bpf);
	if (dp->spare_fd >= 0)
		close(dp->spare_fd);
	if (dp->dir_fd >= 0)
		close(dp->dir_fd);
	free(dp->hooks);
	free(dp->interfaces);
	free(dp->retired);
	free(dp->incarnations);
	free(dp->dir);
	free(dp);
}

int datapath_remove(const char *dir, char **error)
{
	int fd, err;

	if (access(dir, F_OK) && errno == ENOENT)
		return 0;
	err = pins_lock(dir, &fd, error);
	if (err)
		return err;
	hooks_remove_all(dir);
	err = pins_remove(fd, "links");
	if (!err)
		err = pins_remove(fd, "maps");
	if (!err)
		err = pins_remove(fd, "maps-new");
	if (!err)
		err = pins_remove(fd, "maps-old");
	taken_unpin(fd);
	if (!err && rmdir(dir))
		err = -errno;
	close(fd);
	if (err)
		return explain(error, err, "removing %s: %s", dir, strerror(-err));
	return 0;
}

bool datapath_adopted(const struct datapath *dp)
{
	return dp->adopted;
}

const char *datapath_problem(const struct datapath *dp)
{
	return dp->problem[0] ? dp->problem : NULL;
}

const struct zdd_memory *datapath_memory(const struct datapath *dp)
{
	return &dp->memory;
}
