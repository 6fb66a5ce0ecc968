/* SPDX-License-Identifier: BSD-2-Clause */
/* This node's addresses that packets may be given as source. Pure. */
#ifndef ZDD_SOURCES_H
#define ZDD_SOURCES_H

#include <stdint.h>

#include "zdd/layout.h"

/* The index of an address in `sources`, entered if it is new; they stay as long as the data path:
 * flows name them. 0: no address (all zero), or no room. */
uint16_t source_take(const struct zdd_memory *, const struct zdd_addr *);

#endif
