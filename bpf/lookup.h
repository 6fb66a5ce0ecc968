/* SPDX-License-Identifier: GPL-2.0 */
/* The brain: facts of a packet -> what a hook must do with it. The same for XDP, tc and the native
 * engine. */
#ifndef ZDD_LOOKUP_H
#define ZDD_LOOKUP_H

#include "door.h"
#include "error.h"
#include "forward.h"
#include "early.h"
#include "reply.h"

ZDD_INLINE void look(void *ctx, struct zdd_job *j)
{
	__u32 slot = ZDD_WORD_SLOT(j->word);
	const struct zdd_door *to = j->p.egress ? 0 : listener_door(slot, &j->p);
	int from = !to && backend_door(slot, &j->p);
	struct zdd_decision decision =
		decide_course(&j->p, !!to, from, to && is_local_mode(slot, to));

	if (decision.course == COURSE_PASS)
		return end_pass(&j->out, decision.verdict);
	if (decision.course == COURSE_DROP)
		return end_drop(&j->out, decision.verdict);
	j->now = NOW();
	if (!to) {
		j->hash = zdd_flow_hash(&j->p.dst, j->p.dport, j->p.proto, j->seed);
		return reply(j);
	}
	j->hash = zdd_flow_hash(&j->p.src, j->p.sport, j->p.proto, j->seed);
	j->listener = to->listener;
	j->service = to->service;
	forward(ctx, j);
}

/* Reads the plan, once. Returns 0 when that is all: j->out is set. */
ZDD_INLINE int lookup_begins(struct zdd_job *j)
{
	const struct zdd_desk *d = AT(desk, 0);

	j->word = d ? ONCE(d->word) : 0;
	if (!j->word) {
		end_pass(&j->out, ZDD_V_NO_PLAN);
		return 0;
	}
	j->seed = d->flow_seed;
	j->moving = ONCE(d->moving);
	if (j->moving != ZDD_MOVING_ALL)
		return 1;
	j->out.action = ACT_BEFORE;
	return 0;
}

/* The seed for a packet whose protocol nobody looked up. Returns 0 without a plan. */
ZDD_INLINE int has_plan(struct zdd_job *j)
{
	const struct zdd_desk *d = AT(desk, 0);

	if (!j->word && d) {
		j->word = ONCE(d->word);
		j->seed = d->flow_seed;
	}
	return j->word != 0;
}

/* What became of it is what becomes of those behind it, and of those that came before. That it
 * passed is said of those alone that would be kept: of any protocol. */
ZDD_RARE int first_fragment(struct zdd_job *j)
{
	__u64 who;

	if (!j || j->out.action == ACT_DROP || j->out.action == ACT_BEFORE || !has_plan(j))
		return 0;
	j->now = NOW();
	who = fragment_who(j);
	if (j->out.action == ACT_PASS && !has_address_door(j))
		return 0;
	fragment_put(j, who);
	early_wake(who);
	return 0;
}

/* What the lookup left to do. */
ZDD_INLINE void settle(struct zdd_job *j)
{
	if (likely(!(j->refused | j->told)))
		return;
	if (j->refused)
		retry_refused(j);
	settle_told(j);
}

/* Decides about one parsed frame; j->out says what to do. The verdict is counted by the hook, when
 * it is carried out. */
ZDD_INLINE void lookup(void *ctx, enum zdd_parsed parsed, struct zdd_job *j)
{
	if (parsed != PARSED_L4)
		end_pass(&j->out, decide_unparsed(parsed));
	else if (lookup_begins(j))
		look(ctx, j);
	settle(j);
	if (unlikely(j->p.first_fragment))
		first_fragment(j);
}

/* The same for PARSED_ERROR, with the quoted packet in j->quote, or j->inside. */
ZDD_INLINE void lookup_error(struct zdd_job *j)
{
	if (!lookup_begins(j))
		return;
	j->now = NOW();
	if (j->inside.skip)
		look_inside(j);
	else
		look_error(j);
}

/* The same for PARSED_FRAGMENT. */
ZDD_INLINE void lookup_fragment(struct zdd_job *j)
{
	j->quote.proto = 0;
	if (!lookup_begins(j))
		return;
	j->now = NOW();
	look_fragment(j);
}

#endif
