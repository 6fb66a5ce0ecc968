/* SPDX-License-Identifier: BSD-2-Clause */
#include "share.h"
#include "t.h"

static uint8_t before[ZDD_SHARE_UNITS], after[ZDD_SHARE_UNITS];

static unsigned count(const uint8_t *table, unsigned pool)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ZDD_SHARE_UNITS; i++)
		n += table[i] == pool;
	return n;
}

TEST(exact)
{
	static const uint16_t rows[][4] = {{10000, 0, 0, 0},      {9999, 1, 0, 0},
					   {9500, 500, 0, 0},     {0, 10000, 0, 0},
					   {3334, 3333, 3333, 0}, {1, 2, 3, 9994}};

	for (unsigned r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
		struct share_pool pools[] = {
			{"d", rows[r][0]}, {"b", rows[r][1]}, {"c", rows[r][2]}, {"a", rows[r][3]}};

		for (unsigned live = 0; live < 4; live++) {
			ROW("%u, live %u", r, live);
			share_fill(pools, 4, live, 7, after);
			for (unsigned i = 0; i < 4; i++)
				CHECK_INT(count(after, i), rows[r][i]);
		}
	}
}

/* Guarantee 4: whoever has seen the new version keeps it while its share grows. */
TEST(raising_never_moves_back)
{
	static const uint16_t steps[] = {1, 500, 2500, 5000, 9900, 10000};

	for (unsigned s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
		struct share_pool pools[] = {{"blue", (uint16_t)(ZDD_SHARE_UNITS - steps[s])},
					     {"green", steps[s]}};

		ROW("step %u", s);
		share_fill(pools, 2, 0, 99, after);
		for (unsigned i = 0; s && i < ZDD_SHARE_UNITS; i++)
			if (before[i] == 1 && !CHECK_INT(after[i], 1))
				break;
		memcpy(before, after, sizeof(before));
	}
}

TEST(raising_one_of_three_keeps_its_clients)
{
	struct share_pool pools[] = {{"live", 7000}, {"a", 1000}, {"b", 2000}};

	for (unsigned grown = 1; grown < 3; grown++) {
		ROW("pool %u", grown);
		share_fill(pools, 3, 0, 5, before);
		pools[grown].share = (uint16_t)(pools[grown].share + 1500);
		pools[0].share = (uint16_t)(pools[0].share - 1500);
		share_fill(pools, 3, 0, 5, after);
		for (unsigned i = 0; i < ZDD_SHARE_UNITS; i++)
			if (before[i] == grown && !CHECK_INT(after[i], grown))
				break;
	}
}

TEST(order_of_the_file_does_not_matter)
{
	struct share_pool one[] = {{"live", 7000}, {"a", 1000}, {"b", 2000}};
	struct share_pool two[] = {{"b", 2000}, {"live", 7000}, {"a", 1000}};
	static const uint8_t same[] = {1, 2, 0};

	share_fill(one, 3, 0, 5, before);
	share_fill(two, 3, 1, 5, after);
	for (unsigned i = 0; i < ZDD_SHARE_UNITS; i++)
		if (!CHECK_INT(after[i], same[before[i]]))
			break;
}

TEST(services_do_not_follow_each_other)
{
	struct share_pool pools[] = {{"blue", 5000}, {"green", 5000}};
	unsigned both = 0;

	share_fill(pools, 2, 0, 1, before);
	share_fill(pools, 2, 0, 2, after);
	for (unsigned i = 0; i < ZDD_SHARE_UNITS; i++)
		both += before[i] == 1 && after[i] == 1;
	CHECK(both > 2300 && both < 2700);
}
