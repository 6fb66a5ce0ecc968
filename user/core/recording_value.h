/* SPDX-License-Identifier: BSD-2-Clause */
/* Values of a recording, and the way to each for messages; of recording*.c only. */
#ifndef ZDD_RECORDING_VALUE_H
#define ZDD_RECORDING_VALUE_H

#include "recording.h"

enum { RECORDING_COUNT_MAX = 1000000000 };

/* A value and the way to it: "counts", "5xx", "canary". */
struct spot {
	const struct spot *above; /* NULL: the line itself */
	const char *key;
	json_t *value; /* NULL: absent */
};

struct reader {
	struct recording *r;
	char *error; /* RECORDING_ERROR bytes */
};

struct spot spot_below(const struct spot *above, const char *key);

/* All that follow: 0, or -EINVAL with the message in in->error. */
int refuse(const struct reader *in, const struct spot *at, const char *expected);
/* An object, when there, with no other keys than these. */
int check_keys(const struct reader *in, const struct spot *at, const char *const *keys, size_t n);
#define CHECK_KEYS(in, at, ...)                                                                    \
	check_keys(in, at, (const char *const[]){__VA_ARGS__},                                     \
		   sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* get: what is absent leaves *out as it is; need: it must be there. */
int get_count(const struct reader *in, const struct spot *at, uint64_t max, uint64_t *out);
/* A count that is a part of another, whose key is of. */
int get_part(const struct reader *in, const struct spot *at, uint64_t max, const char *of,
	     uint64_t *out);
int get_duration(const struct reader *in, const struct spot *at, uint64_t *ms);
/* "0.5%": above 0, at most max percent; *out is 0..1. */
int get_percent(const struct reader *in, const struct spot *at, unsigned max, double *out);
int get_time(const struct reader *in, const struct spot *at, uint64_t *wall_ms);
int need_name(const struct reader *in, const struct spot *at, char *out); /* ZDD_NAME_MAX bytes */
/* 5, 12.5, 33.33 percent */
int need_share(const struct reader *in, const struct spot *at, uint16_t *bp);
/* The signal's index. */
int need_signal(const struct reader *in, const struct spot *at, const char *name);

int recording_head(const struct reader *in, const struct spot *line);

#endif
