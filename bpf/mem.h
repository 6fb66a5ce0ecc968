/* SPDX-License-Identifier: GPL-2.0 */
/* The one place that knows whether memory is a BPF map or an array. AT(map, index) is a pointer to
 * an element, or NULL beyond the end. NOW() is jiffies, CPU() a row of the per-CPU arrays, WAKE() a word
 * to the daemon. */
#ifndef ZDD_MEM_H
#define ZDD_MEM_H

#include "zdd/hash.h"
#include "zdd/layout.h"

#define ONCE(x) (*(volatile __typeof__(x) *)&(x))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#ifdef ZDD_NATIVE

#include "native.h"

#else

#include "maps.h"

#define AT(map, index)                                                                             \
	({                                                                                         \
		__u32 index_ = (index);                                                            \
		(__typeof__(*map.value) *)bpf_map_lookup_elem(&map, &index_);                      \
	})
#define NOW() bpf_jiffies64()
#define NOW_NS() bpf_ktime_get_ns()
#define CPU() bpf_get_smp_processor_id()
#define WAKE(word)                                                                                 \
	({                                                                                         \
		__u64 word_ = (word);                                                              \
		bpf_ringbuf_output(&wake, &word_, sizeof(word_), 0);                               \
	})

#endif

/* A rare path: verified by itself, called at the price of a call (7 ns). */
#ifdef __bpf__
#define ZDD_RARE __attribute__((noinline))
#else
#define ZDD_RARE static __attribute__((noinline, unused))
#endif

/* From here on the compiler knows nothing of x. */
#ifdef __bpf__
#define OPAQUE(x) __asm__ __volatile__("" : "+r"(x))
#else
#define OPAQUE(x) (void)(x)
#endif

/* x86 keeps loads in order and stores in order; elsewhere an atomic with fetch is the only full
 * barrier that BPF of this age has. */
#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
#define ORDER(scratch) __asm__ __volatile__("" ::: "memory")
#else
#define ORDER(scratch) (void)__sync_fetch_and_add(scratch, 0)
#endif

#endif
