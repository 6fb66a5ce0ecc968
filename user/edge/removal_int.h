/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside removal*.c. */
#ifndef ZDD_REMOVAL_INT_H
#define ZDD_REMOVAL_INT_H

#include "cuts.h"
#include "daemon.h"
#include "removal.h"
#include "resets.h"

struct emptied {
	struct removal_target target;
	char service[ZDD_NAME_MAX], pool[ZDD_NAME_MAX];
	struct pace pace;
	bool wanted;
};

/* Connections of mode local that were open at the last look, and are somebody's to end. */
struct open_sockets {
	struct datapath_socket *list;
	size_t n, room;
	uint64_t look_ms; /* when to look again */
};

struct removal {
	struct daemon *daemon;
	uv_timer_t timer;
	struct resets resets;
	int trouble; /* negative errno: there are no sockets to send from */
	struct emptied *list;
	size_t n_list;
	struct cut *cuts;
	size_t n_cuts, room;
	struct pace all;
	uint32_t place;         /* where the next look begins */
	bool found;             /* something in this round through the table */
	uint64_t rest_until_ms; /* after a round that found nothing */
	struct open_sockets sockets;
};

enum { REMOVAL_REST_MS = 1000 };

/* One that has this flow, and, if now, may end one at this moment. NULL: nobody. */
struct emptied *removal_of(struct removal *, const struct zdd_flow *, bool now);
/* Whether anybody of mode local, or of the others, may. */
bool removal_may(const struct removal *, bool is_local);
void removal_take(struct removal *, struct emptied *);
void removal_count(struct removal *, const union zdd_owner *);

/* removal_sockets.c: ends as many sockets as may be ended now. */
void removal_look_at_sockets(struct removal *, uint64_t now_ms);

#endif
