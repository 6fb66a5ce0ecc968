/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "engine.h"

static struct engine engines[ENGINES];

struct engine *engines_open(void)
{
	native_engine(&engines[0], "native-xdp", HOOK_XDP);
	native_engine(&engines[1], "native-tc", HOOK_TC);
	kernel_engines(&engines[2]);
	return engines;
}

static void free_native(struct zdd_memory *m)
{
#define M(name, type, count) free(m->name);
	ZDD_MEMORY(M)
#undef M
}

void engines_close(void)
{
	free_native(&engines[0].memory);
	free_native(&engines[1].memory);
	kernel_engines_close();
}
