/* SPDX-License-Identifier: BSD-2-Clause */
/* The way to an address: the kernel's own route lookup, then its neighbour. And changes: kicking
 * neighbours, adding and taking addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "net_int.h"

struct route {
	uint8_t type; /* RTN_UNICAST, RTN_LOCAL, ... */
	uint32_t ifindex;
	struct zdd_addr gateway;
	bool has_gateway;
	struct zdd_addr source; /* all zero: not told */
	uint32_t mtu;           /* of the route itself, 0: the device's */
};

static int family_of(const struct zdd_addr *addr)
{
	return zdd_addr_is_v4(addr) ? AF_INET : AF_INET6;
}

static void put_addr(struct nlmsghdr *request, uint16_t type, const struct zdd_addr *addr)
{
	if (zdd_addr_is_v4(addr))
		mnl_attr_put(request, type, 4, &addr->w[3]);
	else
		mnl_attr_put(request, type, 16, addr);
}

static struct nlmsghdr *start(char *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return request;
}

/* ---- routes ---- */

/* RTA_VIA: a gateway of the other family (RFC 5549). */
static void read_via(const struct nlattr *attr, struct route *r)
{
	const struct rtvia *via = mnl_attr_get_payload(attr);
	uint16_t len = mnl_attr_get_payload_len(attr);

	if (len < sizeof(*via) + 16 || via->rtvia_family != AF_INET6)
		return;
	memcpy(&r->gateway, via->rtvia_addr, 16);
	r->has_gateway = true;
}

static void read_metrics(const struct nlattr *metrics, struct route *r)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			r->mtu = mnl_attr_get_u32(attr);
	}
}

static int read_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct route *r = context;
	const struct nlattr *attr;

	r->type = info->rtm_type;
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			r->ifindex = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == RTA_GATEWAY) {
			r->gateway = net_addr_of(attr, info->rtm_family);
			r->has_gateway = true;
		}
		if (mnl_attr_get_type(attr) == RTA_PREFSRC)
			r->source = net_addr_of(attr, info->rtm_family);
		if (mnl_attr_get_type(attr) == RTA_METRICS)
			read_metrics(attr, r);
		if (mnl_attr_get_type(attr) == RTA_VIA)
			read_via(attr, r);
	}
	/* The answer is one message without NLM_F_MULTI and, since no ack was asked for, the end. */
	return MNL_CB_STOP;
}

static int ask_route(const struct net *net, const struct zdd_addr *addr, struct route *r)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *request = start(buffer, RTM_GETROUTE, 0);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	int err;

	body->rtm_family = (unsigned char)family_of(addr);
	body->rtm_dst_len = zdd_addr_is_v4(addr) ? 32 : 128;
	put_addr(request, RTA_DST, addr);
	memset(r, 0, sizeof(*r));
	err = net_ask(net, request, read_route, r);
	if (err)
		return err;
	return r->type == RTN_UNICAST || r->type == RTN_LOCAL ? 0 : -EHOSTUNREACH;
}

/* Through a VLAN device the frame leaves on the one below, with the tag put on. */
static void follow_device(const struct net *net, uint32_t ifindex, struct net_path *path)
{
	const struct net_link *link = net_link(net, ifindex);

	path->ifindex = path->neighbour_ifindex = ifindex;
	if (!link)
		return;
	path->mtu = (uint16_t)(link->mtu > UINT16_MAX ? UINT16_MAX : link->mtu);
	memcpy(path->smac, link->mac, sizeof(path->smac));
	if (!strcmp(link->kind, "vlan") && link->lower && !link->peer_elsewhere) {
		path->ifindex = link->lower;
		path->vlan = link->vlan;
	}
}

static bool in_network(const struct zdd_addr *a, const struct zdd_addr *network, unsigned bits)
{
	unsigned whole;

	if (zdd_addr_is_v4(a) != zdd_addr_is_v4(network))
		return false;
	bits += zdd_addr_is_v4(a) ? 96 : 0;
	whole = bits / 8;
	return !memcmp(a->b, network->b, whole) &&
	       (!(bits % 8) || !((a->b[whole] ^ network->b[whole]) >> (8 - bits % 8)));
}

/* The length of the longest network of this host's on a device that an address is in, or 0. */
static uint8_t network_of(const struct net *net, uint32_t ifindex, const struct zdd_addr *addr)
{
	uint8_t longest = 0;

	for (size_t i = 0; i < net->addresses.n; i++) {
		const struct address_more *m = &net->addresses.more[i];

		if (m->ifindex == ifindex && m->prefix > longest &&
		    in_network(addr, &m->network, m->prefix))
			longest = m->prefix;
	}
	return longest;
}

int net_resolve(const struct net *net, const struct zdd_addr *addr, struct net_path *out)
{
	const struct neighbour *neighbour;
	struct net_path path = {0};
	struct route route;
	int err = ask_route(net, addr, &route);

	if (err)
		return err;
	path.next_hop = route.has_gateway ? route.gateway : *addr;
	path.source = route.source;
	path.local = route.type == RTN_LOCAL;
	follow_device(net, route.ifindex, &path);
	if (route.mtu && route.mtu < path.mtu)
		path.mtu = (uint16_t)route.mtu;
	if (!route.has_gateway && !path.local)
		path.prefix = network_of(net, route.ifindex, addr);
	neighbour = path.local ? NULL : net_neighbour(net, route.ifindex, &path.next_hop);
	if (neighbour && neighbour->valid) {
		memcpy(path.dmac, neighbour->mac, sizeof(path.dmac));
		path.resolved = true;
	}
	*out = path;
	return 0;
}

/* ---- changes ---- */

int net_kick(const struct net *net, const struct net_path *path)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *request = start(buffer, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE);
	struct ndmsg *body = mnl_nlmsg_put_extra_header(request, sizeof(*body));

	body->ndm_family = (uint8_t)family_of(&path->next_hop);
	body->ndm_ifindex = (int)path->neighbour_ifindex;
	body->ndm_state = NUD_NONE;
	body->ndm_flags = NTF_USE;
	put_addr(request, NDA_DST, &path->next_hop);
	return net_ask(net, request, NULL, NULL);
}

static int change_address(const struct net *net, uint16_t type, uint16_t flags,
			  const struct zdd_addr *addr)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *request = start(buffer, type, (uint16_t)(NLM_F_ACK | flags));
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(request, sizeof(*body));

	body->ifa_family = (uint8_t)family_of(addr);
	body->ifa_prefixlen = zdd_addr_is_v4(addr) ? 32 : 128;
	body->ifa_flags = zdd_addr_is_v4(addr) ? 0 : IFA_F_NODAD;
	body->ifa_index = 1; /* lo, in every namespace */
	put_addr(request, IFA_LOCAL, addr);
	put_addr(request, IFA_ADDRESS, addr);
	if (type == RTM_NEWADDR)
		mnl_attr_put_u8(request, IFA_PROTO_ATTR, IFA_PROTO_ZDD);
	return net_ask(net, request, NULL, NULL);
}

int net_add_address(const struct net *net, const struct zdd_addr *addr)
{
	if (net_is_local(net, addr))
		return -EEXIST;
	return change_address(net, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, addr);
}

int net_del_address(const struct net *net, const struct zdd_addr *addr)
{
	return change_address(net, RTM_DELADDR, 0, addr);
}
