/* SPDX-License-Identifier: BSD-2-Clause */
/* The directory of pins: made, locked, written, read, removed. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "datapath_int.h"
#include "explain.h"
#include "zdd.skel.h"

/* ---- the directory ---- */

int pins_make_dir(const char *path)
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

int pins_lock(const char *dir, int *out, char **error)
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

/* ---- what is in it ---- */

bool pins_exist(const struct datapath *dp, const char *sub)
{
	return !faccessat(dp->dir_fd, sub, F_OK, 0);
}

int pins_remove(int dir_fd, const char *sub)
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

int pins_rename(const struct datapath *dp, const char *from, const char *to)
{
	return renameat(dp->dir_fd, from, dp->dir_fd, to) ? -errno : 0;
}

int pin_get(const struct datapath *dp, const char *sub, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", dp->dir, sub, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* ---- maps ---- */

void pins_fds(const struct datapath *dp, int fds[MAP_COUNT])
{
	for (unsigned i = 0; i < MAP_COUNT; i++)
		fds[i] = bpf_object__find_map_fd_by_name(dp->bpf->obj, map_names[i]);
}

int pins_write(const struct datapath *dp, const char *sub)
{
	int fds[MAP_COUNT], err = pins_remove(dp->dir_fd, sub);
	char path[PATH_MAX];

	pins_fds(dp, fds);
	if (!err && mkdirat(dp->dir_fd, sub, 0700))
		err = -errno;
	for (unsigned i = 0; i < MAP_COUNT && !err; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", dp->dir, sub, map_names[i]);
		err = bpf_obj_pin(fds[i], path) ? -errno : 0;
	}
	return err;
}

int pins_open(const struct datapath *dp, const char *sub, int fds[MAP_COUNT], char **error)
{
	memset(fds, 0xff, MAP_COUNT * sizeof(*fds));
	for (unsigned i = 0; i < MAP_COUNT; i++) {
		fds[i] = pin_get(dp, sub, map_names[i]);
		if (fds[i] == -ENOENT && memory_since(i) > 1)
			continue; /* memory_map wants it if the layout has it */
		if (fds[i] < 0)
			return explain(error, fds[i],
				       "%s/%s/%s: %s (zddd --remove takes away what is "
				       "left of this data path)",
				       dp->dir, sub, map_names[i], strerror(-fds[i]));
	}
	return 0;
}

void pins_close(int fds[MAP_COUNT])
{
	for (unsigned i = 0; i < MAP_COUNT; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
