/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>

#include "doors.h"

/* So many doors of a bucket do not crowd it: who finds a free way there need not look further. */
enum { SOME = ZDD_DOOR_WAYS / 4 };

/* Two buckets of a key. */
struct pair {
	struct zdd_door_bucket *one, *two;
};

static struct pair pair_of(struct zdd_door_bucket *doors, uint32_t buckets,
			   const struct zdd_addr *addr, __be16 port, uint8_t proto)
{
	uint64_t hash = zdd_door_hash(addr, port, proto);

	return (struct pair){&doors[zdd_scale((uint32_t)hash, buckets)],
			     &doors[zdd_scale((uint32_t)(hash >> 32), buckets)]};
}

static unsigned fill_of(const struct zdd_door_bucket *b)
{
	unsigned n = 0;

	while (n < ZDD_DOOR_WAYS && !ZDD_DOOR_IS_FREE(b->way[n].kind))
		n++;
	return n;
}

static struct zdd_door *find_in(struct zdd_door_bucket *b, const struct zdd_addr *addr, __be16 port,
				uint8_t proto)
{
	for (unsigned i = 0, n = fill_of(b); i < n; i++)
		if (b->way[i].port == port && b->way[i].proto == proto &&
		    zdd_addr_eq(&b->way[i].addr, addr))
			return &b->way[i];
	return NULL;
}

static struct zdd_door *find(const struct pair *p, const struct zdd_addr *addr, __be16 port,
			     uint8_t proto)
{
	struct zdd_door *same = find_in(p->one, addr, port, proto);

	return same ? same : find_in(p->two, addr, port, proto);
}

/* What the free way said, the next one says. */
static void put_at(struct zdd_door_bucket *b, unsigned way, const struct zdd_door *door)
{
	if (b->way[way].kind == ZDD_DOOR_MORE && way + 1 < ZDD_DOOR_WAYS)
		b->way[way + 1].kind = ZDD_DOOR_MORE;
	b->way[way] = *door;
}

int door_put(struct zdd_door_bucket *doors, uint32_t buckets, const struct zdd_door *door)
{
	struct pair p = pair_of(doors, buckets, &door->addr, door->port, door->proto);
	struct zdd_door *same = find(&p, &door->addr, door->port, door->proto);
	unsigned fill_one = fill_of(p.one), fill_two = fill_of(p.two);

	if (same) {
		if (same->kind == ZDD_DOOR_BACKEND && door->kind == ZDD_DOOR_BACKEND &&
		    door->listener < same->listener)
			same->listener = door->listener;
		return 0;
	}
	if (fill_one == ZDD_DOOR_WAYS && fill_two == ZDD_DOOR_WAYS)
		return -ENOSPC;
	if (fill_one <= SOME || fill_one <= fill_two) {
		put_at(p.one, fill_one, door);
	} else {
		put_at(p.two, fill_two, door);
		if (fill_one < ZDD_DOOR_WAYS)
			p.one->way[fill_one].kind = ZDD_DOOR_MORE;
	}
	return 0;
}

const struct zdd_door *door_get(struct zdd_door_bucket *doors, uint32_t buckets,
				const struct zdd_addr *addr, __be16 port, uint8_t proto)
{
	struct pair p = pair_of(doors, buckets, addr, port, proto);

	return find(&p, addr, port, proto);
}
