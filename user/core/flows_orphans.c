/* SPDX-License-Identifier: BSD-2-Clause */
#include "flows_orphans.h"

static uint32_t *tag_at(const struct zdd_memory *m, uint32_t place)
{
	return &m->flow_tags[place / ZDD_FLOW_WAYS].tag[place % ZDD_FLOW_WAYS];
}

/* Between two flows, by what tag and meta say. */
static bool is_between(uint32_t tag, uint64_t meta)
{
	return tag == ZDD_TAG_BUSY ||
	       (tag >= ZDD_TAG_FIRST && ZDD_META_STATE(meta) & ZDD_F_WRITING);
}

size_t orphans_find(const struct zdd_memory *m, struct orphan *list, size_t room)
{
	uint32_t n = ZDD_FLOW_WAYS * ZDD_FLOW_BUCKETS(m->geometry);
	size_t found = 0;

	for (uint32_t place = 0; place < n && found < room; place++) {
		uint32_t tag = __atomic_load_n(tag_at(m, place), __ATOMIC_ACQUIRE);
		uint64_t meta;

		if (tag == ZDD_TAG_FREE)
			continue;
		meta = __atomic_load_n(&m->flow_recs[place].meta, __ATOMIC_ACQUIRE);
		if (is_between(tag, meta))
			list[found++] = (struct orphan){place, tag, meta};
	}
	return found;
}

size_t orphans_free(const struct zdd_memory *m, const struct orphan *list, size_t n)
{
	size_t freed = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t tag = list[i].tag;

		if (__atomic_load_n(&m->flow_recs[list[i].place].meta, __ATOMIC_ACQUIRE) ==
		    list[i].meta)
			freed += __atomic_compare_exchange_n(tag_at(m, list[i].place), &tag,
							     ZDD_TAG_FREE, false, __ATOMIC_SEQ_CST,
							     __ATOMIC_SEQ_CST);
	}
	return freed;
}
