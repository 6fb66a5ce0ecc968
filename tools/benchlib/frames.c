/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "frames.h"

enum { PAYLOAD = 10 };

static const char head[] = "HTTP/1.1 200";

const struct kind kinds[KINDS] = {
	[TCP4] = {false, true, 443, "nat"},  [TCP6] = {true, true, 443, "nat"},
	[UDP4] = {false, false, 443, "nat"}, [UDP6] = {true, false, 443, "nat"},
	[DSR4] = {false, true, 1001, "dsr"}, [IPIP4] = {false, true, 1002, "ipip"},
	[GUE4] = {false, true, 1003, "gue"},
};

static const struct tcp_kind {
	uint8_t flags;
	uint32_t seq, ack, step;
	uint8_t reply;
} tcp_kinds[PACKETS] = {
	[PACKET_SYN] = {TH_SYN, CLIENT_ISN, 0, 0, 0},
	[PACKET_SYNACK] = {TH_SYN | TH_ACK, BACKEND_ISN, CLIENT_ISN + 1, 0, 1},
	[PACKET_ACK] = {TH_ACK, CLIENT_ISN + 1, BACKEND_ISN + 1, 0, 0},
	[PACKET_DATA] = {TH_ACK | TH_PUSH, CLIENT_ISN + 1, BACKEND_ISN + 1, PAYLOAD, 0},
	[PACKET_REPLY] = {TH_ACK | TH_PUSH, BACKEND_ISN + 1, CLIENT_ISN + 1, PAYLOAD, 1},
	[PACKET_OTHER] = {TH_ACK | TH_PUSH, CLIENT_ISN + 1, BACKEND_ISN + 1, PAYLOAD, 0},
	[PACKET_BODY] = {TH_ACK | TH_PUSH, BACKEND_ISN + 1, CLIENT_ISN + 1, PAYLOAD, 1},
	[PACKET_RESPONSE] = {TH_ACK | TH_PUSH, BACKEND_ISN + 1, CLIENT_ISN + 1, sizeof(head) - 1,
			     1},
};

static uint32_t write_ethernet(uint8_t *at, bool v6)
{
	struct ether_header eth = {
		.ether_dhost = {2, 0, 0, 0, 0, 1},
		.ether_shost = {2, 0, 0, 0, 0, 2},
		.ether_type = htons(v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP),
	};

	memcpy(at, &eth, sizeof(eth));
	return sizeof(eth);
}

static uint32_t write_ip4(uint8_t *at, uint8_t proto, uint16_t segment)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(ip) + segment)),
		.ttl = 64,
		.protocol = proto,
		.check = htons(0x1234),
	};

	inet_pton(AF_INET, VIP4_TEXT, &ip.daddr);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static uint32_t write_ip6(uint8_t *at, uint8_t proto, uint16_t segment)
{
	struct ip6_hdr ip = {0};

	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = htons(segment);
	ip.ip6_nxt = proto;
	ip.ip6_hlim = 64;
	inet_pton(AF_INET6, CLIENT6_TEXT, &ip.ip6_src);
	inet_pton(AF_INET6, VIP6_TEXT, &ip.ip6_dst);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

/* The checksum is any: its value changes nothing in what the program does, unless it happens to
 * look partial, which notes would show. */
static uint32_t write_tcp(uint8_t *at, const struct tcp_kind *kind, uint16_t port)
{
	struct tcphdr tcp = {
		.th_dport = htons(port),
		.th_seq = htonl(kind->seq),
		.th_ack = htonl(kind->ack),
		.th_off = sizeof(tcp) / 4,
		.th_flags = kind->flags,
		.th_win = htons(1024),
		.th_sum = htons(0x5678),
	};

	memcpy(at, &tcp, sizeof(tcp));
	return sizeof(tcp);
}

static uint32_t write_udp(uint8_t *at, uint16_t segment, uint16_t port)
{
	struct udphdr udp = {
		.uh_dport = htons(port),
		.uh_ulen = htons(segment),
		.uh_sum = htons(0x5678),
	};

	memcpy(at, &udp, sizeof(udp));
	return sizeof(udp);
}

void frame_template(struct bench_job *job, enum bench_kind kind, enum packet packet)
{
	const struct tcp_kind *tcp = &tcp_kinds[packet];
	bool v6 = kind_v6(kind), is_tcp = kind_tcp(kind);
	uint16_t port = packet == PACKET_OTHER ? OTHER_PORT : kinds[kind].port;
	uint32_t payload = is_tcp && tcp->step > PAYLOAD ? tcp->step : PAYLOAD;
	uint16_t room = (uint16_t)(sizeof(struct tcphdr) + payload); /* of the frame, behind IP */
	uint16_t segment = is_tcp && !tcp->step ? sizeof(struct tcphdr) : room;
	uint8_t proto = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
	uint32_t at;

	memset(job->frame, 0, sizeof(job->frame));
	at = write_ethernet(job->frame, v6);
	at += v6 ? write_ip6(job->frame + at, proto, segment)
		 : write_ip4(job->frame + at, proto, segment);
	if (is_tcp)
		write_tcp(job->frame + at, tcp, port);
	else
		write_udp(job->frame + at, segment, port);
	if (packet == PACKET_RESPONSE)
		memcpy(job->frame + at + sizeof(struct tcphdr), head, payload);
	job->length = at + room; /* a handshake's packets are padded */
	job->kind = kind;
	job->v6 = v6;
	job->tcp = is_tcp;
	job->reply = tcp->reply;
	job->seq = tcp->seq;
	job->seq_step = tcp->step;
}
