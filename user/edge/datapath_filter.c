/* SPDX-License-Identifier: BSD-2-Clause */
/* clsact filters, for kernels before 6.6: tc-bpf(8). */
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "datapath_int.h"

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

/* ---- taking clsact away with the last filter ---- */

static int count_filter(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *info = mnl_nlmsg_get_payload(message);

	*(unsigned *)context += info->tcm_handle != 0; /* 0: a priority, not a filter */
	return MNL_CB_OK;
}

/* Filters of one direction, or 1 when that cannot be told. */
static unsigned count_filters(struct mnl_socket *socket, uint32_t ifindex, uint32_t parent)
{
	char buffer[8192] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct tcmsg *body;
	unsigned n = 0;
	int more = 1;

	request->nlmsg_type = RTM_GETTFILTER;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	body->tcm_ifindex = (int)ifindex;
	body->tcm_parent = TC_H_MAKE(TC_H_CLSACT, parent);
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return 1;
	while (more > 0) {
		ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (got < 0)
			return 1;
		more = mnl_cb_run(buffer, (size_t)got, 0, 0, count_filter, &n);
	}
	return more < 0 ? 1 : n;
}

static bool is_empty(uint32_t ifindex)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	unsigned n = 1;

	if (socket && !mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID))
		n = count_filters(socket, ifindex, TC_H_MIN_INGRESS) +
		    count_filters(socket, ifindex, TC_H_MIN_EGRESS);
	if (socket)
		mnl_socket_close(socket);
	return !n;
}

void filter_detach(bool out, uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(out, ifindex);
	struct bpf_tc_opts opts = opts_of(0, 0);

	bpf_tc_detach(&hook, &opts);
	if (!is_empty(ifindex))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}
