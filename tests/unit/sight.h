/* SPDX-License-Identifier: BSD-2-Clause */
/* A world with numbers that are told by the object: what views, metrics and sentences are tried on.
 * Pool objects are 10 * service + pool, backend objects 100 * service + 10 * pool + backend (shop is service 0); the
 * numbers of object N are N, and N + 1000 and so on for the others. */
#ifndef ZDD_TEST_SIGHT_H
#define ZDD_TEST_SIGHT_H

#include <stdlib.h>

#include "t.h"
#include "view.h"

static const char sight_text[] =
	"interfaces: [eth0]\n"
	"services:\n"
	"  shop:\n"
	"    listen: [\"203.0.113.10:443/tcp\", \"[2001:db8::10]:443/tcp\"]\n"
	"    preview: [\"203.0.113.10:8443/tcp\"]\n"
	"    pools:\n"
	"      blue: [\"10.0.1.11:8080\", \"10.0.1.12:8080\"]\n"
	"      green: [\"10.0.2.11:8080\", \"[fd00::2]:8080\"]\n"
	"    live: blue\n"
	"    cohorts: {green: [\"198.51.100.0/24\"]}\n"
	"    drain: {deadline: 5m}\n"
	"    slow_start: 20s\n"
	"  zero:\n"
	"    listen: [\":53/udp\"]\n"
	"    pools:\n"
	"      only: [\"10.0.3.11:53\"]\n"
	"    live: only\n"
	"    health: none\n";

static struct backend_numbers sight_change; /* put over the numbers of every backend, when active */

static struct pool_numbers sight_pool(void *context, uint16_t object)
{
	struct pool_numbers n = {0};

	(void)context;
	if (object == ZDD_NONE)
		return n;
	n.active = object;
	n.half_open = object + 1000u;
	n.recent = object;
	n.row.new_flows = object + 2000u;
	n.row.packets = object + 3000u;
	n.row.bytes = (1ull << 53) - 1; /* what a double just holds */
	return n;
}

static struct backend_numbers sight_backend(void *context, uint16_t object)
{
	struct backend_numbers n = {.mac = "resolved"};

	(void)context;
	if (object == ZDD_NONE)
		return (struct backend_numbers){0};
	if (sight_change.active)
		return sight_change;
	n.active = object;
	n.half_open = object + 1000u;
	n.row.new_flows = object + 2000u;
	n.row.replies = object + 3000u;
	return n;
}

static void sight_signals(void *context, uint16_t object, struct zdd_signals *row)
{
	(void)context;
	(void)object;
	*row = (struct zdd_signals){
		.kind[ZDD_SIG_HTTP_5XX] = {.n = 9, .bad = 4, .sources = 3, .bad_sources = 2},
		.connect = {[8] = 1, [80] = 3},
	};
}

static const struct numbers sight_numbers = {.pool = sight_pool,
					     .backend = sight_backend,
					     .pool_signals = sight_signals,
					     .backend_signals = sight_signals,
					     .now_ms = 1000000};

static struct world *sight_make(void)
{
	struct config *config = NULL;
	struct world *w = NULL;
	char *error = NULL;

	sight_change = (struct backend_numbers){0};
	if (config_parse("test", sight_text, strlen(sight_text), &config, &error) ||
	    world_make(config, NULL, &w, &error))
		printf("# %s\n", error ? error : "no memory");
	free(error);
	for (unsigned s = 0; w && s < w->config->n_services; s++)
		for (unsigned p = 0; p < w->services[s].cfg->n_pools; p++) {
			struct world_pool *pool = &w->services[s].pools[p];

			pool->object = (uint16_t)(10 * s + p);
			for (unsigned b = 0; b < pool->cfg->n_backends; b++) {
				pool->backends[b].object = (uint16_t)(100 * s + 10 * p + b);
				pool->backends[b].health.state = HEALTH_UP;
			}
		}
	return w;
}

#endif
