/* SPDX-License-Identifier: BSD-2-Clause */
/* The classic reasons why "it does not forward": one row each, with what to do. The facts come from
 * the edge. Pure. */
#ifndef ZDD_DOCTOR_H
#define ZDD_DOCTOR_H

#include <jansson.h>

/* D(symbol, name, sentence when good, what to do when bad) */
#define ZDD_CHECKS(D)                                                                              \
	D(KERNEL, "kernel", "the kernel is new enough", "run Linux 5.15 or newer (arm64: 6.1)")    \
	D(INTERFACES, "interfaces", "every configured interface is attached",                      \
	  "bring the interface up, or correct `interfaces:`; zddd attaches when it appears")       \
	D(OTHER_XDP, "other_xdp", "no other XDP program sits on the interfaces",                   \
	  "remove it (ip link set dev IF xdp off) or use `attach: tc` for that interface")         \
	D(REDIRECTS, "redirects", "every interface towards a backend takes XDP redirects",         \
	  "for veth load any XDP program on the peer or turn on its GRO; else zddd uses tc there") \
	D(GENERIC, "xdp_generic", "no interface has generic XDP",                                  \
	  "use `attach: auto`: native XDP where the driver has it, else tc, which costs less")     \
	D(OFFLOAD, "offload", "no receive offload hides packets from XDP",                         \
	  "turn it off: ethtool -K IF lro off, or use `attach: tc`")                               \
	D(FORWARDING4, "ip_forward", "IPv4 forwarding is on",                                      \
	  "sysctl -w net.ipv4.ip_forward=1: packets that the host's stack carries on need it")     \
	D(FORWARDING6, "ip6_forward", "IPv6 forwarding is on",                                     \
	  "sysctl -w net.ipv6.conf.all.forwarding=1")                                              \
	D(RP_FILTER, "rp_filter", "no strict reverse path filter is in the way",                   \
	  "sysctl -w net.ipv4.conf.IF.rp_filter=2 (and conf.all no higher than 2, not 1)")         \
	D(VIP, "vip", "every listener's address is on this host",                                  \
	  "ip address add VIP dev lo, or `vip: manage`")                                           \
	D(PORT_TAKEN, "port_taken", "no local process listens on a listener's address and port",   \
	  "in mode nat zdd takes the traffic first; stop the process or use another port")         \
	D(NEIGHBOURS, "neighbours", "every backend's next hop has a MAC address",                  \
	  "see whether the backend is up and in the same network: ip neighbour, ip route get")     \
	D(BYPASS, "return_path", "backends' replies come back through this node",                  \
	  "make this node the backends' gateway: their default route must lead here")              \
	D(ROADS, "roads", "every backend can be reached as its service's mode wants",              \
	  "dsr: put the backend into a network of this node, or use ipip or gue; all: it must be " \
	  "another host, by an interface that takes what the hook sends")                          \
	D(TUNNEL_MTU, "tunnel_mtu", "what clients send fits the way to the backends",              \
	  "raise the MTU towards the backends by 48 bytes or more (ip link, ip route ... mtu), "   \
	  "or lower it towards the clients")                                                       \
	D(CONNTRACK, "conntrack", "conntrack is not in the way",                                   \
	  "where packets go through the host's stack: notrack for the listeners, or accept both "  \
	  "directions in the firewall")                                                            \
	D(NFTABLES, "nftables", "no nftables policy drops what is forwarded",                      \
	  "XDP passes by rules on this host; traffic by tc or the stack is seen by them: accept "  \
	  "the listeners' traffic in the forward chain")                                           \
	D(LOCALNET, "route_localnet", "no UDP listener leads to 127.0.0.1",                        \
	  "sysctl -w net.ipv4.conf.IF.route_localnet=1, or bind the service to a real address")    \
	D(SOCKETS, "local_sockets", "connections of mode local can be seen and ended",             \
	  "a kernel with CONFIG_INET_DIAG_DESTROY, or `drain: {then: keep}`: the application's "   \
	  "own end is what ends them")                                                             \
	D(FLOW_ROOM, "flow_room", "the flow table has room", "raise `flows:` and restart zddd")    \
	D(SNAT_SOURCE, "snat_source", "every source address of mode snat is this host's",          \
	  "ip address add ADDRESS dev IF, or correct `snat: addresses`")                           \
	D(SNAT_PORTS, "snat_ports", "mode snat has source ports of its own, and enough",           \
	  "give `snat:` more addresses or ports; keep them apart from the host's own: "            \
	  "net.ipv4.ip_local_port_range, net.ipv4.ip_local_reserved_ports")                        \
	D(DAEMON, "daemon", "the daemon itself has no problem", "see the problems in zddctl get")

enum doctor_check {
#define D(symbol, name, good, fix) DOCTOR_##symbol,
	ZDD_CHECKS(D)
#undef D
		DOCTOR_CHECKS
};

enum doctor_state { DOCTOR_UNKNOWN, DOCTOR_GOOD, DOCTOR_BAD };

struct doctor_fact {
	enum doctor_state state;
	char text[256]; /* what was found; "" takes the table's sentence when good */
};

json_t *doctor_json(const struct doctor_fact facts[DOCTOR_CHECKS]);

#endif
