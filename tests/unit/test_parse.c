/* SPDX-License-Identifier: BSD-2-Clause */
/* Super-packets above 64 KiB, which no engine of the packet cases can be given: only their headers
 * lie in one piece, and their length field is 0. */
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
