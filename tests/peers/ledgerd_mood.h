/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How well the server is, from a file that is read again when it changed; one line of words and numbers:
 *   reset P   of its connections this part (0..1) is reset at the first request
 *   empty P   ... is closed at the first request, with nothing sent
 *   status P  of HTTP requests this part is answered by 500
 *   delay MS  before the first answer of a connection
 */
#ifndef LEDGERD_MOOD_H
#define LEDGERD_MOOD_H

#include <stdbool.h>
#include <stdint.h>

struct mood {
	double reset, empty, status;
	uint64_t delay_ns;
};

/* path NULL: always well. Looks at the file every 50 ms at most. */
const struct mood *mood_now(const char *path);
/* True for the part p of calls. */
bool mood_strikes(double p);

#endif
