/* SPDX-License-Identifier: GPL-2.0 */
/* Where a decided packet leaves: device, MAC addresses, tag. Shared by the hooks. */
#ifndef ZDD_ROUTE_H
#define ZDD_ROUTE_H

#include "frame.h"
#include "lookup.h"

enum zdd_exit {
	EXIT_STACK,    /* this host's stack takes it on */
	EXIT_NEIGH,    /* device known, neighbour not (tc: the kernel asks for it) */
	EXIT_REDIRECT, /* dmac, smac, vlan are valid */
	EXIT_PEER,     /* as REDIRECT, into the veth's other end (tc) */
	EXIT_SELF,     /* into the device's own ingress: the stack takes it on (tc) */
	EXIT_LOST,     /* nowhere */
};

struct zdd_route {
	enum zdd_exit exit;
	__u32 ifindex;
	__u16 vlan;
	__u8 dmac[6], smac[6];
	__u32 native; /* the device takes frames from native XDP */
	__u16 mtu;    /* 0: not known */
};

ZDD_INLINE void route_to_backend(const struct zdd_out *o, int xdp, struct zdd_route *r)
{
	const struct zdd_hop *h = AT(hops, o->hop);

	r->exit = EXIT_STACK;
	if (!h || !h->ifindex || h->flags & ZDD_H_LOCAL)
		return;
	r->ifindex = h->ifindex;
	r->native = h->flags & ZDD_H_XDP;
	r->mtu = h->mtu;
	if (!(h->flags & ZDD_H_RESOLVED)) {
		if (!xdp)
			r->exit = EXIT_NEIGH;
		return;
	}
	r->exit = !xdp && h->flags & ZDD_H_PEER ? EXIT_PEER : EXIT_REDIRECT;
	r->vlan = h->vlan;
	copy_mac(r->dmac, h->dmac);
	copy_mac(r->smac, h->smac);
}

ZDD_INLINE const struct zdd_link *link_at(__u16 slot)
{
	const struct zdd_link *l = slot == ZDD_NONE ? 0 : AT(links, slot);

	return l && l->ifindex ? l : 0;
}

/* A segment of our own in place of a backend's frame: back out of the device that it came by. */
ZDD_INLINE void route_by_link(const struct zdd_packet *p, struct zdd_route *r)
{
	const struct zdd_link *l = link_at(link_of(p->ifindex));

	r->exit = l ? EXIT_REDIRECT : EXIT_LOST;
	if (!l)
		return;
	r->ifindex = p->ifindex;
	r->native = l->flags & ZDD_H_XDP;
	r->vlan = p->vlan;
	copy_mac(r->dmac, p->mac);
	copy_mac(r->smac, l->mac);
}

ZDD_INLINE void route_own(const struct zdd_packet *p, const struct zdd_out *o, int xdp,
			  struct zdd_route *r)
{
	if (o->action == ACT_RESET)
		route_by_link(p, r);
	else
		route_to_backend(o, xdp, r);
}

/* Without a flow nobody remembers the client's way: ask the kernel's routes. Rare, 100 ns. */
static __attribute__((noinline)) int route_by_fib(void *ctx, const struct zdd_packet *p,
						  struct zdd_route *r)
{
	struct bpf_fib_lookup f = {.ifindex = p->ifindex, .l4_protocol = p->proto};
	const struct zdd_link *l;

	if (p->v6) {
		f.family = 10; /* AF_INET6 */
		__builtin_memcpy(f.ipv6_src, p->src.w, 16);
		__builtin_memcpy(f.ipv6_dst, p->dst.w, 16);
	} else {
		f.family = 2; /* AF_INET */
		f.ipv4_src = p->src.w[3];
		f.ipv4_dst = p->dst.w[3];
	}
	r->exit = EXIT_LOST;
	if (bpf_fib_lookup(ctx, &f, sizeof(f), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return -1;
	l = link_at(link_of(f.ifindex));
	r->exit = EXIT_REDIRECT;
	r->ifindex = f.ifindex;
	r->native = !l || l->flags & ZDD_H_XDP;
	copy_mac(r->dmac, f.dmac);
	copy_mac(r->smac, f.smac);
	return 0;
}

/* As remembered. -1: that interface is gone. */
ZDD_INLINE int route_by_way(const struct zdd_out *o, struct zdd_route *r)
{
	const struct zdd_link *l = link_at(o->link);

	if (!l)
		return -1;
	r->exit = EXIT_REDIRECT;
	r->ifindex = l->ifindex;
	r->native = l->flags & ZDD_H_XDP;
	r->mtu = l->mtu;
	r->vlan = o->vlan;
	copy_mac(r->dmac, o->mac);
	copy_mac(r->smac, l->mac);
	return 0;
}

/* ---- modes nat, snat: what is larger than the way out takes */

ZDD_INLINE int exceeds(const struct zdd_route *r, const struct zdd_packet *p)
{
	return r->mtu && p->frame - p->l3 > r->mtu;
}

/* Why it cannot go on: TOO_BIG, its sender is to be told j->mtu (RFC 1191, 8201). ZDD_VERDICT_COUNT: it
 * can, perhaps by the stack, which cuts it; that takes nothing from an address of its own host. unit: as
 * in one_way_check. */
ZDD_INLINE enum zdd_verdict size_check(struct zdd_job *j, __u32 unit, struct zdd_route *r)
{
	j->mtu = r->mtu;
	if (unit <= r->mtu)
		return ZDD_VERDICT_COUNT;
	if (j->p.uncut && (has_ports(&j->p) || j->p.later_fragment))
		return ZDD_V_TOO_BIG;
	if (j->out.both)
		return ZDD_V_TOO_BIG_UNTOLD;
	r->exit = EXIT_STACK;
	return ZDD_VERDICT_COUNT;
}

enum { USUAL_FRAME = 1518 }; /* with a tag; what is larger is asked about */

/* Whether the way into the program is generic XDP. */
ZDD_INLINE int is_generic(__u32 ifindex)
{
	const struct zdd_link *l = link_at(link_of(ifindex));

	return l && l->flags & ZDD_H_GENERIC;
}

/* Generic XDP sends to any device, and the kernel drops what exceeds its MTU: super-packets. */
ZDD_RARE int route_takes(struct xdp_md *ctx, __u32 from, __u32 to, __u32 native)
{
	__u32 mtu = 0;

	if (!native && !is_generic(from))
		return 0;
	return bpf_check_mtu(ctx, to, &mtu, 0, 0) == 0;
}

/* In XDP a redirect that fails is a packet lost without a word: what would be goes by the stack. */
ZDD_INLINE void route_check(struct xdp_md *ctx, const struct zdd_packet *p, struct zdd_route *r)
{
	if (r->exit != EXIT_REDIRECT || (likely(r->native) && likely(p->frame <= USUAL_FRAME)))
		return;
	if (!route_takes(ctx, p->ifindex, r->ifindex, r->native))
		r->exit = EXIT_STACK;
}

/* What the decision changes in the packet. */
ZDD_INLINE struct zdd_rewrite rewrite_of(const struct zdd_out *o, int decrement)
{
	return (struct zdd_rewrite){.addr = &o->addr,
				    .port = o->port,
				    .other = o->other,
				    .source = o->action == ACT_TO_CLIENT,
				    .decrement = decrement};
}

#endif
