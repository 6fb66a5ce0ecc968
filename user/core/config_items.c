/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners, backends, pools, cohorts: the values that are more than a number or a word. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"
#include "zdd/limits.h"

#define LISTENER_FORM "203.0.113.10:443/tcp, [2001:db8::10]:443/udp or :443/tcp"

static bool is_range(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;

	return digits && colon[1 + digits] == '-';
}

/* Why an endpoint is refused, for the mistakes that people really make. */
static const char *endpoint_hint(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (is_range(text))
		return "; port ranges are not supported, list each port";
	if (strchr(text, '%'))
		return "; IPv6 zone ids are not supported";
	if (strcasestr(text, "::ffff:") && strchr(text, '.'))
		return "; write an IPv4 address without ::ffff:";
	if (colon && strchr(text, ':') != colon && text[0] != '[')
		return "; put an IPv6 address in brackets";
	if (colon && colon[1] == '0')
		return "; a port is 1 to 65535";
	return "";
}

bool is_loopback(const struct zdd_addr *a)
{
	static const struct zdd_addr v6 = {.b = {[15] = 1}};

	return zdd_addr_is_v4(a) ? a->b[12] == 127 : zdd_addr_eq(a, &v6);
}

/* What no listener and no backend can be; NULL when the address will do. */
static const char *address_trouble(const struct zdd_addr *a)
{
	static const struct zdd_addr unspecified;
	const __u8 *b = a->b;

	if (zdd_addr_is_v4(a)) {
		if (!b[12])
			return "unspecified";
		if ((b[12] & 0xf0) == 0xe0)
			return "multicast";
		return a->w[3] == 0xffffffff ? "broadcast" : NULL;
	}
	if (zdd_addr_eq(a, &unspecified))
		return "unspecified";
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return "link-local";
	return b[0] == 0xff ? "multicast" : NULL;
}

static int dup_text(char **to, const char *text)
{
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

static int split_listener(struct report *r, const struct node *n, char *endpoint, size_t size,
			  uint8_t *proto)
{
	const char *slash = strrchr(n->text, '/');
	size_t len = slash ? (size_t)(slash - n->text) : 0;

	if (!slash)
		return fail_value(r, n, "expected a protocol at the end: /tcp or /udp");
	if (len >= size)
		return fail_value(r, n, "expected a listener such as %s", LISTENER_FORM);
	if (!strcmp(slash, "/tcp"))
		*proto = IPPROTO_TCP;
	else if (!strcmp(slash, "/udp"))
		*proto = IPPROTO_UDP;
	else
		return fail_value(r, n, "expected a protocol at the end: /tcp or /udp");
	memcpy(endpoint, n->text, len);
	endpoint[len] = '\0';
	return 0;
}

/* The endpoint part; ":443" is every local address of both families. */
static int parse_listener(const char *text, struct cfg_listener *l)
{
	uint32_t port;

	if (text[0] != ':')
		return parse_endpoint(text, &l->addr, &l->port);
	if (parse_uint(text + 1, strlen(text + 1), UINT16_MAX, &port) || !port)
		return -EINVAL;
	l->any = true;
	l->port = (uint16_t)port;
	return 0;
}

int read_listener(struct report *r, const struct node *n, void *item)
{
	struct cfg_listener *l = item;
	char endpoint[128], text[ENDPOINT_TEXT + 4];
	const char *trouble;
	int err = want_scalar(r, n, "a listener such as " LISTENER_FORM);

	if (!err)
		err = split_listener(r, n, endpoint, sizeof(endpoint), &l->proto);
	if (err)
		return err;
	l->line = n->line;
	if (parse_listener(endpoint, l))
		return fail_value(r, n, "expected a listener such as %s%s", LISTENER_FORM,
				  endpoint_hint(endpoint));
	trouble = l->any ? NULL : address_trouble(&l->addr);
	if (trouble)
		return fail_value(r, n,
				  "expected an address of this node, not %s; "
				  ":%u/%s is every local address",
				  trouble, l->port, l->proto == IPPROTO_TCP ? "tcp" : "udp");
	if (l->any)
		snprintf(endpoint, sizeof(endpoint), ":%u", l->port);
	else
		format_endpoint(endpoint, sizeof(endpoint), &l->addr, l->port);
	snprintf(text, sizeof(text), "%.*s/%s", ENDPOINT_TEXT - 1, endpoint,
		 l->proto == IPPROTO_TCP ? "tcp" : "udp");
	return dup_text(&l->text, text);
}

static int set_backend_address(struct report *r, const struct node *n, const struct field *f,
			       void *obj)
{
	struct cfg_backend *b = obj;
	char text[ENDPOINT_TEXT];
	const char *trouble;
	int err = want_scalar(r, n, f->expect);

	if (err)
		return err;
	if (parse_endpoint(n->text, &b->addr, &b->port))
		return fail_value(r, n, "expected %s%s", f->expect, endpoint_hint(n->text));
	trouble = address_trouble(&b->addr);
	if (trouble)
		return fail_value(r, n, "expected the address of one server, not %s", trouble);
	format_endpoint(text, sizeof(text), &b->addr, b->port);
	return dup_text(&b->text, text);
}

static const struct field backend_fields[] = {
	{"address", set_backend_address, .required = true,
	 .expect = "address:port, such as 10.0.1.11:8080 or [2001:db8::11]:8080"},
	{"weight", set_uint, AT(struct cfg_backend, weight), .min = 1, .max = 1000, .value = 1},
};
static const struct schema backend_schema = SCHEMA(backend_fields);

int read_backend(struct report *r, const struct node *n, void *item)
{
	struct cfg_backend *b = item;
	int err = schema_defaults(&backend_schema, b);

	b->line = n->line;
	if (err)
		return err;
	if (n->kind == NODE_MAP)
		return schema_read(r, n, &backend_schema, b);
	return backend_fields[0].set(r, n, &backend_fields[0], b);
}

static const struct field pool_fields[] = {
	{"backends", ITEMS_AT(struct cfg_pool, backends, n_backends, read_backend),
	 .max = CFG_BACKENDS_MAX, .kind = NODE_LIST, .required = true,
	 .expect = "a list such as [\"10.0.1.11:8080\"]; [] is an empty pool"},
};
static const struct schema pool_schema = SCHEMA(pool_fields);

/* A list is short for {backends: list}. */
int read_pool(struct report *r, const struct node *n, void *item)
{
	struct cfg_pool *p = item;

	p->line = n->key_line;
	if (!name_is_valid(n->key))
		return fail_key(r, n,
				"expected a pool name of up to 63 letters, digits, "
				"'.', '_' or '-'");
	if (dup_text(&p->name, n->key))
		return -ENOMEM;
	if (n->kind == NODE_MAP)
		return schema_read(r, n, &pool_schema, p);
	return pool_fields[0].set(r, n, &pool_fields[0], p);
}

/* Index of the pool called name, or n_pools; words gets the names for the message. */
static unsigned find_pool(const struct cfg_service *s, const char *name, const char **words)
{
	unsigned found = (unsigned)s->n_pools;

	for (unsigned i = 0; i < s->n_pools; i++) {
		words[i] = s->pools[i].name;
		if (!strcmp(words[i], name))
			found = i;
	}
	return found;
}

int set_live(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	const char *names[ZDD_POOLS_PER_SERVICE];
	struct cfg_service *s = obj;
	unsigned pool = find_pool(s, n->kind == NODE_SCALAR ? n->text : "", names);

	(void)f;
	if (pool == s->n_pools)
		return fail_word(r, n, "a pool: ", names, s->n_pools);
	s->live = pool;
	return 0;
}

/* IPv4 lies inside ::/0 in the 16-byte form, so a wide IPv6 prefix would take IPv4 clients. */
static bool covers_v4(const struct zdd_addr *a, uint8_t prefix_len)
{
	struct zdd_addr v4 = mask_address(zdd_addr_v4(0), prefix_len);

	return !zdd_addr_is_v4(a) && zdd_addr_eq(a, &v4);
}

static int read_cohort(struct report *r, const struct node *n, struct cfg_cohort *c)
{
	char text[ADDRESS_TEXT + 4];
	struct zdd_addr first;
	int err = want_scalar(r, n, "a CIDR such as 198.51.100.0/24 or 2001:db8::/32");

	if (err)
		return err;
	c->line = n->line;
	if (parse_cidr(n->text, &c->first, &c->prefix_len))
		return fail_value(r, n, "expected a CIDR such as 198.51.100.0/24 or 2001:db8::/32");
	first = mask_address(c->first, c->prefix_len);
	format_cidr(text, sizeof(text), &first, c->prefix_len);
	if (!zdd_addr_eq(&first, &c->first))
		return fail_value(r, n, "expected no bits behind the prefix; did you mean '%s'?",
				  text);
	if (covers_v4(&first, c->prefix_len))
		return fail_value(r, n,
				  "expected a prefix that leaves IPv4 out; "
				  "2000::/3 is the global IPv6 internet");
	return dup_text(&c->text, text);
}

/* The key of a cohort as a scalar, so that a wrong one gets the same message as "live". */
static int find_cohort_pool(struct report *r, const struct node *n, const struct cfg_service *s,
			    unsigned *pool)
{
	const char *names[ZDD_POOLS_PER_SERVICE];
	struct node key = {.text = n->key,
			   .line = n->key_line,
			   .column = n->key_column,
			   .parent = n->parent->parent,
			   .key = n->parent->key};

	*pool = find_pool(s, n->key, names);
	if (*pool == s->n_pools)
		return fail_word(r, &key, "a pool: ", names, s->n_pools);
	if (n->kind != NODE_LIST)
		return fail_value(r, n, "expected a list such as [\"198.51.100.0/24\"]");
	return 0;
}

int set_cohorts(struct report *r, const struct node *map, const struct field *f, void *obj)
{
	struct cfg_service *s = obj;
	size_t total = 0;
	unsigned pool;
	int err = 0;

	(void)f;
	if (map->kind != NODE_MAP)
		return fail_value(r, map, "expected a mapping of pools to lists of CIDRs");
	for (size_t i = 0; i < map->n_kids; i++)
		total += map->kids[i]->n_kids;
	if (total > ZDD_COHORTS_PER_SERVICE)
		return fail_node(r, map, "%zu CIDRs; expected at most %d", total,
				 ZDD_COHORTS_PER_SERVICE);
	s->cohorts = total ? calloc(total, sizeof(*s->cohorts)) : NULL;
	if (total && !s->cohorts)
		return -ENOMEM;
	for (size_t i = 0; i < map->n_kids && !err; i++) {
		const struct node *list = map->kids[i];

		err = find_cohort_pool(r, list, s, &pool);
		for (size_t j = 0; j < list->n_kids && !err; j++) {
			struct cfg_cohort *c = &s->cohorts[s->n_cohorts++];

			c->pool = pool;
			err = read_cohort(r, list->kids[j], c);
		}
	}
	return err;
}

int read_address(struct report *r, const struct node *n, void *item)
{
	static const char expect[] = "an address of this node, such as 10.0.1.1 or 2001:db8::1";
	struct cfg_address *a = item;
	char text[ADDRESS_TEXT];
	const char *trouble;
	int err = want_scalar(r, n, expect);

	if (err)
		return err;
	a->line = n->line;
	if (parse_address(n->text, &a->addr))
		return fail_value(r, n, "expected %s", expect);
	trouble = is_loopback(&a->addr) ? "loopback" : address_trouble(&a->addr);
	if (trouble)
		return fail_value(r, n, "expected %s, not %s", expect, trouble);
	format_address(text, sizeof(text), &a->addr);
	return dup_text(&a->text, text);
}

/* "1024-32767". Below lie the ports of services; snat's must not look like them. */
int set_ports(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_snat *s = obj;
	uint32_t first, last;
	const char *dash;
	int err = want_scalar(r, n, f->expect);

	if (err)
		return err;
	dash = strchr(n->text, '-');
	if (!dash || parse_uint(n->text, (size_t)(dash - n->text), UINT16_MAX, &first) ||
	    parse_uint(dash + 1, strlen(dash + 1), UINT16_MAX, &last) || first < f->min ||
	    last < first)
		return fail_value(r, n, "expected %s, from %u on", f->expect, f->min);
	s->port_first = (uint16_t)first;
	s->port_last = (uint16_t)last;
	return 0;
}

int set_metrics(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	static const char expect[] = "address:port, such as 127.0.0.1:9177";
	struct config *c = obj;
	struct zdd_addr addr;
	char text[ENDPOINT_TEXT];
	uint16_t port;
	int err = want_scalar(r, n, expect);

	(void)f;
	if (err)
		return err;
	if (parse_endpoint(n->text, &addr, &port))
		return fail_value(r, n, "expected %s%s", expect, endpoint_hint(n->text));
	format_endpoint(text, sizeof(text), &addr, port);
	return dup_text(&c->metrics, text);
}
