/* SPDX-License-Identifier: BSD-2-Clause */
/* The services of a plan with their objects. Those of the configuration come first, in its order,
 * then one for each preview. */
#include <arpa/inet.h>
#include <string.h>

#include "draft.h"
#include "seed.h"

static struct zdd_service *entry(const struct draft *d, uint32_t i)
{
	return &d->memory->services[d->slot * d->geometry->services + i];
}

static struct zdd_pool *pool_entry(const struct draft *d, uint32_t i)
{
	return &d->memory->pools[d->slot * d->geometry->pools + i];
}

/* ---- objects ---- */

/* others: somebody of the pool takes new flows who can take over b's. */
static uint32_t flags_of(const struct world_service *s, const struct world_pool *p,
			 const struct world_backend *b, bool others)
{
	uint32_t flags = ZDD_B_USED;

	flags |= b->health.state == HEALTH_UP ? ZDD_B_UP : 0;
	flags |= b->health.state == HEALTH_DOWN ? ZDD_B_DOWN : 0;
	flags |= b->admin == ADMIN_DRAIN ? ZDD_B_DRAIN : 0;
	flags |= b->admin == ADMIN_MAINT ? ZDD_B_MAINT : 0;
	flags |= backend_is_ejected(b) ? ZDD_B_EJECTED : 0;
	/* UDP has no end: it leaves at once, but a draining backend keeps it, and so does the last,
	 * and one whose TCP connections alone spoke against it. */
	if (b->admin != ADMIN_DRAIN && others && !backend_takes_new(s, p, b) &&
	    !(b->admin == ADMIN_READY && b->health.state != HEALTH_DOWN && backend_is_ejected(b)))
		flags |= ZDD_B_GONE;
	return flags;
}

static uint8_t forward_of(const struct world_service *s)
{
	static const uint8_t of[] = {
		[FORWARD_NAT] = ZDD_FORWARD_NAT,   [FORWARD_LOCAL] = ZDD_FORWARD_NAT,
		[FORWARD_SNAT] = ZDD_FORWARD_SNAT, [FORWARD_DSR] = ZDD_FORWARD_DSR,
		[FORWARD_IPIP] = ZDD_FORWARD_IPIP, [FORWARD_GUE] = ZDD_FORWARD_GUE};

	return of[s->cfg->forward];
}

/* For a daemon that starts again. Only a trial that goes on may still be taken. */
static void remember(struct zdd_backend *out, const struct world_backend *b)
{
	out->slow_start = b->slow_start.level;
	out->ejections = b->passive.ejections;
	out->ejected_ms = b->passive.since_ms;
	out->trial_ms = b->passive.trial_ms;
	if (b->passive.state != PASSIVE_TRIAL)
		__atomic_store_n(&out->may_try, 0, __ATOMIC_RELAXED);
}

static int take_backend(struct draft *d, const struct world_service *s, const struct world_pool *p,
			struct world_backend *b, bool others)
{
	struct id_key key = {.addr = b->cfg->addr,
			     .port = htons(b->cfg->port),
			     .pool = p->object,
			     .forward = forward_of(s)};
	int object = ids_take(&d->planner->ids, ID_BACKEND, &key);

	if (object < 0)
		return draft_full(d, "backends", d->geometry->backends);
	b->object = (uint16_t)object;
	d->memory->backends[object].weight = b->cfg->weight;
	remember(&d->memory->backends[object], b);
	__atomic_store_n(&d->memory->backends[object].flags, flags_of(s, p, b, others),
			 __ATOMIC_RELAXED);
	return 0;
}

static int take_pool(struct draft *d, const struct world_service *s, struct world_pool *p)
{
	struct id_key key = {.service = s->cfg->name, .name = p->cfg->name};
	int object = ids_take(&d->planner->ids, ID_POOL, &key), err = 0;
	bool crosses = forward_crosses(s->cfg->forward);
	bool v4 = pool_takes_new(s, p, crosses ? 0 : 4), v6 = pool_takes_new(s, p, crosses ? 0 : 6);

	if (object < 0)
		return draft_full(d, "pools", d->geometry->pools);
	p->object = (uint16_t)object;
	for (size_t i = 0; i < p->cfg->n_backends && !err; i++)
		err = take_backend(d, s, p, &p->backends[i],
				   zdd_addr_is_v4(&p->cfg->backends[i].addr) ? v4 : v6);
	return err;
}

/* ---- entries ---- */

static uint32_t v4_mask(unsigned len)
{
	return htonl(len ? ~0u << (32 - len) : 0);
}

static void v6_mask(unsigned len, __u64 mask[2])
{
	uint8_t bytes[16] = {0};

	for (unsigned i = 0; i < len; i++)
		bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	memcpy(mask, bytes, sizeof(bytes));
}

static uint32_t retry_flags(const struct cfg_service *s)
{
	static const uint32_t flags[] = {[RETRY_POOL] = ZDD_S_RETRY,
					 [RETRY_LIVE] = ZDD_S_RETRY | ZDD_S_RETRY_LIVE,
					 [RETRY_OFF] = 0};

	return s->forward == FORWARD_NAT || s->forward == FORWARD_SNAT ? flags[s->retry] : 0;
}

static void describe(const struct draft *d, const struct world_service *s, struct zdd_service *out)
{
	memset(out, 0, sizeof(*out));
	out->salt = seed_of(s->cfg->salt ? s->cfg->salt : s->cfg->name, 0);
	out->v4_mask = v4_mask(s->cfg->sticky_v4);
	v6_mask(s->cfg->sticky_v6, out->v6_mask);
	out->flags |= s->cfg->forward == FORWARD_LOCAL ? ZDD_S_LOCAL : 0;
	out->flags |= s->cfg->sticky == STICKY_BACKEND ? ZDD_S_STICKY_CLIENT : 0;
	out->flags |= s->cfg->sticky == STICKY_NONE ? ZDD_S_SPREAD : 0;
	out->flags |= retry_flags(s->cfg);
	out->flags |= s->cfg->flood == FLOOD_PROVE ? ZDD_S_PROVE : 0;
	out->revision = s->revision;
	out->pool = d->n_pools;
}

static int room_for(struct draft *d, uint32_t n_pools)
{
	if (d->n_services + 1 > d->geometry->services)
		return draft_full(d, "services", d->geometry->services);
	if (d->n_pools + n_pools > d->geometry->pools)
		return draft_full(d, "pools", d->geometry->pools);
	return 0;
}

static int plan_service(struct draft *d, struct world_service *s)
{
	struct zdd_service *out;
	int err = room_for(d, (uint32_t)s->cfg->n_pools);

	for (size_t i = 0; i < s->cfg->n_pools && !err; i++)
		err = take_pool(d, s, &s->pools[i]);
	if (err)
		return err;
	out = entry(d, d->n_services++);
	describe(d, s, out);
	out->n_pools = (uint16_t)s->cfg->n_pools;
	out->live = (uint16_t)s->live;
	out->hold = s->hold.number;
	out->hold_max = s->hold.max;
	out->flags |= s->hold.reset ? ZDD_S_HOLD_RESET : 0;
	out->flags |= s->leased ? ZDD_S_LEASED : 0;
	out->hold_until = s->hold.until;
	for (unsigned i = 0; i < s->cfg->n_pools && !err; i++) {
		out->share[i] = s->share[i];
		out->pool_id[i] = s->pools[i].object;
		err = plan_pool(d, s, i, pool_entry(d, d->n_pools++));
	}
	if (!err)
		err = plan_shares(d, s, out);
	return err ? err : plan_cohorts(d, s, out);
}

static int plan_preview(struct draft *d, const struct world_service *s)
{
	int pool = preview_pool(s), err = room_for(d, 1);
	struct zdd_service *out;

	if (err)
		return err;
	out = entry(d, d->n_services++);
	describe(d, s, out);
	out->n_pools = 1;
	out->pool_id[0] = s->pools[pool < 0 ? s->live : (unsigned)pool].object;
	if (pool >= 0)
		return plan_preview_pool(d, s, (unsigned)pool, pool_entry(d, d->n_pools++));
	memset(pool_entry(d, d->n_pools++), 0, sizeof(struct zdd_pool));
	return 0;
}

int plan_services(struct draft *d)
{
	size_t n = d->world->config->n_services;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = plan_service(d, &d->world->services[i]);
	for (size_t i = 0; i < n && !err; i++)
		if (d->world->services[i].cfg->n_preview)
			err = plan_preview(d, &d->world->services[i]);
	if (!err && d->n_services < d->geometry->services)
		memset(entry(d, d->n_services), 0, sizeof(struct zdd_service)); /* the end */
	return err;
}
