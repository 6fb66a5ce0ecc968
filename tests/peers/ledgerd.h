/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One backend. Line protocol, over TCP and UDP: "N\n" is answered by
 *   "NAME POOL N SEQ CLIENT PORT\n"
 * where SEQ counts the requests of this connection (or UDP 5-tuple) from 0. Over TCP also:
 *   "B LEN\n"          is answered by LEN bytes of `bulk_byte(offset)`
 *   "P LEN\n" + bytes  is answered by "NAME POOL P GOOD\n", GOOD = bytes that are as bulk_byte says
 *   "GET /N HTTP/1.1" is answered by 200 with the same line; /health by what the health file says
 * ledgerd_mood.h has what else may befall a connection.
 */
#ifndef LEDGERD_H
#define LEDGERD_H

#include "ledger.h"
#include "ledgerd_mood.h"

#define REQUEST_MAX 4096

struct server {
	const char *name;
	const char *pool;
	const char *health_path;
	const char *mood_path;
	struct conn *late, **late_end; /* answers that wait, in the order of their time */
	struct ledger *ledger;
	int epoll_fd;
};

struct conn;

/* What epoll hands back: a listener or a connection. */
struct watched {
	int fd;
	uint16_t local_port;
	void (*ready)(struct server *s, struct watched *w, uint32_t events);
};

void accept_ready(struct server *s, struct watched *w, uint32_t events);
void udp_ready(struct server *s, struct watched *w, uint32_t events);

/* Answers whose time has come. Returns how long until the next, in ms; -1: none waits. */
int answer_late(struct server *s);

#endif
