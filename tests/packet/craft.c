/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "craft.h"

struct end end_of(const char *text)
{
	struct end end = {.port = 0};

	if (parse_endpoint(text, &end.addr, &end.port)) {
		fprintf(stderr, "not an endpoint: %s\n", text);
		abort();
	}
	return end;
}

/* ---- writing ---- */

static void put(struct frame *f, const void *bytes, size_t n)
{
	if (f->len + n > FRAME_MAX)
		abort();
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

static void put8(struct frame *f, unsigned v)
{
	put(f, &(uint8_t){(uint8_t)v}, 1);
}

static void put16(struct frame *f, unsigned v)
{
	put8(f, v >> 8 & 255);
	put8(f, v & 255);
}

static void put32(struct frame *f, uint32_t v)
{
	put16(f, v >> 16);
	put16(f, v & 0xffff);
}

static void put_n(struct frame *f, unsigned v, size_t n)
{
	while (n--)
		put8(f, v);
}

static void set16(struct frame *f, size_t at, unsigned v)
{
	f->bytes[at] = (uint8_t)(v >> 8);
	f->bytes[at + 1] = (uint8_t)v;
}

/* ---- summing, RFC 1071, one byte pair after the other ---- */

static uint32_t sum_bytes(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static uint32_t sum_add(uint32_t a, uint32_t b)
{
	return (a + b) % 0xffff ? (a + b) % 0xffff : (a + b ? 0xffff : 0);
}

static uint32_t pseudo(const uint8_t *src, const uint8_t *dst, size_t n, unsigned proto, size_t len)
{
	uint32_t sum = sum_add(sum_bytes(src, n), sum_bytes(dst, n));

	sum = sum_add(sum, proto);
	sum = sum_add(sum, (uint32_t)len >> 16);
	return sum_add(sum, len & 0xffff);
}

/* ---- building ---- */

static bool is_v6(const struct spec *s)
{
	return !zdd_addr_is_v4(&s->from.addr);
}

static unsigned proto_of(const struct spec *s)
{
	if (s->error)
		return is_v6(s) ? ICMP6 : ICMP;
	return s->proto ? s->proto : TCP;
}

static size_t check_field(unsigned proto)
{
	if (proto == TCP)
		return 16;
	return proto == UDP ? 6 : 2;
}

static size_t l4_size(const struct spec *s)
{
	return proto_of(s) == TCP ? 20u + 4u * s->tcp_words : 8;
}

static size_t ext_size(const struct spec *s)
{
	size_t n = is_v6(s) && (s->fragment || s->atomic) ? 8 : 0;

	for (const char *e = s->ext; is_v6(s) && e && *e; e++)
		n += *e >= 'a' ? 8 : 16;
	return n;
}

static void put_ethernet(const struct spec *s, struct frame *f)
{
	put(f, s->dmac, 6);
	put(f, s->smac, 6);
	for (unsigned i = 0; i < 2; i++)
		if (s->vlan[i]) {
			put16(f, i == 0 && s->ad ? 0x88a8 : 0x8100);
			put16(f, s->vlan[i]);
		}
	put16(f, s->type ? s->type : is_v6(s) ? 0x86dd : 0x0800);
}

static void put_v4(const struct spec *s, struct frame *f)
{
	size_t at = f->len, header = 20 + 4u * s->v4_words;

	put8(f, 0x40 | (s->ihl ? s->ihl : header / 4));
	put8(f, s->bare ? 0 : 0x10);
	put16(f, (unsigned)(header + l4_size(s) + s->data + s->total_off));
	put16(f, s->own ? 0 : 0x1234);
	put16(f, s->own ? 0x4000 : s->fragment);
	put8(f, s->ttl ? s->ttl : 64);
	put8(f, s->l4 ? s->l4 : proto_of(s));
	put16(f, 0);
	put(f, s->from.addr.b + 12, 4);
	put(f, s->to.addr.b + 12, 4);
	put_n(f, 1, 4u * s->v4_words);
	set16(f, at + 10, 0xffff & ~sum_bytes(f->bytes + at, header));
}

static unsigned ext_type(char c)
{
	switch (c | 0x20) {
	case 'h':
		return 0;
	case 'r':
		return 43;
	default:
		return 60;
	}
}

static unsigned after_ext(const struct spec *s, const char *e)
{
	if (e && *e)
		return ext_type(*e);
	return s->l4 ? s->l4 : proto_of(s);
}

static void put_v6(const struct spec *s, struct frame *f)
{
	bool fragment = s->fragment || s->atomic;

	put32(f, s->bare ? 0x60000000 : 0x60012345);
	put16(f, (unsigned)(ext_size(s) + l4_size(s) + s->data + s->total_off));
	put8(f, fragment ? 44 : after_ext(s, s->ext));
	put8(f, s->ttl ? s->ttl : 64);
	put(f, s->from.addr.b, 16);
	put(f, s->to.addr.b, 16);
	if (fragment) {
		put8(f, after_ext(s, s->ext));
		put8(f, 0);
		put16(f, s->fragment);
		put32(f, 77);
	}
	for (const char *e = s->ext; e && *e; e++) {
		put8(f, after_ext(s, e + 1));
		put8(f, *e < 'a');
		put_n(f, 0, *e < 'a' ? 14 : 6);
	}
}

static void put_tcp(const struct spec *s, struct frame *f)
{
	put32(f, s->seq);
	put32(f, s->ack);
	put8(f, (s->doff ? s->doff : 5u + s->tcp_words) << 4);
	put8(f, s->flags);
	put32(f, s->bare ? 0 : 0x20000000); /* window, checksum */
	put16(f, 0);
	put_n(f, 1, 4u * s->tcp_words);
}

static void put_udp(const struct spec *s, struct frame *f)
{
	put16(f, (unsigned)(8 + s->data + s->udp_off));
	put16(f, 0);
}

static void put_error(const struct spec *s, struct frame *f)
{
	put8(f, s->error);
	put8(f, s->code);
	put16(f, 0);
	put32(f, s->word32);
}

/* Sets s->data, too. */
static void quote(struct spec *s, struct frame *about)
{
	craft(s->about, about);
	if (s->in)
		craft_tunnel(about, s->in);
	about->len -= 14;
	memmove(about->bytes, about->bytes + 14, about->len);
	if (s->quoted && s->quoted < about->len)
		about->len = s->quoted;
	s->data = (uint16_t)about->len;
}

static void put_data(const struct spec *s, struct frame *f)
{
	unsigned i = 0, text = s->text ? (unsigned)strlen(s->text) : 0;

	for (; i < text && i < s->data; i++)
		put8(f, (uint8_t)s->text[i]);
	if (!text && s->data >= 2) {
		put16(f, s->word);
		i = 2;
	}
	for (; i < s->data; i++)
		put8(f, i * 7 + 1);
}

static void set_check(const struct spec *s, struct frame *f, size_t l4)
{
	size_t n = is_v6(s) ? 16 : 4, length = l4_size(s) + s->data;
	size_t field = l4 + check_field(proto_of(s));
	uint32_t sum =
		pseudo(s->from.addr.b + 16 - n, s->to.addr.b + 16 - n, n, proto_of(s), length);

	if (proto_of(s) == ICMP)
		sum = 0; /* has no pseudo-header */

	if (s->check == CHECK_NONE && !s->error)
		return;
	if (s->check == CHECK_PARTIAL && !s->error) {
		set16(f, field, sum);
		return;
	}
	sum = 0xffff & ~sum_add(sum, sum_bytes(f->bytes + l4, length));
	if (s->check == CHECK_WRONG)
		sum ^= 0x0101;
	set16(f, field, !sum && proto_of(s) == UDP ? 0xffff : sum);
}

/* A later fragment: no ports, no checksum. */
static bool is_later(const struct spec *s)
{
	return s->fragment & (is_v6(s) ? 0xfff8 : 0x1fff);
}

static void put_l4(const struct spec *s, const struct frame *about, struct frame *f)
{
	if (is_later(s)) {
		put_n(f, 0x5a, l4_size(s) + s->data);
		return;
	}
	if (s->error) {
		put_error(s, f);
		put(f, about->bytes, about->len);
		return;
	}
	put16(f, s->from.port);
	put16(f, s->to.port);
	if (proto_of(s) == TCP)
		put_tcp(s, f);
	else
		put_udp(s, f);
	put_data(s, f);
}

void craft(const struct spec *given, struct frame *f)
{
	struct spec s = *given;
	struct frame about;
	size_t l4;

	if (s.error)
		quote(&s, &about);
	memset(f, 0, sizeof(*f));
	put_ethernet(&s, f);
	if (is_v6(&s))
		put_v6(&s, f);
	else
		put_v4(&s, f);
	l4 = f->len;
	put_l4(&s, &about, f);
	if (!is_later(&s))
		set_check(&s, f, l4);
	put_n(f, 0xee, s.trailer);
	if (s.keep && s.keep < f->len)
		f->len = s.keep;
}

/* ---- packets in packets ---- */

static size_t l3_of(const struct frame *f)
{
	size_t l3 = 14;

	while (f->bytes[l3 - 2] == 0x81 || f->bytes[l3 - 2] == 0x88)
		l3 += 4;
	return l3;
}

static void put_ip4(struct frame *f, unsigned tos, size_t payload, unsigned proto,
		    const uint8_t *src, const uint8_t *dst)
{
	size_t at = f->len;

	put8(f, 0x45);
	put8(f, tos);
	put16(f, (unsigned)(20 + payload));
	put16(f, 0);
	put16(f, 0x4000);
	put8(f, 64);
	put8(f, proto);
	put16(f, 0);
	put(f, src, 4);
	put(f, dst, 4);
	set16(f, at + 10, 0xffff & ~sum_bytes(f->bytes + at, 20));
}

static void put_ip6(struct frame *f, unsigned tos, size_t payload, unsigned proto,
		    const uint8_t *src, const uint8_t *dst)
{
	put32(f, 0x60000000u | tos << 20);
	put16(f, (unsigned)payload);
	put8(f, proto);
	put8(f, 64);
	put(f, src, 16);
	put(f, dst, 16);
}

static size_t inner_length(const uint8_t *h)
{
	return h[0] >> 4 == 4 ? (size_t)(h[2] << 8 | h[3]) : 40u + (size_t)(h[4] << 8 | h[5]);
}

void craft_tunnel(struct frame *f, const struct outer *o)
{
	bool v6 = !zdd_addr_is_v4(&o->src);
	struct frame was = *f;
	size_t l3 = l3_of(f), length = inner_length(was.bytes + l3), udp;
	const uint8_t *h = was.bytes + l3;
	unsigned tos = h[0] >> 4 == 4 ? h[1] : (h[0] & 15u) << 4 | h[1] >> 4;
	unsigned proto = o->gue ? 17 : h[0] >> 4 == 4 ? 4 : 41;
	uint32_t sum;

	f->len = l3 - 2;
	put16(f, v6 ? 0x86dd : 0x0800);
	if (v6)
		put_ip6(f, tos, length + (o->gue ? 8 : 0), proto, o->src.b, o->dst.b);
	else
		put_ip4(f, tos, length + (o->gue ? 8 : 0), proto, o->src.b + 12, o->dst.b + 12);
	udp = f->len;
	if (o->gue) {
		put16(f, o->port);
		put16(f, 6080);
		put16(f, (unsigned)(length + 8));
		put16(f, 0);
	}
	put(f, h, was.len - l3);
	if (!o->gue || !v6 || o->no_check)
		return;
	sum = sum_add(pseudo(o->src.b, o->dst.b, 16, 17, length + 8),
		      sum_bytes(f->bytes + udp, length + 8));
	sum = 0xffff & ~sum;
	set16(f, udp + 6, sum ? sum : 0xffff);
}

void craft_too_big(const struct frame *in, uint16_t mtu, bool tag, struct frame *out)
{
	const uint8_t *h = in->bytes + l3_of(in);
	bool v6 = h[0] >> 4 == 6;
	size_t quote = v6 ? 1280 - 48 : 576 - 28, icmp;
	uint32_t sum;

	memset(out, 0, sizeof(*out));
	put(out, in->bytes + 6, 6);
	put(out, in->bytes, 6);
	put(out, in->bytes + 12, tag ? 4 : 0);
	put16(out, v6 ? 0x86dd : 0x0800);
	if (v6)
		put_ip6(out, 0, quote + 8, 58, h + 24, h + 8);
	else
		put_ip4(out, 0, quote + 8, 1, h + 16, h + 12);
	icmp = out->len;
	put16(out, v6 ? 0x0200 : 0x0304);
	put16(out, 0);
	put32(out, mtu);
	put(out, h, quote);
	sum = sum_bytes(out->bytes + icmp, quote + 8);
	if (v6)
		sum = sum_add(sum, pseudo(h + 24, h + 8, 16, 58, quote + 8));
	set16(out, icmp + 2, 0xffff & ~sum);
}

/* ---- looking from outside ---- */

struct seen {
	const uint8_t *src, *dst, *l4;
	size_t addr_len, length;
	unsigned proto;
	bool l3_good, whole;
};

static unsigned at16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static struct seen see_v4(const uint8_t *h, size_t n)
{
	struct seen s = {.src = h + 12, .dst = h + 16, .addr_len = 4};
	size_t header, total;

	if (n < 20 || h[0] >> 4 != 4)
		return s;
	header = (h[0] & 15) * 4u;
	total = at16(h + 2);
	if (header < 20 || total < header || total > n || at16(h + 6) & 0x3fff)
		return s;
	s.proto = h[9];
	s.l4 = h + header;
	s.length = total - header;
	s.l3_good = sum_bytes(h, header) == 0xffff;
	s.whole = true;
	return s;
}

static bool is_ext(unsigned proto)
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 60;
}

static struct seen see_v6(const uint8_t *h, size_t n)
{
	struct seen s = {.src = h + 8, .dst = h + 24, .addr_len = 16, .l3_good = true};
	size_t at = 40, total;
	unsigned next;

	if (n < 40 || h[0] >> 4 != 6)
		return s;
	total = 40 + at16(h + 4);
	for (s.proto = h[6]; is_ext(s.proto);) {
		if (at + 8 > n || (s.proto == 44 && at16(h + at + 2) & ~6u))
			return s;
		next = h[at];
		at += s.proto == 44 ? 8 : 8 + h[at + 1] * 8u;
		s.proto = next;
	}
	if (at > total || total > n)
		return s;
	s.l4 = h + at;
	s.length = total - at;
	s.whole = true;
	return s;
}

static bool has_sum(const struct seen *s)
{
	bool v6 = s->addr_len == 16;

	return (s->proto == TCP && s->length >= 20) || (s->proto == UDP && s->length >= 8) ||
	       (s->proto == (v6 ? ICMP6 : ICMP) && s->length >= 8);
}

enum sums frame_sums(const uint8_t *bytes, size_t len)
{
	size_t l3 = 14, field;
	struct seen s;

	while (l3 + 4 <= len && (at16(bytes + l3 - 2) == 0x8100 || at16(bytes + l3 - 2) == 0x88a8))
		l3 += 4;
	if (len < l3 + 20)
		return SUMS_NONE;
	s = at16(bytes + l3 - 2) == 0x0800 ? see_v4(bytes + l3, len - l3)
					   : see_v6(bytes + l3, len - l3);
	if (!s.whole || !has_sum(&s))
		return SUMS_NONE;
	if (!s.l3_good)
		return SUMS_BAD_L3;
	field = check_field(s.proto);
	if (s.proto == UDP && !at16(s.l4 + field))
		return SUMS_GOOD;
	return sum_add(s.proto == ICMP ? 0 : pseudo(s.src, s.dst, s.addr_len, s.proto, s.length),
		       sum_bytes(s.l4, s.length)) == 0xffff
		       ? SUMS_GOOD
		       : SUMS_BAD_L4;
}
