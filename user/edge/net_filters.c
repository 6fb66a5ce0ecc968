/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "net_int.h"

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

bool net_has_filters(uint32_t ifindex)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	unsigned n = 1;

	if (socket && !mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID))
		n = count_filters(socket, ifindex, TC_H_MIN_INGRESS) +
		    count_filters(socket, ifindex, TC_H_MIN_EGRESS);
	if (socket)
		mnl_socket_close(socket);
	return n;
}
