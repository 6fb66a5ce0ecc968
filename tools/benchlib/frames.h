/* SPDX-License-Identifier: BSD-2-Clause */
/* Templates for prep.bpf.c: 64 bytes with IPv4, 84 with IPv6; 2 more in a response. */
#ifndef FRAMES_H
#define FRAMES_H

#include "scene.h"

#define VIP4_TEXT "203.0.113.10"
#define VIP6_TEXT "2001:db8::10"
#define CLIENT6_TEXT "2001:db8:c::" /* the flow's IPv4 address in the last four bytes */

enum { OTHER_PORT = 22, CLIENT_ISN = 1000, BACKEND_ISN = 5000 };

enum packet {
	PACKET_SYN,
	PACKET_SYNACK, /* from the backend */
	PACKET_ACK,
	PACKET_DATA,
	PACKET_REPLY,    /* from the backend */
	PACKET_OTHER,    /* from the client to a port that is nobody's */
	PACKET_BODY,     /* from the backend, where HTTP is counted */
	PACKET_RESPONSE, /* the same, one that begins an answer */
	PACKETS
};

/* Sets all of the job but next, flow_bits and flow_base. A datagram is a datagram: for UDP only
 * PACKET_REPLY and PACKET_OTHER differ from the rest. */
void frame_template(struct bench_job *, enum bench_kind, enum packet);

#endif
