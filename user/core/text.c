/* SPDX-License-Identifier: BSD-2-Clause */
/* Text forms of addresses, endpoints, durations and percentages, and the nearest word. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "zdd/limits.h"

int parse_uint(const char *text, size_t len, uint32_t max, uint32_t *value)
{
	uint64_t v = 0;

	if (!len || (len > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		v = v * 10 + (uint64_t)(text[i] - '0');
		if (v > max)
			return -EINVAL;
	}
	*value = (uint32_t)v;
	return 0;
}

/* An IPv4 address written as IPv6 (::ffff:1.2.3.4) is refused: it would be the same address
 * under two names, and files that look different must not mean the same. */
int parse_address(const char *text, struct zdd_addr *addr)
{
	struct zdd_addr a;
	__be32 v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*addr = zdd_addr_v4(v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, a.b) != 1 || zdd_addr_is_v4(&a))
		return -EINVAL;
	*addr = a;
	return 0;
}

/* "1.2.3.4" or "[2001:db8::1]", len bytes. */
static int parse_host(const char *text, size_t len, struct zdd_addr *addr)
{
	char host[ADDRESS_TEXT];
	bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (bracketed) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host) || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (bracketed != !!strchr(host, ':'))
		return -EINVAL;
	return parse_address(host, addr);
}

int parse_endpoint(const char *text, struct zdd_addr *addr, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	struct zdd_addr a;
	uint32_t p;

	if (!colon || parse_uint(colon + 1, strlen(colon + 1), UINT16_MAX, &p) || !p)
		return -EINVAL;
	if (parse_host(text, (size_t)(colon - text), &a))
		return -EINVAL;
	*addr = a;
	*port = (uint16_t)p;
	return 0;
}

void format_address(char *out, size_t size, const struct zdd_addr *addr)
{
	if (zdd_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->b + 12, out, (socklen_t)size);
	else
		inet_ntop(AF_INET6, addr->b, out, (socklen_t)size);
}

void format_endpoint(char *out, size_t size, const struct zdd_addr *addr, uint16_t port)
{
	char host[ADDRESS_TEXT];
	bool v4 = zdd_addr_is_v4(addr);

	format_address(host, sizeof(host), addr);
	snprintf(out, size, v4 ? "%s:%u" : "[%s]:%u", host, port);
}

struct zdd_addr mask_address(struct zdd_addr addr, unsigned prefix_len)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix_len > 8 * i ? prefix_len - 8 * i : 0;

		if (bits < 8)
			addr.b[i] &= (__u8)(0xff00u >> bits);
	}
	return addr;
}

int parse_cidr(const char *text, struct zdd_addr *addr, uint8_t *prefix_len)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char host[ADDRESS_TEXT];
	uint32_t bits, skip, max;
	struct zdd_addr a;

	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (parse_address(host, &a))
		return -EINVAL;
	max = zdd_addr_is_v4(&a) ? 32 : 128;
	skip = 128 - max;
	bits = max;
	if (slash && parse_uint(slash + 1, strlen(slash + 1), max, &bits))
		return -EINVAL;
	*addr = a;
	*prefix_len = (uint8_t)(bits + skip);
	return 0;
}

void format_cidr(char *out, size_t size, const struct zdd_addr *addr, uint8_t prefix_len)
{
	char host[ADDRESS_TEXT];

	format_address(host, sizeof(host), addr);
	snprintf(out, size, "%s/%u", host, prefix_len - (zdd_addr_is_v4(addr) ? 96u : 0u));
}

static const struct {
	const char *name;
	uint32_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { N_UNITS = sizeof(units) / sizeof(units[0]) };

int parse_duration_ms(const char *text, uint32_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	uint32_t n;

	for (size_t i = 0; i < N_UNITS; i++) {
		if (strcmp(text + digits, units[i].name))
			continue;
		if (parse_uint(text, digits, UINT32_MAX / units[i].ms, &n))
			return -EINVAL;
		*ms = n * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

void format_duration(char *out, size_t size, uint32_t ms)
{
	size_t i = 0;

	if (!ms)
		i = N_UNITS - 2; /* "0s" */
	while (ms % units[i].ms)
		i++;
	snprintf(out, size, "%u%s", ms / units[i].ms, units[i].name);
}

int parse_percent_bp(const char *text, uint16_t *bp)
{
	size_t whole = strspn(text, "0123456789"), frac = 0;
	const char *rest = text + whole;
	uint32_t percent, hundredths = 0;

	if (parse_uint(text, whole, 100, &percent))
		return -EINVAL;
	if (*rest == '.') {
		frac = strspn(++rest, "0123456789");
		if (frac < 1 || frac > 2)
			return -EINVAL;
		hundredths = (uint32_t)(rest[0] - '0') * 10;
		if (frac == 2)
			hundredths += (uint32_t)(rest[1] - '0');
	}
	if (strcmp(rest + frac, "%") || percent * 100 + hundredths > 10000)
		return -EINVAL;
	*bp = (uint16_t)(percent * 100 + hundredths);
	return 0;
}

bool name_is_valid(const char *name)
{
	static const char alnum[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t len = strlen(name);

	if (!len || len >= ZDD_NAME_MAX || !strchr(alnum, name[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!strchr(alnum, name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

enum { NEAR_MAX = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: insert, delete, replace, swap of neighbours; case is ignored. */
static unsigned edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][NEAR_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= m; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *spare = before;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]) && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

const char *nearest_word(const char *got, const char *const *words, size_t n)
{
	size_t len = strlen(got);
	unsigned limit = len / 2 > 3 ? 3 : (unsigned)(len + 1) / 2;
	const char *best = NULL;

	if (!len || len > NEAR_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t m = strlen(words[i]);
		unsigned d;

		if (m > NEAR_MAX)
			continue;
		d = edit_distance(got, len, words[i], m);
		if (d < limit || (d == limit && !best)) {
			best = words[i];
			limit = d;
		}
	}
	return best;
}
