/* SPDX-License-Identifier: BSD-2-Clause */
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

static const struct zdd_door *door(const char *address, uint16_t port, uint8_t proto)
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

static const struct zdd_pool *pool(uint32_t index, unsigned which)
{
	return &memory.pools[slot_now() * geometry.pools + service(index)->pool + which];
}

/* How many slots of a pool's table lead to a backend. */
static unsigned slots_of(const struct zdd_pool *p, unsigned family, uint16_t object)
{
	unsigned n = 0;

	if (p->n_slots[family] == 1)
		return p->one[family] == object;
	for (uint32_t i = 0; i < p->n_slots[family]; i++)
		n += memory.tables[p->table[family] + i / 4].backend[i % 4] == object;
	return n;
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

static struct world_pool *blue(void)
{
	return &world->services[0].pools[0];
}

static struct world_pool *green(void)
{
	return &world->services[0].pools[1];
}

static void set_health(struct world_pool *p, enum health_state state)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		p->backends[i].health.state = state;
}

static void set_share(uint16_t to_green)
{
	world->services[0].share[0] = (uint16_t)(ZDD_SHARE_UNITS - to_green);
	world->services[0].share[1] = to_green;
}

/* ---- doors and services ---- */

TEST(doors_of_listeners_and_backends)
{
	begin(HEAD SHOP POOLS);
	publish();
	CHECK_INT(memory.desk->word, ZDD_WORD(1, 0));
	if (!CHECK(door("203.0.113.10", 443, IPPROTO_TCP)))
		return end();
	CHECK_INT(door("203.0.113.10", 443, IPPROTO_TCP)->kind, ZDD_DOOR_LISTENER);
	CHECK_INT(door("203.0.113.10", 443, IPPROTO_TCP)->service, 0);
	CHECK(door("2001:db8::10", 443, IPPROTO_TCP));
	CHECK(!door("2001:db8::10", 443, IPPROTO_UDP));
	CHECK(door("203.0.113.10", 443, IPPROTO_UDP));
	CHECK_INT(door("10.0.1.12", 8080, IPPROTO_TCP)->kind, ZDD_DOOR_BACKEND);
	CHECK_INT(door("10.0.1.12", 8080, IPPROTO_TCP)->listener, blue()->backends[1].object);
	CHECK(door("fd00:1::11", 8080, IPPROTO_UDP));
	CHECK(!door("10.0.1.12", 8081, IPPROTO_TCP));
	CHECK_INT(service(0)->n_pools, 2);
	CHECK_INT(service(1)->n_pools, 0);
	CHECK_INT(memory.listeners[0].idle, 2 * 3600 * 1000);
	end();
}

TEST(every_local_address)
{
	begin(HEAD "services:\n"
		   "  any:\n    listen: [\":443/tcp\"]\n    forward: local\n"
		   "    pools: {a: [\"127.0.0.1:8080\"], b: [\"127.0.0.1:8081\"]}\n    live: a\n");
	publish();
	if (!CHECK(door("127.0.0.1", 443, IPPROTO_TCP)))
		return end();
	CHECK_INT(door("127.0.0.1", 443, IPPROTO_TCP)->service, 0);
	CHECK(door("2001:db8::9", 443, IPPROTO_TCP));
	CHECK(door("10.9.9.9", 443, IPPROTO_TCP));
	CHECK_INT(service(0)->flags, ZDD_S_LOCAL);
	end();
}

TEST(preview_leads_to_the_other)
{
	begin(HEAD SHOP "    preview: [\"203.0.113.10:8443/tcp\"]\n" POOLS);
	publish();
	CHECK_INT(door("203.0.113.10", 8443, IPPROTO_TCP)->service, 1);
	CHECK_INT(service(1)->n_pools, 1);
	CHECK_INT(pool(1, 0)->id, green()->object);
	set_health(green(), HEALTH_DOWN); /* and never to live */
	publish();
	CHECK_INT(pool(1, 0)->id, green()->object);
	CHECK_INT(slots_of(pool(1, 0), 0, blue()->backends[0].object), 0);
	world->services[0].live = 1;
	set_share(ZDD_SHARE_UNITS);
	publish();
	CHECK_INT(pool(1, 0)->id, blue()->object);
	end();
}

/* ---- pools ---- */

TEST(one_backend_needs_no_table)
{
	begin(HEAD SHOP POOLS);
	publish();
	CHECK_INT(pool(0, 0)->n_slots[0], 1021);
	CHECK_INT(pool(0, 0)->n_slots[1], 1);
	CHECK_INT(pool(0, 0)->one[1], blue()->backends[2].object);
	CHECK_INT(slots_of(pool(0, 0), 0, blue()->backends[0].object) / 10, 51);
	end();
}

TEST(down_candidate_gives_its_share_to_live)
{
	begin(HEAD SHOP POOLS);
	set_share(500);
	set_health(green(), HEALTH_UP);
	publish();
	CHECK_INT(pool(0, 1)->id, green()->object);
	CHECK_INT(pool(0, 1)->n_slots[0], 1021);
	CHECK_INT(pool(0, 1)->one[1], blue()->backends[2].object); /* it has no v6 */
	green()->backends[0].health.state = HEALTH_DOWN;
	publish();
	CHECK_INT(pool(0, 1)->id, green()->object);
	CHECK_INT(pool(0, 1)->one[0], green()->backends[1].object);
	green()->backends[1].admin = ADMIN_MAINT;
	publish();
	CHECK_INT(pool(0, 1)->id, blue()->object);
	CHECK_INT(pool(0, 1)->table[0], pool(0, 0)->table[0]);
	end();
}

/* Either family's clients may go to any backend, and no backend's packets are expected here. */
TEST(tunnels_cross_families)
{
	begin(HEAD
	      "services:\n  tun:\n    listen: ['203.0.113.10:443/tcp', '[2001:db8::10]:443/tcp']\n"
	      "    forward: ipip\n    live: one\n    pools:\n"
	      "      one: ['10.0.0.1:443', '[fd00::1]:443']\n      two: ['10.0.0.2:443']\n");
	publish();
	CHECK(pool(0, 0)->n_slots[0] > 1);
	CHECK_INT(pool(0, 0)->table[0], pool(0, 0)->table[1]);
	CHECK_INT(slots_of(pool(0, 0), 1, world->services[0].pools[0].backends[0].object) > 0, 1);
	CHECK_INT(pool(0, 1)->one[1], world->services[0].pools[1].backends[0].object);
	CHECK(!door("10.0.0.1", 443, IPPROTO_TCP));
	CHECK_INT(memory.backends[pool(0, 1)->one[1]].forward, ZDD_FORWARD_IPIP);
	load(HEAD "services:\n  tun:\n    listen: ['203.0.113.10:443/tcp']\n    forward: ipip\n"
		  "    live: one\n    pools: {one: ['[fd00::1]:443'], two: ['10.0.0.2:443']}\n");
	publish();
	CHECK(!door("10.0.0.1", 443, IPPROTO_TCP)); /* absent, its flows go on */
	end();
}

TEST(all_of_live_down_is_panic)
{
	begin(HEAD SHOP POOLS);
	set_health(blue(), HEALTH_DOWN);
	publish();
	CHECK_INT(pool(0, 0)->n_slots[0], 1021);
	blue()->backends[0].admin = ADMIN_DRAIN;
	publish();
	CHECK_INT(pool(0, 0)->one[0], blue()->backends[1].object);
	CHECK_INT(pool(0, 0)->n_slots[0], 1);
	end();
}

TEST(gone_is_for_the_dead_who_are_not_last)
{
	begin(HEAD SHOP POOLS);
	set_health(blue(), HEALTH_UP);
	set_health(green(), HEALTH_UP);
	green()->backends[0].health.state = HEALTH_DOWN;
	blue()->backends[0].admin = ADMIN_DRAIN;
	publish();
	CHECK_INT(memory.backends[green()->backends[0].object].flags,
		  ZDD_B_USED | ZDD_B_DOWN | ZDD_B_GONE);
	CHECK_INT(memory.backends[blue()->backends[0].object].flags,
		  ZDD_B_USED | ZDD_B_UP | ZDD_B_DRAIN);
	green()->backends[1].health.state = HEALTH_DOWN;
	publish();
	CHECK_INT(memory.backends[green()->backends[0].object].flags, ZDD_B_USED | ZDD_B_DOWN);
	end();
}

/* ---- shares and rules ---- */

TEST(share_table_only_when_needed)
{
	unsigned n = 0;

	begin(HEAD SHOP POOLS);
	publish();
	CHECK_INT(service(0)->flags & ZDD_S_SHARE_TABLE, 0);
	set_share(1250);
	publish();
	CHECK_INT(service(0)->flags & ZDD_S_SHARE_TABLE, ZDD_S_SHARE_TABLE);
	for (unsigned i = 0; i < ZDD_SHARE_UNITS; i++)
		n += memory.shares[service(0)->share_word + i / 8].pool[i % 8] == 1;
	CHECK_INT(n, 1250);
	CHECK_INT(service(0)->share[1], 1250);
	end();
}

/* The pool of an address by the plan's rules, -1: none. Checks that the rules are in order. */
static int rule_of(const char *address)
{
	struct zdd_addr a = addr(address);
	int found = -1;

	for (uint32_t i = 0; i < service(0)->n_cohorts; i++) {
		const struct zdd_cohort *c = &memory.cohorts[service(0)->cohort + i];

		CHECK(memcmp(&c->first, &c->last, 16) <= 0);
		CHECK(!i || memcmp(&c[-1].last, &c->first, 16) < 0);
		if (memcmp(&c->first, &a, 16) <= 0 && memcmp(&a, &c->last, 16) <= 0)
			found = (int)c->pool;
	}
	return found;
}

TEST(cohorts_are_in_order)
{
	static const struct {
		const char *address;
		int pool;
	} rows[] = {{"198.51.100.0", 1},   {"198.51.100.255", 1}, {"198.51.101.0", -1},
		    {"198.51.99.255", -1}, {"2001:db8:1::5", 0},  {"2001:db8:2::", -1},
		    {"192.0.2.1", 0},      {"192.0.2.2", -1}};

	begin(HEAD SHOP "    cohorts: {green: [\"198.51.100.0/24\"],"
			" blue: [\"2001:db8:1::/48\", \"192.0.2.0/31\"]}\n" POOLS);
	publish();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ROW("%s", rows[i].address);
		CHECK_INT(rule_of(rows[i].address), rows[i].pool);
	}
	end();
}

/* ---- the life of plans and objects ---- */

TEST(unchanged_tables_are_shared)
{
	uint32_t table;

	begin(HEAD SHOP POOLS);
	publish();
	table = pool(0, 0)->table[0];
	green()->backends[0].health.state = HEALTH_UP;
	publish();
	CHECK_INT(slot_now(), 1);
	CHECK_INT(pool(0, 0)->table[0], table);
	end();
}

TEST(slots_wait_for_their_grace_period)
{
	begin(HEAD SHOP POOLS);
	for (unsigned i = 0; i < ZDD_PLAN_SLOTS; i++) {
		int slot = compile();

		CHECK_INT(slot, i);
		planner_publish(planner, (unsigned)slot, 0);
	}
	CHECK_INT(compile(), -EAGAIN);
	planner_settled(planner, 3);
	CHECK_INT(compile(), 0);
	CHECK_INT(memory.desk->word, ZDD_WORD(4, 3));
	end();
}

static const char *const fewer = HEAD SHOP
	"    pools:\n"
	"      blue: [\"10.0.1.11:8080\", \"[fd00:1::11]:8080\"]\n      green: [\"10.0.2.11:8080\"]\n    live: blue\n";

TEST(a_removed_backend_stays_until_no_flow_has_it)
{
	static uint32_t none[1 << 16], some[1 << 16];
	const uint32_t *flows[] = {none, none, some};
	uint16_t object, incarnation;

	begin(HEAD SHOP POOLS);
	publish();
	object = blue()->backends[1].object;
	incarnation = memory.backends[object].incarnation;
	load(fewer);
	publish();
	CHECK_INT(memory.backends[object].flags, ZDD_B_USED | ZDD_B_GONE);
	CHECK(door("10.0.1.12", 8080, IPPROTO_TCP));
	some[object] = 1;
	planner_release(planner, 2, flows);
	CHECK_INT(memory.backends[object].flags, ZDD_B_USED | ZDD_B_GONE);
	some[object] = 0;
	CHECK(!planner_release(planner, 1, flows)); /* a walk that began too early */
	CHECK(planner_release(planner, 2, flows));
	CHECK_INT(memory.backends[object].flags, 0);
	publish();
	CHECK(!door("10.0.1.12", 8080, IPPROTO_TCP));
	load(HEAD SHOP POOLS);
	publish();
	CHECK(blue()->backends[1].object != object ||
	      memory.backends[object].incarnation == incarnation + 1);
	end();
}

TEST(a_removed_service_drains)
{
	static uint32_t none[1 << 16];
	const uint32_t *flows[] = {none, none, none};
	uint16_t object;

	begin(HEAD SHOP POOLS);
	publish();
	object = blue()->backends[0].object;
	load(HEAD "services:\n  new:\n    listen: [\"203.0.113.11:80/tcp\"]\n"
		  "    pools: {a: [\"10.0.3.1:80\"]}\n    live: a\n");
	publish();
	CHECK_INT(door("203.0.113.10", 443, IPPROTO_UDP)->service, ZDD_NONE);
	CHECK_INT(memory.backends[object].flags, ZDD_B_USED);
	CHECK(planner_release(planner, 2, flows));
	CHECK_INT(memory.pool_names[0].used, 0);
	publish();
	CHECK(!door("203.0.113.10", 443, IPPROTO_UDP));
	end();
}

TEST(adoption_finds_everything_again)
{
	uint16_t object;
	uint32_t table;

	begin(HEAD SHOP "    preview: [\"203.0.113.10:8443/tcp\"]\n" POOLS);
	world->services[0].live = 1;
	world->services[0].revision = 7;
	set_share(7500);
	set_health(blue(), HEALTH_UP);
	green()->backends[1].admin = ADMIN_DRAIN;
	publish();
	object = green()->backends[1].object;
	table = pool(0, 0)->table[0];
	planner_free(planner);
	world_free(world);
	world = NULL;
	begin(HEAD SHOP "    preview: [\"203.0.113.10:8443/tcp\"]\n" POOLS);
	CHECK_INT(plan_recall(&memory, world), 0);
	CHECK_INT(world->generation, 1);
	CHECK_INT(world->services[0].revision, 7);
	CHECK_INT(world->services[0].live, 1);
	CHECK_INT(world->services[0].share[1], 7500);
	CHECK_INT(blue()->backends[0].health.state, HEALTH_UP);
	CHECK_INT(green()->backends[1].admin, ADMIN_DRAIN);
	CHECK_INT(green()->backends[1].object, object);
	publish();
	CHECK_INT(slot_now(), 1);
	CHECK(pool(0, 0)->table[0] != table); /* the running one was not written over */
	CHECK_INT(green()->backends[1].object, object);
	end();
}

TEST(recall_of_a_file_that_lost_a_pool)
{
	begin(HEAD SHOP POOLS);
	set_share(2000);
	publish();
	planner_free(planner);
	world_free(world);
	world = NULL;
	begin(HEAD SHOP
	      "    pools: {blue: [\"10.0.1.11:8080\", \"[fd00:1::11]:8080\"]}\n    live: blue\n");
	CHECK_INT(plan_recall(&memory, world), 1);
	CHECK_INT(world->services[0].share[0], ZDD_SHARE_UNITS);
	publish();
	end();
}

TEST(full_is_a_sentence_and_changes_nothing)
{
	static char text[200000];
	size_t at = (size_t)snprintf(text, sizeof(text),
				     HEAD SHOP "    live: blue\n    pools:\n"
					       "      blue:\n      - \"[fd00:1::11]:8080\"\n");

	begin(HEAD SHOP POOLS);
	publish();
	for (unsigned i = 0; i < geometry.backends; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "      - \"10.3.%u.%u:80\"\n",
				       i / 250, i % 250 + 1);
	load(text);
	CHECK_INT(compile(), -ENOSPC);
	CHECK(error && strstr(error, "no room for more backends: the running data path was made"));
	CHECK_INT(memory.desk->word, ZDD_WORD(1, 0));
	end();
}

TEST(thousands_of_services)
{
	size_t room = 4000000, at;
	char *text = malloc(room);

	at = (size_t)snprintf(text, room, HEAD "services:\n");
	for (unsigned i = 0; i < 3000; i++)
		at += (size_t)snprintf(text + at, room - at,
				       "  s%u:\n    listen: [\"10.1.%u.%u:80/tcp\"]\n    live: a\n"
				       "    pools: {a: [\"10.2.%u.%u:80\", \"10.3.%u.%u:80\"]}\n",
				       i, i / 250, i % 250 + 1, i / 250, i % 250 + 1, i / 250,
				       i % 250 + 1);
	begin(text);
	publish();
	publish();
	CHECK(door("10.1.7.9", 80, IPPROTO_TCP));
	CHECK(door("10.3.11.250", 80, IPPROTO_TCP));
	free(text);
	end();
}
