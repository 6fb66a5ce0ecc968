/* SPDX-License-Identifier: BSD-2-Clause */
/* The rise/fall state machine: results as a string, states as a string. */
#include "config.h"
#include "health.h"
#include "t.h"

static const struct {
	const char *results; /* o good, x bad */
	const char *states;  /* after each: ? unknown, U up, D down */
	unsigned rise, fall;
} rows[] = {
	{"o", "U", 2, 3},
	{"xo", "?U", 2, 3},
	{"xxx", "??D", 2, 3},
	{"oxxoxxx", "UUUUUUD", 2, 3},
	{"oxxxooo", "UUUDDUU", 2, 3},
	{"oxxxoxoo", "UUUDDDDU", 2, 3},
	{"oxo", "UDU", 1, 1},
	{"oxo", "UDU", 0, 0},
};

TEST(health_rise_and_fall)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cfg_health cfg = {.rise = (uint16_t)rows[i].rise,
					 .fall = (uint16_t)rows[i].fall};
		struct health h = {0};

		for (size_t k = 0; rows[i].results[k]; k++) {
			enum health_state was = h.state;
			bool turned = health_feed(&h, &cfg, rows[i].results[k] == 'o', "no", k + 1);

			ROW("%s at %zu", rows[i].results, k);
			CHECK_INT("?UD"[h.state], rows[i].states[k]);
			CHECK_INT(turned, was != h.state);
			CHECK_INT(h.since_ms == k + 1, turned);
		}
	}
}

TEST(health_keeps_the_last_error)
{
	struct cfg_health cfg = {.rise = 2, .fall = 3};
	struct health h = {0};

	health_feed(&h, &cfg, false, "connection refused", 5);
	CHECK_STR(h.last_error, "connection refused");
	CHECK_INT(h.checked_ms, 5);
	health_feed(&h, &cfg, true, NULL, 6);
	CHECK_STR(h.last_error, "");
	CHECK(h.last_ok);
}

TEST(health_hurries_while_changing)
{
	struct cfg_health cfg = {
		.rise = 2, .fall = 3, .interval_ms = 2000, .fast_interval_ms = 500};
	struct health h = {0};

	CHECK_INT(health_next_ms(&h, &cfg), 500);
	health_feed(&h, &cfg, true, NULL, 1);
	CHECK_INT(health_next_ms(&h, &cfg), 2000);
	health_feed(&h, &cfg, false, "x", 2);
	CHECK_INT(health_next_ms(&h, &cfg), 500);
	cfg.interval_ms = 100;
	CHECK_INT(health_next_ms(&h, &cfg), 100);
}
