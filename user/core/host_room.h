/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this host can take one more version of a service beside the old one (port switching). Pure:
 * the kernel's texts in, an answer out. */
#ifndef ZDD_HOST_ROOM_H
#define ZDD_HOST_ROOM_H

#include <stdbool.h>
#include <stddef.h>

enum {
	ROOM_LEAST_PERCENT = 10,    /* of the memory, available */
	ROOM_PRESSURE_PERCENT = 20, /* of the last 10 s, in which something waited for memory */
};

/* meminfo: /proc/meminfo (proc(5)); pressure: /proc/pressure/memory (Documentation/accounting/psi.rst),
 * NULL where the kernel has none. False: why (size bytes) is a sentence. What cannot be read is no
 * obstacle. */
bool host_has_room(const char *meminfo, const char *pressure, char *why, size_t size);

#endif
