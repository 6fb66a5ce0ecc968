/* SPDX-License-Identifier: GPL-2.0 */
/* What is known about one packet and what shall become of it. */
#ifndef ZDD_JOB_H
#define ZDD_JOB_H

#include "choose.h"
#include "mem.h"
#include "parse.h"
#include "segment.h"

enum zdd_action {
	ACT_PASS,
	ACT_DROP,
	ACT_TO_BACKEND,
	ACT_TO_CLIENT,
	ACT_SYN,    /* the frame becomes j->segment, to a backend */
	ACT_RESET,  /* the frame becomes j->segment, back to where it came from */
	ACT_RELAY,  /* an ICMP error about a tunnel's packet: on to the client, relay.h */
	ACT_BEFORE, /* leave it to the program that was here before */
};

/* What the hook must do. The rewrite gives the destination (to a backend) or the source (to a
 * client) this address and port; `other`, when not 0, goes into the other side's port, and
 * `other_addr`, when `both` is set, into its address. */
struct zdd_out {
	struct zdd_addr addr, other_addr;
	__u32 action;  /* enum zdd_action */
	__u32 verdict; /* enum zdd_verdict */
	__be16 port, other;
	union {
		__u16 hop;     /* TO_BACKEND */
		__u16 backend; /* TO_CLIENT: whose answer was counted, or ZDD_NONE */
	};
	__u16 link; /* TO_CLIENT, with mac and vlan */
	__u16 vlan;
	__u8 mac[6];
	__u8 forward; /* TO_BACKEND: enum zdd_forward */
	__u8 both;
};

/* What an ICMP error says about a packet of a tunnel. */
struct zdd_inside {
	struct zdd_addr src, dst; /* the tunnel's */
	__u32 head, word;         /* ICMP header, host order; then what the client is told */
	__u16 skip;               /* bytes of the tunnel's headers, 0: it is about something else */
};

enum { TAKEN_MAX = 4 };

/* Where a record may be written. */
struct zdd_room {
	__u32 place;    /* NO_PLACE: nowhere */
	__u32 occupied; /* by a flow that may be replaced while its meta is this: */
	__u64 meta;
};

/* What stands in a flow's two buckets of one region: question and answer. */
struct zdd_survey {
	__u64 hash;
	struct zdd_addr client;
	__be16 port;
	__u16 listener; /* ZDD_NONE: no record counts as the flow's own */
	__u32 now;
	__u32 same; /* place of the key's own record, NO_PLACE: none */
	__u32 n_taken;
	__u32 no_room;        /* only `same` and `taken` are asked for */
	struct zdd_room room; /* free or expired */
	__u64 taken
		[TAKEN_MAX]; /* backends at which other flows have this client port: endpoint_of */
};

/* A SYN on its way to another backend. */
struct zdd_again {
	union zdd_owner from, to;
	__u32 source; /* what the next one must see: as by source_for */
	__u32 taken;  /* the client's port has another flow there */
	__u32 seen;   /* what the one before saw: as by alias_pick, 0: the client */
	__u32 isn;
};

/* A flow that is asked for, by values: see struct zdd_key. */
struct zdd_seek {
	__u64 hash;
	struct zdd_addr client, peer;
	__be16 port, peer_port;
	__u16 listener;
	__u16 of_backend; /* peer counts */
};

/* One packet on its way through the brain. Values only, no pointers: the rare paths are global
 * functions, which the verifier checks once each, and which may take nothing else. It lies in a
 * map, one per CPU, because a BPF stack has 512 bytes. */
struct zdd_job {
	struct zdd_packet p;
	struct zdd_out out;
	__u64 word; /* the plan, read once */
	__u64 hash, seed;
	__u32 moving; /* enum zdd_moving, read once */
	__u32 now;
	__u16 listener, service;
	__u32 held;          /* place in `held` that waits for the frame, plus 1 */
	__u32 early;         /* the same, in `early` */
	__u32 refused;       /* place of a half-open record whose SYN was refused, plus 1 */
	__u32 refused_epoch; /* of that record */
	__u32 told;          /* of tell.h, as the rest: what there is to count */
	__u32 told_place, told_epoch;
	__u16 told_pool, told_backend, new_pool;
	__u32 sent_place;
	__u32 http; /* the reply is to be looked at: http.h */
	struct zdd_addr told_client;
	/* Not cleared between packets: */
	struct zdd_survey survey; /* scratch of open.h and alias.h */
	__u32 replayed;           /* zdd_replay: where the SYN came in once */
	struct zdd_syn syn;       /* the packet's own, when it is a client's SYN: read_syn */
	struct zdd_packet quote;  /* of an ICMP error, its offsets from the quote's begin */
	struct zdd_inside inside; /* of an ICMP error; j->quote is what is in the tunnel's packet */
	struct zdd_asker asker;   /* the client, whoever sent the packet: scratch, as the next */
	struct zdd_seek seek;     /* scratch of flow_seek */
	struct zdd_choice choice; /* of open.h and retry.h */
	struct zdd_again again;   /* of retry.h */
	struct zdd_segment segment; /* of ACT_SYN, ACT_RESET */
	__u16 mtu; /* of a packet that is TOO_BIG: the largest one of its client's that fits */
};

ZDD_INLINE void job_start(struct zdd_job *j)
{
	__builtin_memset(j, 0, __builtin_offsetof(struct zdd_job, survey));
}

ZDD_INLINE void end_pass(struct zdd_out *o, enum zdd_verdict verdict)
{
	o->action = ACT_PASS;
	o->verdict = verdict;
}

ZDD_INLINE void end_drop(struct zdd_out *o, enum zdd_verdict verdict)
{
	o->action = ACT_DROP;
	o->verdict = verdict;
}

/* A reset, back to where the packet came from: j->segment. */
ZDD_INLINE void end_reset(struct zdd_job *j, enum zdd_verdict verdict, __u8 flags, __u32 seq,
			  __u32 ack)
{
	j->out.action = ACT_RESET;
	j->out.verdict = verdict;
	j->segment = (struct zdd_segment){.src = j->p.dst,
					  .dst = j->p.src,
					  .sport = j->p.dport,
					  .dport = j->p.sport,
					  .seq = seq,
					  .ack = ack,
					  .flags = flags,
					  .ttl = 64,
					  .v6 = j->p.v6};
	j->segment.head = j->p.v6 ? __builtin_bswap32(0x60000000) : 0;
}

/* Returns 1 when a packet without a flow here must be left to the program that was here before. */
ZDD_INLINE int end_before(struct zdd_job *j)
{
	if (j->moving != ZDD_MOVING_KNOWN)
		return 0;
	j->out.action = ACT_BEFORE;
	return 1;
}

ZDD_INLINE void end_backend(struct zdd_out *o, enum zdd_verdict verdict,
			    const struct zdd_backend *b, __be16 source_port)
{
	if (!b)
		return end_drop(o, ZDD_V_NO_BACKEND);
	o->action = ACT_TO_BACKEND;
	o->verdict = verdict;
	o->addr = b->addr;
	o->port = b->port;
	o->other = source_port;
	o->hop = ONCE(b->hop);
	o->forward = b->forward;
}

#endif
