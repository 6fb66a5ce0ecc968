/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside datapath*.c.
 *
 *   DIR/maps/NAME    the memory, pinned under the names of ZDD_MEMORY, and socks, grace
 *   DIR/links/KIND-N what is attached: hook kind and ifindex
 *   DIR itself       is flocked by the daemon that runs */
#ifndef ZDD_DATAPATH_INT_H
#define ZDD_DATAPATH_INT_H

#include "datapath.h"
#include "ids.h"
#include "plan.h"

struct zdd_bpf;

enum hook_kind {
	HOOK_XDP,
	HOOK_TC_IN, /* tcx links */
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
	struct zdd_geometry geometry;
	struct zdd_memory memory;
	struct zdd_bpf *bpf;
	int spare_fd; /* inner map for waiting */
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
};

/* datapath_kernel.c: what the kernel is like, and the loaded object. */
int kernel_load(struct datapath *, const int *pinned_fds, char **error);
int kernel_hz(uint32_t *hz, char **error);
uint64_t kernel_jiffies(const struct datapath *);
int kernel_program(const struct datapath *, enum hook_kind); /* fd */
/* Opens DIR/sub/name. fd or negative errno. */
int pin_get(const struct datapath *, const char *sub, const char *name);
/* Runs the iterator that enters listening sockets into `socks`. */
int kernel_collect_sockets(const struct datapath *);

/* datapath_memory.c: maps by name, in the order of map_names, mapped. */
enum { MAP_COUNT = 21, MAP_SOCKS = 19, MAP_GRACE = 20 };
extern const char *const map_names[MAP_COUNT];
int memory_map(struct datapath *, const int fds[MAP_COUNT], char **error);
void memory_unmap(struct datapath *);
size_t memory_element(unsigned map);
uint32_t memory_count(unsigned map, const struct zdd_geometry *);

/* datapath_hooks.c */
/* Makes sure that the hook is attached. target: ifindex, or fd of namespace or cgroup. */
int hook_set(struct datapath *, enum hook_kind, uint32_t ifindex, int target);
void hook_drop(struct datapath *, enum hook_kind, uint32_t ifindex);
bool hook_is_set(const struct datapath *, enum hook_kind, uint32_t ifindex);
/* Takes over the pinned hooks: dead ones go, the others get this build's programs. */
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

/* datapath_local.c: hooks of mode local. */
int local_attach(struct datapath *, const struct world *, char **error);

/* datapath_hops.c */
void hops_adopt(struct datapath *);
void hops_settled(struct datapath *, uint64_t generation);
/* Only backends that have no hop yet. */
void hops_for_new(struct datapath *, const struct net *);

/* datapath_flows.c */
int tallies_make(struct datapath *);
void tallies_free(struct datapath *);

#endif
