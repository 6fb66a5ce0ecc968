/* SPDX-License-Identifier: BSD-2-Clause */
/* Moving a running data path into maps of another layout or size, under traffic.
 *
 * The maps of before stay in DIR/maps, the new ones are made in DIR/maps-new with the same objects
 * and the same plan. desk.moving of the new maps says how far it has come, and is all that a next
 * daemon needs to go on when this one is killed:
 *
 *   NOT    the new maps are being filled; nothing knows them, a next daemon starts over
 *   ALL    hook after hook gets a new program, which hands every packet on to the program of
 *          before (a tail call), so both directions of a flow meet in the old maps
 *   KNOWN  all hooks have new programs: new flows begin in the new maps, packets of flows that
 *          are not known there are still handed on; flows are copied meanwhile
 *   LAST   nothing is handed on; a grace period later the old maps rest and are read once more
 *
 * Then DIR/maps-new takes the name DIR/maps. No hook is ever empty, and the plan does not change
 * meanwhile, so the new maps answer every new flow as the old ones would. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convert.h"
#include "datapath_int.h"
#include "explain.h"
#include "flows.h"
#include "geometry.h"
#include "zdd.skel.h"

struct move {
	struct datapath *old, *new; /* old is only mapped */
	const struct conversion *conversion;
	size_t lost; /* flows without room */
};

static void set_moving(struct move *m, enum zdd_moving moving)
{
	__atomic_store_n(&m->new->memory.desk->moving, moving, __ATOMIC_SEQ_CST);
}

/* ---- the programs of before, within reach of the new ones ---- */

static int reach(int map, uint32_t key, int program, int or)
{
	program = program < 0 ? or : program;
	return program >= 0 && bpf_map_update_elem(map, &key, &program, BPF_ANY) ? -errno : 0;
}

static int arm(const struct move *m, const int programs[HOOK_KINDS], char **error)
{
	int xdp = bpf_map__fd(m->new->bpf->maps.before_xdp);
	int tc = bpf_map__fd(m->new->bpf->maps.before_tc);
	int err = reach(xdp, 0, programs[HOOK_XDP], programs[HOOK_XDP_GENERIC]);

	if (!err)
		err = reach(tc, 0, programs[HOOK_TC_IN], programs[HOOK_FILTER_IN]);
	if (!err)
		err = reach(tc, 1, programs[HOOK_TC_OUT], programs[HOOK_FILTER_OUT]);
	if (err)
		explain(error, err, "the running programs cannot be called: %s", strerror(-err));
	return err;
}

static void disarm(const struct move *m)
{
	int xdp = bpf_map__fd(m->new->bpf->maps.before_xdp);
	int tc = bpf_map__fd(m->new->bpf->maps.before_tc);

	for (uint32_t key = 0; key < 2; key++) {
		bpf_map_delete_elem(xdp, &key);
		bpf_map_delete_elem(tc, &key);
	}
}

/* ---- the steps ---- */

static int fill_new(struct move *m, char **error)
{
	int err = m->conversion->objects(&m->old->memory, &m->new->memory);

	if (err)
		return explain(error, err, "its objects do not fit: %s", strerror(-err));
	m->new->memory.desk->geometry = m->new->geometry;
	err = pins_write(m->new, "maps-new");
	if (err)
		return explain(error, err, "pinning maps: %s", strerror(-err));
	return 0;
}

/* Sockets that begin to listen meanwhile are noticed by the new listen program before those that
 * listen already are collected, and before the lookup program needs them. */
static int swap_all(struct move *m, char **error)
{
	int programs[HOOK_KINDS], listen[HOOK_KINDS];
	int err;

	for (int kind = 0; kind < HOOK_KINDS; kind++) {
		programs[kind] = kernel_program(m->new, (enum hook_kind)kind);
		listen[kind] = kind == HOOK_LISTEN ? programs[kind] : -1;
	}
	err = swap_write(m->new, listen, error);
	if (!err)
		kernel_collect_sockets(m->new);
	return err ? err : swap_write(m->new, programs, error);
}

static int wait_grace(const struct move *m, char **error)
{
	int err = datapath_grace(m->new);

	return err ? explain(error, err, "waiting for programs to end: %s", strerror(-err)) : 0;
}

static int copy_flows(struct move *m, char **error)
{
	int err = wait_grace(m, error);

	if (!err)
		m->lost = m->conversion->flows(&m->old->memory, &m->new->memory);
	return err;
}

static int take_name(const struct datapath *dp, char **error)
{
	int err = pins_exist(dp, "maps") ? pins_remove(dp->dir_fd, "maps-old") : 0;

	if (!err && pins_exist(dp, "maps"))
		err = pins_rename(dp, "maps", "maps-old");
	if (!err)
		err = pins_rename(dp, "maps-new", "maps");
	if (!err)
		err = pins_remove(dp->dir_fd, "maps-old");
	return err ? explain(error, err, "renaming pins under %s: %s", dp->dir, strerror(-err)) : 0;
}

/* From whatever step the new maps are at, ALL at least. */
static int go_on(struct move *m, char **error)
{
	const __u32 *moving = &m->new->memory.desk->moving;
	int err = 0;

	if (*moving == ZDD_MOVING_ALL) {
		err = swap_all(m, error);
		if (!err)
			err = wait_grace(m, error);
		if (!err)
			set_moving(m, ZDD_MOVING_KNOWN);
	}
	if (!err && *moving == ZDD_MOVING_KNOWN) {
		err = copy_flows(m, error);
		if (!err)
			set_moving(m, ZDD_MOVING_LAST);
	}
	if (!err)
		err = copy_flows(m, error);
	if (err)
		return err;
	m->conversion->counts(&m->old->memory, &m->new->memory);
	disarm(m);
	err = take_name(m->new, error);
	if (!err)
		set_moving(m, ZDD_MOVING_NOT);
	return err;
}

/* Only hooks can fail: then those that were replaced get their program of before again. */
static int begin_and_go(struct move *m, char **error)
{
	int before[HOOK_KINDS], err = fill_new(m, error);

	swap_read(m->new, before);
	if (!err)
		err = arm(m, before, error);
	if (!err) {
		set_moving(m, ZDD_MOVING_ALL);
		err = go_on(m, error);
	}
	if (err && m->new->memory.desk->moving <= ZDD_MOVING_ALL) {
		swap_write(m->new, before, NULL);
		pins_remove(m->new->dir_fd, "maps-new");
	}
	swap_close(before);
	return err;
}

/* ---- whether, and how large ---- */

/* A table of flows does not become smaller than what is in it. Returns whether it may. */
static bool may_shrink(struct datapath *dp, enum flow_region region, const char *key,
		       uint64_t wanted)
{
	uint32_t held = flows_held(&dp->memory, region);

	if (held <= wanted)
		return true;
	snprintf(dp->problem, sizeof(dp->problem),
		 "flows.%s: %llu is less than the %u that are in the table: it stays as large as "
		 "it was; start zddd again when there are fewer",
		 key, (unsigned long long)wanted, held);
	return false;
}

static void size_flows(struct datapath *dp, const struct config *config, struct zdd_geometry *to)
{
	if (!may_shrink(dp, FLOWS_TCP, "tcp", config->flows_tcp)) {
		to->tcp_buckets = dp->geometry.tcp_buckets;
		to->half_buckets = dp->geometry.half_buckets;
	}
	if (!may_shrink(dp, FLOWS_UDP, "udp", config->flows_udp))
		to->udp_buckets = dp->geometry.udp_buckets;
}

int move_wanted(struct datapath *dp, const struct config *config, struct zdd_geometry *to)
{
	const struct zdd_geometry *now = &dp->geometry;
	struct zdd_geometry least;
	int err = convert_least(&dp->memory, &least);

	if (err)
		return err;
	geometry_for(config, to);
	geometry_hold(to, &least);
	to->cpus = (uint32_t)libbpf_num_possible_cpus() + 1;
	to->hz = now->hz;
	size_flows(dp, config, to);
	return now->layout_version != ZDD_LAYOUT_VERSION || !geometry_has_room(config, now) ||
	       now->tcp_buckets != to->tcp_buckets || now->half_buckets != to->half_buckets ||
	       now->udp_buckets != to->udp_buckets;
}

/* ---- from here ---- */

static void give_back(struct datapath *dp)
{
	memory_unmap(dp);
	zdd_bpf__destroy(dp->bpf);
	dp->bpf = NULL;
}

static int load_new(struct datapath *dp, char **error)
{
	int fds[MAP_COUNT], err = taken_load(dp, NULL, error);

	if (err)
		return err;
	pins_fds(dp, fds);
	return memory_map(dp, fds, error);
}

int move_to(struct datapath *dp, const struct zdd_geometry *to, char **error)
{
	struct datapath old = *dp;
	struct move m = {&old, dp, convert_from(dp->geometry.layout_version), 0};
	int err;

	old.memory.geometry = &old.geometry;
	dp->geometry = *to;
	memset(&dp->memory, 0, sizeof(dp->memory));
	err = load_new(dp, error);
	if (!err)
		err = begin_and_go(&m, error);
	if (err) {
		give_back(dp);
		*dp = old;
		dp->memory.geometry = &dp->geometry;
		return err;
	}
	memory_unmap(&old);
	if (m.lost)
		snprintf(dp->problem, sizeof(dp->problem),
			 "%zu flows found no room when the data path was moved", m.lost);
	return 0;
}

/* ---- after a kill ---- */

static int open_mapped(struct datapath *dp, const char *sub, bool load, char **error)
{
	int fds[MAP_COUNT], err = pins_open(dp, sub, fds, error);
	uint32_t moving;

	if (!err)
		err = read_desk(dp, fds[0], &moving, error);
	if (!err)
		err = memory_map(dp, fds, error);
	if (!err && load)
		err = taken_load(dp, fds, error);
	pins_close(fds);
	return err;
}

static int resume(const struct datapath *dp, char **error)
{
	struct datapath old = {.dir = dp->dir, .dir_fd = dp->dir_fd, .spare_fd = dp->spare_fd};
	struct datapath new = old;
	struct move m = {&old, &new, NULL, 0};
	int err = open_mapped(&old, "maps", false, error);

	if (!err)
		err = open_mapped(&new, "maps-new", true, error);
	m.conversion = convert_from(old.geometry.layout_version);
	if (!err)
		err = m.conversion ? go_on(&m, error) : -EPROTO;
	give_back(&old);
	give_back(&new);
	return err;
}

/* What DIR/maps-new is: its step, or negative errno when it is not whole. */
static int step_of(struct datapath *dp, uint32_t *version)
{
	char *ignored = NULL;
	int fds[MAP_COUNT], err = pins_open(dp, "maps-new", fds, &ignored);
	uint32_t moving = 0;

	if (!err)
		err = read_desk(dp, fds[0], &moving, &ignored);
	*version = dp->geometry.layout_version;
	pins_close(fds);
	free(ignored);
	return err ? err : (int)moving;
}

int move_finish(struct datapath *dp, char **error)
{
	uint32_t version;
	int step;

	if (!pins_exist(dp, "maps-new"))
		return pins_remove(dp->dir_fd, "maps-old");
	step = step_of(dp, &version);
	if (step <= ZDD_MOVING_NOT)
		return pins_remove(dp->dir_fd, "maps-new");
	if (version != ZDD_LAYOUT_VERSION)
		return explain(error, -EPROTO,
			       "the data path under %s is being moved to layout %u, this zddd has "
			       "layout %d: start the zddd that began it, it goes on",
			       dp->dir, version, ZDD_LAYOUT_VERSION);
	return pins_exist(dp, "maps") ? resume(dp, error) : take_name(dp, error);
}
