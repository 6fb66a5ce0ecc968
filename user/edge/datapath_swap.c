/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs at the pinned hooks, read and replaced as a set. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "datapath_int.h"
#include "explain.h"

static int program_at(const struct hook *hook)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	if (hook->kind == HOOK_FILTER_IN || hook->kind == HOOK_FILTER_OUT)
		return dup(hook->fd);
	if (bpf_obj_get_info_by_fd(hook->fd, &info, &len))
		return -1;
	return bpf_prog_get_fd_by_id(info.prog_id);
}

static void read_one(struct datapath *dp, struct hook hook, void *context)
{
	int *programs = context;

	(void)dp;
	if (programs[hook.kind] < 0)
		programs[hook.kind] = program_at(&hook);
	close(hook.fd);
}

void swap_read(struct datapath *dp, int programs[HOOK_KINDS])
{
	memset(programs, 0xff, HOOK_KINDS * sizeof(*programs));
	hooks_each(dp, read_one, programs);
}

void swap_close(int programs[HOOK_KINDS])
{
	for (int kind = 0; kind < HOOK_KINDS; kind++)
		if (programs[kind] >= 0)
			close(programs[kind]);
}

struct swap {
	const int *programs;
	int err;
	char **error;
};

static void write_one(struct datapath *dp, struct hook hook, void *context)
{
	struct swap *swap = context;
	int program = swap->programs[hook.kind];
	int err = program < 0 ? 0 : hook_replace(dp, &hook, program);

	if (err && !swap->err)
		swap->err =
			explain(swap->error, err, "a program of %s/links cannot be replaced: %s",
				dp->dir, strerror(-err));
	close(hook.fd);
}

int swap_write(struct datapath *dp, const int programs[HOOK_KINDS], char **error)
{
	struct swap swap = {programs, 0, error};

	hooks_each(dp, write_one, &swap);
	return swap.err;
}
