/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside datapath*.c.
 *
 *   DIR/maps/NAME    the memory, pinned under the names of ZDD_MEMORY, and the other maps
 *   DIR/maps-new     one that is being made, or that DIR/maps moves into (datapath_move.c)
 *   DIR/maps-old     one that was left
 *   DIR/taken_by     whose connections of mode local are; it moves with nothing
 *   DIR/links/KIND-N what is attached: hook kind and ifindex
 *   DIR itself       is flocked by the daemon that runs */
#ifndef ZDD_DATAPATH_INT_H
#define ZDD_DATAPATH_INT_H

#include "datapath.h"
#include "ids.h"
#include "net_sockets.h"
#include "plan.h"

struct zdd_bpf;
struct ring_buffer;

enum hook_kind {
	HOOK_XDP,
	HOOK_XDP_GENERIC, /* an interface has one of the two */
	HOOK_TC_IN,       /* tcx links */
	HOOK_TC_OUT,
	HOOK_FILTER_IN, /* clsact filters, where the kernel has no tcx; the pin is the program */
	HOOK_FILTER_OUT,
	HOOK_LOOKUP, /* of the network namespace */
	HOOK_LISTEN, /* of all cgroups */
	HOOK_KINDS
};

struct hook {
	enum hook_kind kind;
	uint32_t ifindex;
	int fd; /* of the link; of the program for filters */
};

/* Flows per object, found by one round of walking. */
struct tally {
	uint32_t *any[ID_KINDS], *active[ID_KINDS], *half[ID_KINDS];
};

struct retired_hop {
	uint16_t hop;
	uint64_t generation; /* that ran when no backend pointed at it any more */
};

struct datapath {
	char *dir;
	int dir_fd; /* holds the lock */
	bool adopted;
	char problem[200]; /* what adopting could not do; empty: nothing */
	struct zdd_geometry geometry;
	struct zdd_memory memory;
	struct zdd_bpf *bpf;
	struct ring_buffer *wake; /* words of the programs for the daemon */
	int spare_fd;             /* inner map for waiting */
	uint16_t *incarnations;   /* of backends, whose sockets are in `socks` */
	struct planner *planner;

	struct hook *hooks;
	size_t n_hooks;
	struct datapath_interface *interfaces;
	size_t n_interfaces;

	struct retired_hop *retired;
	size_t n_retired;
	uint32_t hop_cursor;

	struct tally round, last; /* being counted; complete */
	uint32_t walked;          /* buckets of the round */
	uint64_t round_settled;   /* what was settled when the round began */
	bool stale;

	int taken;                   /* the pinned map while the object is loaded, 0: none */
	struct net_sockets *sockets; /* mode local's connections; NULL: they cannot be seen */
	int sockets_trouble;         /* negative errno: they cannot be seen, or not ended */
	struct tally local_round, local_last; /* of them, as round and last */
	uint64_t local_rest_ns;               /* when they may be counted again */
};

/* datapath_kernel.c: what the kernel is like, and the loaded object. */
int kernel_load(struct datapath *, const int *pinned_fds, char **error);
int kernel_hz(uint32_t *hz, char **error);
uint64_t kernel_jiffies(const struct datapath *);
int kernel_program(const struct datapath *, enum hook_kind); /* fd */
/* Runs the iterator that enters listening sockets into `socks`. */
int kernel_collect_sockets(const struct datapath *);

/* datapath_memory.c: maps by name, in the order of map_names, mapped. */
enum {
	MAP_SOCKS = 38,
	MAP_GRACE,
	MAP_BEFORE_XDP,
	MAP_BEFORE_TC,
	MAP_COUNT,
};
extern const char *const map_names[MAP_COUNT];
int memory_map(struct datapath *, const int fds[MAP_COUNT], char **error);
void memory_unmap(struct datapath *);
/* The layout that a map came with: pins of an older one do not have it. */
uint32_t memory_since(unsigned map);
size_t memory_element(unsigned map);
uint32_t memory_count(unsigned map, const struct zdd_geometry *);

/* datapath_pins.c */
int pins_make_dir(const char *path);
/* One daemon at a time; another one's lock ends with its process. */
int pins_lock(const char *dir, int *fd, char **error);
bool pins_exist(const struct datapath *, const char *sub);
/* sub with the pins in it; what is absent is fine. */
int pins_remove(int dir_fd, const char *sub);
int pins_rename(const struct datapath *, const char *from, const char *to);
/* Opens DIR/sub/name. fd or negative errno. */
int pin_get(const struct datapath *, const char *sub, const char *name);
/* The maps of the loaded object; pins them into a fresh DIR/sub. */
void pins_fds(const struct datapath *, int fds[MAP_COUNT]);
int pins_write(const struct datapath *, const char *sub);
/* All of DIR/sub; close them in any case. */
int pins_open(const struct datapath *, const char *sub, int fds[MAP_COUNT], char **error);
void pins_close(int fds[MAP_COUNT]);

/* datapath_open.c: dp->geometry as the desk tells, and enum zdd_moving. */
int read_desk(struct datapath *, int desk_fd, uint32_t *moving, char **error);

/* datapath_move.c */
/* Goes on with a move that was cut short; afterwards DIR/maps is all there is. */
int move_finish(struct datapath *, char **error);
/* Whether adopted memory must be moved for this build and configuration, and how large then: 1, 0,
 * -EPROTO. What cannot be had goes into dp->problem. */
int move_wanted(struct datapath *, const struct config *, struct zdd_geometry *to);
/* dp, mapped and not loaded, is loaded on new memory afterwards; its hooks have the new programs.
 * On failure it is as before. */
int move_to(struct datapath *, const struct zdd_geometry *to, char **error);

/* datapath_swap.c: programs by hook kind, -1: none. */
/* One of each kind that is at the pinned hooks; close them. */
void swap_read(struct datapath *, int programs[HOOK_KINDS]);
void swap_close(int programs[HOOK_KINDS]);
/* Puts them at all pinned hooks of their kinds. The first failure, after all others. */
int swap_write(struct datapath *, const int programs[HOOK_KINDS], char **error);

/* datapath_hooks.c */
/* Calls with every living pinned hook; hook.fd becomes the callee's. */
typedef void hook_fn(struct datapath *, struct hook, void *context);
void hooks_each(struct datapath *, hook_fn *, void *context);
/* Atomically; the hook is never empty. */
int hook_replace(const struct datapath *, const struct hook *, int program);
/* Makes sure that the hook is attached. target: ifindex, or fd of namespace or cgroup. */
int hook_set(struct datapath *, enum hook_kind, uint32_t ifindex, int target);
void hook_drop(struct datapath *, enum hook_kind, uint32_t ifindex);
bool hook_is_set(const struct datapath *, enum hook_kind, uint32_t ifindex);
/* Takes over the pinned hooks: dead ones go, the others get this build's programs; where that fails
 * dp->problem says so. */
void hooks_adopt(struct datapath *);
/* Detaches all that is pinned under DIR/links. */
void hooks_remove_all(const char *dir);
/* tcx where the kernel has it, else clsact. */
int hook_set_tc(struct datapath *, bool out, uint32_t ifindex);
void hook_drop_tc(struct datapath *, bool out, uint32_t ifindex);
/* Other programs at the same tcx hook. */
unsigned hook_others(uint32_t ifindex);
/* Another zddd (of another directory) has this interface. */
bool hook_foreign(const struct datapath *, uint32_t ifindex);

/* datapath_filter.c */
int filter_attach(bool out, uint32_t ifindex, int program);
bool filter_present(bool out, uint32_t ifindex);
/* Takes clsact away too when nobody else has a filter there. */
void filter_detach(bool out, uint32_t ifindex);

/* datapath_local.c: hooks of mode local, sockets of its backends. */
int local_attach(struct datapath *, const struct world *, char **error);
bool local_wanted(const struct world *);
/* Sockets of an index that another backend has now. */
int local_make(struct datapath *);
void local_forget(struct datapath *);
/* After the plan is out: collects sockets, then lets backends of one endpoint use them. */
void local_collect(struct datapath *);

/* datapath_hops.c */
void hops_adopt(struct datapath *);
void hops_settled(struct datapath *, uint64_t generation);
/* Only backends that have no hop yet. */
void hops_for_new(struct datapath *, const struct net *);

/* datapath_flows.c */
int tallies_make(struct datapath *);
void tallies_free(struct datapath *);
void tally_clear(struct tally *, const struct zdd_geometry *);
void tally_count(struct tally *, const struct zdd_flow *);

/* datapath_sockets.c: connections of mode local. */
int sockets_make(struct datapath *);
/* Not more often than the work allows, unless at once. */
void sockets_count(struct datapath *, bool at_once);
/* kernel_load with the map that says whose they are, pinned once and for all. */
int taken_load(struct datapath *, const int *pinned_fds, char **error);
void taken_unpin(int dir_fd);

#endif
