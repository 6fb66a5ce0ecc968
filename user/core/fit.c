/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "fit.h"

/* A family that clients can come by, and that live can serve now. */
static bool needs_family(const struct world_service *s, int family)
{
	if (forward_crosses(s->cfg->forward))
		return false;
	for (size_t i = 0; i < s->cfg->n_listen; i++) {
		const struct cfg_listener *l = &s->cfg->listen[i];

		if (l->any || (zdd_addr_is_v4(&l->addr) ? 4 : 6) == family)
			return pool_has_family(&s->pools[s->live], family);
	}
	return false;
}

static void first_trouble(const struct world_pool *p, char *out, size_t size)
{
	const struct world_backend *b = p->backends;

	if (!p->cfg->n_backends)
		snprintf(out, size, "it has no backends");
	else if (b->admin != ADMIN_READY)
		snprintf(out, size, "%s is in %s", b->cfg->text, admin_state_words[b->admin]);
	else
		snprintf(out, size, "%s is %s%s%s", b->cfg->text,
			 health_state_words[b->health.state], b->health.last_error[0] ? ": " : "",
			 b->health.last_error);
}

static enum fit family_fitness(const struct world_service *s, const struct world_pool *p,
			       int family, char *why, size_t size)
{
	const char *what = family == 4 ? "IPv4 " : family ? "IPv6 " : "";
	char trouble[256];

	if (!pool_has_family(p, family)) {
		snprintf(why, size, "%s/%s has no %sbackend", s->cfg->name, p->cfg->name, what);
		return NEVER_FIT;
	}
	if (pool_is_fit(s, p, family))
		return FIT;
	first_trouble(p, trouble, sizeof(trouble));
	snprintf(why, size, "%s/%s has no healthy %sbackend (%s)", s->cfg->name, p->cfg->name, what,
		 trouble);
	return NOT_FIT;
}

enum fit pool_fitness(const struct world_service *s, const struct world_pool *p, char *why,
		      size_t size)
{
	static const int families[] = {4, 6, 0};
	enum fit fit = FIT;

	for (size_t i = 0; i < 3 && fit == FIT; i++)
		if (!families[i] || needs_family(s, families[i]))
			fit = family_fitness(s, p, families[i], why, size);
	return fit;
}
