/* SPDX-License-Identifier: GPL-2.0 */
/* A new flow needs some ten lines of memory that nobody has used lately, and learns from each where the
 * next one is looked for; one after the other they take most of its time. All that it will most likely
 * need is read at once here, before anything depends on it, so that a processor fetches them side by side.
 * BPF has no prefetch instruction. */
#ifndef ZDD_AHEAD_H
#define ZDD_AHEAD_H

#include "flow.h"

#define PEEK(map, index)                                                                           \
	({                                                                                         \
		const __u32 *line_ = (const __u32 *)AT(map, index);                                \
		line_ ? ONCE(*line_) : 0;                                                          \
	})

/* Of a SYN: the tags of both buckets in both regions, the lock, and the records at home. */
ZDD_RARE int fetch_ahead(const struct zdd_job *j)
{
	struct zdd_region half = region_half(), tcp = region_tcp();
	__u32 home, sum = 0;

	if (!j)
		return 0;
	home = flow_bucket(half, j->hash, 0);
	sum += PEEK(flow_tags, flow_bucket(tcp, j->hash, 0));
	sum += PEEK(flow_tags, flow_bucket(tcp, j->hash, 1));
	sum += PEEK(flow_tags, home);
	sum += PEEK(flow_tags, flow_bucket(half, j->hash, 1));
	home = home * ZDD_FLOW_WAYS + home_way(j->hash);
	sum += PEEK(flow_recs, home);
	sum += PEEK(flow_recs, flow_bucket(tcp, j->hash, 0) * ZDD_FLOW_WAYS + home_way(j->hash));
	sum += PEEK(flow_locks, j->hash % ZDD_FLOW_LOCKS);
	sum += PEEK(flow_times, home);
	sum += PEEK(syns, home - geometry.tcp_buckets * ZDD_FLOW_WAYS);
	OPAQUE(sum);
	return sum & 1;
}

#endif
