/* SPDX-License-Identifier: BSD-2-Clause */
/* Hash of a text (FNV-1a, finalized): salts, permutations and identities. Where clients go follows
 * from it, so it must never change: every node of a fleet computes it alike. */
#ifndef ZDD_SEED_H
#define ZDD_SEED_H

#include <stdint.h>

#include "zdd/hash.h"

static inline uint64_t seed_of(const char *text, uint64_t salt)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ salt;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return zdd_mix64(hash);
}

#endif
