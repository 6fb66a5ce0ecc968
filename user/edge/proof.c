/* SPDX-License-Identifier: BSD-2-Clause */
#include <time.h>

#include "daemon.h"
#include "proof.h"
#include "txn.h"

static void append(json_t *list, const struct world_service *s, const struct world_pool *p,
		   const struct world_backend *b, bool lost)
{
	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:s?, s:i, s:b}", "service", s->cfg->name,
					"pool", p->cfg->name, "backend", b ? b->cfg->text : NULL,
					"object", b ? b->object : p->object, "lost", lost));
}

static void moved_service(const struct saved_service *saved, json_t *list)
{
	const struct world_service *s = saved->at, *was = &saved->copy;

	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		const struct world_pool *p = &s->pools[i];

		if (!was->share[i] != !s->share[i])
			append(list, s, p, NULL, was->share[i]);
		for (size_t k = 0; k < p->cfg->n_backends; k++)
			if (was->pools[i].backends[k].admin == ADMIN_READY &&
			    p->backends[k].admin != ADMIN_READY)
				append(list, s, p, &p->backends[k], true);
	}
}

static bool is_pool(const json_t *item)
{
	return json_is_null(json_object_get(item, "backend"));
}

static uint16_t object_of(const json_t *item)
{
	return (uint16_t)json_integer_value(json_object_get(item, "object"));
}

json_t *proof_moved(const struct txn *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_saved; i++)
		moved_service(&t->saved[i], list);
	return list;
}

static uint64_t wall_of_monotonic(uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return wall_ms() -
	       ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - ns) / 1000000;
}

static json_t *generation_or_null(uint64_t generation)
{
	return generation ? json_integer((json_int_t)generation) : json_null();
}

static json_t *last_stamps(struct daemon *d, const struct zdd_pool_row *row)
{
	uint64_t wall =
		row->generation ? wall_ms() - datapath_age_ms(d->datapath, row->last_jiffies) : 0;

	return json_pack("{s:o, s:o}", "last_new_generation", generation_or_null(row->generation),
			 "last_new", view_time(wall));
}

static json_t *first_stamps(const struct zdd_pool_row *row)
{
	uint64_t wall = row->generation ? wall_of_monotonic(row->first_ns) : 0;

	return json_pack("{s:o, s:o}", "first_new_generation", generation_or_null(row->generation),
			 "first_new", view_time(wall));
}

json_t *proof_of(struct daemon *d, const json_t *moved, uint64_t generation)
{
	json_t *old = json_object(), *new = json_object(), *item;
	bool proven = true;
	size_t i;

	json_array_foreach(moved, i, item) {
		bool lost = json_is_true(json_object_get(item, "lost"));
		struct zdd_pool_row row = datapath_pool_row(d->datapath, object_of(item));
		json_t *name;

		if (!is_pool(item))
			continue;
		if (lost)
			proven &= row.generation < generation;
		else if (row.generation < generation)
			row.generation = 0; /* no traffic came since: unknown, not old news */
		name = json_sprintf("%s/%s", json_string_value(json_object_get(item, "service")),
				    json_string_value(json_object_get(item, "pool")));
		json_object_set_new(lost ? old : new, json_string_value(name),
				    lost ? last_stamps(d, &row) : first_stamps(&row));
		json_decref(name);
	}
	if (json_object_size(old) + json_object_size(new))
		return json_pack("{s:b, s:o, s:o}", "proven", proven, "old", old, "new", new);
	json_decref(old);
	json_decref(new);
	return json_null();
}

json_t *proof_staying(struct daemon *d, const json_t *moved)
{
	json_t *list = json_array(), *item;
	size_t i;

	if (json_array_size(moved))
		numbers_count(d);
	json_array_foreach(moved, i, item) {
		uint64_t open =
			is_pool(item) ? datapath_pool_flows(d->datapath, object_of(item)).active
				      : datapath_backend_flows(d->datapath, object_of(item)).active;

		if (!json_is_true(json_object_get(item, "lost")) || !open)
			continue;
		json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:I}", "service",
						      json_object_get(item, "service"), "pool",
						      json_object_get(item, "pool"), "backend",
						      json_object_get(item, "backend"),
						      "flows_active", (json_int_t)open));
	}
	return list;
}
