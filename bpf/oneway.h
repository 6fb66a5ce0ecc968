/* SPDX-License-Identifier: GPL-2.0 */
/* Modes dsr, ipip and gue: may a packet go, and in what. Shared by the hooks. */
#ifndef ZDD_ONEWAY_H
#define ZDD_ONEWAY_H

#include "route.h"
#include "tunnel.h"

/* Frames of these modes do not take the stack's way: it would keep a packet to the listener's
 * address for itself, and refuses one from an address of this host. */
ZDD_INLINE int one_way_leads(const struct zdd_out *o, const struct zdd_hop *h,
			     const struct zdd_route *r)
{
	if (r->exit == EXIT_STACK || r->exit == EXIT_LOST)
		return 0;
	return o->forward == ZDD_FORWARD_DSR ? !(h->flags & ZDD_H_GATEWAY) : h->source;
}

/* Fills t and j->mtu. unit: bytes of the packet, or of each that a super-packet will be cut into.
 * Returns why it cannot go, ZDD_VERDICT_COUNT: it can. */
ZDD_INLINE enum zdd_verdict one_way_check(struct zdd_job *j, const struct zdd_route *r, __u32 unit,
					  struct zdd_tunnel *t)
{
	const struct zdd_hop *h = AT(hops, j->out.hop);
	const struct zdd_addr *source = h ? AT(sources, h->source) : 0;

	if (!h || !source || !one_way_leads(&j->out, h, r))
		return ZDD_V_NO_WAY;
	tunnel_of(j, source, t);
	if (t->size && j->p.ttl <= 1)
		return ZDD_V_TTL;
	j->mtu = h->mtu - t->size;
	return h->mtu && unit + t->size > h->mtu ? ZDD_V_TOO_BIG : ZDD_VERDICT_COUNT;
}

/* Back where the packet came from. own: the MAC that it was sent to. */
ZDD_INLINE void route_back(const struct zdd_packet *p, const __u8 *own, struct zdd_route *r)
{
	r->exit = EXIT_REDIRECT;
	r->ifindex = p->ifindex;
	r->vlan = p->vlan;
	__builtin_memcpy(r->dmac, p->mac, 6);
	__builtin_memcpy(r->smac, own, 6);
}

#endif
