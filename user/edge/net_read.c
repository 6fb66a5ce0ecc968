/* SPDX-License-Identifier: BSD-2-Clause */
/* Dumps of rtnetlink into our own records. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "net_int.h"

enum {
	NUD_KNOWN = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP,
};

/* Grows list (of *n elements) by one zeroed element. NULL when memory is out. */
static void *one_more(void **list, size_t *n, size_t element)
{
	char *bigger = realloc(*list, (*n + 1) * element);

	if (!bigger)
		return NULL;
	*list = bigger;
	return memset(bigger + (*n)++ * element, 0, element);
}

static int dump(const struct net *net, uint16_t type, uint8_t family, mnl_cb_t read, void *context)
{
	char buffer[MNL_NLMSG_HDRLEN + 64] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtgenmsg *body;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	/* As large as the largest of ifinfomsg, ifaddrmsg and ndmsg, for kernels that check. */
	body = mnl_nlmsg_put_extra_header(request, type == RTM_GETLINK   ? sizeof(struct ifinfomsg)
						   : type == RTM_GETADDR ? sizeof(struct ifaddrmsg)
									 : sizeof(struct ndmsg));
	body->rtgen_family = family;
	return net_ask(net, request, read, context);
}

struct zdd_addr net_addr_of(const struct nlattr *attr, int family)
{
	struct zdd_addr addr = {0};
	uint32_t v4;

	if (family == AF_INET && mnl_attr_get_payload_len(attr) >= sizeof(v4)) {
		memcpy(&v4, mnl_attr_get_payload(attr), sizeof(v4));
		return zdd_addr_v4(v4);
	}
	if (mnl_attr_get_payload_len(attr) >= sizeof(addr))
		memcpy(&addr, mnl_attr_get_payload(attr), sizeof(addr));
	return addr;
}

static void copy_text(char *out, size_t size, const struct nlattr *attr)
{
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	len = len < size ? len : size - 1;
	memcpy(out, mnl_attr_get_payload(attr), len);
	out[len] = '\0';
}

static void copy_mac(uint8_t mac[6], const struct nlattr *attr)
{
	if (mnl_attr_get_payload_len(attr) == 6)
		memcpy(mac, mnl_attr_get_payload(attr), 6);
}

/* ---- links ---- */

static void read_vlan(const struct nlattr *data, struct net_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data) if (mnl_attr_get_type(attr) == IFLA_VLAN_ID)
		link->vlan = mnl_attr_get_u16(attr);
}

static void read_kind(const struct nlattr *info, struct net_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			copy_text(link->kind, sizeof(link->kind), attr);
		if (mnl_attr_get_type(attr) == IFLA_INFO_DATA && !strcmp(link->kind, "vlan"))
			read_vlan(attr, link);
	}
}

static void read_link_attr(const struct nlattr *attr, struct net_link *link)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		copy_text(link->name, sizeof(link->name), attr);
		break;
	case IFLA_ADDRESS:
		copy_mac(link->mac, attr);
		break;
	case IFLA_MTU:
		link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK:
		link->lower = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		link->peer_elsewhere = true;
		break;
	case IFLA_LINKINFO:
		read_kind(attr, link);
		break;
	default:
		break;
	}
}

static int read_link(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct links *links = context;
	struct net_link *link = one_more((void **)&links->list, &links->n, sizeof(*link));
	const struct nlattr *attr;

	if (!link)
		return MNL_CB_ERROR;
	link->ifindex = (uint32_t)info->ifi_index;
	link->up = info->ifi_flags & IFF_UP;
	link->running = info->ifi_flags & IFF_RUNNING;
	mnl_attr_for_each(attr, message, sizeof(*info)) read_link_attr(attr, link);
	if (info->ifi_flags & IFF_LOOPBACK)
		strcpy(link->kind, "loopback");
	return MNL_CB_OK;
}

int net_read_links(struct net *net)
{
	struct links now = {0}, *old = &net->links;
	int err = dump(net, RTM_GETLINK, AF_UNSPEC, read_link, &now);
	bool differs;

	if (err) {
		free(now.list);
		return err;
	}
	net_read_features(&now);
	differs = now.n != old->n || memcmp(now.list, old->list, now.n * sizeof(*now.list));
	free(old->list);
	*old = now;
	return differs;
}

/* ---- addresses ---- */

static int read_address(const struct nlmsghdr *message, void *context)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct addresses *a = context;
	const struct nlattr *attr, *local = NULL, *address = NULL;
	size_t n = a->n;
	struct address_more here = {.ifindex = info->ifa_index, .prefix = info->ifa_prefixlen};
	struct address_more *more;
	struct zdd_addr *addr;

	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			local = attr;
		if (mnl_attr_get_type(attr) == IFA_ADDRESS)
			address = attr;
		if (mnl_attr_get_type(attr) == IFA_PROTO_ATTR)
			here.ours = mnl_attr_get_u8(attr) == IFA_PROTO_ZDD;
	}
	if (!local && !address)
		return MNL_CB_OK;
	here.network = net_addr_of(address ? address : local, info->ifa_family);
	more = one_more((void **)&a->more, &n, sizeof(*more));
	addr = more ? one_more((void **)&a->list, &a->n, sizeof(*addr)) : NULL;
	if (!addr)
		return MNL_CB_ERROR;
	*more = here;
	*addr = net_addr_of(local ? local : address, info->ifa_family);
	return MNL_CB_OK;
}

int net_read_addresses(struct net *net)
{
	struct addresses now = {0}, *old = &net->addresses;
	int err = dump(net, RTM_GETADDR, AF_UNSPEC, read_address, &now);
	bool differs;

	if (err) {
		free(now.list);
		free(now.more);
		return err;
	}
	differs = now.n != old->n || memcmp(now.list, old->list, now.n * sizeof(*now.list));
	free(old->list);
	free(old->more);
	*old = now;
	return differs;
}

/* ---- neighbours ---- */

const struct neighbour *net_neighbour(const struct net *net, uint32_t ifindex,
				      const struct zdd_addr *addr)
{
	for (size_t i = 0; i < net->neighbours.n; i++) {
		const struct neighbour *n = &net->neighbours.list[i];

		if (n->ifindex == ifindex && zdd_addr_eq(&n->addr, addr))
			return n;
	}
	return NULL;
}

static bool read_neighbour(const struct nlmsghdr *message, struct neighbour *out)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	bool named = false, mac = false;

	memset(out, 0, sizeof(*out));
	if (info->ndm_family != AF_INET && info->ndm_family != AF_INET6)
		return false;
	out->ifindex = (uint32_t)info->ndm_ifindex;
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == NDA_DST) {
			out->addr = net_addr_of(attr, info->ndm_family);
			named = true;
		}
		if (mnl_attr_get_type(attr) == NDA_LLADDR) {
			copy_mac(out->mac, attr);
			mac = mnl_attr_get_payload_len(attr) == 6;
		}
	}
	out->valid = mac && info->ndm_state & NUD_KNOWN && message->nlmsg_type == RTM_NEWNEIGH;
	return named;
}

bool net_take_neighbour(struct net *net, const struct nlmsghdr *message)
{
	struct neighbour now, *known;

	if (!read_neighbour(message, &now))
		return false;
	known = (struct neighbour *)net_neighbour(net, now.ifindex, &now.addr);
	if (known && message->nlmsg_type == RTM_DELNEIGH) {
		bool was = known->valid;

		*known = net->neighbours.list[--net->neighbours.n];
		return was;
	}
	if (known) {
		bool differs = known->valid != now.valid ||
			       (now.valid && memcmp(known->mac, now.mac, sizeof(now.mac)));

		*known = now;
		return differs;
	}
	if (message->nlmsg_type == RTM_DELNEIGH)
		return false;
	known = one_more((void **)&net->neighbours.list, &net->neighbours.n, sizeof(*known));
	if (known)
		*known = now;
	return known && now.valid;
}

static int read_neighbour_dump(const struct nlmsghdr *message, void *context)
{
	net_take_neighbour(context, message);
	return MNL_CB_OK;
}

int net_read_neighbours(struct net *net)
{
	int err;

	net->neighbours.n = 0;
	err = dump(net, RTM_GETNEIGH, AF_UNSPEC, read_neighbour_dump, net);
	return err ? err : 1;
}
