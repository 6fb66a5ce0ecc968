/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What connections show about their pool, by which a rollout is judged, and about their backend.
 *
 * S(symbol, name, breaks, sentence)
 * name: as in zdd-counts(5). breaks: a bad one counts for the pool's breaker (struct zdd_override).
 *
 * n are exposures whose outcome became known, bad those of them that the sentence tells of. An exposure is
 *   REFUSED      a SYN that went to a backend: answered by SYN-ACK or RST (RFC 9293 3.5.2), declared
 *   SYN_TIMEOUT  undeliverable by an ICMP error that quotes it, or repeated by its client while nothing
 *                had come for 0.3 s; the first of these counts, and the others no more. Bad of the one
 *                is the RST or error, of the other the silence.
 *   RESET        a connection that ended (FIN both ways, or a believed RST of either side) after its
 *                client had sent data. Bad when the server reset it; but not when the server had sent
 *                its FIN, nor when it had answered and the client had sent its FIN: they were done.
 *   EMPTY        a connection whose client had sent data when the server's first byte or, instead, its
 *                FIN came. Who speaks first (SSH, SMTP) is not exposed.
 *   HTTP_5XX     a response of 200 and above, on listeners with ZDD_L_HTTP: a segment that its server sends
 *                for the first time and that begins with a status line. What begins within a segment is not
 *                seen: pipelined responses that the server sends together count as one.
 *   UDP_SILENT   a UDP flow: answered, or over without an answer
 * Data in a SYN (RFC 7413) is not heard. Connections that end silently, those kept without record, those
 * of mode local, and ways on which replies do not come by (dsr, ipip, gue) show nothing. When packets of
 * both directions of one connection are worked on at the same moment, an event may be counted twice. */
#ifndef ZDD_SIGNAL_H
#define ZDD_SIGNAL_H

#include "zdd/hash.h"
#include "zdd/limits.h"

/* clang-format off */
#define ZDD_SIGNALS(S)                                                                             \
	S(REFUSED, refused, 1, "SYN refused by RST or ICMP unreachable")                               \
	S(SYN_TIMEOUT, syn_timeout, 1, "SYN not answered")                                             \
	S(RESET, reset, 1, "connection reset by the server after the client had sent data")            \
	S(EMPTY, empty, 1, "connection closed by the server, which had sent nothing, after the client had sent data") \
	S(HTTP_5XX, 5xx, 0, "HTTP/1 response with status 500 to 599")                                  \
	S(UDP_SILENT, udp_silent, 0, "UDP flow that got no answer")
/* clang-format on */

enum zdd_signal {
#define S(symbol, name, breaks, sentence) ZDD_SIG_##symbol,
	ZDD_SIGNALS(S)
#undef S
		ZDD_SIGNAL_COUNT
};

enum {
	ZDD_SIGNAL_ROOM = 8, /* kinds that fit their row */
	ZDD_LATENCY_BUCKETS = 208,
	ZDD_SEEN = 1 << 17,      /* sources remembered for a tick */
	ZDD_MET_WORDS = 1 << 17, /* 64 sources each */
	ZDD_WATCHED_MAX = 512, /* pools with counts, and backends: those with the lowest objects */
};

struct zdd_signal_count {
	__u64 n, bad;
	__u64 sources,
		bad_sources; /* client addresses among them, each once in a tick of a second */
};

/* Of a pool, element cpu * ZDD_WATCHED(geometry) + id, and of a backend, cpu * ZDD_WATCHED_BACKENDS +
 * id, which has no sources: nothing is decided by them there. Rows per CPU, plain adds. */
struct zdd_signals {
	struct zdd_signal_count kind[ZDD_SIGNAL_ROOM];
	__u64 new_sources; /* that came here first in the rollout of the pool's override, by no rule */
	__u64 retransmits; /* segments with data that the server had sent before */
	__u64 spare[14];
	__u32 connect[ZDD_LATENCY_BUCKETS];    /* from a SYN sent to a backend to its SYN-ACK */
	__u32 first_byte[ZDD_LATENCY_BUCKETS]; /* from the client's first data to the server's */
};

/* Outcomes of one packet, or of its flow, as bits: of a kind the good one and the bad one. */
#define ZDD_TOLD(kind, bad) (1u << (2 * ZDD_SIG_##kind + (bad)))
#define ZDD_TOLD_BAD 0xaaaau
#define ZDD_TOLD_ALL 0xffffu

ZDD_INLINE __u32 zdd_told_breaks(void)
{
	__u32 bits = 0;

#define S(symbol, name, breaks, sentence) bits |= breaks ? ZDD_TOLD(symbol, 1) : 0;
	ZDD_SIGNALS(S)
#undef S
	return bits;
}

ZDD_INLINE __u32 zdd_log2(__u32 v)
{
	__u32 log = 0;

	for (__u32 half = 16; half; half /= 2)
		if (v >> half) {
			log += half;
			v >>= half;
		}
	return log;
}

/* Bucket 8 o + k begins at 2^o (8 + k) / 8 microseconds: 8 an octave, 1 us to 67 s, so the middle of a
 * bucket is wrong by 6 % at most; what is faster or slower counts in the first or last. */
ZDD_INLINE __u32 zdd_latency_bucket(__u32 us)
{
	__u32 octave = zdd_log2(us), bucket = octave * 8 + ((__u64)us * 8 >> octave & 7);

	if (!us)
		return 0;
	return bucket < ZDD_LATENCY_BUCKETS ? bucket : ZDD_LATENCY_BUCKETS - 1;
}

/* Where a bucket ends, in microseconds. */
ZDD_INLINE __u64 zdd_latency_end_us(__u32 bucket)
{
	return ((8ull + (bucket + 1) % 8) << ((bucket + 1) / 8)) / 8;
}

/* ---- each source once a tick ----
 *
 * A cell of `tick_seen` belongs to the pool and source that came there last:
 *   tag (32 bits) | tick, in seconds (16) | two bits for each kind: counted among n, among bad
 * Another one with the same cell takes it over, and the first counts once more when it comes back in
 * this tick: at n sources a second for some n / 131072 of those that come back. */

/* who: by zdd_seen_who. told: outcomes. Returns which of
 * them are the source's first in this tick: in the place of good its exposure, in that of bad its bad one.
 * A cell that two CPUs change at once counts once too often. */
ZDD_INLINE __u32 zdd_seen_first(__u64 *cell, __u64 who, __u32 tick, __u32 told)
{
	__u32 bad = told & ZDD_TOLD_BAD, wanted = (told & (ZDD_TOLD_BAD >> 1)) | bad >> 1 | bad;
	__u64 head = who >> 32 << 32 | (__u64)(tick & 0xffff) << 16;
	__u64 was = *(volatile __u64 *)cell;
	__u32 has = (was ^ head) >> 16 ? 0 : (__u32)was & ZDD_TOLD_ALL;

	if (wanted & ~has)
		__sync_val_compare_and_swap(cell, was, head | has | wanted);
	return wanted & ~has;
}

/* told: outcomes; first: as by zdd_seen_first. The row is the caller's. */
ZDD_INLINE void zdd_signals_add(struct zdd_signals *row, __u32 told, __u32 first)
{
	for (__u32 k = 0; k < ZDD_SIGNAL_COUNT; k++, told >>= 2, first >>= 2) {
		struct zdd_signal_count *c = &row->kind[k];

		if (!(told & 3))
			continue;
		c->n++;
		c->bad += told >> 1 & 1;
		c->sources += first & 1;
		c->bad_sources += first >> 1 & 1;
	}
}

/* Who, for zdd_seen_first. seed: the desk's. */
ZDD_INLINE __u64 zdd_seen_who(const struct zdd_addr *client, __u16 pool, __u64 seed)
{
	return zdd_client_hash(client, seed ^ pool);
}

/* ---- each source once a rollout ----
 *
 * A bit of `met`, chosen by the hash of rollout and source, says that it came. Bits stay: with m of them
 * set a new source is missed with chance m / 2^23, whatever its pool, and none counts twice. */

/* who: zdd_client_hash of the address, cut to the sticky prefix, with the service's salt. */
ZDD_INLINE __u64 zdd_met_hash(__u64 who, __u32 rollout)
{
	return zdd_mix64(who ^ (__u64)rollout << 32);
}

/* Returns 1 when it is new. */
ZDD_INLINE int zdd_met_first(__u64 *word, __u64 hash)
{
	__u64 was = *(volatile __u64 *)word, bit = 1ull << (hash & 63);

	return !(was & bit) && __sync_val_compare_and_swap(word, was, was | bit) == was;
}

#define ZDD_SEEN_CELL(who) ((__u32)(who) & (ZDD_SEEN - 1))
#define ZDD_MET_WORD(hash) ((__u32)((hash) >> 8) & (ZDD_MET_WORDS - 1))

/* ---- lease and breaker ---- */

enum zdd_override_why {
	ZDD_OVER_NOT,
	ZDD_OVER_LEASE,    /* `until` came */
	ZDD_OVER_FAILURES, /* `failed` reached `limit` */
};

/* Element: global pool id. Beside the plan, read for a new flow that a share or rule gives to a pool that
 * is not live, in services with ZDD_S_LEASED. It can only take the flow from the pool: live gets it. Once
 * that has happened, `why` stays until the daemon clears the element.
 *   written by the daemon      rollout; all of it when it begins or ends a rollout
 *   written by zdd_renew       until, limit
 *   written by data path       failed, why, tripped, turned */
struct zdd_override {
	__u64 until; /* jiffies64; 0: no lease */
	__u32 limit; /* failed connections; 0: none, and they are not counted */
	__u32 failed; /* refused, unreachable, silent, reset before any data or after it was asked, empty */
	__u64 tripped; /* jiffies64 of the first flow that was turned away */
	__u64 turned;  /* flows turned away */
	__u32 why;     /* enum zdd_override_why */
	__u32 rollout; /* a number of it; 0: new sources are not counted */
	__u64 spare[3];
};

/* What zdd_renew is given. It returns 0, 1: turned away already or not in time, nothing is changed, or
 * 2: there is no such pool. */
struct zdd_renewal {
	__u32 pool;
	__u32 limit;
	__u64 ms; /* from now on; 0: no lease */
};

#endif
