/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of the daemon: parts started in order, the loop, parts stopped in reverse. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"
#include "daemon.h"
#include "explain.h"
#include "jobs.h"
#include "log.h"
#include "notify.h"
#include "probe.h"
#include "publish.h"
#include "start.h"
#include "txn.h"

enum { WALK_MS = 100, WALK_PARTS = 10 };

/* What the loop itself watches. */
struct watches {
	uv_signal_t hup, term, interrupt;
	uv_timer_t walk, watchdog;
	uv_poll_t net;
};

static struct daemon the_daemon;
static struct watches the_watches;

/* ---- problems ---- */

void daemon_problem(struct daemon *d, enum problem which, const char *text)
{
	struct event e = {.kind = "problem"};
	char *now = d->problem[which];

	if (!strcmp(now, text ? text : ""))
		return;
	if (text)
		journal_event(d->journal, &e, "%s", text);
	else
		journal_event(d->journal, &e, "over: %s", now);
	snprintf(now, sizeof(d->problem[which]), "%s", text ? text : "");
}

bool daemon_degraded(const struct daemon *d)
{
	for (size_t i = 0; i < PROBLEMS; i++)
		if (d->problem[i][0])
			return true;
	return false;
}

static void store_health(void *context, const char *trouble)
{
	struct daemon *d = context;
	char text[320];

	if (trouble)
		snprintf(text, sizeof(text), "history is not written: %.180s", trouble);
	if (d->journal)
		daemon_problem(d, PROBLEM_STORE, trouble ? text : NULL);
	else if (trouble)
		snprintf(d->problem[PROBLEM_STORE], sizeof(d->problem[0]), "%.255s", text);
}

/* ---- interfaces ---- */

static void tell_missing(struct daemon *d)
{
	struct datapath_interface rows[64];
	size_t n = datapath_interfaces(d->datapath, rows, 64);
	char text[256] = "";

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].mode, "missing") && !text[0])
			snprintf(text, sizeof(text), "interface %s: %s; waiting for it",
				 rows[i].name, rows[i].why);
	daemon_problem(d, PROBLEM_INTERFACE, text[0] ? text : NULL);
}

static int attach(struct daemon *d)
{
	char *error = NULL, text[256];
	int err = datapath_attach(d->datapath, d->world, d->net, &error);

	if (err) {
		snprintf(text, sizeof(text), "not all interfaces are attached: %.200s",
			 error ? error : strerror(-err));
		daemon_problem(d, PROBLEM_INTERFACE, text);
	} else {
		tell_missing(d);
	}
	free(error);
	return err;
}

static bool has_wildcard(const struct world *w)
{
	for (size_t i = 0; i < w->config->n_services; i++)
		for (size_t k = 0; k < w->config->services[i].n_listen; k++)
			if (w->config->services[i].listen[k].any)
				return true;
	return false;
}

static void net_changed(uv_poll_t *poll, int status, int events)
{
	struct daemon *d = poll->data;
	int changed = net_poll(d->net);

	(void)status;
	(void)events;
	if (changed <= 0)
		return;
	if (changed & NET_LINKS)
		attach(d);
	if (changed & NET_ADDRESSES)
		vips_follow(d);
	datapath_resolve(d->datapath, d->world, d->net);
	if (changed & NET_ADDRESSES && has_wildcard(d->world))
		publisher_soon(d->publisher);
}

void daemon_adopt_world(struct daemon *d, struct world *next)
{
	struct world *before = d->world;

	next->generation =
		next->generation > before->generation ? next->generation : before->generation;
	d->world = next;
	probes_follow(d->probes, next);
	world_free(before);
	attach(d);
	vips_follow(d);
	datapath_resolve(d->datapath, d->world, d->net);
}

/* ---- reload ---- */

char *read_file(const char *path, size_t *len, char **error)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n = 0, room = 1 << 16;

	while (f && (text || !n)) {
		char *more = realloc(text, room + 1);

		if (!more)
			break;
		text = more;
		n += fread(text + n, 1, room - n, f);
		if (n < room)
			break;
		room *= 2;
	}
	if (!f || ferror(f) || !text) {
		explain(error, -errno, "%s: %s", path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	if (text)
		text[n] = '\0';
	*len = n;
	return text;
}

static void reloaded(void *context, json_t *answer)
{
	struct daemon *d = context;
	int outcome = (int)json_integer_value(json_object_get(answer, "exit"));
	const char *text = json_string_value(json_object_get(answer, "text"));
	char problem[256];

	snprintf(problem, sizeof(problem), "the file is not in force: %.200s", text);
	daemon_problem(d, PROBLEM_CONFIG, outcome ? problem : NULL);
	if (!outcome)
		log_info("%s: %s", d->options.config, text);
	json_decref(answer);
	notify_ready();
}

void daemon_reload(struct daemon *d, const char *who)
{
	size_t len;
	char *error = NULL, *text = read_file(d->options.config, &len, &error);
	json_t *body, *config = text ? json_stringn(text, len) : NULL;

	notify_reloading();
	if (!config) {
		reloaded(d, plain_answer(OUT_BAD_REQUEST, "%s",
					 error ? error : "it is not UTF-8 text"));
	} else {
		body = json_pack("{s:o, s:s}", "config", config, "file", d->options.config);
		job_start(d->jobs, verb_find("apply"), body, who, reloaded, d);
		json_decref(body);
	}
	free(text);
	free(error);
}

/* ---- what the loop watches ---- */

static void on_hup(uv_signal_t *handle, int number)
{
	(void)number;
	daemon_reload(handle->data, "SIGHUP");
}

static void on_stop(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;

	log_info("%s: ending; the data path stays and forwards plan %llu", strsignal(number),
		 (unsigned long long)d->world->generation);
	d->stopping = true;
	uv_stop(d->loop);
}

static void on_walk(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	datapath_walk(d->datapath, WALK_PARTS);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	notify_watchdog();
}

static void watch_signal(struct daemon *d, uv_signal_t *handle, uv_signal_cb call, int number)
{
	uv_signal_init(d->loop, handle);
	handle->data = d;
	uv_signal_start(handle, call, number);
}

static void watch(struct daemon *d)
{
	struct watches *w = &the_watches;
	uint64_t watchdog_ms = notify_watchdog_ms();

	signal(SIGPIPE, SIG_IGN);
	watch_signal(d, &w->hup, on_hup, SIGHUP);
	watch_signal(d, &w->term, on_stop, SIGTERM);
	watch_signal(d, &w->interrupt, on_stop, SIGINT);
	uv_timer_init(d->loop, &w->walk);
	w->walk.data = d;
	uv_timer_start(&w->walk, on_walk, WALK_MS, WALK_MS);
	uv_timer_init(d->loop, &w->watchdog);
	if (watchdog_ms)
		uv_timer_start(&w->watchdog, on_watchdog, 0, watchdog_ms);
	uv_poll_init(d->loop, &w->net, net_fd(d->net));
	w->net.data = d;
	uv_poll_start(&w->net, UV_READABLE, net_changed);
}

/* ---- start, part by part; each 0 or negative errno with *error one line ---- */

static int make_dir(const char *path, mode_t mode, char **error)
{
	if (!mkdir(path, mode) || errno == EEXIST)
		return 0;
	return explain(error, -errno, "%s: cannot be made: %s", path, strerror(errno));
}

static int start_socket(struct daemon *d, int *fd, char **error)
{
	char path[4096];
	int err = make_dir(d->options.run_dir, 0755, error);

	snprintf(path, sizeof(path), "%s/zddd.sock", d->options.run_dir);
	if (!err)
		err = *fd = listen_unix(path, error);
	return err < 0 ? err : 0;
}

static int start_datapath(struct daemon *d, struct config *config, char **error)
{
	int err = net_open(&d->net, error);

	if (!err)
		err = datapath_open(d->options.bpffs, config, &d->datapath, error);
	if (!err)
		err = world_make(config, NULL, &d->world, error);
	return err;
}

static int start_memory(struct daemon *d)
{
	char *error = NULL;

	/* a state directory that cannot be made is a problem of history, not of traffic */
	if (make_dir(d->options.state_dir, 0700, &error))
		log_warning("%s", error);
	free(error);
	d->store = store_open(d->loop, d->options.state_dir, store_health, d);
	d->journal = d->store ? journal_open(d->store) : NULL;
	if (!d->journal)
		return -ENOMEM;
	d->vips = json_object_get(store_load(d->store, STORE_META, 100), "vips");
	d->vips = json_is_object(d->vips) ? d->vips : json_object();
	return 0;
}

static int start_parts(struct daemon *d)
{
	d->publisher = publisher_make(d);
	d->jobs = jobs_make(d);
	d->probes = probes_make(d);
	d->sampler = sampler_make(d);
	d->drains = drains_make(d);
	return d->publisher && d->jobs && d->probes && d->sampler && d->drains ? 0 : -ENOMEM;
}

static void start_metrics(struct daemon *d)
{
	const char *endpoint = d->world->config->metrics;
	char *error = NULL;
	int fd = endpoint ? listen_tcp(endpoint, &error) : -1;

	if (fd >= 0)
		d->metrics = metrics_server_make(d, fd, &error);
	if (error)
		daemon_problem(d, PROBLEM_METRICS, error);
	free(error);
}

/* The first plan: what cannot be published now leaves an older one in force. */
static int start_traffic(struct daemon *d, char **error)
{
	int err;

	start_recall(d);
	vips_follow(d);
	datapath_resolve(d->datapath, d->world, d->net);
	err = publisher_now(d->publisher, error);
	if (err == -EAGAIN) {
		publisher_soon(d->publisher);
		err = 0;
	}
	if (err)
		return err;
	err = attach(d);
	if (err == -EBUSY)
		return explain(error, err, "%s", d->problem[PROBLEM_INTERFACE]);
	start_close_releases(d);
	probes_follow(d->probes, d->world);
	return 0;
}

/* What this start made and nobody else uses goes again. */
static void undo_start(struct daemon *d)
{
	bool made = d->datapath && !datapath_adopted(d->datapath);
	char *error = NULL;

	store_close(d->store);
	datapath_close(d->datapath);
	if (made && datapath_remove(d->options.bpffs, &error))
		log_warning("%s", error ? error : d->options.bpffs);
	free(error);
}

static int start(struct daemon *d, struct config *config, char **error)
{
	int fd = -1, err = start_socket(d, &fd, error);

	if (!err)
		err = privileges_drop();
	if (!err)
		err = start_datapath(d, config, error);
	if (!err)
		err = start_memory(d);
	if (!err)
		err = start_parts(d);
	if (!err)
		err = start_traffic(d, error);
	if (err)
		return err;
	start_metrics(d);
	d->control = control_make(d, fd, error);
	return d->control ? 0 : -EIO;
}

static void stop(struct daemon *d)
{
	notify_stopping();
	jobs_free(d->jobs);
	control_release_watchers(d);
	server_free(d->control);
	server_free(d->metrics);
	probes_free(d->probes);
	store_close(d->store);
	journal_close(d->journal);
	datapath_close(d->datapath);
	net_close(d->net);
	world_free(d->world);
}

static int exit_code(int err)
{
	switch (err) {
	case -EADDRINUSE:
	case -EBUSY:
		return OUT_REFUSED;
	case -EPERM:
	case -EACCES:
		return OUT_NOT_PERMITTED;
	case -EINVAL:
	case -ENAMETOOLONG:
		return OUT_BAD_REQUEST;
	default:
		return OUT_ERROR;
	}
}

static int failed(int err, char *error)
{
	log_error("zddd does not start: %s", error ? error : strerror(-err));
	free(error);
	return exit_code(err);
}

int daemon_run(const struct options *options, struct config *config)
{
	struct daemon *d = &the_daemon;
	char *error = NULL;
	int err;

	d->options = *options;
	d->loop = uv_default_loop();
	d->started_ms = wall_ms();
	err = start(d, config, &error);
	if (err) {
		undo_start(d);
		return failed(err, error);
	}
	watch(d);
	log_info("ready: %zu services, plan %llu", d->world->config->n_services,
		 (unsigned long long)d->world->generation);
	notify_ready();
	uv_run(d->loop, UV_RUN_DEFAULT);
	stop(d);
	return 0;
}

static void remove_vips(struct daemon *d)
{
	json_t *meta;

	d->store = store_open(d->loop, d->options.state_dir, store_health, d);
	meta = d->store ? store_load(d->store, STORE_META, 100) : NULL;
	vips_remove(d->net, json_object_get(meta, "vips"));
	if (d->store)
		store_put(d->store, STORE_META, "vips", NULL);
	store_close(d->store);
	json_decref(meta);
}

int daemon_remove(const struct options *options)
{
	struct daemon *d = &the_daemon;
	char *error = NULL;
	int fd = -1, err;

	d->options = *options;
	d->loop = uv_default_loop();
	err = start_socket(d, &fd, &error); /* a live daemon is asked to end first */
	if (!err)
		err = datapath_remove(options->bpffs, &error);
	if (!err)
		err = net_open(&d->net, &error);
	if (err)
		return failed(err, error);
	if (!access(options->state_dir, F_OK))
		remove_vips(d);
	net_close(d->net);
	log_info("the data path is out of the kernel");
	return 0;
}
