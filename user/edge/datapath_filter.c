/* SPDX-License-Identifier: BSD-2-Clause */
/* clsact filters, for kernels before 6.6: tc-bpf(8). */
#include <bpf/libbpf.h>
#include <errno.h>

#include "datapath_int.h"
#include "net.h"

enum { FILTER_HANDLE = 0x7add, FILTER_PRIORITY = 1 };

static struct bpf_tc_hook hook_of(bool out, uint32_t ifindex)
{
	return (struct bpf_tc_hook){.sz = sizeof(struct bpf_tc_hook),
				    .ifindex = (int)ifindex,
				    .attach_point = out ? BPF_TC_EGRESS : BPF_TC_INGRESS};
}

static struct bpf_tc_opts opts_of(int program, uint32_t flags)
{
	return (struct bpf_tc_opts){.sz = sizeof(struct bpf_tc_opts),
				    .prog_fd = program,
				    .flags = flags,
				    .handle = FILTER_HANDLE,
				    .priority = FILTER_PRIORITY};
}

int filter_attach(bool out, uint32_t ifindex, int program)
{
	struct bpf_tc_hook hook = hook_of(out, ifindex);
	struct bpf_tc_opts opts = opts_of(program, BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	return bpf_tc_attach(&hook, &opts);
}

bool filter_present(bool out, uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(out, ifindex);
	struct bpf_tc_opts opts = opts_of(0, 0);

	return !bpf_tc_query(&hook, &opts);
}

/* clsact goes with the last filter. */
void filter_detach(bool out, uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(out, ifindex);
	struct bpf_tc_opts opts = opts_of(0, 0);

	bpf_tc_detach(&hook, &opts);
	if (net_has_filters(ifindex))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}
