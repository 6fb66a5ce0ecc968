/* SPDX-License-Identifier: BSD-2-Clause */
/* Resets byte by byte, and when they go. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "t.h"
#include "cuts.h"
#include "parse.h"
#include "reset.h"

static const uint8_t dmac[6] = {2, 0, 0, 0, 0, 1}, smac[6] = {2, 0, 0, 0, 0, 2};

static struct zdd_addr address(const char *text)
{
	struct zdd_addr a = {0};

	if (inet_pton(AF_INET6, text, &a) != 1)
		abort();
	return a;
}

/* Added up by bytes, over the pseudo-header and the segment: 0xffff when it is right. */
static unsigned sum_l4(unsigned proto, const uint8_t *packet, size_t len)
{
	bool v6 = packet[0] >> 4 == 6;
	size_t at = v6 ? 40 : 20, from = v6 ? 8 : 12;
	unsigned sum = proto + (unsigned)(len - at);

	for (size_t i = from; i < len; i++)
		sum += (unsigned)packet[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static unsigned sum_v4(const uint8_t *packet)
{
	unsigned sum = 0;

	for (size_t i = 0; i < 20; i++)
		sum += (unsigned)packet[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static struct reset any_reset(const char *from, const char *to)
{
	return (struct reset){.from = address(from),
			      .to = address(to),
			      .from_port = htons(443),
			      .to_port = htons(40000),
			      .seq = 0x01020304,
			      .ack = 0xfffffffe};
}

static struct zdd_packet parsed(const struct reset *r, uint16_t vlan, size_t want)
{
	uint8_t frame[RESET_FRAME_MAX + 2];
	struct zdd_packet p = {0};
	size_t len = reset_frame(r, &(struct reset_way){dmac, smac, vlan}, frame + 2);

	CHECK_INT(len, want);
	p.frame = (uint32_t)len;
	CHECK_INT(parse_frame(frame + 2, frame + 2 + len, &p), PARSED_L4);
	CHECK_INT(memcmp(frame + 2, dmac, 6), 0);
	CHECK_INT(sum_l4(6, frame + 2 + p.l3, len - p.l3), 0xffff);
	if (!p.v6)
		CHECK_INT(sum_v4(frame + 2 + p.l3), 0xffff);
	return p;
}

TEST(a_frame_says_what_was_asked)
{
	static const struct {
		const char *from, *to;
		uint16_t vlan;
		size_t len;
	} rows[] = {
		{"::ffff:203.0.113.10", "::ffff:198.51.100.7", 0, 54},
		{"::ffff:203.0.113.10", "::ffff:198.51.100.7", 0x2064, 58},
		{"2001:db8::10", "2001:db8:100::7", 0, 74},
		{"2001:db8::10", "2001:db8:100::7", 100, 78},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reset r = any_reset(rows[i].from, rows[i].to);
		struct zdd_packet p = parsed(&r, rows[i].vlan, rows[i].len);

		CHECK(zdd_addr_eq(&p.src, &r.from) && zdd_addr_eq(&p.dst, &r.to));
		CHECK_INT(ntohs(p.sport), 443);
		CHECK_INT(ntohs(p.dport), 40000);
		CHECK_INT(p.tcp_flags, TCP_RST | TCP_ACK);
		CHECK_INT(p.seq, 0x01020304);
		CHECK_INT(p.ack, 0xfffffffe);
		CHECK_INT(p.vlan, rows[i].vlan);
		CHECK_INT(p.payload, 0);
		CHECK(!p.bad_length);
	}
}

/* The outer headers are looked at here; what is inside is the packet of before. */
TEST(inside_another_packet)
{
	static const struct {
		const char *from, *to;
		bool gue;
		size_t front;
		uint8_t proto;
	} rows[] = {
		{"::ffff:10.0.0.1", "::ffff:10.0.1.11", false, 20, 4},
		{"::ffff:10.0.0.1", "::ffff:10.0.1.11", true, 28, 17},
		{"fd00::1", "fd00::11", false, 40, 4},
		{"fd00::1", "fd00::11", true, 48, 17},
	};
	struct reset r = any_reset("::ffff:198.51.100.7", "::ffff:203.0.113.10");
	uint8_t plain[RESET_PACKET_MAX], out[RESET_INSIDE_MAX];
	size_t len = reset_packet(&r, plain);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct zdd_addr from = address(rows[i].from), to = address(rows[i].to);
		bool v6;

		CHECK_INT(reset_inside(&r, &from, &to, rows[i].gue, out), rows[i].front + len);
		v6 = out[0] >> 4 == 6;
		CHECK_INT(out[v6 ? 6 : 9], rows[i].proto);
		CHECK_INT(v6 ? out[5] + 40 : out[3], rows[i].front + len);
		CHECK_INT(memcmp(out + rows[i].front, plain, len), 0);
		if (!v6)
			CHECK_INT(sum_v4(out), 0xffff);
		if (rows[i].gue)
			CHECK_INT(sum_l4(17, out, rows[i].front + len), 0xffff);
	}
}

static struct zdd_flow a_flow(uint16_t state)
{
	return (struct zdd_flow){.meta = ZDD_META(1000, state, 7),
				 .client = address("::ffff:198.51.100.7"),
				 .port = htons(40000),
				 .client_seq = 11,
				 .server_seq = 22};
}

TEST(each_end_is_told_what_it_expects)
{
	struct zdd_listener l = {.addr = address("::ffff:203.0.113.10"), .port = htons(443)};
	struct zdd_backend b = {.addr = address("::ffff:10.0.1.11"), .port = htons(8080)};
	struct zdd_addr source = address("::ffff:10.0.1.1");
	struct zdd_flow f = a_flow(0);
	struct reset r = reset_to_client(&f, &l);

	CHECK(zdd_addr_eq(&r.from, &l.addr) && zdd_addr_eq(&r.to, &f.client));
	CHECK(r.from_port == htons(443) && r.to_port == htons(40000));
	CHECK(r.seq == 22 && r.ack == 11);
	r = reset_to_backend(&f, &l, &b, NULL);
	CHECK(zdd_addr_eq(&r.from, &f.client) && zdd_addr_eq(&r.to, &b.addr));
	CHECK(r.from_port == htons(40000) && r.to_port == htons(8080));
	CHECK(r.seq == 11 && r.ack == 22);
	f.other = htons(50000);
	r = reset_to_backend(&f, &l, &b, &source);
	CHECK(zdd_addr_eq(&r.from, &source) && r.from_port == htons(50000));
	f.other = 0;
	b.forward = ZDD_FORWARD_DSR;
	r = reset_to_backend(&f, &l, &b, NULL);
	CHECK(zdd_addr_eq(&r.to, &l.addr) && r.to_port == htons(443));
}

/* Sent three times when nothing is heard; for as long as something is. */
TEST(a_cut_repeats_until_it_is_quiet)
{
	struct zdd_flow f = a_flow(ZDD_F_CUT | ZDD_F_RST);
	struct cut c = cut_begin(3, &f, 5000);
	unsigned sent = 0;
	uint64_t ms = 5000;

	while (cut_next(&c, &f, ms) != CUT_OVER && ms < 60000)
		ms += 20;
	CHECK_INT(ms, 6700);
	c = cut_begin(3, &f, 5000);
	for (ms = 5000; ms < 15000; ms += 20) {
		f.meta = ZDD_META(ms, ZDD_F_CUT | ZDD_F_RST, 7);
		sent += cut_next(&c, &f, ms) == CUT_SEND;
	}
	CHECK(sent >= 10 && sent <= 13);
}

TEST(a_number_that_was_told_is_used_at_once)
{
	struct zdd_flow f = a_flow(ZDD_F_CUT | ZDD_F_RST);
	struct cut c = cut_begin(3, &f, 5000);

	CHECK_INT(cut_next(&c, &f, 5000), CUT_SEND);
	CHECK_INT(cut_next(&c, &f, 5020), CUT_WAIT);
	f.server_seq = 20;
	CHECK_INT(cut_next(&c, &f, 5040), CUT_SEND);
	CHECK_INT(cut_next(&c, &f, 5060), CUT_WAIT);
	f.client_seq = 10;
	CHECK_INT(cut_next(&c, &f, 5080), CUT_SEND);
	CHECK_INT(c.server_seq, 22);
	CHECK_INT(c.client_seq, 11);
	f.meta = ZDD_META(1000, ZDD_F_CUT, 8);
	CHECK_INT(cut_next(&c, &f, 9000), CUT_OVER);
	CHECK_INT(cut_next(&c, NULL, 9000), CUT_OVER);
}

static unsigned taken(struct pace *p, uint32_t rate, uint64_t from_ms, uint64_t to_ms,
		      unsigned *most)
{
	unsigned all = 0;

	for (uint64_t ms = from_ms; ms < to_ms; ms += 20) {
		unsigned n = 0;

		pace_fill(p, rate, ms);
		while (pace_take(p))
			n++;
		all += n;
		if (n > *most)
			*most = n;
	}
	return all;
}

TEST(a_rate_is_kept_evenly)
{
	static const uint32_t rates[] = {1, 7, 50, 333, 20000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct pace p = {0};
		unsigned most = 0, n = taken(&p, rates[i], 1000000, 1010000, &most);
		unsigned tick = rates[i] / 50 + 1;

		ROW("%u a second: %u", rates[i], n);

		CHECK(n >= 10 * rates[i] - 1 && n <= 10 * rates[i] + 2 * tick);
		CHECK(most <= 2 * tick);
		/* neither a long pause nor ticks that nobody used save anything up */
		most = 0;
		taken(&p, rates[i], 2000000, 2000100, &most);
		CHECK(most <= 2 * tick);
		for (uint64_t ms = 3000000; ms < 3005000; ms += 20)
			pace_fill(&p, rates[i], ms);
		most = 0;
		taken(&p, rates[i], 3005000, 3005100, &most);
		CHECK(most <= 3 * tick);
	}
}
