/* SPDX-License-Identifier: BSD-2-Clause */
/* Removal in mode local: no packet comes by, the kernel ends the socket. */
#include <errno.h>
#include <stdlib.h>

#include "removal_int.h"

enum { FIRST_ROOM = 256 };

static bool remember(struct open_sockets *o, const struct datapath_socket *s)
{
	size_t room = o->room ? 2 * o->room : FIRST_ROOM;
	struct datapath_socket *more;

	if (o->n == o->room) {
		more = realloc(o->list, room * sizeof(*more));
		if (!more)
			return false;
		o->list = more;
		o->room = room;
	}
	o->list[o->n++] = *s;
	return true;
}

/* What finds no room now is found at the next look. */
static bool gather(const struct datapath_socket *s, void *context)
{
	struct removal *r = context;

	return !removal_of(r, &s->flow, false) || remember(&r->sockets, s);
}

/* Whether this one is done with. */
static bool end_one(struct removal *r, const struct datapath_socket *s)
{
	struct emptied *e = removal_of(r, &s->flow, true);
	int err;

	if (!e)
		return false;
	err = datapath_end_socket(r->daemon->datapath, s);
	if (err != -ENOENT)
		removal_take(r, e);
	if (!err)
		removal_count(r, &s->flow.owner);
	return true;
}

void removal_look_at_sockets(struct removal *r, uint64_t now_ms)
{
	struct open_sockets *o = &r->sockets;

	if (!removal_may(r, true))
		return;
	if (now_ms >= o->look_ms) {
		o->n = 0;
		datapath_each_socket(r->daemon->datapath, false, gather, r);
		o->look_ms = now_ms + REMOVAL_REST_MS;
	}
	for (size_t i = 0; i < o->n && removal_may(r, true);)
		if (end_one(r, &o->list[i]))
			o->list[i] = o->list[--o->n];
		else
			i++;
}
