/* SPDX-License-Identifier: BSD-2-Clause */
/* Text forms: what is accepted comes back in its canonical form, the rest touches nothing. */
#include "t.h"

#include <errno.h>

#include "config.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct {
	const char *text, *canonical; /* NULL: refused */
} endpoints[] = {
	{"203.0.113.10:443", "203.0.113.10:443"},
	{"[2001:db8::1]:1", "[2001:db8::1]:1"},
	{"[2001:DB8:0:0:0:0:0:1]:65535", "[2001:db8::1]:65535"},
	{"[2001:db8:0:1:1:1:1:1]:80", "[2001:db8:0:1:1:1:1:1]:80"}, /* one zero stays */
	{"[1:0:0:2:0:0:0:3]:80", "[1:0:0:2::3]:80"},                /* the longer run */
	{"[2001:db8:0:0:1:0:0:1]:80", "[2001:db8::1:0:0:1]:80"},    /* the first of equals */
	{"[::]:80", "[::]:80"},
	{"[::1]:80", "[::1]:80"},
	{"0.0.0.0:80", "0.0.0.0:80"},
	{"", NULL},
	{":80", NULL},
	{"203.0.113.10", NULL},
	{"203.0.113.10:", NULL},
	{"203.0.113.10:0", NULL},
	{"203.0.113.10:080", NULL},
	{"203.0.113.10:65536", NULL},
	{"203.0.113.10:+80", NULL},
	{"203.0.113.10: 80", NULL},
	{"203.0.113.10:80 ", NULL},
	{" 203.0.113.10:80", NULL},
	{"203.0.113.010:80", NULL},
	{"203.0.113:80", NULL},
	{"0xcb.0.113.10:80", NULL},
	{"[203.0.113.10]:80", NULL},
	{"2001:db8::1:80", NULL},
	{"[2001:db8::1:80", NULL},
	{"[]:80", NULL},
	{"[fe80::1%eth0]:80", NULL},
	{"[::ffff:203.0.113.10]:80", NULL},
	{"[::ffff:cb00:710a]:80", NULL},
	{"localhost:80", NULL},
	{"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:80", NULL},
};

TEST(endpoint)
{
	for (size_t i = 0; i < COUNT(endpoints); i++) {
		struct zdd_addr addr = {.d = {1, 2}};
		uint16_t port = 7;
		char text[ENDPOINT_TEXT] = "";
		int err = parse_endpoint(endpoints[i].text, &addr, &port);

		ROW("%s", endpoints[i].text);
		if (endpoints[i].canonical) {
			CHECK_INT(err, 0);
			format_endpoint(text, sizeof(text), &addr, port);
			CHECK_STR(text, endpoints[i].canonical);
		} else {
			CHECK_INT(err, -EINVAL);
			CHECK(addr.d[0] == 1 && addr.d[1] == 2 && port == 7);
		}
	}
}

TEST(address)
{
	struct zdd_addr addr;
	char text[ADDRESS_TEXT];

	CHECK_INT(parse_address("203.0.113.10", &addr), 0);
	CHECK(zdd_addr_is_v4(&addr));
	format_address(text, sizeof(text), &addr);
	CHECK_STR(text, "203.0.113.10");
	CHECK_INT(parse_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &addr), 0);
	CHECK(!zdd_addr_is_v4(&addr));
	format_address(text, sizeof(text), &addr);
	CHECK_STR(text, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	CHECK_INT(parse_address("[::1]", &addr), -EINVAL);
}

static const struct {
	const char *text, *canonical;
	int prefix_len;
} cidrs[] = {
	{"10.0.0.0/8", "10.0.0.0/8", 104},
	{"10.1.2.3/8", "10.0.0.0/8", 104},
	{"192.0.2.129/25", "192.0.2.128/25", 121},
	{"192.0.2.1", "192.0.2.1/32", 128},
	{"0.0.0.0/0", "0.0.0.0/0", 96},
	{"2001:db8::/32", "2001:db8::/32", 32},
	{"2001:db8:ffff::1/33", "2001:db8:8000::/33", 33},
	{"::1", "::1/128", 128},
	{"::/0", "::/0", 0},
	{"10.0.0.0/33", NULL, 0},
	{"10.0.0.0/", NULL, 0},
	{"10.0.0.0/08", NULL, 0},
	{"10.0.0/8", NULL, 0},
	{"2001:db8::/129", NULL, 0},
	{"2001:db8::/-1", NULL, 0},
	{"/8", NULL, 0},
	{"", NULL, 0},
};

TEST(cidr)
{
	for (size_t i = 0; i < COUNT(cidrs); i++) {
		struct zdd_addr addr, first;
		uint8_t prefix_len = 0;
		char text[ADDRESS_TEXT + 4];

		ROW("%s", cidrs[i].text);
		CHECK_INT(parse_cidr(cidrs[i].text, &addr, &prefix_len),
			  cidrs[i].canonical ? 0 : -EINVAL);
		if (!cidrs[i].canonical)
			continue;
		first = mask_address(addr, prefix_len);
		CHECK_INT(prefix_len, cidrs[i].prefix_len);
		format_cidr(text, sizeof(text), &first, prefix_len);
		CHECK_STR(text, cidrs[i].canonical);
	}
}

static const struct {
	const char *text, *canonical;
	uint32_t ms;
} durations[] = {
	{"0s", "0s", 0},
	{"0ms", "0s", 0},
	{"250ms", "250ms", 250},
	{"1000ms", "1s", 1000},
	{"30s", "30s", 30000},
	{"90s", "90s", 90000},
	{"5m", "5m", 300000},
	{"60m", "1h", 3600000},
	{"2h", "2h", 7200000},
	{"24h", "1d", 86400000},
	{"7d", "7d", 604800000},
	{"49d", "49d", 4233600000},
	{"4294967295ms", "4294967295ms", UINT32_MAX},
	{"4294967296ms", NULL, 0},
	{"50d", NULL, 0},
	{"99999999999999999999s", NULL, 0},
	{"", NULL, 0},
	{"s", NULL, 0},
	{"5", NULL, 0},
	{"-5s", NULL, 0},
	{"05s", NULL, 0},
	{"1.5s", NULL, 0},
	{"5 s", NULL, 0},
	{"5S", NULL, 0},
	{"1h30m", NULL, 0},
	{"5us", NULL, 0},
};

TEST(duration)
{
	for (size_t i = 0; i < COUNT(durations); i++) {
		uint32_t ms = 7;
		char text[DURATION_TEXT];

		ROW("%s", durations[i].text);
		if (!durations[i].canonical) {
			CHECK_INT(parse_duration_ms(durations[i].text, &ms), -EINVAL);
			CHECK_INT(ms, 7);
			continue;
		}
		CHECK_INT(parse_duration_ms(durations[i].text, &ms), 0);
		CHECK_INT(ms, durations[i].ms);
		format_duration(text, sizeof(text), ms);
		CHECK_STR(text, durations[i].canonical);
	}
}

static const struct {
	const char *text;
	int bp; /* -1: refused */
} percents[] = {
	{"0%", 0},       {"5%", 500},       {"12.5%", 1250}, {"0.01%", 1}, {"99.99%", 9999},
	{"100%", 10000}, {"100.0%", 10000}, {"100.01%", -1}, {"101%", -1}, {"12.345%", -1},
	{"12.%", -1},    {".5%", -1},       {"5", -1},       {"-5%", -1},  {"5 %", -1},
	{"5%%", -1},     {"", -1},          {"%", -1},       {"05%", -1},  {"1e1%", -1},
};

TEST(percent)
{
	for (size_t i = 0; i < COUNT(percents); i++) {
		uint16_t bp = 7;

		ROW("%s", percents[i].text);
		CHECK_INT(parse_percent_bp(percents[i].text, &bp),
			  percents[i].bp < 0 ? -EINVAL : 0);
		CHECK_INT(bp, percents[i].bp < 0 ? 7 : percents[i].bp);
	}
}

static const char *const words[] = {"listen", "live", "pools", "tcp", "udp", "http", "https"};

static const struct {
	const char *got, *near;
} guesses[] = {
	{"liev", "live"},  {"LIVE", "live"},  {"lisen", "listen"}, {"listeners", "listen"},
	{"pool", "pools"}, {"tpc", "tcp"},    {"htp", "http"},     {"httpss", "https"},
	{"dup", "udp"},    {"", NULL},        {"x", NULL},         {"sctp", "tcp"},
	{"rollout", NULL}, {"qqqqqqq", NULL}, {"zzz", NULL},
};

TEST(nearest)
{
	char wide[200];

	for (size_t i = 0; i < COUNT(guesses); i++) {
		const char *near = nearest_word(guesses[i].got, words, COUNT(words));

		ROW("%s", guesses[i].got);
		if (guesses[i].near)
			CHECK_STR(near, guesses[i].near);
		else
			CHECK(!near);
	}
	memset(wide, 'a', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	CHECK(!nearest_word(wide, words, COUNT(words)));
}

TEST(names)
{
	CHECK(name_is_valid("a"));
	CHECK(name_is_valid("0-v4.2_x"));
	CHECK(name_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	CHECK(!name_is_valid("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	CHECK(!name_is_valid(""));
	CHECK(!name_is_valid("-a"));
	CHECK(!name_is_valid(".a"));
	CHECK(!name_is_valid("a/b"));
	CHECK(!name_is_valid("a b"));
	CHECK(!name_is_valid("\303\251"));
}
