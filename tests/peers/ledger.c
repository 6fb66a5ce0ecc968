// SPDX-License-Identifier: BSD-2-Clause
#include "ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TUPLES_MIN 1024

/* A UDP 5-tuple less what is the same for all. An empty element has seen == 0. */
struct tuple {
	uint8_t host[16];
	uint16_t port;
	uint16_t local_port;
	uint32_t hash;
	uint64_t seen;
};

/* `tuples` is an open-addressed table of `size` elements, a power of two, at most half full. */
struct ledger {
	FILE *file;
	struct tuple *tuples;
	size_t size;
	size_t used;
};

struct ledger *ledger_open(const char *path)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (!l || !(l->tuples = calloc(TUPLES_MIN, sizeof(*l->tuples))))
		die("no memory for the ledger");
	l->size = TUPLES_MIN;
	l->file = fopen(path, "a");
	if (!l->file)
		die("ledger %s: %s", path, strerror(errno));
	return l;
}

static void write_line(struct ledger *l, const char *proto, const union peer_addr *client,
		       uint16_t local_port)
{
	char host[ADDR_TEXT_LEN];

	addr_host(client, host);
	fprintf(l->file, "%s %llu %s %u %u\n", proto, (unsigned long long)now_ns(), host,
		addr_port(client), local_port);
}

void ledger_tcp(struct ledger *l, const union peer_addr *client, uint16_t local_port)
{
	write_line(l, "tcp", client, local_port);
}

void ledger_reset(struct ledger *l, const union peer_addr *client, uint16_t local_port)
{
	write_line(l, "rst", client, local_port);
}

static uint32_t tuple_hash(const struct tuple *t)
{
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < offsetof(struct tuple, hash); i++)
		hash = (hash ^ ((const uint8_t *)t)[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static struct tuple *tuple_slot(struct tuple *tuples, size_t size, const struct tuple *want)
{
	size_t i = want->hash & (size - 1);

	while (tuples[i].seen && memcmp(&tuples[i], want, offsetof(struct tuple, seen)))
		i = (i + 1) & (size - 1);
	return &tuples[i];
}

static void tuples_grow(struct ledger *l)
{
	struct tuple *bigger = calloc(l->size * 2, sizeof(*bigger));
	size_t i;

	if (!bigger)
		die("no memory for %zu UDP tuples", l->size * 2);
	for (i = 0; i < l->size; i++)
		if (l->tuples[i].seen)
			*tuple_slot(bigger, l->size * 2, &l->tuples[i]) = l->tuples[i];
	free(l->tuples);
	l->tuples = bigger;
	l->size *= 2;
}

uint64_t ledger_udp(struct ledger *l, const union peer_addr *client, uint16_t local_port)
{
	struct tuple want = {.port = addr_port(client), .local_port = local_port}, *t;

	if (client->sa.sa_family == AF_INET)
		memcpy(want.host, &client->in.sin_addr, 4);
	else
		memcpy(want.host, &client->in6.sin6_addr, 16);
	want.hash = tuple_hash(&want);
	if (l->used * 2 >= l->size)
		tuples_grow(l);
	t = tuple_slot(l->tuples, l->size, &want);
	if (!t->seen) {
		*t = want;
		l->used++;
		write_line(l, "udp", client, local_port);
	}
	return t->seen++;
}

void ledger_flush(struct ledger *l)
{
	fflush(l->file);
}
