/* SPDX-License-Identifier: GPL-2.0 */
/* What a backend that was given up on says at last. An answer to what it saw of an alias has none any
 * more, and goes to whom it names: this host, or the client, which reset what they did not ask for. */
#ifndef ZDD_LATE_H
#define ZDD_LATE_H

#include "memo.h"

/* The record of this client and port whose SYN had the number that is acknowledged. */
ZDD_INLINE int has_isn(__u32 place, const struct zdd_packet *p)
{
	struct zdd_key key = {.client = &p->dst, .port = p->dport};
	struct zdd_flow *f = AT(flow_recs, place);

	return f && same_client(f, &key) && f->isn + 1 == p->ack &&
	       !(ZDD_META_STATE(ONCE(f->meta)) & (ZDD_F_WRITING | ZDD_F_ALIAS));
}

ZDD_INLINE int isn_in(__u32 bucket, const struct zdd_job *j)
{
	const struct zdd_flow_bucket *b = AT(flow_tags, bucket);
	__u32 ways = b ? ways_with(b, zdd_flow_tag(j->hash)) : 0;
	int found = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < ZDD_FLOW_WAYS && ways; i++) {
		found |= has_isn(bucket * ZDD_FLOW_WAYS + lowest_way(ways), &j->p);
		ways &= ways - 1;
	}
	return found;
}

ZDD_INLINE int isn_known(struct zdd_region r, const struct zdd_job *j)
{
	return isn_in(flow_bucket(r, j->hash, 0), j) || isn_in(flow_bucket(r, j->hash, 1), j);
}

/* The same of what has no record. */
ZDD_INLINE int isn_remembered(const struct zdd_job *j)
{
	struct zdd_recall r;

	return memo_get(j, &r) && r.isn + 1 == j->p.ack;
}

/* A backend without a record answers the SYN of a flow that another backend has: it was given up
 * on. Returns 1 when j->out is set. */
ZDD_RARE int reply_late(struct zdd_job *j)
{
	if (!j || !(j->p.tcp_flags & TCP_ACK) || j->p.bad_length || j->p.first_fragment ||
	    !(isn_known(region_half(), j) || isn_known(region_tcp(), j) || isn_remembered(j)))
		return 0;
	if (j->p.tcp_flags & TCP_RST)
		end_drop(&j->out, ZDD_V_LATE_DROPPED);
	else /* by the number that its SYN-ACK asked for (RFC 9293 3.10.7.4) */
		end_reset(j, ZDD_V_LATE_RESET, TCP_RST, j->p.ack, 0);
	return 1;
}

#endif
