/* SPDX-License-Identifier: BSD-2-Clause */
#include "taken.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "doors.h"

static const struct zdd_door *door_of(const struct zdd_memory *m, unsigned slot,
				      const struct zdd_addr *addr, __be16 port,
				      enum zdd_door_kind kind)
{
	uint32_t buckets = m->geometry->door_buckets;
	const struct zdd_door *door =
		door_get(&m->doors[slot * buckets], buckets, addr, port, IPPROTO_TCP);

	return door && door->kind == kind ? door : NULL;
}

/* A preview has an entry of its own, with one pool: the name is what all pools share. */
static const char *service_name(const struct zdd_memory *m, const struct zdd_service *s)
{
	return m->pool_names[s->pool_id[0]].service;
}

/* The lowest backend of an endpoint stands in its door; those of other services and pools follow. */
static const struct zdd_backend *backend_for(const struct zdd_memory *m, uint32_t from,
					     const struct zdd_taken *t, const char *service)
{
	for (uint32_t i = from; i < m->geometry->backends; i++) {
		const struct zdd_backend *b = &m->backends[i];

		if (b->flags & ZDD_B_USED && b->port == t->port &&
		    zdd_addr_eq(&b->addr, &t->addr) &&
		    (!service || !strcmp(m->pool_names[b->pool].service, service)))
			return b;
	}
	return NULL;
}

bool taken_owner(const struct zdd_memory *m, unsigned slot, const struct zdd_addr *listener,
		 __be16 port, const struct zdd_taken *t, union zdd_owner *out)
{
	const struct zdd_door *in = door_of(m, slot, listener, port, ZDD_DOOR_LISTENER);
	const struct zdd_door *to = door_of(m, slot, &t->addr, t->port, ZDD_DOOR_BACKEND);
	const struct zdd_service *s = NULL;
	const struct zdd_backend *b;

	if (!in || !to)
		return false;
	if (in->service != ZDD_NONE) /* else it is no service's any more */
		s = &m->services[slot * m->geometry->services + in->service];
	if (s && !(s->flags & ZDD_S_LOCAL))
		return false;
	b = backend_for(m, to->listener, t, s ? service_name(m, s) : NULL);
	if (!b)
		return false;
	*out = (union zdd_owner){.backend = (__u16)(b - m->backends),
				 .incarnation = b->incarnation,
				 .listener = in->listener,
				 .pool = b->pool};
	return true;
}

struct zdd_flow taken_flow(union zdd_owner owner, const struct zdd_taken *t,
			   const struct zdd_addr *client, __be16 port, __u16 state, __u32 now,
			   __u32 idle)
{
	return (struct zdd_flow){.meta = ZDD_META(now - idle, state, 0),
				 .owner = owner,
				 .client = *client,
				 .port = port,
				 .born = (__u16)((t->since ? t->since : now) >> 10)};
}
