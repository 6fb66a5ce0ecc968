/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The contract of zdd-decap's program and its loader: what takes modes ipip and gue apart on a
 * backend's host. */
#ifndef ZDD_DECAP_H
#define ZDD_DECAP_H

#include "zdd/addr.h"

enum {
	DECAP_GUE_PORT = 6080,
	DECAP_SENDERS = 16,  /* networks that may send; none: anybody may */
	DECAP_KNOWN = 16384, /* listeners on this host that were seen through a tunnel */
};

/* Every packet of a tunnel ends in one of these; what is of none is not counted and costs a few
 * instructions. V(symbol, name, sentence) */
/* clang-format off */
#define DECAP_VERDICTS(V)                                                                          \
	V(IPIP, ipip, "taken out of an IP header and given to the stack")                              \
	V(GUE, gue, "taken out of UDP port 6080 and given to the stack")                               \
	V(ELSEWHERE, elsewhere, "a tunnel to another host that comes through here, passed untouched")  \
	V(SENDER, sender, "from a sender that --from does not name, dropped")                          \
	V(FRAGMENT, fragment, "a fragment of a tunnel's packet, passed: raise the MTU on the way")     \
	V(MALFORMED, malformed, "nothing zdd would send: GUE of variant 0, lengths, passed untouched") \
	V(NO_ROOM, no_room, "the kernel did not let the header go, dropped")                           \
	V(CLAMPED, clamped, "MSS of a connection's answer lowered to what fits the tunnel")
/* clang-format on */

enum decap_verdict {
#define V(symbol, name, sentence) DECAP_##symbol,
	DECAP_VERDICTS(V)
#undef V
		DECAP_VERDICT_COUNT
};

struct decap_counts {
	__u64 verdict[16]; /* per CPU */
};
_Static_assert(DECAP_VERDICT_COUNT <= 16, "counters fit their row");

/* Load-time constants of one interface's programs. */
struct decap_settings {
	__u32 mtu; /* of the way from the switch, 0: the interface's */
	__u32 n_senders;
	struct {
		struct zdd_addr net, mask;
	} sender[DECAP_SENDERS];
};

/* Connections to this address and port come through a tunnel, and this much of them fits. */
struct decap_key {
	struct zdd_addr addr;
	__be16 port;
	__u16 spare[3];
};

struct decap_known {
	__u32 fits; /* bytes of an IP packet */
};

#endif
