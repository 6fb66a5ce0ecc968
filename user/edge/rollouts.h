/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives rollouts: facts -> core/rollout.h -> store -> what the state wants. */
#ifndef ZDD_ROLLOUTS_H
#define ZDD_ROLLOUTS_H

#include "daemon.h"

/* Those that a daemon before left running go on. */
struct rollouts *rollouts_make(struct daemon *);
/* A person changed a rollout, or began one: it is looked at soon. */
void rollouts_wake(struct rollouts *);
/* Hooks that run are ended; the rollouts stay as they are. */
void rollouts_free(struct rollouts *);

/* What the views show of a service's rollout beside its state. */
struct rollout_extras rollouts_extras(void *daemon, const struct world_service *);

#endif
