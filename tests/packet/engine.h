/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine runs one frame through the data path: natively, or by BPF_PROG_TEST_RUN. All have the
 * same memory, in the same geometry, and must give the same answers. */
#ifndef ZDD_ENGINE_H
#define ZDD_ENGINE_H

#include <stdbool.h>

#include "craft.h"
#include "zdd/layout.h"

enum hook { HOOK_XDP = 1, HOOK_TC = 2 };
enum ran_code { RAN_PASSED, RAN_DROPPED, RAN_SENT }; /* SENT: redirected */

struct ran {
	enum ran_code code;
	struct frame out;
	struct zdd_count_row counts; /* what the counters moved by */
};

struct engine {
	const char *name;
	enum hook hook;   /* of frames that come in; those going out always pass tc */
	const char *skip; /* why it cannot run here, NULL: it can */
	struct zdd_memory memory;
	/* 0, -ENOTSUP: BPF_PROG_TEST_RUN takes no such frame (cut within the IP header), or -errno. */
	int (*run)(struct engine *, bool egress, const struct frame *in, struct ran *out);
	int fd_in, fd_out;
};

extern const struct zdd_geometry engine_geometry;

enum { ENGINES = 5 };
/* Opens all; those that cannot run say why. Call once. */
struct engine *engines_open(void);
void engines_close(void);

void native_engine(struct engine *, const char *name, enum hook hook);
void kernel_engines(struct engine engines[3]);
void kernel_engines_close(void);

/* What the host's routes answer to stateless replies: set up in the network namespace of the kernel
 * engines, and by the native ones. */
struct fib_way {
	const char *prefix;
	uint8_t dmac[6], smac[6];
};
extern struct fib_way fib_ways[2]; /* v4, v6 */

/* What moved between two looks at the counters of all CPUs. */
struct zdd_count_row counts_sum(const struct zdd_memory *);
struct zdd_count_row counts_minus(const struct zdd_count_row *now,
				  const struct zdd_count_row *then);

#endif
