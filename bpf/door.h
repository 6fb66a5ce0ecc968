/* SPDX-License-Identifier: GPL-2.0 */
/* What an address, port and protocol mean in the plan. */
#ifndef ZDD_DOOR_H
#define ZDD_DOOR_H

#include "mem.h"
#include "parse.h"

/* The way where the search in this bucket ends: the door, or the first free one. NULL: all are others'. */
ZDD_INLINE const struct zdd_door *door_in(__u32 bucket, const struct zdd_addr *addr, __be16 port,
					  __u8 proto)
{
	const struct zdd_door_bucket *b = AT(doors, bucket);

	if (!b)
		return 0;
	for (int i = 0; i < ZDD_DOOR_WAYS; i++) {
		const struct zdd_door *d = &b->way[i];

		if (ZDD_DOOR_IS_FREE(d->kind))
			return d;
		if (d->port == port && d->proto == proto && zdd_addr_eq(&d->addr, addr))
			return d;
	}
	return 0;
}

ZDD_INLINE const struct zdd_door *door_find(__u32 slot, const struct zdd_addr *addr, __be16 port,
					    __u8 proto)
{
	__u64 hash = zdd_door_hash(addr, port, proto);
	__u32 base = slot * geometry.door_buckets;
	const struct zdd_door *d;

	d = door_in(base + zdd_scale(hash, geometry.door_buckets), addr, port, proto);
	if (d && d->kind != ZDD_DOOR_MORE)
		return d->kind == ZDD_DOOR_FREE ? 0 : d;
	d = door_in(base + zdd_scale(hash >> 32, geometry.door_buckets), addr, port, proto);
	return d && !ZDD_DOOR_IS_FREE(d->kind) ? d : 0;
}

ZDD_INLINE int is_local_mode(__u32 slot, const struct zdd_door *door)
{
	const struct zdd_service *s;

	if (door->service == ZDD_NONE)
		return 0;
	s = AT(services, slot * geometry.services + door->service);
	return s && s->flags & ZDD_S_LOCAL;
}

/* A listener that the configuration dropped keeps its flows and gets no new ones. */
ZDD_INLINE const struct zdd_door *listener_door(__u32 slot, const struct zdd_packet *p)
{
	const struct zdd_door *d = door_find(slot, &p->dst, p->dport, p->proto);

	return d && d->kind == ZDD_DOOR_LISTENER ? d : 0;
}

ZDD_INLINE int backend_door(__u32 slot, const struct zdd_packet *p)
{
	const struct zdd_door *d = door_find(slot, &p->src, p->sport, p->proto);

	return d && d->kind == ZDD_DOOR_BACKEND;
}

#endif
