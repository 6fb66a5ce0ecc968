/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose a connection of mode local is. There is no record of it: it shows the address and port that its
 * client came to, and, beside its socket, the endpoint of the backend whose listening socket took it.
 * Pure. */
#ifndef ZDD_TAKEN_H
#define ZDD_TAKEN_H

#include <stdbool.h>

#include "zdd/layout.h"

/* By the plan in slot. False: it did not come through a listener of mode local, or its backend is no
 * backend any more. Of two pools of one service that have that endpoint, the first one's. */
bool taken_owner(const struct zdd_memory *, unsigned slot, const struct zdd_addr *listener,
		 __be16 port, const struct zdd_taken *, union zdd_owner *out);
/* The connection as the flow that it would be elsewhere: what is not known of it is 0. state: flow
 * states of FIN. now, idle: jiffies. */
struct zdd_flow taken_flow(union zdd_owner, const struct zdd_taken *, const struct zdd_addr *client,
			   __be16 port, __u16 state, __u32 now, __u32 idle);

#endif
