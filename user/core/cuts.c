/* SPDX-License-Identifier: BSD-2-Clause */
#include "cuts.h"

#include <stddef.h>

/* Pauses after each sending; the last one is repeated for as long as an end is still heard. */
static const uint16_t pauses_ms[] = {100, 600, 1000};

enum { PAUSES = sizeof(pauses_ms) / sizeof(pauses_ms[0]), BURST_MS = 40 };

struct cut cut_begin(uint32_t place, const struct zdd_flow *f, uint64_t now_ms)
{
	return (struct cut){.place = place,
			    .epoch = ZDD_META_EPOCH(f->meta),
			    .next_ms = now_ms,
			    .heard = ZDD_META_SEEN(f->meta),
			    .client_seq = f->client_seq,
			    .server_seq = f->server_seq,
			    .told_client = f->client_seq,
			    .told_server = f->server_seq};
}

static enum cut_step send(struct cut *c, const struct zdd_flow *f, uint64_t now_ms)
{
	unsigned pause = c->sent < PAUSES ? c->sent : PAUSES - 1;

	c->sent += c->sent < UINT8_MAX;
	c->next_ms = now_ms + pauses_ms[pause];
	c->heard = ZDD_META_SEEN(f->meta);
	c->told_client = f->client_seq;
	c->told_server = f->server_seq;
	return CUT_SEND;
}

enum cut_step cut_next(struct cut *c, const struct zdd_flow *f, uint64_t now_ms)
{
	if (!f || ZDD_META_EPOCH(f->meta) != c->epoch || !(ZDD_META_STATE(f->meta) & ZDD_F_CUT))
		return CUT_OVER;
	/* an end told its number: that one is alive */
	if (f->client_seq != c->told_client || f->server_seq != c->told_server)
		return send(c, f, now_ms);
	if (now_ms < c->next_ms)
		return CUT_WAIT;
	if (c->sent >= PAUSES && ZDD_META_SEEN(f->meta) == c->heard)
		return CUT_OVER;
	return send(c, f, now_ms);
}

void pace_fill(struct pace *p, uint32_t rate, uint64_t now_ms)
{
	uint64_t most = (uint64_t)rate * BURST_MS + 1000, passed = now_ms - p->last_ms;

	p->credit = passed >= BURST_MS ? most : p->credit + passed * rate;
	if (p->credit > most)
		p->credit = most;
	p->last_ms = now_ms;
}

bool pace_take(struct pace *p)
{
	if (p->credit < 1000)
		return false;
	p->credit -= 1000;
	return true;
}
