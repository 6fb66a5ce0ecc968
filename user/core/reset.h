/* SPDX-License-Identifier: BSD-2-Clause */
/* Resets that a peer believes: TCP RST with the exact sequence number it expects (RFC 5961 3.2).
 * Pure. */
#ifndef ZDD_RESET_H
#define ZDD_RESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zdd/layout.h"

enum {
	RESET_PACKET_MAX = 60,                    /* IPv6 and TCP header */
	RESET_INSIDE_MAX = 48 + RESET_PACKET_MAX, /* IPv6 and UDP in front */
	RESET_FRAME_MAX = 18 + RESET_PACKET_MAX,  /* Ethernet with a tag */
};

/* From the end that is said to have sent it, to the one that is to believe it. */
struct reset {
	struct zdd_addr from, to;
	__be16 from_port, to_port;
	uint32_t seq, ack; /* host order: what `to` expects next, and what it sent last */
};

/* As the client of this record takes it from its listener; as its backend takes it from the client,
 * by the backend's way of forwarding. source: the node's address when the record has one. The
 * record's numbers are used. */
struct reset reset_to_client(const struct zdd_flow *, const struct zdd_listener *);
struct reset reset_to_backend(const struct zdd_flow *, const struct zdd_listener *,
			      const struct zdd_backend *, const struct zdd_addr *source);

/* Writes an IP packet, checksums included. Returns its length. */
size_t reset_packet(const struct reset *, uint8_t out[RESET_PACKET_MAX]);

/* The same inside another packet, as modes ipip and gue send it from one of the node's addresses. */
size_t reset_inside(const struct reset *, const struct zdd_addr *from, const struct zdd_addr *to,
		    bool gue, uint8_t out[RESET_INSIDE_MAX]);

/* Where a frame goes: vlan is a TCI, 0: untagged. */
struct reset_way {
	const uint8_t *dmac, *smac;
	uint16_t vlan;
};
size_t reset_frame(const struct reset *, const struct reset_way *, uint8_t out[RESET_FRAME_MAX]);

#endif
