/* SPDX-License-Identifier: GPL-2.0 */
/* Mode local: a new TCP connection is given to the chosen backend's listening socket. Open
 * connections never come here. Kernel documentation: Documentation/bpf/prog_sk_lookup.rst */
#ifndef ZDD_LOCAL_H
#define ZDD_LOCAL_H

#include <bpf/bpf_endian.h>

#include "lookup.h"

/* A field of a context must be loaded at a constant offset; clang 14 would merge the loads of two
 * branches and compute it. */
#define CTX_FIELD(field)                                                                           \
	({                                                                                         \
		__u32 value_ = (field);                                                            \
		__asm__ __volatile__("" : "+r"(value_));                                           \
		value_;                                                                            \
	})
#define CTX_ADDR(addr, field)                                                                      \
	do {                                                                                       \
		(addr).w[0] = CTX_FIELD((field)[0]);                                               \
		(addr).w[1] = CTX_FIELD((field)[1]);                                               \
		(addr).w[2] = CTX_FIELD((field)[2]);                                               \
		(addr).w[3] = CTX_FIELD((field)[3]);                                               \
	} while (0)

ZDD_INLINE void local_packet(struct bpf_sk_lookup *ctx, struct zdd_packet *p)
{
	p->proto = ctx->protocol;
	p->sport = ctx->remote_port;
	p->dport = bpf_htons(ctx->local_port);
	if (ctx->family == 2) { /* AF_INET */
		p->src = zdd_addr_v4(CTX_FIELD(ctx->remote_ip4));
		p->dst = zdd_addr_v4(CTX_FIELD(ctx->local_ip4));
		return;
	}
	p->v6 = 1;
	CTX_ADDR(p->src, ctx->remote_ip6);
	CTX_ADDR(p->dst, ctx->local_ip6);
}

/* 0 when one of the backend's sockets took the connection. */
ZDD_INLINE int local_assign(struct bpf_sk_lookup *ctx, __u16 backend)
{
	const struct zdd_backend *b = AT(backends, backend);

	if (!b)
		return -1;
#pragma clang loop unroll(disable)
	for (__u32 n = 0; n < ZDD_SOCKS_PER_BACKEND; n++) {
		__u32 key = b->socks * ZDD_SOCKS_PER_BACKEND + n;
		struct bpf_sock *sk = bpf_map_lookup_elem(&socks, &key);
		long failed;

		if (!sk)
			continue;
		failed = bpf_sk_assign(ctx, sk, 0);
		bpf_sk_release(sk);
		if (!failed)
			return 0;
	}
	return -1;
}

/* The chosen backend, or the next in table order that listens. */
ZDD_INLINE int local_choose(struct bpf_sk_lookup *ctx, struct zdd_job *j)
{
	struct zdd_choice c;
	struct zdd_asker a;
	__u16 backend;

	if (choose_for(j, &a, &c))
		return -1;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 4; i++) {
		backend = chosen_backend(&c);
		if (backend == ZDD_NONE)
			return -1;
		if (!local_assign(ctx, backend)) {
			count_new(j, c.id, backend);
			return 0;
		}
		choose_next(&c);
	}
	return -1;
}

SEC("sk_lookup")
int zdd_lookup(struct bpf_sk_lookup *ctx)
{
	const struct zdd_desk *d = AT(desk, 0);
	struct zdd_job j = {.word = d ? ONCE(d->word) : 0};
	const struct zdd_door *door;

	if (!j.word || ctx->protocol != PROTO_TCP)
		return SK_PASS;
	local_packet(ctx, &j.p);
	door = listener_door(ZDD_WORD_SLOT(j.word), &j.p);
	if (!door || !is_local_mode(ZDD_WORD_SLOT(j.word), door))
		return SK_PASS;
	j.listener = door->listener;
	j.service = door->service;
	if (local_choose(ctx, &j))
		count_note(ZDD_N_SOCKET_MISSING);
	return SK_PASS;
}

/* ---- filling `socks` ---- */

/* A backend's door names the lowest backend with that endpoint. */
ZDD_INLINE __u16 backend_at(const struct zdd_addr *addr, __be16 port)
{
	const struct zdd_desk *d = AT(desk, 0);
	const struct zdd_door *door;
	__u64 word = d ? ONCE(d->word) : 0;

	if (!word)
		return ZDD_NONE;
	door = door_find(ZDD_WORD_SLOT(word), addr, port, PROTO_TCP);
	return door && door->kind == ZDD_DOOR_BACKEND ? door->listener : ZDD_NONE;
}

/* A socket on every address serves a backend written with a loopback address too. */
ZDD_INLINE __u16 backend_of_listener(const struct zdd_addr *addr, __be16 port)
{
	struct zdd_addr v4 = zdd_addr_v4(bpf_htonl(0x7f000001)),
			v6 = {.w = {0, 0, 0, bpf_htonl(1)}};
	int any = addr->d[0] == 0 && (addr->d[1] == 0 || (zdd_addr_is_v4(addr) && !addr->w[3]));
	__u16 found = backend_at(addr, port);

	if (found == ZDD_NONE && any)
		found = backend_at(&v4, port);
	if (found == ZDD_NONE && any && !zdd_addr_is_v4(addr))
		found = backend_at(&v6, port);
	return found;
}

/* Where `socks` has a socket of that backend. */
ZDD_INLINE __u32 sock_key(__u16 backend, __u64 cookie)
{
	return backend * ZDD_SOCKS_PER_BACKEND + cookie % ZDD_SOCKS_PER_BACKEND;
}

/* What its connections will be known by. sk: a listening socket, as the program's context has it. */
#define TAKE_FOR(backend, sk)                                                                      \
	do {                                                                                       \
		const struct zdd_backend *b_ = AT(backends, backend);                              \
		struct zdd_taken *t_ =                                                             \
			bpf_sk_storage_get(&taken_by, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);         \
                                                                                                   \
		if (b_ && t_) {                                                                    \
			t_->addr = b_->addr;                                                       \
			t_->port = b_->port;                                                       \
		}                                                                                  \
	} while (0)

ZDD_INLINE void listen_begins(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct zdd_addr addr = {};
	__u16 backend;
	__u32 key;

	if (ctx->family == 2) {
		addr = zdd_addr_v4(CTX_FIELD(ctx->local_ip4));
	} else {
		CTX_ADDR(addr, ctx->local_ip6);
	}
	backend = backend_of_listener(&addr, bpf_htons(ctx->local_port));
	if (backend == ZDD_NONE || !sk)
		return;
	TAKE_FOR(backend, sk);
	key = sock_key(backend, bpf_get_socket_cookie(ctx));
	bpf_sock_map_update(ctx, &socks, &key, BPF_ANY);
}

/* Accepted by one that serves a backend: the copy learns its age. */
ZDD_INLINE void connection_begins(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct zdd_taken *t = sk ? bpf_sk_storage_get(&taken_by, sk, 0, 0) : 0;

	if (t)
		t->since = (__u32)NOW() | 1;
}

/* Sits at the root of all cgroups, so it hears of every namespace's sockets. */
SEC("sockops")
int zdd_listen(struct bpf_sock_ops *ctx)
{
	const struct zdd_desk *d = AT(desk, 0);

	if ((ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB &&
	     ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) ||
	    !d || bpf_get_netns_cookie(ctx) != d->netns_cookie)
		return 1;
	if (ctx->op == BPF_SOCK_OPS_TCP_LISTEN_CB)
		listen_begins(ctx);
	else
		connection_begins(ctx);
	return 1;
}

enum { LISTEN_STATE = 10 }; /* TCP_LISTEN */

struct sock_common___zdd {
	__u16 skc_family;
	__u8 skc_state;
	__be32 skc_rcv_saddr;
	__u16 skc_num;
	struct {
		__be32 w[4];
	} skc_v6_rcv_saddr;
} __attribute__((preserve_access_index));

struct bpf_iter_meta___zdd;
struct sock_common;

struct bpf_iter__tcp {
	union {
		struct bpf_iter_meta___zdd *meta;
	};
	union {
		struct sock_common___zdd *sk_common;
	};
	__u32 uid;
} __attribute__((preserve_access_index));

/* Reading the iterator enters every listening socket of this network namespace. */
SEC("iter/tcp")
int zdd_iter(struct bpf_iter__tcp *ctx)
{
	struct sock_common___zdd *sk = ctx->sk_common;
	struct zdd_addr addr = {};
	__u16 backend;
	__u32 key;

	if (!sk || sk->skc_state != LISTEN_STATE)
		return 0;
	if (sk->skc_family == 2)
		addr = zdd_addr_v4(sk->skc_rcv_saddr);
	else
		bpf_probe_read_kernel(&addr, sizeof(addr), &sk->skc_v6_rcv_saddr);
	backend = backend_of_listener(&addr, bpf_htons(sk->skc_num));
	if (backend == ZDD_NONE)
		return 0;
	TAKE_FOR(backend, (void *)sk);
	key = sock_key(backend, bpf_get_socket_cookie((void *)sk));
	bpf_map_update_elem(&socks, &key, (void *)sk, BPF_ANY);
	return 0;
}

#endif
