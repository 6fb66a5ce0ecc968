/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"

static void free_listeners(struct cfg_listener *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(l[i].text);
	free(l);
}

static void free_pool(struct cfg_pool *p)
{
	for (size_t i = 0; i < p->n_backends; i++)
		free(p->backends[i].text);
	free(p->backends);
	free(p->name);
}

static void free_service(struct cfg_service *s)
{
	free_listeners(s->listen, s->n_listen);
	free_listeners(s->preview, s->n_preview);
	for (size_t i = 0; i < s->n_pools; i++)
		free_pool(&s->pools[i]);
	for (size_t i = 0; i < s->n_cohorts; i++)
		free(s->cohorts[i].text);
	free(s->pools);
	free(s->cohorts);
	health_release(&s->health);
	rollout_release(&s->rollout);
	free(s->salt);
	free(s->name);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_interfaces; i++)
		free(c->interfaces[i].name);
	for (size_t i = 0; i < c->n_services; i++)
		free_service(&c->services[i]);
	for (size_t i = 0; i < c->snat.n_addresses; i++)
		free(c->snat.addresses[i].text);
	free(c->snat.addresses);
	free(c->interfaces);
	free(c->services);
	free(c->metrics);
	free(c);
}

static int by_name(const void *x, const void *y)
{
	const struct cfg_service *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static int read_config(struct report *r, const struct node *root, struct config **out)
{
	struct config *c = calloc(1, sizeof(*c));
	int err = c ? schema_defaults(&config_schema, c) : -ENOMEM;

	if (!err) {
		c->snat.port_first = CFG_SNAT_FIRST;
		c->snat.port_last = CFG_SNAT_LAST;
		err = refuse_unsupported(r, root);
	}
	if (!err)
		err = schema_read(r, root, &config_schema, c);
	if (!err)
		err = check_config(r, root, c);
	if (err) {
		config_free(c);
		return err;
	}
	qsort(c->services, c->n_services, sizeof(*c->services), by_name);
	*out = c;
	return 0;
}

int config_parse(const char *file, const char *text, size_t len, struct config **out, char **error)
{
	struct report report = {.file = file};
	struct node *root = NULL;
	int err = tree_parse(&report, text, len, &root);

	if (!err)
		err = read_config(&report, root, out);
	tree_free(root);
	if (err == -EINVAL)
		*error = report.error;
	else
		free(report.error);
	return err;
}
