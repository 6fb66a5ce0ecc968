/* SPDX-License-Identifier: BSD-2-Clause */
#include "host_room.h"
#include "t.h"

static const struct {
	const char *meminfo, *pressure, *why; /* why: part of it; NULL: there is room */
} cases[] = {
	{"MemTotal: 1000000 kB\nMemFree: 1 kB\nMemAvailable: 100000 kB\n", NULL, NULL},
	{"MemTotal: 1000000 kB\nMemAvailable: 99999 kB\n", NULL, "98 of 977 MiB"},
	{"MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n",
	 "some avg10=19.99 avg60=80.00 avg300=80.00 total=5\nfull avg10=99.00\n", NULL},
	{"MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n", "some avg10=20.00 avg60=0.00\n",
	 "in 20 % of the last 10 s"},
	{"", "", NULL},
	{NULL, NULL, NULL},
};

TEST(host_room_of_the_kernels_texts)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[256] = "";
		bool room = host_has_room(cases[i].meminfo, cases[i].pressure, why, sizeof(why));

		CHECK_INT(room, !cases[i].why);
		if (cases[i].why && !strstr(why, cases[i].why))
			CHECK_STR(why, cases[i].why);
	}
}
