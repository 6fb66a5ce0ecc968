/* SPDX-License-Identifier: BSD-2-Clause */
/* How large a data path is made. It cannot grow while it runs, only be moved into a larger one when
 * the daemon starts, so there is ample room. Pure. */
#ifndef ZDD_GEOMETRY_H
#define ZDD_GEOMETRY_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "zdd/layout.h"

/* Sets all of g but cpus and hz. */
void geometry_for(const struct config *, struct zdd_geometry *g);
/* A data path of this size has room for the configuration; flow tables are not looked at. */
bool geometry_has_room(const struct config *, const struct zdd_geometry *);
/* Raises g, flow tables excepted, to hold what convert_least found. */
void geometry_hold(struct zdd_geometry *g, const struct zdd_geometry *least);

/* Bytes of each map of ZDD_MEMORY are element size times count, both from here. */
#define GEOMETRY_BYTES(name, type, count) (sizeof(type) * (size_t)(count))

#endif
