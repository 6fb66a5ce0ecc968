/* SPDX-License-Identifier: BSD-2-Clause */
/* deploy: a new version at other ports of the same machines, or elsewhere. The pool that is not live
 * gets these backends, and a rollout of strategy flip takes traffic there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"
#include "verbs.h"

/* Of several pools that are not live: the one without backends, else the first without a share. */
static enum outcome idle_pool(struct txn *t, const struct world_service *s, unsigned *out)
{
	unsigned best = s->live;

	for (unsigned i = 0; i < s->cfg->n_pools; i++)
		if (i != s->live && !s->share[i] &&
		    (best == s->live ||
		     (s->cfg->pools[best].n_backends && !s->cfg->pools[i].n_backends)))
			best = i;
	*out = best;
	if (best != s->live)
		return OUT_REACHED;
	return tell(t->answer, OUT_REFUSED,
		    "%s: deploy wants a pool beside %s that has no share (pools: {green: []} is "
		    "enough)",
		    s->cfg->name, s->cfg->pools[s->live].name);
}

static enum outcome bad_address(struct txn *t, const char *text)
{
	return tell(t->answer, OUT_BAD_REQUEST,
		    "deploy.addresses: '%.64s': expected address:port, or :port at the addresses "
		    "of the live pool",
		    text ? text : "");
}

static void add_backend(json_t *list, const struct zdd_addr *addr, uint16_t port, uint16_t weight)
{
	char text[ENDPOINT_TEXT];

	format_endpoint(text, sizeof(text), addr, port);
	json_array_append_new(list, json_pack("{s:s, s:i}", "address", text, "weight", weight));
}

/* ":8081": where live listens now, at that port; the version of before keeps its own. */
static void add_port(const struct cfg_pool *live, uint16_t port, json_t *list)
{
	for (size_t i = 0; i < live->n_backends; i++) {
		const struct cfg_backend *b = &live->backends[i];
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again |= zdd_addr_eq(&live->backends[k].addr, &b->addr);
		if (!again)
			add_backend(list, &b->addr, port, b->weight);
	}
}

static bool add_address(const struct cfg_pool *live, const char *text, json_t *list)
{
	const char *digits = text + (text[0] == ':');
	struct zdd_addr addr;
	uint32_t port;
	uint16_t own;

	if (!parse_uint(digits, strlen(digits), 65535, &port) && port)
		add_port(live, (uint16_t)port, list);
	else if (!parse_endpoint(text, &addr, &own))
		add_backend(list, &addr, own, 1);
	else
		return false;
	return true;
}

/* Else both versions would be one. */
static enum outcome not_of_live(struct txn *t, const struct world_service *s, const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *text = json_string_value(json_object_get(item, "address"));

		if (world_find_backend(&s->pools[s->live], text))
			return tell(t->answer, OUT_REFUSED,
				    "%s: %s is a backend of %s, which is live", s->cfg->name, text,
				    s->cfg->pools[s->live].name);
	}
	return OUT_REACHED;
}

static enum outcome read_backends(struct txn *t, const struct world_service *s, json_t *list)
{
	json_t *addresses = json_object_get(t->body, "addresses"), *value;
	size_t i;

	if (!json_array_size(addresses))
		return bad_address(t, "");
	json_array_foreach(addresses, i, value) {
		const char *text = json_string_value(value);

		if (!text || !add_address(&s->cfg->pools[s->live], text, list))
			return bad_address(t, text);
	}
	return not_of_live(t, s, list);
}

static enum outcome has_room(struct txn *t, const struct world_service *s)
{
	char why[256];

	if (txn_flag(t, "force") || !t->ask->room ||
	    t->ask->room(t->ask->context, s, why, sizeof(why)))
		return OUT_REACHED;
	t->answer->hopeless = true;
	return tell(t->answer, OUT_FAILED_SAFE, "%s: %s; nothing was started (force starts it)",
		    s->cfg->name, why);
}

/* The configuration with these backends in the pool, as t->next. */
static enum outcome put_backends(struct txn *t, const struct world_service *s, unsigned pool,
				 json_t *list)
{
	json_t *edited = config_to_json(t->world->config);
	json_t *service = json_object_get(json_object_get(edited, "services"), s->cfg->name);
	json_t *at = json_object_get(json_object_get(service, "pools"), s->cfg->pools[pool].name);
	enum outcome o;

	json_object_set(at, "backends", list);
	o = adopt_json(t, edited);
	json_decref(edited);
	return o;
}

/* One release of one revision: what the new backends are is part of the rollout. */
static enum outcome begin_on_next(struct txn *t, const struct world_service *s, unsigned pool)
{
	struct world_service *next = world_find(t->next, s->cfg->name);
	struct rollout r = make_rollout(t, next, STRATEGY_FLIP, pool);

	json_array_clear(t->records);
	next->revision = s->revision;
	return begin_rollout(t, next, &r);
}

enum outcome verb_deploy(struct txn *t)
{
	struct world_service *s;
	json_t *list = json_array();
	unsigned pool = 0;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	if (!o && (service_rollout(s) || s->queued))
		o = refuse_running(t, s); /* its pools stay as they are */
	if (!o)
		o = idle_pool(t, s, &pool);
	if (!o)
		o = read_backends(t, s, list);
	if (!o)
		o = may_change(t, s);
	if (!o)
		o = has_room(t, s);
	if (!o)
		o = put_backends(t, s, pool, list);
	json_decref(list);
	return o ? o : begin_on_next(t, s, pool);
}
