/* SPDX-License-Identifier: BSD-2-Clause */
/* How large a new data path is made. It cannot grow later, so there is ample room. Pure. */
#ifndef ZDD_GEOMETRY_H
#define ZDD_GEOMETRY_H

#include <stddef.h>

#include "config.h"
#include "zdd/layout.h"

/* Sets all of g but cpus and hz. */
void geometry_for(const struct config *, struct zdd_geometry *g);

/* Bytes of each map of ZDD_MEMORY are element size times count, both from here. */
#define GEOMETRY_BYTES(name, type, count) (sizeof(type) * (size_t)(count))

#endif
