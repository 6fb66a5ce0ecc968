/* SPDX-License-Identifier: BSD-2-Clause */
/* The doors as the daemon puts them and as the data path finds them. */
#include <stdlib.h>

#include "t.h"

#include "flow_node.h"

#include "doors.h"

enum { BUCKETS = 4096 };

static struct zdd_door door_n(unsigned n)
{
	return (struct zdd_door){
		.addr = v4(10, n >> 16, n >> 8 & 255, n & 255),
		.port = htons((__u16)(n * 7)),
		.proto = n & 1 ? PROTO_TCP : PROTO_UDP,
		.kind = ZDD_DOOR_BACKEND,
		.listener = (__u16)n,
	};
}

static const struct zdd_door *found(unsigned n)
{
	struct zdd_door d = door_n(n);

	return door_find(0, &d.addr, d.port, d.proto);
}

/* Puts n doors; returns those for which there was no room. */
static unsigned fill(unsigned n)
{
	unsigned refused = 0;

	node_geometry = (struct zdd_geometry){.cpus = 1, .hz = HZ, .door_buckets = BUCKETS};
	memory_make(&node, &node_geometry);
	native_use(&node);
	for (unsigned i = 0; i < n; i++) {
		struct zdd_door d = door_n(i);

		refused += door_put(node.doors, BUCKETS, &d) != 0;
	}
	return refused;
}

static unsigned lost(unsigned n)
{
	unsigned missing = 0;

	for (unsigned i = 0; i < n; i++)
		missing += !found(i) || found(i)->listener != (__u16)i;
	return missing;
}

/* Half of the ways, as a geometry has them at its most. */
TEST(there_is_room_for_all_and_each_is_found)
{
	const unsigned n = BUCKETS * ZDD_DOOR_WAYS / 2;
	unsigned strangers = 0;

	CHECK_INT(fill(n), 0);
	CHECK_INT(lost(n), 0);
	for (unsigned i = n; i < 2 * n; i++)
		strangers += found(i) != NULL;
	CHECK_INT(strangers, 0);
	node_end();
}

/* What did not fit is refused, what did is found. */
TEST(until_it_is_full)
{
	const unsigned n = BUCKETS * ZDD_DOOR_WAYS;
	unsigned refused = fill(n);

	CHECK(refused > 0 && refused < n / 10);
	CHECK_INT(lost(n), refused);
	node_end();
}

static unsigned looks;

static void count_look(void)
{
	looks++;
}

/* Who is not here is told so by one bucket, with few doors and with most of them. */
TEST(one_look_is_enough_for_strangers)
{
	static const struct {
		unsigned doors, percent; /* of second looks, at most */
	} rows[] = {{BUCKETS / 64, 0}, {BUCKETS / 2, 1}, {BUCKETS * 2, 30}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fill(rows[i].doors);
		looks = 0;
		native_look = count_look;
		for (unsigned n = 100000; n < 200000; n++)
			found(n);
		native_look = NULL;
		ROW("%u doors: %u looks", rows[i].doors, looks);
		CHECK(looks >= 100000 && looks <= 100000 + 1000 * rows[i].percent);
		node_end();
	}
}
