/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaching programs so that they outlive the daemon: pinned BPF links; where the kernel has no
 * tcx (before 6.6), clsact filters, marked by a pin of their program. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datapath_int.h"

/* Newer than the headers of the base line. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47, TCX_BEFORE = 1 << 3 };
enum { QUERY_MAX = 64 };

static const struct {
	const char *pin;
	int attach_type;
	uint32_t flags;
	bool per_interface;
} kinds[HOOK_KINDS] = {
	[HOOK_XDP] = {"xdp", BPF_XDP, XDP_FLAGS_DRV_MODE, true},
	[HOOK_XDP_GENERIC] = {"xdpgeneric", BPF_XDP, XDP_FLAGS_SKB_MODE, true},
	/* First in the row, as a filter in hardware would be. */
	[HOOK_TC_IN] = {"in", TCX_INGRESS, TCX_BEFORE, true},
	[HOOK_TC_OUT] = {"out", TCX_EGRESS, TCX_BEFORE, true},
	[HOOK_FILTER_IN] = {"fin", 0, 0, true},
	[HOOK_FILTER_OUT] = {"fout", 0, 0, true},
	[HOOK_LOOKUP] = {"lookup", BPF_SK_LOOKUP, 0, false},
	[HOOK_LISTEN] = {"listen", BPF_CGROUP_SOCK_OPS, 0, false},
};

static bool is_filter(enum hook_kind kind)
{
	return kind == HOOK_FILTER_IN || kind == HOOK_FILTER_OUT;
}

static void pin_path(const char *dir, enum hook_kind kind, uint32_t ifindex, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/links/%s-%u", dir, kinds[kind].pin, ifindex);
}

/* "out-7" -> HOOK_TC_OUT, 7. */
static bool parse_pin(const char *name, enum hook_kind *kind, uint32_t *ifindex)
{
	for (int i = 0; i < HOOK_KINDS; i++) {
		size_t len = strlen(kinds[i].pin);

		if (strncmp(name, kinds[i].pin, len) || name[len] != '-')
			continue;
		*kind = (enum hook_kind)i;
		*ifindex = (uint32_t)strtoul(name + len + 1, NULL, 10);
		return true;
	}
	return false;
}

/* ---- one hook ---- */

static struct hook *find(const struct datapath *dp, enum hook_kind kind, uint32_t ifindex)
{
	for (size_t i = 0; i < dp->n_hooks; i++)
		if (dp->hooks[i].kind == kind && dp->hooks[i].ifindex == ifindex)
			return &dp->hooks[i];
	return NULL;
}

/* A link whose interface was deleted stays behind without one; xdp and tcx tell their ifindex at
 * the same place. */
static bool is_alive(const struct hook *hook)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	if (is_filter(hook->kind))
		return false; /* replaced each time, which costs nothing */
	if (bpf_obj_get_info_by_fd(hook->fd, &info, &len))
		return false;
	if (hook->kind == HOOK_LOOKUP)
		return info.netns.netns_ino != 0;
	return !kinds[hook->kind].per_interface || info.xdp.ifindex == hook->ifindex;
}

static int attach(const struct datapath *dp, enum hook_kind kind, uint32_t ifindex, int target)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = kinds[kind].flags);
	int program = kernel_program(dp, kind), fd, err;

	if (is_filter(kind)) {
		err = filter_attach(kind == HOOK_FILTER_OUT, ifindex, program);
		return err ? err : dup(program);
	}
	fd = bpf_link_create(program, target, (enum bpf_attach_type)kinds[kind].attach_type, &opts);
	return fd < 0 ? -errno : fd;
}

static int remember(struct datapath *dp, enum hook_kind kind, uint32_t ifindex, int fd)
{
	struct hook *list = realloc(dp->hooks, (dp->n_hooks + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	dp->hooks = list;
	list[dp->n_hooks++] = (struct hook){kind, ifindex, fd};
	return 0;
}

bool hook_is_set(const struct datapath *dp, enum hook_kind kind, uint32_t ifindex)
{
	const struct hook *hook = find(dp, kind, ifindex);

	return hook && is_alive(hook);
}

int hook_set(struct datapath *dp, enum hook_kind kind, uint32_t ifindex, int target)
{
	char path[PATH_MAX];
	int fd, err;

	if (hook_is_set(dp, kind, ifindex))
		return 0;
	if (!is_filter(kind))
		hook_drop(dp, kind, ifindex);
	fd = attach(dp, kind, ifindex, target);
	if (fd < 0 || find(dp, kind, ifindex)) {
		if (fd >= 0)
			close(fd);
		return fd < 0 ? fd : 0;
	}
	pin_path(dp->dir, kind, ifindex, path);
	err = bpf_obj_pin(fd, path) ? -errno : remember(dp, kind, ifindex, fd);
	if (err) {
		unlink(path);
		close(fd);
	}
	return err;
}

void hook_drop(struct datapath *dp, enum hook_kind kind, uint32_t ifindex)
{
	struct hook *hook = find(dp, kind, ifindex);
	char path[PATH_MAX];

	if (!hook)
		return;
	if (is_filter(kind))
		filter_detach(kind == HOOK_FILTER_OUT, ifindex);
	pin_path(dp->dir, kind, ifindex, path);
	unlink(path);
	close(hook->fd);
	*hook = dp->hooks[--dp->n_hooks];
}

/* ---- tc, either way ---- */

int hook_set_tc(struct datapath *dp, bool out, uint32_t ifindex)
{
	int err = hook_set(dp, out ? HOOK_TC_OUT : HOOK_TC_IN, ifindex, (int)ifindex);

	if (err == -EINVAL || err == -EOPNOTSUPP) /* no such attach type */
		err = hook_set(dp, out ? HOOK_FILTER_OUT : HOOK_FILTER_IN, ifindex, (int)ifindex);
	return err;
}

void hook_drop_tc(struct datapath *dp, bool out, uint32_t ifindex)
{
	hook_drop(dp, out ? HOOK_TC_OUT : HOOK_TC_IN, ifindex);
	hook_drop(dp, out ? HOOK_FILTER_OUT : HOOK_FILTER_IN, ifindex);
}

/* Programs at a tcx hook; none where the kernel has no tcx. */
static uint32_t query_tcx(uint32_t ifindex, int attach_type, uint32_t ids[QUERY_MAX])
{
	uint32_t n = QUERY_MAX;

	if (bpf_prog_query((int)ifindex, (enum bpf_attach_type)attach_type, 0, NULL, ids, &n))
		return 0;
	return n;
}

unsigned hook_others(uint32_t ifindex)
{
	uint32_t ids[QUERY_MAX], n = query_tcx(ifindex, TCX_INGRESS, ids);

	return n > 1 ? n - 1 : 0;
}

static bool is_named(uint32_t id, const char *name)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);
	bool same = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, name);

	if (fd >= 0)
		close(fd);
	return same;
}

/* Every data path sits at the egress hook. */
bool hook_foreign(const struct datapath *dp, uint32_t ifindex)
{
	uint32_t ids[QUERY_MAX], n = query_tcx(ifindex, TCX_EGRESS, ids);

	if (find(dp, HOOK_TC_OUT, ifindex) || find(dp, HOOK_FILTER_OUT, ifindex))
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (is_named(ids[i], "zdd_tc_out"))
			return true;
	return filter_present(true, ifindex);
}

/* ---- all of them ---- */

static DIR *open_links(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/links", dir);
	return opendir(path);
}

static void each_pin(struct datapath *dp, const char *name, hook_fn *call, void *context)
{
	struct hook hook;
	char path[PATH_MAX];

	if (!parse_pin(name, &hook.kind, &hook.ifindex))
		return;
	hook.fd = pin_get(dp, "links", name);
	if (hook.fd < 0)
		return;
	pin_path(dp->dir, hook.kind, hook.ifindex, path);
	if (!is_filter(hook.kind) && !is_alive(&hook)) {
		unlink(path);
		close(hook.fd);
		return;
	}
	call(dp, hook, context);
}

void hooks_each(struct datapath *dp, hook_fn *call, void *context)
{
	DIR *list = open_links(dp->dir);
	struct dirent *entry;

	while (list && (entry = readdir(list)))
		each_pin(dp, entry->d_name, call, context);
	if (list)
		closedir(list);
}

/* The pin of a filter is its program: the new one takes its place. */
static int replace_filter(const struct datapath *dp, const struct hook *hook, int program)
{
	char path[PATH_MAX], aside[PATH_MAX];
	int err = filter_attach(hook->kind == HOOK_FILTER_OUT, hook->ifindex, program);

	if (err)
		return err;
	snprintf(aside, sizeof(aside), "%s/filter-new", dp->dir);
	pin_path(dp->dir, hook->kind, hook->ifindex, path);
	unlink(aside);
	return bpf_obj_pin(program, aside) || rename(aside, path) ? -errno : 0;
}

int hook_replace(const struct datapath *dp, const struct hook *hook, int program)
{
	if (is_filter(hook->kind))
		return replace_filter(dp, hook, program);
	return bpf_link_update(hook->fd, program, NULL) ? -errno : 0;
}

/* Where a program cannot be replaced the old one goes on: it reads the same memory. */
static void adopt_one(struct datapath *dp, struct hook hook, void *context)
{
	int err = hook_replace(dp, &hook, kernel_program(dp, hook.kind));

	(void)context;
	if (err)
		snprintf(dp->problem, sizeof(dp->problem),
			 "the program at links/%s-%u of %.80s is still that of an earlier zddd: %s",
			 kinds[hook.kind].pin, hook.ifindex, dp->dir, strerror(-err));
	if (remember(dp, hook.kind, hook.ifindex, hook.fd))
		close(hook.fd);
}

void hooks_adopt(struct datapath *dp)
{
	hooks_each(dp, adopt_one, NULL);
}

/* Unpinning alone would let a link go some milliseconds later. */
static void detach_now(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/links/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	bpf_link_detach(fd);
	close(fd);
}

void hooks_remove_all(const char *dir)
{
	DIR *list = open_links(dir);
	struct dirent *entry;
	enum hook_kind kind;
	uint32_t ifindex;

	while (list && (entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		if (parse_pin(entry->d_name, &kind, &ifindex) && is_filter(kind))
			filter_detach(kind == HOOK_FILTER_OUT, ifindex);
		else
			detach_now(dir, entry->d_name);
		unlinkat(dirfd(list), entry->d_name, 0);
	}
	if (list)
		closedir(list);
}
