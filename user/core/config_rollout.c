/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>

#include "config_rollout.h"

const char *const strategy_words[] = {"flip", "canary", "rolling", "experiment", NULL};
const char *const until_words[] = {"time", "evidence", "person", "hook", NULL};
const char *const on_inconclusive_words[] = {"pause", "extend", "promote", "abort", NULL};
const char *const on_conflict_words[] = {"reject", "queue", "supersede", NULL};
const char *const on_failure_words[] = {"stop", "back", NULL};
const char *const judge_mode_words[] = {"on", "shadow", "off", NULL};
const char *const hook_words[] = {
#define H(symbol, word, when) #word,
	ZDD_HOOKS(H)
#undef H
};
