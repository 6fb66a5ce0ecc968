/* SPDX-License-Identifier: BSD-2-Clause */
#include <time.h>

#include "daemon.h"
#include "proof.h"
#include "txn.h"

static void moved_service(const struct saved_service *saved, json_t *list)
{
	const struct world_service *s = saved->at;

	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		bool lost = saved->copy.share[i] && !s->share[i];
		bool gained = !saved->copy.share[i] && s->share[i];

		if (lost || gained)
			json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:b}", "service",
							      s->cfg->name, "pool",
							      s->pools[i].cfg->name, "object",
							      s->pools[i].object, "lost", lost));
	}
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

/* The first new flow of the newest generation that gave this pool any. */
static json_t *stamps(const struct zdd_pool_row *row, bool lost)
{
	uint64_t wall = row->first_ns ? wall_of_monotonic(row->first_ns) : 0;

	if (lost)
		return json_pack("{s:o, s:o}", "last_new_generation",
				 generation_or_null(row->generation), "last_new",
				 view_time(row->generation ? wall : 0));
	return json_pack("{s:o, s:o}", "first_new_generation", generation_or_null(row->generation),
			 "first_new", view_time(row->generation ? wall : 0));
}

json_t *proof_of(struct daemon *d, const json_t *moved, uint64_t generation)
{
	json_t *old = json_object(), *new = json_object(), *item;
	bool proven = true;
	size_t i;

	json_array_foreach(moved, i, item) {
		int object = (int)json_integer_value(json_object_get(item, "object"));
		bool lost = json_is_true(json_object_get(item, "lost"));
		struct zdd_pool_row row = datapath_pool_row(d->datapath, (uint16_t)object);
		json_t *name =
			json_sprintf("%s/%s", json_string_value(json_object_get(item, "service")),
				     json_string_value(json_object_get(item, "pool")));

		if (lost)
			proven &= row.generation < generation;
		else if (row.generation < generation)
			row.generation = 0; /* no traffic came since: unknown, not old news */
		json_object_set_new(lost ? old : new, json_string_value(name), stamps(&row, lost));
		json_decref(name);
	}
	if (json_array_size(moved))
		return json_pack("{s:b, s:o, s:o}", "proven", proven, "old", old, "new", new);
	json_decref(old);
	json_decref(new);
	return json_null();
}

json_t *proof_staying(struct daemon *d, const json_t *moved)
{
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach(moved, i, item) {
		int object = (int)json_integer_value(json_object_get(item, "object"));
		uint64_t open = datapath_pool_flows(d->datapath, (uint16_t)object).active;

		if (!json_is_true(json_object_get(item, "lost")) || !open)
			continue;
		json_array_append_new(list, json_pack("{s:O, s:O, s:I}", "service",
						      json_object_get(item, "service"), "pool",
						      json_object_get(item, "pool"), "flows_active",
						      (json_int_t)open));
	}
	return list;
}
