/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines of zdd-counts(5), as recording_read() takes them. Pure. */
#ifndef ZDD_RECORDING_WRITE_H
#define ZDD_RECORDING_WRITE_H

#include "judge_text.h"

/* New references. started_ms: wall clock of t_ms 0. */
json_t *recording_head_json(const struct judge_names *, const struct judge_settings *,
			    uint64_t started_ms);
json_t *recording_tick_json(const struct judge_settings *, const struct judge_tick *);

#endif
