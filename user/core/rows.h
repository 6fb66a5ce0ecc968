/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters' rows per CPU, added up. Pure. */
#ifndef ZDD_ROWS_H
#define ZDD_ROWS_H

#include <stdint.h>

#include "zdd/layout.h"

struct zdd_count_row rows_counts(const struct zdd_memory *);
struct zdd_pool_row rows_pool(const struct zdd_memory *, uint32_t pool);
struct zdd_backend_row rows_backend(const struct zdd_memory *, uint32_t backend);
struct zdd_signal_row rows_signals(const struct zdd_memory *, uint32_t backend);
/* All zero where there is no row. */
void rows_pool_signals(const struct zdd_memory *, uint32_t pool, struct zdd_signals *sum);
void rows_backend_signals(const struct zdd_memory *, uint32_t backend, struct zdd_signals *sum);

#endif
