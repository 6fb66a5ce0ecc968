/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is at the other end of a connection, and whether it may ask for changes. */
#ifndef ZDD_PEER_H
#define ZDD_PEER_H

#include "server.h"

/* Fills uid, who and permitted: root, the daemon's owner and members of its group may. */
void peer_of(int fd, struct request *);

#endif
