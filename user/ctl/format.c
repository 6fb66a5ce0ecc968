/* SPDX-License-Identifier: BSD-2-Clause */
/* One cell: a field of an API object as a person reads it. Absent and null are "-". Pure. */
#include <string.h>

#include "ctl.h"

void format_plain(char *out, size_t size, const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);

	if (json_is_string(value))
		snprintf(out, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(out, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(out, size, "%.6g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
	else
		snprintf(out, size, "-");
}

/* At most two decimals, no trailing zeros: 5%, 12.5%, 33.34%. */
void format_percent(char *out, size_t size, const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);
	size_t len;

	if (!json_is_number(value)) {
		snprintf(out, size, "-");
		return;
	}
	snprintf(out, size, "%.2f", json_number_value(value));
	for (len = strlen(out); len && out[len - 1] == '0'; len--)
		;
	if (len && out[len - 1] == '.')
		len--;
	snprintf(out + len, size - len, "%%");
}

void format_bytes(char *out, size_t size, const json_t *object, const char *field)
{
	static const char units[] = " KMGTPE";
	const json_t *value = json_object_get(object, field);
	double n = json_number_value(value);
	int unit = 0;

	while (n >= 1000 && units[unit + 1]) {
		n /= 1000;
		unit++;
	}
	if (!json_is_number(value))
		snprintf(out, size, "-");
	else if (!unit)
		snprintf(out, size, "%.0f", n);
	else
		snprintf(out, size, "%.3g%c", n, units[unit]);
}

/* Two units at most: 850ms, 12s, 3m10s, 2h5m, 4d3h. */
void duration_text(char *out, size_t size, int64_t ms)
{
	long long s = ms / 1000;

	if (ms < 1000)
		snprintf(out, size, "%lldms", (long long)ms);
	else if (s < 60)
		snprintf(out, size, "%llds", s);
	else if (s < 3600)
		snprintf(out, size, "%lldm%llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, size, "%lldh%lldm", s / 3600, s / 60 % 60);
	else
		snprintf(out, size, "%lldd%lldh", s / 86400, s / 3600 % 24);
}

void format_ms(char *out, size_t size, const json_t *object, const char *field)
{
	int64_t ms = field_int(object, field, -1);

	if (ms < 0)
		snprintf(out, size, "-");
	else
		duration_text(out, size, ms);
}

void format_list(char *out, size_t size, const json_t *object, const char *field)
{
	const json_t *item;
	size_t i, at = 0;

	snprintf(out, size, "-");
	json_array_foreach(json_object_get(object, field), i, item) {
		int n = snprintf(out + at, size - at, "%s%s", at ? " " : "",
				 json_is_string(item) ? json_string_value(item) : "-");

		at += (size_t)n;
		if (at >= size)
			return;
	}
}
