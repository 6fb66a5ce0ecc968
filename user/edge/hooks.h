/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks (DESIGN 7): a person's program, run at a point of a rollout. An argv without a shell, in a
 * session of its own, as the file's `user`, in / and without a capability or a descriptor of ours; where
 * zddd is a unit of systemd, a unit of its own (hooks_unit.c).
 * It is told by ZDD_* in its environment and by one JSON object on standard input. It ends when the
 * daemon ends, so that what is run again after a crash never runs twice at once.
 *
 *   waits --0 or 5 s--> runs --0--> HOOK_OK
 *     ^                  | |  '--else or killed--> HOOK_FAILED
 *     '--exit 75: not yet' '--timeout, cancelled--> SIGTERM --2 s--> SIGKILL to its group, or unit
 */
#ifndef ZDD_HOOKS_H
#define ZDD_HOOKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "rollout.h"

struct config;
struct hook;

struct hook_call {
	enum rollout_hook kind;
	const struct cfg_hooks *cfg; /* has an argv of this kind */
	const char *service, *pool;
	const char *previous, *backend; /* NULL: none */
	const char *preview;            /* the first preview listener; NULL: none */
	const char *result;             /* NULL: none yet */
	const char *token;
	unsigned step;         /* from 1 */
	uint16_t share;        /* 0.01 % */
	const json_t *details; /* for standard input; NULL: none */
};

/* text: one sentence that names the hook and what became of it, with the last line it said. */
typedef void hook_done_fn(void *context, enum hook_result, const char *text);

/* Copies what it needs. done is called once, later, unless it is cancelled. NULL: memory is out. */
struct hook *hook_start(uv_loop_t *, const struct hook_call *, hook_done_fn *, void *context);
/* Nobody waits for it any more: it is ended. Not from within done. */
void hook_cancel(struct hook *);

/* Whether this process itself becomes another user for hooks of this configuration. */
bool hooks_take_users(const struct config *);
/* 0, or negative errno with *error one line: a `user` of the configuration that is not here, or that
 * this process may not become (asked when become is set). */
int hooks_check_users(const struct config *, const char *file, bool become, char **error);

#endif
