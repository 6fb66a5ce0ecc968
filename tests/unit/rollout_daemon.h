/* SPDX-License-Identifier: BSD-2-Clause */
/* What a daemon does with a rollout: a look at the facts, what changed is stored, then the hook that
 * is due is started; it ends before the next look. A crash forgets what is not stored. */
#ifndef ZDD_ROLLOUT_DAEMON_H
#define ZDD_ROLLOUT_DAEMON_H

#include "rollout.h"

enum { RUNS = 64 };

struct daemon {
	struct rollout r, stored;
	struct cfg_rollout cfg;
	struct rollout_facts f;
	enum hook_result (*run)(struct daemon *); /* a hook: its result; NULL: all are good */
	void *world;                              /* run's */
	char log[RUNS][ROLLOUT_TOKEN];            /* one entry each time a hook was started */
	unsigned n_runs;
	bool started;              /* the hook that is due, by this process */
	char token[ROLLOUT_TOKEN]; /* its */
	char trail[1024];
};

static inline void daemon_start(struct daemon *d, const struct rollout *r)
{
	memset(d, 0, sizeof(*d));
	d->r = d->stored = *r;
	d->f = (struct rollout_facts){.may_begin = true,
				      .trouble = "",
				      .verdict_text = "",
				      .undecided = "",
				      .hook_text = ""};
}

static inline void daemon_crash(struct daemon *d)
{
	d->r = d->stored;
	d->started = false;
	d->f.hook = HOOK_NO_RESULT;
}

/* What a hook said stays until another one is due, or none. */
static inline void daemon_hook(struct daemon *d)
{
	char token[ROLLOUT_TOKEN];

	rollout_token(&d->r, token);
	if (d->r.hook_state != HOOK_DUE || strcmp(token, d->token)) {
		d->started = false;
		d->f.hook = HOOK_NO_RESULT;
	}
	if (d->r.hook_state != HOOK_DUE || d->started || d->r.state == ROLLOUT_PAUSED)
		return;
	if (d->n_runs < RUNS)
		memcpy(d->log[d->n_runs++], token, sizeof(token));
	memcpy(d->token, token, sizeof(token));
	d->started = true;
	d->f.hook = d->run ? d->run(d) : HOOK_OK;
}

/* One look. Returns whether it changed something. */
static inline bool daemon_tick(struct daemon *d)
{
	bool changed = rollout_look(&d->r, &d->cfg, &d->f);

	if (changed)
		d->stored = d->r;
	daemon_hook(d);
	return changed;
}

static inline unsigned daemon_runs_of(const struct daemon *d, const char *token)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->n_runs; i++)
		n += !strcmp(d->log[i], token);
	return n;
}

#endif
