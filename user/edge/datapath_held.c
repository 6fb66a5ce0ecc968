/* SPDX-License-Identifier: BSD-2-Clause */
/* SYNs that wait for the end of a hold, put into the data path again by a test run with live frames
 * (Linux 5.18): see zdd_replay. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_int.h"
#include "zdd.skel.h"

enum {
	BATCH = 32,
	/* a wire may have 256 places */ VLAN_AT = 12,
	VLAN_BYTES = 4,
	TYPE_8021Q = 0x8100
};

uint64_t datapath_held(const struct datapath *dp, uint16_t hold)
{
	return hold < ZDD_HOLDS ? dp->memory.holds[hold].held : 0;
}

static void forget(const struct datapath *dp, struct zdd_held *h)
{
	uint32_t *held = &dp->memory.holds[h->hold % ZDD_HOLDS].held;

	h->len = 0;
	__atomic_store_n(&h->who, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(held, __ATOMIC_RELAXED))
		__atomic_fetch_sub(held, 1, __ATOMIC_RELAXED);
}

/* A tag that lay beside the frame. */
static void put_tag(struct zdd_held *h)
{
	uint8_t *at = h->frame + VLAN_AT;

	if (!h->vlan || h->len + VLAN_BYTES > sizeof(h->frame))
		return;
	memmove(at + VLAN_BYTES, at, h->len - VLAN_AT);
	at[0] = TYPE_8021Q >> 8;
	at[1] = TYPE_8021Q & 255;
	at[2] = (uint8_t)(h->vlan >> 8);
	at[3] = (uint8_t)h->vlan;
	h->len += VLAN_BYTES;
	h->vlan = 0;
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
	uint32_t now = (uint32_t)kernel_jiffies(dp), young = dp->geometry.hz / 50;
	unsigned n = 0;

	for (uint32_t i = 0; i < ZDD_HELD; i++) {
		struct zdd_held *h = &dp->memory.held[i];

		if (!__atomic_load_n(&h->who, __ATOMIC_ACQUIRE) || on_hold[h->hold % ZDD_HOLDS])
			continue;
		if (!h->len && now - h->since <= young)
			continue;
		list[n++] = (struct waiting){h->order, i};
	}
	qsort(list, n, sizeof(*list), by_order);
	return n;
}

static int run(struct datapath *dp, unsigned n)
{
	uint8_t frame[ZDD_HELD_FRAME] = {0};
	uint32_t key = 0, xdp = (uint32_t)kernel_program(dp, HOOK_XDP);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
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

		put_tag(h);
		if (h->len)
			dp->memory.replay[1 + go++] = list[i].place;
		else
			list[i].order = 0;
	}
	if (go)
		err = run(dp, go);
	for (unsigned i = 0; i < n && (err || i < most); i++, --*left)
		forget(dp, &dp->memory.held[list[i].place]);
	free(list);
	return err ? err : (int)go;
}
