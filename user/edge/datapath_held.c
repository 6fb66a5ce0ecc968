/* SPDX-License-Identifier: BSD-2-Clause */
/* SYNs that wait for the end of a hold, and fragments for their first one, put into the data path again
 * by a test run with live frames (Linux 5.18): see zdd_replay. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_int.h"
#include "flows.h"
#include "zdd/hash.h"
#include "zdd.skel.h"

enum {
	BATCH = 32, /* a wire may have 256 places */
	VLAN_AT = 12,
	VLAN_BYTES = 4,
	TYPE_8021Q = 0x8100
};

uint64_t datapath_held(const struct datapath *dp, uint16_t hold)
{
	return hold < ZDD_HOLDS ? dp->memory.holds[hold].held : 0;
}

/* It waits no longer. */
static void let_off(const struct datapath *dp, const struct zdd_held *h)
{
	uint32_t *held = &dp->memory.holds[h->hold % ZDD_HOLDS].held;

	if (!h->gone && __atomic_load_n(held, __ATOMIC_RELAXED))
		__atomic_fetch_sub(held, 1, __ATOMIC_RELAXED);
}

static void forget(const struct datapath *dp, struct zdd_held *h)
{
	let_off(dp, h);
	h->len = 0;
	h->gone = 0;
	__atomic_store_n(&h->who, 0, __ATOMIC_SEQ_CST);
}

static void keep_for_again(const struct datapath *dp, struct zdd_held *h)
{
	let_off(dp, h);
	h->gone = (uint32_t)kernel_jiffies(dp) | 1;
}

/* A tag that lay beside the frame, for which there is room. Returns the length with it. */
static uint32_t put_tag(uint8_t *frame, uint32_t len, uint16_t *vlan)
{
	uint8_t *at = frame + VLAN_AT;

	if (!*vlan || len < VLAN_AT)
		return len;
	memmove(at + VLAN_BYTES, at, len - VLAN_AT);
	at[0] = TYPE_8021Q >> 8;
	at[1] = TYPE_8021Q & 255;
	at[2] = (uint8_t)(*vlan >> 8);
	at[3] = (uint8_t)*vlan;
	*vlan = 0;
	return len + VLAN_BYTES;
}

struct waiting {
	uint64_t order;
	uint32_t place;
};

static int by_order(const void *a, const void *b)
{
	const struct waiting *one = a, *two = b;

	return one->order < two->order ? -1 : one->order > two->order;
}

/* Those that may go, oldest first, but one that is being written. */
static unsigned find(struct datapath *dp, const bool on_hold[ZDD_HOLDS], struct waiting *list)
{
	uint32_t now = (uint32_t)kernel_jiffies(dp);
	int32_t young = (int32_t)dp->geometry.hz / 50;
	unsigned n = 0;

	for (uint32_t i = 0; i < ZDD_HELD; i++) {
		struct zdd_held *h = &dp->memory.held[i];

		if (!__atomic_load_n(&h->who, __ATOMIC_ACQUIRE) || h->gone ||
		    on_hold[h->hold % ZDD_HOLDS])
			continue;
		if (!h->len && (int32_t)(now - h->since) <= young)
			continue;
		list[n++] = (struct waiting){h->order, i};
	}
	qsort(list, n, sizeof(*list), by_order);
	return n;
}

/* Of `replay` the first n, whose frames have so many bytes at most. */
static int run(struct datapath *dp, unsigned n, uint32_t bytes)
{
	uint8_t frame[ZDD_EARLY_FRAME] = {0};
	uint32_t key = 0, xdp = (uint32_t)kernel_program(dp, HOOK_XDP);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = bytes,
		    .repeat = (int)n, .batch_size = BATCH, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	dp->memory.replay[0] = 0;
	if (bpf_map_update_elem(bpf_map__fd(dp->bpf->maps.replay_xdp), &key, &xdp, 0) ||
	    bpf_prog_test_run_opts(bpf_program__fd(dp->bpf->progs.zdd_replay), &opts))
		return -errno;
	return 0;
}

int datapath_let_go(struct datapath *dp, const bool on_hold[ZDD_HOLDS], unsigned most,
		    unsigned *left)
{
	struct waiting *list = calloc(ZDD_HELD, sizeof(*list));
	unsigned n = list ? find(dp, on_hold, list) : 0, go = 0;
	int err = list ? 0 : -ENOMEM;

	*left = n;
	for (unsigned i = 0; i < n && go < most; i++) {
		struct zdd_held *h = &dp->memory.held[list[i].place];

		h->len = put_tag(h->frame, h->len, &h->vlan);
		if (h->len)
			dp->memory.replay[1 + go++] = list[i].place;
		else
			list[i].order = 0;
	}
	if (go)
		err = run(dp, go, ZDD_HELD_FRAME);
	for (unsigned i = 0; i < n && (err || i < most); i++, --*left)
		(err ? forget : keep_for_again)(dp, &dp->memory.held[list[i].place]);
	free(list);
	return err ? err : (int)go;
}

/* ---- once more */

static int by_who(const void *a, const void *b)
{
	const struct zdd_held *const *one = a, *const *two = b;

	return (*one)->who < (*two)->who ? -1 : (*one)->who > (*two)->who;
}

/* Those that went long enough ago, by who they are; *early: others did not. */
static unsigned find_gone(struct datapath *dp, struct zdd_held **due, unsigned most, bool *early)
{
	uint32_t now = (uint32_t)kernel_jiffies(dp);
	int32_t wait = (int32_t)dp->geometry.hz / 10;
	unsigned n = 0;

	*early = false;
	for (uint32_t i = 0; i < ZDD_HELD; i++) {
		struct zdd_held *h = &dp->memory.held[i];

		if (!__atomic_load_n(&h->who, __ATOMIC_ACQUIRE) || !h->gone)
			continue;
		if (n < most && (int32_t)(now - h->gone) >= wait)
			due[n++] = h;
		else
			*early = true;
	}
	qsort(due, n, sizeof(struct zdd_held *), by_who);
	return n;
}

/* The one that opened this flow, or NULL. */
static struct zdd_held *opener(const struct zdd_memory *m, const struct zdd_flow *f,
			       struct zdd_held **due, unsigned n)
{
	struct zdd_held wanted, *key = &wanted, **found;

	wanted.who = zdd_flow_hash(&f->client, f->port, IPPROTO_TCP, m->desk->flow_seed) | 1;
	found = bsearch(&key, due, n, sizeof(struct zdd_held *), by_who);
	return found && (*found)->isn == f->isn && (*found)->len ? *found : NULL;
}

/* Those whose flow waits for an answer, into `replay`. */
static unsigned find_half_open(struct datapath *dp, struct zdd_held **due, unsigned n)
{
	const struct zdd_memory *m = &dp->memory;
	uint32_t from = region_first(m->geometry, FLOWS_HALF) * ZDD_FLOW_WAYS, tag;
	uint32_t to = from + region_buckets(m->geometry, FLOWS_HALF) * ZDD_FLOW_WAYS;
	unsigned go = 0;

	for (uint32_t i = from; i < to && go < n; i++) {
		struct zdd_held *h;
		struct zdd_flow f;

		if (!flow_copy(m, i, &f, &tag) || !(ZDD_META_STATE(f.meta) & ZDD_F_HALF))
			continue;
		h = opener(m, &f, due, n);
		if (h)
			m->replay[1 + go++] = (uint64_t)(h - m->held);
	}
	return go;
}

bool datapath_let_go_again(struct datapath *dp, unsigned most)
{
	struct zdd_held **due = calloc(most, sizeof(struct zdd_held *));
	bool early = false;
	unsigned n = due ? find_gone(dp, due, most, &early) : 0;
	unsigned go = n ? find_half_open(dp, due, n) : 0;

	if (go)
		run(dp, go, ZDD_HELD_FRAME);
	for (unsigned i = 0; i < n; i++)
		forget(dp, due[i]);
	free(due);
	return early;
}

/* ---- fragments */

/* A place that is written meanwhile is told of once more. */
static unsigned find_early(struct datapath *dp, uint64_t who)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < ZDD_EARLY; i++) {
		struct zdd_early *e = &dp->memory.early[i];

		if (__atomic_load_n(&e->who, __ATOMIC_ACQUIRE) != who || !e->len)
			continue;
		e->len = put_tag(e->frame, e->len, &e->vlan);
		dp->memory.replay[1 + n++] = ZDD_HELD + i;
	}
	return n;
}

static int let_follow(void *context, void *word, size_t size)
{
	struct datapath *dp = context;
	uint64_t who = 0;
	unsigned n;

	if (size != sizeof(who))
		return 0;
	memcpy(&who, word, sizeof(who));
	n = find_early(dp, who);
	if (n)
		run(dp, n, ZDD_EARLY_FRAME);
	for (unsigned i = 0; i < n; i++) {
		struct zdd_early *e = &dp->memory.early[dp->memory.replay[1 + i] - ZDD_HELD];

		e->len = 0;
		__atomic_store_n(&e->who, 0, __ATOMIC_SEQ_CST);
	}
	return 0;
}

int datapath_wake_fd(struct datapath *dp)
{
	if (!dp->wake)
		dp->wake = ring_buffer__new(bpf_map__fd(dp->bpf->maps.wake), let_follow, dp, NULL);
	return dp->wake ? ring_buffer__epoll_fd(dp->wake) : -errno;
}

void datapath_woken(struct datapath *dp)
{
	if (dp->wake)
		ring_buffer__consume(dp->wake);
}
