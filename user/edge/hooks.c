/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "config.h"
#include "explain.h"
#include "hooks.h"
#include "hooks_int.h"
#include "privileges.h"
#include "view.h"

enum { AGAIN_MS = 5000, MERCY_MS = 2000, LINE = 160 };

enum phase { WAITS, RUNS, ENDS };

struct hook {
	enum rollout_hook kind;
	char **argv, **env;
	char *input; /* standard input */
	char *user;  /* NULL: as we are */
	char *unit;  /* of the last attempt; NULL: it is our child */
	uint32_t timeout_ms;
	uint64_t deadline; /* of the loop's clock */
	hook_done_fn *done;
	void *context; /* done NULL: cancelled */

	enum phase phase;
	uv_timer_t timer; /* WAITS: the start; RUNS: the deadline; ENDS: the end of mercy */
	uv_poll_t poll;   /* RUNS, ENDS: of pidfd */
	pid_t pid;        /* 0: none, or ended and waited for */
	int pidfd;        /* -1: none, or its end was seen */
	struct said *out, *err;
	unsigned not_yet; /* so often it said 75 */
};

/* ---- what it is told ---- */

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* The facts, once for both ways: each is ZDD_KEY too. */
static json_t *facts_of(const struct hook_call *call)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:i, s:o, s:o, s:o, s:o, s:s}", "hook",
			 hook_words[call->kind], "service", call->service, "pool", call->pool,
			 "previous", text_or_null(call->previous), "step", (int)call->step, "share",
			 view_share(call->share), "backend", text_or_null(call->backend), "preview",
			 text_or_null(call->preview), "result", text_or_null(call->result), "token",
			 call->token);
}

static char *variable(const char *key, const json_t *value)
{
	char *text = NULL, number[32] = "";

	if (json_is_number(value))
		snprintf(number, sizeof(number), "%.10g", json_number_value(value));
	if (asprintf(&text, "ZDD_%s=%s", key,
		     json_is_string(value) ? json_string_value(value) : number) < 0)
		return NULL;
	for (char *c = text; *c != '='; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	return text;
}

static void free_words(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* words, or NULL when one of the n is missing. */
static char **whole(char **words, size_t n)
{
	for (size_t i = 0; words && i < n; i++)
		if (!words[i]) {
			free_words(words);
			return NULL;
		}
	return words;
}

/* All are there always: a script under `set -u` finds them empty. */
static char **environment(json_t *facts)
{
	char **env = calloc(json_object_size(facts) + 2, sizeof(*env));
	const char *key;
	json_t *value;
	size_t n = 0;

	if (!env)
		return NULL;
	env[n++] = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	json_object_foreach(facts, key, value)
		env[n++] = variable(key, value);
	return whole(env, n);
}

static char *input_of(json_t *facts, const json_t *details)
{
	json_object_set_new(facts, "details", details ? json_deep_copy(details) : json_null());
	return json_dumps(facts, JSON_COMPACT);
}

static char **copy_words(char *const *from)
{
	size_t n = 0;
	char **to;

	while (from[n])
		n++;
	to = calloc(n + 1, sizeof(*to));
	for (size_t i = 0; to && i < n; i++)
		to[i] = strdup(from[i]);
	return whole(to, n);
}

/* ---- its end ---- */

static void hook_free(struct hook *h)
{
	free_words(h->argv);
	free_words(h->env);
	free(h->input);
	free(h->user);
	free(h->unit);
	free(h);
}

static void timer_closed(uv_handle_t *timer)
{
	hook_free(timer->data);
}

static void forget_said(struct hook *h)
{
	said_forget(h->out);
	said_forget(h->err);
	h->out = h->err = NULL;
}

/* what, and the last line it said: of its standard error, or else of its output. */
static void finish(struct hook *h, enum hook_result result, const char *what)
{
	const char *line = h->err ? said_last_line(h->err) : "";
	char text[ROLLOUT_WHY];

	if (!*line && h->out)
		line = said_last_line(h->out);
	snprintf(text, sizeof(text), "%s hook %.100s: %s%s%.*s", hook_words[h->kind], h->argv[0],
		 what, *line ? ": " : "", LINE, line);
	forget_said(h);
	uv_close((uv_handle_t *)&h->timer, timer_closed);
	if (h->done)
		h->done(h->context, result, text);
}

static void finish_late(struct hook *h)
{
	char what[96], timeout[24];

	format_duration(timeout, sizeof(timeout), h->timeout_ms);
	if (h->phase == WAITS)
		snprintf(what, sizeof(what), "said %u times that it is not yet time, for %s",
			 h->not_yet, timeout);
	else
		snprintf(what, sizeof(what), "did not end in %s, killed", timeout);
	finish(h, HOOK_FAILED, what);
}

static void attempt(uv_timer_t *timer);

static void finish_ended(struct hook *h, int status)
{
	uint64_t now = uv_now(h->timer.loop);
	char what[64];

	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL) {
		h->not_yet++;
		h->phase = WAITS;
		uv_timer_start(&h->timer, attempt,
			       now + AGAIN_MS < h->deadline ? AGAIN_MS
			       : h->deadline > now          ? h->deadline - now
							    : 0,
			       0);
		return;
	}
	if (WIFEXITED(status))
		snprintf(what, sizeof(what), "exit status %d", WEXITSTATUS(status));
	else
		snprintf(what, sizeof(what), "ended by signal %d", WTERMSIG(status));
	finish(h, status ? HOOK_FAILED : HOOK_OK, what);
}

static int reap(struct hook *h)
{
	int status = 0;

	while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
	return status;
}

/* ---- while it runs ---- */

/* Its group is of its own making, soon after the fork. A unit has more than our child, who waits for it. */
static void signal_group(const struct hook *h, int number)
{
	if (h->unit)
		hook_unit_signal(h->timer.loop, h->unit, number);
	if (h->unit && number != SIGKILL)
		return;
	if (kill(-h->pid, number))
		kill(h->pid, number);
}

static void poll_closed(uv_handle_t *poll)
{
	struct hook *h = poll->data;

	if (h->phase == RUNS)
		finish_ended(h, reap(h));
	else if (!uv_is_active((uv_handle_t *)&h->timer)) {
		reap(h);
		finish_late(h);
	} /* else others of its group have their mercy; its number is theirs until it is waited for */
}

static void ended(uv_poll_t *poll, int status, int events)
{
	struct hook *h = poll->data;

	(void)status;
	(void)events;
	uv_poll_stop(poll);
	close(h->pidfd);
	h->pidfd = -1;
	uv_close((uv_handle_t *)poll, poll_closed);
}

static void mercy_over(uv_timer_t *timer)
{
	struct hook *h = timer->data;

	signal_group(h, SIGKILL);
	if (h->pidfd >= 0)
		return; /* its end will be seen */
	reap(h);
	finish_late(h);
}

static void end(struct hook *h)
{
	h->phase = ENDS;
	signal_group(h, SIGTERM);
	uv_timer_start(&h->timer, mercy_over, MERCY_MS, 0);
}

static void deadline_over(uv_timer_t *timer)
{
	end(timer->data);
}

/* ---- its start ---- */

/* A file, not a pipe: who does not read it blocks nobody and kills nobody. */
static int input_fd(const struct hook *h)
{
	int fd = memfd_create("zdd-hook", MFD_CLOEXEC);
	size_t len = strlen(h->input);

	if (fd >= 0 && (write(fd, h->input, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void close_all(const int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static int spawn_with(struct hook *h, struct hook_spawn s)
{
	int fd[] = {input_fd(h), -1, -1};
	pid_t pid = -EMFILE;

	h->out = said_open(h->timer.loop, &fd[1]);
	h->err = said_open(h->timer.loop, &fd[2]);
	s.in = fd[0];
	s.out = fd[1];
	s.err = fd[2];
	if (fd[0] >= 0 && h->out && h->err)
		pid = hook_spawn(&s);
	close_all(fd, 3);
	h->pid = pid > 0 ? pid : 0;
	return pid < 0 ? pid : 0;
}

static int spawn_unit(struct hook *h)
{
	char **argv;
	int err;

	free(h->unit);
	h->unit = hook_unit_name();
	argv = h->unit ? hook_unit_argv(h->unit, h->user, h->argv, h->env) : NULL;
	if (!argv)
		return -ENOMEM;
	err = spawn_with(h, (struct hook_spawn){.argv = argv, .env = h->env});
	free_words(argv);
	return err;
}

static int spawn(struct hook *h)
{
	struct hook_user user;
	int err = h->user ? hook_user_find(h->user, &user) : 0;

	if (err)
		return err;
	if (hook_units())
		return spawn_unit(h);
	return spawn_with(h, (struct hook_spawn){.argv = h->argv,
						 .env = h->env,
						 .user = h->user ? &user : NULL});
}

static int watch(struct hook *h)
{
	h->pidfd = pidfd_open(h->pid, 0);
	if (h->pidfd < 0) {
		int err = -errno;

		signal_group(h, SIGKILL);
		reap(h);
		return err;
	}
	uv_poll_init(h->timer.loop, &h->poll, h->pidfd);
	h->poll.data = h;
	return uv_poll_start(&h->poll, UV_READABLE, ended);
}

static void attempt(uv_timer_t *timer)
{
	struct hook *h = timer->data;
	uint64_t now = uv_now(timer->loop);
	char what[96];
	int err;

	if (now >= h->deadline) {
		finish_late(h);
		return;
	}
	forget_said(h);
	err = spawn(h);
	if (!err)
		err = watch(h);
	if (err) {
		snprintf(what, sizeof(what), "it cannot be started: %.60s", strerror(-err));
		finish(h, HOOK_FAILED, what);
		return;
	}
	h->phase = RUNS;
	uv_timer_start(timer, deadline_over, h->deadline - now, 0);
}

static bool copy_call(struct hook *h, const struct hook_call *call)
{
	json_t *facts = facts_of(call);

	h->kind = call->kind;
	h->timeout_ms = call->cfg->timeout_ms;
	h->argv = copy_words(call->cfg->argv[call->kind]);
	h->user = call->cfg->user ? strdup(call->cfg->user) : NULL;
	h->env = facts ? environment(facts) : NULL;
	h->input = facts ? input_of(facts, call->details) : NULL;
	json_decref(facts);
	return h->argv && h->env && h->input && (h->user || !call->cfg->user);
}

struct hook *hook_start(uv_loop_t *loop, const struct hook_call *call, hook_done_fn *done,
			void *context)
{
	struct hook *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	if (!copy_call(h, call)) {
		hook_free(h);
		return NULL;
	}
	h->done = done;
	h->context = context;
	h->pidfd = -1;
	h->deadline = uv_now(loop) + h->timeout_ms;
	uv_timer_init(loop, &h->timer);
	h->timer.data = h;
	uv_timer_start(&h->timer, attempt, 0, 0);
	return h;
}

void hook_cancel(struct hook *h)
{
	h->done = NULL;
	if (h->phase == WAITS)
		finish(h, HOOK_FAILED, "cancelled");
	else if (h->phase == RUNS)
		end(h);
}

bool hooks_take_users(const struct config *c)
{
	for (size_t i = 0; i < c->n_services && !hook_units(); i++)
		if (c->services[i].rollout.hooks.user)
			return true;
	return false;
}

/* NULL: nothing. */
static const char *user_trouble(const char *name, bool become)
{
	struct hook_user user;
	int err = hook_user_find(name, &user);

	if (err)
		return err == -ENOENT ? "no such user here" : strerror(-err);
	if (!become || hook_units() || user.uid == geteuid() || privileges_may_become())
		return NULL;
	return "zddd may not become another user: it gives that up when the file it starts with "
	       "has no `user`; restart it with this one";
}

int hooks_check_users(const struct config *c, const char *file, bool become, char **error)
{
	for (size_t i = 0; i < c->n_services; i++) {
		const struct cfg_hooks *h = &c->services[i].rollout.hooks;
		const char *trouble = h->user ? user_trouble(h->user, become) : NULL;

		if (trouble)
			return explain(error, -EINVAL,
				       "%s:%u: services.%s.rollout.hooks.user: '%s': %s", file,
				       h->user_line, c->services[i].name, h->user, trouble);
	}
	return 0;
}
