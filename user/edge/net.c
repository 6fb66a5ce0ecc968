/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets and events; see rtnetlink(7). */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "explain.h"
#include "net_int.h"

enum { ANSWER_SECONDS = 2, EVENT_BYTES = 1 << 20 };

static const int groups[] = {RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
			     RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};

/* ---- asking ---- */

static uint32_t next_seq(void)
{
	static uint32_t seq;

	return __atomic_add_fetch(&seq, 1, __ATOMIC_RELAXED);
}

/* libmnl's own ends a dump as if it were whole, whatever the kernel says. */
static int take_done(const struct nlmsghdr *message, void *context)
{
	const int *result = mnl_nlmsg_get_payload(message);

	(void)context;
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*result) || *result >= 0)
		return MNL_CB_STOP;
	errno = -*result;
	return MNL_CB_ERROR;
}

static int take_error(const struct nlmsghdr *message, void *context)
{
	const struct nlmsgerr *said = mnl_nlmsg_get_payload(message);

	(void)context;
	if (mnl_nlmsg_get_payload_len(message) >= sizeof(*said) && !said->error)
		return MNL_CB_STOP;
	errno = mnl_nlmsg_get_payload_len(message) < sizeof(*said) ? EBADMSG : -said->error;
	return MNL_CB_ERROR;
}

int net_ask_on(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t read, void *context)
{
	static mnl_cb_t ends[] = {[NLMSG_ERROR] = take_error, [NLMSG_DONE] = take_done};
	char buffer[32768];
	unsigned port = mnl_socket_get_portid(socket);
	int more = 1;

	request->nlmsg_seq = next_seq();
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		ssize_t got = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (got < 0)
			return -errno;
		/* Answers to an earlier request that timed out have another number: skip them. */
		if (((struct nlmsghdr *)buffer)->nlmsg_seq != request->nlmsg_seq)
			continue;
		more = mnl_cb_run2(buffer, (size_t)got, request->nlmsg_seq, port, read, context,
				   ends, sizeof(ends) / sizeof(ends[0]));
	}
	return more < 0 ? -errno : 0;
}

int net_ask(const struct net *net, struct nlmsghdr *request, mnl_cb_t read, void *context)
{
	return net_ask_on(net->ask, request, read, context);
}

/* ---- events ---- */

static int take_event(const struct nlmsghdr *message, void *context)
{
	int *changed = ((void **)context)[0];
	struct net *net = ((void **)context)[1];

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		*changed |= NET_LINKS;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		*changed |= NET_ADDRESSES;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		*changed |= NET_ROUTES;
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (net_take_neighbour(net, message))
			*changed |= NET_NEIGHBOURS;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int read_events(struct net *net, int *changed)
{
	void *context[] = {changed, net};
	char buffer[32768];

	for (;;) {
		ssize_t got = mnl_socket_recvfrom(net->events, buffer, sizeof(buffer));

		if (got < 0 && errno == ENOBUFS) {
			net->lost = true;
			continue;
		}
		if (got < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (mnl_cb_run(buffer, (size_t)got, 0, 0, take_event, context) < 0)
			net->lost = true;
	}
}

/* Keeps bit only when reading again shows a difference. */
static int confirm(struct net *net, int changed, int bit, int (*read)(struct net *))
{
	int differs;

	if (!(changed & bit))
		return 0;
	differs = read(net);
	if (differs < 0)
		net->lost = true;
	return differs > 0 ? bit : 0;
}

int net_poll(struct net *net)
{
	int changed = 0, err = read_events(net, &changed), real;

	if (err)
		return err;
	if (net->lost) {
		net->lost = false;
		changed = NET_LINKS | NET_ADDRESSES | NET_ROUTES | NET_NEIGHBOURS;
		net_read_neighbours(net);
	}
	real = changed & (NET_ROUTES | NET_NEIGHBOURS);
	real |= confirm(net, changed, NET_LINKS, net_read_links);
	if (net->links_seen && changed & NET_LINKS)
		real |= NET_LINKS;
	net->links_seen &= !(changed & NET_LINKS);
	return real | confirm(net, changed, NET_ADDRESSES, net_read_addresses);
}

bool net_refresh_links(struct net *net)
{
	int differs = net_read_links(net);

	if (differs < 0)
		net->lost = true;
	net->links_seen |= differs > 0;
	return differs > 0;
}

int net_fd(const struct net *net)
{
	return mnl_socket_get_fd(net->events);
}

/* ---- life ---- */

static int open_events(struct net *net)
{
	int size = EVENT_BYTES, fd;

	net->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!net->events || mnl_socket_bind(net->events, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(net->events);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (mnl_socket_setsockopt(net->events, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof(*groups)) < 0)
			return -errno;
	return 0;
}

static int open_ask(struct net *net)
{
	struct timeval patience = {.tv_sec = ANSWER_SECONDS};

	net->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!net->ask || mnl_socket_bind(net->ask, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(net->ask), SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)))
		return -errno;
	return 0;
}

int net_open(struct net **out, char **error)
{
	struct net *net = calloc(1, sizeof(*net));
	int err = net ? open_events(net) : -ENOMEM;

	if (!err)
		err = open_ask(net);
	if (!err)
		err = net_read_links(net);
	if (err >= 0)
		err = net_read_addresses(net);
	if (err >= 0)
		err = net_read_neighbours(net);
	if (err < 0) {
		net_close(net);
		return explain(error, err,
			       "rtnetlink: cannot read links, addresses and neighbours: %s",
			       strerror(-err));
	}
	*out = net;
	return 0;
}

void net_close(struct net *net)
{
	if (!net)
		return;
	if (net->events)
		mnl_socket_close(net->events);
	if (net->ask)
		mnl_socket_close(net->ask);
	free(net->links.list);
	free(net->addresses.list);
	free(net->addresses.more);
	free(net->neighbours.list);
	free(net);
}

/* ---- looking ---- */

const struct net_link *net_link_named(const struct net *net, const char *name)
{
	for (size_t i = 0; i < net->links.n; i++)
		if (!strcmp(net->links.list[i].name, name))
			return &net->links.list[i];
	return NULL;
}

const struct net_link *net_link(const struct net *net, uint32_t ifindex)
{
	for (size_t i = 0; i < net->links.n; i++)
		if (net->links.list[i].ifindex == ifindex)
			return &net->links.list[i];
	return NULL;
}

size_t net_local_addresses(const struct net *net, const struct zdd_addr **out)
{
	*out = net->addresses.list;
	return net->addresses.n;
}

static const struct zdd_addr *find_address(const struct net *net, const struct zdd_addr *addr)
{
	for (size_t i = 0; i < net->addresses.n; i++)
		if (zdd_addr_eq(&net->addresses.list[i], addr))
			return &net->addresses.list[i];
	return NULL;
}

bool net_is_local(const struct net *net, const struct zdd_addr *addr)
{
	return find_address(net, addr) != NULL;
}

bool net_owns_address(const struct net *net, const struct zdd_addr *addr)
{
	const struct zdd_addr *found = find_address(net, addr);

	return found && net->addresses.more[found - net->addresses.list].ours;
}
