/* SPDX-License-Identifier: GPL-2.0 */
/* The shared memory as plain arrays, for tests: what maps.h and the helpers are to the kernel. One
 * memory per file that includes it; threads are CPUs, each with a number of its own. */
#ifndef ZDD_NATIVE_H
#define ZDD_NATIVE_H

#include <linux/bpf.h>

#include "zdd/layout.h"

#define NATIVE __attribute__((unused)) static

NATIVE struct zdd_memory native_memory;
NATIVE struct zdd_geometry geometry;
NATIVE __u64 native_now = 1 << 20; /* jiffies */
NATIVE __thread __u32 native_cpu;  /* < geometry.cpus */
NATIVE int native_host_socket;     /* what the host answers when asked for a connection */
/* Told of each look at memory: a test has another CPU's packet come there. */
NATIVE __thread void (*native_look)(void);
/* What the host's routes say; NULL: no route. Returns 0 and fills f. */
NATIVE int (*native_fib)(struct bpf_fib_lookup *f);

/* All that follows works on this memory. */
NATIVE void native_use(const struct zdd_memory *m)
{
	native_memory = *m;
	geometry = *m->geometry;
}

#define M(name, type, count)                                                                       \
	NATIVE inline type *native_at_##name(__u32 index)                                          \
	{                                                                                          \
		const struct zdd_geometry *g = &geometry;                                          \
                                                                                                   \
		(void)g;                                                                           \
		if (native_look)                                                                   \
			native_look();                                                             \
		return index < (__u32)(count) ? &native_memory.name[index] : 0;                    \
	}
ZDD_MEMORY(M)
#undef M

#define AT(map, index) native_at_##map(index)
#define NOW() __atomic_load_n(&native_now, __ATOMIC_RELAXED)
#define NOW_NS() (NOW() * (1000000000u / geometry.hz))
#define CPU() native_cpu

NATIVE __u64 native_woken; /* the last word for the daemon */
#define WAKE(word) (native_woken = (word))

struct zdd_packet;

NATIVE inline int host_socket(void *ctx, const struct zdd_packet *p)
{
	(void)ctx;
	(void)p;
	return native_host_socket;
}

NATIVE inline long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *f, int size, __u32 flags)
{
	(void)ctx;
	(void)size;
	(void)flags;
	return native_fib ? native_fib(f) : BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* The device that the frame is too large for; 0: none. */
NATIVE __u32 native_too_large;

NATIVE inline long bpf_check_mtu(void *ctx, __u32 ifindex, __u32 *mtu, __s32 more, __u64 flags)
{
	(void)ctx;
	(void)mtu;
	(void)more;
	(void)flags;
	return native_too_large == ifindex ? BPF_MTU_CHK_RET_FRAG_NEEDED : 0;
}

#endif
