/* SPDX-License-Identifier: GPL-2.0 */
/* Where a decided packet leaves: device, MAC addresses, tag. Shared by the hooks. */
#ifndef ZDD_ROUTE_H
#define ZDD_ROUTE_H

#include "lookup.h"

enum zdd_exit {
	EXIT_STACK,    /* this host's stack takes it on */
	EXIT_NEIGH,    /* device known, neighbour not (tc: the kernel asks for it) */
	EXIT_REDIRECT, /* dmac, smac, vlan are valid */
	EXIT_PEER,     /* as REDIRECT, into the veth's other end (tc) */
	EXIT_LOST,     /* nowhere */
};

struct zdd_route {
	enum zdd_exit exit;
	__u32 ifindex;
	__u16 vlan;
	__u8 dmac[6], smac[6];
};

ZDD_INLINE void route_to_backend(const struct zdd_out *o, int xdp, struct zdd_route *r)
{
	const struct zdd_hop *h = AT(hops, o->hop);

	r->exit = EXIT_STACK;
	if (!h || !h->ifindex || h->flags & ZDD_H_LOCAL || (xdp && !(h->flags & ZDD_H_XDP)))
		return;
	r->ifindex = h->ifindex;
	if (!(h->flags & ZDD_H_RESOLVED)) {
		if (!xdp)
			r->exit = EXIT_NEIGH;
		return;
	}
	r->exit = !xdp && h->flags & ZDD_H_PEER ? EXIT_PEER : EXIT_REDIRECT;
	r->vlan = h->vlan;
	__builtin_memcpy(r->dmac, h->dmac, 6);
	__builtin_memcpy(r->smac, h->smac, 6);
}

/* Without a flow nobody remembers the client's way: ask the kernel's routes. Rare, 100 ns. */
static __attribute__((noinline)) int route_by_fib(void *ctx, const struct zdd_packet *p,
						  __u32 ifindex, struct zdd_route *r)
{
	struct bpf_fib_lookup f = {.ifindex = ifindex, .l4_protocol = p->proto};

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
	r->exit = EXIT_REDIRECT;
	r->ifindex = f.ifindex;
	__builtin_memcpy(r->dmac, f.dmac, 6);
	__builtin_memcpy(r->smac, f.smac, 6);
	return 0;
}

ZDD_INLINE void route_to_client(void *ctx, const struct zdd_packet *p, const struct zdd_out *o,
				__u32 ifindex, struct zdd_route *r)
{
	const struct zdd_link *l = o->link == ZDD_NONE ? 0 : AT(links, o->link);

	if (!l || !l->ifindex) {
		route_by_fib(ctx, p, ifindex, r);
		return;
	}
	r->exit = EXIT_REDIRECT;
	r->ifindex = l->ifindex;
	r->vlan = o->vlan;
	__builtin_memcpy(r->dmac, o->mac, 6);
	__builtin_memcpy(r->smac, l->mac, 6);
}

#endif
