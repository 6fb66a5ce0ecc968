/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "recording_value.h"

enum { PLACE = 200, VALUE = 60 };

struct spot spot_below(const struct spot *above, const char *key)
{
	return (struct spot){above, key, json_object_get(above->value, key)};
}

static void place_text(char *out, size_t size, const struct spot *at)
{
	size_t len;

	if (!at->above)
		return;
	place_text(out, size, at->above);
	len = strlen(out);
	snprintf(out + len, size - len, "%s%.64s", len ? "." : "", at->key);
}

static void value_text(char *out, size_t size, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII |
					       JSON_REAL_PRECISION(15));

	snprintf(out, size, "%s", text ? text : "?");
	if (text && strlen(text) >= size)
		memcpy(out + size - 4, "...", 4);
	free(text);
}

int refuse(const struct reader *in, const struct spot *at, const char *expected)
{
	char place[PLACE] = "", value[VALUE];

	place_text(place, sizeof(place), at);
	if (!at->value) {
		snprintf(in->error, RECORDING_ERROR, "%u: %s: missing, expected %s", in->r->line,
			 place, expected);
		return -EINVAL;
	}
	value_text(value, sizeof(value), at->value);
	snprintf(in->error, RECORDING_ERROR, "%u: %s%s%s: expected %s", in->r->line, place,
		 *place ? ": " : "", value, expected);
	return -EINVAL;
}

int check_keys(const struct reader *in, const struct spot *at, const char *const *keys, size_t n)
{
	const char *key, *near;
	json_t *value;

	if (at->value && !json_is_object(at->value))
		return refuse(in, at, "an object");
	json_object_foreach(at->value, key, value) {
		char place[PLACE] = "";
		struct spot strange = {at, key, value};
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= !strcmp(key, keys[i]);
		if (known)
			continue;
		near = nearest_word(key, keys, n);
		place_text(place, sizeof(place), &strange);
		snprintf(in->error, RECORDING_ERROR, "%u: %s: no such key%s%s", in->r->line, place,
			 near ? "; did you mean " : "", near ? near : "");
		return -EINVAL;
	}
	return 0;
}

static bool is_count(const json_t *value, uint64_t max)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 &&
	       (uint64_t)json_integer_value(value) <= max;
}

int get_part(const struct reader *in, const struct spot *at, uint64_t max, const char *of,
	     uint64_t *out)
{
	char expected[64];

	if (at->value && !is_count(at->value, max)) {
		snprintf(expected, sizeof(expected), "a whole number from 0 to %s%s%llu", of,
			 *of ? ", " : "", (unsigned long long)max);
		return refuse(in, at, expected);
	}
	if (at->value)
		*out = (uint64_t)json_integer_value(at->value);
	return 0;
}

int get_count(const struct reader *in, const struct spot *at, uint64_t max, uint64_t *out)
{
	return get_part(in, at, max, "", out);
}

int need_name(const struct reader *in, const struct spot *at, char *out)
{
	const char *name = json_string_value(at->value);

	if (!name || !name_is_valid(name) || json_string_length(at->value) != strlen(name))
		return refuse(in, at,
			      "a name of up to 63 letters, digits, '.', '_' and '-', which begins "
			      "with a letter or digit");
	strcpy(out, name);
	return 0;
}

int get_duration(const struct reader *in, const struct spot *at, uint64_t *out)
{
	const char *text = json_string_value(at->value);
	uint32_t ms;

	if (!at->value)
		return 0;
	if (!text || parse_duration_ms(text, &ms))
		return refuse(in, at, "a duration like \"30s\", \"10m\", \"1h\"");
	*out = ms;
	return 0;
}

int get_percent(const struct reader *in, const struct spot *at, unsigned max, double *out)
{
	const char *text = json_string_value(at->value);
	char expected[64];
	uint16_t bp;

	if (!at->value)
		return 0;
	snprintf(expected, sizeof(expected), "a percentage from \"0.01%%\" to \"%u%%\"", max);
	if (!text || parse_percent_bp(text, &bp) || !bp || bp > max * 100)
		return refuse(in, at, expected);
	*out = bp / 10000.0;
	return 0;
}

int need_share(const struct reader *in, const struct spot *at, uint16_t *out)
{
	double bp = json_is_number(at->value) ? json_number_value(at->value) * 100 : -1;

	if (!(bp >= 0 && bp <= 10000) || fabs(bp - round(bp)) > 1e-6)
		return refuse(in, at, "a number of percent from 0 to 100, in steps of 0.01");
	*out = (uint16_t)lround(bp);
	return 0;
}

int get_time(const struct reader *in, const struct spot *at, uint64_t *wall_ms)
{
	const char *text = json_string_value(at->value);
	struct tm tm = {0};
	int end = 0;
	time_t seconds;

	if (!at->value)
		return 0;
	if (text && strlen(text) == strlen("2026-11-21T15:00:00Z"))
		sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		       &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = end && tm.tm_year >= 70 ? timegm(&tm) : 0;
	if (seconds <= 0)
		return refuse(in, at, "a time like \"2026-11-21T15:00:00Z\"");
	*wall_ms = (uint64_t)seconds * 1000;
	return 0;
}

int need_signal(const struct reader *in, const struct spot *at, const char *name)
{
	const struct judge_settings *set = &in->r->set;
	const char *words[JUDGE_SIGNALS], *near;
	char expected[128];

	for (unsigned i = 0; i < set->n_signals; i++) {
		words[i] = set->signals[i];
		if (!strcmp(words[i], name))
			return (int)i;
	}
	near = nearest_word(name, words, set->n_signals);
	snprintf(expected, sizeof(expected), "one of the signals%s%s",
		 near ? "; did you mean " : "", near ? near : "");
	return refuse(in, at, expected);
}
