/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends resets: as frames on the way that the flow's own packets take, or, where the host's stack
 * carries these, through the stack. */
#ifndef ZDD_RESETS_H
#define ZDD_RESETS_H

#include "zdd/layout.h"

struct resets {
	int frames, v4, v6; /* sockets */
};

/* 0 or negative errno; needs CAP_NET_RAW. */
int resets_open(struct resets *);
void resets_close(struct resets *);

/* By the record's numbers. What a full queue refuses is lost, as packets are. -ENOTSUP: there
 * is no way to the backend now. */
int resets_to_client(const struct resets *, const struct zdd_memory *, const struct zdd_flow *);
int resets_to_backend(const struct resets *, const struct zdd_memory *, const struct zdd_flow *);

#endif
