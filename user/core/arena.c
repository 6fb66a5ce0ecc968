/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "zdd/hash.h"

enum { ITEMS_FIRST = 64 };

static uint32_t *bucket_of(const struct arena *a, uint64_t key)
{
	return &a->buckets[zdd_mix64(key) & (a->n_buckets - 1)];
}

int arena_make(struct arena *a, uint32_t words)
{
	memset(a, 0, sizeof(*a));
	a->items = calloc(ITEMS_FIRST, sizeof(*a->items));
	a->buckets = calloc(ITEMS_FIRST, sizeof(*a->buckets));
	if (!a->items || !a->buckets) {
		arena_free(a);
		return -ENOMEM;
	}
	a->n_buckets = ITEMS_FIRST;
	a->words = words;
	a->n_items = 1;
	return 0;
}

void arena_free(struct arena *a)
{
	free(a->items);
	free(a->buckets);
	memset(a, 0, sizeof(*a));
}

static void rehash(struct arena *a)
{
	memset(a->buckets, 0, a->n_buckets * sizeof(*a->buckets));
	for (uint32_t i = a->items[0].next; i; i = a->items[i].next) {
		uint32_t *bucket = bucket_of(a, a->items[i].key);

		a->items[i].chain = *bucket;
		*bucket = i;
	}
}

/* Doubles items and buckets when all items are in use. */
static int grow(struct arena *a)
{
	uint32_t n = a->n_buckets * 2;
	struct arena_item *items;
	uint32_t *buckets;

	if (a->unused || a->n_items < a->n_buckets)
		return 0;
	items = realloc(a->items, n * sizeof(*items));
	if (!items)
		return -ENOMEM;
	a->items = items;
	buckets = realloc(a->buckets, n * sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	a->buckets = buckets;
	a->n_buckets = n;
	rehash(a);
	return 0;
}

static uint32_t new_item(struct arena *a)
{
	uint32_t i = a->unused;

	if (i)
		a->unused = a->items[i].chain;
	else
		i = a->n_items++;
	return i;
}

static uint32_t end_of(const struct arena *a, uint32_t item)
{
	return a->items[item].first + a->items[item].words;
}

static uint32_t gap_after(const struct arena *a, uint32_t item)
{
	uint32_t next = a->items[item].next;

	return (next ? a->items[next].first : a->words) - end_of(a, item);
}

/* The item after which there is room; from the last place on, then from the beginning. */
static bool find_gap(const struct arena *a, uint32_t words, uint32_t *after)
{
	uint32_t i = a->hint;

	do {
		if (gap_after(a, i) >= words) {
			*after = i;
			return true;
		}
		i = a->items[i].next;
	} while (i != a->hint);
	return false;
}

static uint32_t insert(struct arena *a, uint32_t after, uint32_t first, uint32_t words,
		       uint64_t key, unsigned slot)
{
	uint32_t i = new_item(a), *bucket = bucket_of(a, key);

	a->items[i] =
		(struct arena_item){key, first, words, a->items[after].next, *bucket, 1u << slot};
	a->items[after].next = i;
	*bucket = i;
	a->hint = i;
	return i;
}

int64_t arena_take(struct arena *a, uint64_t key, uint32_t words, unsigned slot, bool *fresh)
{
	uint32_t after;

	key += !key;
	for (uint32_t i = *bucket_of(a, key); i; i = a->items[i].chain) {
		if (a->items[i].key != key || a->items[i].words != words)
			continue;
		a->items[i].slots |= 1u << slot;
		*fresh = false;
		return a->items[i].first;
	}
	if (grow(a))
		return -ENOMEM;
	if (!find_gap(a, words, &after))
		return -ENOSPC;
	*fresh = true;
	return a->items[insert(a, after, end_of(a, after), words, key, slot)].first;
}

int arena_adopt(struct arena *a, uint32_t first, uint32_t words, unsigned slot)
{
	uint32_t after = a->hint && a->items[a->hint].first <= first ? a->hint : 0;
	uint32_t next;

	if (grow(a))
		return -ENOMEM;
	for (next = a->items[after].next; next && a->items[next].first <= first;
	     next = a->items[next].next)
		after = next;
	if (after && a->items[after].first == first && a->items[after].words == words) {
		a->items[after].slots |= 1u << slot;
		return 0;
	}
	if (first < end_of(a, after) || words > a->words || first > a->words - words ||
	    (next && first + words > a->items[next].first))
		return -EINVAL;
	insert(a, after, first, words, 0, slot);
	return 0;
}

void arena_drop(struct arena *a, unsigned slot)
{
	uint32_t before = 0, i = a->items[0].next;
	bool gone = false;

	for (; i; i = a->items[before].next) {
		a->items[i].slots &= ~(1u << slot);
		if (a->items[i].slots) {
			before = i;
			continue;
		}
		a->items[before].next = a->items[i].next;
		a->items[i].words = 0;
		gone = true;
		a->items[i].key = 0;
		a->items[i].chain = a->unused;
		a->unused = i;
	}
	if (!gone)
		return;
	a->hint = 0;
	rehash(a);
}
