/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from descriptions, and frames checked, by code that shares nothing with bpf/: checksums
 * are summed byte by byte over the whole segment. */
#ifndef ZDD_CRAFT_H
#define ZDD_CRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/addr.h"

enum {
	FRAME_MAX = 2048,
	FIN = 1,
	SYN = 2,
	RST = 4,
	PSH = 8,
	ACK = 16,
	TCP = 6,
	UDP = 17,
	ICMP = 1,
	ICMP6 = 58,
};

/* bytes begin 2 mod 4, as drivers place them. */
struct frame {
	_Alignas(4) uint8_t pad[2];
	uint8_t bytes[FRAME_MAX];
	size_t len;
};

enum check {
	CHECK_WHOLE,
	CHECK_NONE,    /* UDP: field 0 */
	CHECK_PARTIAL, /* the pseudo-header only, as a local stack leaves it */
	CHECK_WRONG,
};

struct end {
	struct zdd_addr addr;
	uint16_t port;
};

/* Zero means the usual: TCP, TTL 64, no tag, no option, the right lengths and checksums. */
struct spec {
	struct end from, to;
	uint8_t smac[6], dmac[6];
	uint8_t proto, flags, ttl;
	uint8_t v4_words;  /* of IPv4 options */
	uint8_t tcp_words; /* of TCP options */
	uint8_t ihl, doff; /* what the fields say, when not the truth */
	uint16_t vlan[2];  /* TCIs, outer first */
	bool ad;           /* the outer tag is 802.1ad's */
	uint16_t fragment; /* v4: the field; v6: the field of a fragment header, put in when set */
	bool atomic;       /* v6: a fragment header that says 0 */
	const char *ext;   /* v6 extension headers: h r d, upper case for 16 bytes */
	uint16_t data;     /* bytes of payload */
	uint16_t word;     /* the first two of it */
	const char *text;  /* it begins with this, NULL: with word */
	uint32_t seq, ack;
	enum check check;
	int16_t total_off; /* added to the IP length */
	int16_t udp_off;   /* added to the UDP length */
	uint16_t trailer;  /* bytes behind the IP packet */
	uint16_t type;     /* ethertype, when not that of the addresses */
	bool own;          /* made by zdd: v4 identification 0, DF */
	bool bare;         /* like nothing that came: no TOS, flow label, window */
	uint8_t l4;        /* protocol number in the header, when not proto's */
	uint16_t keep;     /* cut the frame to these bytes, 0: all */
	/* An ICMP error of this type about another packet, in place of TCP or UDP. */
	uint8_t error, code;
	uint32_t word32;          /* the header's last four bytes */
	const struct spec *about; /* its Ethernet header is not quoted */
	uint16_t quoted;          /* bytes of it, 0: all, which may be fewer */
	const struct outer *in;   /* it is in this tunnel */
};

/* Sets frame. */
void craft(const struct spec *, struct frame *);

/* What a tunnel puts in front of a packet. */
struct outer {
	struct zdd_addr src, dst;
	bool gue;      /* and UDP to port 6080 */
	uint16_t port; /* its source port */
	bool no_check; /* UDP over IPv6: field 0 */
};
/* f becomes the tunnel's packet: same MAC addresses and tag. */
void craft_tunnel(struct frame *f, const struct outer *);

/* The answer to a frame that is too big: ICMP 3/4 or ICMPv6 2 that tells this MTU, from the frame's
 * receiver to its sender, back where it came from, with at most one tag. */
void craft_too_big(const struct frame *in, uint16_t mtu, bool tag, struct frame *out);

/* What a frame says about its checksums, looked at from outside. */
enum sums {
	SUMS_GOOD, /* or absent where that is allowed */
	SUMS_BAD_L3,
	SUMS_BAD_L4,
	SUMS_NONE, /* no whole, unfragmented TCP, UDP or ICMP packet */
};
enum sums frame_sums(const uint8_t *bytes, size_t len);

/* "10.0.0.1:80" or "[fd00::1]:80"; aborts on others, which are a mistake in a table. */
struct end end_of(const char *text);

#endif
