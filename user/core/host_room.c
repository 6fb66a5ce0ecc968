/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "host_room.h"

/* The number behind the key, 0 when it is not there. */
static double number_at(const char *text, const char *key)
{
	const char *at = text ? strstr(text, key) : NULL;
	double value = 0;

	if (at)
		sscanf(at + strlen(key), "%lf", &value);
	return value;
}

bool host_has_room(const char *meminfo, const char *pressure, char *why, size_t size)
{
	double all = number_at(meminfo, "MemTotal:"), left = number_at(meminfo, "MemAvailable:");
	double waits = number_at(pressure, "some avg10=");

	if (all > 0 && left * 100 < all * ROOM_LEAST_PERCENT) {
		snprintf(why, size,
			 "only %.0f of %.0f MiB of memory are available, less than %d %%: no room "
			 "for another version beside the old one",
			 left / 1024, all / 1024, ROOM_LEAST_PERCENT);
		return false;
	}
	if (waits >= ROOM_PRESSURE_PERCENT) {
		snprintf(why, size,
			 "something on this host waited for memory in %.0f %% of the last 10 s: no "
			 "room for another version beside the old one",
			 waits);
		return false;
	}
	return true;
}
