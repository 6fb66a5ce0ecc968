/* SPDX-License-Identifier: BSD-2-Clause */
/* Slow start: levels by time, who begins when, and what the tables make of it. */
#include "plan_node.h"

#include "config_json.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { TIME_MS = 18000, STEP_MS = TIME_MS / 9, N = 4 };
static const uint64_t t0 = 1700000000000;

#define FOUR                                                                                       \
	HEAD "services:\n"                                                                         \
	     "  shop:\n"                                                                           \
	     "    listen: [\":80/tcp\"]\n"                                                         \
	     "    pools:\n"                                                                        \
	     "      blue: [\"10.0.1.1:1\", \"10.0.1.2:1\", \"10.0.1.3:1\", \"10.0.1.4:1\"]\n"      \
	     "      green: [\"10.0.2.1:1\", \"10.0.2.2:1\"]\n"                                     \
	     "    live: blue\n"
#define SLOW "    slow_start: 18s\n"

/* ---- one backend ---- */

TEST(levels)
{
	static const struct {
		uint64_t passed_ms;
		uint32_t time_ms;
		unsigned level;
	} rows[] = {
		{0, 18000, 1},      {1999, 18000, 1},        {2000, 18000, 2},
		{9999, 18000, 5},   {10000, 18000, 6},       {17999, 18000, 9},
		{18000, 18000, 10}, {UINT64_MAX, 18000, 10}, {0, 1000, 1},
		{111, 1000, 1},     {112, 1000, 2},          {999, 1000, 9},
		{1000, 1000, 10},   {86399999, 86400000, 9}, {86400000, 86400000, 10},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		ROW("%zu: %llu of %u", i, (unsigned long long)rows[i].passed_ms, rows[i].time_ms);
		CHECK_INT(slow_start_level(rows[i].passed_ms, rows[i].time_ms), rows[i].level);
	}
}

/* The clock set back, another time in the configuration, a daemon that was dead for an hour. */
TEST(a_level_never_falls)
{
	struct slow_start s = {.level = 1, .began_ms = t0};

	CHECK(slow_start_pass(&s, TIME_MS, t0 + 3 * STEP_MS));
	CHECK_INT(s.level, 4);
	CHECK(!slow_start_pass(&s, TIME_MS, t0 - 3600000));
	CHECK_INT(s.level, 4);
	CHECK(slow_start_pass(&s, TIME_MS, t0 - 3600000 + STEP_MS));
	CHECK_INT(s.level, 5);
	CHECK(!slow_start_pass(&s, 10 * TIME_MS, t0 - 3600000 + STEP_MS));
	CHECK_INT(s.level, 5);

	s = (struct slow_start){.level = 7};
	CHECK(!slow_start_pass(&s, TIME_MS, t0));
	CHECK_INT(s.level, 7);
	CHECK(!slow_start_pass(&s, TIME_MS, t0 + STEP_MS - 1));
	CHECK(slow_start_pass(&s, TIME_MS, t0 + STEP_MS));
	CHECK_INT(s.level, 8);

	s = (struct slow_start){0};
	CHECK(!slow_start_pass(&s, TIME_MS, t0));
	CHECK_INT(s.level, 0);
	CHECK(!slow_start_rises(&s));
}

/* ---- a pool ---- */

static bool look(uint64_t now_ms)
{
	bool due = service_pass_slow_starts(world->services, now_ms);

	service_begin_slow_starts(world->services, now_ms);
	return due;
}

static void levels_are(const char *wanted)
{
	char got[N + 1] = "";

	for (size_t i = 0; i < blue()->cfg->n_backends && i < N; i++) {
		unsigned level = blue()->backends[i].slow_start.level;

		got[i] = level == SLOW_START_WHOLE ? 'x' : (char)('0' + level);
	}
	CHECK_STR(got, wanted);
}

static struct world_backend *backend(unsigned i)
{
	return &blue()->backends[i];
}

static void all_up(uint64_t now_ms)
{
	set_health(blue(), HEALTH_UP);
	look(now_ms);
	look(now_ms + TIME_MS);
	levels_are("xxxx");
}

/* Checks come in over a moment, after a minute in which nobody knew anything: they stay even, and no step
 * is worth a plan, but the end is. */
TEST(a_whole_pool_rises_as_one)
{
	begin(FOUR SLOW);
	look(t0);
	levels_are("1111");
	backend(0)->health.state = HEALTH_UP;
	look(t0 + 20);
	backend(1)->health.state = HEALTH_UP;
	look(t0 + 30);
	levels_are("1111");
	set_health(blue(), HEALTH_UP);
	look(t0 + 40);
	for (unsigned i = 1; i < 9; i++)
		CHECK(!look(t0 + i * STEP_MS));
	levels_are("9999");
	CHECK(look(t0 + TIME_MS));
	levels_are("xxxx");
	end();

	begin(FOUR SLOW);
	look(t0);
	look(t0 + 60000);
	backend(0)->health.state = HEALTH_UP;
	look(t0 + 60100);
	set_health(blue(), HEALTH_UP);
	look(t0 + 60200);
	levels_are("xxxx");
	end();
}

TEST(who_comes_back_rises)
{
	begin(FOUR SLOW);
	all_up(t0);
	backend(2)->health.state = HEALTH_DOWN;
	look(t0 + 20000);
	levels_are("xx0x");
	backend(2)->health.state = HEALTH_UP;
	look(t0 + 30000);
	levels_are("xx1x");
	CHECK(!look(t0 + 30000 + STEP_MS - 1));
	CHECK(look(t0 + 30000 + STEP_MS));
	levels_are("xx2x");
	backend(2)->passive.state = PASSIVE_EJECTED;
	look(t0 + 33000);
	levels_are("xx0x");
	backend(2)->passive.state = PASSIVE_IN;
	look(t0 + 40000);
	levels_are("xx1x");
	backend(2)->admin = ADMIN_DRAIN;
	look(t0 + 41000);
	backend(2)->admin = ADMIN_READY;
	backend(1)->admin = ADMIN_MAINT;
	look(t0 + 50000);
	levels_are("x01x");
	backend(1)->admin = ADMIN_READY;
	look(t0 + 50000 + STEP_MS - 1); /* before the other's second step: they rise together */
	levels_are("x11x");
	CHECK(look(t0 + 50000 + STEP_MS));
	levels_are("x22x");
	CHECK(look(t0 + 50000 + TIME_MS));
	levels_are("xxxx");
	CHECK(!look(t0 + 90000));
	end();
}

TEST(panic_knows_no_slow_start)
{
	begin(FOUR SLOW);
	all_up(t0);
	for (unsigned i = 1; i < N; i++)
		backend(i)->health.state = HEALTH_DOWN;
	look(t0 + 20000);
	levels_are("xxxx"); /* one of four: health is ignored */
	backend(1)->health.state = HEALTH_UP;
	look(t0 + 21000);
	levels_are("xx00"); /* what took its part in panic is warm */
	backend(2)->health.state = HEALTH_UP;
	look(t0 + 22000);
	levels_are("xx10");
	backend(0)->health.state = backend(1)->health.state = HEALTH_DOWN;
	look(t0 + 23000);
	levels_are("xxxx");
	end();
}

/* What is added rises; the others know nothing of it, nor of a key that comes or goes. */
TEST(configurations_change)
{
	static const char more[] =
		HEAD "services:\n  shop:\n    listen: [\":80/tcp\"]\n    pools:\n"
		     "      blue: [\"10.0.1.9:1\", \"10.0.1.1:1\", \"10.0.1.2:1\"]\n"
		     "    slow_start: 18s\n";

	begin(FOUR);
	set_health(blue(), HEALTH_UP);
	look(t0);
	levels_are("xxxx");
	load(FOUR SLOW);
	CHECK(!look(t0 + 1000));
	levels_are("xxxx");
	load(more);
	look(t0 + 2000);
	levels_are("0xx"); /* it is not checked yet */
	set_health(blue(), HEALTH_UP);
	look(t0 + 3000);
	levels_are("1xx");
	load(more);
	look(t0 + 3000 + STEP_MS);
	levels_are("2xx");
	world->services[0].pools[0].backends[0].slow_start.level = 2;
	load(HEAD "services:\n  shop:\n    listen: [\":80/tcp\"]\n    pools:\n"
		  "      blue: [\"10.0.1.9:1\", \"10.0.1.1:1\", \"10.0.1.2:1\"]\n");
	look(t0 + 6000);
	levels_are("xxx");
	end();
}

TEST(a_file_keeps_it)
{
	json_t *o;

	begin(FOUR SLOW);
	o = service_to_json(world->services[0].cfg);
	CHECK_STR(json_string_value(json_object_get(o, "slow_start")), "18s");
	json_decref(o);
	load(FOUR);
	o = service_to_json(world->services[0].cfg);
	CHECK(!json_object_get(o, "slow_start"));
	json_decref(o);
	end();
}

/* ---- tables ---- */

static uint16_t slots[1 << 16];
static uint32_t n_slots;

static void take_table(void)
{
	const struct zdd_pool *p = pool(0, 0);

	n_slots = p->n_slots[0];
	memcpy(slots, memory.tables + p->table[0], n_slots * sizeof(*slots));
}

/* Slots of an object, and whether a slot changed but to it. */
static unsigned held(unsigned object, bool *others_moved)
{
	const struct zdd_pool *p = pool(0, 0);
	const uint16_t *now = (const uint16_t *)(memory.tables + p->table[0]);
	unsigned n = 0;

	CHECK_INT(p->n_slots[0], n_slots);
	*others_moved = false;
	for (uint32_t i = 0; i < n_slots; i++) {
		n += now[i] == object;
		*others_moved |= now[i] != slots[i] && now[i] != object;
	}
	return n;
}

/* From nothing to a fourth, and nobody but it gets a slot. */
TEST(slots_move_to_the_one_that_rises)
{
	bool others_moved;
	unsigned before = 0;

	begin(FOUR SLOW);
	all_up(t0);
	backend(3)->health.state = HEALTH_DOWN;
	look(t0 + 20000);
	publish();
	take_table();
	backend(3)->health.state = HEALTH_UP;
	for (unsigned level = 1; level <= SLOW_START_WHOLE; level++) {
		double part = level / 10.0, wanted = part / (3 + part);
		unsigned n;

		ROW("level %u", level);
		look(t0 + 30000 + (level - 1) * STEP_MS);
		publish();
		n = held(backend(3)->object, &others_moved);
		CHECK(!others_moved);
		CHECK(n > before);
		CHECK(n > wanted * .75 * n_slots && n < wanted * 1.25 * n_slots);
		before = n;
		take_table();
	}
	CHECK(before > n_slots * .24 && before < n_slots * .26);
	end();
}

/* Relative weights: whole pools, new or even, and an only one get what they would without. */
TEST(a_whole_pool_has_the_usual_table)
{
	bool moved;

	begin(FOUR);
	set_health(blue(), HEALTH_UP);
	look(t0);
	publish();
	take_table();
	load(FOUR SLOW);
	for (unsigned i = 0; i < N; i++)
		backend(i)->slow_start = (struct slow_start){0};
	for (unsigned i = 0; i < 9; i++) {
		look(t0 + i * STEP_MS);
		publish();
		held(0xffff, &moved);
		CHECK(!moved);
	}
	for (unsigned i = 1; i < N; i++)
		backend(i)->admin = ADMIN_MAINT;
	look(t0 + 5 * STEP_MS);
	publish();
	CHECK_INT(pool(0, 0)->n_slots[0], 1);
	CHECK_INT(pool(0, 0)->one[0], backend(0)->object);
	end();
}

/* A daemon that starts again publishes the same table, and goes on from there. */
TEST(a_restart_moves_nothing)
{
	bool moved;

	begin(FOUR SLOW);
	all_up(t0);
	backend(3)->health.state = HEALTH_DOWN;
	look(t0 + 20000);
	backend(3)->health.state = HEALTH_UP;
	look(t0 + 30000);
	look(t0 + 30000 + 2 * STEP_MS);
	levels_are("xxx3");
	publish();
	take_table();
	planner_free(planner);
	world_free(world);
	world = NULL;
	begin(FOUR SLOW);
	CHECK_INT(plan_recall(&memory, world), 0);
	levels_are("xxx3");
	CHECK(!look(t0 + 3600000));
	publish();
	held(0xffff, &moved);
	CHECK(!moved);
	levels_are("xxx3");
	CHECK(look(t0 + 3600000 + STEP_MS));
	levels_are("xxx4");
	end();
}
