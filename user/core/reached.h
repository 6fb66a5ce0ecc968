/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a recorded change is what is in force: for releases whose daemon died before it could
 * write their end. Pure. */
#ifndef ZDD_REACHED_H
#define ZDD_REACHED_H

#include "world.h"

/* from and to as txn_record() took them; s: the service now, NULL: there is none. file_lost: the
 * configuration in force is not the one that was stored last. */
bool change_reached(const struct world_service *s, const char *from, const char *to,
		    bool file_lost);

#endif
