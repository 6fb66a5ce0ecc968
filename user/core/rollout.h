/* SPDX-License-Identifier: BSD-2-Clause */
/* One rollout of a service as a small state machine (DESIGN 7). Pure: facts in, the next state out.
 *
 * What the world should look like (shares, the hook that should have run, the lease) is a function of
 * the state, and effects are only ever brought in line with it: whoever resumes a rollout, after kill
 * -9 too, does no step twice. A state is in the store before its effects begin; a roll-back does not
 * wait for the store.
 *
 *   queued -> staging -> gate -> shifting -> watching -> ... -> promoted -> bake -> stable
 *                                   ^           |  evidence, time, or from `waiting` a person, a hook
 *                                   '-----------'
 *   any before promoted: paused, aborted, superseded; before traffic moved: failed_safe; after it:
 *   inconclusive, rolled_back, this one from promoted and bake too */
#ifndef ZDD_ROLLOUT_H
#define ZDD_ROLLOUT_H

#include <stddef.h>

#include "config_rollout.h"
#include "judge.h"
#include "zdd/limits.h"

enum rollout_phase {
	PHASE_EARLY,  /* no traffic has moved */
	PHASE_STEP,   /* the candidate has its step's share */
	PHASE_PAUSED, /* either of the two, standing still */
	PHASE_LATE,   /* promoted: the candidate has everything */
	PHASE_OVER,
};

/* S(symbol, word, phase, exit code of who waits for the end, sentence) */
/* clang-format off */
#define ZDD_ROLLOUT_STATES(S)                                                                      \
	S(QUEUED, queued, EARLY, 15, "waits for the rollout before it to end")                         \
	S(STAGING, staging, EARLY, 15, "waits for the candidate to be healthy")                        \
	S(GATE, gate, EARLY, 15, "waits for the gate hook, the preview leads to the candidate")        \
	S(SHIFTING, shifting, STEP, 15, "gives the candidate its share")                               \
	S(WATCHING, watching, STEP, 15, "watches the candidate with its share")                        \
	S(WAITING, waiting, STEP, 13, "waits for a person (promote or abort) or for a hook")           \
	S(PAUSED, paused, PAUSED, 13, "stands still: resume, promote or abort")                        \
	S(INCONCLUSIVE, inconclusive, STEP, 14, "the evidence of the step's time decides nothing: promote or abort") \
	S(PROMOTED, promoted, LATE, 15, "gives the candidate all new flows")                             \
	S(BAKE, bake, LATE, 0, "watches the candidate with everything, the old pool is kept warm")     \
	S(STABLE, stable, OVER, 0, "done: this is what undo returns to")                               \
	S(ABORTED, aborted, OVER, 12, "a person ended it")                                             \
	S(SUPERSEDED, superseded, OVER, 12, "another rollout took its place")                          \
	S(ROLLED_BACK, rolled_back, OVER, 11, "taken back: new flows go where they went before")       \
	S(FAILED_SAFE, failed_safe, OVER, 10, "the candidate never came up, no traffic moved")
/* clang-format on */

enum rollout_state {
#define S(symbol, word, phase, code, sentence) ROLLOUT_##symbol,
	ZDD_ROLLOUT_STATES(S)
#undef S
		ROLLOUT_STATES
};

const char *rollout_state_word(enum rollout_state);
const char *rollout_state_sentence(enum rollout_state);
int rollout_state_exit(enum rollout_state);
enum rollout_phase rollout_state_phase(enum rollout_state);
/* -1: no such word */
int rollout_state_find(const char *word);

enum { ROLLOUT_WHY = 320, ROLLOUT_TOKEN = 96 };

/* While a rollout is paused no hook is started; one that runs may end. */
enum hook_state {
	HOOK_NOT,  /* none is asked for */
	HOOK_DUE,  /* to be run, again after a crash, with the same token */
	HOOK_DONE, /* ended with 0; the state goes on when the rest allows it */
};

/* Of a rolling rollout in place; see rolling.h. */
enum rolling_step {
	ROLLING_DRAIN,  /* until the batch is empty */
	ROLLING_UPDATE, /* the hook for each of it, one after the other */
	ROLLING_CHECK,  /* until it is healthy again */
	ROLLING_SERVE,  /* it takes new flows, for the step's time */
	ROLLING_NEXT,   /* until the pool can do without the next batch */
};

struct rolling {
	bool in_place;
	enum rolling_step step;
	unsigned first, n; /* backends of the batch; n 0: none yet */
	unsigned unit;     /* among them: whose hook is due */
	unsigned size;     /* of a batch, at most */
	unsigned start;    /* the first backend of the first batch */
	bool back;         /* on the way back after a failure */
	bool served;       /* the new version has had traffic */
};

struct rollout {
	uint64_t number; /* of its release, 0 until that is begun; part of hook tokens */
	enum strategy strategy;
	enum rollout_state state;
	enum rollout_state paused_in;          /* PAUSED: where it goes on */
	unsigned candidate, previous;          /* among the service's pools */
	uint16_t base[ZDD_POOLS_PER_SERVICE];  /* 0.01 %: the shares when it began */
	uint16_t fixed[ZDD_POOLS_PER_SERVICE]; /* experiment: the shares it wants */
	struct cfg_step steps[ROLLOUT_STEPS];
	unsigned n_steps, step; /* of the present one, from 0 */
	uint32_t bake_ms, lease_ms, staging_ms;
	enum rollout_hook hook; /* what hook_state is of */
	enum hook_state hook_state;
	struct rolling rolling;
	bool full; /* promote --full: no further step is watched */
	unsigned doubt,
		forgiven; /* 1 << enum judge_why: of the judge's pause; in this step, those that
				   * a person let go on */
	uint64_t began_ms, state_ms; /* wall clock, for people: the rollout, the state */
	uint64_t watched_ms;   /* in this step or bake, while somebody looked; not while paused */
	char why[ROLLOUT_WHY]; /* the last word on it: of the judge, a hook, a person */
	char who[96];
};

enum hook_result { HOOK_NO_RESULT, HOOK_OK, HOOK_FAILED };

/* Of one backend, whatever a rollout keeps from it. */
enum backend_sight {
	BACKEND_UNSEEN, /* not known yet, or a person keeps it out */
	BACKEND_UP,
	BACKEND_RISING, /* up, in its slow start: less than it will be */
	BACKEND_DOWN,   /* its check failed */
};

/* What is so now. */
struct rollout_facts {
	uint64_t now_ms;     /* wall clock, for people */
	uint32_t passed_ms;  /* since the last look, monotonic; 0 at the first one of a daemon */
	bool may_begin;      /* QUEUED: the one before it is over */
	bool fit;            /* the candidate may get traffic, in every family that live serves */
	bool dead;           /* nothing of the candidate is up */
	const char *trouble; /* why it is not fit; "" */
	bool in_force;       /* a plan with this state's shares is out, its grace period over */
	struct judge_verdict verdict;         /* of the present step, as long as it holds */
	const char *verdict_text, *undecided; /* the verdict's; what to say when the time is over */
	bool lease_out, breaker;              /* the data path has taken the share away by itself */
	enum hook_result hook;                /* of the hook that is due, as long as it is */
	const char *hook_text;
	bool empty; /* what should be empty is, or its drain's deadline is over */
	const enum backend_sight *backends; /* rolling in place: n_backends of them */
	unsigned n_backends;                /* of the pool */
};

/* The state after one look. Returns true when more than watched_ms changed: to be stored, told, and
 * brought about. */
bool rollout_look(struct rollout *, const struct cfg_rollout *, const struct rollout_facts *);

/* ---- what should be so, by the state alone ---- */

bool rollout_is_over(const struct rollout *);
/* Of who waits for it: who waits for a hook goes on waiting. */
int rollout_exit(const struct rollout *);
/* The shares of all pools, 0.01 %, sum 10000. */
void rollout_shares(const struct rollout *, uint16_t share[ZDD_POOLS_PER_SERVICE]);
uint16_t rollout_share(const struct rollout *); /* the candidate's */
/* The candidate had a share from it in force before this state began. False when that is not certain. */
bool rollout_had_share(const struct rollout *);
/* The data path takes the share away when nobody renews (canary before it is promoted). */
bool rollout_is_leased(const struct rollout *);
bool rollout_is_judged(const struct rollout *);
/* The token of the hook that is due: the same when it is run again. out: ROLLOUT_TOKEN bytes. */
void rollout_token(const struct rollout *, char *out);

/* ---- what people may do ---- */

enum rollout_verb { DO_PROMOTE, DO_PROMOTE_FULL, DO_PAUSE, DO_RESUME, DO_ABORT, ROLLOUT_VERBS };
/* 0, or -EPERM when the state does not allow it, with one sentence in error (ROLLOUT_WHY bytes). */
int rollout_allows(const struct rollout *, enum rollout_verb, char *error);
/* Carries it out. 0, or -EPERM as above, the rollout then untouched. why may be "". */
int rollout_do(struct rollout *, enum rollout_verb, const char *who, const char *why,
	       uint64_t now_ms, char *error);
/* It is taken back, or failed safe when no traffic had moved. */
void rollout_take_back(struct rollout *, uint64_t now_ms, const char *why);
/* Another one takes its place. */
void rollout_supersede(struct rollout *, uint64_t now_ms);
/* A person takes back one that is promoted. why may be "". */
void rollout_undo(struct rollout *, const char *who, const char *why, uint64_t now_ms);

#endif
