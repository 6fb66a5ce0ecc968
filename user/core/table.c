/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "seed.h"
#include "table.h"
#include "zdd/limits.h"

enum {
	SLOTS_PER_BACKEND = 500, /* fewer, and removing one moves too many of the others' clients */
	SLOTS_OF_SMALLEST = 100,
	DRAWS = 16,
	RANK = DRAWS + 1, /* a draw of its own */
	FREE = 0xffff,
};

static const uint32_t sizes[] = {1021, 4093, 16381, ZDD_TABLE_MAX};

/* A backend while its table is being filled. It prefers slots in the order of its own draws: Maglev's
 * "offset + j * skip" has pairs of backends whose steps resonate, and then removing one of four moves
 * 6 % of the others' clients instead of 1.2 % (4093 slots, worst of 32 trials). */
struct turn {
	const struct table_backend *backend;
	uint64_t seed, draws;
	uint32_t credit;
};

uint32_t table_size(const struct table_backend *b, size_t n)
{
	uint64_t sum = 0, least = UINT64_MAX, want;

	if (n < 2)
		return (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		sum += b[i].weight;
		least = b[i].weight < least ? b[i].weight : least;
	}
	want = sum * SLOTS_OF_SMALLEST / least;
	if (want < n * SLOTS_PER_BACKEND)
		want = n * SLOTS_PER_BACKEND;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		if (sizes[i] >= want)
			return sizes[i];
	return ZDD_TABLE_MAX;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct turn *)a)->backend->text,
		      ((const struct turn *)b)->backend->text);
}

static struct turn *turns_make(const struct table_backend *b, size_t n)
{
	struct turn *turns = calloc(n, sizeof(*turns));

	if (!turns)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		turns[i].backend = &b[i];
		turns[i].seed = seed_of(b[i].text, 0);
	}
	qsort(turns, n, sizeof(*turns), by_text);
	return turns;
}

static uint32_t draw(uint64_t seed, uint64_t number, uint32_t size)
{
	return zdd_scale((uint32_t)zdd_mix64(seed + number * 0x9e3779b97f4a7c15ull), size);
}

static uint32_t next_free(struct turn *t, const uint16_t *slots, uint32_t size)
{
	uint32_t at;

	do
		at = draw(t->seed, t->draws++, size);
	while (slots[at] != FREE);
	return at;
}

/* Every round the heaviest places one slot and the others as many as their weight allows. */
static void fill_all(struct turn *turns, size_t n, uint16_t *slots, uint32_t size)
{
	uint32_t heaviest = 0, left = size;

	memset(slots, 0xff, size * sizeof(*slots));
	for (size_t i = 0; i < n; i++)
		if (turns[i].backend->weight > heaviest)
			heaviest = turns[i].backend->weight;
	for (size_t i = 0; left; i = i + 1 == n ? 0 : i + 1) {
		struct turn *t = &turns[i];

		t->credit += t->backend->weight;
		if (t->credit < heaviest)
			continue;
		t->credit -= heaviest;
		slots[next_free(t, slots, size)] = (uint16_t)i;
		left--;
	}
}

/* The slots whose owner takes new flows, a part or all of them, as a list of owners. Returns how many. */
static uint32_t list_takers(const struct turn *turns, const uint16_t *owners, uint32_t size,
			    uint16_t *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < size; i++)
		if (turns[owners[i]].backend->part)
			list[n++] = owners[i];
	return n;
}

/* Each slot has a rank: those of a smaller part are among those of a greater one. */
static bool is_answered(const struct table_backend *owner, uint32_t slot)
{
	return owner->part == TABLE_WHOLE ||
	       (owner->part && draw(zdd_mix64(slot), RANK, TABLE_WHOLE) < owner->part);
}

/* Who answers at slot i. A slot without its owner asks other slots in an order of its own, so a
 * change of one backend's health or part moves only the slots that backend has or had: no client of a
 * surviving one. When nearly all are away, the draws end and any taker's slot will do. */
static uint16_t answer(const struct turn *turns, const uint16_t *owners, uint32_t size, uint32_t i,
		       const uint16_t *takers, uint32_t n_takers)
{
	uint64_t seed = zdd_mix64(i);

	for (uint64_t k = 0; k < DRAWS; k++) {
		if (is_answered(turns[owners[i]].backend, i) || !n_takers)
			return owners[i];
		i = draw(seed, k, size);
	}
	return takers[draw(seed, DRAWS, n_takers)];
}

int table_fill(const struct table_backend *b, size_t n, uint16_t *slots, uint32_t size)
{
	struct turn *turns = turns_make(b, n);
	uint16_t *owners = malloc(2 * size * sizeof(*owners)), *takers;
	uint32_t n_takers;
	int err = -ENOMEM;

	if (!turns || !owners)
		goto out;
	fill_all(turns, n, owners, size);
	takers = owners + size;
	n_takers = list_takers(turns, owners, size, takers);
	for (uint32_t i = 0; i < size; i++) {
		uint16_t owner = answer(turns, owners, size, i, takers, n_takers);

		slots[i] = turns[owner].backend->object;
	}
	err = 0;
out:
	free(owners);
	free(turns);
	return err;
}
