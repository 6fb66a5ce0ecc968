/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon killed at each store of ending or entering a flow leaves a place that the next one frees;
 * what a program holds or has used meanwhile is let alone. */
#include "t.h"

#include "flows.h"
#include "flows_orphans.h"
#include "memory.h"

static const struct zdd_geometry g = {.layout_version = ZDD_LAYOUT_VERSION,
				      .cpus = 1,
				      .tcp_buckets = 4,
				      .half_buckets = 4,
				      .udp_buckets = 4,
				      .listeners = 1,
				      .backends = 1,
				      .pools = 1};

static const uint64_t meta = ZDD_META(1000, ZDD_F_UDP, 7);

/* What the stores leave, in their order; the last of each is a place that is whole again. */
static const struct row {
	const char *what;
	uint32_t tag;
	uint64_t meta;
	bool orphan;
} rows[] = {
	{"a flow", 99, ZDD_META(1000, ZDD_F_UDP, 7), false},
	{"ending: seized", 99, ZDD_META_SEIZED(ZDD_META(1000, ZDD_F_UDP, 7)), true},
	{"ended", ZDD_TAG_FREE, ZDD_META_SEIZED(ZDD_META(1000, ZDD_F_UDP, 7)), false},
	{"entering: claimed, new", ZDD_TAG_BUSY, 0, true},
	{"entering: claimed, used", ZDD_TAG_BUSY, ZDD_META(5, ZDD_F_WRITING, 8), true},
	{"entering: writing", ZDD_TAG_BUSY, ZDD_META(1000, ZDD_F_UDP | ZDD_F_WRITING, 9), true},
	{"entering: tagged", 99, ZDD_META(1000, ZDD_F_UDP | ZDD_F_WRITING, 9), true},
	{"free", ZDD_TAG_FREE, 0, false},
};

enum { PLACE = 61 };

static uint32_t *tag_of(struct zdd_memory *m)
{
	return &m->flow_tags[PLACE / ZDD_FLOW_WAYS].tag[PLACE % ZDD_FLOW_WAYS];
}

TEST(every_store)
{
	struct zdd_memory m;
	struct orphan list[4];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ROW("%s", rows[i].what);
		memory_make(&m, &g);
		*tag_of(&m) = rows[i].tag;
		m.flow_recs[PLACE].meta = rows[i].meta;
		CHECK_INT(orphans_find(&m, list, 4), rows[i].orphan);
		CHECK_INT(orphans_free(&m, list, rows[i].orphan), rows[i].orphan);
		CHECK_INT(*tag_of(&m), rows[i].orphan ? ZDD_TAG_FREE : rows[i].tag);
		CHECK_INT(orphans_find(&m, list, 4), 0);
		memory_free(&m);
	}
}

/* A program was at it: it has ended since, or another one has begun. */
TEST(used_meanwhile)
{
	struct zdd_memory m;
	struct orphan list[4];

	memory_make(&m, &g);
	*tag_of(&m) = ZDD_TAG_BUSY;
	m.flow_recs[PLACE].meta = ZDD_META_SEIZED(meta);
	CHECK_INT(orphans_find(&m, list, 4), 1);
	*tag_of(&m) = 99;
	m.flow_recs[PLACE].meta = meta + 2;
	CHECK_INT(orphans_free(&m, list, 1), 0);
	CHECK_INT(*tag_of(&m), 99);
	*tag_of(&m) = ZDD_TAG_BUSY;
	m.flow_recs[PLACE].meta = ZDD_META_SEIZED(meta + 2);
	CHECK_INT(orphans_free(&m, list, 1), 0);
	CHECK_INT(*tag_of(&m), ZDD_TAG_BUSY);
	memory_free(&m);
}

TEST(no_more_than_there_is_room_for)
{
	struct zdd_memory m;
	struct orphan list[4];

	memory_make(&m, &g);
	for (int w = 0; w < ZDD_FLOW_WAYS; w++)
		m.flow_tags[2].tag[w] = ZDD_TAG_BUSY;
	CHECK_INT(orphans_find(&m, list, 4), 4);
	CHECK_INT(orphans_free(&m, list, 4), 4);
	CHECK_INT(orphans_find(&m, list, 4), 4);
	memory_free(&m);
}
