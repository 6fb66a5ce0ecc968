/* SPDX-License-Identifier: GPL-2.0 */
/* Facts -> what to do. Pure functions over values; the tables behind the facts are fetched by
 * lookup.h, the bytes are changed by the hooks. */
#ifndef ZDD_DECIDE_H
#define ZDD_DECIDE_H

#include "parse.h"
#include "zdd/layout.h"

/* What a packet is to zdd, by its addresses alone. */
enum zdd_course {
	COURSE_PASS, /* not ours: `verdict` says why */
	COURSE_DROP,
	COURSE_FORWARD, /* a client's, to a listener */
	COURSE_REPLY,   /* perhaps a backend's answer */
};

struct zdd_decision {
	enum zdd_course course;
	enum zdd_verdict verdict; /* of PASS and DROP */
};

#define PASS(v) ((struct zdd_decision){COURSE_PASS, ZDD_V_##v})

/* Before any table is looked at. */
ZDD_INLINE enum zdd_verdict decide_unparsed(enum zdd_parsed parsed)
{
	if (parsed == PARSED_NOT_IP)
		return ZDD_V_NOT_IP;
	if (parsed == PARSED_FRAGMENT)
		return ZDD_V_FRAGMENT_PASS;
	return ZDD_V_NOT_L4;
}

/* Why a packet that is ours cannot be sent on: a verdict of DROP, or ZDD_VERDICT_COUNT. */
ZDD_INLINE enum zdd_verdict decide_shape(const struct zdd_packet *p)
{
	if (p->bad_length)
		return ZDD_V_MALFORMED;
	return ZDD_VERDICT_COUNT;
}

/* to_door: the destination is a listener's. from_door: the source is a backend's; whether the
 * packet is ours then, only its flow can tell. local: the listener's service is in mode local. */
ZDD_INLINE struct zdd_decision decide_course(const struct zdd_packet *p, int to_door, int from_door,
					     int local)
{
	enum zdd_verdict shape;

	if (!to_door && !from_door)
		return PASS(NOT_OURS);
	if (!to_door)
		return (struct zdd_decision){COURSE_REPLY, 0};
	if (local && p->proto == PROTO_TCP)
		return PASS(LOCAL_MODE);
	shape = decide_shape(p);
	if (shape != ZDD_VERDICT_COUNT)
		return (struct zdd_decision){COURSE_DROP, shape};
	return (struct zdd_decision){COURSE_FORWARD, 0};
}

/* What a flow table says about a packet. */
struct zdd_view {
	int found;
	__u16 state;
	__u32 isn;
	__u32 server_seq;
	int one_way; /* no SYN-ACK comes by */
};

enum zdd_step {
	STEP_FLOW,    /* belongs to the established (or UDP) record */
	STEP_HALF,    /* belongs to the half-open record */
	STEP_PROMOTE, /* completes the handshake of the half-open record */
	STEP_OPEN,    /* a new flow */
	STEP_STRAY,   /* TCP, no SYN, no record */
	STEP_STRAY_RST,
};

/* Within a window of 1 MiB ahead: RFC 7323's largest common window, enough to refuse blind guesses. */
ZDD_INLINE int seq_near(__u32 seq, __u32 from)
{
	return seq - from < 1u << 20;
}

/* The ACK that a SYN-ACK asked for, or data sent with it. */
ZDD_INLINE int completes_handshake(const struct zdd_packet *p, const struct zdd_view *half)
{
	if ((p->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
		return 0;
	if (!half->one_way && !(half->state & ZDD_F_SYNACK && seq_near(p->ack, half->server_seq)))
		return 0;
	return seq_near(p->seq, half->isn + 1);
}

/* A client's packet of a TCP listener. The half-open view is looked up only when there is no
 * established record, when that one was challenged by a newer SYN, or for a SYN. */
ZDD_INLINE enum zdd_step decide_tcp(const struct zdd_packet *p, const struct zdd_view *est,
				    const struct zdd_view *half)
{
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		if (half->found && half->isn == p->seq)
			return STEP_HALF;
		if (est->found && est->isn == p->seq)
			return STEP_FLOW;
		return STEP_OPEN;
	}
	if (half->found && completes_handshake(p, half))
		return STEP_PROMOTE;
	if (est->found)
		return STEP_FLOW;
	if (half->found)
		return STEP_HALF;
	return p->tcp_flags & TCP_RST ? STEP_STRAY_RST : STEP_STRAY;
}

/* New state bits that a packet brings. expected: the next sequence number of its sender as known;
 * a reset far from it is not believed (RFC 5961 3). */
ZDD_INLINE __u16 tcp_events(const struct zdd_packet *p, int from_client, __u32 expected)
{
	__u16 bits = 0;

	if (p->tcp_flags & TCP_RST && (seq_near(p->seq, expected) || seq_near(expected, p->seq)))
		bits |= ZDD_F_RST;
	if (p->tcp_flags & TCP_FIN)
		bits |= from_client ? ZDD_F_FIN_C : ZDD_F_FIN_S;
	if (!from_client && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		bits |= ZDD_F_SYNACK;
	return bits;
}

/* A backend's RST that answers this very SYN (RFC 9293 3.5.2): it acknowledges it, with its data when
 * it had some. One that answers something else acknowledges nothing or something else. */
ZDD_INLINE int refuses_syn(const struct zdd_packet *p, __u16 state, __u32 isn, __u32 client_seq)
{
	return (p->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) == (TCP_RST | TCP_ACK) &&
	       (state & (ZDD_F_HALF | ZDD_F_SYNACK)) == ZDD_F_HALF &&
	       (p->ack == isn + 1 || p->ack == client_seq);
}

/* A backend's RST on a connection that it has answered, sent nothing on, and that its client has not
 * begun to end. */
ZDD_INLINE int resets_early(__u16 state)
{
	return (state & (ZDD_F_SYNACK | ZDD_F_SERVED | ZDD_F_FIN_C | ZDD_F_FIN_S | ZDD_F_RST)) ==
	       ZDD_F_SYNACK;
}

/* An ICMP error that says that a packet did not get there, and why it will not (RFC 792, 1812 5.2.7.1,
 * 4443 3.1); one that is too big, say, or too old, does not. Its type and code lie where the ports of
 * others do. */
ZDD_INLINE int is_unreachable(const struct zdd_packet *p)
{
	const __u32 codes = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 10 | 1 << 13;
	__u32 word = __builtin_bswap16(p->sport), code = word & 255;

	if (p->v6)
		return word >> 8 == 1;
	return word >> 8 == 3 && code < 32 && codes >> code & 1;
}

/* Such an error is about the SYN of a half-open flow when it quotes its number: any other sender has to
 * guess it (RFC 5927 4.1). */
ZDD_INLINE int quotes_syn(const struct zdd_packet *quote, __u16 state, __u32 isn)
{
	return quote->segment && quote->seq == isn &&
	       (state & (ZDD_F_HALF | ZDD_F_SYNACK)) == ZDD_F_HALF;
}

/* A client's repeated SYN may go elsewhere when nothing at all came back since `sent`, for a while:
 * a backend in TIME_WAIT says something (a challenge ACK), and the client repeats at once (TRAPS 6).
 * What came with data may have been worked on. */
ZDD_INLINE int is_silent(const struct zdd_packet *p, __u16 state, const struct zdd_syn *s,
			 __u32 now, __u32 hz)
{
	/* `sent` may be a moment ahead: another CPU's. */
	return (state & (ZDD_F_HALF | ZDD_F_SYNACK | ZDD_F_HEARD)) == ZDD_F_HALF &&
	       !(s->kept & ZDD_SYN_DATA) && !p->payload &&
	       (__s32)(now - s->sent) >= (__s32)(hz * 3 / 10);
}

/* The sequence number that this sender will use next (RFC 9293 3.4). */
ZDD_INLINE __u32 seq_after(const struct zdd_packet *p)
{
	return p->seq + p->payload + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
}

#endif
