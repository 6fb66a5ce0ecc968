/* SPDX-License-Identifier: BSD-2-Clause */
/* exec: a program without a shell ends with 0. It is its own process group, killed as one. */
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"

struct exec_attempt {
	uv_process_t process;
	struct probe *probe; /* NULL: nobody waits for it any more */
};

static void exec_free(uv_handle_t *handle)
{
	free(handle->data);
}

static void exec_cancel(struct probe *p)
{
	struct exec_attempt *a = p->attempt;

	kill(-a->process.pid, SIGKILL);
	a->probe = NULL;
}

static void exec_ended(uv_process_t *process, int64_t status, int signal)
{
	struct exec_attempt *a = process->data;
	struct probe *p = a->probe;
	char error[64];

	uv_close((uv_handle_t *)process, exec_free);
	if (!p)
		return;
	if (signal)
		snprintf(error, sizeof(error), "ended by signal %d", signal);
	else
		snprintf(error, sizeof(error), "exit status %d", (int)status);
	probe_done(p, !signal && !status, error);
}

enum { VARIABLE = 160 };

void probe_exec(struct probe *p)
{
	struct exec_attempt *a = calloc(1, sizeof(*a));
	char service[VARIABLE], pool[VARIABLE], backend[VARIABLE],
		path[] = "PATH=/usr/local/sbin:"
			 "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char *env[] = {path, service, pool, backend, NULL};
	uv_process_options_t options = {.exit_cb = exec_ended,
					.file = p->service->cfg->health.argv[0],
					.args = p->service->cfg->health.argv,
					.env = env,
					.flags = UV_PROCESS_DETACHED,
					.cwd = "/"};
	int err;

	if (!a) {
		probe_done(p, false, "out of memory");
		return;
	}
	snprintf(service, sizeof(service), "ZDD_SERVICE=%s", p->service->cfg->name);
	snprintf(pool, sizeof(pool), "ZDD_POOL=%s", p->pool->cfg->name);
	snprintf(backend, sizeof(backend), "ZDD_BACKEND=%s", p->backend->cfg->text);
	a->process.data = a;
	a->probe = p;
	p->attempt = a;
	p->cancel = exec_cancel;
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); /* libcurl's own are not */
	err = uv_spawn(p->timer.loop, &a->process, &options);
	if (!err)
		return;
	a->probe = NULL;
	uv_close((uv_handle_t *)&a->process, exec_free);
	probe_done(p, false, uv_strerror(err));
}
