/* SPDX-License-Identifier: BSD-2-Clause */
/* When to send what to the two ends of a connection that is being cut, and how many may go now.
 * Pure.
 *
 * A record that is marked ZDD_F_CUT lets nothing pass, and what its ends acknowledge becomes the
 * other side's number in it (bpf/flow.h, end_cut). Both numbers are exact at once when nothing was on its
 * way; else the challenge ACK that answers a reset tells. Nothing says that a reset arrived, so each is
 * repeated; the last time after Linux would send another challenge ACK (500 ms). */
#ifndef ZDD_CUTS_H
#define ZDD_CUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "zdd/layout.h"

struct cut {
	uint32_t place;
	uint16_t epoch;
	uint8_t sent; /* times */
	uint64_t next_ms;
	uint32_t heard;                    /* meta's last-seen when looked at last */
	uint32_t client_seq, server_seq;   /* as known when it was marked */
	uint32_t told_client, told_server; /* the exact numbers sent last */
};

enum cut_step { CUT_WAIT, CUT_SEND, CUT_OVER };

/* f: the record as it was marked. The first step is to send. */
struct cut cut_begin(uint32_t place, const struct zdd_flow *f, uint64_t now_ms);
/* f: the record now, NULL when the place is another flow's. */
enum cut_step cut_next(struct cut *, const struct zdd_flow *f, uint64_t now_ms);

/* N a second, evenly: what was not used does not heap up. */
struct pace {
	uint64_t last_ms;
	uint64_t credit; /* thousandths */
};
void pace_fill(struct pace *, uint32_t rate, uint64_t now_ms);
bool pace_take(struct pace *);

#endif
