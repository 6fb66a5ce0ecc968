/* SPDX-License-Identifier: BSD-2-Clause */
/* One running rollout as rollouts.c drives it. */
#ifndef ZDD_DRIVER_H
#define ZDD_DRIVER_H

#include "hooks.h"
#include "rollouts.h"
#include "tally.h"

struct driver {
	struct driver *next;
	struct daemon *daemon;
	char service[ZDD_NAME_MAX];
	uint64_t number; /* of the release */
	struct tally *tally;
	uint64_t looked_ns;  /* 0: not yet */
	uint64_t generation; /* of the plan with this state's shares */
	unsigned storing;    /* barriers under way: effects wait */
	bool unpublished;    /* the world has what the state wants, the plan has not */
	int lease;           /* what driver_renew said */
	struct rollout_breaker breaker;
	uint64_t kept_ms; /* watched_ms as the store has it */
	unsigned told;    /* to webhooks: state and step; 0: nothing yet */

	struct hook *hook; /* runs */
	char token[ROLLOUT_TOKEN];
	enum hook_result result; /* of the token's */
	char hook_text[ROLLOUT_WHY];

	/* What the facts point to. */
	enum backend_sight *sights;
	char trouble[400], verdict_text[JUDGE_TEXT], undecided[JUDGE_TEXT];
};

/* driver_facts.c: what is so now. */
struct rollout_facts driver_facts(struct driver *, const struct world_service *,
				  const struct rollout *);
/* driver_effects.c: brings the world in line with the state, as often as it is called. Publishes when
 * something was not. */
void driver_bring_about(struct driver *, struct world_service *, const struct rollout *);
/* Renews the lease, while there is one. -ETIME: it is over, the data path has taken the share away. */
int driver_renew(struct driver *, const struct world_service *, const struct rollout *);
/* Of one that a daemon before left running: of its batch, checks from before count for nothing. */
void driver_doubt_batch(struct driver *, const struct world_service *, const struct rollout *);
/* Starts the hook that is due, ends one that is not. */
void driver_hook(struct driver *, const struct world_service *, const struct rollout *);

#endif
