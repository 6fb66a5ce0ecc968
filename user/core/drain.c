/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "drain.h"

void drain_key(char *out, const struct world_service *s, const struct drain *d)
{
	snprintf(out, DRAIN_KEY, "%s/%s/%s/%llu", s->cfg->name, d->pool->cfg->name,
		 d->backend ? d->backend->cfg->text : "", (unsigned long long)d->since_ms);
}

static void add_numbers(struct drain *d, const struct world_service *s, const struct numbers *n)
{
	struct drain_start start = {0};
	char key[DRAIN_KEY];

	d->deadline_ms = d->since_ms + s->cfg->drain_deadline_ms;
	drain_key(key, s, d);
	if (n->drain)
		start = n->drain(n->context, key);
	if (!start.known)
		return;
	d->cut = d->cut_ever - start.cut;
	d->finished = start.open > d->open + d->cut ? start.open - d->open - d->cut : 0;
}

static void drain_backends(const struct world_service *s, const struct world_pool *p,
			   const struct numbers *n, void (*each)(void *, const struct drain *),
			   void *context)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		const struct world_backend *b = &p->backends[i];
		struct drain d = {.pool = p, .backend = b, .since_ms = b->admin_since_ms};
		struct backend_numbers now;

		if (b->admin == ADMIN_READY)
			continue;
		now = n->backend(n->context, b->object);
		d.open = now.active;
		d.cut_ever = now.row.cut;
		add_numbers(&d, s, n);
		each(context, &d);
	}
}

void each_drain(const struct world_service *s, const struct numbers *n,
		void (*each)(void *context, const struct drain *), void *context)
{
	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		const struct world_pool *p = &s->pools[i];
		struct drain d = {.pool = p, .since_ms = s->released_ms};
		struct pool_numbers now;

		drain_backends(s, p, n, each, context);
		if (s->share[i] || !s->released_ms)
			continue;
		now = n->pool(n->context, p->object);
		d.open = now.active;
		d.cut_ever = now.row.cut;
		add_numbers(&d, s, n);
		each(context, &d);
	}
}

static bool is_preview(const struct cfg_service *s, const struct zdd_listener *l)
{
	for (size_t i = 0; i < s->n_preview; i++) {
		const struct cfg_listener *p = &s->preview[i];

		if (p->proto == l->proto && htons(p->port) == l->port &&
		    (p->any || zdd_addr_eq(&p->addr, &l->addr)))
			return true;
	}
	return false;
}

bool flow_stays(const struct cfg_service *s, const char *pool, const struct zdd_addr *client,
		const struct zdd_listener *l)
{
	const struct cfg_cohort *rule = rule_of(s, client);

	return (rule && !strcmp(s->pools[rule->pool].name, pool)) || is_preview(s, l);
}

static const struct world_backend *drained_backend(const struct world_pool *p, uint16_t object)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (p->backends[i].object == object && p->backends[i].admin != ADMIN_READY)
			return &p->backends[i];
	return NULL;
}

uint64_t flow_deadline_ms(const struct world_service *s, const struct world_pool *p,
			  const struct zdd_flow *f, const struct zdd_listener *l)
{
	const struct world_backend *b = drained_backend(p, f->owner.backend);
	bool pool_drains = !s->share[pool_index(s, p)] && s->released_ms &&
			   !flow_stays(s->cfg, p->cfg->name, &f->client, l);
	uint64_t since = b ? b->admin_since_ms : 0;

	if (pool_drains && (!since || s->released_ms < since))
		since = s->released_ms;
	return since ? since + s->cfg->drain_deadline_ms : 0;
}
