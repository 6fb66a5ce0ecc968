/* SPDX-License-Identifier: BSD-2-Clause */
/* Which devices take XDP redirects: the "netdev" family of generic netlink (Linux 6.3;
 * Documentation/netlink/specs/netdev.yaml). Older kernels do not tell: there only plain devices are
 * trusted, by their drivers, and the others get their frames through the stack. */
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "net_int.h"
#include "ways.h"

enum {
	NETDEV_CMD_DEV_GET = 1,
	NETDEV_A_DEV_IFINDEX = 1,
	NETDEV_A_DEV_XDP_FEATURES = 3,
	NETDEV_XDP_ACT_NDO_XMIT = 4,
};

static struct nlmsghdr *start(char *buffer, uint16_t family, uint16_t flags, uint8_t command)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *body;

	request->nlmsg_type = family;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	body = mnl_nlmsg_put_extra_header(request, sizeof(*body));
	body->cmd = command;
	body->version = 1;
	return request;
}

static int read_family(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) if (mnl_attr_get_type(attr) ==
									CTRL_ATTR_FAMILY_ID) *
		(uint16_t *)context = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static uint16_t find_family(struct mnl_socket *socket)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *request = start(buffer, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY);
	uint16_t family = 0;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, "netdev");
	net_ask_on(socket, request, read_family, &family);
	return family;
}

static int read_device(const struct nlmsghdr *message, void *context)
{
	struct links *links = context;
	const struct nlattr *attr;
	uint32_t ifindex = 0;
	uint64_t features = 0;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == NETDEV_A_DEV_IFINDEX)
			ifindex = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == NETDEV_A_DEV_XDP_FEATURES)
			features = mnl_attr_get_u64(attr);
	}
	for (size_t i = 0; i < links->n; i++)
		if (links->list[i].ifindex == ifindex)
			links->list[i].takes_redirects = features & NETDEV_XDP_ACT_NDO_XMIT;
	return MNL_CB_OK;
}

static bool ask_kernel(struct links *links)
{
	char buffer[256] __attribute__((aligned(8)));
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	struct timeval patience = {.tv_sec = 2};
	uint16_t family;
	bool told = false;

	if (!socket)
		return false;
	if (!mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) &&
	    !setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
			sizeof(patience))) {
		family = find_family(socket);
		told = family &&
		       !net_ask_on(socket, start(buffer, family, NLM_F_DUMP, NETDEV_CMD_DEV_GET),
				   read_device, links);
	}
	mnl_socket_close(socket);
	return told;
}

static bool driver_sends(int fd, const char name[16])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ask = {.ifr_data = (char *)&info};

	memcpy(ask.ifr_name, name, sizeof(ask.ifr_name));
	return !ioctl(fd, SIOCETHTOOL, &ask) && ways_driver_sends(info.driver);
}

static void ask_drivers(struct links *links)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; i < links->n; i++)
		links->list[i].takes_redirects =
			!links->list[i].kind[0] && driver_sends(fd, links->list[i].name);
	if (fd >= 0)
		close(fd);
}

void net_read_features(struct links *links)
{
	if (!ask_kernel(links))
		ask_drivers(links);
}
