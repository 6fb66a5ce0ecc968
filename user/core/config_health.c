/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys health and passive: tables, short forms, and what goes with which type or mode. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"

const char *const health_words[] = {
	[HEALTH_TCP] = "tcp",   [HEALTH_HTTP] = "http", [HEALTH_HTTPS] = "https",
	[HEALTH_EXEC] = "exec", [HEALTH_NONE] = "none", NULL};

enum { HOUR_MS = 3600000 };

static set_fn set_expect;

static const struct field health_fields[] = {
	{"type", set_word, AT(struct cfg_health, type), .words = health_words},
	{"path", set_text, AT(struct cfg_health, path), .min = 1, .max = 1024, .text = "/",
	 .expect = "a path"},
	{"host", set_text, AT(struct cfg_health, host), .min = 1, .max = 255,
	 .expect = "a host name"},
	{"method", set_text, AT(struct cfg_health, method), .min = 1, .max = 16, .text = "GET",
	 .expect = "a method"},
	{"expect", .set = set_expect},
	{"body", set_text, AT(struct cfg_health, body), .min = 1, .max = 1024, .expect = "a text"},
	{"tls_verify", set_word, AT(struct cfg_health, tls_verify), .words = bool_words,
	 .value = true},
	{"port", set_uint, AT(struct cfg_health, port), .min = 1, .max = UINT16_MAX},
	{"command", set_argv, AT(struct cfg_health, argv)},
	{"interval", set_duration, AT(struct cfg_health, interval_ms), .min = 100, .max = HOUR_MS,
	 .value = 2000},
	{"timeout", set_duration, AT(struct cfg_health, timeout_ms), .min = 10, .max = HOUR_MS,
	 .value = 1000},
	{"initial_delay", set_duration, AT(struct cfg_health, initial_delay_ms), .max = HOUR_MS},
	{"fast_interval", set_duration, AT(struct cfg_health, fast_interval_ms), .min = 100,
	 .max = HOUR_MS, .value = 500},
	{"rise", set_uint, AT(struct cfg_health, rise), .min = 1, .max = 100, .value = 2},
	{"fall", set_uint, AT(struct cfg_health, fall), .min = 1, .max = 100, .value = 3},
};
static const struct schema health_schema = SCHEMA(health_fields);

#define BIT(type) (1u << (type))
enum {
	HTTP_KINDS = BIT(HEALTH_HTTP) | BIT(HEALTH_HTTPS),
	NET_KINDS = HTTP_KINDS | BIT(HEALTH_TCP),
	PROBE_KINDS = NET_KINDS | BIT(HEALTH_EXEC),
};

/* A key that would do nothing is a mistake of the person who wrote it. */
static const struct {
	const char *key;
	unsigned types;
	const char *say;
} only_for[] = {
	{"path", HTTP_KINDS, "http or https"},
	{"host", HTTP_KINDS, "http or https"},
	{"method", HTTP_KINDS, "http or https"},
	{"expect", HTTP_KINDS, "http or https"},
	{"body", HTTP_KINDS, "http or https"},
	{"tls_verify", BIT(HEALTH_HTTPS), "https"},
	{"port", NET_KINDS, "tcp, http or https"},
	{"command", BIT(HEALTH_EXEC), "exec"},
	{"interval", PROBE_KINDS, "tcp, http, https or exec"},
	{"timeout", PROBE_KINDS, "tcp, http, https or exec"},
	{"initial_delay", PROBE_KINDS, "tcp, http, https or exec"},
	{"fast_interval", PROBE_KINDS, "tcp, http, https or exec"},
	{"rise", PROBE_KINDS, "tcp, http, https or exec"},
	{"fall", PROBE_KINDS, "tcp, http, https or exec"},
};

/* "200" or "200-399". */
static int set_expect(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_health *h = obj;
	const char *text = n->kind == NODE_SCALAR ? n->text : "";
	const char *dash = strchr(text, '-');
	const char *second = dash ? dash + 1 : text;
	uint32_t low, high;

	(void)f;
	if (parse_uint(text, dash ? (size_t)(dash - text) : strlen(text), 599, &low) ||
	    parse_uint(second, strlen(second), 599, &high) || low < 100 || high < low)
		return fail_value(r, n,
				  "expected a status or a range from 100 to 599, "
				  "such as \"200-399\"");
	h->expect_low = (uint16_t)low;
	h->expect_high = (uint16_t)high;
	return 0;
}

static const struct field passive_fields[] = {
	{"failures", set_uint, AT(struct cfg_passive, failures), .min = 1, .max = 1000, .value = 5},
	{"back_off", set_duration, AT(struct cfg_passive, back_off_ms), .min = 1000, .max = HOUR_MS,
	 .value = 10000},
	{"max_ejected", set_percent, AT(struct cfg_passive, max_ejected), .min = 1, .max = 100,
	 .value = 50},
};
static const struct schema passive_schema = SCHEMA(passive_fields);

int health_defaults(struct cfg_service *s)
{
	int err = schema_defaults(&passive_schema, &s->passive);

	s->passive.on = true;
	s->health.expect_low = 200;
	s->health.expect_high = 399;
	return err ? err : schema_defaults(&health_schema, &s->health);
}

void health_release(struct cfg_health *h)
{
	argv_release(h->argv);
	free(h->path);
	free(h->host);
	free(h->method);
	free(h->body);
}

static int refuse_useless(struct report *r, const struct node *map, const struct cfg_health *h)
{
	for (size_t i = 0; i < sizeof(only_for) / sizeof(only_for[0]); i++) {
		const struct node *n = tree_get(map, only_for[i].key);

		if (n && !(only_for[i].types & BIT(h->type)))
			return fail_key(r, n, "does nothing with type %s; expected only with %s",
					health_words[h->type], only_for[i].say);
	}
	return 0;
}

/* A probe may not outlive its interval. Where the file says nothing, the default gives way. */
static int fit_interval(struct report *r, const struct node *map, const char *key,
			uint32_t interval_ms, uint32_t *ms)
{
	const struct node *n = tree_get(map, key);
	char interval[DURATION_TEXT];

	if (*ms <= interval_ms)
		return 0;
	if (n) {
		format_duration(interval, sizeof(interval), interval_ms);
		return fail_value(r, n, "expected at most the interval, %s", interval);
	}
	*ms = interval_ms;
	return 0;
}

static bool is_token(const char *s)
{
	while (*s >= 'A' && *s <= 'Z')
		s++;
	return !*s;
}

static int check_health(struct report *r, const struct node *map, struct cfg_health *h)
{
	int err = refuse_useless(r, map, h);

	if (!err && h->type == HEALTH_EXEC && !h->argv)
		err = fail_node(r, map,
				"'command' is missing; expected a list such as "
				"[/usr/local/bin/check]");
	if (!err && h->path[0] != '/')
		err = fail_value(r, tree_get(map, "path"), "expected a path that begins with '/'");
	if (!err && strchr(h->path, ' '))
		err = fail_value(r, tree_get(map, "path"), "expected a path without spaces (%%20)");
	if (!err && h->host && strpbrk(h->host, " /"))
		err = fail_value(r, tree_get(map, "host"), "expected a host name");
	if (!err && !is_token(h->method))
		err = fail_value(r, tree_get(map, "method"), "expected a method such as GET");
	if (!err)
		err = fit_interval(r, map, "timeout", h->interval_ms, &h->timeout_ms);
	if (!err)
		err = fit_interval(r, map, "fast_interval", h->interval_ms, &h->fast_interval_ms);
	return err;
}

/* "http" alone is short for {type: http}. */
int set_health(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_health *h = &((struct cfg_service *)obj)->health;
	const struct field *type = &health_fields[0];
	int err;

	(void)f;
	if (n->kind == NODE_SCALAR) {
		err = type->set(r, n, type, h);
		if (!err && h->type == HEALTH_EXEC)
			err = fail_value(r, n, "expected {type: exec, command: [...]}");
		return err;
	}
	err = schema_read(r, n, &health_schema, h);
	return err ? err : check_health(r, n, h);
}

/* "off" and "on", or the numbers. In some modes there is nothing to see. */
int set_passive(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	static const char *const words[] = {"off", "on", NULL};
	static const struct field word = {.size = sizeof(bool), .words = words};
	struct cfg_service *s = obj;
	int err;

	(void)f;
	if (n->kind == NODE_SCALAR)
		err = set_word(r, n, &word, &s->passive.on);
	else
		err = schema_read(r, n, &passive_schema, &s->passive);
	if (!err && s->passive.on && !forward_is_watched(s->forward))
		return fail_key(r, n,
				"does nothing with forward: %s; expected only with nat or snat",
				forward_words[s->forward]);
	return err;
}
