/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside net*.c. */
#ifndef ZDD_NET_INT_H
#define ZDD_NET_INT_H

#include <libmnl/libmnl.h>

#include "net.h"

/* Who made an address, since Linux 5.18; the headers of older systems lack it. */
enum { IFA_PROTO_ATTR = 11, IFA_PROTO_ZDD = 0x7a };

struct neighbour {
	uint32_t ifindex;
	struct zdd_addr addr;
	uint8_t mac[6];
	bool valid;
};

struct links {
	struct net_link *list;
	size_t n;
};

struct addresses {
	struct zdd_addr *list;
	struct address_more {
		struct zdd_addr network; /* with `prefix` bits, on the device */
		uint32_t ifindex;
		uint8_t prefix;
		bool ours;
	} * more;
	size_t n;
};

struct neighbours {
	struct neighbour *list;
	size_t n;
};

struct net {
	struct mnl_socket *events; /* subscribed, never blocks */
	struct mnl_socket *ask;    /* requests and their answers */
	struct links links;
	struct addresses addresses;
	struct neighbours neighbours;
	bool lost;       /* events were lost: read everything again */
	bool links_seen; /* net_refresh_links met a change before its event */
};

/* One request on the ask socket; each answer goes to read. 0 or negative errno. */
int net_ask(const struct net *, struct nlmsghdr *request, mnl_cb_t read, void *context);
/* The same on a socket of its own, for generic netlink. */
int net_ask_on(struct mnl_socket *, struct nlmsghdr *request, mnl_cb_t read, void *context);

/* net_read.c: each replaces what is known. Returns 1 when it differs from before, 0, or errno. */
int net_read_links(struct net *);
int net_read_addresses(struct net *);
int net_read_neighbours(struct net *);
/* One event. Returns true when a MAC address or its validity changed. */
bool net_take_neighbour(struct net *, const struct nlmsghdr *);
const struct neighbour *net_neighbour(const struct net *, uint32_t ifindex,
				      const struct zdd_addr *);
/* The address in an attribute, by family. */
struct zdd_addr net_addr_of(const struct nlattr *, int family);

/* net_features.c: sets takes_redirects of all links. */
void net_read_features(struct links *);

#endif
