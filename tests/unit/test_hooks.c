/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks with real programs: each row is a shell script and what must become of it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "hooks.h"
#include "t.h"

static char directory[] = "/tmp/zdd-hooks.XXXXXX";

__attribute__((constructor)) static void begin(void)
{
	signal(SIGPIPE, SIG_IGN); /* as the daemon does: a hook must not inherit it */
	signal(SIGUSR1, SIG_IGN);
	if (!mkdtemp(directory) || chmod(directory, 0777))
		abort();
}

__attribute__((destructor)) static void end(void)
{
	rmdir(directory);
}

/* ---- one hook ---- */

static struct {
	struct hook *hook;
	bool done;
	enum hook_result result;
	char text[ROLLOUT_WHY];
	double took_ms;
} seen;

static void done(void *context, enum hook_result result, const char *text)
{
	uv_stop(context);
	seen.done = true;
	seen.result = result;
	snprintf(seen.text, sizeof(seen.text), "%s", text);
}

static uv_loop_t *the_loop(void)
{
	return uv_default_loop();
}

struct row {
	const char *name, *script; /* given to sh -c; $0 is the test's directory */
	enum hook_result result;
	const char *text; /* what follows "gate hook sh: " */
	uint32_t timeout_ms;
	double least_ms, most_ms;
};

static void start(const char *script, uint32_t timeout_ms, char *user, json_t *details)
{
	char *argv[] = {"sh", "-c", (char *)script, directory, NULL};
	struct cfg_hooks cfg = {
		.argv = {[HOOK_GATE] = argv}, .user = user, .timeout_ms = timeout_ms};
	struct hook_call call = {.kind = HOOK_GATE,
				 .cfg = &cfg,
				 .service = "shop",
				 .pool = "green",
				 .previous = "blue",
				 .preview = "203.0.113.10:8443/tcp",
				 .token = "7-2-gate",
				 .step = 2,
				 .share = 1250,
				 .details = details};

	memset(&seen, 0, sizeof(seen));
	uv_update_time(the_loop());
	seen.hook = hook_start(the_loop(), &call, done, the_loop());
	CHECK(seen.hook);
	CHECK(!seen.done);
}

static void run(const char *script, uint32_t timeout_ms, char *user, json_t *details)
{
	double began = (double)uv_hrtime() / 1e6;

	alarm(30); /* a hook that holds us is the end of the test */
	start(script, timeout_ms, user, details);
	while (!seen.done && uv_run(the_loop(), UV_RUN_DEFAULT))
		;
	alarm(0);
	seen.took_ms = (double)uv_hrtime() / 1e6 - began;
	CHECK(seen.done);
}

/* What the script wrote to the file of the test's directory, which is then gone. */
static const char *wrote(const char *name)
{
	static char text[4096];
	char path[300];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "r");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		unlink(path);
	}
	text[n] = '\0';
	return text;
}

/* ---- what becomes of it ---- */

enum { LONG = 60000, SHORT = 300 };

static const struct row rows[] = {
	{"good", "exit 0", HOOK_OK, "exit status 0", LONG},
	{"its output on success", "echo fine; exit 0", HOOK_OK, "exit status 0: fine", LONG},
	{"bad", "echo this; echo that >&2; exit 3", HOOK_FAILED, "exit status 3: that", LONG},
	{"no standard error", "echo one; echo two; echo; exit 1", HOOK_FAILED, "exit status 1: two",
	 LONG},
	{"no newline", "printf 'a\\nb' >&2; exit 1", HOOK_FAILED, "exit status 1: b", LONG},
	{"not text", "printf 'a\\001\\000\\377\\n' >&2; exit 1", HOOK_FAILED, "exit status 1: a  ?",
	 LONG},
	{"UTF-8", "printf 'gr\\303\\274n\\n' >&2; exit 1", HOOK_FAILED,
	 "exit status 1: gr\303\274n", LONG},
	{"a signal", "kill -9 $$", HOOK_FAILED, "ended by signal 9", LONG},
	{"SIGPIPE is as usual", "yes | head -1 >/dev/null; kill -PIPE $$", HOOK_FAILED,
	 "ended by signal 13", LONG},
	{"SIGUSR1 is as usual", "kill -USR1 $$", HOOK_FAILED, "ended by signal 10", LONG},
	{"much output", "yes | head -c 3000000; yes e | head -c 3000000 >&2; echo last >&2; exit 1",
	 HOOK_FAILED, "exit status 1: last", LONG},
	{"does not end", "sleep 1000", HOOK_FAILED, "did not end in 300ms, killed", SHORT, 2000,
	 6000},
	{"has no mercy of its own", "trap '' TERM; echo no >&2; while :; do sleep 0.1; done",
	 HOOK_FAILED, "did not end in 300ms, killed: no", SHORT, 2000, 6000},
	{"nobody reads", "exec <&-; exit 0", HOOK_OK, "exit status 0", LONG},
	{"leaves one that holds the pipes", "sleep 1000 & echo $! >$0/pid; exit 0", HOOK_OK,
	 "exit status 0", LONG, 0, 10000},
	{"leaves one that writes", "yes & echo $! >$0/pid; echo y; exit 4", HOOK_FAILED,
	 "exit status 4: y", LONG, 0, 10000},
	{"not yet, until it is late", "echo soon >&2; exit 75", HOOK_FAILED,
	 "said 1 times that it is not yet time, for 300ms: soon", SHORT, 250, 5000},
	{"the shell's own not found", "exec /no/such", HOOK_FAILED, NULL, LONG},
};

static void end_what_is_left(void)
{
	int pid = atoi(wrote("pid"));

	if (pid > 1)
		CHECK(!kill(pid, SIGKILL));
}

TEST(results)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		char text[ROLLOUT_WHY];

		ROW("%s", row->name);
		run(row->script, row->timeout_ms, NULL, NULL);
		CHECK_INT(seen.result, row->result);
		snprintf(text, sizeof(text), "gate hook sh: %s", row->text);
		if (row->text)
			CHECK_STR(seen.text, text);
		CHECK(seen.took_ms >= row->least_ms);
		CHECK(!row->most_ms || seen.took_ms <= row->most_ms);
		CHECK_INT(waitpid(-1, NULL, WNOHANG), -1); /* no zombie stays */
		end_what_is_left();
	}
}

/* ---- what it is told ---- */

TEST(environment)
{
	run("env -u PWD -u SHLVL -u _ -u OLDPWD | sort >$0/env", LONG, NULL, NULL);
	CHECK_STR(wrote("env"),
		  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
		  "ZDD_BACKEND=\nZDD_HOOK=gate\nZDD_POOL=green\nZDD_PREVIEW=203.0.113.10:8443/tcp\n"
		  "ZDD_PREVIOUS=blue\nZDD_RESULT=\nZDD_SERVICE=shop\nZDD_SHARE=12.5\nZDD_STEP=2\n"
		  "ZDD_TOKEN=7-2-gate\n");
}

TEST(input)
{
	json_t *details = json_pack("{s:s}", "why", "a test"), *got, *want;

	run("cat >$0/input; cat /dev/stdin >>$0/input", LONG, NULL, details);
	got = json_loads(wrote("input"), JSON_DISABLE_EOF_CHECK, NULL);
	want = json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:n, s:s, s:n, s:s, s:O}", "hook", "gate",
			 "service", "shop", "pool", "green", "previous", "blue", "step", 2, "share",
			 12.5, "backend", "preview", "203.0.113.10:8443/tcp", "result", "token",
			 "7-2-gate", "details", details);
	CHECK(json_equal(got, want));
	json_decref(got);
	json_decref(want);
	json_decref(details);
}

TEST(surroundings)
{
	int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as libraries have them */

	run("exec >$0/about; pwd; ls /proc/self/fd | tr '\\n' ' '; umask; "
	    "ps -o pid=,pgid=,sid= $$ | awk '{ print $1 == $2, $2 == $3 }'",
	    LONG, NULL, NULL);
	CHECK_STR(wrote("about"), "/\n0 1 2 3 0022\n1 1\n");
	close(leak);
}

/* ---- again, cancelled ---- */

TEST(not_yet_and_then)
{
	run("echo x >>$0/times; [ $(wc -l <$0/times) -ge 2 ] || exit 75", LONG, NULL, NULL);
	CHECK_INT(seen.result, HOOK_OK);
	CHECK(seen.took_ms >= 4900 && seen.took_ms < 15000);
	CHECK_STR(wrote("times"), "x\nx\n");
}

static void tick(uv_timer_t *timer)
{
	(void)timer;
}

/* Runs the loop until the condition holds, ten seconds at most. */
static bool comes(bool (*holds)(void))
{
	uint64_t until = uv_hrtime() + 10000000000;
	uv_timer_t timer;

	uv_timer_init(the_loop(), &timer);
	uv_timer_start(&timer, tick, 10, 10);
	uv_unref((uv_handle_t *)&timer); /* for the one who waits for an empty loop */
	while (!holds() && uv_hrtime() < until)
		if (!uv_run(the_loop(), UV_RUN_ONCE))
			usleep(1000);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(the_loop(), UV_RUN_NOWAIT);
	return holds();
}

static int pid_of_hook, pid_of_other;

static bool has_written(void)
{
	char path[300];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/pids", directory);
	f = fopen(path, "r");
	n = f ? fscanf(f, "%d %d", &pid_of_hook, &pid_of_other) : 0;
	if (f)
		fclose(f);
	return n == 2;
}

static bool both_are_gone(void)
{
	return kill(pid_of_hook, 0) && kill(pid_of_other, 0);
}

static bool loop_is_empty(void)
{
	return !uv_loop_alive(the_loop());
}

TEST(cancelled)
{
	static const struct {
		const char *name, *script;
	} cases[] = {
		{"heeds SIGTERM", "sleep 1000 & echo $$ $! >$0/pids; wait"},
		{"does not",
		 "trap '' TERM; sleep 1000 & echo $$ $! >$0/pids; while :; do wait; done"},
		{"its child does not",
		 "(trap '' TERM; exec sleep 1000) & echo $$ $! >$0/pids; wait"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ROW("%s", cases[i].name);
		start(cases[i].script, LONG, NULL, NULL);
		CHECK(comes(has_written));
		CHECK(!kill(pid_of_hook, 0));
		hook_cancel(seen.hook);
		CHECK(comes(both_are_gone));
		CHECK(comes(loop_is_empty));
		CHECK(!seen.done);
		wrote("pids");
	}
}

TEST(cancelled_before_it_began)
{
	start("echo >$0/ran", LONG, NULL, NULL);
	hook_cancel(seen.hook);
	CHECK(comes(loop_is_empty));
	CHECK(!seen.done);
	CHECK_STR(wrote("ran"), "");
}

/* ---- as somebody else, and after the daemon ---- */

TEST(user)
{
	struct passwd *nobody = getpwnam("nobody");
	char *error = NULL, want[100];
	struct cfg_service service = {.name = "shop",
				      .rollout.hooks = {.user = "no-such-user", .user_line = 12}};
	struct config c = {.services = &service, .n_services = 1};

	CHECK_INT(hooks_check_users(&c, "zdd.yaml", true, &error), -EINVAL);
	CHECK_STR(error, "zdd.yaml:12: services.shop.rollout.hooks.user: 'no-such-user': no such "
			 "user here");
	free(error);
	if (getuid() || !nobody) {
		printf("ok user # SKIP becoming another user needs root and a nobody\n");
		return;
	}
	service.rollout.hooks.user = nobody->pw_name;
	CHECK_INT(hooks_check_users(&c, "zdd.yaml", true, &error), 0);
	CHECK(!setgroups(1, (gid_t[]){4242})); /* a group of ours that it must not have */
	run("id -u >$0/about; id -G >>$0/about; grep CapEff /proc/self/status >>$0/about", LONG,
	    "nobody", NULL);
	snprintf(want, sizeof(want), "%u\n%u\nCapEff:\t0000000000000000\n", nobody->pw_uid,
		 nobody->pw_gid);
	CHECK_STR(wrote("about"), want);
	CHECK_INT(seen.result, HOOK_OK);
	run("exit 0", LONG, "no-such-user", NULL);
	CHECK_STR(seen.text, "gate hook sh: it cannot be started: No such file or directory");
}

TEST(no_such_program)
{
	char *argv[] = {"/no/such/program", NULL};
	struct cfg_hooks cfg = {.argv = {[HOOK_STOP] = argv}, .timeout_ms = LONG};
	struct hook_call call = {
		.kind = HOOK_STOP, .cfg = &cfg, .service = "s", .pool = "p", .token = "t"};

	memset(&seen, 0, sizeof(seen));
	CHECK(hook_start(the_loop(), &call, done, the_loop()));
	while (!seen.done && uv_run(the_loop(), UV_RUN_DEFAULT))
		;
	CHECK_INT(seen.result, HOOK_FAILED);
	CHECK_STR(seen.text,
		  "stop hook /no/such/program: exit status 127: it cannot be run: No such "
		  "file or directory");
}

/* Who starts hooks is killed: the hook is told to end. */
TEST(outlived)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		uv_loop_fork(the_loop());
		start("echo $$ 0 >$0/pids; exec sleep 1000", LONG, NULL, NULL);
		uv_run(the_loop(), UV_RUN_DEFAULT);
		_exit(0);
	}
	CHECK(comes(has_written));
	CHECK(!kill(pid_of_hook, 0));
	pid_of_other = pid;
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(comes(both_are_gone));
	wrote("pids");
}

TEST(nothing_is_left)
{
	CHECK(comes(loop_is_empty));
	CHECK_INT(uv_loop_close(the_loop()), 0);
	CHECK(!rmdir(directory));
}
