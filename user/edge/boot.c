/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's parts, started in order and stopped in reverse. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "applied.h"
#include "control.h"
#include "daemon.h"
#include "explain.h"
#include "hooks.h"
#include "jobs.h"
#include "log.h"
#include "notify.h"
#include "privileges.h"
#include "probe.h"
#include "publish.h"
#include "removal.h"
#include "rollouts.h"
#include "start.h"
#include "txn.h"

enum { META_MAX = 100 };

static struct daemon the_daemon;

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
	json_t *meta;

	/* a state directory that cannot be made is a problem of history, not of traffic */
	if (make_dir(d->options.state_dir, 0700, &error))
		log_warning("%s", error);
	free(error);
	d->store = store_open(d->loop, d->options.state_dir, daemon_store_health, d);
	d->journal = d->store ? journal_open(d->store) : NULL;
	if (!d->journal)
		return -ENOMEM;
	meta = store_load(d->store, STORE_META, META_MAX);
	d->vips = json_object_get(meta, "vips");
	d->vips = json_is_object(d->vips) ? json_incref(d->vips) : json_object();
	json_decref(meta);
	return 0;
}

static int start_parts(struct daemon *d)
{
	d->publisher = publisher_make(d);
	d->jobs = jobs_make(d);
	d->probes = probes_make(d);
	d->sampler = sampler_make(d);
	d->removal = removal_make(d);
	d->drains = drains_make(d);
	d->holds = holds_make(d);
	d->signals = signals_make(d);
	d->slow_starts = slow_starts_make(d);
	d->rollouts = rollouts_make(d);
	return d->publisher && d->jobs && d->probes && d->sampler && d->removal && d->drains &&
			       d->holds && d->signals && d->slow_starts && d->rollouts
		       ? 0
		       : -ENOMEM;
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
	daemon_problem(d, PROBLEM_DATAPATH, datapath_problem(d->datapath));
	vips_follow(d);
	datapath_resolve(d->datapath, d->world, d->net);
	err = publisher_now(d->publisher, error);
	if (err == -EAGAIN) {
		publisher_soon(d->publisher);
		err = 0;
	}
	if (err)
		return err;
	err = daemon_attach(d);
	if (err == -EBUSY)
		return explain(error, err, "%s", d->problem[PROBLEM_INTERFACE]);
	start_close_releases(d);
	numbers_count(d); /* what drains is not empty because nobody has looked yet */
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

static int start(struct daemon *d, struct config *config, const char *text, char **error)
{
	int fd = -1, err = start_socket(d, &fd, error);

	if (!err)
		err = privileges_drop(hooks_take_users(config));
	if (!err)
		err = start_memory(d);
	if (!err)
		err = applied_begin(d, text, &config) ? 0 : -ENOMEM;
	if (!err)
		err = start_datapath(d, config, error);
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
	d->jobs = NULL;
	rollouts_free(d->rollouts);
	control_release_watchers(d);
	server_free(d->control);
	server_free(d->metrics);
	probes_free(d->probes);
	publisher_end(d->publisher);
	store_close(d->store);
	journal_close(d->journal);
	datapath_close(d->datapath);
	net_close(d->net);
	json_decref(d->vips);
	applied_free(d->applied);
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

int daemon_run(const struct options *options, struct config *config, const char *text)
{
	struct daemon *d = &the_daemon;
	char *error = NULL;
	int err;

	d->options = *options;
	d->loop = uv_default_loop();
	d->started_ms = wall_ms();
	err = start(d, config, text, &error);
	if (err) {
		undo_start(d);
		return failed(err, error);
	}
	daemon_watch(d);
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

	d->store = store_open(d->loop, d->options.state_dir, daemon_store_health, d);
	meta = d->store ? store_load(d->store, STORE_META, META_MAX) : NULL;
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
