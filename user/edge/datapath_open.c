/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, adopting and removing what is pinned. New pins are made aside and renamed, so that a
 * directory holds a whole data path or none. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "datapath_int.h"
#include "explain.h"
#include "geometry.h"
#include "zdd.skel.h"

/* ---- the directory ---- */

static int make_dirs(const char *path)
{
	char part[PATH_MAX];

	for (const char *at = path + 1;; at++) {
		if (*at && *at != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
		if (mkdir(part, 0700) && errno != EEXIST)
			return -errno;
		if (!*at)
			return 0;
	}
}

/* Opens and locks dir. One daemon at a time; another one's lock ends with its process. */
static int lock_dir(const char *dir, int *out, char **error)
{
	struct statfs fs;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return explain(error, -errno, "%s: %s", dir, strerror(errno));
	if (fstatfs(fd, &fs) || (unsigned long)fs.f_type != BPF_FS_MAGIC) {
		close(fd);
		return explain(error, -ENOTSUP,
			       "%s is not on a BPF file system "
			       "(mount -t bpf bpf /sys/fs/bpf)",
			       dir);
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		if (err == -EBUSY)
			return explain(error, err, "%s: another zddd is using it", dir);
		return explain(error, err, "%s: %s", dir, strerror(-err));
	}
	*out = fd;
	return 0;
}

/* Removes sub and the pins in it; what is absent is fine. */
static int remove_sub(int dir_fd, const char *sub)
{
	int fd = openat(dir_fd, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!list)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(list)))
		if (entry->d_name[0] != '.')
			unlinkat(fd, entry->d_name, 0);
	closedir(list);
	return unlinkat(dir_fd, sub, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

int pin_get(const struct datapath *dp, const char *sub, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", dp->dir, sub, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* ---- a new one ---- */

static int pin_all(struct datapath *dp, const int fds[MAP_COUNT])
{
	char path[PATH_MAX], final[PATH_MAX];
	int err = remove_sub(dp->dir_fd, "maps-new");

	if (!err && mkdirat(dp->dir_fd, "maps-new", 0700))
		err = -errno;
	for (unsigned i = 0; i < MAP_COUNT && !err; i++) {
		snprintf(path, sizeof(path), "%s/maps-new/%s", dp->dir, map_names[i]);
		err = bpf_obj_pin(fds[i], path) ? -errno : 0;
	}
	snprintf(path, sizeof(path), "%s/maps-new", dp->dir);
	snprintf(final, sizeof(final), "%s/maps", dp->dir);
	if (!err && rename(path, final))
		err = -errno;
	return err;
}

static void map_fds(const struct datapath *dp, int fds[MAP_COUNT])
{
	for (unsigned i = 0; i < MAP_COUNT; i++)
		fds[i] = bpf_object__find_map_fd_by_name(dp->bpf->obj, map_names[i]);
}

static int make_new(struct datapath *dp, const struct config *config, char **error)
{
	int fds[MAP_COUNT], err;

	geometry_for(config, &dp->geometry);
	dp->geometry.cpus = (uint32_t)libbpf_num_possible_cpus();
	err = kernel_hz(&dp->geometry.hz, error);
	if (!err)
		err = kernel_load(dp, NULL, error);
	if (err)
		return err;
	map_fds(dp, fds);
	err = memory_map(dp, fds, error);
	if (err)
		return err;
	dp->memory.desk->geometry = dp->geometry;
	if (getrandom(&dp->memory.desk->flow_seed, sizeof(uint64_t), 0) < 0)
		return explain(error, -errno, "no random numbers: %s", strerror(errno));
	hooks_remove_all(dp->dir); /* left by a removal that was interrupted */
	err = pin_all(dp, fds);
	if (err)
		return explain(error, err, "pinning maps under %s: %s", dp->dir, strerror(-err));
	return 0;
}

/* ---- a running one ---- */

/* The geometry stands in the desk; how large that is tells whether we can read it. */
static int read_geometry(struct datapath *dp, int desk_fd, char **error)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), version;
	const struct zdd_desk *desk;

	if (bpf_obj_get_info_by_fd(desk_fd, &info, &len))
		return explain(error, -errno, "%s/maps/desk: %s", dp->dir, strerror(errno));
	if (info.value_size < sizeof(*desk))
		return explain(error, -EPROTO, "%s/maps/desk is not zdd's", dp->dir);
	desk = mmap(NULL, sizeof(*desk), PROT_READ, MAP_SHARED, desk_fd, 0);
	if (desk == MAP_FAILED)
		return explain(error, -errno, "%s/maps/desk: %s", dp->dir, strerror(errno));
	dp->geometry = desk->geometry;
	munmap((void *)desk, sizeof(*desk));
	version = dp->geometry.layout_version;
	if (version == ZDD_LAYOUT_VERSION)
		return 0;
	return explain(
		error, -EPROTO,
		"the running data path under %s has layout %u, this zddd has "
		"layout %u: run the zddd that made it, or zddd --remove (open connections break)",
		dp->dir, version, ZDD_LAYOUT_VERSION);
}

static int open_pins(struct datapath *dp, int fds[MAP_COUNT], char **error)
{
	for (unsigned i = 0; i < MAP_COUNT; i++) {
		fds[i] = pin_get(dp, "maps", map_names[i]);
		if (fds[i] < 0)
			return explain(error, fds[i],
				       "%s/maps/%s: %s (zddd --remove takes away what is "
				       "left of this data path)",
				       dp->dir, map_names[i], strerror(-fds[i]));
	}
	return 0;
}

static int adopt(struct datapath *dp, char **error)
{
	int fds[MAP_COUNT], err;

	memset(fds, 0xff, sizeof(fds));
	err = open_pins(dp, fds, error);
	if (!err)
		err = read_geometry(dp, fds[0], error);
	if (!err)
		err = memory_map(dp, fds, error);
	if (!err)
		err = kernel_load(dp, fds, error);
	for (unsigned i = 0; i < MAP_COUNT; i++)
		if (fds[i] >= 0)
			close(fds[i]);
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

static int take_over(struct datapath *dp, char **error)
{
	int err = planner_make(&dp->memory, &dp->planner);

	if (err == -EPROTO)
		return explain(error, err, "the running plan under %s is not sound", dp->dir);
	if (!err)
		err = tallies_make(dp);
	dp->spare_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "zdd_spare", 4, 4, 1, NULL);
	if (!err && dp->spare_fd < 0)
		err = -errno;
	/* The daemon before may have published a moment ago. */
	if (!err && dp->adopted)
		err = datapath_grace(dp);
	if (err)
		return explain(error, err, "taking over the data path: %s", strerror(-err));
	hops_adopt(dp);
	take_hooks(dp);
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
	err = make_dirs(dir);
	if (err)
		explain(error, err, "%s: %s", dir, strerror(-err));
	else
		err = lock_dir(dir, &dp->dir_fd, error);
	if (err)
		goto out;
	if (mkdirat(dp->dir_fd, "links", 0700) && errno != EEXIST) {
		err = explain(error, -errno, "%s/links: %s", dir, strerror(errno));
		goto out;
	}
	dp->adopted = !faccessat(dp->dir_fd, "maps", F_OK, 0);
	err = dp->adopted ? adopt(dp, error) : make_new(dp, config, error);
	if (!err)
		err = take_over(dp, error);
out:
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
	tallies_free(dp);
	planner_free(dp->planner);
	memory_unmap(dp);
	zdd_bpf__destroy(dp->bpf);
	if (dp->spare_fd >= 0)
		close(dp->spare_fd);
	if (dp->dir_fd >= 0)
		close(dp->dir_fd);
	free(dp->hooks);
	free(dp->interfaces);
	free(dp->retired);
	free(dp->dir);
	free(dp);
}

int datapath_remove(const char *dir, char **error)
{
	int fd, err;

	if (access(dir, F_OK) && errno == ENOENT)
		return 0;
	err = lock_dir(dir, &fd, error);
	if (err)
		return err;
	hooks_remove_all(dir);
	err = remove_sub(fd, "links");
	if (!err)
		err = remove_sub(fd, "maps");
	if (!err)
		err = remove_sub(fd, "maps-new");
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

const struct zdd_memory *datapath_memory(const struct datapath *dp)
{
	return &dp->memory;
}
