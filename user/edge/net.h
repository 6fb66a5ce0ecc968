/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel knows about this network namespace, through rtnetlink: links, local addresses,
 * neighbours (kept here, refreshed by net_poll) and the way to an address (asked each time). */
#ifndef ZDD_NET_H
#define ZDD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/addr.h"

struct net;

enum net_change { NET_LINKS = 1, NET_ADDRESSES = 2, NET_ROUTES = 4, NET_NEIGHBOURS = 8 };

/* 0 or negative errno with *error one line. */
int net_open(struct net **out, char **error);
void net_close(struct net *);
/* Readable when something may have changed: call net_poll then. */
int net_fd(const struct net *);
/* Takes in what the kernel has told. Returns what really changed (enum net_change bits, 0: nothing
 * that matters) or negative errno. Never blocks. */
int net_poll(struct net *);

/* Reads links again at once, for what no event tells (XDP abilities). True when they differ. */
bool net_refresh_links(struct net *);

struct net_link {
	uint32_t ifindex;
	char name[16];
	char kind[16];  /* "veth", "bridge", "vlan", ...; "loopback"; "" for a plain device */
	uint8_t mac[6]; /* zero when it has none */
	bool up, running;
	bool peer_elsewhere;  /* its peer or lower device is in another namespace */
	bool takes_redirects; /* XDP frames may be redirected to it */
	uint16_t vlan;        /* kind vlan: its tag; `lower` carries it */
	uint32_t lower;       /* ifindex of the device below, 0: none */
	uint32_t mtu;
};

/* NULL when there is none. Valid until the next net_poll. */
const struct net_link *net_link_named(const struct net *, const char *name);
const struct net_link *net_link(const struct net *, uint32_t ifindex);
/* Every address of this host, loopback included. Valid until the next net_poll. */
size_t net_local_addresses(const struct net *, const struct zdd_addr **out);
bool net_is_local(const struct net *, const struct zdd_addr *);

/* Somebody has a tc filter at the interface's clsact, or that cannot be told. */
bool net_has_filters(uint32_t ifindex);

/* The way to an address. */
struct net_path {
	uint32_t ifindex; /* the device that frames leave through; below a VLAN device */
	bool local;       /* an address of this host */
	bool resolved;    /* the MAC addresses are valid */
	uint16_t vlan;    /* tag to put on, 0: none */
	uint16_t mtu;
	uint8_t dmac[6], smac[6];
	struct zdd_addr next_hop; /* the gateway, or the address itself */
	uint8_t prefix; /* length of the connected network it is in; 0: behind a gateway, local */
	struct zdd_addr source;     /* this host's address on this way; all zero: not known */
	uint32_t neighbour_ifindex; /* where the neighbour is known: the VLAN device */
};
/* 0 (perhaps not resolved), -EHOSTUNREACH or -ENETUNREACH when there is no way, other errno. */
int net_resolve(const struct net *, const struct zdd_addr *, struct net_path *out);
/* Asks the kernel to find or confirm the neighbour at the end of an unresolved path. */
int net_kick(const struct net *, const struct net_path *);

/* VIPs that the daemon manages, /32 or /128 on lo. net_add_address: 0 when it was put there,
 * -EEXIST when it was there already (leave it alone then), other errno. */
int net_add_address(const struct net *, const struct zdd_addr *);
int net_del_address(const struct net *, const struct zdd_addr *);
/* Put there by net_add_address, of this or an earlier daemon (told by IFA_PROTO, Linux 5.18). */
bool net_owns_address(const struct net *, const struct zdd_addr *);

#endif
