/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs that care for backends and configurations: admin, backend, apply, restore. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "saved.h"
#include "verbs.h"

/* ---- drain, maint, ready ---- */

static int admin_state(const char *word)
{
	for (int i = 0; i <= ADMIN_MAINT; i++)
		if (!strcmp(admin_state_words[i], word))
			return i;
	return -1;
}

static enum outcome no_backend(struct txn *t, const struct world_service *s,
			       const struct world_pool *p, const char *address)
{
	return tell(t->answer, OUT_NOT_FOUND, "no backend %.64s in %s/%s", address, s->cfg->name,
		    p->cfg->name);
}

/* A pool that has traffic keeps one ready backend, unless forced. */
static enum outcome leaves_one(struct txn *t, const struct world_service *s,
			       const struct world_pool *p)
{
	if (!s->share[pool_index(s, p)] || txn_flag(t, "force"))
		return OUT_REACHED;
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (p->backends[i].admin == ADMIN_READY)
			return OUT_REACHED;
	return tell(t->answer, OUT_REFUSED,
		    "%s/%s has traffic and would be left without a ready "
		    "backend; flip first, or force",
		    s->cfg->name, p->cfg->name);
}

/* `ready` ends an ejection too. */
static bool is_so(const struct world_backend *b, enum admin_state state)
{
	return b->admin == state && !(state == ADMIN_READY && backend_is_ejected(b));
}

static void set_admin(struct txn *t, const struct world_service *s, const struct world_pool *p,
		      struct world_backend *b, enum admin_state state)
{
	char place[ENDPOINT_TEXT + ZDD_NAME_MAX + 2], from[sizeof(place) + 8];

	const char *was = admin_state_words[b->admin];

	if (is_so(b, state))
		return;
	if (b->admin == state)
		was = "ejected";
	snprintf(place, sizeof(place), "%.63s/%.55s", p->cfg->name, b->cfg->text);
	snprintf(from, sizeof(from), "%s %s", place, was);
	json_say(t->answer->changes, "%s/%s: %s -> %s", s->cfg->name, place, was,
		 admin_state_words[state]);
	txn_record(t, s->cfg->name, from, admin_state_words[state]);
	if (b->admin != state)
		b->admin_since_ms = t->now_ms;
	b->admin = state;
	b->held_out = b->left_out = false;
	passive_clear(&b->passive);
}

static enum outcome set_admins(struct txn *t, struct world_service *s, struct world_pool *p,
			       struct world_backend *only, enum admin_state state)
{
	enum outcome o = touch(t, s);

	for (size_t i = 0; i < p->cfg->n_backends && !o; i++)
		if (!only || only == &p->backends[i])
			set_admin(t, s, p, &p->backends[i], state);
	if (!o && state != ADMIN_READY)
		o = leaves_one(t, s, p);
	return o;
}

static bool any_differs(const struct world_pool *p, const struct world_backend *only,
			enum admin_state state)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if ((!only || only == &p->backends[i]) && !is_so(&p->backends[i], state))
			return true;
	return false;
}

/* "web/blue/10.0.1.11:8080 drains". */
static enum outcome admin_text(struct txn *t, const struct world_service *s,
			       const struct world_pool *p, const struct world_backend *b,
			       enum admin_state state, const char *already)
{
	static const char *const words[] = {"is ready", "drains", "is in maint"};

	return tell(t->answer, OUT_REACHED, "%s/%s%s%s %s%s", s->cfg->name, p->cfg->name,
		    b ? "/" : "", b ? b->cfg->text : "", words[state], already);
}

enum outcome verb_admin(struct txn *t)
{
	const char *address = txn_text(t, "backend");
	int state = admin_state(txn_text(t, "state"));
	struct world_service *s;
	struct world_backend *b = NULL;
	struct world_pool *p;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	if (!o && state < 0)
		o = tell(t->answer, OUT_BAD_REQUEST, "admin.state: expected ready, drain or maint");
	if (!o)
		o = find_pool(t, s, txn_text(t, "pool"), &p);
	if (!o && address) {
		b = world_find_backend(p, address);
		if (!b)
			o = no_backend(t, s, p, address);
	}
	if (o)
		return o;
	if (!any_differs(p, b, (enum admin_state)state)) {
		o = check_revision(t, s);
		return o ? o : admin_text(t, s, p, b, (enum admin_state)state, " already");
	}
	o = set_admins(t, s, p, b, (enum admin_state)state);
	return o ? o : admin_text(t, s, p, b, (enum admin_state)state, "");
}

/* ---- a new configuration ---- */

/* "FILE:1:2: services.shop..." of a text that no person wrote: the place says nothing. */
static const char *without_place(const char *error)
{
	const char *at = strstr(error, "services.");

	return at ? at : error;
}

static enum outcome take_error(struct txn *t, int err, char *error, bool generated)
{
	if (err == -ENOMEM || !error)
		tell(t->answer, OUT_ERROR, "out of memory");
	else
		tell(t->answer, OUT_BAD_REQUEST, "%s", generated ? without_place(error) : error);
	free(error);
	return t->answer->outcome;
}

static enum outcome remove_service(struct txn *t, const struct world_service *s)
{
	const struct rollout *r = service_rollout(s);

	if (r || s->queued)
		return tell(
			t->answer, OUT_REFUSED,
			"services.%s: is gone, but a rollout of it runs; abort it first, or wait",
			s->cfg->name);
	json_say(t->answer->changes, "removes service %s", s->cfg->name);
	txn_record(t, s->cfg->name, "configured", "removed");
	return may_change(t, s);
}

/* Sentences for what differs, a new revision for each service that does. */
static enum outcome compare_services(struct txn *t)
{
	const struct config *now = t->world->config, *next = t->next->config;
	json_t *changes = t->answer->changes;

	for (size_t i = 0; i < now->n_services; i++) {
		const struct world_service *s = &t->world->services[i];
		enum outcome o =
			world_find(t->next, s->cfg->name) ? OUT_REACHED : remove_service(t, s);

		if (o)
			return o;
	}
	for (size_t i = 0; i < next->n_services; i++) {
		struct world_service *s = &t->next->services[i];
		const struct world_service *was = world_find(t->world, s->cfg->name);
		json_t *before = was ? service_to_json(was->cfg) : NULL;
		json_t *after = service_to_json(s->cfg);
		size_t n = 0;
		enum outcome o = OUT_REACHED;

		json_object_del(before, "live"); /* the switch owns it */
		json_object_del(after, "live");
		if (!was)
			json_say(changes, "adds service %s", s->cfg->name);
		else
			n = json_differences(s->cfg->name, before, after, changes);
		if (n) {
			o = may_change(t, was);
			s->revision++;
		}
		if (n || !was)
			txn_record(t, s->cfg->name, was ? "configured" : "", "changed");
		json_decref(before);
		json_decref(after);
		if (o)
			return o;
	}
	return OUT_REACHED;
}

static enum outcome compare(struct txn *t)
{
	json_t *before = config_to_json(t->world->config), *after = config_to_json(t->next->config);

	json_object_del(before, "services");
	json_object_del(after, "services");
	json_differences("configuration", before, after, t->answer->changes);
	json_decref(before);
	json_decref(after);
	return compare_services(t);
}

/* Makes t->next of config, which is taken or freed. */
static enum outcome adopt_config(struct txn *t, struct config *config, bool generated)
{
	char *error = NULL;
	int err = world_make(config, t->world, &t->next, &error);

	if (err) {
		config_free(config);
		if (err == -EINVAL && error) {
			tell(t->answer, OUT_REFUSED, "%s", error);
			free(error);
			return OUT_REFUSED;
		}
		return take_error(t, err, error, generated);
	}
	return compare(t);
}

static enum outcome read_config(struct txn *t, struct config **config, json_t **saved)
{
	const json_t *text = json_object_get(t->body, "config");
	const char *file = txn_text(t, "file");
	char *error = NULL;
	int err = config_parse_saved(file ? file : "request", json_string_value(text),
				     json_string_length(text), config, saved, &error);

	return err ? take_error(t, err, error, false) : OUT_REACHED;
}

static enum outcome config_text(struct txn *t, const char *what)
{
	size_t n = json_array_size(t->answer->changes);

	if (!n)
		return tell(t->answer, OUT_REACHED, "the configuration is in force already");
	return tell(t->answer, OUT_REACHED, "configuration %s: %zu change%s", what, n,
		    n == 1 ? "" : "s");
}

enum outcome verb_apply(struct txn *t)
{
	struct config *config;
	enum outcome o = read_config(t, &config, NULL);

	if (!o)
		o = adopt_config(t, config, false);
	return o ? o : config_text(t, "applied");
}

/* Live, shares and admin states as they were saved, for the services that the file names. */
static enum outcome restore_services(struct txn *t, const json_t *saved)
{
	char from[256], to[256];
	const char *name;
	json_t *service;

	json_object_foreach((json_t *)saved, name, service) {
		struct world_service *s = world_find(t->next, name);
		uint32_t revision = s ? s->revision : 0;

		if (!s)
			continue;
		shares_text(s, s->share, from, sizeof(from));
		if (!service_load(s, service))
			return tell(t->answer, OUT_BAD_REQUEST,
				    "saved.%s: does not fit the configuration beside it", name);
		shares_text(s, s->share, to, sizeof(to));
		s->revision = revision;
		if (!strcmp(from, to))
			continue;
		s->revision++;
		json_say(t->answer->changes, "%s: %s -> %s", name, from, to);
		txn_record(t, name, from, to);
	}
	return OUT_REACHED;
}

enum outcome verb_restore(struct txn *t)
{
	struct config *config;
	json_t *saved = NULL;
	enum outcome o = read_config(t, &config, &saved);

	if (!o)
		o = adopt_config(t, config, false);
	if (!o && saved)
		o = restore_services(t, saved);
	json_decref(saved);
	return o ? o : config_text(t, "restored");
}

/* ---- backend add and del: an edited configuration, checked by the same parser ---- */

/* The place of the address in a pool's list, or -1. */
static int find_address(const json_t *list, const char *address)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (!strcmp(json_string_value(json_object_get(item, "address")), address))
			return (int)i;
	return -1;
}

/* One writing per address, so that what is there is found. */
static enum outcome canonical(struct txn *t, const char *text, char *out, size_t size)
{
	struct zdd_addr addr;
	uint16_t port;

	if (parse_endpoint(text, &addr, &port))
		return tell(t->answer, OUT_BAD_REQUEST,
			    "backend.address: '%.64s': expected "
			    "address:port, such as 10.0.1.11:8080",
			    text);
	format_endpoint(out, size, &addr, port);
	return OUT_REACHED;
}

static enum outcome edit_backends(struct txn *t, json_t *list, const char *address)
{
	const char *action = txn_text(t, "action");
	const json_t *weight = json_object_get(t->body, "weight");
	int at = find_address(list, address);

	if (!strcmp(action, "add")) {
		if (at >= 0)
			return tell(t->answer, OUT_REFUSED, "%s is there already", address);
		json_array_append_new(list,
				      json_pack("{s:s, s:I}", "address", address, "weight",
						json_is_integer(weight) ? json_integer_value(weight)
									: (json_int_t)1));
		return OUT_REACHED;
	}
	if (strcmp(action, "del"))
		return tell(t->answer, OUT_BAD_REQUEST, "backend.action: expected add or del");
	if (at < 0)
		return tell(t->answer, OUT_NOT_FOUND, "no backend %s there", address);
	json_array_remove(list, (size_t)at);
	return OUT_REACHED;
}

enum outcome adopt_json(struct txn *t, const json_t *edited)
{
	char *error = NULL, *text = json_dumps(edited, SHOW_FLAGS);
	struct config *config;
	int err = text ? config_parse("request", text, strlen(text), &config, &error) : -ENOMEM;

	free(text);
	return err ? take_error(t, err, error, true) : adopt_config(t, config, true);
}

enum outcome verb_backend(struct txn *t)
{
	char address[ENDPOINT_TEXT];
	struct world_service *s;
	struct world_pool *p;
	json_t *edited, *service, *pool;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	if (!o)
		o = find_pool(t, s, txn_text(t, "pool"), &p);
	if (!o)
		o = canonical(t, txn_text(t, "address"), address, sizeof(address));
	if (o)
		return o;
	edited = config_to_json(t->world->config);
	service = json_object_get(json_object_get(edited, "services"), s->cfg->name);
	pool = json_object_get(json_object_get(service, "pools"), p->cfg->name);
	o = edit_backends(t, json_object_get(pool, "backends"), address);
	if (!o)
		o = adopt_json(t, edited);
	json_decref(edited);
	if (o)
		return o;
	p = world_find_pool(world_find(t->next, s->cfg->name), p->cfg->name);
	o = leaves_one(t, world_find(t->next, s->cfg->name), p);
	return o ? o
		 : tell(t->answer, OUT_REACHED, "%s/%s: %s %s", s->cfg->name, p->cfg->name,
			!strcmp(txn_text(t, "action"), "add") ? "added" : "deleted", address);
}
