/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "passive.h"

enum {
	MOST_DOUBLINGS = 5,
	ANSWER_MS = 5000, /* a SYN that nobody answers in this time has failed */
	KEPT_MS = 3000,   /* answered and not reset for this long is good, data or not */
	RUN_MS = 300000,  /* failures this far apart are no run */
	FORGET_MS =
		60000, /* in for so long, and as long as the last wait: the back-off starts over */
};

/* ---- counters ---- */

/* What was counted since the last look; nothing when the counters began anew. */
static struct zdd_signal_row since_last(struct passive *p, const struct zdd_signal_row *now)
{
	struct zdd_signal_row d = {0};
	const uint64_t *old = (const uint64_t *)&p->last, *new = (const uint64_t *)now;
	uint64_t *out = (uint64_t *)&d;
	bool grew = p->known;

	for (size_t i = 0; i < sizeof(d) / sizeof(*out); i++)
		grew &= new[i] >= old[i];
	for (size_t i = 0; i < sizeof(d) / sizeof(*out) && grew; i++)
		out[i] = new[i] - old[i];
	p->last = *now;
	p->known = true;
	return d;
}

static uint64_t not_connected(const struct zdd_signal_row *d)
{
	return d->refused + d->silent + d->unreachable;
}

uint64_t passive_failures(const struct passive *p)
{
	return not_connected(&p->run) + p->run.reset_early;
}

/* "3 refused, 2 not answered" */
static void kinds(const struct zdd_signal_row *run, char *out, size_t size)
{
	const struct {
		uint64_t n;
		const char *word;
	} parts[] = {{run->refused, "refused"},
		     {run->silent, "not answered"},
		     {run->unreachable, "unreachable"},
		     {run->reset_early, "reset before any data"}};
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && at < size; i++)
		if (parts[i].n)
			at += (size_t)snprintf(out + at, size - at, "%s%llu %s", at ? ", " : "",
					       (unsigned long long)parts[i].n, parts[i].word);
}

/* ---- in ---- */

static void add(struct zdd_signal_row *run, const struct zdd_signal_row *d)
{
	run->refused += d->refused;
	run->silent += d->silent;
	run->unreachable += d->unreachable;
}

/* The counters do not say what came last, so the greater part of one look decides. An answer ends a
 * run of connections that were not made, data a run of early resets. */
static void count_run(struct passive *p, const struct zdd_signal_row *d, uint64_t now_ms)
{
	uint64_t lost = not_connected(d);
	bool fails = lost && lost >= d->answered;
	bool resets = d->reset_early && d->reset_early >= d->served;

	if (fails)
		add(&p->run, d);
	else if (d->answered)
		p->run.refused = p->run.silent = p->run.unreachable = 0;
	if (resets)
		p->run.reset_early += d->reset_early;
	else if (d->served)
		p->run.reset_early = 0;
	if (fails || resets)
		p->failed_ms = now_ms;
}

static uint64_t elapsed(uint64_t now_ms, uint64_t then_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

static void forget(struct passive *p, const struct cfg_passive *cfg,
		   const struct passive_facts *facts)
{
	uint64_t wait = passive_wait_ms(cfg, p->ejections);

	if (facts->check_down || elapsed(facts->now_ms, p->failed_ms) > RUN_MS)
		memset(&p->run, 0, sizeof(p->run));
	if (elapsed(facts->now_ms, p->since_ms) > (wait > FORGET_MS ? wait : FORGET_MS))
		p->ejections = 0;
}

static void go_out(struct passive *p, const struct cfg_passive *cfg, uint64_t now_ms)
{
	p->state = PASSIVE_EJECTED;
	p->ejections += p->ejections < UINT16_MAX;
	p->trial_ms = now_ms + passive_wait_ms(cfg, p->ejections);
}

static enum passive_event look_in(struct passive *p, const struct cfg_passive *cfg,
				  const struct zdd_signal_row *d, const struct passive_facts *facts)
{
	bool was = p->withheld;
	char text[80];

	forget(p, cfg, facts);
	if (!facts->check_down)
		count_run(p, d, facts->now_ms);
	p->withheld = passive_failures(p) >= cfg->failures && !facts->may_go;
	if (p->withheld)
		return was ? PASSIVE_NOTHING : PASSIVE_WITHHELD;
	if (passive_failures(p) < cfg->failures)
		return PASSIVE_NOTHING;
	kinds(&p->run, text, sizeof(text));
	snprintf(p->reason, sizeof(p->reason), "in a row: %s", text);
	memset(&p->run, 0, sizeof(p->run));
	go_out(p, cfg, facts->now_ms);
	p->since_ms = facts->now_ms;
	p->ejected++;
	return PASSIVE_OUT;
}

/* ---- out ---- */

static enum passive_event look_ejected(struct passive *p, const struct cfg_passive *cfg,
				       const struct passive_facts *facts)
{
	uint64_t latest = facts->now_ms + passive_wait_ms(cfg, p->ejections);

	if (p->trial_ms > latest) /* the clock was set back, or the configuration changed */
		p->trial_ms = latest;
	if (facts->check_down || facts->now_ms < p->trial_ms)
		return PASSIVE_NOTHING;
	p->state = PASSIVE_TRIAL;
	p->taken_ms = p->answered_ms = 0;
	return PASSIVE_TRY;
}

static enum passive_event failed(struct passive *p, const struct cfg_passive *cfg,
				 const struct zdd_signal_row *d, uint64_t now_ms)
{
	char text[80];

	kinds(d, text, sizeof(text));
	snprintf(p->reason, sizeof(p->reason), "trial: %s", text[0] ? text : "not answered");
	go_out(p, cfg, now_ms);
	return PASSIVE_FAILED;
}

static enum passive_event back(struct passive *p, uint64_t now_ms)
{
	p->state = PASSIVE_IN;
	p->since_ms = now_ms;
	p->reason[0] = '\0';
	return PASSIVE_BACK;
}

/* Early resets before the answer are of connections from before the ejection. */
static enum passive_event judge_trial(struct passive *p, const struct cfg_passive *cfg,
				      const struct zdd_signal_row *d, uint64_t now_ms)
{
	uint64_t lost = not_connected(d);

	if (lost && lost >= d->answered)
		return failed(p, cfg, d, now_ms);
	if (d->answered && !p->answered_ms)
		p->answered_ms = now_ms;
	if (!p->answered_ms)
		return elapsed(now_ms, p->taken_ms) < ANSWER_MS ? PASSIVE_NOTHING
								: failed(p, cfg, d, now_ms);
	if (d->reset_early && d->reset_early >= d->served)
		return failed(p, cfg, d, now_ms);
	return d->served || elapsed(now_ms, p->answered_ms) >= KEPT_MS ? back(p, now_ms)
								       : PASSIVE_NOTHING;
}

static enum passive_event look_trial(struct passive *p, const struct cfg_passive *cfg,
				     const struct zdd_signal_row *d,
				     const struct passive_facts *facts)
{
	if (!p->taken_ms && facts->taken)
		p->taken_ms = facts->now_ms;
	if (p->taken_ms)
		return judge_trial(p, cfg, d, facts->now_ms);
	if (!facts->check_down)
		return PASSIVE_NOTHING;
	p->state = PASSIVE_EJECTED;
	return PASSIVE_PUT_OFF;
}

enum passive_event passive_look(struct passive *p, const struct cfg_passive *cfg,
				const struct zdd_signal_row *now, const struct passive_facts *facts)
{
	struct zdd_signal_row d = since_last(p, now);

	switch (p->state) {
	case PASSIVE_IN:
		return look_in(p, cfg, &d, facts);
	case PASSIVE_EJECTED:
		return look_ejected(p, cfg, facts);
	case PASSIVE_TRIAL:
		return look_trial(p, cfg, &d, facts);
	}
	return PASSIVE_NOTHING;
}

void passive_hint(struct passive *p, uint64_t now_ms)
{
	if (p->state == PASSIVE_EJECTED && p->trial_ms > now_ms)
		p->trial_ms = now_ms;
}

void passive_clear(struct passive *p)
{
	uint64_t ejected = p->ejected;

	memset(p, 0, sizeof(*p));
	p->ejected = ejected;
}

void passive_recall(struct passive *p, uint64_t since_ms, uint64_t trial_ms, uint16_t ejections)
{
	memset(p, 0, sizeof(*p));
	p->state = PASSIVE_EJECTED;
	p->since_ms = since_ms;
	p->trial_ms = trial_ms;
	p->ejections = ejections;
	snprintf(p->reason, sizeof(p->reason), "before zddd started again");
}

uint64_t passive_wait_ms(const struct cfg_passive *cfg, unsigned ejections)
{
	unsigned doublings = ejections ? ejections - 1 : 0;

	return (uint64_t)cfg->back_off_ms
	       << (doublings < MOST_DOUBLINGS ? doublings : MOST_DOUBLINGS);
}
