/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans and objects from one publishing to the next: reuse, removal, adoption, limits. */
#include "plan_node.h"

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
