/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prometheus.h"

static const char place[] = "{pool}";

/* Room for the query with every place taken. */
static size_t room_of(const char *query, const char *pool)
{
	size_t room = strlen(query) + 1;

	for (; (query = strstr(query, place)); query += strlen(place))
		room += strlen(pool);
	return room;
}

char *prometheus_query(const char *query, const char *pool)
{
	char *text = malloc(room_of(query, pool)), *at = text;
	const char *next;

	for (; text && (next = strstr(query, place)); query = next + strlen(place)) {
		at = mempcpy(at, query, (size_t)(next - query));
		at = mempcpy(at, pool, strlen(pool));
	}
	if (text)
		strcpy(at, query);
	return text;
}

static int wrong(char *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PROMETHEUS_ERROR, format, args);
	va_end(args);
	return -EINVAL;
}

/* [TIME, "VALUE"] */
static int read_sample(const json_t *sample, uint64_t *value, char *error)
{
	const char *text = json_string_value(json_array_get(sample, 1));
	char *end = NULL;
	double n = text ? strtod(text, &end) : -1;

	if (!text || end == text || *end || !(n >= 0 && n <= 0x1p53))
		return wrong(error, "%.40s is no value of a counter", text ? text : "this");
	*value = (uint64_t)n;
	return 0;
}

static int read_data(const json_t *data, uint64_t *value, char *error)
{
	const char *type = json_string_value(json_object_get(data, "resultType"));
	const json_t *result = json_object_get(data, "result");

	if (!type || !json_is_array(result))
		return wrong(error, "this is no answer to an instant query");
	if (!strcmp(type, "scalar"))
		return read_sample(result, value, error);
	if (strcmp(type, "vector"))
		return wrong(error, "a %.20s came, expected one number: no range", type);
	if (json_array_size(result) > 1)
		return wrong(error, "%zu series came, expected one: sum() adds them up",
			     json_array_size(result));
	if (!json_array_size(result)) {
		*value = 0;
		return 0;
	}
	return read_sample(json_object_get(json_array_get(result, 0), "value"), value, error);
}

int prometheus_counter(const char *answer, size_t len, uint64_t *value, char *error)
{
	json_t *root = json_loadb(answer, len, JSON_REJECT_DUPLICATES, NULL);
	const char *status = json_string_value(json_object_get(root, "status"));
	const char *said = json_string_value(json_object_get(root, "error"));
	int err;

	if (!status)
		err = wrong(error, "this is no answer of Prometheus");
	else if (strcmp(status, "success"))
		err = wrong(error, "it says: %.200s", said ? said : status);
	else
		err = read_data(json_object_get(root, "data"), value, error);
	json_decref(root);
	return err;
}
