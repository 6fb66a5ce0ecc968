/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans: what is wanted (struct world) compiled into what the data path reads. Pure: works on the
 * memory it is given, mapped or not.
 *
 *   slot: free --compile--> written --publish--> running --next publish--> resting --settled--> free
 */
#ifndef ZDD_PLAN_H
#define ZDD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ids.h"
#include "world.h"
#include "zdd/layout.h"

struct planner;

/* Takes over what the memory holds: objects, and the running plan with its tables.
 * 0, -ENOMEM, -EPROTO when the running plan is not sound. */
int planner_make(const struct zdd_memory *, struct planner **out);
void planner_free(struct planner *);

/* Writes world into a free slot. local are the addresses that ":443" stands for. Fills in the
 * objects of world's pools and backends.
 * Returns the slot; -EAGAIN when no slot or not enough room is free before planner_settled;
 * -ENOSPC, -ENOMEM, -EINVAL with *error one line. The running plan is untouched by failure. */
int planner_compile(struct planner *, struct world *, const struct zdd_addr *local, size_t n_local,
		    char **error);
/* The one store. The slot is of planner_compile. The new generation, one above the running one's
 * and `above`, is returned. */
uint64_t planner_publish(struct planner *, unsigned slot, uint64_t above);
/* All programs that began before the publishing of this generation have ended. */
void planner_settled(struct planner *, uint64_t generation);
uint64_t planner_settled_generation(const struct planner *);

/* A walk of the flow table that began when settled_generation was `settled` found these many flows
 * per object: frees what is wanted no more. Returns true when the running plan has doors of freed
 * objects, so that publishing again would tidy it. */
bool planner_release(struct planner *, uint64_t settled, const uint32_t *const flows[ID_KINDS]);

/* The running plan's state into world: generation, revision, live, shares, admin, health, objects.
 * Returns how many services could not take all of it (their file lost a pool that had traffic). */
size_t plan_recall(const struct zdd_memory *, struct world *);

#endif
