/* SPDX-License-Identifier: GPL-2.0 */
/* SYN floods. A handshake that begins counts until it is complete, or until time has written it off
 * as the half-open records do. While as many wait as these records can hold, a SYN is forwarded by
 * the table and only remembered (memo.h): no lock, no search for room. A real client's connection
 * gets its record as soon as it is known to be one (adopt.h). */
#ifndef ZDD_FLOOD_H
#define ZDD_FLOOD_H

#include "mem.h"

/* Writes off what waits for too long. Who moves `aged` on has these jiffies to account for. */
ZDD_INLINE void pressure_age(struct zdd_pressure *p, __u64 now)
{
	__u64 per = (__u64)ZDD_HALF_OPEN_S * geometry.hz, aged = ONCE(p->aged);
	__s64 waiting = ONCE(p->waiting), paid;

	if ((__s64)(now - aged) < geometry.hz / 4)
		return;
	paid = now - aged > per ? ZDD_PRESSURE_MAX(&geometry)
				: (__s64)(ZDD_PRESSURE_MAX(&geometry) * (now - aged) / per);
	if (!paid || __sync_val_compare_and_swap(&p->aged, aged, now) != aged)
		return;
	__sync_fetch_and_add(&p->waiting, waiting < paid ? -waiting : -paid);
}

/* 1 when a SYN shall get no record. */
ZDD_INLINE int pressure_high(__u64 now)
{
	struct zdd_pressure *p = AT(pressure, 0);

	if (!p)
		return 0;
	pressure_age(p, now);
	return ONCE(p->waiting) >= ZDD_PRESSURE_MAX(&geometry);
}

/* A half-open record was made. */
ZDD_INLINE void pressure_more(void)
{
	struct zdd_pressure *p = AT(pressure, 0);

	if (p)
		__sync_fetch_and_add(&p->waiting, 1);
}

/* Its handshake is complete. */
ZDD_INLINE void pressure_less(void)
{
	struct zdd_pressure *p = AT(pressure, 0);

	if (p && ONCE(p->waiting) > 0)
		__sync_fetch_and_add(&p->waiting, -1);
}

/* The established ones found no room a moment ago: a full table is not asked at every packet, and
 * what waits may do so for this reason. */
ZDD_INLINE int pressure_no_room(__u64 now)
{
	struct zdd_pressure *p = AT(pressure, 0);

	return !p || now - ONCE(p->no_room) < geometry.hz / 8;
}

/* Only for so long after a SYN went without a record may one be its repeat: most never ask. */
ZDD_INLINE int pressure_remembers(__u64 now)
{
	const struct zdd_pressure *p = AT(pressure, 0);

	return p && now - ONCE(p->memo) < (__u64)ZDD_HALF_OPEN_S * geometry.hz;
}

ZDD_INLINE void pressure_remember(__u64 now)
{
	struct zdd_pressure *p = AT(pressure, 0);

	if (p && ONCE(p->memo) != now)
		ONCE(p->memo) = now;
}

ZDD_INLINE void pressure_found_no_room(__u64 now)
{
	struct zdd_pressure *p = AT(pressure, 0);

	if (p)
		ONCE(p->no_room) = now;
}

#endif
