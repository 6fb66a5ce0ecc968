/* SPDX-License-Identifier: GPL-2.0 */
/* Asking the host's own stack. */
#ifndef ZDD_HOST_H
#define ZDD_HOST_H

#include "mem.h"
#include "parse.h"

#ifndef ZDD_NATIVE

/* This host itself has a TCP connection of the packet's addresses and ports. Rare path. */
static __attribute__((noinline)) int host_socket(void *ctx, const struct zdd_packet *p)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk;
	int found;

	if (p->v6) {
		__builtin_memcpy(t.ipv6.saddr, p->src.w, 16);
		__builtin_memcpy(t.ipv6.daddr, p->dst.w, 16);
		t.ipv6.sport = p->sport;
		t.ipv6.dport = p->dport;
	} else {
		t.ipv4.saddr = p->src.w[3];
		t.ipv4.daddr = p->dst.w[3];
		t.ipv4.sport = p->sport;
		t.ipv4.dport = p->dport;
	}
	sk = bpf_skc_lookup_tcp(ctx, &t, p->v6 ? sizeof(t.ipv6) : sizeof(t.ipv4),
				BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	found = sk->state != BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return found;
}

#endif

#endif
