/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP connections of this host's own sockets, seen and ended through sock_diag(7). */
#ifndef ZDD_NET_SOCKETS_H
#define ZDD_NET_SOCKETS_H

#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stdint.h>

#include "zdd/layout.h"

struct net_sockets;

int net_sockets_open(struct net_sockets **);
void net_sockets_close(struct net_sockets *);
/* 0: connections can be seen and ended. -EOPNOTSUPP: not ended, the kernel is without
 * CONFIG_INET_DIAG_DESTROY; -EPROTONOSUPPORT: not seen, without CONFIG_INET_DIAG. */
int net_sockets_trouble(struct net_sockets *);

/* One that both sides have opened, and not both have closed. */
struct net_socket {
	struct inet_diag_sockid id; /* as the kernel knows it, with a number that never repeats */
	uint8_t family, state;      /* AF_INET or AF_INET6; TCP_ESTABLISHED... */
	struct zdd_addr local, remote;
	uint32_t idle_ms; /* since the last data, 0 when not asked for */
	struct zdd_taken taken;
};

struct net_sockets_asked {
	__be16 port;    /* of this host, 0: any */
	int taken;      /* map of storages: connections without one are not told */
	bool with_idle; /* more work for the kernel */
};

/* Calls each until it returns false. 0 or negative errno. */
int net_sockets_each(struct net_sockets *, const struct net_sockets_asked *,
		     bool (*each)(const struct net_socket *, void *context), void *context);
/* Its process reads ECONNABORTED, its client a reset. -ENOENT: it has ended. */
int net_socket_end(struct net_sockets *, const struct net_socket *);

#endif
