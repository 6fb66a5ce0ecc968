/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration that a command brought in and that differs from the file: kept in the store, so
 * that a restart changes nothing. It rules as long as the file is the one that was there when it
 * was applied; an edited file rules again, and so does every file without a database. */
#ifndef ZDD_APPLIED_H
#define ZDD_APPLIED_H

#include "config.h"

struct daemon;
struct applied;

/* At start, when the store is open; text is the file's. *config is the file's and becomes the
 * applied one where that rules. NULL when memory is out. */
struct applied *applied_begin(struct daemon *, const char *text, struct config **config);
void applied_free(struct applied *);
/* Puts down what is about to be in force; before it is. */
void applied_put(struct daemon *, const struct config *);
/* What is in force now, in the store and as a problem when it differs from the file. */
void applied_settle(struct daemon *);
/* What was put down did not come into force: as before. */
void applied_refused(struct daemon *);
/* An edited file took the place of what was applied before. */
bool applied_lost(const struct daemon *);

#endif
