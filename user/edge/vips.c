/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of services with `vip: manage`. What was added here is remembered in the store, so that
 * a later daemon, or --remove, takes away that and nothing else. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"
#include "log.h"

static bool has(const struct cfg_listener *l, size_t n, const struct zdd_addr *address)
{
	for (size_t i = 0; i < n; i++)
		if (!l[i].any && zdd_addr_eq(&l[i].addr, address))
			return true;
	return false;
}

static bool wants(const struct world *w, const struct zdd_addr *address)
{
	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct cfg_service *s = &w->config->services[i];

		if (s->vip == VIP_MANAGE && (has(s->listen, s->n_listen, address) ||
					     has(s->preview, s->n_preview, address)))
			return true;
	}
	return false;
}

static void drop_unwanted(struct daemon *d)
{
	const char *text;
	json_t *value;
	void *next;

	json_object_foreach_safe(d->vips, next, text, value) {
		struct zdd_addr address;

		if (parse_address(text, &address) || wants(d->world, &address))
			continue;
		if (!net_del_address(d->net, &address))
			log_info("took %s off lo: no service manages it any more", text);
		json_object_del(d->vips, text);
	}
}

static void add(struct daemon *d, const struct cfg_listener *l)
{
	char text[ADDRESS_TEXT], problem[160];
	int err;

	if (l->any || net_is_local(d->net, &l->addr))
		return;
	format_address(text, sizeof(text), &l->addr);
	err = net_add_address(d->net, &l->addr);
	if (err == -EEXIST)
		return;
	if (err) {
		snprintf(problem, sizeof(problem), "vip: manage: %s could not be put on lo: %s",
			 text, strerror(-err));
		daemon_problem(d, PROBLEM_VIP, problem);
		return;
	}
	log_info("put %s on lo", text);
	json_object_set_new(d->vips, text, json_true());
}

void vips_follow(struct daemon *d)
{
	json_t *before = json_deep_copy(d->vips);

	daemon_problem(d, PROBLEM_VIP, NULL);
	drop_unwanted(d);
	for (size_t i = 0; i < d->world->config->n_services; i++) {
		const struct cfg_service *s = &d->world->config->services[i];

		for (size_t k = 0; s->vip == VIP_MANAGE && k < s->n_listen; k++)
			add(d, &s->listen[k]);
		for (size_t k = 0; s->vip == VIP_MANAGE && k < s->n_preview; k++)
			add(d, &s->preview[k]);
	}
	if (!json_equal(before, d->vips))
		store_put(d->store, STORE_META, "vips", json_incref(d->vips));
	json_decref(before);
}

void vips_remove(struct net *net, const json_t *vips)
{
	const char *text;
	json_t *value;

	json_object_foreach((json_t *)vips, text, value) {
		struct zdd_addr address;

		if (!parse_address(text, &address))
			net_del_address(net, &address);
	}
}
