/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The memory that the data path and the daemon share: pinned, memory-mapped arrays. One list of
 * maps (ZDD_MEMORY) drives the BPF map definitions, the daemon's mappings and the native test
 * engine. A change of any struct here is a new ZDD_LAYOUT_VERSION. */
#ifndef ZDD_LAYOUT_H
#define ZDD_LAYOUT_H

#include "zdd/addr.h"
#include "zdd/hash.h"
#include "zdd/limits.h"
#include "zdd/signal.h"
#include "zdd/verdict.h"

/* A test builds the one before. */
#ifndef ZDD_LAYOUT_VERSION
#define ZDD_LAYOUT_VERSION 6
#endif

/* How large the sized arrays are. Written once when the memory is made, read by programs (as
 * load-time constants) and by every later daemon. */
struct zdd_geometry {
	__u32 layout_version;
	__u32 cpus;         /* rows of the per-CPU arrays: possible CPUs, and one of the daemon's */
	__u32 hz;           /* jiffies per second of this kernel */
	__u32 listeners;    /* global listener objects, <= 65535 */
	__u32 services;     /* per plan, <= 65535 */
	__u32 pools;        /* global pool objects, and pool entries per plan, <= 65535 */
	__u32 backends;     /* global backend objects, <= 65535 */
	__u32 hops;         /* next hops, <= 65535 */
	__u32 door_buckets; /* per plan */
	__u32 table_words;  /* arena of consistent tables, 4 slots a word */
	__u32 share_words;  /* arena of share tables, 8 buckets a word */
	__u32 cohorts;      /* arena of CIDR rules */
	__u32 tcp_buckets;  /* established TCP flows */
	__u32 half_buckets; /* half-open TCP flows, apart so that a SYN flood fills only these */
	__u32 udp_buckets;
	__u32 spare;
};

/* While a data path moves into other maps (user/edge/datapath_move.c): which packets are left to the
 * programs of before, which have the old maps. */
enum zdd_moving {
	ZDD_MOVING_NOT,
	ZDD_MOVING_ALL,   /* all: some hooks have no other program yet */
	ZDD_MOVING_KNOWN, /* those of flows that are not known here; new flows begin here */
	ZDD_MOVING_LAST,  /* none: what was known there last is being taken in */
};

/* Element 0 of `desk`. `word` is the switch: the one store that publishes a plan and the one read
 * per packet. generation << 8 | plan slot; 0 means none yet. Written by the daemon alone. The
 * geometry, which begins with the version, stands at the same place in every layout. */
struct zdd_desk {
	__u64 word;
	__u64 flow_seed;    /* random per data path; keeps flow buckets unpredictable */
	__u64 netns_cookie; /* of the network namespace it serves: SO_NETNS_COOKIE */
	__u32 moving;       /* enum zdd_moving */
	__u32 spare32;
	__u64 spare[4];
	struct zdd_geometry geometry;
};

#define ZDD_WORD(generation, slot) ((__u64)(generation) << 8 | (slot))
#define ZDD_WORD_SLOT(word) ((__u32)((word)&0xff))
#define ZDD_WORD_GENERATION(word) ((word) >> 8)

/* ---- the plan: immutable from its publishing until its slot is reused after a grace period ---- */

enum zdd_door_kind {
	ZDD_DOOR_FREE,
	ZDD_DOOR_LISTENER,
	ZDD_DOOR_BACKEND,
	ZDD_DOOR_ADDRESS, /* port and protocol 0: of any of the two; for packets without ports */
	ZDD_DOOR_MORE,    /* as FREE; what belongs into this bucket may be in its other one */
};

#define ZDD_DOOR_IS_FREE(kind) (!((kind)&3))

/* What an address, port and protocol mean in a plan. Doors of one bucket are filled from the front;
 * a free one ends the search there, and altogether when it is FREE. */
struct zdd_door {
	struct zdd_addr addr;
	__be16 port;
	__u8 proto;
	__u8 kind;      /* enum zdd_door_kind */
	__u16 listener; /* LISTENER: its global object */
	__u16 service;  /* LISTENER: index in the plan, ZDD_NONE: draining, no new flows */
};

struct zdd_door_bucket {
	struct zdd_door way[ZDD_DOOR_WAYS];
};

enum zdd_service_flag {
	ZDD_S_LOCAL = 1,         /* mode local, TCP is left to sk_lookup */
	ZDD_S_SHARE_TABLE = 2,   /* more than one pool has a share: look into `shares` */
	ZDD_S_STICKY_CLIENT = 4, /* the backend too is chosen by client address alone */
	ZDD_S_SPREAD = 8,        /* sticky none: the pool too is chosen by the 5-tuple */
	ZDD_S_RETRY = 16,        /* a SYN that was refused goes to another backend of its pool... */
	ZDD_S_RETRY_LIVE = 32,   /* ...and when there is none, to one of live */
	ZDD_S_HOLD_RESET = 64,   /* what may not wait is reset, else dropped */
	ZDD_S_LEASED = 128,      /* pools that are not live have it until their override says no */
	ZDD_S_PROVE = 256,       /* in a flood, clients that were not heard yet are asked first */
};

struct zdd_service {
	__u64 salt;       /* of the client hash; equal on every node */
	__u64 v6_mask[2]; /* sticky prefix, memory order */
	__u32 v4_mask;    /* memory order, for word 3 of a v4-mapped address */
	__u32 flags;      /* enum zdd_service_flag */
	__u32 share_word; /* first word in `shares` when SHARE_TABLE */
	__u32 pool;       /* first entry in this plan's `pools` */
	__u16 n_pools;
	__u16 live;      /* index among its pools: gets every flow when no SHARE_TABLE */
	__u32 cohort;    /* first rule in `cohorts` */
	__u32 n_cohorts; /* disjoint, ascending by first address */
	__u32 revision;  /* for adoption: what --if-revision compares */
	__u16 share
		[ZDD_POOLS_PER_SERVICE]; /* 0.01 %; for adoption and people, not read per packet */
	__u16 pool_id[ZDD_POOLS_PER_SERVICE]; /* global pool objects, same order */
	__u32 hold_until;                     /* jiffies, low bits: from then on nothing is held */
	__u16 hold_max;                       /* SYNs that may be held at once */
	__u16 hold;                           /* in `holds`; 0: new connections do not wait */
};

/* A pool as the plan sees it. When a candidate pool is down the daemon writes live's entry here. */
struct zdd_pool {
	__u32 id;         /* global pool object: stamps and counters go there */
	__u32 n_slots[2]; /* table size for v4, v6; 0: no backend; 1: `one` is the answer */
	__u32 table[2];   /* first word in `tables` */
	__u16 one[2];     /* the only backend */
	__u32 trial[2];   /* 1 + an ejected backend that gets a flow when it `may_try`; 0: none */
};

struct zdd_cohort {
	struct zdd_addr first, last; /* closed interval, compared as big-endian numbers */
	__u32 pool;                  /* index among the service's pools */
	__u32 spare;
};

struct zdd_table_word {
	__u16 backend[4];
};

struct zdd_share_word {
	__u8 pool[8]; /* index among the service's pools */
};

/* ---- global objects: addressed by index from plans and flows, reused only when no flow has them */

struct zdd_listener {
	struct zdd_addr addr; /* the VIP: what replies get as source */
	__be16 port;
	__u8 proto;
	__u8 used;
	__u32 idle;  /* jiffies after which a silent flow is over */
	__u32 flags; /* enum zdd_listener_flag */
	__u32 spare;
};

enum zdd_listener_flag {
	ZDD_L_HTTP = 1, /* its replies are clear text of HTTP/1: statuses are counted */
};

/* How packets get to a backend. (Mode local rewrites and forwards nothing: ZDD_S_LOCAL.) */
enum zdd_forward {
	ZDD_FORWARD_NAT,  /* new destination; the replies come through this node */
	ZDD_FORWARD_SNAT, /* new source too: the replies come from anywhere */
	ZDD_FORWARD_DSR, /* new MAC addresses only; the replies go to the client directly, as in: */
	ZDD_FORWARD_IPIP, /* in another IP header (RFC 2003, 2473, 4213) */
	ZDD_FORWARD_GUE,  /* in UDP, IP follows at once (variant 1 of draft-ietf-intarea-gue) */
};

/* What its backends send does not come by here. */
ZDD_INLINE int zdd_one_way(__u8 forward)
{
	return forward >= ZDD_FORWARD_DSR;
}

enum zdd_backend_flag {
	ZDD_B_USED = 1,
	ZDD_B_GONE = 2, /* UDP flows leave at once: removed or down, and not the last of its pool */
	ZDD_B_UP = 4,   /* last known health, for adoption */
	ZDD_B_DOWN = 8,
	ZDD_B_DRAIN = 16, /* admin state, for adoption */
	ZDD_B_MAINT = 32,
	ZDD_B_EJECTED = 64, /* by what its connections showed, for adoption */
};

struct zdd_backend {
	struct zdd_addr addr;
	__be16 port;
	__u16 pool; /* global pool object */
	__u16 hop; /* index in `hops`; the only field that changes while flows use the backend... */
	__u16 incarnation; /* grows when the index is reused */
	__u32 flags;       /* ...beside this one */
	__u16 weight;
	__u16 socks;     /* the lowest backend of this endpoint: sockets are kept under its index */
	__u8 forward;    /* enum zdd_forward; part of its identity, as address, port and pool are */
	__u8 slow_start; /* tenths of its weight that it has, for adoption; 0: it takes no new flows */
	__u16 ejections;  /* in a row, for adoption, as the two times */
	__u32 may_try;    /* 1: one new connection, though it is ejected; the daemon sets, programs
			     clear */
	__u64 ejected_ms; /* wall clock */
	__u64 trial_ms;   /* wall clock; the next trial, not before */
	__u64 spare;
};

enum zdd_hop_flag {
	ZDD_H_RESOLVED = 1, /* MAC addresses are valid */
	ZDD_H_LOCAL = 2,    /* this host: pass to the stack */
	ZDD_H_XDP = 4,      /* the device takes XDP redirects */
	ZDD_H_PEER = 8,     /* veth into a container: tc redirect_peer */
	ZDD_H_GATEWAY = 16, /* the MAC is a router's, not the backend's */
	ZDD_H_GENERIC = 32, /* of a link: its XDP is the stack's (generic), on socket buffers */
};

/* Immutable once a backend points at it. Hop 0 is "let the stack route it". */
struct zdd_hop {
	__u32 ifindex;
	__u16 flags;
	__u16 vlan; /* TCI to put on, 0: untagged */
	__u8 dmac[6];
	__u8 smac[6];
	__u16 refs; /* daemon's bookkeeping */
	__u16 mtu;
	__u16 source; /* in `sources`: the node's address on this way, 0: not known */
	__u8 prefix;  /* length of the connected network the backend is in, 0: behind a gateway */
	__u8 spare8;
	__u32 spare;
};

/* Sources for mode snat, per plan. */
struct zdd_snat {
	__u16 port, n_ports; /* the first port that flows may get, host order, and how many */
	__u16 n[2];          /* addresses for IPv4 and IPv6 backends; 0: each hop's own source */
	__u16 source[2][ZDD_SNAT_ADDRESSES]; /* in `sources` */
};

/* An interface that zdd is attached to; replies leave through it to the client's MAC as learned. */
struct zdd_link {
	__u32 ifindex; /* 0: free */
	__u16 flags;   /* ZDD_H_XDP: takes XDP redirects; ZDD_H_GENERIC */
	__u8 mac[6];
	__u16 mtu; /* 0: not known */
	__u16 spare;
};

static inline __attribute__((always_inline)) __u32 zdd_link_slot(__u32 ifindex)
{
	return (ifindex & (ZDD_LINKS / 2 - 1)) * 2; /* and the one after */
}

/* ---- flows ------------------------------------------------------------------------------------
 *
 * A bucket is 8 tags; the record of way w of bucket b is flow b * 8 + w. Three regions share both
 * arrays, in this order: established TCP, half-open TCP, UDP.
 *
 *   tag  0 free | 1 a free place being filled | else bits of the hash: see meta
 *
 * A record's `meta` is the only word that two CPUs may change at once, always by compare-and-swap:
 *   last seen (jiffies, low 32 bits) << 32 | state bits << 16 | epoch
 * epoch grows when the place is taken by another flow, so a late writer cannot touch the new one,
 * and a reader that saw the same epoch before and after, and no WRITING, read one flow. Who swaps in
 * ZDD_META_SEIZED ends that flow and has the place alone. See docs/flows.md. */

struct zdd_flow_bucket {
	__u32 tag[ZDD_FLOW_WAYS];
};

enum zdd_flow_tag { ZDD_TAG_FREE, ZDD_TAG_BUSY, ZDD_TAG_FIRST };

ZDD_INLINE __u32 zdd_flow_tag(__u64 hash)
{
	__u32 tag = (__u32)(hash >> 32);

	return tag < ZDD_TAG_FIRST ? tag + ZDD_TAG_FIRST : tag;
}

/* One of the two buckets of a flow, in a region of n buckets. */
ZDD_INLINE __u32 zdd_flow_bucket(__u64 hash, int second, __u32 n)
{
	__u32 spread = second ? (__u32)((hash * 0x9e3779b97f4a7c15ull) >> 32) : (__u32)hash;

	return zdd_scale(spread, n);
}

enum zdd_flow_state {
	ZDD_F_HALF = 1,   /* SYN seen, handshake not complete */
	ZDD_F_SYNACK = 2, /* the backend answered; server_seq is the ack the client owes */
	ZDD_F_FIN_C = 4,
	ZDD_F_FIN_S = 8,
	ZDD_F_RST = 16,
	ZDD_F_ALIAS = 32, /* reverse entry of a flow whose backend sees another source */
	ZDD_F_UDP = 64,
	ZDD_F_CHALLENGED = 128, /* a SYN with another ISN came: ask the half-open table too */
	ZDD_F_CUT =
		512, /* the daemon ends it with resets: nothing passes, acks tell exact numbers */
	ZDD_F_HEARD = 1024,  /* half-open: the backend has sent something since it got the SYN */
	ZDD_F_SERVED = 2048, /* the backend has sent data */
	ZDD_F_ASKED = 4096,  /* the client has */
	ZDD_F_WRITING = 256, /* between two flows: being written or freed by the one who has it */
};

/* owner is one word so that it is read whole. */
union zdd_owner {
	__u64 word;
	struct {
		__u16 backend;
		__u16 incarnation;
		__u16 listener;
		__u16 pool;
	};
};

/* A client's own record, or an ALIAS: what the backend takes for the client, where that is another
 * port (nat, the client's is taken) or an address and port of this node (source is set). */
struct zdd_flow {
	__u64 meta;
	union zdd_owner owner;
	struct zdd_addr client; /* ALIAS: the address that the backend sees */
	__be16 port;            /* the client's; ALIAS: the port that the backend sees */
	__be16 other;           /* 0, or the port that the backend sees; ALIAS: the client's */
	__u16 generation;       /* low bits of the plan that chose */
	__u16 source;           /* in `sources`: what the backend sees, 0: the client's address */
	union {
		struct {
			__u32 isn;        /* client's initial sequence number, host order */
			__u32 client_seq; /* next expected from the client, host order */
			__u32 server_seq; /* next expected from the backend */
			__u8 mac[6];      /* towards the client, as last seen */
			__u16 vlan;       /* TCI the client's frames carry, 0: none */
			__u16 link;       /* slot in `links` */
			__u16 born;       /* jiffies >> 10, wraps */
		};
		struct zdd_addr behind; /* ALIAS: the client */
	};
};

#define ZDD_META(seen, state, epoch)                                                               \
	((__u64)(__u32)(seen) << 32 | (__u64)(__u16)(state) << 16 | (__u16)(epoch))
#define ZDD_META_SEEN(meta) ((__u32)((meta) >> 32))
#define ZDD_META_STATE(meta) ((__u16)((meta) >> 16))
#define ZDD_META_EPOCH(meta) ((__u16)(meta))
#define ZDD_META_SEIZED(meta) ZDD_META(ZDD_META_SEEN(meta), ZDD_F_WRITING, ZDD_META_EPOCH(meta) + 1)

ZDD_INLINE int zdd_flow_ended(__u16 state)
{
	const __u16 both = ZDD_F_FIN_C | ZDD_F_FIN_S;

	return state & ZDD_F_RST || (state & both) == both;
}

/* How long a flow may be silent, jiffies. idle is its listener's. RFC 9293 3.4.1 for the linger. An
 * alias outlives its flow, which may have been seen a quarter of a second later, so that nobody gets
 * its port before; after FINs by so much that no TIME_WAIT (60 s in Linux) of the backend's meets
 * another client's SYN. */
static inline __attribute__((always_inline)) __u32 zdd_flow_idle(__u16 state, __u32 idle, __u32 hz)
{
	__u32 longer = state & ZDD_F_ALIAS ? 2 * hz : 0;

	if (state & ZDD_F_RST)
		return 5 * hz + longer;
	if (zdd_flow_ended(state))
		return 30 * hz + 16 * longer;
	if (state & ZDD_F_HALF)
		return ZDD_HALF_OPEN_S * hz + longer;
	return idle + longer;
}

enum zdd_syn_kept {
	ZDD_SYN_WHOLE = 1,  /* all that is needed to make it again was in reach */
	ZDD_SYN_DATA = 2,   /* it came with data, which is not kept (RFC 7413) */
	ZDD_SYN_TOLD = 4,   /* the silence of the last attempt has been counted */
	ZDD_SYN_JUDGED = 8, /* ...and what became of it, among the pool's signals */
};

/* The SYN of a half-open flow, so that it can be made again with what its record knows. Element n
 * belongs to the n-th place of the half-open region and is written by the one who has that place;
 * what is there counts while its epoch is the record's. */
struct zdd_syn {
	__be32 options[10]; /* TCP options as sent */
	__be32 head;        /* first word of the IP header: v4 TOS; v6 class and flow label */
	__u32 sent;         /* jiffies, low bits, of the last attempt */
	__u16 epoch;
	__be16 window;
	__u16 tried[ZDD_SYN_TRIES - 1]; /* backends of the attempts before the last */
	__u8 tries;                     /* attempts, the last included */
	__u8 kept;                      /* enum zdd_syn_kept */
	__u8 flags;                     /* TCP: SYN and ECN bits */
	__u8 words;                     /* of options */
	__u8 ttl;
	__u8 spare;
};

/* Taken by inserting CPUs so that one flow is opened once; never held across packets. */
struct zdd_flow_lock {
	__u32 held;
	__u32 spare;
};

/* Clients that were heard in a flood: client's hash << 32 | jiffies, low bits. One line. */
struct zdd_proven {
	__u64 cell[ZDD_PROVEN_WAYS];
};

/* Who a flow without state belongs to, and the way to its client: lossy sets, so that
 * replies find their VIP when there was no room for a record. */
struct zdd_memo {
	__u64 who; /* link << 48 | listener << 32 | tag; 0: empty or being written */
	__u64 way; /* vlan << 48 | MAC in memory order */
};

/* Beside it, where it goes, so that the connection can be given a record later, and its SYN be known
 * again. */
struct zdd_whom {
	__u64 whom; /* backend << 48 | incarnation << 32 | the ACK that its SYN-ACK waits for, 0: not seen */
	__u32 isn; /* of a SYN that made the memo, else 0 */
	__u32 seen; /* jiffies, low bits, of the client's last packet: the oldest of a set makes way */
};

struct zdd_whom_set {
	struct zdd_whom whom[ZDD_MEMO_WAYS];
};

/* One for each service that is held, by `hold` of the plan's service; of element 0 only `order` counts.
 * Programs add, the daemon takes what it has let go. */
struct zdd_hold {
	__u64 order; /* grows with every SYN that is held */
	__u32 held;  /* SYNs in `held` */
	__u32 spare;
};

/* A SYN that waits, as it came. Programs claim a free place by compare-and-swap of `who` and write the
 * rest, `len` last; the daemon frees it. Places stand in rows of ZDD_HELD_ROW, by the flow's hash. */
struct zdd_held {
	__u64 who;   /* of the flow's hash; 0: free */
	__u64 order; /* of arrival */
	__u32 isn;
	__u32 ifindex; /* it came in there */
	__u32 since;   /* jiffies, low bits */
	__u16 hold;
	__u16 vlan; /* TCI that is not in the frame (tc) */
	__u32 len;  /* 0: the bytes are not there yet, or were too many */
	__u32 gone; /* jiffies, low bits, when it was let go; 0: it waits */
	__u8 frame[ZDD_HELD_FRAME];
};

/* How many handshakes were begun and not completed, less what time has written off; programs add and
 * take atomically. At ZDD_PRESSURE_MAX further SYNs get no record: see bpf/flood.h. */
struct zdd_pressure {
	__s64 waiting;
	__u64 aged;    /* jiffies up to which time has been accounted for */
	__u64 no_room; /* jiffies when a late record last found no room */
	__u64 memo;    /* jiffies when a SYN last went without a record */
	__u64 spare[4];
};

/* A flood makes as many records at once, and as many again while time writes those off: until the first
 * of them expire, twice as many live. Of three quarters full, the half-open region still finds room for
 * all but 0.002 %. */
#define ZDD_PRESSURE_MAX(g) ((__s64)(g)->half_buckets * ZDD_FLOW_WAYS * 3 / 8)

struct zdd_memo_set {
	struct zdd_memo memo[ZDD_MEMO_WAYS];
};

/* What became of the first fragment of a datagram: the later ones follow it (bpf/fragment.h). */
struct zdd_fragment {
	__u64 who; /* zdd_fragment_hash; 0: empty, 1: being written */
	struct zdd_addr addr, other_addr;
	__u32 seen; /* jiffies */
	__u32 hash; /* of the flow, its high half: tunnels give it a port */
	__u16 hop, link, vlan;
	__u8 mac[6];
	__u8 action;  /* enum zdd_action */
	__u8 forward; /* enum zdd_forward */
	__u8 both;    /* other_addr counts */
	__u8 spare;
};

struct zdd_fragment_set {
	struct zdd_fragment fragment[ZDD_FRAGMENT_WAYS];
};

/* A fragment that waits for the first one of its datagram (bpf/early.h), as it came. A place belongs to
 * the program that turns `who` to 1; `len` is written last. */
struct zdd_early {
	__u64 who;   /* zdd_fragment_hash; 0: free, 1: being taken */
	__u32 since; /* jiffies */
	__u32 ifindex;
	__u32 len;  /* 0: the bytes are not there yet */
	__u16 vlan; /* TCI that is not in the frame (tc) */
	__u16 spare;
	__u8 frame[ZDD_EARLY_FRAME];
};

/* ---- counters, one row per CPU, plain adds ---- */

struct zdd_count_row {
	__u64 verdict[48];
	__u64 note[16];
};

/* The last row is no CPU's: there the daemon puts what was counted before a move into other maps.
 *
 * Element cpu * geometry.pools + pool id. Generation stamps prove guarantee 1: the first and last
 * new flow that this pool got under the newest generation that gave it one. */
struct zdd_pool_row {
	__u64 new_flows;
	__u64 generation;
	__u64 first_ns;     /* CLOCK_MONOTONIC, of the first new flow of `generation` */
	__u64 last_jiffies; /* of the last new flow */
	__u64 flows_of_generation;
	__u64 packets, bytes; /* to the backends */
	__u64 cut;            /* open connections ended at the deadline of a drain, by the daemon */
};

/* Element cpu * geometry.backends + backend. */
struct zdd_backend_row {
	__u64 new_flows;
	__u64 packets, bytes; /* to the backend */
	__u64 replies, reply_bytes;
	__u64 closed; /* flows seen to end by FIN both ways or RST */
	__u64 cut;    /* as the pool's */
	__u64 spare;
};

/* What became of SYNs and young connections; element cpu * geometry.backends + backend. */
struct zdd_signal_row {
	__u64 answered;    /* SYN-ACKs, once a flow */
	__u64 refused;     /* RST in answer to a SYN */
	__u64 silent;      /* a SYN was repeated and nothing had come back */
	__u64 unreachable; /* ICMP in answer to a SYN */
	__u64 reset_early; /* RST before any data */
	__u64 taken;       /* SYNs that were taken from it and sent elsewhere */
	__u64 served;      /* flows that it sent data on */
	__u64 spare;
};

/* How many more SYNs a pool may cause to be made again: so many as it got new flows, and a few.
 * Element: global pool id. All CPUs add and take. */
struct zdd_budget {
	__s32 tokens;
	__u32 at; /* jiffies, low bits, of the last few */
};

/* Beside a listening socket that serves backends in mode local, and copied to each connection that it
 * accepts (socket storage, `taken_by`): the endpoint by which the lookup chose it. Programs write it, the
 * daemon reads it through sock_diag. */
struct zdd_taken {
	struct zdd_addr addr;
	__be16 port;
	__u16 spare;
	__u32 since; /* jiffies, low bits, when the connection was established; 0: it listens */
};

/* Names for adoption and for people who look with bpftool. Element: global pool id. */
struct zdd_pool_name {
	char service[ZDD_NAME_MAX];
	char pool[ZDD_NAME_MAX];
	__u8 used;
	__u8 spare[7];
};

/* Pools and backends with a row of signals. */
#define ZDD_WATCHED(g) ((g)->pools < ZDD_WATCHED_MAX ? (g)->pools : ZDD_WATCHED_MAX)
#define ZDD_WATCHED_BACKENDS(g) ((g)->backends < ZDD_WATCHED_MAX ? (g)->backends : ZDD_WATCHED_MAX)

/* Element: place of a TCP record. epoch << 32 | microseconds, low bits, of CLOCK_MONOTONIC, when its SYN
 * was sent to the backend it has, then when its client first sent data. Counts while its epoch is the
 * record's. (What takes longer than 71 minutes seems faster by that.) */
#define ZDD_FLOW_TIME(epoch, us) ((__u64)(__u16)(epoch) << 32 | (__u32)(us))

#define ZDD_FLOW_BUCKETS(g) ((g)->tcp_buckets + (g)->half_buckets + (g)->udp_buckets)

/* The memory: M(map name, element struct, number of elements for geometry g).
 * All are BPF_MAP_TYPE_ARRAY with BPF_F_MMAPABLE, pinned under their name. Layout 1 ended with
 * pool_names: what came later stands behind it. */
/* clang-format off */
#define ZDD_MEMORY(M)                                                                              \
	M(desk, struct zdd_desk, 1)                                                                    \
	M(doors, struct zdd_door_bucket, ZDD_PLAN_SLOTS *(g)->door_buckets)                            \
	M(services, struct zdd_service, ZDD_PLAN_SLOTS *(g)->services)                                 \
	M(pools, struct zdd_pool, ZDD_PLAN_SLOTS *(g)->pools)                                          \
	M(tables, struct zdd_table_word, (g)->table_words)                                             \
	M(shares, struct zdd_share_word, (g)->share_words)                                             \
	M(cohorts, struct zdd_cohort, (g)->cohorts)                                                    \
	M(listeners, struct zdd_listener, (g)->listeners)                                              \
	M(backends, struct zdd_backend, (g)->backends)                                                 \
	M(hops, struct zdd_hop, (g)->hops)                                                             \
	M(links, struct zdd_link, ZDD_LINKS)                                                           \
	M(flow_tags, struct zdd_flow_bucket, ZDD_FLOW_BUCKETS(g))                                      \
	M(flow_recs, struct zdd_flow, ZDD_FLOW_WAYS *ZDD_FLOW_BUCKETS(g))                              \
	M(flow_locks, struct zdd_flow_lock, ZDD_FLOW_LOCKS)                                            \
	M(memo, struct zdd_memo_set, ZDD_MEMO_SETS)                                                    \
	M(counts, struct zdd_count_row, (g)->cpus)                                                     \
	M(pool_rows, struct zdd_pool_row, (g)->cpus *(g)->pools)                                       \
	M(backend_rows, struct zdd_backend_row, (g)->cpus *(g)->backends)                              \
	M(pool_names, struct zdd_pool_name, (g)->pools)                                                \
	M(sources, struct zdd_addr, ZDD_SOURCES)                                                       \
	M(syns, struct zdd_syn, ZDD_FLOW_WAYS *(g)->half_buckets)                                      \
	M(fragments, struct zdd_fragment_set, ZDD_FRAGMENT_SETS)                                       \
	M(memo_whom, struct zdd_whom_set, ZDD_MEMO_SETS)                                               \
	M(pressure, struct zdd_pressure, 1)                                                            \
	M(holds, struct zdd_hold, ZDD_HOLDS)                                                           \
	M(held, struct zdd_held, ZDD_HELD)                                                             \
	M(replay, __u64, ZDD_HELD + 1) /* 0: how many are out; then places of `held`, in order, or of */ \
	M(signals, struct zdd_signal_row, (g)->cpus *(g)->backends)                                    \
	M(budgets, struct zdd_budget, (g)->pools) \
	M(snat, struct zdd_snat, ZDD_PLAN_SLOTS)                                                       \
	M(early, struct zdd_early, ZDD_EARLY) /* `early`, with ZDD_HELD added */                       \
	M(pool_signals, struct zdd_signals, (g)->cpus *ZDD_WATCHED(g))                            \
	M(tick_seen, __u64, ZDD_SEEN)                                                                       \
	M(met, __u64, ZDD_MET_WORDS)                                                                   \
	M(flow_times, __u64, ZDD_FLOW_WAYS *((g)->tcp_buckets + (g)->half_buckets))                    \
	M(overrides, struct zdd_override, (g)->pools)                                                  \
	M(backend_signals, struct zdd_signals, (g)->cpus *ZDD_WATCHED_BACKENDS(g))                     \
	M(proven, struct zdd_proven, ZDD_PROVEN_SETS)
/* clang-format on */

/* The same memory as plain pointers: mmap in the daemon, calloc in native tests. */
struct zdd_memory {
	const struct zdd_geometry *geometry;
#define M(name, type, count) type *name;
	ZDD_MEMORY(M)
#undef M
};

#define ZDD_SIZED(type, size) _Static_assert(sizeof(struct type) == (size), #type " is " #size)
ZDD_SIZED(zdd_geometry, 64);
ZDD_SIZED(zdd_desk, 128);
ZDD_SIZED(zdd_door, 24);
ZDD_SIZED(zdd_service, 128);
ZDD_SIZED(zdd_pool, 32);
ZDD_SIZED(zdd_cohort, 40);
ZDD_SIZED(zdd_listener, 32);
ZDD_SIZED(zdd_backend, 64);
ZDD_SIZED(zdd_hop, 32);
ZDD_SIZED(zdd_snat, 136);
ZDD_SIZED(zdd_link, 16);
ZDD_SIZED(zdd_flow_bucket, 32);
ZDD_SIZED(zdd_flow, 64);
ZDD_SIZED(zdd_syn, 64);
ZDD_SIZED(zdd_pressure, 64);
ZDD_SIZED(zdd_hold, 16);
ZDD_SIZED(zdd_held, 168);
ZDD_SIZED(zdd_fragment, 64);
ZDD_SIZED(zdd_early, 2048);
ZDD_SIZED(zdd_count_row, 512);
ZDD_SIZED(zdd_pool_row, 64);
ZDD_SIZED(zdd_backend_row, 64);
ZDD_SIZED(zdd_signal_row, 64);
ZDD_SIZED(zdd_signals, 2048);
ZDD_SIZED(zdd_override, 64);
ZDD_SIZED(zdd_taken, 24);
_Static_assert((int)ZDD_SIGNAL_COUNT <= (int)ZDD_SIGNAL_ROOM, "signals fit their row");
_Static_assert(ZDD_VERDICT_COUNT <= 48 && ZDD_NOTE_COUNT <= 16, "counters fit their row");

#endif
