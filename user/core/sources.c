/* SPDX-License-Identifier: BSD-2-Clause */
#include "sources.h"

uint16_t source_take(const struct zdd_memory *m, const struct zdd_addr *addr)
{
	static const struct zdd_addr none;

	if (zdd_addr_eq(addr, &none))
		return 0;
	for (uint16_t i = 1; i < ZDD_SOURCES; i++) {
		if (zdd_addr_eq(&m->sources[i], &none))
			m->sources[i] = *addr;
		if (zdd_addr_eq(&m->sources[i], addr))
			return i;
	}
	return 0;
}
