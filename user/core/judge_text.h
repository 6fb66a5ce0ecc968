/* SPDX-License-Identifier: BSD-2-Clause */
/* What the judge found: a sentence for people, and an object with all the numbers. */
#ifndef ZDD_JUDGE_TEXT_H
#define ZDD_JUDGE_TEXT_H

#include <jansson.h>

#include "judge.h"

enum { JUDGE_TEXT = 1024 };

struct judge_names {
	char service[ZDD_NAME_MAX], canary[ZDD_NAME_MAX], live[ZDD_NAME_MAX];
};

extern const char *const judge_result_words[]; /* by enum judge_result */

/* One sentence into out (JUDGE_TEXT bytes) about a verdict of the last tick. */
void judge_text(const struct judge *, const struct judge_names *, struct judge_verdict, char *out);
/* "why", "signal", "evidence", "split", "signals" and so on, as docs/schema/judge.json has them;
 * evidence is at most 1e300, null where there is none. New reference. */
json_t *judge_json(const struct judge *, const struct judge_names *, struct judge_verdict);

#endif
