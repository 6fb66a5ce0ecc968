/* SPDX-License-Identifier: BSD-2-Clause */
/* fork and exec: libuv's own spawn drops all groups of the user, those that give it its rights too. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "explain.h"
#include "hooks.h"
#include "hooks_int.h"

enum { NAMES = 16 * 1024, NOT_RUN = 127 };

int hook_user_find(const char *name, struct hook_user *user)
{
	struct passwd row, *found;
	char texts[NAMES];
	int err = getpwnam_r(name, &row, texts, sizeof(texts), &found);

	if (err)
		return -err;
	if (!found)
		return -ENOENT;
	user->uid = row.pw_uid;
	user->gid = row.pw_gid;
	user->n_groups = HOOK_GROUPS;
	return getgrouplist(name, row.pw_gid, user->groups, &user->n_groups) < 0 ? -E2BIG : 0;
}

/* ---- in the child: async-signal-safe calls alone, the daemon has threads ---- */

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(NOT_RUN);
}

static void give_up(const char *what)
{
	const char *why = strerrordesc_np(errno);

	say(what);
	say(": ");
	say(why ? why : "unknown error");
	_exit(NOT_RUN);
}

static void take_descriptors(const struct hook_spawn *s)
{
	/* away from 0 to 2 first, should the daemon have been started without those */
	int from[] = {fcntl(s->in, F_DUPFD, 3), fcntl(s->out, F_DUPFD, 3),
		      fcntl(s->err, F_DUPFD, 3)};

	for (int i = 0; i < 3; i++)
		if (dup2(from[i], i) < 0)
			_exit(NOT_RUN);
	close_range(STDERR_FILENO + 1, ~0U, 0);
}

/* Signals as a program expects them: the daemon ignores SIGPIPE, its children must not. */
static void take_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The unit makes the daemon the last one to be killed for memory; that is not for others. */
static void be_ordinary(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) == 1)
		close(fd);
	umask(022);
}

static void become(const struct hook_user *user)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!user)
		return;
	if ((user->uid != geteuid() || user->gid != getegid()) &&
	    (setgroups((size_t)user->n_groups, user->groups) || setgid(user->gid) ||
	     setuid(user->uid)))
		give_up("its user cannot be taken");
}

static void child(const struct hook_spawn *s, pid_t daemon)
{
	take_signals();
	setsid();
	take_descriptors(s);
	be_ordinary();
	become(s->user);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* after another user is taken, which clears it */
	if (getppid() != daemon)
		_exit(NOT_RUN);
	if (chdir("/"))
		give_up("/");
	environ = (char **)s->env;
	execvp(s->argv[0], s->argv);
	give_up("it cannot be run");
}

/* ---- in the daemon ---- */

pid_t hook_spawn(const struct hook_spawn *s)
{
	pid_t daemon = getpid(), pid;
	sigset_t all, before;

	/* no handler of the daemon may run in the child: it would write into the loop's own pipe */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (!pid)
		child(s, daemon);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -errno : pid;
}
