/* SPDX-License-Identifier: BSD-2-Clause */
/* When plans are published and when their grace periods end. Commands publish at once; health
 * changes of one turn of the loop are joined into one plan. */
#ifndef ZDD_PUBLISH_H
#define ZDD_PUBLISH_H

#include <stdint.h>

struct daemon;
struct publisher;

struct publisher *publisher_make(struct daemon *);
/* Waits for a grace period that runs; who waited for it is not told. */
void publisher_end(struct publisher *);
/* Publishes daemon->world now. 0, -EAGAIN (ask again after the next settling), other errno with
 * *error one line. */
int publisher_now(struct publisher *, char **error);
/* Publishes at the end of this turn, or when room is free again. */
void publisher_soon(struct publisher *);
/* Calls done once no program reads a plan older than generation. */
void publisher_settled(struct publisher *, uint64_t generation, void (*done)(void *context),
		       void *context);
/* That plan, or a later one, is out and its grace period over. */
bool publisher_is_settled(const struct publisher *, uint64_t generation);
uint64_t publisher_count(const struct publisher *);

#endif
