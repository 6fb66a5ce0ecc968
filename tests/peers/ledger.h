/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger: one line for each connection accepted and each UDP 5-tuple seen for the first time,
 *   PROTO NS CLIENT CLIENT_PORT LOCAL_PORT
 * and one more, PROTO "rst", for each connection that was reset or aborted.
 * It is a witness outside zdd: it says which flows reached this backend, and when.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "peer.h"

struct ledger;

struct ledger *ledger_open(const char *path);
void ledger_tcp(struct ledger *l, const union peer_addr *client, uint16_t local_port);
void ledger_reset(struct ledger *l, const union peer_addr *client, uint16_t local_port);

/* Returns how many datagrams of this 5-tuple came before; the first one is written down. */
uint64_t ledger_udp(struct ledger *l, const union peer_addr *client, uint16_t local_port);
void ledger_flush(struct ledger *l);

#endif
