/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "world.h"

const char *const admin_state_words[] = {"ready", "drain", "maint"};
const char *const health_state_words[] = {"unknown", "up", "down"};

/* ---- finding ---- */

static int by_name(const void *name, const void *service)
{
	return strcmp(name, ((const struct world_service *)service)->cfg->name);
}

struct world_service *world_find(const struct world *w, const char *service)
{
	if (!w || !w->config->n_services)
		return NULL;
	return bsearch(service, w->services, w->config->n_services, sizeof(*w->services), by_name);
}

struct world_pool *world_find_pool(const struct world_service *s, const char *pool)
{
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		if (!strcmp(s->pools[i].cfg->name, pool))
			return &s->pools[i];
	return NULL;
}

struct world_backend *world_find_backend(const struct world_pool *p, const char *address)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (!strcmp(p->backends[i].cfg->text, address))
			return &p->backends[i];
	return NULL;
}

unsigned pool_index(const struct world_service *s, const struct world_pool *p)
{
	return (unsigned)(p - s->pools);
}

/* ---- making ---- */

static int pool_make(struct world_pool *p, const struct cfg_pool *cfg)
{
	p->cfg = cfg;
	p->object = ZDD_NONE;
	p->backends = calloc(cfg->n_backends + 1, sizeof(*p->backends));
	if (!p->backends)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->n_backends; i++) {
		p->backends[i].cfg = &cfg->backends[i];
		p->backends[i].object = ZDD_NONE;
	}
	return 0;
}

/* As the file says, for a service seen for the first time. */
static int service_make(struct world_service *s, const struct cfg_service *cfg)
{
	s->cfg = cfg;
	s->revision = 1;
	s->live = cfg->live;
	s->share[cfg->live] = ZDD_SHARE_UNITS;
	service_make_stable(s);
	s->pools = calloc(cfg->n_pools, sizeof(*s->pools));
	if (!s->pools)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->n_pools; i++)
		if (pool_make(&s->pools[i], &cfg->pools[i]))
			return -ENOMEM;
	return 0;
}

static void pool_carry(struct world_pool *p, const struct world_pool *old)
{
	p->object = old->object;
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		struct world_backend *b = &p->backends[i];
		const struct world_backend *was = world_find_backend(old, b->cfg->text);

		if (!was)
			continue;
		b->admin = was->admin;
		b->admin_since_ms = was->admin_since_ms;
		b->held_out = was->held_out;
		b->left_out = was->left_out;
		b->health = was->health;
		b->passive = was->passive;
		b->slow_start = was->slow_start;
		b->object = was->object;
	}
}

static void carry_stable(struct world_service *s, const struct world_service *old)
{
	unsigned sum = 0;

	memset(s->stable_share, 0, sizeof(s->stable_share));
	s->stable_live = STABLE_GONE;
	if (old->stable_live == STABLE_GONE)
		return;
	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		const struct world_pool *was = world_find_pool(old, s->pools[i].cfg->name);
		unsigned index = was ? pool_index(old, was) : 0;

		if (!was)
			continue;
		s->stable_share[i] = old->stable_share[index];
		sum += s->stable_share[i];
		if (index == old->stable_live)
			s->stable_live = (unsigned)i;
	}
	if (sum != ZDD_SHARE_UNITS)
		s->stable_live = STABLE_GONE;
}

static bool same_pools(const struct world_service *s, const struct world_service *old)
{
	if (s->cfg->n_pools != old->cfg->n_pools)
		return false;
	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		const struct cfg_pool *a = s->pools[i].cfg, *b = old->pools[i].cfg;

		if (strcmp(a->name, b->name) || a->n_backends != b->n_backends)
			return false;
		for (size_t k = 0; k < a->n_backends; k++)
			if (strcmp(a->backends[k].text, b->backends[k].text))
				return false;
	}
	return true;
}

/* The ground a rollout stands on stays while it runs. One that is over is forgotten when its pools
 * are not the same. */
static int carry_rollouts(struct world_service *s, const struct world_service *old, char **error)
{
	bool same = same_pools(s, old);

	if (!same && (service_rollout(old) || old->queued))
		return explain(error, -EINVAL,
			       "services.%s.pools: a rollout runs on them; abort it first, or wait",
			       s->cfg->name);
	if (!same)
		return 0;
	return rollout_copy(&s->rollout, old->rollout) ?: rollout_copy(&s->queued, old->queued);
}

/* Who has traffic must stay: a file moves none. */
static int service_carry(struct world_service *s, const struct world_service *old, char **error)
{
	memset(s->share, 0, sizeof(s->share));
	for (size_t i = 0; i < old->cfg->n_pools; i++) {
		const struct world_pool *was = &old->pools[i];
		struct world_pool *p = world_find_pool(s, was->cfg->name);
		bool live = i == old->live;

		if (!p && (live || old->share[i]))
			return explain(error, -EINVAL,
				       "services.%s.pools: '%s' is missing but has the "
				       "traffic now; flip to another pool first",
				       s->cfg->name, was->cfg->name);
		if (!p)
			continue;
		if (live && was->cfg->n_backends && !p->cfg->n_backends)
			return explain(error, -EINVAL,
				       "services.%s.pools.%s: is live and would be left "
				       "without a backend",
				       s->cfg->name, was->cfg->name);
		pool_carry(p, was);
		s->share[pool_index(s, p)] = old->share[i];
		if (live)
			s->live = pool_index(s, p);
	}
	s->revision = old->revision;
	s->released_ms = old->released_ms;
	s->hold = old->hold;
	s->lock = old->lock;
	s->leased = old->leased;
	carry_stable(s, old);
	return carry_rollouts(s, old, error);
}

static int services_make(struct world *w, const struct config *config, const struct world *old,
			 char **error)
{
	for (size_t i = 0; i < config->n_services; i++) {
		const struct world_service *was;

		if (service_make(&w->services[i], &config->services[i]))
			return -ENOMEM;
		was = world_find(old, config->services[i].name);
		if (was && service_carry(&w->services[i], was, error))
			return *error ? -EINVAL : -ENOMEM;
	}
	return 0;
}

static void services_free(struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct world_service *s = &w->services[i];

		for (size_t k = 0; s->pools && k < s->cfg->n_pools; k++)
			free(s->pools[k].backends);
		free(s->pools);
		free(s->rollout);
		free(s->queued);
	}
	free(w->services);
	free(w);
}

int world_make(struct config *config, const struct world *old, struct world **out, char **error)
{
	struct world *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		return -ENOMEM;
	w->services = calloc(config->n_services + 1, sizeof(*w->services));
	if (w->services)
		err = services_make(w, config, old, error);
	if (err) {
		services_free(w, w->services ? config->n_services : 0);
		return err;
	}
	w->config = config;
	w->generation = old ? old->generation : 0;
	*out = w;
	return 0;
}

void world_free(struct world *w)
{
	struct config *config;

	if (!w)
		return;
	config = (struct config *)w->config;
	services_free(w, config->n_services);
	config_free(config);
}

/* ---- judging ---- */

static bool in_family(const struct world_backend *b, int family)
{
	return !family || (zdd_addr_is_v4(&b->cfg->addr) ? 4 : 6) == family;
}

bool backend_is_ejected(const struct world_backend *b)
{
	return b->passive.state != PASSIVE_IN;
}

static bool is_away(const struct world_backend *b)
{
	return b->health.state == HEALTH_DOWN || backend_is_ejected(b);
}

static bool any_up(const struct world_pool *p)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (p->backends[i].admin == ADMIN_READY &&
		    p->backends[i].health.state == HEALTH_UP && !is_away(&p->backends[i]))
			return true;
	return false;
}

/* Fewer than panic_percent of the ready ones are up, `without` (may be NULL) not counted as such.
 * Unknown counts as up: a daemon that has just started is no reason to panic. */
static bool panics_without(const struct world_service *s, const struct world_pool *p,
			   const struct world_backend *without)
{
	unsigned ready = 0, up = 0;

	if (pool_index(s, p) != s->live)
		return false;
	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		const struct world_backend *b = &p->backends[i];

		if (b->admin != ADMIN_READY)
			continue;
		ready++;
		up += b != without && !is_away(b);
	}
	return ready && (!up || up * 100 < s->cfg->panic_percent * ready);
}

bool pool_panics(const struct world_service *s, const struct world_pool *p)
{
	return panics_without(s, p, NULL);
}

bool backend_takes_new(const struct world_service *s, const struct world_pool *p,
		       const struct world_backend *b)
{
	if (b->admin != ADMIN_READY)
		return false;
	if (b->health.state == HEALTH_UP && !is_away(b))
		return true;
	if (b->health.state == HEALTH_UNKNOWN && !is_away(b) && !any_up(p))
		return true;
	return pool_panics(s, p);
}

/* Without b, is the rest of its family enough? */
static bool family_spares(const struct world_service *s, const struct world_pool *p,
			  const struct world_backend *b)
{
	unsigned ready = 0, away = 1, takers = 0, most;

	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		const struct world_backend *other = &p->backends[i];

		if (other->admin != ADMIN_READY ||
		    zdd_addr_is_v4(&other->cfg->addr) != zdd_addr_is_v4(&b->cfg->addr))
			continue;
		ready++;
		if (other == b)
			continue;
		away += is_away(other);
		takers += backend_takes_new(s, p, other);
	}
	most = ready * s->cfg->passive.max_ejected / 100;
	return takers && away <= (most ? most : 1);
}

bool pool_spares(const struct world_service *s, const struct world_pool *p,
		 const struct world_backend *b)
{
	return b->admin == ADMIN_READY && !panics_without(s, p, b) && family_spares(s, p, b);
}

bool pool_takes_new(const struct world_service *s, const struct world_pool *p, int family)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (in_family(&p->backends[i], family) && backend_takes_new(s, p, &p->backends[i]))
			return true;
	return false;
}

bool pool_is_fit(const struct world_service *s, const struct world_pool *p, int family)
{
	bool unchecked = s->cfg->health.type == HEALTH_NONE;

	for (size_t i = 0; i < p->cfg->n_backends; i++) {
		const struct world_backend *b = &p->backends[i];

		if (b->admin == ADMIN_READY && in_family(b, family) &&
		    (unchecked || b->health.state == HEALTH_UP) && !backend_is_ejected(b))
			return true;
	}
	return false;
}

bool pool_has_family(const struct world_pool *p, int family)
{
	for (size_t i = 0; i < p->cfg->n_backends; i++)
		if (in_family(&p->backends[i], family))
			return true;
	return false;
}

void service_make_stable(struct world_service *s)
{
	s->stable_live = s->live;
	memcpy(s->stable_share, s->share, sizeof(s->share));
}

bool service_is_stable(const struct world_service *s)
{
	return s->stable_live == s->live && !memcmp(s->stable_share, s->share, sizeof(s->share));
}
