// SPDX-License-Identifier: BSD-2-Clause
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static int set_host(const char *host, uint16_t port, union peer_addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (inet_pton(AF_INET, host, &addr->in.sin_addr) == 1) {
		addr->in.sin_family = AF_INET;
		addr->in.sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &addr->in6.sin6_addr) == 1) {
		addr->in6.sin6_family = AF_INET6;
		addr->in6.sin6_port = htons(port);
		return 0;
	}
	return -EINVAL;
}

int addr_parse(const char *text, bool with_port, union peer_addr *addr)
{
	const char *colon = strrchr(text, ':'), *host = text;
	char buf[ADDR_TEXT_LEN];
	size_t len;

	if (!with_port)
		return set_host(text, 0, addr);
	if (!colon)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (*text == '[' && len >= 2 && text[len - 1] == ']') {
		host++;
		len -= 2;
	}
	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, host, len);
	buf[len] = 0;
	return set_host(buf, (uint16_t)atoi(colon + 1), addr);
}

socklen_t addr_len(const union peer_addr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6);
}

uint16_t addr_port(const union peer_addr *addr)
{
	return ntohs(addr->sa.sa_family == AF_INET ? addr->in.sin_port : addr->in6.sin6_port);
}

void addr_set_port(union peer_addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET)
		addr->in.sin_port = htons(port);
	else
		addr->in6.sin6_port = htons(port);
}

void addr_host(const union peer_addr *addr, char *text)
{
	if (addr->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &addr->in.sin_addr, text, ADDR_TEXT_LEN);
	else
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, text, ADDR_TEXT_LEN);
}

void addr_add(union peer_addr *addr, uint32_t n)
{
	uint32_t *low = addr->sa.sa_family == AF_INET ? &addr->in.sin_addr.s_addr
						      : &addr->in6.sin6_addr.s6_addr32[3];

	*low = htonl(ntohl(*low) + n);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

void raise_file_limit(void)
{
	struct rlimit limit = {1 << 20, 1 << 20};

	if (!setrlimit(RLIMIT_NOFILE, &limit))
		return;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
