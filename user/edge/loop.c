/* SPDX-License-Identifier: BSD-2-Clause */
/* What the running daemon watches: signals, the network, its own problems. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "explain.h"
#include "jobs.h"
#include "log.h"
#include "notify.h"
#include "probe.h"
#include "publish.h"
#include "txn.h"

enum {
	ABILITIES_MS = 3000,
	WALK_MS = 100,
	WALK_PARTS = 10,
	INTERFACES_SHOWN = 64,
	ROOM_LOOKS = 10
};

/* What the loop itself watches. */
struct watches {
	uv_signal_t hup, term, interrupt;
	uv_timer_t walk, watchdog, abilities;
	uv_poll_t net, wake;
};

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
		if (i != PROBLEM_DRIFT && d->problem[i][0])
			return true;
	return false;
}

void daemon_store_health(void *context, const char *trouble)
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

/* An interface that is not there, or not attached in the way that was asked for by name. */
static const char *interface_trouble(const struct daemon *d, const struct datapath_interface *row)
{
	const struct config *c = d->world->config;

	if (!strcmp(row->mode, "missing") || !strcmp(row->mode, "failed"))
		return "waiting for it";
	for (size_t i = 0; i < c->n_interfaces; i++)
		if (!strcmp(c->interfaces[i].name, row->name) &&
		    c->interfaces[i].attach != ATTACH_AUTO &&
		    strcmp(row->mode, attach_words[c->interfaces[i].attach]))
			return "tc is used instead of XDP";
	return strstr(row->why, "another XDP") ? "tc is used instead" : NULL;
}

static void tell_interfaces(struct daemon *d)
{
	struct datapath_interface rows[INTERFACES_SHOWN];
	size_t n = datapath_interfaces(d->datapath, rows, INTERFACES_SHOWN);
	char text[240] = "";

	for (size_t i = 0; i < n && !text[0]; i++) {
		const char *trouble = interface_trouble(d, &rows[i]);

		if (trouble)
			snprintf(text, sizeof(text), "interface %.15s: %.95s; %s", rows[i].name,
				 rows[i].why, trouble);
	}
	daemon_problem(d, PROBLEM_INTERFACE, text[0] ? text : NULL);
}

int daemon_attach(struct daemon *d)
{
	char *error = NULL, text[256];
	int err = datapath_attach(d->datapath, d->world, d->net, &error);

	if (err) {
		snprintf(text, sizeof(text), "not all interfaces are attached: %.200s",
			 error ? error : strerror(-err));
		daemon_problem(d, PROBLEM_INTERFACE, text);
	} else {
		tell_interfaces(d);
	}
	free(error);
	return err;
}

const struct cfg_interface *daemon_missing_interface(const struct daemon *d,
						     const struct world *next)
{
	for (size_t i = 0; i < next->config->n_interfaces; i++) {
		const struct cfg_interface *f = &next->config->interfaces[i];
		bool known = net_link_named(d->net, f->name) != NULL;

		for (size_t k = 0; k < d->world->config->n_interfaces && !known; k++)
			known = !strcmp(d->world->config->interfaces[k].name, f->name);
		if (!known)
			return f;
	}
	return NULL;
}

static bool has_address(const struct cfg_snat *s, const struct zdd_addr *addr)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (zdd_addr_eq(&s->addresses[i].addr, addr))
			return true;
	return false;
}

const struct cfg_address *daemon_missing_address(const struct daemon *d, const struct world *next)
{
	const struct cfg_snat *s = &next->config->snat;

	for (size_t i = 0; i < s->n_addresses; i++)
		if (!net_is_local(d->net, &s->addresses[i].addr) &&
		    !has_address(&d->world->config->snat, &s->addresses[i].addr))
			return &s->addresses[i];
	return NULL;
}

static bool has_wildcard(const struct world *w)
{
	for (size_t i = 0; i < w->config->n_services; i++)
		for (size_t k = 0; k < w->config->services[i].n_listen; k++)
			if (w->config->services[i].listen[k].any)
				return true;
	return false;
}

static void woken(uv_poll_t *poll, int status, int events)
{
	struct daemon *d = poll->data;

	(void)status;
	(void)events;
	datapath_woken(d->datapath);
}

static void watch_wake(struct daemon *d, uv_poll_t *poll)
{
	int fd = datapath_wake_fd(d->datapath);

	if (fd < 0) {
		log_warning("fragments that come before their first one are lost here: %s",
			    strerror(-fd));
		return;
	}
	uv_poll_init(d->loop, poll, fd);
	poll->data = d;
	uv_poll_start(poll, UV_READABLE, woken);
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
		daemon_attach(d);
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
	daemon_attach(d);
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

/* Said until half a minute has passed without one. */
static void sight(struct daemon *d, struct sighting *s, uint64_t count, enum problem problem,
		  const char *text)
{
	if (count != s->count) {
		s->looks = ROOM_LOOKS;
		daemon_problem(d, problem, text);
	} else if (s->looks && !--s->looks) {
		daemon_problem(d, problem, NULL);
	}
	s->count = count;
}

static void on_room(struct daemon *d)
{
	struct zdd_count_row row = datapath_counts(d->datapath);

	sight(d, &d->table_full, row.verdict[ZDD_V_TABLE_FULL], PROBLEM_ROOM,
	      "no room in the flow table: new flows are forwarded without state; "
	      "raise flows.tcp or flows.udp");
	sight(d, &d->flood, row.verdict[ZDD_V_SYN_FLOOD], PROBLEM_FLOOD,
	      "SYN flood: more handshakes begin than are completed; SYNs are forwarded without state, "
	      "and connections get it when their handshake is complete");
	sight(d, &d->ports, row.verdict[ZDD_V_SNAT_EXHAUSTED], PROBLEM_PORTS,
	      "no source port was free: new flows of mode snat are dropped; give snat: more "
	      "addresses or ports");
}

/* A device begins or ceases to take XDP redirects without an event (a veth's far end and its GRO). */
static void on_abilities(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	if (net_refresh_links(d->net))
		daemon_attach(d);
	on_room(d);
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

void daemon_watch(struct daemon *d)
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
	uv_timer_init(d->loop, &w->abilities);
	w->abilities.data = d;
	uv_timer_start(&w->abilities, on_abilities, ABILITIES_MS, ABILITIES_MS);
	uv_timer_init(d->loop, &w->watchdog);
	if (watchdog_ms)
		uv_timer_start(&w->watchdog, on_watchdog, 0, watchdog_ms);
	uv_poll_init(d->loop, &w->net, net_fd(d->net));
	w->net.data = d;
	uv_poll_start(&w->net, UV_READABLE, net_changed);
	watch_wake(d, &w->wake);
}
