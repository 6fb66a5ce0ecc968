/* SPDX-License-Identifier: BSD-2-Clause */
/* The pinned arrays as plain memory. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath_int.h"
#include "explain.h"

const char *const map_names[MAP_COUNT] = {
#define M(name, type, count) #name,
	ZDD_MEMORY(M)
#undef M
		"socks",
	"grace",
	"before_xdp",
	"before_tc",
};

enum {
#define M(name, type, count) MAP_##name,
	ZDD_MEMORY(M)
#undef M
		MAP_MEMORIES
};

_Static_assert((int)MAP_SOCKS == (int)MAP_MEMORIES, "socks comes after the memory");

uint32_t memory_since(unsigned map)
{
	uint32_t since = map > MAP_pool_names && map < MAP_MEMORIES ? 2 : 1;

	if (map == MAP_fragments || map == MAP_early)
		since = 3;
	if (map == MAP_memo_whom || (map > MAP_early && map < MAP_MEMORIES))
		since = 4;
	if (map == MAP_backend_signals)
		since = 5;
	if (map == MAP_proven)
		since = 6;
	/* A test's build of today's maps under an older number has them all. */
	return since < ZDD_LAYOUT_VERSION ? since : ZDD_LAYOUT_VERSION;
}

size_t memory_element(unsigned map)
{
	static const size_t sizes[] = {
#define M(name, type, count) sizeof(type),
		ZDD_MEMORY(M)
#undef M
	};

	return map < MAP_MEMORIES ? sizes[map] : 0;
}

uint32_t memory_count(unsigned map, const struct zdd_geometry *g)
{
	const uint32_t counts[] = {
#define M(name, type, count) count,
		ZDD_MEMORY(M)
#undef M
				g->backends *
			ZDD_SOCKS_PER_BACKEND,
		1,
		1,
		2,
	};

	return counts[map];
}

static size_t bytes_of(unsigned map, const struct zdd_geometry *g)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = memory_element(map) * memory_count(map, g);

	return (bytes + page - 1) / page * page;
}

static void **pointers(struct zdd_memory *m, unsigned map)
{
	void **const list[] = {
#define M(name, type, count) (void **)&m->name,
		ZDD_MEMORY(M)
#undef M
	};

	return list[map];
}

static int check_size(unsigned map, int fd, const struct zdd_geometry *g, char **error)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return explain(error, -errno, "map %s: %s", map_names[map], strerror(errno));
	if (info.value_size != memory_element(map) || info.max_entries != memory_count(map, g))
		return explain(error, -EPROTO,
			       "map %s is not of this data path's size: %u x %u bytes",
			       map_names[map], info.max_entries, info.value_size);
	return 0;
}

int memory_map(struct datapath *dp, const int fds[MAP_COUNT], char **error)
{
	const struct zdd_geometry *g = &dp->geometry;

	dp->memory.geometry = g;
	for (unsigned i = 0; i < MAP_MEMORIES; i++) {
		void *at;
		int err;

		if (memory_since(i) > g->layout_version)
			continue;
		err = check_size(i, fds[i], g, error);
		if (err)
			return err;
		at = mmap(NULL, bytes_of(i, g), PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		if (at == MAP_FAILED)
			return explain(error, -errno, "map %s cannot be mapped: %s", map_names[i],
				       strerror(errno));
		*pointers(&dp->memory, i) = at;
	}
	return 0;
}

void memory_unmap(struct datapath *dp)
{
	for (unsigned i = 0; i < MAP_MEMORIES; i++) {
		void **at = pointers(&dp->memory, i);

		if (*at)
			munmap(*at, bytes_of(i, &dp->geometry));
		*at = NULL;
	}
}
