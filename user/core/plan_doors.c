/* SPDX-License-Identifier: BSD-2-Clause */
/* Doors: listeners, backends, and those of either kind that flows may still know. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "doors.h"
#include "draft.h"

static int put(struct draft *d, const struct zdd_door *door)
{
	uint32_t buckets = d->geometry->door_buckets;

	if (door_put(&d->memory->doors[d->slot * buckets], buckets, door))
		return draft_full(d, "doors", buckets * ZDD_DOOR_WAYS);
	return 0;
}

/* Of packets without ports. Where there is no room, they are taken for another's. */
static void address_door(struct draft *d, const struct zdd_addr *addr)
{
	struct zdd_door door = {.addr = *addr, .kind = ZDD_DOOR_ADDRESS, .service = ZDD_NONE};
	uint32_t buckets = d->geometry->door_buckets;

	door_put(&d->memory->doors[d->slot * buckets], buckets, &door);
}

static int put_address(struct draft *d, const struct zdd_door *door)
{
	int err = put(d, door);

	if (!err)
		address_door(d, &door->addr);
	return err;
}

/* ---- listeners ---- */

static uint32_t idle_jiffies(const struct draft *d, const struct cfg_service *cfg, uint8_t proto)
{
	uint64_t ms = proto == IPPROTO_UDP ? cfg->idle_udp_ms : cfg->idle_tcp_ms;
	uint64_t jiffies = ms * d->geometry->hz / 1000;

	return jiffies < 1 ? 1 : jiffies > INT32_MAX ? INT32_MAX : (uint32_t)jiffies;
}

static int listener_door(struct draft *d, const struct cfg_service *cfg, uint32_t service,
			 const struct cfg_listener *l, const struct zdd_addr *addr)
{
	struct zdd_door door = {.addr = *addr,
				.port = htons(l->port),
				.proto = l->proto,
				.kind = ZDD_DOOR_LISTENER,
				.service = (uint16_t)service};
	struct id_key key = {.addr = *addr, .port = door.port, .proto = l->proto};
	int object = ids_take(&d->planner->ids, ID_LISTENER, &key);

	if (object < 0)
		return draft_full(d, "listeners", d->geometry->listeners);
	d->memory->listeners[object].idle = idle_jiffies(d, cfg, l->proto);
	d->memory->listeners[object].flags =
		cfg->signals_http && l->proto == IPPROTO_TCP ? ZDD_L_HTTP : 0;
	door.listener = (uint16_t)object;
	return put_address(d, &door);
}

static int listener_doors(struct draft *d, const struct cfg_service *cfg, uint32_t service,
			  const struct cfg_listener *list, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (!list[i].any)
			err = listener_door(d, cfg, service, &list[i], &list[i].addr);
		for (size_t k = 0; list[i].any && k < d->n_local && !err; k++)
			err = listener_door(d, cfg, service, &list[i], &d->local[k]);
	}
	return err;
}

static int all_listeners(struct draft *d)
{
	size_t n = d->world->config->n_services;
	uint32_t preview = (uint32_t)n;
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++) {
		const struct cfg_service *cfg = d->world->services[i].cfg;

		err = listener_doors(d, cfg, i, cfg->listen, cfg->n_listen);
		if (!err && cfg->n_preview)
			err = listener_doors(d, cfg, preview++, cfg->preview, cfg->n_preview);
	}
	return err;
}

/* ---- backends ---- */

static int backend_door(struct draft *d, uint32_t object, uint8_t proto)
{
	const struct zdd_backend *b = &d->memory->backends[object];
	struct zdd_door door = {.addr = b->addr,
				.port = b->port,
				.proto = proto,
				.kind = ZDD_DOOR_BACKEND,
				.listener = (uint16_t)object,
				.service = ZDD_NONE};

	return put_address(d, &door);
}

static bool serves(const struct cfg_service *cfg, uint8_t proto)
{
	for (size_t i = 0; i < cfg->n_listen; i++)
		if (cfg->listen[i].proto == proto)
			return true;
	for (size_t i = 0; i < cfg->n_preview; i++)
		if (cfg->preview[i].proto == proto)
			return true;
	return false;
}

static int service_backends(struct draft *d, const struct world_service *s, uint8_t proto)
{
	int err = 0;

	if (!serves(s->cfg, proto))
		return 0;
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		for (size_t k = 0; k < s->pools[i].cfg->n_backends && !err; k++) {
			uint32_t object = s->pools[i].backends[k].object;

			if (forward_is_one_way(s->cfg->forward))
				address_door(d, &d->memory->backends[object].addr);
			else
				err = backend_door(d, object, proto);
		}
	return err;
}

static int all_backends(struct draft *d)
{
	int err = 0;

	for (size_t i = 0; i < d->world->config->n_services && !err; i++) {
		err = service_backends(d, &d->world->services[i], IPPROTO_TCP);
		if (!err)
			err = service_backends(d, &d->world->services[i], IPPROTO_UDP);
	}
	return err;
}

/* ---- what the configuration lost ---- */

/* Its flows go on, and nothing new comes. */
static int absent_listeners(struct draft *d)
{
	const struct ids *ids = &d->planner->ids;
	int err = 0;

	for (uint32_t i = 0; i < d->geometry->listeners && !err; i++) {
		const struct zdd_listener *l = &d->memory->listeners[i];
		struct zdd_door door = {.addr = l->addr,
					.port = l->port,
					.proto = l->proto,
					.kind = ZDD_DOOR_LISTENER,
					.listener = (uint16_t)i,
					.service = ZDD_NONE};

		if (ids_used(ids, ID_LISTENER, i) && !ids_wanted(ids, ID_LISTENER, i))
			err = put_address(d, &door);
	}
	return err;
}

/* A removed backend's UDP flows leave it, unless its whole service is gone: then none is left to
 * choose another. */
static void mark_absent(const struct draft *d, uint32_t object)
{
	struct zdd_backend *b = &d->memory->backends[object];
	const char *service = d->memory->pool_names[b->pool].service;
	uint32_t flags = ZDD_B_USED | (world_find(d->world, service) ? ZDD_B_GONE : 0);

	__atomic_store_n(&b->flags, flags, __ATOMIC_RELAXED);
}

static int absent_backends(struct draft *d)
{
	const struct ids *ids = &d->planner->ids;
	int err = 0;

	for (uint32_t i = 0; i < d->geometry->backends && !err; i++) {
		if (!ids_used(ids, ID_BACKEND, i) || ids_wanted(ids, ID_BACKEND, i))
			continue;
		mark_absent(d, i);
		if (zdd_one_way(d->memory->backends[i].forward))
			continue;
		err = backend_door(d, i, IPPROTO_TCP);
		if (!err)
			err = backend_door(d, i, IPPROTO_UDP);
	}
	return err;
}

int plan_doors(struct draft *d)
{
	int err;

	memset(&d->memory->doors[d->slot * d->geometry->door_buckets], 0,
	       d->geometry->door_buckets * sizeof(struct zdd_door_bucket));
	err = all_listeners(d);
	if (!err)
		err = all_backends(d);
	if (!err)
		err = absent_listeners(d);
	return err ? err : absent_backends(d);
}
