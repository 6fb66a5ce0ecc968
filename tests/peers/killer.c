// SPDX-License-Identifier: BSD-2-Clause
// LD_PRELOAD for zddd: the daemon dies by SIGKILL at changes of a rollout as it stores them, once at each
// place. ZDD_KILLER is the file that keeps what was done, lines of "before" (the change is not in the store
// yet: all that the state before does is done) or "after" (it is, and nothing was done yet), and the change:
// STATE STEP HOOK. A start of zddd costs a second: it dies after each new state and before it notes a hook's
// end, at all changes twice with ZDD_KILLER_ALL.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// As far as they are used here; sqlite3.h is not needed for it.
struct sqlite3;
struct sqlite3_stmt;
typedef int bind_fn(struct sqlite3_stmt *, int, const char *, int, void (*)(void *));
typedef int exec_fn(struct sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
		    char **);

int sqlite3_bind_text(struct sqlite3_stmt *, int, const char *, int, void (*)(void *));
int sqlite3_exec(struct sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *,
		 char **);

enum { CHANGE = 160, SAID = 16384 };

static char pending[CHANGE]; // of the transaction under way; "": none
static char last[CHANGE];    // of the one before

// The member's value as it is written, without quotes.
static void member(const char *json, const char *key, char *out, size_t size)
{
	const char *at = strstr(json, key);
	size_t n;

	at = at ? at + strlen(key) : "?";
	at += *at == '"';
	n = strcspn(at, "\",}");
	snprintf(out, size, "%.*s", (int)n, at);
}

// What of a service's row tells one place of a rollout from another; "" when it has none.
static void read_change(const char *row, char *out)
{
	const char *rollout = strstr(row, "\"rollout\":{");
	char state[24], step[12], hook[12], hook_state[12];

	*out = '\0';
	if (!rollout)
		return;
	member(rollout, "\"state\":", state, sizeof(state));
	member(rollout, "\"step\":", step, sizeof(step));
	member(rollout, "\"hook\":", hook, sizeof(hook));
	member(rollout, "\"hook_state\":", hook_state, sizeof(hook_state));
	if (!strcmp(hook_state, "not"))
		snprintf(out, CHANGE, "%s %s", state, step);
	else
		snprintf(out, CHANGE, "%s %s %s-%s", state, step, hook, hook_state);
}

static bool was_done(const char *line)
{
	char said[SAID] = "\n";
	int fd = open(getenv("ZDD_KILLER"), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, said + 1, sizeof(said) - 2);

	if (fd >= 0)
		close(fd);
	said[n < 0 ? 1 : n + 1] = '\0';
	return strstr(said, line);
}

static void die_once(const char *when)
{
	char line[CHANGE + 16];
	int fd, len = snprintf(line, sizeof(line), "\n%s %s\n", when, pending);

	if (was_done(line))
		return;
	fd = open(getenv("ZDD_KILLER"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, line + 1, (size_t)len - 1) == len - 1)
		kill(getpid(), SIGKILL);
}

static bool is_hook(const char *change, const char *state)
{
	return strstr(change, state);
}

static bool is_end(const char *change)
{
	return !strncmp(change, "stable", 6) || !strncmp(change, "aborted", 7);
}

// Nothing is done before a hook is asked for. A hook that was due may be over with its state. The end has
// a second place in the store, the release.
static bool dies_before(void)
{
	if (getenv("ZDD_KILLER_ALL"))
		return !is_hook(pending, "-due");
	return is_hook(pending, "-done") || is_hook(last, "-due") || !strncmp(pending, "stable", 6);
}

// Nothing is begun after a hook.
static bool dies_after(void)
{
	if (getenv("ZDD_KILLER_ALL"))
		return !is_hook(pending, "-done");
	return !is_hook(pending, "-d") && !is_end(pending);
}

int sqlite3_bind_text(struct sqlite3_stmt *stmt, int i, const char *text, int n,
		      void (*gone)(void *))
{
	bind_fn *real = (bind_fn *)dlsym(RTLD_NEXT, "sqlite3_bind_text");

	if (i == 2 && text && strstr(text, "\"rollout\":{\"") && strstr(text, "\"shares\":"))
		read_change(text, pending);
	return real(stmt, i, text, n, gone);
}

int sqlite3_exec(struct sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **),
		 void *context, char **error)
{
	exec_fn *real = (exec_fn *)dlsym(RTLD_NEXT, "sqlite3_exec");
	bool commits = *pending && !strcmp(sql, "COMMIT");
	int err;

	if (commits && dies_before())
		die_once("before");
	err = real(db, sql, row, context, error);
	if (!commits)
		return err;
	if (dies_after())
		die_once("after");
	memcpy(last, pending, sizeof(last));
	*pending = '\0';
	return err;
}
