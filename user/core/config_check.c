/* SPDX-License-Identifier: BSD-2-Clause */
/* What no single key can know: duplicates, overlaps, loops, families, totals. The lists of the
 * configuration and of the tree have the same order here, so places come from the tree. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"
#include "zdd/limits.h"

/* A listener, backend or cohort beside its place; sorted to find neighbours that collide. */
struct ref {
	const struct node *node;
	union {
		const struct cfg_listener *listener;
		const struct cfg_backend *backend;
		const struct cfg_cohort *cohort;
	};
};

static int by_place(const struct ref *a, const struct ref *b)
{
	if (a->node->line != b->node->line)
		return a->node->line < b->node->line ? -1 : 1;
	return (a->node->column > b->node->column) - (a->node->column < b->node->column);
}

static int by_addr(const struct zdd_addr *a, const struct zdd_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

/* Wildcards first among those of one port and protocol. */
static int by_listener(const void *x, const void *y)
{
	const struct ref *p = x, *q = y;
	const struct cfg_listener *a = p->listener, *b = q->listener;
	int order = a->port - b->port;

	if (!order)
		order = a->proto - b->proto;
	if (!order)
		order = b->any - a->any;
	if (!order)
		order = by_addr(&a->addr, &b->addr);
	return order ? order : by_place(p, q);
}

static int by_endpoint(const void *x, const void *y)
{
	const struct ref *p = x, *q = y;
	int order = p->backend->port - q->backend->port;

	return order ? order : by_addr(&p->backend->addr, &q->backend->addr);
}

static int by_backend(const void *x, const void *y)
{
	int order = by_endpoint(x, y);

	return order ? order : by_place(x, y);
}

/* Wider prefixes first: what overlaps then overlaps a neighbour. */
static int by_cohort(const void *x, const void *y)
{
	const struct ref *p = x, *q = y;
	int order = by_addr(&p->cohort->first, &q->cohort->first);

	if (!order)
		order = p->cohort->prefix_len - q->cohort->prefix_len;
	return order ? order : by_place(p, q);
}

static const struct node *backends_of(const struct node *pool)
{
	return pool->kind == NODE_MAP ? tree_get(pool, "backends") : pool;
}

static const struct node *address_of(const struct node *backend)
{
	return backend->kind == NODE_MAP ? tree_get(backend, "address") : backend;
}

static int check_backends(struct report *r, const struct node *pool, const struct cfg_pool *p)
{
	const struct node *list = backends_of(pool);
	struct ref *refs;
	int err = 0;

	if (p->n_backends < 2)
		return 0;
	refs = calloc(p->n_backends, sizeof(*refs));
	if (!refs)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_backends; i++) {
		refs[i].node = address_of(list->kids[i]);
		refs[i].backend = &p->backends[i];
	}
	qsort(refs, p->n_backends, sizeof(*refs), by_backend);
	for (size_t i = 1; i < p->n_backends && !err; i++) {
		const struct cfg_backend *a = refs[i - 1].backend, *b = refs[i].backend;

		if (a->port == b->port && zdd_addr_eq(&a->addr, &b->addr))
			err = fail_value(r, refs[i].node,
					 "expected each backend once; it is already in line %u",
					 refs[i - 1].node->line);
	}
	free(refs);
	return err;
}

static bool loops(const struct cfg_listener *l, const struct cfg_backend *b)
{
	return l->port == b->port &&
	       (l->any ? is_loopback(&b->addr) : zdd_addr_eq(&l->addr, &b->addr));
}

static int check_loops(struct report *r, const struct node *pool, const struct cfg_pool *p,
		       const struct cfg_listener *listen, size_t n)
{
	const struct node *list = backends_of(pool);

	for (size_t i = 0; i < p->n_backends; i++)
		for (size_t j = 0; j < n; j++)
			if (loops(&listen[j], &p->backends[i]))
				return fail_value(r, address_of(list->kids[i]),
						  "expected a server, not the listener of this "
						  "service in line %u, which is a loop",
						  listen[j].line);
	return 0;
}

/* In the one-way modes the backend meets the packet as the client sent it. */
static int check_ports(struct report *r, const struct node *pool, const struct cfg_service *s,
		       const struct cfg_pool *p, const struct cfg_listener *listen, size_t n)
{
	const struct node *list = backends_of(pool);

	for (size_t i = 0; i < p->n_backends && forward_is_one_way(s->forward); i++)
		for (size_t j = 0; j < n; j++)
			if (listen[j].port != p->backends[i].port)
				return fail_value(r, address_of(list->kids[i]),
						  "expected port %u, the listener's in line %u; "
						  "forward: %s does not rewrite it",
						  listen[j].port, listen[j].line,
						  forward_words[s->forward]);
	return 0;
}

static bool has_backend(const struct cfg_service *s, bool any_family, bool v4)
{
	for (size_t i = 0; i < s->n_pools; i++)
		for (size_t j = 0; j < s->pools[i].n_backends; j++)
			if (any_family || !!zdd_addr_is_v4(&s->pools[i].backends[j].addr) == v4)
				return true;
	return false;
}

static bool keeps_family(enum forward_mode mode)
{
	return mode == FORWARD_NAT || mode == FORWARD_SNAT || mode == FORWARD_DSR;
}

/* A service whose pools are all empty is one that gets its backends later. */
static int check_listeners(struct report *r, const struct node *list, const struct cfg_service *s,
			   const struct cfg_listener *listen, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct cfg_listener *l = &listen[i];
		bool v4 = zdd_addr_is_v4(&l->addr);

		if (s->forward == FORWARD_LOCAL && l->proto != IPPROTO_TCP)
			return fail_value(r, list->kids[i],
					  "expected /tcp with forward: local; "
					  "UDP on the same host: use forward: nat");
		if (forward_is_one_way(s->forward) && l->any)
			return fail_value(r, list->kids[i],
					  "expected an address with forward: %s; the backends "
					  "have it too, on lo",
					  forward_words[s->forward]);
		if (keeps_family(s->forward) && !l->any && !has_backend(s, false, v4) &&
		    has_backend(s, true, v4))
			return fail_value(r, list->kids[i],
					  "expected an %s backend in some pool; forward: %s "
					  "keeps the family",
					  v4 ? "IPv4" : "IPv6", forward_words[s->forward]);
	}
	return 0;
}

static const struct node *cohort_node(const struct node *map, size_t index)
{
	for (size_t i = 0; i < map->n_kids; i++) {
		if (index < map->kids[i]->n_kids)
			return map->kids[i]->kids[index];
		index -= map->kids[i]->n_kids;
	}
	return map;
}

static int check_cohorts(struct report *r, const struct node *map, const struct cfg_service *s)
{
	struct ref *refs;
	int err = 0;

	if (s->n_cohorts < 2)
		return 0;
	refs = calloc(s->n_cohorts, sizeof(*refs));
	if (!refs)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_cohorts; i++) {
		refs[i].node = cohort_node(map, i);
		refs[i].cohort = &s->cohorts[i];
	}
	qsort(refs, s->n_cohorts, sizeof(*refs), by_cohort);
	for (size_t i = 1; i < s->n_cohorts && !err; i++) {
		const struct ref *wide = &refs[i - 1], *one = &refs[i];
		struct zdd_addr start = mask_address(one->cohort->first, wide->cohort->prefix_len);
		bool later = by_place(wide, one) < 0;

		if (zdd_addr_eq(&start, &wide->cohort->first))
			err = fail_value(r, later ? one->node : wide->node,
					 "expected no overlap; '%s' is in line %u",
					 (later ? wide : one)->cohort->text,
					 (later ? wide : one)->cohort->line);
	}
	free(refs);
	return err;
}

static int check_pools(struct report *r, const struct node *service, const struct cfg_service *s)
{
	const struct node *pools = tree_get(service, "pools");
	int err = 0;

	for (size_t i = 0; i < s->n_pools && !err; i++) {
		const struct node *n = pools->kids[i];

		err = check_backends(r, n, &s->pools[i]);
		if (!err)
			err = check_loops(r, n, &s->pools[i], s->listen, s->n_listen);
		if (!err)
			err = check_loops(r, n, &s->pools[i], s->preview, s->n_preview);
		if (!err)
			err = check_ports(r, n, s, &s->pools[i], s->listen, s->n_listen);
		if (!err)
			err = check_ports(r, n, s, &s->pools[i], s->preview, s->n_preview);
	}
	if (!err && s->n_pools > 1 && !tree_get(service, "live"))
		err = fail_node(r, service,
				"'live' is missing; expected the pool that gets the "
				"traffic, such as %s",
				s->pools[0].name);
	return err;
}

/* The first endpoint that two pools have, or NULL. -ENOMEM is told by *err. */
static const struct cfg_backend *shared_backend(const struct cfg_service *s, int *err)
{
	const struct cfg_backend *shared = NULL;
	struct ref *refs;
	size_t n = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		n += s->pools[i].n_backends;
	refs = calloc(n + 1, sizeof(*refs));
	if (!refs) {
		*err = -ENOMEM;
		return NULL;
	}
	n = 0;
	for (size_t i = 0; i < s->n_pools; i++)
		for (size_t k = 0; k < s->pools[i].n_backends; k++)
			refs[n++].backend = &s->pools[i].backends[k];
	qsort(refs, n, sizeof(*refs), by_endpoint);
	for (size_t i = 1; i < n && !shared; i++)
		if (!by_endpoint(&refs[i - 1], &refs[i]))
			shared = refs[i].backend;
	free(refs);
	return shared;
}

/* Mode local has no record of a connection: it is known by the socket that took it. */
static int check_removal(struct report *r, const struct node *drain, const struct cfg_service *s)
{
	const struct node *then = drain ? tree_get(drain, "then") : NULL;
	const struct cfg_backend *shared;
	int err = 0;

	if (s->forward != FORWARD_LOCAL || s->drain_then == THEN_KEEP || !then)
		return 0;
	shared = shared_backend(s, &err);
	if (!shared)
		return err;
	return fail_value(r, then,
			  "expected keep: two pools have %s, and with forward: local an open "
			  "connection tells its socket, not its pool",
			  shared->text);
}

int check_service(struct report *r, const struct node *service, const struct cfg_service *s)
{
	int err = check_pools(r, service, s);

	if (!err)
		err = check_listeners(r, tree_get(service, "listen"), s, s->listen, s->n_listen);
	if (!err)
		err = check_listeners(r, tree_get(service, "preview"), s, s->preview, s->n_preview);
	if (!err)
		err = check_removal(r, tree_get(service, "drain"), s);
	return err ? err : check_cohorts(r, tree_get(service, "cohorts"), s);
}

static size_t add_listeners(struct ref *refs, const struct node *list, const struct cfg_listener *l,
			    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		refs[i].node = list->kids[i];
		refs[i].listener = &l[i];
	}
	return n;
}

/* Complains about the one that stands later in the file. */
static int fail_taken(struct report *r, const struct ref *a, const struct ref *b)
{
	const struct ref *first = by_place(a, b) < 0 ? a : b;

	return fail_value(r, (first == a ? b : a)->node, "already taken by '%s' in line %u",
			  first->listener->text, first->listener->line);
}

/* Sorted, a wildcard leads its port and protocol, and equal addresses stand side by side. */
static int find_collision(struct report *r, const struct ref *refs, size_t n)
{
	const struct ref *head = refs;

	for (const struct ref *b = refs + 1; b < refs + n; b++) {
		const struct ref *a = b - 1;

		if (head->listener->port != b->listener->port ||
		    head->listener->proto != b->listener->proto) {
			head = b;
			continue;
		}
		if (head->listener->any)
			a = head;
		else if (!zdd_addr_eq(&a->listener->addr, &b->listener->addr))
			continue;
		return fail_taken(r, a, b);
	}
	return 0;
}

static int check_collisions(struct report *r, const struct node *services, const struct config *c)
{
	size_t n = 0, total = 0;
	struct ref *refs;
	int err;

	for (size_t i = 0; i < c->n_services; i++)
		total += c->services[i].n_listen + c->services[i].n_preview;
	refs = calloc(total, sizeof(*refs));
	if (!refs)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_services; i++) {
		const struct cfg_service *s = &c->services[i];
		const struct node *service = services->kids[i];

		n += add_listeners(refs + n, tree_get(service, "listen"), s->listen, s->n_listen);
		n += add_listeners(refs + n, tree_get(service, "preview"), s->preview,
				   s->n_preview);
	}
	qsort(refs, n, sizeof(*refs), by_listener);
	err = find_collision(r, refs, n);
	free(refs);
	return err;
}

static int check_interfaces(struct report *r, const struct node *list, const struct config *c)
{
	for (size_t i = 1; i < c->n_interfaces; i++)
		for (size_t j = 0; j < i; j++)
			if (!strcmp(c->interfaces[i].name, c->interfaces[j].name))
				return fail_node(r, list->kids[i],
						 "'%s': expected each interface once; it is "
						 "already in line %u",
						 c->interfaces[i].name, c->interfaces[j].line);
	return 0;
}

/* Generic XDP gets super-packets, which a tunnel cannot hold, and whose checksums are not final. */
static int check_generic(struct report *r, const struct node *list, const struct config *c)
{
	for (size_t i = 0; i < c->n_interfaces; i++)
		for (size_t k = 0; k < c->n_services; k++)
			if (c->interfaces[i].attach == ATTACH_GENERIC &&
			    forward_is_one_way(c->services[k].forward))
				return fail_node(r, list->kids[i],
						 "'%s': expected auto, xdp or tc, since %s "
						 "forwards by %s",
						 c->interfaces[i].name, c->services[k].name,
						 forward_words[c->services[k].forward]);
	return 0;
}

static int check_snat(struct report *r, const struct node *snat, const struct config *c)
{
	const struct node *list = snat ? tree_get(snat, "addresses") : NULL;
	size_t n[2] = {0, 0};

	for (size_t i = 0; i < c->snat.n_addresses; i++) {
		const struct cfg_address *a = &c->snat.addresses[i];
		bool v6 = !zdd_addr_is_v4(&a->addr);

		for (size_t k = 0; k < i; k++)
			if (zdd_addr_eq(&a->addr, &c->snat.addresses[k].addr))
				return fail_value(r, list->kids[i], "expected each address once");
		if (++n[v6] > ZDD_SNAT_ADDRESSES)
			return fail_value(r, list->kids[i],
					  "expected at most %d addresses of each family",
					  ZDD_SNAT_ADDRESSES);
	}
	return 0;
}

int check_config(struct report *r, const struct node *root, const struct config *c)
{
	const struct node *services = tree_get(root, "services");
	size_t backends = 0;
	int err = check_interfaces(r, tree_get(root, "interfaces"), c);

	if (!err)
		err = check_generic(r, tree_get(root, "interfaces"), c);
	if (!err)
		err = check_snat(r, tree_get(root, "snat"), c);

	for (size_t i = 0; i < c->n_services; i++)
		for (size_t j = 0; j < c->services[i].n_pools; j++)
			backends += c->services[i].pools[j].n_backends;
	if (!err && backends > CFG_BACKENDS_MAX)
		err = fail_node(r, services,
				"%zu backends; expected at most %d in all services "
				"together",
				backends, CFG_BACKENDS_MAX);
	return err ? err : check_collisions(r, services, c);
}
