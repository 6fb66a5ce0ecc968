/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of states and of what people may do in them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rolling.h"
#include "rollout_int.h"

static const struct {
	const char *word, *sentence;
	enum rollout_phase phase;
	int code;
} states[] = {
#define S(symbol, word, phase, code, sentence) {#word, sentence, PHASE_##phase, code},
	ZDD_ROLLOUT_STATES(S)
#undef S
};

const char *rollout_state_word(enum rollout_state state)
{
	return states[state].word;
}

const char *rollout_state_sentence(enum rollout_state state)
{
	return states[state].sentence;
}

int rollout_state_exit(enum rollout_state state)
{
	return states[state].code;
}

enum rollout_phase rollout_state_phase(enum rollout_state state)
{
	return states[state].phase;
}

int rollout_state_find(const char *word)
{
	for (int i = 0; i < ROLLOUT_STATES; i++)
		if (!strcmp(states[i].word, word))
			return i;
	return -1;
}

int rollout_exit(const struct rollout *r)
{
	bool by_hook = r->steps[r->step].each.until == UNTIL_HOOK;

	if (r->state == ROLLOUT_WAITING && by_hook)
		return states[ROLLOUT_WATCHING].code;
	return states[r->state].code;
}

bool rollout_is_over(const struct rollout *r)
{
	return states[r->state].phase == PHASE_OVER;
}

/* ---- verb x state ---- */

#define IN(state) (1u << ROLLOUT_##state)

enum {
	STANDING = IN(WAITING) | IN(PAUSED) | IN(INCONCLUSIVE),
	STEPS = IN(SHIFTING) | IN(WATCHING) | IN(WAITING) | IN(INCONCLUSIVE),
	EARLY = IN(QUEUED) | IN(STAGING) | IN(GATE),
};

static const struct {
	const char *word;
	unsigned states;
} verbs[ROLLOUT_VERBS] = {
	[DO_PROMOTE] = {"promote", STANDING},
	[DO_PROMOTE_FULL] = {"promote --full", STEPS | IN(PAUSED)},
	[DO_PAUSE] = {"pause", STEPS | IN(STAGING) | IN(GATE)},
	[DO_RESUME] = {"resume", IN(PAUSED)},
	[DO_ABORT] = {"abort", EARLY | STEPS | IN(PAUSED)},
};

/* "waiting, paused or inconclusive" */
static void list_states(unsigned set, char *out, size_t size)
{
	size_t len = 0;

	for (unsigned i = 0; i < ROLLOUT_STATES && len < size; i++) {
		unsigned rest = set >> i >> 1;

		if (set & 1u << i)
			len += (size_t)snprintf(out + len, size - len, "%s%s", states[i].word,
						!rest               ? ""
						: rest & (rest - 1) ? ", "
								    : " or ");
	}
}

int rollout_allows(const struct rollout *r, enum rollout_verb verb, char *error)
{
	char where[160];

	if (r->strategy == STRATEGY_EXPERIMENT && !rollout_is_over(r) &&
	    (verb == DO_PROMOTE_FULL || (verb == DO_PROMOTE && r->state != ROLLOUT_PAUSED))) {
		snprintf(error, ROLLOUT_WHY,
			 "an experiment is not promoted: abort ends it, then flip or canary");
		return -EPERM;
	}
	if (verbs[verb].states & 1u << r->state)
		return 0;
	list_states(verbs[verb].states, where, sizeof(where));
	if (rollout_is_over(r))
		snprintf(error, ROLLOUT_WHY, "there is no rollout to %s: the last one is %s",
			 verbs[verb].word, states[r->state].word);
	else if (states[r->state].phase == PHASE_LATE && verb == DO_ABORT)
		snprintf(error, ROLLOUT_WHY, "it is promoted already, too late to abort: %s",
			 r->rolling.in_place ? "roll once more, with the version before"
					     : "undo takes it back");
	else
		snprintf(error, ROLLOUT_WHY, "it is %s; %s is for %s", states[r->state].word,
			 verbs[verb].word, where);
	return -EPERM;
}

/* ---- carried out ---- */

/* A person goes on, with whatever it stood still for. */
static void forgive(struct rollout *r)
{
	r->forgiven |= r->doubt;
	r->doubt = 0;
}

static void promote(struct rollout *r, const struct rollout_facts *f)
{
	if (r->rolling.in_place)
		rolling_promote(r, f);
	else if (rollout_state_phase(rollout_place(r)) == PHASE_EARLY)
		rollout_stand(r, f, r->paused_in);
	else if (r->strategy == STRATEGY_EXPERIMENT)
		rollout_shift(r, f, 0);
	else
		rollout_next_step(r, f);
}

static void end(struct rollout *r, const struct rollout_facts *f, enum rollout_state state,
		const char *why)
{
	rolling_leave_out(&r->rolling);
	rollout_enter(r, f, state, "%s", why);
}

int rollout_do(struct rollout *r, enum rollout_verb verb, const char *who, const char *why,
	       uint64_t now_ms, char *error)
{
	struct rollout_facts f = {.now_ms = now_ms};
	int err = rollout_allows(r, verb, error);
	char by[ROLLOUT_WHY];

	if (err)
		return err;
	snprintf(by, sizeof(by), "by %s%s%s", who, *why ? ": " : "", why);
	if (verb == DO_PROMOTE || verb == DO_PROMOTE_FULL) {
		r->full |= verb == DO_PROMOTE_FULL;
		forgive(r);
		promote(r, &f);
	} else if (verb == DO_PAUSE) {
		rollout_pause(r, &f, by);
	} else if (verb == DO_RESUME) {
		forgive(r);
		rollout_stand(r, &f, r->paused_in);
		snprintf(r->why, sizeof(r->why), "resumed %.300s", by);
	} else {
		end(r, &f, ROLLOUT_ABORTED, by);
	}
	return 0;
}

void rollout_supersede(struct rollout *r, uint64_t now_ms)
{
	end(r, &(struct rollout_facts){.now_ms = now_ms}, ROLLOUT_SUPERSEDED,
	    "another rollout took its place");
}

void rollout_undo(struct rollout *r, const char *who, const char *why, uint64_t now_ms)
{
	rollout_enter(r, &(struct rollout_facts){.now_ms = now_ms}, ROLLOUT_ROLLED_BACK,
		      "undone by %s%s%s", who, *why ? ": " : "", why);
}
