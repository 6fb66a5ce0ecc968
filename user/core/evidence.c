/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "evidence.h"

/* Alternatives: the canary's rate by the baseline's, its rate by the limit, its odds of a new
 * source by those asked for. */
static const double worse_by[N_WORSE] = {1.25, 1.5, 2, 3, 5, 8, 15, 40, 150};
static const double stakes[N_BETS] = {.15, .4, .9}; /* parts of the wealth */
static const double ok_by[N_OK] = {.5, .8, 1, 1.15};
static const double slo_by[N_SLO] = {.05, .25, .6};
static const double split_by[N_SPLIT] = {.25, .5, .8, 1.25, 2, 4};

/* Of an event that is the canary's with the probability rho q / (1 + q (rho - 1)), against q. */
static double log_ratio(double rho, struct bad_events e)
{
	return e.c * log(rho) - e.m * log1p(e.q * (rho - 1));
}

double log_mean_exp(const double *logs, size_t n)
{
	double top = logs[0], sum = 0;

	for (size_t i = 1; i < n; i++)
		top = fmax(top, logs[i]);
	for (size_t i = 0; i < n; i++)
		sum += exp(logs[i] - top);
	return top + log(sum / (double)n);
}

void spread_feed(struct spread *s, double bad, double n)
{
	if (!(n > 0))
		return;
	s->n += n;
	s->bad += bad;
	s->square += bad * bad / n;
	s->part += bad / n;
	s->part_square += bad / n * (bad / n);
	s->product += s->ticks ? bad / n * s->last : 0;
	s->last = bad / n;
	s->ticks++;
}

static double dispersion(const struct spread *s)
{
	double p = s->n > 0 ? s->bad / s->n : 0;

	if (s->ticks < SPREAD_TICKS)
		return 0;
	if (!(p > 0 && p < 1))
		return 1;
	return fmax(1, (s->square - p * s->bad) / ((s->ticks - 1) * p * (1 - p)));
}

double spread_ticks(const struct spread *s)
{
	double mean = s->part / s->ticks, like;

	if (!(dispersion(s) > 1))
		return 1;
	like = (s->product / (s->ticks - 1) - mean * mean) /
	       (s->part_square / s->ticks - mean * mean);
	like = fmin(fmax(like, 0), .95);
	return (1 + like) / (1 - like);
}

double spread_of(const struct spread *s)
{
	return dispersion(s) * spread_ticks(s);
}

void worse_feed(struct worse *w, struct bad_events e)
{
	for (size_t k = 0; k < N_WORSE; k++) {
		double step = e.m > 0 ? log_ratio(worse_by[k], e) : 0;

		w->log[k] += step;
		w->late[k] = fmax(w->late[k], 0) + step;
	}
}

double worse_log(const struct worse *w)
{
	return log_mean_exp(w->log, N_WORSE);
}

double late_log(const struct worse *w)
{
	return log_mean_exp(w->late, N_WORSE);
}

void bets_feed(struct bets *b, double canary, double live)
{
	for (size_t k = 0; k < N_BETS; k++) {
		double step = log1p(stakes[k] * (canary - live));

		b->log[k] += step;
		b->late[k] = fmax(b->late[k], 0) + step;
	}
}

static double mean_of_roots(const double *logs, double ticks)
{
	double roots[N_BETS];

	for (size_t k = 0; k < N_BETS; k++)
		roots[k] = logs[k] / ticks;
	return log_mean_exp(roots, N_BETS);
}

double bets_log(const struct bets *b, double ticks)
{
	return mean_of_roots(b->log, ticks);
}

double bets_late_log(const struct bets *b, double ticks)
{
	return mean_of_roots(b->late, ticks);
}

void ok_feed(struct ok *o, struct bad_events e, double margin)
{
	for (size_t j = 0; e.m > 0 && j < N_OK; j++)
		o->log[j] += log_ratio(ok_by[j], e) - log_ratio(margin, e);
}

double ok_log(const struct ok *o)
{
	return log_mean_exp(o->log, N_OK);
}

static double slo_step(size_t j, double bad, double n, double limit)
{
	return bad * log(slo_by[j]) + (n - bad) * (log1p(-slo_by[j] * limit) - log1p(-limit));
}

void slo_feed(struct slo *s, double bad, double n, double limit)
{
	for (size_t j = 0; j < N_SLO; j++)
		s->log[j] += slo_step(j, bad, n, limit);
}

double slo_log(const struct slo *s)
{
	return log_mean_exp(s->log, N_SLO);
}

void split_feed(struct split *s, double canary, double all, double share)
{
	struct bad_events e = {canary, all, share};

	for (size_t k = 0; k < N_SPLIT; k++)
		s->log[k] += log_ratio(split_by[k], e);
}

double split_log(const struct split *s)
{
	return log_mean_exp(s->log, N_SPLIT);
}

/* Of one alternative among n that has come as far as log and gains growth each time. */
static double left(double log_now, size_t n, double growth, double target)
{
	double need = target + log((double)n) - log_now;

	if (need <= 0)
		return 0;
	return growth > 0 ? need / growth : INFINITY;
}

double ok_left(const struct ok *o, double q, double margin, double target)
{
	struct bad_events one = {q, 1, q};
	double least = INFINITY;

	for (size_t j = 0; j < N_OK; j++)
		least = fmin(least,
			     left(o->log[j], N_OK,
				  log_ratio(ok_by[j], one) - log_ratio(margin, one), target));
	return least;
}

double slo_left(const struct slo *s, double p, double limit, double target)
{
	double least = INFINITY;

	for (size_t j = 0; j < N_SLO; j++)
		least = fmin(least, left(s->log[j], N_SLO, slo_step(j, p, 1, limit), target));
	return least;
}
