/* SPDX-License-Identifier: BSD-2-Clause */
/* The shared memory of a data path, from calloc, so that overruns are seen by the sanitizers. */
#ifndef ZDD_TEST_MEMORY_H
#define ZDD_TEST_MEMORY_H

#include <stdlib.h>

#include "zdd/layout.h"

static inline void memory_free(struct zdd_memory *m)
{
#define M(name, type, count) free(m->name);
	ZDD_MEMORY(M)
#undef M
	memset(m, 0, sizeof(*m));
}

/* geometry must outlive the memory. */
static inline void memory_make(struct zdd_memory *m, const struct zdd_geometry *g)
{
	m->geometry = g;
#define M(name, type, count) m->name = calloc((size_t)(count), sizeof(type));
	ZDD_MEMORY(M)
#undef M
	m->desk->geometry = *g;
}

#endif
