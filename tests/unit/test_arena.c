/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "arena.h"
#include "t.h"
#include "zdd/hash.h"

enum { WORDS = 4096, KEYS = 64 };

/* Items in address order, apart, inside. Returns how many words they have. */
static uint32_t check_order(const struct arena *a)
{
	uint32_t end = 0, sum = 0;

	for (uint32_t i = a->items[0].next; i; i = a->items[i].next) {
		CHECK(a->items[i].first >= end);
		end = a->items[i].first + a->items[i].words;
		sum += a->items[i].words;
		CHECK(a->items[i].slots != 0);
	}
	CHECK(end <= a->words);
	return sum;
}

TEST(same_key_is_shared)
{
	struct arena a;
	bool fresh;

	CHECK_INT(arena_make(&a, WORDS), 0);
	CHECK_INT(arena_take(&a, 7, 100, 0, &fresh), 0);
	CHECK(fresh);
	CHECK_INT(arena_take(&a, 8, 100, 0, &fresh), 100);
	CHECK_INT(arena_take(&a, 7, 100, 1, &fresh), 0);
	CHECK(!fresh);
	arena_drop(&a, 0);
	CHECK_INT(check_order(&a), 100);
	CHECK_INT(arena_take(&a, 9, 3996, 2, &fresh), 100);
	CHECK_INT(arena_take(&a, 10, 1, 2, &fresh), -ENOSPC);
	arena_free(&a);
}

TEST(adoption)
{
	struct arena a;
	bool fresh;

	CHECK_INT(arena_make(&a, WORDS), 0);
	CHECK_INT(arena_adopt(&a, 50, 10, 1), 0);
	CHECK_INT(arena_adopt(&a, 50, 10, 1), 0); /* two pools with one table */
	CHECK_INT(arena_adopt(&a, 10, 10, 1), 0);
	CHECK_INT(arena_adopt(&a, 55, 10, 1), -EINVAL);
	CHECK_INT(arena_adopt(&a, 45, 10, 1), -EINVAL);
	CHECK_INT(arena_adopt(&a, WORDS - 5, 10, 1), -EINVAL);
	CHECK_INT(check_order(&a), 20);
	CHECK_INT(arena_take(&a, 0, 30, 2, &fresh), 20);
	CHECK(fresh); /* what was adopted is never taken for something else */
	CHECK_INT(arena_take(&a, 1000, WORDS - 59, 2, &fresh), -ENOSPC);
	CHECK_INT(arena_take(&a, 1001, WORDS - 60, 2, &fresh), 60);
	CHECK_INT(arena_take(&a, 1002, 11, 2, &fresh), -ENOSPC);
	CHECK_INT(arena_take(&a, 1003, 10, 2, &fresh), 0); /* round the end, into the gap */
	arena_free(&a);
}

/* Plans come and go; no two tables may ever overlap. */
TEST(many_plans)
{
	struct arena a;
	uint64_t random = 1;

	CHECK_INT(arena_make(&a, WORDS), 0);
	for (unsigned plan = 0; plan < 2000; plan++) {
		arena_drop(&a, plan % 4);
		for (unsigned i = 0; i < 12; i++) {
			uint64_t key = 1 + (random = zdd_mix64(random + plan)) % KEYS;
			bool fresh;
			int64_t first = arena_take(&a, key, (uint32_t)key, plan % 4, &fresh);

			CHECK(first >= 0);
		}
		check_order(&a);
	}
	for (unsigned slot = 0; slot < 4; slot++)
		arena_drop(&a, slot);
	CHECK_INT(check_order(&a), 0);
	arena_free(&a);
}
