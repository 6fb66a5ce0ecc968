/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"
#include "seed.h"

/* ---- the kinds ---- */

static uint64_t hash_of(enum id_kind kind, const struct id_key *key)
{
	if (kind == ID_POOL)
		return seed_of(key->name, seed_of(key->service, 0));
	return zdd_door_hash(&key->addr, key->port, kind == ID_LISTENER ? key->proto : 0) ^
	       zdd_mix64(kind == ID_BACKEND ? key->pool | (uint32_t)key->forward << 16 : 0);
}

static struct id_key key_of(const struct zdd_memory *m, enum id_kind kind, uint32_t i)
{
	if (kind == ID_POOL)
		return (struct id_key){.service = m->pool_names[i].service,
				       .name = m->pool_names[i].pool};
	if (kind == ID_BACKEND)
		return (struct id_key){.addr = m->backends[i].addr,
				       .port = m->backends[i].port,
				       .pool = m->backends[i].pool,
				       .forward = m->backends[i].forward};
	return (struct id_key){.addr = m->listeners[i].addr,
			       .port = m->listeners[i].port,
			       .proto = m->listeners[i].proto};
}

static bool key_is(enum id_kind kind, const struct id_key *a, const struct id_key *b)
{
	if (kind == ID_POOL)
		return !strcmp(a->service, b->service) && !strcmp(a->name, b->name);
	if (!zdd_addr_eq(&a->addr, &b->addr) || a->port != b->port)
		return false;
	if (kind == ID_LISTENER)
		return a->proto == b->proto;
	return a->pool == b->pool && a->forward == b->forward;
}

bool ids_used(const struct ids *ids, enum id_kind kind, uint32_t i)
{
	if (kind == ID_POOL)
		return ids->memory->pool_names[i].used;
	if (kind == ID_BACKEND)
		return ids->memory->backends[i].flags & ZDD_B_USED;
	return ids->memory->listeners[i].used;
}

static void set_unused(const struct zdd_memory *m, enum id_kind kind, uint32_t i)
{
	if (kind == ID_POOL)
		m->pool_names[i].used = 0;
	else if (kind == ID_BACKEND)
		m->backends[i].flags = 0;
	else
		m->listeners[i].used = 0;
}

static void write_listener(const struct zdd_memory *m, uint32_t i, const struct id_key *key)
{
	m->listeners[i] = (struct zdd_listener){
		.addr = key->addr, .port = key->port, .proto = key->proto, .used = 1};
}

static void write_pool(const struct zdd_memory *m, uint32_t i, const struct id_key *key)
{
	struct zdd_pool_name *name = &m->pool_names[i];

	memset(name, 0, sizeof(*name));
	strncpy(name->service, key->service, sizeof(name->service) - 1);
	strncpy(name->pool, key->name, sizeof(name->pool) - 1);
	for (uint32_t cpu = 0; cpu < m->geometry->cpus; cpu++)
		memset(&m->pool_rows[cpu * m->geometry->pools + i], 0, sizeof(*m->pool_rows));
	for (uint32_t cpu = 0; cpu < m->geometry->cpus && i < ZDD_WATCHED(m->geometry); cpu++)
		memset(&m->pool_signals[cpu * ZDD_WATCHED(m->geometry) + i], 0,
		       sizeof(*m->pool_signals));
	memset(&m->overrides[i], 0, sizeof(*m->overrides));
	name->used = 1;
}

/* The incarnation goes on from whoever had the index before. */
static void write_backend(const struct zdd_memory *m, uint32_t i, const struct id_key *key)
{
	uint16_t incarnation = (uint16_t)(m->backends[i].incarnation + 1);

	for (uint32_t cpu = 0; cpu < m->geometry->cpus; cpu++) {
		memset(&m->backend_rows[cpu * m->geometry->backends + i], 0,
		       sizeof(*m->backend_rows));
		memset(&m->signals[cpu * m->geometry->backends + i], 0, sizeof(*m->signals));
	}
	for (uint32_t cpu = 0; cpu < m->geometry->cpus && i < ZDD_WATCHED_BACKENDS(m->geometry);
	     cpu++)
		memset(&m->backend_signals[cpu * ZDD_WATCHED_BACKENDS(m->geometry) + i], 0,
		       sizeof(*m->backend_signals));
	m->backends[i] = (struct zdd_backend){.addr = key->addr,
					      .port = key->port,
					      .pool = key->pool,
					      .forward = key->forward,
					      .incarnation = incarnation,
					      .socks = (uint16_t)i,
					      .flags = ZDD_B_USED};
}

static void write_object(const struct zdd_memory *m, enum id_kind kind, uint32_t i,
			 const struct id_key *key)
{
	if (kind == ID_POOL)
		write_pool(m, i, key);
	else if (kind == ID_BACKEND)
		write_backend(m, i, key);
	else
		write_listener(m, i, key);
}

/* ---- the index ---- */

static void index_put(struct ids *ids, enum id_kind kind, uint32_t object)
{
	struct id_key key = key_of(ids->memory, kind, object);
	uint32_t at = (uint32_t)hash_of(kind, &key) & ids->kind[kind].mask;

	while (ids->kind[kind].index[at])
		at = (at + 1) & ids->kind[kind].mask;
	ids->kind[kind].index[at] = object + 1;
}

static void index_all(struct ids *ids, enum id_kind kind)
{
	memset(ids->kind[kind].index, 0, (ids->kind[kind].mask + 1) * sizeof(uint32_t));
	for (uint32_t i = 0; i < ids->kind[kind].n; i++)
		if (ids_used(ids, kind, i))
			index_put(ids, kind, i);
}

static int kind_make(struct ids *ids, enum id_kind kind, uint32_t n)
{
	uint32_t size = 64;

	while (size < 2 * n)
		size *= 2;
	ids->kind[kind].n = n;
	ids->kind[kind].mask = size - 1;
	ids->kind[kind].index = calloc(size, sizeof(uint32_t));
	ids->kind[kind].wanted = calloc(n, sizeof(uint32_t));
	ids->kind[kind].absent = calloc(n, sizeof(uint64_t));
	if (!ids->kind[kind].index || !ids->kind[kind].wanted || !ids->kind[kind].absent)
		return -ENOMEM;
	index_all(ids, kind);
	return 0;
}

int ids_make(struct ids *ids, const struct zdd_memory *memory)
{
	const struct zdd_geometry *g = memory->geometry;

	memset(ids, 0, sizeof(*ids));
	ids->memory = memory;
	if (!kind_make(ids, ID_LISTENER, g->listeners) && !kind_make(ids, ID_POOL, g->pools) &&
	    !kind_make(ids, ID_BACKEND, g->backends))
		return 0;
	ids_free(ids);
	return -ENOMEM;
}

void ids_free(struct ids *ids)
{
	for (int kind = 0; kind < ID_KINDS; kind++) {
		free(ids->kind[kind].index);
		free(ids->kind[kind].wanted);
		free(ids->kind[kind].absent);
	}
	memset(ids, 0, sizeof(*ids));
}

/* ---- use ---- */

int ids_find(const struct ids *ids, enum id_kind kind, const struct id_key *key)
{
	uint32_t mask = ids->kind[kind].mask;
	uint32_t at = (uint32_t)hash_of(kind, key) & mask;

	for (; ids->kind[kind].index[at]; at = (at + 1) & mask) {
		uint32_t object = ids->kind[kind].index[at] - 1;
		struct id_key other = key_of(ids->memory, kind, object);

		if (key_is(kind, key, &other))
			return (int)object;
	}
	return -ENOENT;
}

/* Takes the next free index after the last one taken, so that indices rest before reuse. */
static int take_free(struct ids *ids, enum id_kind kind, const struct id_key *key)
{
	uint32_t n = ids->kind[kind].n, i = ids->kind[kind].cursor;

	for (uint32_t tried = 0; tried < n; tried++, i++) {
		i = i >= n ? 0 : i;
		if (ids_used(ids, kind, i))
			continue;
		write_object(ids->memory, kind, i, key);
		index_put(ids, kind, i);
		ids->kind[kind].cursor = i + 1;
		ids->kind[kind].absent[i] = 0;
		return (int)i;
	}
	return -ENOSPC;
}

void ids_begin(struct ids *ids)
{
	ids->round++;
}

int ids_take(struct ids *ids, enum id_kind kind, const struct id_key *key)
{
	int object = ids_find(ids, kind, key);

	if (object < 0)
		object = take_free(ids, kind, key);
	if (object >= 0)
		ids->kind[kind].wanted[object] = ids->round;
	return object;
}

bool ids_wanted(const struct ids *ids, enum id_kind kind, uint32_t object)
{
	return ids->kind[kind].wanted[object] == ids->round;
}

void ids_commit(struct ids *ids, uint64_t generation)
{
	for (int kind = 0; kind < ID_KINDS; kind++)
		for (uint32_t i = 0; i < ids->kind[kind].n; i++) {
			uint64_t *absent = &ids->kind[kind].absent[i];

			if (ids_wanted(ids, kind, i))
				*absent = 0;
			else if (!*absent)
				*absent = generation;
		}
}

/* Pools go after their last backend. */
static void keep_pools_of_backends(struct ids *ids, uint64_t generation)
{
	for (uint32_t i = 0; i < ids->kind[ID_BACKEND].n; i++) {
		uint16_t pool = ids->memory->backends[i].pool;

		if (ids_used(ids, ID_BACKEND, i) && ids->kind[ID_POOL].absent[pool])
			ids->kind[ID_POOL].absent[pool] = generation;
	}
}

static size_t release_kind(struct ids *ids, enum id_kind kind, uint64_t settled,
			   const uint32_t *flows)
{
	size_t n = 0;

	for (uint32_t i = 0; i < ids->kind[kind].n; i++) {
		uint64_t absent = ids->kind[kind].absent[i];

		if (!absent || absent > settled || flows[i] || !ids_used(ids, kind, i))
			continue;
		set_unused(ids->memory, kind, i);
		n++;
	}
	if (n)
		index_all(ids, kind);
	return n;
}

size_t ids_release(struct ids *ids, uint64_t settled, const uint32_t *const flows[ID_KINDS])
{
	size_t n = release_kind(ids, ID_BACKEND, settled, flows[ID_BACKEND]);

	keep_pools_of_backends(ids, settled + 1);
	n += release_kind(ids, ID_LISTENER, settled, flows[ID_LISTENER]);
	return n + release_kind(ids, ID_POOL, settled, flows[ID_POOL]);
}
