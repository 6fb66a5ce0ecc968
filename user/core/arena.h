/* SPDX-License-Identifier: BSD-2-Clause */
/* Room for immutable tables that several plans may share. The arena knows who has which words; the
 * words themselves are elsewhere. A table is found again by the key of what it was made from, and
 * is given back when no plan slot refers to it any more. Pure. */
#ifndef ZDD_ARENA_H
#define ZDD_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena_item {
	uint64_t key; /* 0: not known, adopted from a running plan */
	uint32_t first, words;
	uint32_t next;  /* by address; item 0 is the head and has no words */
	uint32_t chain; /* same hash bucket, or the next unused item */
	uint32_t slots; /* bit per plan slot that refers to it */
};

struct arena {
	struct arena_item *items;
	uint32_t *buckets; /* first item of each, 0: none */
	uint32_t n_items, n_buckets, unused, hint, words;
};

int arena_make(struct arena *, uint32_t words); /* 0, -ENOMEM */
void arena_free(struct arena *);

/* Words of the table `key` for a plan slot, with *fresh when they are yet to be written.
 * Returns the first word, -ENOSPC or -ENOMEM. */
int64_t arena_take(struct arena *, uint64_t key, uint32_t words, unsigned slot, bool *fresh);
/* Says that a running plan in this slot has these words. 0, -ENOMEM, -EINVAL when they overlap
 * others or lie outside. */
int arena_adopt(struct arena *, uint32_t first, uint32_t words, unsigned slot);
/* The plan slot refers to nothing any more. */
void arena_drop(struct arena *, unsigned slot);

#endif
