/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "t.h"
#include "table.h"
#include "zdd/limits.h"

enum { MANY = 128 };

static char texts[MANY][32];
static struct table_backend pool[MANY];
static uint16_t before[ZDD_TABLE_MAX], after[ZDD_TABLE_MAX];

static void make_pool(unsigned net, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		snprintf(texts[i], sizeof(texts[i]), "10.%u.0.%u:8080", net & 255, i + 1);
		pool[i] = (struct table_backend){texts[i], 1, (uint16_t)i, TABLE_WHOLE};
	}
}

static unsigned count(const uint16_t *slots, uint32_t size, unsigned object)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < size; i++)
		n += slots[i] == object;
	return n;
}

/* Slots that changed although their backend is not `except`. */
static unsigned moved(uint32_t size, unsigned except)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < size; i++)
		n += before[i] != after[i] && before[i] != except;
	return n;
}

TEST(sizes)
{
	make_pool(1, MANY);
	CHECK_INT(table_size(pool, 0), 0);
	CHECK_INT(table_size(pool, 1), 1);
	CHECK_INT(table_size(pool, 2), 1021);
	CHECK_INT(table_size(pool, 8), 4093);
	CHECK_INT(table_size(pool, 16), 16381);
	CHECK_INT(table_size(pool, MANY), ZDD_TABLE_MAX);
	pool[0].weight = 1000;
	CHECK_INT(table_size(pool, 2), ZDD_TABLE_MAX);
	pool[1].part = 0;
	CHECK_INT(table_size(pool, 2), ZDD_TABLE_MAX);
}

TEST(weights_are_exact)
{
	static const struct {
		unsigned weight[3];
		unsigned n;
	} rows[] = {
		{{1, 10, 0}, 2}, {{1, 1, 0}, 2}, {{3, 5, 7}, 3}, {{1, 1, 1}, 3}, {{2, 100, 1}, 3}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
		double sum = 0;
		uint32_t size;

		ROW("%zu", r);
		make_pool(2, rows[r].n);
		for (unsigned i = 0; i < rows[r].n; i++)
			sum += pool[i].weight = (uint16_t)rows[r].weight[i];
		size = table_size(pool, rows[r].n);
		CHECK_INT(table_fill(pool, rows[r].n, before, size), 0);
		for (unsigned i = 0; i < rows[r].n; i++) {
			double off = 100.0 * count(before, size, i) / size -
				     100.0 * rows[r].weight[i] / sum;

			CHECK(off < 0.1 && off > -0.1);
		}
	}
}

TEST(order_does_not_matter)
{
	struct table_backend swap;

	make_pool(3, 5);
	CHECK_INT(table_fill(pool, 5, before, 4093), 0);
	swap = pool[0];
	pool[0] = pool[4];
	pool[4] = swap;
	CHECK_INT(table_fill(pool, 5, after, 4093), 0);
	CHECK(!memcmp(before, after, 4093 * sizeof(*before)));
}

/* The number that every node must compute, for ever. */
TEST(golden)
{
	uint64_t sum = 0;

	make_pool(0, 3);
	CHECK_INT(table_fill(pool, 3, before, 1021), 0);
	for (unsigned i = 0; i < 1021; i++)
		sum = sum * 31 + before[i];
	CHECK_INT(sum, 828318519248252498);
}

TEST(removing_one_moves_few_of_the_others)
{
	static const unsigned counts[] = {2, 3, 4, 8, 16, 100};

	for (unsigned r = 0; r < sizeof(counts) / sizeof(*counts); r++) {
		unsigned n = counts[r];

		for (unsigned net = 10; net < 14; net++) {
			struct table_backend last;
			uint32_t size;
			unsigned survivors;

			ROW("%u backends, net %u", n, net);
			make_pool(net, n);
			size = table_size(pool, n);
			CHECK_INT(table_fill(pool, n, before, size), 0);
			last = pool[n - 1];
			pool[n - 1] = pool[0];
			pool[0] = last;
			CHECK_INT(table_fill(pool + 1, n - 1, after, size), 0);
			survivors = size - count(before, size, n - 1);
			CHECK(moved(size, n - 1) * 100 <= 2 * survivors);
		}
	}
}

TEST(health_moves_nobody_of_a_survivor)
{
	make_pool(4, 8);
	CHECK_INT(table_fill(pool, 8, before, 4093), 0);
	pool[3].part = 0;
	CHECK_INT(table_fill(pool, 8, after, 4093), 0);
	CHECK_INT(moved(4093, 3), 0);
	CHECK_INT(count(after, 4093, 3), 0);
	memcpy(before, after, sizeof(before));
	pool[5].part = 0; /* a second one: those that had come from 3 stay too */
	CHECK_INT(table_fill(pool, 8, after, 4093), 0);
	CHECK_INT(moved(4093, 5), 0);
	for (unsigned i = 0; i < 8; i++)
		CHECK(i == 3 || i == 5 || count(after, 4093, i) > 4093 / 6 * 85 / 100);
}

TEST(few_or_none_left)
{
	make_pool(5, 100);
	for (unsigned i = 0; i < 100; i++)
		pool[i].part = i == 42 ? TABLE_WHOLE : 0;
	CHECK_INT(table_fill(pool, 100, after, ZDD_TABLE_MAX), 0);
	CHECK_INT(count(after, ZDD_TABLE_MAX, 42), ZDD_TABLE_MAX);
	pool[42].part = 0;
	CHECK_INT(table_fill(pool, 100, after, ZDD_TABLE_MAX), 0);
	CHECK(count(after, ZDD_TABLE_MAX, 42) > 600);
}

/* Each greater part only takes slots, none but its own, and the part is that of its weight. */
TEST(a_part_grows_by_its_own_slots)
{
	static const uint16_t parts[] = {0, 100, 111, 200, 300, 500, 700, 900, 999, TABLE_WHOLE};
	unsigned had = 0;

	make_pool(6, 4);
	pool[2].weight = 3;
	pool[2].part = 0;
	CHECK_INT(table_fill(pool, 4, before, 4093), 0);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		double weight = 3.0 * parts[i] / TABLE_WHOLE, wanted = weight / (3 + weight), got;

		ROW("part %u", parts[i]);
		pool[2].part = parts[i];
		CHECK_INT(table_fill(pool, 4, after, 4093), 0);
		for (unsigned k = 0; k < 4093; k++)
			CHECK(after[k] == before[k] || after[k] == 2);
		CHECK(count(after, 4093, 2) >= had);
		had = count(after, 4093, 2);
		got = had / 4093.0;
		CHECK(got > wanted * .9 - .001 && got < wanted * 1.1 + .001);
		memcpy(before, after, sizeof(before));
	}
}

/* Those of a small part answer for each other too, and nobody is left without. */
TEST(small_parts_of_nearly_all)
{
	make_pool(7, 100);
	for (unsigned i = 1; i < 100; i++)
		pool[i].part = TABLE_WHOLE / 10;
	CHECK_INT(table_fill(pool, 100, after, ZDD_TABLE_MAX), 0);
	for (unsigned i = 1; i < 100; i++)
		CHECK(count(after, ZDD_TABLE_MAX, i) > 0);
	CHECK(count(after, ZDD_TABLE_MAX, 0) > 7 * ZDD_TABLE_MAX / 100); /* 1 of 10.9: 9.2 % */
}
