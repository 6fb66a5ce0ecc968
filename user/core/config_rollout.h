/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service's `rollout:` says (DESIGN 5, 7), as values. Pure. */
#ifndef ZDD_CONFIG_ROLLOUT_H
#define ZDD_CONFIG_ROLLOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "guard.h"

enum { ROLLOUT_STEPS = 32, ROLLOUT_GUARDS = 8, ROLLOUT_WEBHOOKS = 4 };

enum strategy { STRATEGY_FLIP, STRATEGY_CANARY, STRATEGY_ROLLING, STRATEGY_EXPERIMENT };
enum until { UNTIL_TIME, UNTIL_EVIDENCE, UNTIL_PERSON, UNTIL_HOOK };
enum on_inconclusive {
	INCONCLUSIVE_PAUSE,
	INCONCLUSIVE_EXTEND,
	INCONCLUSIVE_PROMOTE,
	INCONCLUSIVE_ABORT,
};
enum on_conflict { CONFLICT_REJECT, CONFLICT_QUEUE, CONFLICT_SUPERSEDE };
enum on_failure { FAILURE_STOP, FAILURE_BACK }; /* rolling: stays where it is, or walks back */
enum judge_mode { JUDGE_ON, JUDGE_SHADOW, JUDGE_OFF };

/* The words of the file for the values above, in their order, then NULL. */
extern const char *const strategy_words[];
extern const char *const until_words[];
extern const char *const on_inconclusive_words[];
extern const char *const on_conflict_words[];
extern const char *const on_failure_words[];
extern const char *const judge_mode_words[]; /* "on", "shadow", "off" */

/* A hook is an argv array, run without a shell. H(symbol, word, when it runs) */
#define ZDD_HOOKS(H)                                                                               \
	H(START, start, "before the candidate is checked: start the new version")                  \
	H(GATE, gate, "before the first step, and at steps that end by hook: 0 lets it go on")     \
	H(UPDATE, update,                                                                          \
	  "rolling: for each backend, once it is empty: put the new version on it")                \
	H(STOP, stop, "after the bake, once the old pool is empty: stop the old version")

enum rollout_hook {
#define H(symbol, word, when) HOOK_##symbol,
	ZDD_HOOKS(H)
#undef H
		HOOKS
};

extern const char *const hook_words[]; /* by enum rollout_hook */

struct cfg_each {
	uint32_t min_ms, max_ms; /* of a step; max 0: no end */
	enum until until;
	uint32_t min_connections,
		min_sources; /* the candidate's, before evidence lets a step pass */
};

/* What a batch of a rolling rollout has when nothing says otherwise: it goes on when it is healthy. */
void rolling_each(struct cfg_each *);

struct cfg_step {
	uint16_t share; /* 0.01 %; the last one is 10000 */
	struct cfg_each each;
};

/* A number of backends, or percent of them. */
struct cfg_amount {
	uint16_t value;
	bool percent;
};

struct cfg_batch {
	struct cfg_amount max_parallel, max_surge, max_unavailable, min_available;
};

struct cfg_hooks {
	char **argv[HOOKS]; /* NULL: none; else NULL-terminated */
	char *user;         /* who they run as; NULL: who zddd runs as */
	unsigned user_line; /* of the file */
	uint32_t timeout_ms;
};

struct cfg_judge {
	enum judge_mode mode;
	uint16_t alpha_bp, beta_bp, slo_bp; /* 0.01 %; slo 0: none */
	uint16_t margin_hundredths;         /* 200: 2 */
	uint8_t quantile;                   /* of `slow`: 95 or 99 */
};

/* Counts of someone else: counters of a Prometheus. */
struct cfg_prometheus {
	char *url;     /* NULL: none */
	char *bad, *n; /* queries; {pool} becomes the pool's name */
	uint32_t interval_ms;
};

struct cfg_rollout {
	bool set; /* the file has a `rollout` */
	enum strategy strategy;
	struct cfg_each each; /* of a step that says nothing else */
	struct cfg_step steps[ROLLOUT_STEPS];
	unsigned n_steps;
	struct guard guards[ROLLOUT_GUARDS];
	unsigned n_guards;
	struct cfg_judge judge;
	struct cfg_prometheus prometheus;
	enum on_inconclusive on_inconclusive;
	enum on_conflict on_conflict;
	enum on_failure on_failure;
	uint32_t staging_ms; /* for the candidate to come up: staging_timeout */
	uint32_t bake_ms, lease_ms;
	struct cfg_batch batch;
	struct cfg_hooks hooks;
	char *webhooks[ROLLOUT_WEBHOOKS]; /* http(s) URLs that are told of each transition */
	unsigned n_webhooks;
};

#endif
