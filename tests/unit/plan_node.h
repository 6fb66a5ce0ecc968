/* SPDX-License-Identifier: BSD-2-Clause */
/* A data path of one service, for tests of plans: memory, planner, world. Include it once. */
#ifndef ZDD_TEST_PLAN_NODE_H
#define ZDD_TEST_PLAN_NODE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "t.h"
#include "geometry.h"
#include "memory.h"
#include "plan.h"
#include "zdd/hash.h"

/* ---- a small data path ---- */

static struct zdd_geometry geometry;
static struct zdd_memory memory;
static struct planner *planner;
static struct world *world;
static char *error;

static void load(const char *text)
{
	struct config *config = NULL;
	struct world *next = NULL;

	if (!CHECK_INT(config_parse("t", text, strlen(text), &config, &error), 0)) {
		printf("# %s\n", error);
		exit(1);
	}
	if (!memory.desk) {
		geometry_for(config, &geometry);
		geometry.cpus = 2;
		geometry.hz = 1000;
		memory_make(&memory, &geometry);
	}
	CHECK_INT(world_make(config, world, &next, &error), 0);
	world_free(world);
	world = next;
}

static void begin(const char *text)
{
	load(text);
	CHECK_INT(planner_make(&memory, &planner), 0);
}

static void end(void)
{
	planner_free(planner);
	world_free(world);
	memory_free(&memory);
	free(error);
	planner = NULL;
	world = NULL;
	error = NULL;
}

static struct zdd_addr addr(const char *text)
{
	struct zdd_addr a = {0};

	CHECK_INT(parse_address(text, &a), 0);
	return a;
}

static int compile(void)
{
	struct zdd_addr local[] = {addr("127.0.0.1"), addr("10.9.9.9"), addr("2001:db8::9")};

	return planner_compile(planner, world, local, 3, &error);
}

static void publish(void)
{
	int slot = compile();

	if (!CHECK(slot >= 0)) {
		printf("# %d %s\n", slot, error ? error : "");
		return;
	}
	world->generation = planner_publish(planner, (unsigned)slot, 0);
	planner_settled(planner, world->generation);
}

static unsigned slot_now(void)
{
	return ZDD_WORD_SLOT(memory.desk->word);
}

static inline const struct zdd_door *door(const char *address, uint16_t port, uint8_t proto)
{
	struct zdd_addr a = addr(address);
	uint64_t hash = zdd_door_hash(&a, htons(port), proto);

	for (unsigned side = 0; side < 2; side++) {
		uint32_t at = zdd_scale((uint32_t)(hash >> 32 * side), geometry.door_buckets);
		const struct zdd_door_bucket *b =
			&memory.doors[slot_now() * geometry.door_buckets + at];

		for (unsigned i = 0; i < ZDD_DOOR_WAYS && b->way[i].kind; i++)
			if (zdd_addr_eq(&b->way[i].addr, &a) && b->way[i].port == htons(port) &&
			    b->way[i].proto == proto)
				return &b->way[i];
	}
	return NULL;
}

static const struct zdd_service *service(uint32_t index)
{
	return &memory.services[slot_now() * geometry.services + index];
}

static inline const struct zdd_pool *pool(uint32_t index, unsigned which)
{
	return &memory.pools[slot_now() * geometry.pools + service(index)->pool + which];
}

#define SHOP                                                                                       \
	"services:\n"                                                                              \
	"  shop:\n"                                                                                \
	"    listen: [\"203.0.113.10:443/tcp\", \"[2001:db8::10]:443/tcp\", \"203.0.113.10:443/udp\"]\n"
#define POOLS                                                                                      \
	"    pools:\n"                                                                             \
	"      blue: [\"10.0.1.11:8080\", \"10.0.1.12:8080\", \"[fd00:1::11]:8080\"]\n"            \
	"      green: [\"10.0.2.11:8080\", \"10.0.2.12:8080\"]\n"                                  \
	"    live: blue\n"
#define HEAD "interfaces: [eth0]\n"

static inline struct world_pool *blue(void)
{
	return &world->services[0].pools[0];
}

static inline struct world_pool *green(void)
{
	return &world->services[0].pools[1];
}

static inline void set_health(struct world_pool *p, enum health_state state)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		p->backends[i].health.state = state;
}

static inline void set_share(uint16_t to_green)
{
	world->services[0].share[0] = (uint16_t)(ZDD_SHARE_UNITS - to_green);
	world->services[0].share[1] = to_green;
}

#endif
