/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaching so that it outlives the command: pinned tcx links, clsact filters before Linux 6.6. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decap.h"
#include "decap.skel.h"

/* tcx is newer than the headers of the base line. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47 };
enum { FILTER_HANDLE = 0x7adc, FILTER_PRIORITY = 1 };

static const struct side {
	const char *link, *filter; /* names of pins */
	int attach_type;
	enum bpf_tc_attach_point point;
} sides[] = {
	{"in", "fin", TCX_INGRESS, BPF_TC_INGRESS},
	{"out", "fout", TCX_EGRESS, BPF_TC_EGRESS},
};

enum { SIDES = sizeof(sides) / sizeof(sides[0]) };

static void pin_path(char path[PATH_MAX], const char *dir, const char *kind, const char *interface)
{
	snprintf(path, PATH_MAX, "%s/links/%s-%s", dir, kind, interface);
}

/* ---- tcx ---- */

/* A link whose interface is gone stays behind without one, at the place where xdp has its own. */
static bool link_is_alive(int fd, unsigned ifindex)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &len) && info.xdp.ifindex == ifindex;
}

static bool replaced(const char *path, unsigned ifindex, int program)
{
	int fd = bpf_obj_get(path);
	bool done = fd >= 0 && link_is_alive(fd, ifindex) && !bpf_link_update(fd, program, NULL);

	if (fd >= 0)
		close(fd);
	if (!done)
		unlink(path);
	return done;
}

static int attach_link(const char *path, const struct side *s, unsigned ifindex, int program)
{
	int fd, err;

	if (replaced(path, ifindex, program))
		return 0;
	fd = bpf_link_create(program, (int)ifindex, (enum bpf_attach_type)s->attach_type, NULL);
	if (fd < 0)
		return -errno;
	err = bpf_obj_pin(fd, path) ? -errno : 0;
	close(fd);
	return err;
}

/* ---- clsact ---- */

static struct bpf_tc_hook hook_of(const struct side *s, unsigned ifindex)
{
	return (struct bpf_tc_hook){.sz = sizeof(struct bpf_tc_hook),
				    .ifindex = (int)ifindex,
				    .attach_point = s->point};
}

static struct bpf_tc_opts opts_of(int program, uint32_t flags)
{
	return (struct bpf_tc_opts){.sz = sizeof(struct bpf_tc_opts),
				    .prog_fd = program,
				    .flags = flags,
				    .handle = FILTER_HANDLE,
				    .priority = FILTER_PRIORITY};
}

/* Its pin is the program, which only says that the filter is there. */
static int attach_filter(const char *path, const struct side *s, unsigned ifindex, int program)
{
	struct bpf_tc_hook hook = hook_of(s, ifindex);
	struct bpf_tc_opts opts = opts_of(program, BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		return err;
	unlink(path);
	return bpf_obj_pin(program, path) ? -errno : 0;
}

/* clsact itself stays: others may use it. */
static void detach_filter(const struct side *s, unsigned ifindex)
{
	struct bpf_tc_hook hook = hook_of(s, ifindex);
	struct bpf_tc_opts opts = opts_of(0, 0);

	bpf_tc_detach(&hook, &opts);
}

static bool filter_is_alive(const struct side *s, unsigned ifindex)
{
	struct bpf_tc_hook hook = hook_of(s, ifindex);
	struct bpf_tc_opts opts = opts_of(0, 0);

	return !bpf_tc_query(&hook, &opts);
}

/* ---- either ---- */

static int attach_side(const char *dir, const char *interface, const struct side *s,
		       unsigned ifindex, int program)
{
	char path[PATH_MAX];
	int err;

	pin_path(path, dir, s->link, interface);
	err = attach_link(path, s, ifindex, program);
	if (err != -EINVAL && err != -EOPNOTSUPP)
		return err;
	pin_path(path, dir, s->filter, interface);
	return attach_filter(path, s, ifindex, program);
}

/* Returns whether something was there. */
static bool detach_side(const char *dir, const char *interface, const struct side *s)
{
	unsigned ifindex = if_nametoindex(interface);
	char path[PATH_MAX];
	bool was;

	pin_path(path, dir, s->link, interface);
	was = !unlink(path);
	pin_path(path, dir, s->filter, interface);
	if (access(path, F_OK))
		return was;
	if (ifindex)
		detach_filter(s, ifindex);
	unlink(path);
	return true;
}

static bool side_is_alive(const char *dir, const char *interface, const struct side *s,
			  unsigned ifindex)
{
	char path[PATH_MAX];
	bool alive;
	int fd;

	pin_path(path, dir, s->filter, interface);
	if (!access(path, F_OK))
		return filter_is_alive(s, ifindex);
	pin_path(path, dir, s->link, interface);
	fd = bpf_obj_get(path);
	alive = fd >= 0 && link_is_alive(fd, ifindex);
	if (fd >= 0)
		close(fd);
	return alive;
}

bool hooks_alive(const char *dir, const char *interface)
{
	unsigned ifindex = if_nametoindex(interface);
	bool alive = ifindex;

	for (int i = 0; i < SIDES; i++)
		alive = alive && side_is_alive(dir, interface, &sides[i], ifindex);
	return alive;
}

/* ---- the maps ---- */

static int make_dirs(const char *dir)
{
	static const char *const parts[] = {"", "/links", "/maps"};
	char path[PATH_MAX];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", dir, parts[i]);
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* Interfaces share them: a connection may come in by one and be answered by another. */
static int share_maps(struct decap_bpf *bpf, const char *dir)
{
	struct bpf_map *maps[] = {bpf->maps.counts, bpf->maps.known};
	char path[PATH_MAX];
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		snprintf(path, sizeof(path), "%s/maps/%s", dir, bpf_map__name(maps[i]));
		err = bpf_map__set_pin_path(maps[i], path);
	}
	return err;
}

static void remove_dirs(const char *dir)
{
	static const char *const files[] = {"/maps/counts", "/maps/known"};
	static const char *const dirs[] = {"/maps", "/links", ""};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/links", dir);
	if (rmdir(path))
		return; /* others are attached */
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", dir, files[i]);
		unlink(path);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", dir, dirs[i]);
		rmdir(path);
	}
}

/* ---- commands ---- */

static int be_quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int attach_both(const char *dir, const char *interface, unsigned ifindex,
		       const struct decap_bpf *bpf)
{
	const struct bpf_program *programs[] = {bpf->progs.zdd_decap_in, bpf->progs.zdd_decap_out};
	int err = 0;

	for (int i = 0; i < SIDES && !err; i++)
		err = attach_side(dir, interface, &sides[i], ifindex, bpf_program__fd(programs[i]));
	for (int i = 0; i < SIDES && err; i++)
		detach_side(dir, interface, &sides[i]);
	return err;
}

int decap_attach(const char *dir, const char *interface, const struct decap_settings *settings)
{
	unsigned ifindex = if_nametoindex(interface);
	struct decap_bpf *bpf;
	int err;

	if (!ifindex)
		return complain(EXIT_ABSENT, "%s: no such interface", interface);
	libbpf_set_print(be_quiet);
	err = make_dirs(dir);
	if (err)
		return complain(err == -EPERM || err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_ERROR,
				"%s: %s; a mounted bpffs and root are needed", dir, strerror(-err));
	bpf = decap_bpf__open();
	err = bpf ? share_maps(bpf, dir) : -errno;
	if (!err) {
		memcpy((void *)&bpf->rodata->settings, settings, sizeof(*settings));
		err = decap_bpf__load(bpf);
	}
	if (!err)
		err = attach_both(dir, interface, ifindex, bpf);
	decap_bpf__destroy(bpf);
	if (err)
		remove_dirs(dir);
	if (err == -EPERM)
		return complain(EXIT_NOT_PERMITTED, "%s: attaching needs root", interface);
	return err ? complain(EXIT_ERROR, "%s: could not be attached: %s", interface,
			      strerror(-err))
		   : EXIT_OK;
}

int decap_detach(const char *dir, const char *interface)
{
	bool was = false;

	if (access(dir, F_OK) && errno == EACCES)
		return complain(EXIT_NOT_PERMITTED, "%s: detaching needs root", interface);
	for (int i = 0; i < SIDES; i++)
		was |= detach_side(dir, interface, &sides[i]);
	remove_dirs(dir);
	return was ? EXIT_OK : complain(EXIT_ABSENT, "%s: is not attached", interface);
}
