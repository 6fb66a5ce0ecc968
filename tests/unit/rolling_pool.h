/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool that is rolled in place and does what it is told, for a daemon of rollout_daemon.h. After
 * each look enough of it are in service, and nothing that was not found well. */
#ifndef ZDD_ROLLING_POOL_H
#define ZDD_ROLLING_POOL_H

#include "rolling.h"
#include "rollout_daemon.h"

enum { N_MAX = 8 };
enum trouble {
	NONE,
	HOOK_FAILS,  /* of the new version, there; what it leaves there does not work */
	NEVER_UP,    /* the new version, there */
	FALLS_LATER, /* the new version, there, when it gets traffic */
	BACK_FAILS,  /* never up, and the hook of the way back fails too */
};

/* A backend's version: o(ld), n(ew), b(roken by a hook), d(own, the old one). */
struct pool {
	unsigned n;
	char version[N_MAX + 1];
	enum backend_sight sight[N_MAX];
	unsigned flows[N_MAX];
	unsigned rise, rises[N_MAX]; /* ticks of slow start: of one that comes in, left */
	enum trouble trouble;
	unsigned at; /* the backend with trouble */
};

static char *argv_true[] = {"/bin/true", NULL};
static const struct cfg_batch half = {
	{50, true}, {0, false}, {50, true}, {50, true}}; /* and half stays */

static inline enum hook_result run_update(struct daemon *d)
{
	struct pool *p = d->world;
	unsigned k = d->r.rolling.first + d->r.rolling.unit;
	bool back = d->r.rolling.back, fails;

	if (d->r.hook != HOOK_UPDATE)
		return HOOK_OK;
	CHECK(rolling_holds_out(&d->r, k));
	CHECK_INT(p->flows[k], 0);
	fails = k == p->at && p->trouble == (back ? BACK_FAILS : HOOK_FAILS);
	p->version[k] = fails ? 'b' : back ? 'o' : 'n';
	p->sight[k] = BACKEND_UNSEEN;
	return fails ? HOOK_FAILED : HOOK_OK;
}

static inline bool is_well(const struct daemon *d, const struct pool *p, unsigned k)
{
	bool here = k == p->at && p->version[k] == 'n';

	if (p->version[k] == 'b' || p->version[k] == 'd' ||
	    (here && (p->trouble == NEVER_UP || p->trouble == BACK_FAILS)))
		return false;
	return !(here && p->trouble == FALLS_LATER && d->r.rolling.first <= k &&
		 d->r.rolling.step >= ROLLING_SERVE);
}

/* Time passes in the pool: checks come in, flows end where no new ones come. */
static inline void pool_tick(struct daemon *d)
{
	struct pool *p = d->world;

	d->f.fit = d->f.empty = true;
	for (unsigned k = 0; k < p->n; k++) {
		bool out = rolling_holds_out(&d->r, k);

		if (p->sight[k] == BACKEND_UNSEEN || !is_well(d, p, k))
			p->sight[k] = is_well(d, p, k) ? BACKEND_UP : BACKEND_DOWN;
		if (out)
			p->rises[k] = p->rise;
		else if (p->sight[k] == BACKEND_UP || p->sight[k] == BACKEND_RISING)
			p->sight[k] = p->rises[k] && p->rises[k]-- ? BACKEND_RISING : BACKEND_UP;
		p->flows[k] = out ? p->flows[k] / 2 : 3;
		d->f.empty &= !out || !p->flows[k];
		d->f.fit &= !out || p->sight[k] == BACKEND_UP;
	}
}

/* Enough are in service, and nothing unchecked is. */
static inline void check_service(const struct daemon *d)
{
	const struct pool *p = d->world;
	unsigned in = 0;

	for (unsigned k = 0; k < p->n; k++) {
		bool out = rolling_holds_out(&d->r, k);

		in += !out && p->sight[k] == BACKEND_UP;
		if (!out && p->trouble != FALLS_LATER && p->version[k] != 'o' &&
		    p->version[k] != 'd' && p->sight[k] != BACKEND_RISING)
			CHECK_INT(p->sight[k], BACKEND_UP);
	}
	if (!CHECK(in >= rolling_floor(&d->cfg.batch, p->n) || !d->r.rolling.n))
		printf("# %u in service, %s\n", in, p->version);
}

static inline void begin(struct daemon *d, struct pool *p, unsigned n, enum on_failure on_failure)
{
	struct rollout r = {
		.number = 7,
		.strategy = STRATEGY_ROLLING,
		.base = {ZDD_SHARE_UNITS},
		.rolling.in_place = true,
		.n_steps = 1,
		.steps = {{ZDD_SHARE_UNITS, {.min_ms = 2000, .until = UNTIL_TIME}}},
		.staging_ms = 5000,
		.bake_ms = 1000,
	};

	*p = (struct pool){.n = n, .version = "oooooooo"};
	p->version[n] = '\0';
	for (unsigned k = 0; k < n; k++)
		p->sight[k] = BACKEND_UP;
	daemon_start(d, &r);
	d->cfg.batch = half;
	d->cfg.on_failure = on_failure;
	d->cfg.hooks.argv[HOOK_UPDATE] = argv_true;
	d->run = run_update;
	d->world = p;
	d->f.passed_ms = 1000;
	d->f.in_force = true;
	d->f.backends = p->sight;
	d->f.n_backends = n;
	d->f.trouble = "connection refused";
	d->f.hook_text = "exit status 3";
}

static inline void note(struct daemon *d)
{
	char now[64];
	const char *last = strrchr(d->trail, ' ');
	bool batch = d->r.state == ROLLOUT_SHIFTING || d->r.state == ROLLOUT_WATCHING;

	snprintf(now, sizeof(now), " %s%s%s", rollout_state_word(d->r.state), batch ? "/" : "",
		 batch ? rolling_step_words[d->r.rolling.step] : "");
	if (!last || strcmp(last, now))
		snprintf(d->trail + strlen(d->trail), sizeof(d->trail) - strlen(d->trail), "%s",
			 now);
}

static inline void tick(struct daemon *d)
{
	pool_tick(d);
	daemon_tick(d);
	check_service(d);
	note(d);
}

/* crash_at: after so many looks. */
static inline unsigned to_the_end(struct daemon *d, unsigned crash_at)
{
	unsigned i;

	for (i = 0; i < 200 && !rollout_is_over(&d->r) && d->r.state != ROLLOUT_PAUSED; i++) {
		if (i == crash_at)
			daemon_crash(d);
		tick(d);
	}
	return i;
}

static inline void held_out(const struct daemon *d, char *out)
{
	const struct pool *p = d->world;

	for (unsigned k = 0; k < p->n; k++)
		out[k] = rolling_holds_out(&d->r, k) ? 'x' : '.';
	out[p->n] = '\0';
}

static inline void check_pool(const struct daemon *d, const char *versions, const char *out)
{
	const struct pool *p = d->world;
	char held[N_MAX + 1];

	held_out(d, held);
	CHECK_STR(p->version, versions);
	CHECK_STR(held, out);
}

#endif
