/* SPDX-License-Identifier: BSD-2-Clause */
/* Recorded counts, JSON lines as zdd-counts(5) has them: text to the judge's ticks. Pure. */
#ifndef ZDD_RECORDING_H
#define ZDD_RECORDING_H

#include "judge_text.h"

enum { RECORDING_ERROR = 512 };

struct recording {
	struct judge_names names;
	struct judge_settings set;
	uint64_t started_ms; /* wall clock of t_ms 0; 0: not recorded */
	unsigned line;       /* the last one read */
	bool begun;          /* the head was read */
	uint64_t t_ms;       /* of the last tick */
	unsigned step;
};

enum recording_line { LINE_BLANK, LINE_HEAD, LINE_TICK };

/* The next line, without its end; start with a recording of zeros. Returns what it was, *tick being
 * filled by a tick; or -EINVAL with "LINE: PLACE: what was expected" in error (RECORDING_ERROR bytes,
 * printable but for UTF-8), the recording then being of no more use. */
int recording_read(struct recording *, const char *text, size_t len, struct judge_tick *tick,
		   char *error);

#endif
