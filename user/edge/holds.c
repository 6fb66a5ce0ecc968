/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends holds in time and lets go what waited. */
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "publish.h"

enum {
	LOOK_MS = 100,
	AFTER_MS = 10, /* programs of the plan before may still hold a SYN */
	AFTER_LOOKS = 4,
	AT_ONCE = 512, /* SYNs in one go: 15 to 20 ms for any number, and 10 us for each */
};

struct holds {
	struct daemon *daemon;
	uv_timer_t timer;
	unsigned looks; /* left after the last hold */
};

static void end_hold(struct daemon *d, struct world_service *s)
{
	struct event e = {.kind = "hold", .service = s->cfg->name};

	journal_event(d->journal, &e, "the hold's limit passed: %llu that waited are let go",
		      (unsigned long long)datapath_held(d->datapath, s->hold.number));
	memset(&s->hold, 0, sizeof(s->hold));
	publisher_soon(d->publisher);
}

/* Which numbers are on hold; returns how long until the next one ends, 0: none is. */
static uint64_t look_at_holds(struct daemon *d, bool on_hold[ZDD_HOLDS])
{
	uint64_t now = wall_ms(), next = 0;

	for (size_t i = 0; i < d->world->config->n_services; i++) {
		struct world_service *s = &d->world->services[i];
		uint64_t left;

		if (!s->hold.number)
			continue;
		if (now >= s->hold.until_ms + AFTER_MS) {
			end_hold(d, s);
			continue;
		}
		on_hold[s->hold.number] = true;
		left = s->hold.until_ms + AFTER_MS - now;
		next = !next || left < next ? left : next;
	}
	return next;
}

static void look(uv_timer_t *timer)
{
	struct holds *h = timer->data;
	bool on_hold[ZDD_HOLDS] = {false};
	uint64_t next = look_at_holds(h->daemon, on_hold);
	unsigned left = 0;
	int went = datapath_let_go(h->daemon->datapath, on_hold, AT_ONCE, &left);
	struct event e = {.kind = "hold"};

	if (went < 0)
		journal_event(
			h->daemon->journal, &e,
			"connections that waited cannot be let go here: %s; their clients try "
			"again by themselves",
			strerror(-went));
	if (went > 0 || next)
		h->looks = AFTER_LOOKS;
	if (datapath_let_go_again(h->daemon->datapath, AT_ONCE) && !h->looks)
		h->looks = 1;
	if (left)
		next = 1;
	else if (h->looks && (!next || next > LOOK_MS))
		next = h->looks-- > 1 || !next ? AFTER_MS : LOOK_MS;
	if (next)
		uv_timer_start(timer, look, next < LOOK_MS ? next : LOOK_MS, 0);
}

size_t holds_follow(struct holds *h)
{
	size_t waiting = 0;
	bool on_hold[ZDD_HOLDS] = {false};

	if (!h)
		return 0;
	look_at_holds(h->daemon, on_hold);
	for (uint16_t i = 1; i < ZDD_HOLDS; i++)
		waiting += on_hold[i] ? 0 : datapath_held(h->daemon->datapath, i);
	h->looks = AFTER_LOOKS;
	uv_timer_start(&h->timer, look, 0, 0);
	return waiting;
}

struct holds *holds_make(struct daemon *d)
{
	struct holds *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->daemon = d;
	uv_timer_init(d->loop, &h->timer);
	h->timer.data = h;
	uv_timer_start(&h->timer, look, 0, 0);
	return h;
}

void holds_free(struct holds *h)
{
	if (!h)
		return;
	uv_timer_stop(&h->timer);
	free(h);
}
