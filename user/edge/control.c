/* SPDX-License-Identifier: BSD-2-Clause */
/* From a path to the function that answers it; changes go to jobs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "daemon.h"
#include "jobs.h"
#include "log.h"

struct route {
	const char *path;
	route_fn *show;
};

static const struct route routes[] = {{"/v1/state", show_state},       {"/v1/events", show_events},
				      {"/v1/counters", show_counters}, {"/v1/doctor", show_doctor},
				      {"/v1/ready", show_ready},       {"/v1/config", show_config},
				      {"/metrics", show_metrics},      {NULL, NULL}};

/* Below /v1/services/NAME. */
static const struct route service_routes[] = {{"", show_service},       {"/conns", show_conns},
					      {"/cohort", show_cohort}, {"/history", show_history},
					      {"/why", show_why},       {NULL, NULL}};

static const struct route metrics_routes[] = {
	{"/", show_front}, {"/metrics", show_metrics}, {NULL, NULL}};

static const struct route *find_route(const struct route *list, const char *path)
{
	for (; list->path; list++)
		if (!strcmp(list->path, path))
			return list;
	return NULL;
}

static void no_such_path(struct request *r)
{
	request_answer(r, 0, plain_answer(OUT_NOT_FOUND, "no such path: %.200s", r->path));
}

static void show_below_service(struct daemon *d, struct request *r, const char *rest)
{
	char name[ZDD_NAME_MAX];
	size_t len = strcspn(rest, "/");
	const struct route *route = find_route(service_routes, rest + len);

	if (!route || !len || len >= sizeof(name)) {
		no_such_path(r);
		return;
	}
	memcpy(name, rest, len);
	name[len] = '\0';
	route->show(d, r, name);
}

static void look(struct daemon *d, struct request *r)
{
	static const char services[] = "/v1/services/";
	const struct route *route = find_route(routes, r->path);

	if (route)
		route->show(d, r, NULL);
	else if (!strncmp(r->path, services, sizeof(services) - 1))
		show_below_service(d, r, r->path + sizeof(services) - 1);
	else if (verb_find(r->path + (strncmp(r->path, "/v1/", 4) ? 0 : 4)))
		request_answer(r, 405, plain_answer(OUT_BAD_REQUEST, "%s wants POST", r->path));
	else
		no_such_path(r);
}

/* ---- changes ---- */

static const struct verb *verb_of(const char *path)
{
	return strncmp(path, "/v1/", 4) ? NULL : verb_find(path + 4);
}

static void job_done(void *context, json_t *answer)
{
	request_answer(context, 0, answer);
}

static void change(struct daemon *d, struct request *r)
{
	const struct verb *verb = verb_of(r->path);
	json_error_t error;
	json_t *body;

	if (!verb) {
		no_such_path(r);
		return;
	}
	if (r->too_large) {
		request_answer(r, 0,
			       plain_answer(OUT_BAD_REQUEST,
					    "%s: the request is larger than "
					    "%zu MiB",
					    verb_name(verb), verb_body_max(verb) >> 20));
		return;
	}
	body = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, &error);
	if (!body) {
		request_answer(r, 0,
			       plain_answer(OUT_BAD_REQUEST,
					    "%s: not JSON: line %d column "
					    "%d: %s",
					    verb_name(verb), error.line, error.column, error.text));
		return;
	}
	job_start(d->jobs, verb, body, r->who, job_done, r);
	json_decref(body);
}

static size_t body_max(void *context, const char *path)
{
	const struct verb *verb = verb_of(path);

	(void)context;
	return verb ? verb_body_max(verb) : 0;
}

static void handle(void *context, struct request *r)
{
	struct daemon *d = context;
	bool get = !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD");

	if (!r->permitted) {
		log_warning("%s (uid %u) asked %s %s and was refused: not a member of the group",
			    r->who, r->uid, r->method, r->path);
		request_answer(r, 0,
			       plain_answer(OUT_NOT_PERMITTED,
					    "%s may not ask this daemon for anything", r->who));
	} else if (get) {
		look(d, r);
	} else if (!strcmp(r->method, "POST")) {
		change(d, r);
	} else {
		request_answer(
			r, 405,
			plain_answer(OUT_BAD_REQUEST, "%s: GET looks, POST changes", r->method));
	}
}

static void handle_metrics(void *context, struct request *r)
{
	const struct route *route = find_route(metrics_routes, r->path);

	if (strcmp(r->method, "GET") && strcmp(r->method, "HEAD"))
		request_answer_text(r, 405, "text/plain", strdup("only GET\n"));
	else if (route)
		route->show(context, r, NULL);
	else
		request_answer_text(r, 404, "text/plain", strdup("there are / and /metrics\n"));
}

struct server *control_make(struct daemon *d, int fd, char **error)
{
	struct server_hooks hooks = {body_max, handle, d};

	return server_make(d->loop, fd, &hooks, error);
}

static size_t no_body(void *context, const char *path)
{
	(void)context;
	(void)path;
	return 0;
}

struct server *metrics_server_make(struct daemon *d, int fd, char **error)
{
	struct server_hooks hooks = {no_body, handle_metrics, d};

	return server_make(d->loop, fd, &hooks, error);
}
