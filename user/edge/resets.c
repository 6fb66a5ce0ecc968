/* SPDX-License-Identifier: BSD-2-Clause */
#include "resets.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reset.h"

enum { SEND_BUFFER = 4 << 20 };

static int open_one(int family, int protocol)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int size = SEND_BUFFER;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

/* Protocol 0 of packets, and RAW of IP, receive nothing; RAW takes packets with their headers. */
int resets_open(struct resets *r)
{
	r->frames = open_one(AF_PACKET, 0);
	r->v4 = open_one(AF_INET, IPPROTO_RAW);
	r->v6 = open_one(AF_INET6, IPPROTO_RAW);
	if (r->frames < 0)
		return r->frames;
	return r->v4 < 0 ? r->v4 : 0; /* a host may be without IPv6 */
}

void resets_close(struct resets *r)
{
	const int fds[] = {r->frames, r->v4, r->v6};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int send_frame(const struct resets *r, const struct reset *what, uint32_t ifindex,
		      const struct reset_way *way)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};
	uint8_t frame[RESET_FRAME_MAX];
	size_t len = reset_frame(what, way, frame);

	return sendto(r->frames, frame, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno
											: 0;
}

/* Through the host's stack, whose routes know the way. */
static int send_bytes(const struct resets *r, const struct zdd_addr *to, const uint8_t *packet,
		      size_t len)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = to->w[3]};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	ssize_t sent;

	memcpy(&v6.sin6_addr, to->b, sizeof(v6.sin6_addr));
	if (zdd_addr_is_v4(to))
		sent = sendto(r->v4, packet, len, 0, (struct sockaddr *)&v4, sizeof(v4));
	else
		sent = sendto(r->v6, packet, len, 0, (struct sockaddr *)&v6, sizeof(v6));
	return sent < 0 ? -errno : 0;
}

static int send_packet(const struct resets *r, const struct reset *what)
{
	uint8_t packet[RESET_PACKET_MAX];

	return send_bytes(r, &what->to, packet, reset_packet(what, packet));
}

static int send_inside(const struct resets *r, const struct reset *what,
		       const struct zdd_addr *from, const struct zdd_backend *b)
{
	uint8_t packet[RESET_INSIDE_MAX];
	size_t len = reset_inside(what, from, &b->addr, b->forward == ZDD_FORWARD_GUE, packet);

	return send_bytes(r, &b->addr, packet, len);
}

int resets_to_client(const struct resets *r, const struct zdd_memory *m, const struct zdd_flow *f)
{
	struct reset what = reset_to_client(f, &m->listeners[f->owner.listener]);
	const struct zdd_link *link = f->link < ZDD_LINKS ? &m->links[f->link] : NULL;

	if (!link || !link->ifindex)
		return send_packet(r, &what);
	return send_frame(r, &what, link->ifindex, &(struct reset_way){f->mac, link->mac, f->vlan});
}

int resets_to_backend(const struct resets *r, const struct zdd_memory *m, const struct zdd_flow *f)
{
	const struct zdd_backend *b = &m->backends[f->owner.backend];
	const struct zdd_hop *hop = &m->hops[b->hop < m->geometry->hops ? b->hop : 0];
	const struct zdd_addr *source =
		f->source && f->source < ZDD_SOURCES ? &m->sources[f->source] : NULL;
	struct reset what = reset_to_backend(f, &m->listeners[f->owner.listener], b, source);

	if (b->forward == ZDD_FORWARD_IPIP || b->forward == ZDD_FORWARD_GUE)
		return hop->source ? send_inside(r, &what, &m->sources[hop->source], b) : -ENOTSUP;
	if (hop->ifindex && hop->flags & ZDD_H_RESOLVED && !(hop->flags & ZDD_H_LOCAL))
		return send_frame(r, &what, hop->ifindex,
				  &(struct reset_way){hop->dmac, hop->smac, hop->vlan});
	return b->forward == ZDD_FORWARD_DSR ? -ENOTSUP : send_packet(r, &what);
}
