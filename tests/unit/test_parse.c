/* SPDX-License-Identifier: BSD-2-Clause */
/* Two ways to read a frame; and super-packets above 64 KiB, which no engine of the packet cases can be
 * given: only their headers lie in one piece, and their length field is 0. */
#include "t.h"

#include "parse.h"

enum { BIG = 150000, V4_HEADERS = 14 + 20 + 20, V6_HEADERS = 14 + 40 + 8 + 20 };

static const __u8 v4[V4_HEADERS] = {
	[12] = 0x08, [14] = 0x45, [22] = 64,     [23] = 6,
	[26] = 198,  [30] = 203,  [46] = 5 << 4, [47] = 16,
};
static const __u8 v6[V6_HEADERS] = {
	[12] = 0x86,   [13] = 0xdd, [14] = 0x60, [20] = 0, [21] = 64,
	[54] = 6,      [56] = 0xc2, [57] = 4, /* hop-by-hop: TCP follows; jumbo payload */
	[74] = 5 << 4, [75] = 16,
};

static const struct row {
	const char *what;
	const __u8 *bytes;
	__u32 size, frame;
	bool bad;
	__u32 payload;
} rows[] = {
	{"v4", v4, sizeof(v4), V4_HEADERS + BIG, false, BIG},
	{"v4, the first above 64 KiB", v4, sizeof(v4), 14 + 65536, false, 65536 - 40},
	{"v4, 0 and no reason for it", v4, sizeof(v4), 14 + 65535, true, 0},
	{"v4, 0 in a usual frame", v4, sizeof(v4), V4_HEADERS, true, 0},
	{"v6", v6, sizeof(v6), V6_HEADERS + BIG, false, BIG},
	{"v6, 0 in a usual frame", v6, sizeof(v6), V6_HEADERS, true, 0},
};

/* Random bytes where headers have what decides: about half of the frames are usual. */
static void random_frame(__u8 *frame, __u64 *dice)
{
	static const __u8 first[] = {0x45, 0x45, 0x45, 0x46, 0x65, 0x44},
			  protos[] = {6, 6, 17, 17, 1, 50},
			  sizes[] = {5 << 4, 5 << 4, 8 << 4, 4 << 4};

	for (unsigned i = 0; i < 128; i += 8) {
		*dice = zdd_mix64(*dice + 1);
		memcpy(frame + i, dice, 8);
	}
	frame[12] = 8;
	frame[13] = *dice & 15 ? 0 : 6;
	frame[14] = first[*dice >> 8 & 0xff ? (*dice >> 16) % 3 : (*dice >> 16) % 6];
	frame[16] = *dice >> 24 & 15 ? 0 : frame[16];
	frame[20] &= *dice >> 28 & 7 ? 0xc0 : 0xff;
	frame[21] = *dice >> 28 & 7 ? 0 : frame[21];
	frame[23] = protos[(*dice >> 32) % 6];
	frame[38] = 0;
	frame[46] = sizes[*dice >> 40 & 3];
}

/* The short way says what the long one says. */
TEST(usual_is_the_same)
{
	unsigned usual = 0, other = 0;
	__u64 dice = 1;

	for (unsigned i = 0; i < 400000 && !t_fails; i++) {
		struct zdd_packet fast, slow;
		__u8 frame[128];
		__u32 size;

		random_frame(frame, &dice);
		size = 30 + (__u32)(dice >> 48) % 90;
		memset(&fast, 0, sizeof(fast));
		fast.frame = dice & 1 ? size : size + 1000;
		slow = fast;
		ROW("frame %u, %u bytes", i, size);
		CHECK_INT(parse_frame(frame, frame + size, &fast),
			  parse_any(frame, frame + size, &slow));
		usual += fast.usual;
		other += !fast.usual;
		slow.usual = fast.usual;
		CHECK(!memcmp(&fast, &slow, sizeof(fast)));
	}
	CHECK(usual > 50000 && other > 50000);
}

TEST(big_tcp)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct zdd_packet p = {.frame = rows[i].frame};

		ROW("%s", rows[i].what);
		CHECK_INT(parse_frame(rows[i].bytes, rows[i].bytes + rows[i].size, &p), PARSED_L4);
		CHECK_INT(!!p.bad_length, rows[i].bad);
		CHECK_INT(p.payload, rows[i].payload);
		CHECK_INT(p.segment, rows[i].bad ? 0 : rows[i].payload + 20);
	}
}
