/* SPDX-License-Identifier: BSD-2-Clause */
/* Packet cases: tables of steps. A step is a frame and what must become of it; the steps of a case
 * follow each other on one node. */
#ifndef ZDD_CASES_H
#define ZDD_CASES_H

#include "site.h"

enum via {
	VIA_REDIRECT,
	VIA_STACK, /* rewritten, but left to the host: MACs, tag, TTL as they were */
	VIA_NEIGH, /* tc: redirected, the kernel finds the neighbour */
	VIA_FIB,   /* a reply whose link is gone: the host's routes know the client's way */
};

/* How the frame gets to its backend; nat rewrites it. */
enum road { ROAD_NAT, ROAD_DSR, ROAD_IPIP, ROAD_GUE };

struct step {
	/* "@" as `from`: the backend that was chosen; as `to`: what the backend took for the
	 * client when its port was another one. */
	const char *from, *to;
	struct spec as; /* the rest of the frame */
	const char *verdict;
	/* Forwarded: the backend it must reach; several divided by blanks: one of these; "@": the
	 * one chosen before; "!": one of the pair, but not that one. Answered: whose source it
	 * gets. Neither: untouched when it passes. */
	const char *backend, *source;
	/* The frame becomes this one of the client's: to the backend, or back to the sender. */
	const struct spec *made;
	const char *notes; /* counted beside the verdict, divided by blanks, in the list's order */
	const char *signals; /* that backends are counted, in the layout's order; NULL: any */
	const char *shows; /* about its pool, divided by blanks, in the list's order, bad ones with
			      "!" behind; then connect, first_byte, again, new; NULL: any */
	enum via via;
	enum road road;
	uint16_t told;      /* too big: the MTU that the sender is told */
	const char *node;   /* the address that the backend sees instead of the client's */
	const char *client; /* port_back, made with alias: of whom, NULL: CLIENT */
	bool fresh;         /* with alias: from here on it is this one */
	bool alias;     /* the client's port is another one at the backend, the same each time */
	bool port_back; /* an answer to it, which gets the client's own end again */
	uint16_t tag;   /* on the frame that leaves (XDP; in tc it lies beside) */
	bool egress;    /* seen on its way out */
	bool zero_sum;  /* its UDP checksum comes out as 0 */
	bool looks_partial; /* its whole checksum is the pseudo-header's sum by chance */
	bool stays;         /* its checksum, when partial, is left so */
	uint16_t keep_to;   /* the step is done for each length from as.keep to this, afresh */
	void (*before)(struct site *, const struct end *chosen);
	/* An ICMP error (`as` has its type): the packet it quotes as it comes, and its addresses as
	 * they leave. "@" as above. `backend`: where it goes, `source`: where it comes from; ports
	 * there are for the reader. */
	const struct spec *about;
	const char *about_from, *about_to, *then_from, *then_to;
	const char *tunnel; /* what it quotes is in a tunnel to this backend; `made` leaves */
	bool gue;
};

struct packet_case {
	const char *name;
	const struct step *steps;
	size_t n;
	unsigned hooks; /* enum hook bits, 0: all */
};

struct case_list {
	const struct packet_case *cases;
	size_t n;
};

extern const struct case_list tcp_cases, udp_cases, wire_cases, way_cases, rare_cases, road_cases,
	cut_cases, error_cases, retry_cases, snat_cases, relay_cases, passive_cases, signal_cases;

#define STEPS(array) (array), sizeof(array) / sizeof((array)[0])
#define CASES(array)                                                                               \
	{                                                                                          \
		(array), sizeof(array) / sizeof((array)[0])                                        \
	}

#endif
