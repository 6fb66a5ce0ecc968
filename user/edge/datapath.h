/* SPDX-License-Identifier: BSD-2-Clause */
/* The running data path as the daemon sees it: load or adopt, attach, publish, watch, remove. */
#ifndef ZDD_DATAPATH_H
#define ZDD_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net_sockets.h"
#include "world.h"
#include "zdd/layout.h"

struct datapath;
struct net; /* edge/net.h: links, addresses, routes, neighbours of this network namespace */

/* Opens the pins under dir (made when absent) or loads a new data path sized for config.
 * A data path of the same layout is adopted without touching a packet: its memory is mapped, its
 * programs are replaced in their links by this build's. One of the layout before, or of a size that
 * does not suit config, is moved into new memory with its flows, under traffic; where that is only
 * about size and fails, datapath_problem says so. Another daemon holding dir: -EBUSY.
 * 0, or negative errno with *error one line (release with free). */
int datapath_open(const char *dir, const struct config *, struct datapath **out, char **error);
/* Detaches and unpins everything under dir, whoever made it. */
int datapath_remove(const char *dir, char **error);
/* Unmaps and closes; traffic goes on. */
void datapath_close(struct datapath *);

bool datapath_adopted(const struct datapath *);
/* What could not be done when it was opened, for people; NULL: nothing. */
const char *datapath_problem(const struct datapath *);
const struct zdd_memory *datapath_memory(const struct datapath *);

/* Copies what the running plan says into world: generation, revision, live, shares, admin and last
 * health of every service, pool and backend of the same name. Only after datapath_adopted().
 * Returns how many services could not take all of it: their file lost a pool that had traffic. */
size_t datapath_recall(const struct datapath *, struct world *);

/* Attaches to the configured interfaces and to those that lead to backends; detaches from others.
 * `auto` is XDP for all or tc for all: see core/ways.h.
 * Mode local's programs too, when a service wants them. Returns the first failure, after all else.
 * An interface that is missing is skipped and shown by datapath_status. Repeat after link events. */
int datapath_attach(struct datapath *, const struct world *, struct net *, char **error);

/* Compiles world into a free plan slot and publishes it by one store as generation
 * world->generation + 1 (which is written back). The store has happened when this returns 0.
 * -EAGAIN: no plan slot or table room is free until a grace period ends: ask again after
 * datapath_grace. Other errors: nothing was published. */
int datapath_publish(struct datapath *, struct world *, const struct net *, char **error);
/* Waits until every program that began before the call has ended (blocks 5-20 ms: call it from a
 * worker thread; touches nothing but its own map). */
int datapath_grace(struct datapath *);
/* Tells that a grace period that began after generation was published is over: older slots,
 * tables and hops become free again. */
void datapath_settled(struct datapath *, uint64_t generation);

/* Re-resolves next hops of all backends after neighbour, route, address or link events. */
void datapath_resolve(struct datapath *, const struct world *, struct net *);

/* Walks part of the flow table: expires silent flows, counts live ones. Call every 100 ms;
 * one full round takes about budget calls (10). After a round, the counts below are of that round.
 * datapath_count_now does a whole round at once (25 ms for 1M flows). */
void datapath_walk(struct datapath *, unsigned parts);
void datapath_count_now(struct datapath *);
/* A round has freed objects whose doors are still in the running plan: publishing again tidies. */
bool datapath_stale(const struct datapath *);

/* SYNs that wait under a hold's number. */
uint64_t datapath_held(const struct datapath *, uint16_t hold);
/* Lets go up to most of the SYNs that wait under numbers that are not on hold (any more), oldest
 * first, and says in *left how many remain. A call takes some 20 ms. Returns how many went, or negative
 * errno: this kernel cannot; they are forgotten, their clients repeat them. */
int datapath_let_go(struct datapath *, const bool on_hold[ZDD_HOLDS], unsigned most,
		    unsigned *left);
/* A frame may be lost on its way (the ring of a veth has 256 places): up to most of those that were let
 * go a tenth of a second ago and are half-open still go once more, and are forgotten then. True: call
 * again. */
bool datapath_let_go_again(struct datapath *, unsigned most);

/* An ejected backend may be sent one new connection, by plans that name it for that. */
void datapath_offer_trial(struct datapath *, uint16_t backend);
/* Somebody has taken it, or nothing was offered. */
bool datapath_trial_taken(const struct datapath *, uint16_t backend);

/* Readable when programs want something done at once, by datapath_woken. Negative errno: such things are
 * not done here. */
int datapath_wake_fd(struct datapath *);
/* Lets fragments follow their first one. */
void datapath_woken(struct datapath *);

struct flow_counts {
	uint64_t active; /* established or UDP */
	uint64_t half;   /* half-open */
};
struct flow_counts datapath_backend_flows(const struct datapath *, uint16_t backend);
struct flow_counts datapath_pool_flows(const struct datapath *, uint16_t pool);
/* Sums over CPUs. */
struct zdd_pool_row datapath_pool_row(const struct datapath *, uint16_t pool);
struct zdd_backend_row datapath_backend_row(const struct datapath *, uint16_t backend);
struct zdd_signal_row datapath_signals(const struct datapath *, uint16_t backend);
struct zdd_count_row datapath_counts(const struct datapath *);
/* What its connections showed so far; nothing for objects of ZDD_WATCHED_MAX and above. */
void datapath_pool_signals(const struct datapath *, uint16_t pool, struct zdd_signals *sum);
void datapath_backend_signals(const struct datapath *, uint16_t backend, struct zdd_signals *sum);

/* A candidate's lease, beside the plan; its service must be published as `leased`.
 * Begins anew: no lease, no failures. rollout: a number of it, so that its sources are counted as new
 * once; 0: they are not counted. A live pool gets such a number too, and no lease. */
void datapath_override_begin(const struct datapath *, uint16_t pool, uint32_t rollout);
/* From now on ms milliseconds by the kernel's clock (0: no lease), and until limit connections have
 * failed since it began (0: any number). -ETIME: it was over already, and stays so: see
 * datapath_override. */
int datapath_lease(const struct datapath *, uint16_t pool, uint64_t ms, uint32_t limit);
struct zdd_override datapath_override(const struct datapath *, uint16_t pool);

/* How long ago the kernel's clock of the rows (last_jiffies) stood there. */
uint64_t datapath_age_ms(const struct datapath *, uint64_t jiffies);

/* The kernel's clock, as records have it. */
uint32_t datapath_jiffies(const struct datapath *);

/* A connection of mode local: a socket of this host, and the flow it would be elsewhere. */
struct datapath_socket {
	struct zdd_flow flow; /* generation and numbers are not known */
	struct net_socket socket;
};
/* Calls each until it returns false. 0 or negative errno. */
int datapath_each_socket(const struct datapath *, bool with_idle,
			 bool (*each)(const struct datapath_socket *, void *context),
			 void *context);
/* -ENOENT: it has ended by itself. */
int datapath_end_socket(const struct datapath *, const struct datapath_socket *);
/* Why they cannot be seen or ended on this host; NULL: they can. */
const char *datapath_sockets_trouble(const struct datapath *);

/* Live flows, newest round, and connections of mode local. Calls each with the record (a copy) until it
 * returns false. */
void datapath_each_flow(const struct datapath *,
			bool (*each)(const struct zdd_flow *, uint8_t proto, uint32_t idle_ms,
				     void *),
			void *context);

/* One line per interface: name, "xdp"/"tc"/"missing"/"failed", why. */
struct datapath_interface {
	char name[16];
	uint32_t ifindex;
	char mode[12];
	char why[96];
	bool takes_none; /* had XDP, and takes no XDP redirects */
};
size_t datapath_interfaces(const struct datapath *, struct datapath_interface *out, size_t room);

#endif
