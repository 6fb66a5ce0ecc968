/* SPDX-License-Identifier: BSD-2-Clause */
/* What the test peers share: addresses and the clock. A peer that cannot start says why. */
#ifndef PEER_H
#define PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL
#define ADDR_TEXT_LEN 64

union peer_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* CLOCK_MONOTONIC, which all network namespaces share: times of different peers can be compared. */
uint64_t now_ns(void);

/* Reads "1.2.3.4:80" or "[2001:db8::1]:80", with `with_port` false "1.2.3.4" or "2001:db8::1". */
int addr_parse(const char *text, bool with_port, union peer_addr *addr);
socklen_t addr_len(const union peer_addr *addr);
uint16_t addr_port(const union peer_addr *addr);
void addr_set_port(union peer_addr *addr, uint16_t port);

/* Writes the address without its port; `text` holds ADDR_TEXT_LEN bytes. */
void addr_host(const union peer_addr *addr, char *text);

/* The n-th address after `addr`, counted in its low 32 bits. */
void addr_add(union peer_addr *addr, uint32_t n);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

/* As many descriptors as the kernel gives. */
void raise_file_limit(void);

#endif
