/* SPDX-License-Identifier: BSD-2-Clause */
/* A yardstick: what one read of memory that no cache holds costs here and now. Figures of many
 * flows are a few of these, and mean nothing without it on a machine shared with others. */
#ifndef MEMORY_H
#define MEMORY_H

struct memory;

struct memory *memory_make(void); /* NULL: out of memory */
void memory_free(struct memory *);
/* Nanoseconds per read, each of an address that the one before gave. */
double memory_measure(struct memory *);

#endif
