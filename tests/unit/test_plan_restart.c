/* SPDX-License-Identifier: BSD-2-Clause */
/* What a restarted daemon must find again, and what it must not write over. */
#include <netinet/in.h>
#include <stdlib.h>

#include "t.h"

#include "geometry.h"
#include "memory.h"
#include "plan.h"

static const char file[] =
	"interfaces: [eth0]\n"
	"services:\n"
	"  shop:\n"
	"    listen: [\"203.0.113.10:443/tcp\", \"[2001:db8::10]:443/tcp\"]\n"
	"    pools:\n"
	"      blue: [\"10.0.1.11:8080\", \"10.0.1.12:8080\", \"[fd00:1::11]:8080\"]\n"
	"      green: [\"10.0.2.11:8080\", \"10.0.2.12:8080\", \"[fd00:2::11]:8080\"]\n"
	"    live: blue\n"
	"    cohorts: {green: [\"198.51.100.0/24\"]}\n";

static struct zdd_geometry geometry;
static struct zdd_memory memory;
static struct planner *planner;
static struct world *world;

static void load(void)
{
	struct config *config = NULL;
	char *error = NULL;

	CHECK_INT(config_parse("t", file, strlen(file), &config, &error), 0);
	if (!memory.desk) {
		geometry_for(config, &geometry);
		geometry.cpus = 1;
		geometry.hz = 1000;
		memory_make(&memory, &geometry);
	}
	CHECK_INT(world_make(config, NULL, &world, &error), 0);
	CHECK_INT(planner_make(&memory, &planner), 0);
}

static void unload(void)
{
	planner_free(planner);
	world_free(world);
	planner = NULL;
	world = NULL;
}

static void publish(uint64_t above)
{
	char *error = NULL;
	int slot = planner_compile(planner, world, NULL, 0, &error);

	if (!CHECK(slot >= 0))
		return;
	world->generation = planner_publish(planner, (unsigned)slot, above);
}

static void restart(void)
{
	unload();
	load();
	CHECK_INT(plan_recall(&memory, world), 0);
}

static const struct zdd_service *running(void)
{
	return &memory.services[ZDD_WORD_SLOT(memory.desk->word) * geometry.services];
}

static struct world_backend *backend(unsigned pool, unsigned i)
{
	return &world->services[0].pools[pool].backends[i];
}

static void set_share(uint16_t to_green)
{
	world->services[0].share[0] = (uint16_t)(ZDD_SHARE_UNITS - to_green);
	world->services[0].share[1] = to_green;
}

TEST(generations_never_repeat)
{
	load();
	publish(0);
	CHECK_INT(world->generation, 1);
	publish(41); /* as the store knows from before a reboot */
	CHECK_INT(world->generation, 42);
	restart();
	publish(0);
	CHECK_INT(world->generation, 43);
	unload();
	memory_free(&memory);
}

/* The packet that began before the daemon was killed still reads all of these. */
TEST(a_running_plans_tables_are_not_written_over)
{
	static uint8_t shares[ZDD_SHARE_UNITS];
	struct zdd_cohort rule;
	uint32_t word, first;

	load();
	set_share(2500);
	publish(0);
	word = running()->share_word;
	first = running()->cohort;
	memcpy(shares, &memory.shares[word], sizeof(shares));
	rule = memory.cohorts[first];
	restart();
	set_share(5000);
	publish(0);
	CHECK(running()->share_word != word);
	CHECK(running()->cohort != first);
	CHECK(!memcmp(shares, &memory.shares[word], sizeof(shares)));
	CHECK(!memcmp(&rule, &memory.cohorts[first], sizeof(rule)));
	unload();
	memory_free(&memory);
}

/* Seen elsewhere: failed servers that came back up on a reload. */
TEST(health_is_what_it_was)
{
	load();
	backend(0, 0)->health.state = HEALTH_DOWN;
	backend(0, 1)->health.state = HEALTH_UP;
	publish(0);
	restart();
	CHECK_INT(backend(0, 0)->health.state, HEALTH_DOWN);
	CHECK_INT(backend(0, 1)->health.state, HEALTH_UP);
	CHECK_INT(backend(1, 0)->health.state, HEALTH_UNKNOWN);
	unload();
	memory_free(&memory);
}

TEST(ejections_are_what_they_were)
{
	struct passive *p;

	load();
	p = &backend(0, 1)->passive;
	p->state = PASSIVE_EJECTED;
	p->ejections = 3;
	p->since_ms = 1000;
	p->trial_ms = 41000;
	publish(0);
	restart();
	p = &backend(0, 1)->passive;
	CHECK_INT(p->state, PASSIVE_EJECTED);
	CHECK_INT(p->ejections, 3);
	CHECK_INT(p->since_ms, 1000);
	CHECK_INT(p->trial_ms, 41000);
	CHECK_INT(backend(0, 0)->passive.state, PASSIVE_IN);
	unload();
	memory_free(&memory);
}

/* The pool is well, all of one family are not: those are asked all the same. */
TEST(panic_is_of_a_family)
{
	const struct zdd_pool *p;

	load();
	backend(0, 0)->health.state = backend(0, 1)->health.state = HEALTH_UP;
	backend(0, 2)->health.state = HEALTH_DOWN;
	publish(0);
	p = &memory.pools[ZDD_WORD_SLOT(memory.desk->word) * geometry.pools + running()->pool];
	CHECK(p->n_slots[0] > 1);
	CHECK_INT(p->n_slots[1], 1);
	CHECK_INT(p->one[1], backend(0, 2)->object);
	unload();
	memory_free(&memory);
}

TEST(panic_is_below_the_percentage)
{
	const struct zdd_pool *p;

	load();
	backend(0, 0)->health.state = backend(0, 2)->health.state = HEALTH_DOWN;
	backend(0, 1)->health.state = HEALTH_UP; /* one of three, less than 50 % */
	publish(0);
	p = &memory.pools[ZDD_WORD_SLOT(memory.desk->word) * geometry.pools + running()->pool];
	CHECK(p->n_slots[0] > 1);
	unload();
	memory_free(&memory);
}

TEST(an_index_that_is_used_again_is_another_incarnation)
{
	struct ids ids;
	struct id_key key = {.port = 1, .pool = 1};
	uint16_t was[512], found = 0;

	load();
	CHECK_INT(ids_make(&ids, &memory), 0);
	for (uint32_t i = 0; i < geometry.backends; i++)
		was[i] = memory.backends[i].incarnation;
	for (uint32_t i = 0; i < geometry.backends; i++, key.port++)
		found += ids_take(&ids, ID_BACKEND, &key) == (int)i;
	CHECK_INT(found, geometry.backends);
	for (uint32_t i = 0; i < geometry.backends; i++)
		CHECK(memory.backends[i].incarnation != was[i]);
	ids_free(&ids);
	unload();
	memory_free(&memory);
}
