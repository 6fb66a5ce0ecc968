/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>
#include <string.h>

#include "judge.h"

static const double split_alpha = 1e-3; /* a broken instrument is said with more certainty */

void judge_begin(struct judge *j, const struct judge_settings *set)
{
	memset(j, 0, sizeof(*j));
	j->set = *set;
	if (set->slow >= 0)
		j->signal[set->slow].clumped = true;
	for (unsigned i = 0; i < set->n_signals; i++)
		j->signal[i].asked_for = !strcmp(set->signals[i], JUDGE_EXTERNAL);
}

/* ---- counts to events ---- */

static double part(uint64_t canary, uint64_t live)
{
	return canary + live ? (double)canary / (double)(canary + live) : 0;
}

static struct bad_events raw_events(const struct judge_counts *c)
{
	const struct judge_side *canary = &c->side[CANARY], *live = &c->side[LIVE];

	return (struct bad_events){(double)canary->bad, (double)(canary->bad + live->bad),
				   part(canary->n, live->n)};
}

static struct bad_events source_events(const struct judge_counts *c, double q)
{
	const struct judge_side *canary = &c->side[CANARY], *live = &c->side[LIVE];

	return (struct bad_events){(double)canary->bad_sources,
				   (double)(canary->bad_sources + live->bad_sources), q};
}

/* Slow answers come in clumps, whoever asks. Nothing is fed before it is known how large they are. And a
 * canary may be the first to stall, when nothing says how few events that is: only those that are far apart
 * speak for worse here, else whole ticks do. */
static void feed_clumps(struct judge_signal *s, const struct judge_counts *c, double margin)
{
	double spread = spread_of(&s->ticks[0].spread);
	struct bad_events e = raw_events(c);

	if (!(spread > 0))
		return;
	e.c /= spread;
	e.m /= spread;
	if (s->open_ticks >= JUDGE_APART)
		worse_feed(&s->worse, e);
	ok_feed(&s->ok_raw, e, margin);
	ok_feed(&s->ok_sources, e, margin);
}

static double part_bad(const struct judge_side *side)
{
	return (double)side->bad / (double)side->n;
}

/* Of a tick with many slow answers it is the tick that counts. */
static void feed_tick(struct ticks *t, const struct judge_counts *c)
{
	const struct judge_side *canary = &c->side[CANARY], *live = &c->side[LIVE];

	spread_feed(&t->spread, (double)live->bad, (double)live->n);
	if (canary->n && live->n)
		bets_feed(&t->bets, part_bad(canary), part_bad(live));
}

/* A busy client weighs as much as its connections while errors are rare, and as one source when all
 * meet them. The truth lies between, so each hypothesis gets the part that speaks for it: worse falls
 * as q grows, ok rises. */
static void feed_signal(struct judge_signal *s, const struct judge_counts *c, double margin)
{
	struct bad_events raw = raw_events(c);
	double sources = part(c->side[CANARY].sources, c->side[LIVE].sources);

	ok_feed(&s->ok_raw, raw, margin);
	if (!c->by_source) {
		worse_feed(&s->worse, raw);
		ok_feed(&s->ok_sources, raw, margin);
		return;
	}
	worse_feed(&s->worse, source_events(c, fmax(raw.q, sources)));
	ok_feed(&s->ok_sources, source_events(c, fmin(raw.q, sources)), margin);
}

static void feed_clumped_slo(struct judge_signal *s, const struct judge_side *canary, double slo)
{
	double clump = spread_of(&s->ticks[0].spread), bad = (double)canary->bad / clump;
	double n = (double)canary->n / clump;

	if (!(clump > 0))
		return;
	slo_feed(&s->slo_raw, bad, n, slo);
	slo_feed(&s->slo_sources, bad, n, slo);
}

static void feed_slo(struct judge_signal *s, const struct judge_counts *c, double slo)
{
	const struct judge_side *canary = &c->side[CANARY];

	if (s->clumped) {
		feed_clumped_slo(s, canary, slo);
		return;
	}
	slo_feed(&s->slo_raw, (double)canary->bad, (double)canary->n, slo);
	if (c->by_source)
		slo_feed(&s->slo_sources, (double)canary->bad_sources, (double)canary->sources,
			 slo);
	else
		slo_feed(&s->slo_sources, (double)canary->bad, (double)canary->n, slo);
}

static void add(struct judge_counts *sum, const struct judge_counts *c)
{
	sum->by_source |= c->by_source;
	for (int i = 0; i < SIDES; i++) {
		sum->side[i].n += c->side[i].n;
		sum->side[i].bad += c->side[i].bad;
		sum->side[i].sources += c->side[i].sources;
		sum->side[i].bad_sources += c->side[i].bad_sources;
	}
}

double judge_limit(const struct judge *j, unsigned signal)
{
	double slow = j->set.margin * (1 - j->set.quantile);

	if ((int)signal != j->set.slow)
		return j->set.slo;
	return slow < 1 ? slow : 0;
}

/* A tick's counts with those of "slow", which come from its histograms. */
struct heard {
	const struct judge_tick *tick;
	struct judge_counts slow[SLOW_LEVELS];
};

static const struct judge_counts *counts_of(const struct judge *j, const struct heard *h,
					    unsigned i)
{
	return (int)i == j->set.slow ? &h->slow[0] : &h->tick->counts[i];
}

static struct heard hear(const struct judge *j, const struct judge_tick *t)
{
	struct heard h = {.tick = t};

	for (int i = 0; i < SIDES; i++)
		for (unsigned k = 0; k < SLOW_LEVELS; k++)
			slow_count(&j->slow, &t->first_byte[i], k, &h.slow[k].side[i].n,
				   &h.slow[k].side[i].bad);
	return h;
}

static void look(struct judge_signal *s, double margin)
{
	if (s->clumped)
		feed_clumps(s, &s->open, margin);
	else
		feed_signal(s, &s->open, margin);
	memset(&s->open, 0, sizeof(s->open));
	s->open_ticks = 0;
}

static uint64_t exposures(const struct judge_counts *c)
{
	return c->side[CANARY].n + c->side[LIVE].n;
}

/* Ticks are gathered until both sides have some exposures: a tick with one request of the canary
 * and five of live would be compared as if it got a sixth of them, and not its share. Outcomes have
 * no say in when it is enough. */
static void gather(struct judge_signal *s, const struct judge_counts *c, double margin)
{
	if (s->open.by_source != c->by_source && exposures(&s->open) && exposures(c))
		look(s, margin);
	add(&s->open, c);
	s->open_ticks++;
	if (s->open.side[CANARY].n >= JUDGE_LOOK && s->open.side[LIVE].n >= JUDGE_LOOK)
		look(s, margin);
}

static void feed_counts(struct judge *j, const struct heard *h)
{
	for (unsigned i = 0; i < j->set.n_signals; i++) {
		struct judge_signal *s = &j->signal[i];
		const struct judge_counts *c = counts_of(j, h, i);

		gather(s, c, j->set.margin);
		for (unsigned k = 0; s->clumped && k < SLOW_LEVELS; k++)
			feed_tick(&s->ticks[k], &h->slow[k]);
		if (judge_limit(j, i) > 0)
			feed_slo(s, c, judge_limit(j, i));
		add(&s->step, c);
		add(&s->all, c);
	}
	slow_learn(&j->slow, &h->tick->first_byte[LIVE], j->set.quantile);
}

static void begin_step(struct judge *j, unsigned step)
{
	for (unsigned i = 0; i < j->set.n_signals; i++) {
		struct judge_signal *s = &j->signal[i];

		look(s, j->set.margin);
		memset(&s->ok_raw, 0, sizeof(s->ok_raw));
		memset(&s->ok_sources, 0, sizeof(s->ok_sources));
		memset(&s->slo_raw, 0, sizeof(s->slo_raw));
		memset(&s->slo_sources, 0, sizeof(s->slo_sources));
		memset(&s->step, 0, sizeof(s->step));
	}
	slow_step(&j->slow, j->set.quantile);
	j->step = step;
	j->step_began_ms = j->t_ms;
	j->passed = false;
}

static void feed_split(struct judge *j, const struct judge_tick *t)
{
	uint64_t canary = t->new_sources[CANARY], all = canary + t->new_sources[LIVE];

	j->new_sources[CANARY] += canary;
	j->new_sources[LIVE] += t->new_sources[LIVE];
	if (t->share_bp > 0 && t->share_bp < ZDD_SHARE_UNITS)
		split_feed(&j->split, (double)canary, (double)all,
			   (double)t->share_bp / ZDD_SHARE_UNITS);
}

/* ---- evidence ---- */

/* Of what is clumped each may speak, events and the ticks of each level, once it is known how long clumps
 * last: their average is evidence as they are. */
static double any(const struct judge_signal *s, double events,
		  double (*of)(const struct bets *, double))
{
	double logs[1 + SLOW_LEVELS] = {events};

	if (!s->clumped || !(spread_of(&s->ticks[0].spread) > 0))
		return events;
	for (unsigned k = 0; k < SLOW_LEVELS; k++)
		logs[1 + k] = of(&s->ticks[k].bets, spread_ticks(&s->ticks[k].spread));
	return log_mean_exp(logs, 1 + SLOW_LEVELS);
}

double judge_signal_worse_log(const struct judge_signal *s)
{
	return any(s, worse_log(&s->worse), bets_log);
}

double judge_signal_late_log(const struct judge_signal *s)
{
	return any(s, late_log(&s->worse), bets_late_log);
}

static double over_signals(const struct judge *j, double (*of)(const struct judge_signal *),
			   unsigned *top)
{
	double logs[JUDGE_SIGNALS];

	*top = 0;
	for (unsigned i = 0; i < j->set.n_signals; i++) {
		logs[i] = of(&j->signal[i]);
		if (logs[i] > logs[*top])
			*top = i;
	}
	return log_mean_exp(logs, j->set.n_signals);
}

double judge_worse_log(const struct judge *j)
{
	unsigned top;

	return over_signals(j, judge_signal_worse_log, &top);
}

double judge_late_log(const struct judge *j)
{
	unsigned top;

	return over_signals(j, judge_signal_late_log, &top);
}

double judge_ok_log(const struct judge_signal *s)
{
	return fmin(ok_log(&s->ok_raw), ok_log(&s->ok_sources));
}

double judge_slo_log(const struct judge_signal *s)
{
	return fmin(slo_log(&s->slo_raw), slo_log(&s->slo_sources));
}

/* Either may speak for the canary; their average keeps beta for both together. What neither side met
 * in this step (a service without HTTP, connections that never end) is no obstacle, unless a person
 * asked for it. */
bool judge_signal_passes(const struct judge *j, unsigned signal)
{
	const struct judge_signal *s = &j->signal[signal];
	double both[] = {judge_ok_log(s), judge_slo_log(s)};

	return (!exposures(&s->step) && !s->asked_for) ||
	       log_mean_exp(both, judge_limit(j, signal) > 0 ? 2 : 1) >= -log(j->set.beta);
}

/* ---- the verdict ---- */

static bool find_worse(const struct judge *j, struct judge_verdict *v)
{
	v->result = JUDGE_ROLLED_BACK;
	v->why = WHY_WORSE;
	if (over_signals(j, judge_signal_worse_log, &v->signal) >= -log(j->set.alpha))
		return true;
	v->why = WHY_LATE;
	return over_signals(j, judge_signal_late_log, &v->signal) >= log(JUDGE_LATE_TICKS);
}

/* When the live pool is over the limit too, going back to it mends nothing. */
static bool find_guard(struct judge *j, const struct heard *h, struct judge_verdict *v)
{
	bool found = false;

	for (unsigned i = 0; i < j->set.n_guards; i++) {
		const struct guard *g = &j->set.guards[i];
		const struct judge_side *side = counts_of(j, h, j->set.guard_signal[i])->side;
		struct guard_state *state = j->guard[i];
		bool fires = false, both;

		for (int k = LIVE; k >= CANARY; k--)
			fires = guard_feed(g, &state[k], h->tick->t_ms, side[k].n, side[k].bad);
		if (!fires || found)
			continue;
		found = true;
		v->guard = i;
		v->signal = j->set.guard_signal[i];
		both = guard_was_over(g, &state[LIVE], h->tick->t_ms);
		v->result = both ? JUDGE_PAUSED : JUDGE_ROLLED_BACK;
		v->why = both ? WHY_BOTH : WHY_GUARD;
	}
	return found;
}

static bool find_split(const struct judge *j, struct judge_verdict *v)
{
	v->result = JUDGE_PAUSED;
	v->why = WHY_SPLIT;
	return split_log(&j->split) >= -log(split_alpha);
}

uint64_t judge_connections(const struct judge *j)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < j->set.n_signals; i++)
		if (j->signal[i].step.side[CANARY].n > most)
			most = j->signal[i].step.side[CANARY].n;
	return most;
}

static bool find_pass(const struct judge *j, struct judge_verdict *v)
{
	v->result = JUDGE_PASSED;
	v->why = WHY_GOOD;
	if (!j->step || j->passed || j->t_ms - j->step_began_ms < j->set.min_ms ||
	    !judge_connections(j) || judge_connections(j) < j->set.min_connections ||
	    j->new_sources[CANARY] < j->set.min_sources)
		return false;
	for (unsigned i = 0; i < j->set.n_signals; i++)
		if (!judge_signal_passes(j, i))
			return false;
	return true;
}

static bool find_deadline(const struct judge *j, struct judge_verdict *v)
{
	if (!j->step || j->passed || !j->set.max_ms || j->t_ms - j->step_began_ms < j->set.max_ms)
		return false;
	v->result = JUDGE_INCONCLUSIVE;
	v->why = WHY_TIME;
	judge_more_ms(j, 0, &v->signal);
	return true;
}

struct judge_verdict judge_feed(struct judge *j, const struct judge_tick *t)
{
	struct judge_verdict guard = {0}, v = {0};
	struct heard h;
	bool guarded;

	if (t->step != j->step)
		begin_step(j, t->step);
	h = hear(j, t);
	feed_counts(j, &h);
	feed_split(j, t);
	guarded = find_guard(j, &h, &guard);
	j->t_ms = t->t_ms;
	j->share_bp = t->share_bp;
	j->ticks++;
	if (find_worse(j, &v))
		return v;
	if (guarded)
		return guard;
	if (find_split(j, &v) || find_pass(j, &v) || find_deadline(j, &v)) {
		j->passed |= v.result == JUDGE_PASSED;
		return v;
	}
	return (struct judge_verdict){0};
}

/* ---- how much longer ---- */

/* Of one signal; its events of both sides come as often at any share. */
double judge_signal_more_ms(const struct judge *j, unsigned signal, double share)
{
	const struct judge_signal *s = &j->signal[signal];
	const struct judge_side *canary = &s->step.side[CANARY], *live = &s->step.side[LIVE];
	double ms = (double)(j->t_ms - j->step_began_ms);
	double q = part(canary->n, live->n), scale = share > 0 && q > 0 ? share / q : 1;
	double n = (double)canary->n, bad = (double)canary->bad;
	double m = s->step.by_source ? (double)(canary->bad_sources + live->bad_sources)
				     : bad + (double)live->bad;
	double target = -log(j->set.beta), limit = judge_limit(j, signal), least = INFINITY;
	double spread = s->clumped ? fmax(1, spread_of(&s->ticks[0].spread)) : 1;

	m /= spread;
	if (!n)
		return INFINITY;
	if (limit > 0) {
		target += log(2);
		least = slo_left(&s->slo_sources,
				 (bad + (double)live->bad + .5) / (n + (double)live->n + 1), limit,
				 target) *
			spread * ms / (n * scale);
	}
	if (m)
		least = fmin(least,
			     ok_left(&s->ok_sources, q * scale, j->set.margin, target) * ms / m);
	return least;
}

double judge_more_ms(const struct judge *j, double share, unsigned *signal)
{
	double most = 0;

	*signal = 0;
	for (unsigned i = 0; i < j->set.n_signals; i++) {
		double ms = judge_signal_passes(j, i) ? 0 : judge_signal_more_ms(j, i, share);

		if (ms > most) {
			most = ms;
			*signal = i;
		}
	}
	return most;
}
