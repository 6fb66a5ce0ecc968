/* SPDX-License-Identifier: BSD-2-Clause */
/* Accepted configurations: defaults, every key, JSON, the example that we ship, the bounds. */
#include "t.h"
#include "config_row.h"

#include <netinet/in.h>

#ifndef ZDD_ROOT
#define ZDD_ROOT "." /* tests run from the top of the repository */
#endif

static struct config *parse(const char *text, size_t len)
{
	struct config *c = NULL;
	char *error = NULL;

	CHECK_INT(config_parse("zdd.yaml", text, len, &c, &error), 0);
	if (!CHECK(!error))
		printf("# %s\n", error);
	free(error);
	return c;
}

static const char minimal[] = HEAD "services:\n"
				   "  shop:\n"
				   "    listen: [\"203.0.113.10:443/tcp\"]\n"
				   "    pools:\n"
				   "      blue:  [\"10.0.1.11:8080\", \"10.0.1.12:8080\"]\n"
				   "      green: [\"10.0.2.11:8080\", \"10.0.2.12:8080\"]\n"
				   "    live: blue\n";

static void check_minimal(const struct config *c)
{
	const struct cfg_service *s;

	if (!CHECK(c && c->n_services == 1 && c->n_interfaces == 1))
		return;
	s = &c->services[0];
	CHECK_STR(c->interfaces[0].name, "eth0");
	CHECK_INT(c->interfaces[0].attach, ATTACH_AUTO);
	CHECK(!c->metrics);
	CHECK_INT(c->flows_tcp, 1000000);
	CHECK_INT(c->flows_udp, 250000);
	CHECK_STR(s->name, "shop");
	CHECK_STR(s->salt, "shop");
	CHECK_INT(s->n_listen, 1);
	CHECK_STR(s->listen[0].text, "203.0.113.10:443/tcp");
	CHECK_INT(s->listen[0].proto, IPPROTO_TCP);
	CHECK_INT(s->listen[0].port, 443);
	CHECK_INT(s->n_preview, 0);
	if (!CHECK_INT(s->n_pools, 2))
		return;
	CHECK_STR(s->pools[1].name, "green");
	CHECK_INT(s->pools[1].n_backends, 2);
	CHECK_STR(s->pools[1].backends[1].text, "10.0.2.12:8080");
	CHECK_INT(s->pools[1].backends[1].weight, 1);
	CHECK_INT(s->live, 0);
}

TEST(minimal)
{
	struct config *c = parse(minimal, sizeof(minimal) - 1);

	check_minimal(c);
	if (c) {
		CHECK_INT(c->services[0].line, 3);
		CHECK_INT(c->services[0].listen[0].line, 4);
		CHECK_INT(c->services[0].pools[1].line, 7);
		CHECK_INT(c->services[0].pools[1].backends[0].line, 7);
	}
	config_free(c);
}

TEST(policy_defaults)
{
	struct config *c = parse(minimal, sizeof(minimal) - 1);
	const struct cfg_service *s = c ? c->services : NULL;

	if (!s)
		return;
	CHECK_INT(s->forward, FORWARD_NAT);
	CHECK_INT(s->sticky, STICKY_POOL);
	CHECK_INT(s->retry, RETRY_POOL);
	CHECK_INT(s->flood, FLOOD_PASS);
	CHECK_INT(s->sticky_v4, 32);
	CHECK_INT(s->sticky_v6, 64);
	CHECK_INT(s->vip, VIP_EXPECT);
	CHECK_INT(s->slow_start_ms, 0);
	CHECK_INT(s->panic_percent, 50);
	CHECK_INT(s->drain_deadline_ms, 300000);
	CHECK_INT(s->drain_then, THEN_KEEP);
	CHECK_INT(s->drain_rate, 50);
	CHECK_INT(s->idle_tcp_ms, 7200000);
	CHECK_INT(s->idle_udp_ms, 60000);
	CHECK_INT(s->health.type, HEALTH_TCP);
	CHECK_STR(s->health.path, "/");
	CHECK_STR(s->health.method, "GET");
	CHECK(!s->health.host && !s->health.body && !s->health.argv);
	CHECK_INT(s->health.expect_low, 200);
	CHECK_INT(s->health.expect_high, 399);
	CHECK_INT(s->health.port, 0);
	CHECK(s->health.tls_verify);
	CHECK_INT(s->health.interval_ms, 2000);
	CHECK_INT(s->health.timeout_ms, 1000);
	CHECK_INT(s->health.initial_delay_ms, 0);
	CHECK_INT(s->health.fast_interval_ms, 500);
	CHECK_INT(s->health.rise, 2);
	CHECK_INT(s->health.fall, 3);
	CHECK(s->passive.on);
	CHECK_INT(s->passive.failures, 5);
	CHECK_INT(s->passive.back_off_ms, 10000);
	CHECK_INT(s->passive.max_ejected, 50);
	config_free(c);
}

static const char complete[] =
	"interfaces:\n"
	"  - {name: eth0, attach: tc}\n"
	"  - lo\n"
	"metrics: \"[::1]:9177\"\n"
	"services:\n"
	"  shop:\n"
	"    listen: [\"203.0.113.10:443/tcp\", \"[2001:DB8:0::10]:443/tcp\", \":443/udp\"]\n"
	"    forward: nat\n"
	"    sticky: backend\n"
	"    retry: live\n"
	"    flood: prove\n"
	"    sticky_prefix: {v4: 24, v6: 48}\n"
	"    vip: manage\n"
	"    preview: [\"203.0.113.10:8443/tcp\"]\n"
	"    pools:\n"
	"      blue:\n"
	"        backends:\n"
	"          - {address: \"10.0.1.11:8080\", weight: 2}\n"
	"          - \"[fd00:1::11]:8080\"\n"
	"      green: [\"10.0.2.11:8080\", \"[fd00:2::11]:8080\"]\n"
	"      empty: []\n"
	"    live: green\n"
	"    cohorts: {green: [\"198.51.100.0/24\", 192.0.2.7], blue: [\"2001:db8:1::/48\"]}\n"
	"    health: {type: https, path: /health, host: shop.example, method: HEAD, port: 8081,\n"
	"             expect: \"204\", body: ok, tls_verify: false, interval: 3s, timeout: 2s,\n"
	"             initial_delay: 1m, fast_interval: 250ms, rise: 1, fall: 5}\n"
	"    salt: pepper\n"
	"    slow_start: 20s\n"
	"    panic: 25%\n"
	"    drain: {deadline: 7d, then: keep, rate: 7}\n"
	"    idle: {tcp: 1h, udp: 30s}\n"
	"  api:\n"
	"    listen: [\":80/tcp\"]\n"
	"    forward: local\n"
	"    sticky: none\n"
	"    retry: off\n"
	"    pools: {v1: [\"127.0.0.1:8080\", \"[::1]:8080\"]}\n"
	"    health: {type: exec, command: [/usr/bin/check, -x, \"\"], interval: 200ms}\n"
	"flows: {tcp: 2048, udp: 16777216}\n";

static void check_api(const struct cfg_service *s)
{
	CHECK_STR(s->name, "api");
	CHECK_INT(s->forward, FORWARD_LOCAL);
	CHECK_INT(s->sticky, STICKY_NONE);
	CHECK_INT(s->retry, RETRY_OFF);
	CHECK_INT(s->live, 0);
	CHECK_STR(s->pools[0].backends[1].text, "[::1]:8080");
	CHECK_INT(s->health.type, HEALTH_EXEC);
	CHECK_STR(s->health.argv[0], "/usr/bin/check");
	CHECK_STR(s->health.argv[2], "");
	CHECK(!s->health.argv[3]);
	CHECK_INT(s->health.timeout_ms, 200); /* the default gives way to the interval */
	CHECK_INT(s->health.fast_interval_ms, 200);
}

static void check_shop_health(const struct cfg_health *h)
{
	CHECK_INT(h->type, HEALTH_HTTPS);
	CHECK_STR(h->path, "/health");
	CHECK_STR(h->host, "shop.example");
	CHECK_STR(h->method, "HEAD");
	CHECK_STR(h->body, "ok");
	CHECK_INT(h->port, 8081);
	CHECK_INT(h->expect_low, 204);
	CHECK_INT(h->expect_high, 204);
	CHECK(!h->tls_verify);
	CHECK_INT(h->interval_ms, 3000);
	CHECK_INT(h->timeout_ms, 2000);
	CHECK_INT(h->initial_delay_ms, 60000);
	CHECK_INT(h->fast_interval_ms, 250);
	CHECK_INT(h->rise, 1);
	CHECK_INT(h->fall, 5);
}

static void check_shop(const struct cfg_service *s)
{
	CHECK_STR(s->name, "shop");
	CHECK_STR(s->listen[1].text, "[2001:db8::10]:443/tcp");
	CHECK_STR(s->listen[2].text, ":443/udp");
	CHECK(s->listen[2].any && s->listen[2].proto == IPPROTO_UDP);
	CHECK_STR(s->preview[0].text, "203.0.113.10:8443/tcp");
	CHECK_INT(s->sticky, STICKY_BACKEND);
	CHECK_INT(s->retry, RETRY_LIVE);
	CHECK_INT(s->flood, FLOOD_PROVE);
	CHECK_INT(s->sticky_v4, 24);
	CHECK_INT(s->sticky_v6, 48);
	CHECK_INT(s->vip, VIP_MANAGE);
	CHECK_INT(s->n_pools, 3);
	CHECK_INT(s->pools[0].backends[0].weight, 2);
	CHECK_STR(s->pools[0].backends[1].text, "[fd00:1::11]:8080");
	CHECK_INT(s->pools[2].n_backends, 0);
	CHECK_INT(s->live, 1);
	CHECK_INT(s->n_cohorts, 3);
	CHECK_STR(s->cohorts[0].text, "198.51.100.0/24");
	CHECK_INT(s->cohorts[0].prefix_len, 120);
	CHECK_INT(s->cohorts[0].pool, 1);
	CHECK_STR(s->cohorts[1].text, "192.0.2.7/32");
	CHECK_STR(s->cohorts[2].text, "2001:db8:1::/48");
	CHECK_INT(s->cohorts[2].prefix_len, 48);
	CHECK_INT(s->cohorts[2].pool, 0);
	CHECK_STR(s->salt, "pepper");
	CHECK_INT(s->panic_percent, 25);
	CHECK_INT(s->slow_start_ms, 20000);
	CHECK_INT(s->drain_deadline_ms, 604800000);
	CHECK_INT(s->drain_rate, 7);
	CHECK_INT(s->idle_tcp_ms, 3600000);
	CHECK_INT(s->idle_udp_ms, 30000);
	check_shop_health(&s->health);
}

TEST(complete)
{
	struct config *c = parse(complete, sizeof(complete) - 1);

	if (!c || !CHECK_INT(c->n_services, 2) || !CHECK_INT(c->n_interfaces, 2))
		return;
	CHECK_INT(c->interfaces[0].attach, ATTACH_TC);
	CHECK_STR(c->interfaces[1].name, "lo");
	CHECK_STR(c->metrics, "[::1]:9177");
	CHECK_INT(c->flows_tcp, 2048);
	CHECK_INT(c->flows_udp, 16777216);
	check_api(&c->services[0]); /* sorted by name */
	check_shop(&c->services[1]);
	config_free(c);
}

/* Tabs everywhere, escapes that only JSON has, no space behind colons. */
static const char json[] =
	"\t{\"interfaces\":[\"eth0\"],\r\n"
	"\t\"services\":{\"shop\":{\t\"listen\":[\"203.0.113.10:443\\/tcp\"],\n"
	"\t\t\"pools\":\t{\"\\u0062lue\":[\"10.0.1.11:8080\",\"10.0.1.12:8080\"],\n"
	"\t\t\"green\":[{\"address\":\"10.0.2.11:8080\",\"weight\":1},\"10.0.2.12:8080\"]},\n"
	"\t\t\"live\":\"blue\"}}}\t\n\t\n";

TEST(json)
{
	struct config *c = parse(json, sizeof(json) - 1);

	check_minimal(c);
	config_free(c);
}

static const char json_escapes[] =
	"{\"interfaces\": [\"eth0\"], \"services\": {\"a\": {\"listen\": [\":1/tcp\"],"
	"\"pools\": {\"b\": []}, \"salt\": \"\\ud83d\\ude00 \\\\ud83d \\\" # ' \\u00e9\"}}}";

TEST(json_escapes)
{
	struct config *c = parse(json_escapes, sizeof(json_escapes) - 1);

	if (c)
		CHECK_STR(c->services[0].salt, "\360\237\230\200 \\ud83d \" # ' \303\251");
	config_free(c);
}

static const char *const accepted[] = {
	"{interfaces: [eth0], services: {a: {listen: [':1/tcp'], pools: {b: []}}}} # as YAML\n",
	"\357\273\277" HEAD "services: {a: {listen: [':1/tcp'], pools: {b: []}}}\n",
	"---\n" HEAD
	"services: {a: {listen: [\":1/tcp\", \":1/udp\", \":2/tcp\"], pools: {b: []}}}\n...\n",
	LISTEN("\"10.0.0.1:443/tcp\""),     /* same host, other port: no loop */
	POOLS("{blue: [\"10.0.0.1:80\"]}"), /* a wildcard is of this node, the backend is not */
	POOLS("{a: [\"10.0.0.1:80\"], b: [\"10.0.0.1:80\"]}\n    live: b"),
	LISTEN("\"203.0.113.10:80/tcp\", \"203.0.113.11:80/tcp\", \"203.0.113.10:80/udp\""),
	WEB("    forward: local\n"),
	WEB("    cohorts: {blue: [\"10.0.0.0/9\", \"10.128.0.0/9\", \"0.0.0.0/8\", \"2000::/3\"]}\n"),
	WEB("    cohorts: {}\n    preview: []\n"),
	WEB("    panic: 0%\n    drain: {deadline: 0s, then: cut}\n"),
	WEB("    forward: local\n    drain: {then: shed, rate: 1}\n"),
	POOLS("{a: [\"127.0.0.1:81\"], b: [\"127.0.0.1:81\"]}\n    live: b\n    forward: local"),
	HEALTH("http"),
	HEALTH("none"),
	HEALTH("{type: none}"),
	HEALTH("{}"),
	HEALTH("{type: tcp, port: 81, timeout: 2s}"),
	HEALTH("{type: http, expect: 100-599}"),
};

TEST(accepted)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		ROW("%zu: %.100s", i, accepted[i]);
		config_free(parse(accepted[i], strlen(accepted[i])));
	}
}

/* Takes away the # right before a key: "    #vip: expect" is a default of which the key, the value
 * and the depth must be right too. */
static size_t uncomment(char *text, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < len; i++)
		if (text[i] != '#' || i + 1 == len || text[i + 1] < 'a' || text[i + 1] > 'z')
			text[at++] = text[i];
	return at;
}

TEST(example_file)
{
	static char text[65536];
	FILE *file = fopen(ZDD_ROOT "/tools/zdd.yaml.example", "r");
	struct config *c;
	size_t len;

	if (!CHECK(file))
		return;
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	c = parse(text, len);
	CHECK(c && c->n_services == 3);
	config_free(c);
	config_free(parse(text, uncomment(text, len)));
}

/* text with n times "part", %zu in it being the number. */
static char *repeat(const char *head, const char *part, size_t n, const char *tail)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs(head, out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, part, i / 250, i % 250);
	fputs(tail, out);
	fclose(out);
	return text;
}

static void check_bound(const char *head, const char *part, size_t max, const char *tail,
			const char *error)
{
	char *fits = repeat(head, part, max, tail), *large = repeat(head, part, max + 1, tail);
	struct bad_row row = {large, strlen(large), error};

	config_free(parse(fits, strlen(fits)));
	check_bad(&row, 1);
	free(fits);
	free(large);
}

TEST(bounds)
{
	check_bound(SERVICE("    listen: [\":80/tcp\"]\n    pools:\n      a: ["),
		    "\"10.%zu.%zu.1:80\",", CFG_BACKENDS_MAX, "]\n",
		    "6:10: services.web.pools.a: 32769 given; expected 0 to 32768");
	check_bound(SERVICE("    listen: [\":80/tcp\"]\n    live: a\n    pools:\n"
			    "      b: [\"10.0.0.1:80\"]\n      a: ["),
		    "\"10.%zu.%zu.1:80\",", CFG_BACKENDS_MAX - 1, "]\n",
		    "3:3: services: 32769 backends; expected at most 32768 in all services "
		    "together");
	check_bound(WEB("    cohorts: {blue: ["), "10.%zu.%zu.1,", 4096, "]}\n",
		    "6:14: services.web.cohorts: 4097 CIDRs; expected at most 4096");
	check_bound(HEAD "services:\n",
		    "  s%zu-%zu: {listen: [\"10.0.0.1:1/tcp\"], pools: {a: []}}\n", 1, "",
		    "4:19: services.s0-1.listen[0]: '10.0.0.1:1/tcp': already taken by "
		    "'10.0.0.1:1/tcp' in line 3");
}

TEST(too_many_bytes)
{
	size_t len = (8 << 20) + 1;
	char *text = calloc(1, len);
	struct bad_row row = {text, len, "1:1: 8388609 bytes; expected at most 8388608"};

	memset(text, '\n', len);
	check_bad(&row, 1);
	free(text);
}
