/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's parts and what they may ask of each other. One loop, one thread; `world` is the one
 * instance of what is wanted and known. */
#ifndef ZDD_DAEMON_H
#define ZDD_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "datapath.h"
#include "journal.h"
#include "net.h"
#include "store.h"
#include "version.h"
#include "view.h"
#include "world.h"

struct options {
	const char *config, *run_dir, *state_dir, *bpffs;
	bool check, remove, verbose;
};

/* What is wrong with the daemon itself, shown as `problems` until it is right again. */
enum problem {
	PROBLEM_STORE,
	PROBLEM_CONFIG,
	PROBLEM_INTERFACE,
	PROBLEM_PUBLISH,
	PROBLEM_VIP,
	PROBLEM_METRICS,
	PROBLEM_DATAPATH, /* what taking it over could not do */
	PROBLEM_ROOM,     /* the flow table is full */
	PROBLEM_FLOOD,    /* more handshakes begin than are completed */
	PROBLEM_REMOVAL,  /* connections that should be cut cannot be */
	PROBLEM_PORTS,    /* mode snat has no port left */
	PROBLEM_DRIFT,    /* worth knowing, and no reason to call the daemon degraded */
	PROBLEMS
};

struct publisher;
struct probes;
struct jobs;
struct server;

/* A verdict that is a problem while it is counted. */
struct sighting {
	uint64_t count; /* at the last look */
	unsigned looks; /* left until it is forgotten */
};

struct daemon {
	struct options options;
	uv_loop_t *loop;
	struct world *world;
	struct datapath *datapath;
	struct net *net;
	struct store *store;
	struct journal *journal;
	struct publisher *publisher;
	struct probes *probes;
	struct jobs *jobs;
	struct server *control, *metrics;
	struct sampler *sampler;
	struct removal *removal;
	struct drains *drains;
	struct holds *holds;
	struct signals *signals;
	struct slow_starts *slow_starts;
	struct rollouts *rollouts;
	json_t *vips; /* {address: true} that this or an earlier daemon put on lo */
	uint64_t started_ms;
	uint64_t counted_ns, count_took_ns; /* the last numbers_count() */
	struct applied *applied;
	struct sighting table_full, flood, ports;
	char problem[PROBLEMS][256];
	bool stopping;
};

/* Sets (text) or clears (NULL) a problem; an event when that is news. */
void daemon_problem(struct daemon *, enum problem, const char *text);
bool daemon_degraded(const struct daemon *);

/* Another world of a newer configuration takes the place of the present one, which is freed:
 * probes, interfaces and addresses follow. The plan was published already. */
void daemon_adopt_world(struct daemon *, struct world *next);
/* The configuration file again; who asked. */
void daemon_reload(struct daemon *, const char *who);

/* numbers.c. Open flows as the last walk found them, up to a second ago; or counted just now, which
 * a full table of a million flows makes some 25 ms long. */
struct numbers numbers_of(struct daemon *);
struct numbers numbers_now(struct daemon *);
void numbers_count(struct daemon *);
/* New flows a second of all its pools, over the last 10 to 20 seconds. */
double numbers_rate(struct daemon *, const struct world_service *);
struct sampler *sampler_make(struct daemon *);
void sampler_free(struct sampler *);

/* Addresses of services with `vip: manage`: adds what is missing, takes away what was added here
 * and is wanted no more. vips.c */
void vips_follow(struct daemon *);
void vips_remove(struct net *, const json_t *vips);

/* Says when a drain is over or its deadline has passed, and has cut what is open then where the
 * configuration wants it so. drains.c */
struct drains *drains_make(struct daemon *);
void drains_free(struct drains *);
/* By drain_key(). */
struct drain_start drains_start(const struct drains *, const char *key);

/* Feeds core/passive.h with what the data path counts, ejects and tries out. signals.c */
struct signals *signals_make(struct daemon *);

/* Lets backends rise. Before each plan it begins what begins with it, afterwards it tells. slow_starts.c */
struct slow_starts *slow_starts_make(struct daemon *);
void slow_starts_begin(struct daemon *);
void slow_starts_tell(struct daemon *);

/* Ends holds in time, lets go what waited. holds.c */
struct holds *holds_make(struct daemon *);
void holds_free(struct holds *);
/* The world's holds changed and are published. Returns how many connections are let go now. */
size_t holds_follow(struct holds *);

/* Everything from an accepted configuration and its file's text to the end of the process. Returns
 * what to exit with (DESIGN 6). boot.c */
int daemon_run(const struct options *, struct config *, const char *text);
/* loop.c: puts programs where the configuration wants them (-EBUSY: another zddd has an interface);
 * the signals, timers and netlink events of the running daemon; the store's state as a problem. */
int daemon_attach(struct daemon *);
void daemon_watch(struct daemon *);
void daemon_store_health(void *context, const char *trouble);
/* The first interface of next that is new and that nothing here answers to, or NULL: a mistake. One
 * that was there and went is waited for. */
const struct cfg_interface *daemon_missing_interface(const struct daemon *,
						     const struct world *next);
/* The same for addresses of `snat:`. */
const struct cfg_address *daemon_missing_address(const struct daemon *, const struct world *next);
/* A whole file with a NUL behind it, or NULL with *error one line. */
char *read_file(const char *path, size_t *len, char **error);
/* --remove: the data path, the managed addresses. */
int daemon_remove(const struct options *);

#endif
