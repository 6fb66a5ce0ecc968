/* SPDX-License-Identifier: GPL-2.0 */
/* A service's `flood: prove`. While SYNs get no record (flood.h), one of an address that nobody has been
 * heard from is not forwarded. It is answered by a SYN-ACK that acknowledges a number made of the flow and
 * a secret: who is really there answers with a reset of that number (RFC 9293 3.10.7.3), and is known from
 * then on. Its repeated SYN passes: Linux sends it a few ms later, others after their second. No state is
 * made by who is not there, and no sequence number is translated afterwards, as behind a SYN cookie that
 * another machine sent (RFC 4987 3.6): it works in every mode. */
#ifndef ZDD_PROVE_H
#define ZDD_PROVE_H

#include "job.h"

enum {
	PROVE_TURN_S = 64,  /* a number is good for one to two of these */
	PROVE_KNOWN_S = 60, /* since it was last heard */
};

/* A number for the client's flow, of this turn or the one before. */
ZDD_INLINE __u32 prove_number(const struct zdd_job *j, __u32 turns_ago)
{
	const __u64 words[] = {j->p.src.d[0], j->p.src.d[1],
			       (__u64)j->p.sport << 48 | (__u64)j->listener << 32 |
				       (j->now / (PROVE_TURN_S * geometry.hz) - turns_ago)};

	return (__u32)zdd_siphash(words, 3, j->seed, ~j->seed);
}

/* Where it is remembered who was heard. */
ZDD_INLINE struct zdd_proven *prove_set(const struct zdd_job *j, __u32 *tag)
{
	__u64 hash = zdd_client_hash(&j->p.src, j->seed);

	*tag = hash >> 32;
	return AT(proven, (__u32)hash % ZDD_PROVEN_SETS);
}

ZDD_INLINE __u32 heard_ago(const struct zdd_job *j, const __u64 *cell)
{
	return (__u32)j->now - (__u32)ONCE(*cell);
}

/* Again, if the client was heard not too long ago. */
ZDD_RARE int prove_heard(const struct zdd_job *j)
{
	struct zdd_proven *set;
	__u32 tag;

	if (!j)
		return 0;
	set = prove_set(j, &tag);
	for (int i = 0; i < ZDD_PROVEN_WAYS && set; i++) {
		if (ONCE(set->cell[i]) >> 32 != tag ||
		    heard_ago(j, &set->cell[i]) >= PROVE_KNOWN_S * geometry.hz)
			continue;
		ONCE(set->cell[i]) = (__u64)tag << 32 | (__u32)j->now;
		return 1;
	}
	return 0;
}

/* In the place that was heard longest ago. */
ZDD_INLINE void prove_remember(const struct zdd_job *j)
{
	struct zdd_proven *set;
	__u32 tag, oldest = 0;

	set = prove_set(j, &tag);
	if (!set)
		return;
	for (int i = 1; i < ZDD_PROVEN_WAYS; i++)
		if (heard_ago(j, &set->cell[i]) >
		    heard_ago(j, &set->cell[oldest % ZDD_PROVEN_WAYS]))
			oldest = i;
	ONCE(set->cell[oldest % ZDD_PROVEN_WAYS]) = (__u64)tag << 32 | (__u32)j->now;
}

ZDD_INLINE const struct zdd_service *prove_service(const struct zdd_job *j)
{
	const struct zdd_service *s;

	if (j->service == ZDD_NONE)
		return 0;
	s = AT(services, ZDD_WORD_SLOT(j->word) * geometry.services + j->service);
	return s && s->flags & ZDD_S_PROVE ? s : 0;
}

/* A SYN in a flood. 1: its client is to prove itself first, j->out is set. */
ZDD_RARE int prove_syn(struct zdd_job *j)
{
	__u32 number;

	if (!j || !prove_service(j) || prove_heard(j))
		return 0;
	number = prove_number(j, 0);
	if (number == j->p.seq + 1) /* it would take that for the answer */
		number ^= 1u << 31;
	end_reset(j, ZDD_V_SYN_ASKED, TCP_SYN | TCP_ACK, number, number);
	return 1;
}

/* A RST without a flow. 1: it proves its client. */
ZDD_RARE int prove_reset(struct zdd_job *j)
{
	__u32 number;

	if (!j || !prove_service(j))
		return 0;
	number = j->p.seq & ~(1u << 31);
	if ((prove_number(j, 0) & ~(1u << 31)) != number &&
	    (prove_number(j, 1) & ~(1u << 31)) != number)
		return 0;
	if (!prove_heard(j))
		prove_remember(j);
	return 1;
}

#endif
