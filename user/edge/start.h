/* SPDX-License-Identifier: BSD-2-Clause */
/* From nothing, or from a data path that runs already, to a world that is true. */
#ifndef ZDD_START_H
#define ZDD_START_H

struct daemon;

/* Live, shares, admin states and what undo returns to: from the kernel where it runs already, the
 * store, the file, in this order. Differences become events. */
void start_recall(struct daemon *);
/* Ends the releases that a daemon before began and could not end, with what the data path shows. */
void start_close_releases(struct daemon *);

#endif
