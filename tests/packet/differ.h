/* SPDX-License-Identifier: BSD-2-Clause */
/* Random frames through a native engine and a kernel one: verdict, notes, code, every byte. */
#ifndef ZDD_DIFFER_H
#define ZDD_DIFFER_H

#include <stdint.h>

#include "engine.h"

/* engines are those of engines_open; rounds frames for each kernel engine. */
void differ_all(struct engine *engines, unsigned long rounds, uint64_t seed, unsigned *passed,
		unsigned *failed);

#endif
