/* SPDX-License-Identifier: BSD-2-Clause */
/* What the paths that only look answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "control.h"
#include "daemon.h"
#include "jobs.h"
#include "metrics.h"
#include "publish.h"
#include "saved.h"

enum { INTERFACES_MAX = 256, CONNS_LIMIT = 1000, HISTORY_LIMIT = 1000 };

/* Answers "no such service" itself. */
static const struct world_service *service_of(struct daemon *d, struct request *r, const char *name)
{
	const struct world_service *s = world_find(d->world, name);

	if (!s)
		request_answer(r, 0, plain_answer(OUT_NOT_FOUND, "no service '%s'", name));
	return s;
}

static json_t *problems(const struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < PROBLEMS; i++)
		if (d->problem[i][0])
			json_array_append_new(list, json_string(d->problem[i]));
	return list;
}

static json_t *interfaces(const struct daemon *d)
{
	struct datapath_interface rows[INTERFACES_MAX];
	size_t n = datapath_interfaces(d->datapath, rows, INTERFACES_MAX);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", rows[i].name,
						      "mode", rows[i].mode, "why", rows[i].why));
	return list;
}

void show_state(struct daemon *d, struct request *r, const char *service)
{
	struct numbers n = numbers_now(d);

	(void)service;
	request_answer(r, 200,
		       json_pack("{s:I, s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "generation",
				 (json_int_t)d->world->generation, "version", ZDD_VERSION, "state",
				 daemon_degraded(d) ? "degraded" : "ok", "adopted",
				 datapath_adopted(d->datapath), "started", view_time(d->started_ms),
				 "problems", problems(d), "interfaces", interfaces(d), "services",
				 view_services(d->world, &n)));
}

void show_service(struct daemon *d, struct request *r, const char *service)
{
	const struct world_service *s = service_of(d, r, service);
	struct numbers n = numbers_now(d);

	if (s)
		request_answer(r, 200, view_service(d->world, s, &n));
}

static size_t limit_of(struct request *r, size_t otherwise)
{
	const char *text = request_query(r, "limit");

	return text ? strtoul(text, NULL, 10) : otherwise;
}

void show_conns(struct daemon *d, struct request *r, const char *service)
{
	const struct world_service *s = service_of(d, r, service);
	struct conns_query q = {service, request_query(r, "pool"), request_query(r, "backend"),
				limit_of(r, CONNS_LIMIT), request_query(r, "draining") != NULL};

	if (!s)
		return;
	if (q.pool && !world_find_pool(s, q.pool))
		request_answer(r, 0,
			       plain_answer(OUT_NOT_FOUND, "no pool in %s called '%.64s'", service,
					    q.pool));
	else
		request_answer(r, 200, conns_of(d, &q));
}

void show_cohort(struct daemon *d, struct request *r, const char *service)
{
	const struct world_service *s = service_of(d, r, service);
	const char *text = request_query(r, "address");
	struct zdd_addr address;

	if (!s)
		return;
	if (!text || parse_address(text, &address))
		request_answer(r, 0,
			       plain_answer(OUT_BAD_REQUEST,
					    "address: '%.64s': expected an IP address",
					    text ? text : ""));
	else
		request_answer(r, 200, view_cohort(s, text, &address));
}

void show_history(struct daemon *d, struct request *r, const char *service)
{
	json_t *releases = journal_releases(d->journal, service, limit_of(r, HISTORY_LIMIT));

	/* a service that was removed has its history still */
	if (json_array_size(releases) || service_of(d, r, service))
		request_answer(r, 200, json_pack("{s:o}", "releases", releases));
	else
		json_decref(releases);
}

void show_why(struct daemon *d, struct request *r, const char *service)
{
	const struct world_service *s = service_of(d, r, service);
	struct numbers n = numbers_now(d);

	if (s)
		request_answer(
			r, 200,
			json_pack("{s:s, s:o}", "service", service, "text", view_why(s, &n)));
}

void show_counters(struct daemon *d, struct request *r, const char *service)
{
	struct zdd_count_row row = datapath_counts(d->datapath);

	(void)service;
	request_answer(r, 200, view_counters(&row));
}

void show_doctor(struct daemon *d, struct request *r, const char *service)
{
	(void)service;
	request_answer(r, 200, doctor_report(d));
}

/* What keepalived or a BGP speaker asks: may traffic come here? */
const char *not_ready(struct daemon *d, char *out, size_t size)
{
	struct datapath_interface rows[INTERFACES_MAX];
	size_t n = datapath_interfaces(d->datapath, rows, INTERFACES_MAX), attached = 0;

	for (size_t i = 0; i < n; i++)
		attached += strcmp(rows[i].mode, "missing") != 0;
	if (!d->world->generation) {
		snprintf(out, size, "no plan is published yet");
		return out;
	}
	if (!attached) {
		snprintf(out, size, "no interface is attached");
		return out;
	}
	for (size_t i = 0; i < d->world->config->n_services; i++) {
		const struct world_service *s = &d->world->services[i];

		if (pool_takes_new(s, &s->pools[s->live], 0))
			continue;
		snprintf(out, size, "nothing in %s/%s takes new flows", s->cfg->name,
			 s->pools[s->live].cfg->name);
		return out;
	}
	return NULL;
}

void show_ready(struct daemon *d, struct request *r, const char *service)
{
	char why[256];
	const char *not = not_ready(d, why, sizeof(why));

	(void)service;
	request_answer(r, 200,
		       json_pack("{s:b, s:s}", "ready", !not, "text",
				 not ? not : "every service takes new flows"));
}

void show_config(struct daemon *d, struct request *r, const char *service)
{
	(void)service;
	request_answer(r, 200, world_saved(d->world));
}

void show_metrics(struct daemon *d, struct request *r, const char *service)
{
	struct zdd_count_row row = datapath_counts(d->datapath);
	struct numbers n = numbers_now(d);
	struct metrics_facts facts = {
		.version = ZDD_VERSION,
		.adopted = datapath_adopted(d->datapath),
		.degraded = daemon_degraded(d),
		.started_ms = d->started_ms,
		.publishes = publisher_count(d->publisher),
	};

	(void)service;
	request_answer_text(r, 200, "text/plain; version=0.0.4",
			    metrics_text(d->world, &n, &row, &facts));
}

void show_front(struct daemon *d, struct request *r, const char *service)
{
	(void)d;
	(void)service;
	request_answer_text(r, 200, "text/html",
			    strdup("<!doctype html><title>zddd</title>"
				   "<p>zddd " ZDD_VERSION ": <a href=\"/metrics\">metrics</a>\n"));
}
