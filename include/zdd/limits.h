/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every bound of zdd that both sides of the kernel boundary rely on. */
#ifndef ZDD_LIMITS_H
#define ZDD_LIMITS_H

enum {
	ZDD_PLAN_SLOTS = 4, /* plans in memory: one read, the rest written or resting */
	ZDD_POOLS_PER_SERVICE = 16,
	ZDD_SHARE_UNITS = 10000, /* shares are counted in 0.01 % */
	ZDD_DOOR_WAYS = 4,       /* doors per bucket; a key has two buckets */
	ZDD_FLOW_WAYS = 8,       /* flows per bucket; a flow has two buckets */
	ZDD_LINKS = 1024,        /* attached interfaces, hashed by ifindex, two ways */
	ZDD_SOURCES = 256,       /* addresses of this node that packets may be given as source */
	ZDD_HALF_OPEN_S = 75,    /* seconds that a handshake may take (RFC 1122 4.2.3.5) */
	ZDD_SNAT_ADDRESSES = 32, /* of each family, for mode snat */
	ZDD_MEMO_SETS = 8192,    /* memory of flows forwarded without state */
	ZDD_MEMO_WAYS = 16,
	ZDD_HOLDS = 256,        /* services held at once, and one */
	ZDD_PROVEN_SETS = 8192, /* clients that were heard in a flood */
	ZDD_PROVEN_WAYS = 8,
	ZDD_HELD = 16384,     /* SYNs that wait: at most half of the places are asked for */
	ZDD_HELD_ROW = 16,    /* places that one flow may have */
	ZDD_HELD_FRAME = 128, /* bytes of a SYN's frame */
	ZDD_FLOW_LOCKS = 4096,
	ZDD_FRAGMENT_SETS = 2048, /* datagrams in fragments that are under way */
	ZDD_FRAGMENT_WAYS = 4,
	ZDD_EARLY = 256,        /* fragments that wait for their first one */
	ZDD_EARLY_ROW = 64,     /* places that those of one datagram may have */
	ZDD_EARLY_FRAME = 2024, /* bytes of a frame */
	ZDD_SYN_TRIES = 4,      /* backends that one SYN is sent to */
	ZDD_COHORTS_PER_SERVICE = 4096,
	ZDD_SOCKS_PER_BACKEND = 4, /* listening sockets of one reuseport group kept at hand */
	ZDD_TABLE_MAX = 65537,     /* slots of the largest consistent table (prime) */
	ZDD_NAME_MAX = 64,         /* service and pool names, with the final 0 */
	ZDD_NONE = 0xffff,         /* "no index" of 16-bit indices */
};

#endif
