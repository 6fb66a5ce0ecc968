/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_json.h"

json_t *json_duration(uint32_t ms)
{
	char text[DURATION_TEXT];

	format_duration(text, sizeof(text), ms);
	return json_string(text);
}

static json_t *percent(unsigned value)
{
	return json_sprintf("%u%%", value);
}

static json_t *listeners(const struct cfg_listener *l, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(l[i].text));
	return list;
}

static json_t *pool(const struct cfg_pool *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_backends; i++)
		json_array_append_new(list, json_pack("{s:s, s:i}", "address", p->backends[i].text,
						      "weight", p->backends[i].weight));
	return json_pack("{s:o}", "backends", list);
}

static json_t *pools(const struct cfg_service *s)
{
	json_t *map = json_object();

	for (size_t i = 0; i < s->n_pools; i++)
		json_object_set_new(map, s->pools[i].name, pool(&s->pools[i]));
	return map;
}

static json_t *cohorts(const struct cfg_service *s)
{
	json_t *map = json_object();

	for (size_t i = 0; i < s->n_cohorts; i++) {
		const char *name = s->pools[s->cohorts[i].pool].name;
		json_t *list = json_object_get(map, name);

		if (!list) {
			list = json_array();
			json_object_set_new(map, name, list);
		}
		json_array_append_new(list, json_string(s->cohorts[i].text));
	}
	return map;
}

static void http_keys(json_t *o, const struct cfg_health *h)
{
	json_object_set_new(o, "path", json_string(h->path));
	json_object_set_new(o, "method", json_string(h->method));
	json_object_set_new(o, "expect", json_sprintf("%u-%u", h->expect_low, h->expect_high));
	if (h->host)
		json_object_set_new(o, "host", json_string(h->host));
	if (h->body)
		json_object_set_new(o, "body", json_string(h->body));
	if (h->type == HEALTH_HTTPS)
		json_object_set_new(o, "tls_verify", json_boolean(h->tls_verify));
}

json_t *json_words(char *const *argv)
{
	json_t *list = json_array();

	for (; argv && *argv; argv++)
		json_array_append_new(list, json_string(*argv));
	return list;
}

/* Only the keys that go with the type: the parser refuses the others. */
static json_t *health(const struct cfg_health *h)
{
	json_t *o = json_pack("{s:s}", "type", health_words[h->type]);

	if (h->type == HEALTH_NONE)
		return o;
	if (h->type == HEALTH_HTTP || h->type == HEALTH_HTTPS)
		http_keys(o, h);
	if (h->type == HEALTH_EXEC)
		json_object_set_new(o, "command", json_words(h->argv));
	else if (h->port)
		json_object_set_new(o, "port", json_integer(h->port));
	json_object_set_new(o, "interval", json_duration(h->interval_ms));
	json_object_set_new(o, "timeout", json_duration(h->timeout_ms));
	json_object_set_new(o, "initial_delay", json_duration(h->initial_delay_ms));
	json_object_set_new(o, "fast_interval", json_duration(h->fast_interval_ms));
	json_object_set_new(o, "rise", json_integer(h->rise));
	json_object_set_new(o, "fall", json_integer(h->fall));
	return o;
}

static json_t *passive(const struct cfg_passive *p)
{
	if (!p->on)
		return json_string("off");
	return json_pack("{s:i, s:o, s:o}", "failures", p->failures, "back_off",
			 json_duration(p->back_off_ms), "max_ejected", percent(p->max_ejected));
}

json_t *service_to_json(const struct cfg_service *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "listen", listeners(s->listen, s->n_listen));
	if (s->n_preview)
		json_object_set_new(o, "preview", listeners(s->preview, s->n_preview));
	json_object_set_new(o, "forward", json_string(forward_words[s->forward]));
	json_object_set_new(o, "sticky", json_string(sticky_words[s->sticky]));
	json_object_set_new(o, "sticky_prefix",
			    json_pack("{s:i, s:i}", "v4", s->sticky_v4, "v6", s->sticky_v6));
	json_object_set_new(o, "vip", json_string(vip_words[s->vip]));
	json_object_set_new(o, "pools", pools(s));
	json_object_set_new(o, "live", json_string(s->pools[s->live].name));
	if (s->n_cohorts)
		json_object_set_new(o, "cohorts", cohorts(s));
	json_object_set_new(o, "health", health(&s->health));
	if (forward_is_watched(s->forward))
		json_object_set_new(o, "passive", passive(&s->passive));
	if (s->slow_start_ms)
		json_object_set_new(o, "slow_start", json_duration(s->slow_start_ms));
	json_object_set_new(o, "salt", json_string(s->salt));
	json_object_set_new(o, "retry", json_string(retry_words[s->retry]));
	json_object_set_new(o, "flood", json_string(flood_words[s->flood]));
	json_object_set_new(o, "panic", percent(s->panic_percent));
	json_object_set_new(o, "drain",
			    json_pack("{s:o, s:s, s:i}", "deadline",
				      json_duration(s->drain_deadline_ms), "then",
				      then_words[s->drain_then], "rate", (int)s->drain_rate));
	json_object_set_new(o, "idle",
			    json_pack("{s:o, s:o}", "tcp", json_duration(s->idle_tcp_ms), "udp",
				      json_duration(s->idle_udp_ms)));
	json_object_set_new(o, "signals", json_pack("{s:b}", "http", (int)s->signals_http));
	if (s->rollout.set)
		json_object_set_new(o, "rollout", rollout_config_to_json(&s->rollout));
	return o;
}

static json_t *snat(const struct cfg_snat *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_addresses; i++)
		json_array_append_new(list, json_string(s->addresses[i].text));
	return json_pack("{s:o, s:o}", "addresses", list, "ports",
			 json_sprintf("%u-%u", s->port_first, s->port_last));
}

json_t *config_to_json(const struct config *c)
{
	json_t *o = json_object(), *interfaces = json_array(), *services = json_object();

	for (size_t i = 0; i < c->n_interfaces; i++)
		json_array_append_new(interfaces,
				      json_pack("{s:s, s:s}", "name", c->interfaces[i].name,
						"attach", attach_words[c->interfaces[i].attach]));
	json_object_set_new(o, "interfaces", interfaces);
	if (c->metrics)
		json_object_set_new(o, "metrics", json_string(c->metrics));
	for (size_t i = 0; i < c->n_services; i++)
		json_object_set_new(services, c->services[i].name,
				    service_to_json(&c->services[i]));
	json_object_set_new(o, "services", services);
	json_object_set_new(o, "flows",
			    json_pack("{s:I, s:I}", "tcp", (json_int_t)c->flows_tcp, "udp",
				      (json_int_t)c->flows_udp));
	json_object_set_new(o, "snat", snat(&c->snat));
	return o;
}

json_t *json_sound(const char *text)
{
	json_t *value = json_string(text);
	char *copy = value ? NULL : strdup(text);

	for (char *c = copy; c && *c; c++)
		if (*c & 0x80)
			*c = '?';
	value = copy ? json_string(copy) : value;
	free(copy);
	return value;
}

void json_say(json_t *list, const char *format, ...)
{
	va_list args;
	json_t *text;

	va_start(args, format);
	text = json_vsprintf(format, args);
	va_end(args);
	if (text)
		json_array_append_new(list, text);
}

/* ---- differences ---- */

/* What an element of a list is told apart by: its address or name, else all of it. */
static const json_t *identity(const json_t *item)
{
	const json_t *key = json_object_get(item, "address");

	if (!key)
		key = json_object_get(item, "name");
	return key ? key : item;
}

static json_t *find_same(const json_t *list, const json_t *item)
{
	size_t i;
	json_t *other;

	json_array_foreach(list, i, other)
		if (json_equal(identity(other), identity(item)))
			return other;
	return NULL;
}

static void show(const json_t *value, char *out, size_t size)
{
	const json_t *key = identity(value);

	if (json_is_string(key)) {
		snprintf(out, size, "%s", json_string_value(key));
		return;
	}
	char *text = json_dumps(key, JSON_ENCODE_ANY | SHOW_FLAGS);

	snprintf(out, size, "%s", text ? text : "?");
	free(text);
}

static size_t say_one(const char *place, const char *what, const json_t *value, json_t *list)
{
	char text[160];

	show(value, text, sizeof(text));
	json_say(list, "%s: %s %s", place, what, text);
	return 1;
}

static size_t list_differences(const char *place, const json_t *before, const json_t *after,
			       json_t *list)
{
	size_t i, n = 0;
	json_t *item, *same;

	json_array_foreach(before, i, item)
		if (!find_same(after, item))
			n += say_one(place, "removes", item, list);
	json_array_foreach(after, i, item) {
		char below[256], text[96];

		same = find_same(before, item);
		if (!same) {
			n += say_one(place, "adds", item, list);
			continue;
		}
		show(item, text, sizeof(text));
		snprintf(below, sizeof(below), "%s/%s", place, text);
		n += json_differences(below, same, item, list);
	}
	return n;
}

/* A program and its arguments: one value, in which order counts. */
static bool is_command(const json_t *list)
{
	const char *first = json_string_value(json_array_get(list, 0));

	return first && *first == '/';
}

/* "pools" and "backends" are left out of the path, so that it reads SVC/POOL/ADDR. */
static void path_below(const char *place, const char *key, const json_t *value, char *out,
		       size_t size)
{
	bool silent = !strcmp(key, "pools") || !strcmp(key, "backends");
	bool named = json_object_get(value, "backends") != NULL;

	if (silent)
		snprintf(out, size, "%s", place);
	else
		snprintf(out, size, "%s%s%s", place, named ? "/" : " ", key);
}

static size_t map_differences(const char *place, const json_t *before, const json_t *after,
			      json_t *list)
{
	const char *key;
	size_t n = 0;
	json_t *value;

	json_object_foreach((json_t *)before, key, value)
		if (!json_object_get(after, key)) {
			json_say(list, "%s: removes %s", place, key);
			n++;
		}
	json_object_foreach((json_t *)after, key, value) {
		const json_t *old = json_object_get(before, key);
		char below[256];

		if (!old) {
			json_say(list, "%s: adds %s", place, key);
			n++;
			continue;
		}
		path_below(place, key, value, below, sizeof(below));
		n += json_differences(below, old, value, list);
	}
	return n;
}

size_t json_differences(const char *place, const json_t *before, const json_t *after, json_t *list)
{
	char old[96], new[96];

	if (json_equal(before, after))
		return 0;
	if (json_is_object(before) && json_is_object(after))
		return map_differences(place, before, after, list);
	if (json_is_array(before) && json_is_array(after) && !is_command(before))
		return list_differences(place, before, after, list);
	show(before, old, sizeof(old));
	show(after, new, sizeof(new));
	json_say(list, "%s: %s -> %s", place, old, new);
	return 1;
}
