/* SPDX-License-Identifier: BSD-2-Clause */
/* Every key of the file but those of health and rollout: type, range, default, home. */
#include <errno.h>
#include <string.h>

#include "config_schema.h"
#include "zdd/limits.h"

const char *const attach_words[] = {[ATTACH_AUTO] = "auto",
				    [ATTACH_XDP] = "xdp",
				    [ATTACH_GENERIC] = "xdp-generic",
				    [ATTACH_TC] = "tc",
				    NULL};
const char *const forward_words[] = {[FORWARD_NAT] = "nat",
				     [FORWARD_LOCAL] = "local",
				     [FORWARD_DSR] = "dsr",
				     [FORWARD_IPIP] = "ipip",
				     [FORWARD_GUE] = "gue",
				     [FORWARD_SNAT] = "snat",
				     NULL};
const char *const sticky_words[] = {
	[STICKY_POOL] = "pool", [STICKY_BACKEND] = "backend", [STICKY_NONE] = "none", NULL};
const char *const retry_words[] = {
	[RETRY_POOL] = "pool", [RETRY_LIVE] = "live", [RETRY_OFF] = "off", NULL};
const char *const flood_words[] = {[FLOOD_PASS] = "pass", [FLOOD_PROVE] = "prove", NULL};
const char *const vip_words[] = {[VIP_EXPECT] = "expect", [VIP_MANAGE] = "manage", NULL};

bool forward_is_one_way(enum forward_mode mode)
{
	return mode == FORWARD_DSR || forward_crosses(mode);
}

bool forward_crosses(enum forward_mode mode)
{
	return mode == FORWARD_IPIP || mode == FORWARD_GUE;
}

bool forward_is_watched(enum forward_mode mode)
{
	return mode == FORWARD_NAT || mode == FORWARD_SNAT;
}

const char *const then_words[] = {
	[THEN_KEEP] = "keep", [THEN_SHED] = "shed", [THEN_CUT] = "cut", NULL};

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum { DRAIN_RATE_MAX = 20000 };
enum { FLOWS_MIN = 1024, FLOWS_MAX = 16 << 20 };

/* Values that DESIGN 5 promises and this version does not have. "*" is any name or index. */
static const struct {
	const char *path, *word;
} not_yet[] = {
	{"services.*.vip", "answer"},      {"services.*.health", "grpc"},
	{"services.*.health", "udp"},      {"services.*.health.type", "grpc"},
	{"services.*.health.type", "udp"},
};

static bool is_at(const struct node *n, const char *path, size_t len)
{
	const char *dot, *last;
	size_t n_last;

	if (!n->parent || !len)
		return !n->parent && !len;
	dot = memrchr(path, '.', len);
	last = dot ? dot + 1 : path;
	n_last = len - (size_t)(last - path);
	if (*last != '*' && (!n->key || strlen(n->key) != n_last || memcmp(n->key, last, n_last)))
		return false;
	return is_at(n->parent, path, dot ? (size_t)(dot - path) : 0);
}

int refuse_unsupported(struct report *r, const struct node *n)
{
	int err = 0;

	for (size_t i = 0; n->key && i < sizeof(not_yet) / sizeof(not_yet[0]); i++) {
		if (n->kind == NODE_SCALAR && !strcmp(n->text, not_yet[i].word) &&
		    is_at(n, not_yet[i].path, strlen(not_yet[i].path)))
			return fail_value(r, n, "not yet supported");
	}
	for (size_t i = 0; i < n->n_kids && !err; i++)
		err = refuse_unsupported(r, n->kids[i]);
	return err;
}

static const struct field interface_fields[] = {
	{"name", set_text, AT(struct cfg_interface, name), .min = 1, .max = 15,
	 .expect = "an interface name", .required = true},
	{"attach", set_word, AT(struct cfg_interface, attach), .words = attach_words},
};
static const struct schema interface_schema = SCHEMA(interface_fields);

/* The kernel's rule for device names (dev_valid_name). */
int read_interface(struct report *r, const struct node *n, void *item)
{
	struct cfg_interface *i = item;
	int err = schema_defaults(&interface_schema, i);

	i->line = n->line;
	if (err)
		return err;
	if (n->kind != NODE_MAP) {
		err = interface_fields[0].set(r, n, &interface_fields[0], i);
	} else {
		err = schema_read(r, n, &interface_schema, i);
		n = tree_get(n, "name");
	}
	if (!err && (strpbrk(i->name, "/: ") || !strcmp(i->name, ".") || !strcmp(i->name, "..")))
		err = fail_value(r, n, "expected an interface name without '/', ':' or spaces");
	return err;
}

static const struct field prefix_fields[] = {
	{"v4", set_uint, AT(struct cfg_service, sticky_v4), .min = 1, .max = 32, .value = 32},
	{"v6", set_uint, AT(struct cfg_service, sticky_v6), .min = 1, .max = 128, .value = 64},
};
static const struct schema prefix_schema = SCHEMA(prefix_fields);

static const struct field drain_fields[] = {
	{"deadline", set_duration, AT(struct cfg_service, drain_deadline_ms), .max = 7 * DAY,
	 .value = 5 * MINUTE},
	{"then", set_word, AT(struct cfg_service, drain_then), .words = then_words},
	{"rate", set_uint, AT(struct cfg_service, drain_rate), .min = 1, .max = DRAIN_RATE_MAX,
	 .value = 50},
};
static const struct schema drain_schema = SCHEMA(drain_fields);

static const struct field idle_fields[] = {
	{"tcp", set_duration, AT(struct cfg_service, idle_tcp_ms), .min = 10 * SECOND,
	 .max = 7 * DAY, .value = 2 * HOUR},
	{"udp", set_duration, AT(struct cfg_service, idle_udp_ms), .min = SECOND, .max = HOUR,
	 .value = MINUTE},
};
static const struct schema idle_schema = SCHEMA(idle_fields);

static const struct field signals_fields[] = {
	{"http", set_word, AT(struct cfg_service, signals_http), .words = bool_words},
};
static const struct schema signals_schema = SCHEMA(signals_fields);

static int set_signals(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	const struct cfg_service *s = obj;
	int err = schema_read(r, n, f->map, obj);

	if (!err && s->signals_http && !forward_is_watched(s->forward))
		return fail_key(r, tree_get(n, "http"),
				"does nothing with forward: %s; expected only with nat or snat",
				forward_words[s->forward]);
	return err;
}

/* forward, pools and signals stand before what is read in their light. */
static const struct field service_fields[] = {
	{"listen", ITEMS_AT(struct cfg_service, listen, n_listen, read_listener), .min = 1,
	 .max = CFG_LISTENERS_MAX, .kind = NODE_LIST, .required = true,
	 .expect = "a list such as [\"203.0.113.10:443/tcp\"]"},
	{"preview", ITEMS_AT(struct cfg_service, preview, n_preview, read_listener),
	 .max = CFG_LISTENERS_MAX, .kind = NODE_LIST,
	 .expect = "a list such as [\"203.0.113.10:8443/tcp\"]"},
	{"forward", set_word, AT(struct cfg_service, forward), .words = forward_words},
	{"sticky", set_word, AT(struct cfg_service, sticky), .words = sticky_words},
	{"sticky_prefix", set_map, .map = &prefix_schema},
	{"vip", set_word, AT(struct cfg_service, vip), .words = vip_words},
	{"pools", ITEMS_AT(struct cfg_service, pools, n_pools, read_pool), .min = 1,
	 .max = ZDD_POOLS_PER_SERVICE, .kind = NODE_MAP, .required = true,
	 .expect = "a mapping of pool names to lists of backends"},
	{"live", .set = set_live},
	{"cohorts", .set = set_cohorts},
	{"health", .set = set_health},
	{"passive", .set = set_passive},
	{"salt", set_text, AT(struct cfg_service, salt), .min = 1, .max = 255, .expect = "a text"},
	{"slow_start", set_duration, AT(struct cfg_service, slow_start_ms), .min = SECOND,
	 .max = DAY},
	{"panic", set_percent, AT(struct cfg_service, panic_percent), .max = 100, .value = 50},
	{"retry", set_word, AT(struct cfg_service, retry), .words = retry_words},
	{"flood", set_word, AT(struct cfg_service, flood), .words = flood_words},
	{"drain", set_map, .map = &drain_schema},
	{"idle", set_map, .map = &idle_schema},
	{"signals", set_signals, .map = &signals_schema},
	{"rollout", .set = set_rollout},
};
static const struct schema service_schema = SCHEMA(service_fields);

int read_service(struct report *r, const struct node *n, void *item)
{
	struct cfg_service *s = item;
	int err;

	s->line = n->key_line;
	if (!name_is_valid(n->key))
		return fail_key(r, n,
				"expected a service name of up to 63 letters, digits, "
				"'.', '_' or '-'");
	s->name = strdup(n->key);
	s->salt = strdup(n->key);
	if (!s->name || !s->salt)
		return -ENOMEM;
	err = schema_defaults(&service_schema, s);
	if (!err)
		err = health_defaults(s);
	if (!err)
		err = rollout_defaults(&s->rollout);
	if (!err)
		err = schema_read(r, n, &service_schema, s);
	s->passive.on &= forward_is_watched(s->forward);
	return err ? err : check_service(r, n, s);
}

static const struct field flows_fields[] = {
	{"tcp", set_uint, AT(struct config, flows_tcp), .min = FLOWS_MIN, .max = FLOWS_MAX,
	 .value = 1000000},
	{"udp", set_uint, AT(struct config, flows_udp), .min = FLOWS_MIN, .max = FLOWS_MAX,
	 .value = 250000},
};
static const struct schema flows_schema = SCHEMA(flows_fields);

static const struct field snat_fields[] = {
	{"addresses", ITEMS_AT(struct cfg_snat, addresses, n_addresses, read_address),
	 .max = 2 * ZDD_SNAT_ADDRESSES, .kind = NODE_LIST, .expect = "a list such as [10.0.1.1]"},
	{"ports", .set = set_ports, .min = 1024, .expect = "a range such as 1024-32767"},
};
static const struct schema snat_schema = SCHEMA(snat_fields);

static const struct field config_fields[] = {
	{"interfaces", ITEMS_AT(struct config, interfaces, n_interfaces, read_interface), .min = 1,
	 .max = ZDD_LINKS / 2, .kind = NODE_LIST, .required = true,
	 .expect = "a list such as [eth0]"},
	{"metrics", .set = set_metrics},
	{"flows", set_map, .map = &flows_schema},
	{"snat", set_map, AT(struct config, snat), .map = &snat_schema},
	{"services", ITEMS_AT(struct config, services, n_services, read_service), .min = 1,
	 .max = CFG_SERVICES_MAX, .kind = NODE_MAP, .required = true,
	 .expect = "a mapping of service names"},
};
const struct schema config_schema = SCHEMA(config_fields);
