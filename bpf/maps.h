/* SPDX-License-Identifier: GPL-2.0 */
/* All maps of the data path. Sizes come from the geometry, set by the loader before loading. */
#ifndef ZDD_MAPS_H
#define ZDD_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "zdd/layout.h"

const volatile struct zdd_geometry geometry;
const volatile __u8 has_cast; /* the kernel has bpf_cast_to_kern_ctx (6.2) */

#define M(name, element, count)                                                                    \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__typeof__(element) *value;                                                        \
	} name SEC(".maps");
ZDD_MEMORY(M)
#undef M

/* Mode local: listening sockets of backends, key backend * ZDD_SOCKS_PER_BACKEND + n. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} socks SEC(".maps");

/* Mode local: whose listening socket took a connection. It lives and dies with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct zdd_taken);
} taken_by SEC(".maps");

/* Replacing the inner map waits until every program that runs has ended; nothing reads it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u32);
		});
} grace SEC(".maps");

/* What the daemon is to do at once: hashes of datagrams whose fragments may go (early.h). */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} wake SEC(".maps");

/* The programs that were at the hooks before, while the data path moves from their maps into these:
 * XDP; tc ingress and egress. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} before_xdp SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} before_tc SEC(".maps");

#endif
