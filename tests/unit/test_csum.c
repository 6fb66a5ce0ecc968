/* SPDX-License-Identifier: BSD-2-Clause */
/* Checksum updates against sums computed anew (RFC 1071, RFC 1624). */
#include <stdint.h>
#include <stdlib.h>

#include "t.h"
#include "frame.h"

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static uint64_t state = 88172645463325252ull;

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

TEST(fold_equals_repeated_addition)
{
	static const uint64_t edges[] = {0,
					 1,
					 0xffff,
					 0x10000,
					 0xffffffff,
					 0x100000000,
					 0xffffffffffffffff,
					 0xfffffffffffeffff,
					 0xffff0000ffff0000};

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		CHECK_INT(csum_fold(edges[i]), fold(edges[i]));
	for (unsigned i = 0; i < 5000000; i++) {
		uint64_t sum = any() >> any() % 64;

		if (csum_fold(sum) != fold(sum) && !CHECK_INT(csum_fold(sum), fold(sum)))
			return;
	}
}

/* One word of a message changes: every old word, every new word, several rests. A checksum of 0 and
 * one of 0xffff say the same, RFC 1624, 3; both are accepted as old, 0xffff is never new. */
TEST(one_word_exhaustive)
{
	static const uint32_t rests[] = {1, 0x1234, 0x8000, 0xfffe, 0xffff};
	unsigned wrong = 0;

	for (size_t r = 0; r < sizeof(rests) / sizeof(rests[0]); r++)
		for (uint32_t old = 0; old < 0x10000; old++) {
			uint16_t check = (uint16_t)~fold((uint64_t)rests[r] + old);

			/* all new words for some old ones, some new words for all old ones */
			for (uint32_t new = old & 63; new < 0x10000; new += old % 1021 ? 977 : 1) {
				uint16_t want = (uint16_t)~fold((uint64_t)rests[r] + new);
				uint64_t change = csum_change16((uint16_t)old, (uint16_t) new);

				wrong += csum_update(check, change) != want;
			}
		}
	CHECK_INT(wrong, 0);
}

/* ---- whole rewrites of random messages ---- */

static uint32_t sum_words(const void *at, size_t bytes)
{
	const uint8_t *p = at;
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < bytes; i += 2) {
		uint16_t word;

		memcpy(&word, p + i, 2);
		sum += word;
	}
	return fold(sum);
}

static uint64_t often_extreme(void)
{
	switch (any() % 4) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	default:
		return any();
	}
}

TEST(addresses_and_ports)
{
	for (unsigned i = 0; i < 2000000; i++) {
		struct zdd_addr from = {.d = {often_extreme(), often_extreme()}};
		struct zdd_addr to = {.d = {often_extreme(), often_extreme()}};
		uint16_t port = (uint16_t)often_extreme(), next = (uint16_t)often_extreme();
		uint64_t rest = 1 + any() % 0xffff;
		uint16_t check = (uint16_t)~fold(rest + sum_words(&from, 16) + port);
		uint16_t want = (uint16_t)~fold(rest + sum_words(&to, 16) + next);
		uint16_t got = csum_update(check, csum_change_addr(&from, &to) +
							  csum_change16(port, next));

		if (got != want && !CHECK_INT(got, want))
			return;
	}
}

/* The pseudo-header in both families against its bytes (RFC 9293 3.1, RFC 8200 8.1). */
TEST(pseudo_header)
{
	for (unsigned i = 0; i < 200000; i++) {
		struct zdd_addr a = {.d = {any(), any()}}, b = {.d = {any(), any()}};
		uint32_t length = (uint32_t)(any() % 65536);
		uint8_t bytes[40] = {0};

		memcpy(bytes, &a, 16);
		memcpy(bytes + 16, &b, 16);
		bytes[34] = (uint8_t)(length >> 8);
		bytes[35] = (uint8_t)length;
		bytes[39] = 6;
		if (!CHECK_INT(csum_fold(csum_pseudo(&a, &b, 6, length, 1)), sum_words(bytes, 40)))
			return;
		memset(bytes, 0, 12);
		memset(bytes + 16, 0, 12);
		if (!CHECK_INT(csum_fold(csum_pseudo(&a, &b, 6, length, 0)), sum_words(bytes, 40)))
			return;
	}
}

/* Every length and alignment that a partial checksum may have to be completed for. */
TEST(segments_of_every_length)
{
	for (uint32_t n = 8; n < 600; n++) {
		uint8_t *block = malloc(n + 2), *l4 = block + 2, padded[600] = {0};
		uint64_t pseudo = any() & 0xffff;

		if (!CHECK(block))
			return;
		for (uint32_t i = 0; i < n; i++)
			l4[i] = (uint8_t)any();
		memcpy(padded, l4, n);
		ROW("%u bytes", n);
		CHECK_INT(csum_fold(sum_segment(l4, l4 + n, n)), sum_words(padded, n + (n & 1)));
		l4[6] = (uint8_t)pseudo;
		l4[7] = (uint8_t)(pseudo >> 8);
		CHECK_INT(write_whole(l4, l4 + n, 6, csum_fold(sum_segment(l4, l4 + n, n))), 0);
		memcpy(padded, l4, n);
		CHECK_INT(fold(sum_words(padded, n + (n & 1)) + pseudo), 0xffff);
		free(block);
	}
}
