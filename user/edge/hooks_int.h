/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hooks' files share. */
#ifndef ZDD_HOOKS_INT_H
#define ZDD_HOOKS_INT_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

/* ---- hooks_said.c: the end of what a program writes to one descriptor ---- */

struct said;

/* *fd: where the program writes, to be closed by the caller. NULL with errno. */
struct said *said_open(uv_loop_t *, int *fd);
/* Reads what is there now. The last line that is not empty; "" when there is none. UTF-8. */
const char *said_last_line(struct said *);
/* What a hook left running may still write: it is read and forgotten, so that it does not die of
 * SIGPIPE. NULL is fine. */
void said_forget(struct said *);

/* ---- hooks_spawn.c ---- */

enum { HOOK_GROUPS = 256 };

struct hook_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[HOOK_GROUPS];
	int n_groups;
};

/* 0, -ENOENT when there is none of that name, or other negative errno. */
int hook_user_find(const char *name, struct hook_user *);

struct hook_spawn {
	char *const *argv, *const *env;
	int in, out, err;             /* become 0, 1, 2 */
	const struct hook_user *user; /* NULL: as we are */
};

/* The process, or negative errno. What fails after the fork is exit status 127 and a line of its
 * standard error. */
pid_t hook_spawn(const struct hook_spawn *);

/* ---- hooks_unit.c: as units of systemd, not as children ---- */

/* What their names begin with, when they are to be units (ZDDD_HOOK_UNITS: see zddd(8)), else NULL. */
const char *hook_units(void);
/* A name for the next one, the caller's to free; NULL: no memory. */
char *hook_unit_name(void);
/* The command that starts such a unit, waits for it, and ends with its status: 255 when a signal ended
 * it. user NULL: root. Word by word and as a whole the caller's to free; NULL: no memory. */
char **hook_unit_argv(const char *unit, const char *user, char *const *argv, char *const *env);
/* To all of its processes. Begins, and does not wait. */
void hook_unit_signal(uv_loop_t *, const char *unit, int number);

#endif
