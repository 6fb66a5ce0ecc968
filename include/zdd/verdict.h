/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every way a packet can leave zdd. Each frame that a program sees is counted under exactly one of
 * these, so verdicts add up to frames seen (DESIGN 2, guarantee 8).
 *
 * V(symbol, name, kind, expected, sentence)
 * kind: PASS untouched to the stack, SEND rewritten and sent on, DROP ends here.
 * expected: 1 when a healthy, busy node shows it; 0 when a person should wonder.
 * New ones go to the end: a running data path's counts keep their numbers (user/core/convert.c). */
#ifndef ZDD_VERDICT_H
#define ZDD_VERDICT_H

/* clang-format off */
#define ZDD_VERDICTS(V)                                                                            \
	V(NOT_IP, not_ip, PASS, 1, "neither IPv4 nor IPv6: ARP, LLDP and the like, passed untouched")  \
	V(NOT_L4, not_l4, PASS, 1, "neither TCP nor UDP nor an error of a flow, passed")             \
	V(NOT_OURS, not_ours, PASS, 1, "not for a listener and not from a backend, passed untouched")  \
	V(FRAGMENT_PASS, fragment_pass, PASS, 1, "a later fragment whose first one is not known, passed")    \
	V(HOST_SOCKET, host_socket, PASS, 1, "belongs to a connection this host opened itself")        \
	V(LOCAL_MODE, local_mode, PASS, 1, "listener in mode local: the socket lookup decides")        \
	V(DIRECT, direct, PASS, 1, "from a backend's own port, on a flow that is not ours, passed")    \
	V(NEW, new, SEND, 1, "opened a flow and went to the backend the plan gave")                    \
	V(FORWARDED, forwarded, SEND, 1, "belongs to a flow and went to its backend")                  \
	V(REPLY, reply, SEND, 1, "a backend's answer, given the listener's address again")             \
	V(REPLY_STATELESS, reply_stateless, SEND, 0, "an answer of a flow that is kept without state") \
	V(ICMP_TO_BACKEND, icmp_to_backend, SEND, 1, "an ICMP error about a reply, for its backend")   \
	V(ICMP_TO_CLIENT, icmp_to_client, SEND, 1, "an ICMP error about a client's packet, for it")    \
	V(TUNNEL_ERROR, tunnel_error, PASS, 0, "a tunnel's packet got lost, and nobody can be told: it quotes too little") \
	V(STRAY_FORWARDED, stray_forwarded, SEND, 0, "TCP without SYN or flow, forwarded by the table") \
	V(TABLE_FULL, flow_table_full, SEND, 0, "new flow without room, forwarded without state")      \
	V(SYN_FLOOD, syn_flood, SEND, 0, "more handshakes begin than end: SYN forwarded without state")  \
	V(FLOW_BUSY, flow_busy, SEND, 1, "two CPUs opened flows at once; this one went by the table")  \
	V(CUT, cut, DROP, 1, "of a connection that is being cut by resets, dropped")                   \
	V(HELD, held, DROP, 1, "new connection to a service on hold: its SYN is kept and let go later")  \
	V(HOLD_FULL, hold_full, DROP, 0, "new connection beyond what the hold keeps, dropped")         \
	V(HOLD_RESET, hold_reset, SEND, 0, "new connection beyond what the hold keeps, reset")         \
	V(SYN_RETRIED, syn_retried, SEND, 1, "a backend refused: the SYN was made again for another")  \
	V(SYN_MOVED, syn_moved, SEND, 1, "a backend was silent: the client's repeat went to another")  \
	V(LATE_RESET, late_reset, SEND, 1, "a SYN-ACK from a backend given up on; that one was reset") \
	V(LATE_DROPPED, late_dropped, DROP, 1, "RST from a backend that was given up on, dropped")     \
	V(STRAY_RST, stray_rst, DROP, 1, "RST that belongs to no flow, dropped")                       \
	V(NO_BACKEND, no_backend, DROP, 0, "no backend of this family in the chosen pool, dropped")    \
	V(REVERSE_TAKEN, reverse_taken, DROP, 0, "client port in use at every backend tried, dropped") \
	V(MALFORMED, malformed, DROP, 0, "for a listener, with lengths that cannot be, dropped")       \
	V(FRAGMENT_FORWARDED, fragment_forwarded, SEND, 1, "a later fragment, followed its first one")  \
	V(FRAGMENT_HELD, fragment_held, DROP, 1, "came before its first fragment: kept, and let go behind it") \
	V(FRAGMENT_EARLY, fragment_early, DROP, 0, "came before its first fragment, no room to keep it: dropped") \
	V(TTL, ttl_exceeded, DROP, 0, "TTL or hop limit ran out at this node, dropped")                \
	V(NO_ROOM, no_room, DROP, 0, "the frame could not be grown or written, dropped")               \
	V(NO_WAY, no_way, DROP, 0, "dsr, ipip, gue: no direct way to the backend is known, dropped")   \
	V(TOO_BIG, too_big, SEND, 1, "does not fit the way to the backend, the client was told so")    \
	V(TOO_BIG_UNTOLD, too_big_untold, DROP, 0, "does not fit, nor may it be answered, dropped")    \
	V(NO_LINK, no_link, DROP, 0, "the client's interface is not known any more, dropped")          \
	V(NO_PLAN, no_plan, PASS, 0, "no plan is published yet, passed untouched")                     \
	V(REPLY_LATER, reply_later, PASS, 1, "an answer left to the host's stack: rewritten on its way out") \
	V(SNAT_EXHAUSTED, snat_exhausted, DROP, 0, "no source port was free for the backend, dropped") \
	V(SNAT_NO_SOURCE, snat_no_source, DROP, 0, "no source address known for this backend, dropped") \
	V(SNAT_NO_ROOM, snat_no_room, DROP, 0, "a flow that needs another source found no room, dropped") \
	V(SNAT_STRAY, snat_stray, DROP, 0, "TCP without flow, its source port is not known, dropped") \
	V(SNAT_NO_WAY, snat_no_way, DROP, 0, "mode snat: an answer that XDP cannot send on, dropped") \
	V(SYN_ASKED, syn_asked, SEND, 0, "SYN flood: the client was asked to prove that it is there")  \
	V(SYN_PROVEN, syn_proven, DROP, 1, "SYN flood: the client's RST proves that it is there")
/* clang-format on */

enum zdd_verdict {
#define V(symbol, name, kind, expected, sentence) ZDD_V_##symbol,
	ZDD_VERDICTS(V)
#undef V
		ZDD_VERDICT_COUNT
};

/* Counted beside the verdict, when it happened on the way. N(symbol, name, expected, sentence) */
/* clang-format off */
#define ZDD_NOTES(N)                                                                               \
	N(VIA_STACK, via_stack, 1, "no redirect gets there (local, unresolved, too large): the stack carries it")     \
	N(CSUM_COMPLETED, csum_completed, 1, "a partial checksum was computed whole (XDP)")            \
	N(PORT_REWRITTEN, port_rewritten, 1, "the client's port was taken at the backend: rewritten")  \
	N(FLOW_RACE, flow_race, 1, "the flow was opened by another CPU at the same moment")            \
	N(FLOW_RECLAIMED, flow_reclaimed, 1, "the room of an expired flow was taken for a new one")    \
	N(FLOW_ADOPTED, flow_adopted, 1, "a connection begun without record proved real and got one")  \
	N(UDP_MOVED, udp_moved, 1, "a UDP flow moved because its backend is gone")                     \
	N(RETRY_EXHAUSTED, retry_exhausted, 0, "refused, and no other backend was left to try")        \
	N(RETRY_LIMITED, retry_limited, 0, "refused; not tried elsewhere, so as not to double a load") \
	N(SOCKET_MISSING, socket_missing, 0, "mode local: the chosen backend has no listening socket") \
	N(FLOW_CUT, flow_cut, 1, "an open connection was cut at the deadline of its drain")  \
	N(FRAGMENT_LOST, fragment_lost, 1, "a fragment was kept, and its first one never came")        \
	N(HAIRPIN, hairpin, 1, "client and backend are in one network: the source was rewritten") \
	N(TURNED_AWAY, turned_away, 0, "its candidate's lease ran out, or too many failed there: live got it")
/* clang-format on */

enum zdd_note {
#define N(symbol, name, expected, sentence) ZDD_N_##symbol,
	ZDD_NOTES(N)
#undef N
		ZDD_NOTE_COUNT
};

#endif
