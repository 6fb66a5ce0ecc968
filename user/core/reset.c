/* SPDX-License-Identifier: BSD-2-Clause */
#include "reset.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	V4_HEADER = 20,
	V6_HEADER = 40,
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	HOPS = 64,
	TCP = 6,
	UDP = 17,
	IPIP = 4,
	IPV6 = 41,
	RST_ACK = 0x14,
	GUE_FROM = 49152, /* the ports of bpf/tunnel.h */
	GUE_TO = 6080,
};

/* ---- who says what to whom ---- */

struct reset reset_to_client(const struct zdd_flow *f, const struct zdd_listener *l)
{
	return (struct reset){.from = l->addr,
			      .from_port = l->port,
			      .to = f->client,
			      .to_port = f->port,
			      .seq = f->server_seq,
			      .ack = f->client_seq};
}

struct reset reset_to_backend(const struct zdd_flow *f, const struct zdd_listener *l,
			      const struct zdd_backend *b, const struct zdd_addr *source)
{
	bool keeps_vip = b->forward != ZDD_FORWARD_NAT && b->forward != ZDD_FORWARD_SNAT;

	return (struct reset){.from = source ? *source : f->client,
			      .from_port = f->other ? f->other : f->port,
			      .to = keeps_vip ? l->addr : b->addr,
			      .to_port = keeps_vip ? l->port : b->port,
			      .seq = f->client_seq,
			      .ack = f->server_seq};
}

/* ---- bytes ---- */

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

/* RFC 1071, of an even number of bytes, on top of sum. */
static uint32_t sum_bytes(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* An IP header for len bytes behind it. Returns its length; *sum is that of the pseudo-header. */
static size_t write_v4(const struct zdd_addr *from, const struct zdd_addr *to, uint8_t proto,
		       size_t len, uint8_t *out, uint32_t *sum)
{
	memset(out, 0, V4_HEADER);
	out[0] = 4 << 4 | V4_HEADER / 4;
	put16(out + 2, (uint16_t)(V4_HEADER + len));
	put16(out + 6, 0x4000); /* do not fragment: so the id may be 0, RFC 6864 4.1 */
	out[8] = HOPS;
	out[9] = proto;
	memcpy(out + 12, &from->w[3], 4);
	memcpy(out + 16, &to->w[3], 4);
	put16(out + 10, checksum(sum_bytes(out, V4_HEADER, 0)));
	*sum = sum_bytes(out + 12, 8, proto + (uint32_t)len);
	return V4_HEADER;
}

static size_t write_v6(const struct zdd_addr *from, const struct zdd_addr *to, uint8_t proto,
		       size_t len, uint8_t *out, uint32_t *sum)
{
	memset(out, 0, V6_HEADER);
	out[0] = 6 << 4;
	put16(out + 4, (uint16_t)len);
	out[6] = proto;
	out[7] = HOPS;
	memcpy(out + 8, from->b, 16);
	memcpy(out + 24, to->b, 16);
	*sum = sum_bytes(out + 8, 32, proto + (uint32_t)len);
	return V6_HEADER;
}

static size_t write_ip(const struct zdd_addr *from, const struct zdd_addr *to, uint8_t proto,
		       size_t len, uint8_t *out, uint32_t *sum)
{
	return zdd_addr_is_v4(to) ? write_v4(from, to, proto, len, out, sum)
				  : write_v6(from, to, proto, len, out, sum);
}

static void write_tcp(const struct reset *r, uint32_t sum, uint8_t *out)
{
	memset(out, 0, TCP_HEADER);
	memcpy(out, &r->from_port, 2);
	memcpy(out + 2, &r->to_port, 2);
	put32(out + 4, r->seq);
	put32(out + 8, r->ack);
	out[12] = TCP_HEADER / 4 << 4;
	out[13] = RST_ACK;
	put16(out + 16, checksum(sum_bytes(out, TCP_HEADER, sum)));
}

size_t reset_packet(const struct reset *r, uint8_t out[RESET_PACKET_MAX])
{
	uint32_t sum;
	size_t at = write_ip(&r->from, &r->to, TCP, TCP_HEADER, out, &sum);

	write_tcp(r, sum, out + at);
	return at + TCP_HEADER;
}

/* len bytes follow it already; a checksum of 0 would mean none, RFC 768. */
static void write_udp(uint8_t *out, size_t len, uint32_t sum)
{
	uint16_t check;

	put16(out, GUE_FROM);
	put16(out + 2, GUE_TO);
	put16(out + 4, (uint16_t)(UDP_HEADER + len));
	put16(out + 6, 0);
	check = checksum(sum_bytes(out, UDP_HEADER + len, sum));
	put16(out + 6, check ? check : 0xffff);
}

size_t reset_inside(const struct reset *r, const struct zdd_addr *from, const struct zdd_addr *to,
		    bool gue, uint8_t out[RESET_INSIDE_MAX])
{
	uint8_t inner[RESET_PACKET_MAX];
	size_t len = reset_packet(r, inner), front = gue ? UDP_HEADER : 0;
	uint8_t proto = gue ? UDP : zdd_addr_is_v4(&r->to) ? IPIP : IPV6;
	uint32_t sum;
	size_t at = write_ip(from, to, proto, front + len, out, &sum);

	memcpy(out + at + front, inner, len);
	if (gue)
		write_udp(out + at, len, sum);
	return at + front + len;
}

size_t reset_frame(const struct reset *r, const struct reset_way *way, uint8_t out[RESET_FRAME_MAX])
{
	size_t at = 12;

	memcpy(out, way->dmac, 6);
	memcpy(out + 6, way->smac, 6);
	if (way->vlan) {
		put16(out + at, 0x8100);
		put16(out + at + 2, way->vlan);
		at += 4;
	}
	put16(out + at, zdd_addr_is_v4(&r->to) ? 0x0800 : 0x86dd);
	return at + 2 + reset_packet(r, out + at + 2);
}
