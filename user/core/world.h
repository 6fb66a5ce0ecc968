/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wanted and what is known, service by service: the one value from which plans are compiled
 * and answers are printed. Pure. The daemon's loop owns the only instance; changes go through the
 * functions below, which either do all of it or nothing. */
#ifndef ZDD_WORLD_H
#define ZDD_WORLD_H

#include "config.h"
#include "health.h"
#include "passive.h"
#include "rollout.h"
#include "slow_start.h"
#include "zdd/limits.h"

enum admin_state { ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINT };

struct world_backend {
	const struct cfg_backend *cfg;
	enum admin_state admin;
	uint64_t admin_since_ms; /* wall clock; when drain or maint began */
	bool held_out;           /* in drain, by a rolling rollout that updates it */
	bool left_out;           /* in drain, by one that is over */
	struct health health;
	struct passive passive;
	struct slow_start slow_start;
	uint16_t
		object; /* global backend object in the data path, ZDD_NONE before the first plan */
};

struct world_pool {
	const struct cfg_pool *cfg;
	struct world_backend *backends; /* as many as cfg has, same order */
	uint16_t object;                /* global pool object, ZDD_NONE before the first plan */
};

/* New connections wait. */
struct world_hold {
	uint16_t number;   /* among `holds` of the data path; 0: they do not */
	uint16_t max;      /* so many at most */
	bool reset;        /* the others are reset, else get no answer */
	uint32_t until;    /* the kernel's jiffies, low bits; 0: the data path has yet to say */
	uint64_t until_ms; /* wall clock */
};

/* Only its owner changes a locked service. */
struct world_lock {
	char who[96], why[128]; /* who: "" when it is not locked */
	uint64_t since_ms;      /* wall clock */
};

struct world_service {
	const struct cfg_service *cfg;
	uint32_t revision; /* grows when a person or a rollout changes the service */
	unsigned live;     /* index into pools */
	uint16_t share[ZDD_POOLS_PER_SERVICE]; /* 0.01 %, sum 10000 */
	struct world_pool *pools;
	uint64_t released_ms; /* wall clock; when the present live and shares began, 0: at first */
	/* The release that `undo` returns to; equal to the present one when nothing was released.
	 * STABLE_GONE when its pool was taken out of the configuration. */
	unsigned stable_live;
	uint16_t stable_share[ZDD_POOLS_PER_SERVICE];
	struct world_hold hold;
	struct rollout *rollout; /* owned; the running one, else the last one; NULL: never any */
	struct rollout *queued;  /* owned; begins when that is over */
	struct world_lock lock;
	bool leased; /* pools that are not live have their share on a lease: datapath_lease */
};

#define STABLE_GONE (~0u)

struct world {
	const struct config *config;    /* owned */
	struct world_service *services; /* as many as config has, same order */
	uint64_t generation;            /* of the last published plan */
};

/* Takes ownership of config. What old knows about services, pools and backends of the same name
 * (live, shares, admin, health, objects, revision) is carried over: applying a file moves no
 * traffic by itself. A live pool that the file dropped is an error. old may be NULL; it is left
 * untouched and stays the caller's.
 * 0, -ENOMEM, or -EINVAL with *error one line (config is then not taken). */
int world_make(struct config *config, const struct world *old, struct world **out, char **error);
void world_free(struct world *);

struct world_service *world_find(const struct world *, const char *service);
struct world_pool *world_find_pool(const struct world_service *, const char *pool);
struct world_backend *world_find_backend(const struct world_pool *, const char *address);

/* The verdict of health, ejection and admin on one backend, panic included. */
bool backend_takes_new(const struct world_service *, const struct world_pool *,
		       const struct world_backend *);
/* Some backend of this family (4, 6 or 0 for any) takes new flows. */
bool pool_takes_new(const struct world_service *, const struct world_pool *, int family);
/* Fewer than panic_percent of the ready backends are up and not ejected: both are ignored. For live
 * pools only. */
bool pool_panics(const struct world_service *, const struct world_pool *);
/* Ready, known to be up (or nobody checks it), not ejected: what a flip waits for. family as above. */
bool pool_is_fit(const struct world_service *, const struct world_pool *, int family);
bool pool_has_family(const struct world_pool *, int family);
/* Nothing but its connections speaks against it, and they do. */
bool backend_is_ejected(const struct world_backend *);
/* The pool can do without this backend: of its address family no more than max_ejected are away then
 * (by their check or ejected; one may always be), another takes new flows, and the pool does not
 * panic. */
bool pool_spares(const struct world_service *, const struct world_pool *,
		 const struct world_backend *);

unsigned pool_index(const struct world_service *, const struct world_pool *);
/* Shares and live as they are now become what `undo` returns to. */
void service_make_stable(struct world_service *);
bool service_is_stable(const struct world_service *);

/* ---- world_slow_start.c ---- */

/* Before each plan: who takes new flows now and did not before begins its slow start, who takes none any
 * more is ready for another one. */
void service_begin_slow_starts(struct world_service *, uint64_t now_ms);
/* Time passes. Returns whether a plan would now give new flows to others than before, or a slow start is
 * over. */
bool service_pass_slow_starts(struct world_service *, uint64_t now_ms);

/* ---- world_rollout.c ---- */

/* What a release must have lasted before a later one may be undone to it. */
enum { BAKE_MS = 10 * 60 * 1000 };
/* Another release begins: the present one becomes what `undo` returns to if it lasted. */
void service_settle(struct world_service *, uint64_t now_ms);
/* The rollout that runs, or NULL. */
struct rollout *service_rollout(const struct world_service *);
/* A copy of from (may be NULL) in *to: 0 or -ENOMEM. */
int rollout_copy(struct rollout **to, const struct rollout *from);
/* Shares, live, lease and who is held out become what the state of its rollout wants. Returns whether
 * they were otherwise. Not for one that was over long ago: the service may have moved since. */
bool service_follow(struct world_service *);
/* After it was loaded: whom a daemon before held out may not be in the store yet. Before the data path
 * says who is in drain. */
void service_hold_again(struct world_service *);
/* The rollout will begin on the shares as they are. */
void service_ground(const struct world_service *, struct rollout *);
/* The queued one becomes the rollout when none runs; it is over (failed_safe) at once when its
 * candidate is live by now. Returns whether it did. */
bool service_dequeue(struct world_service *, uint64_t now_ms);

extern const char *const admin_state_words[];  /* by enum admin_state */
extern const char *const health_state_words[]; /* by enum health_state */

#endif
