/* SPDX-License-Identifier: BSD-2-Clause */
/* What a plan says about a configuration and its health. */
#include "plan_node.h"

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
	if (CHECK(door("203.0.113.10", 0, 0)))
		CHECK_INT(door("203.0.113.10", 0, 0)->kind, ZDD_DOOR_ADDRESS);
	CHECK(door("fd00:1::11", 0, 0) && !door("10.0.1.99", 0, 0));
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

/* ---- ejected ---- */

TEST(ejected_backends_get_no_slot_but_a_trial)
{
	struct world_backend *b;
	struct zdd_backend *object;

	begin(HEAD SHOP POOLS);
	publish();
	b = &blue()->backends[1];
	object = &memory.backends[b->object];
	CHECK(slots_of(pool(0, 0), 0, b->object) > 400);
	CHECK_INT(pool(0, 0)->trial[0], 0);
	b->passive.state = PASSIVE_EJECTED;
	object->may_try = 1; /* of before: no trial goes on */
	publish();
	CHECK_INT(slots_of(pool(0, 0), 0, b->object), 0);
	CHECK_INT(pool(0, 0)->trial[0], 0);
	CHECK_INT(object->may_try, 0);
	CHECK_INT(object->flags, ZDD_B_USED | ZDD_B_EJECTED); /* UDP may stay */
	b->passive.state = PASSIVE_TRIAL;
	object->may_try = 1;
	publish();
	CHECK_INT(slots_of(pool(0, 0), 0, b->object), 0);
	CHECK_INT(pool(0, 0)->trial[0], b->object + 1);
	CHECK_INT(pool(0, 0)->trial[1], 0);
	CHECK_INT(object->may_try, 1);
	b->passive.taken_ms = 1; /* the next one's turn */
	publish();
	CHECK_INT(pool(0, 0)->trial[0], 0);
	b->health.state = HEALTH_DOWN;
	publish();
	CHECK_INT(object->flags, ZDD_B_USED | ZDD_B_GONE | ZDD_B_DOWN | ZDD_B_EJECTED);
	end();
}

/* The candidate's share falls to live, and live's trial with it. */
TEST(a_trial_is_of_the_pool_that_answers)
{
	begin(HEAD SHOP POOLS);
	set_share(5000);
	set_health(green(), HEALTH_DOWN);
	blue()->backends[0].passive.state = PASSIVE_TRIAL;
	publish();
	CHECK_INT(pool(0, 0)->trial[0], blue()->backends[0].object + 1);
	CHECK_INT(pool(0, 1)->trial[0], blue()->backends[0].object + 1);
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
