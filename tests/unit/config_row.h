/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration that must be refused, and with which words. Include after t.h. */
#ifndef ZDD_CONFIG_ROW_H
#define ZDD_CONFIG_ROW_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

struct bad_row {
	const char *text;
	size_t len;
	const char *error; /* behind "zdd.yaml:" */
};

#define BAD(text, error)                                                                           \
	{                                                                                          \
		(text), sizeof(text) - 1, (error)                                                  \
	}

#define HEAD "interfaces: [eth0]\n"
#define SERVICE(lines) HEAD "services:\n  web:\n" lines /* from line 4, column 5 */
#define LISTEN(list) SERVICE("    listen: [" list "]\n    pools: {blue: [\"10.0.0.1:80\"]}\n")
#define POOLS(map) SERVICE("    listen: [\":80/tcp\"]\n    pools: " map "\n")
#define WEB(lines) POOLS("{blue: [\"10.0.0.1:80\"]}") lines /* from line 6 */
#define HEALTH(value) WEB("    health: " value "\n")

#define EXPECTED_LISTENER                                                                          \
	"expected a listener such as 203.0.113.10:443/tcp, [2001:db8::10]:443/udp or :443/tcp"
#define EXPECTED_BACKEND "expected address:port, such as 10.0.1.11:8080 or [2001:db8::11]:8080"

static void check_bad(const struct bad_row *rows, size_t n)
{
	char want[1024];

	for (size_t i = 0; i < n; i++) {
		struct config *untouched = (struct config *)want, *config = untouched;
		char *error = NULL;

		ROW("%zu: %.100s", i, rows[i].text);
		snprintf(want, sizeof(want), "zdd.yaml:%s", rows[i].error);
		CHECK_INT(config_parse("zdd.yaml", rows[i].text, rows[i].len, &config, &error),
			  -EINVAL);
		CHECK(config == untouched);
		CHECK_STR(error, want);
		free(error);
	}
}

#endif
