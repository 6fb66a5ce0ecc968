/* SPDX-License-Identifier: BSD-2-Clause */
/* Evidence from counts, valid at every look (Lindon and Malek, arXiv 2011.03567): products of
 * likelihood ratios, whose mean over a few alternatives is an e-value. When the hypothesis is true,
 * it ever passes 1/alpha with a probability of alpha at most (Ville). Pure.
 *
 * All is kept as natural logarithms in doubles. A tick moves one by less than 1e11 (counts are at
 * most 1e9, ratios at most 1e4), so that neither overflow nor infinity can come up; what a sum loses
 * by rounding is 1e-16 of its size. Feeding a tick without bad events changes nothing but the slo. */
#ifndef ZDD_EVIDENCE_H
#define ZDD_EVIDENCE_H

#include <stddef.h>

/* c of the m bad events of a tick are the canary's, which had the part q (0..1) of the exposures;
 * an event of a side without exposures is the caller's to refuse. */
struct bad_events {
	double c, m, q;
};

enum { N_WORSE = 9, N_BETS = 3, N_OK = 4, N_SLO = 3, N_SPLIT = 6 };

struct worse {
	double log[N_WORSE];  /* since the rollout began */
	double late[N_WORSE]; /* the same, each set back to 0 by the tick after it fell below */
};

struct bets {
	double log[N_BETS], late[N_BETS]; /* as of struct worse */
};

struct ok {
	double log[N_OK];
};

struct slo {
	double log[N_SLO];
};

struct split {
	double log[N_SPLIT];
};

/* What makes answers slow, a busy disk or a server that was not scheduled, makes many slow at once and
 * lasts for a while: how large such clumps are is seen from the baseline, by how much more its counts vary
 * from tick to tick than independent events would (Pearson's chi-square by its degrees of freedom), and by
 * how much like the one before a tick is. */
struct spread {
	double n, bad, square; /* sums of n, of bad, of bad^2 / n */
	double part, part_square,
		product; /* of the parts that were bad, and of each with the last one's */
	double last;
	unsigned ticks;
};

enum { SPREAD_TICKS = 10 };

/* bad of n exposures of one tick; nothing without exposures. */
void spread_feed(struct spread *, double bad, double n);
/* So many events say as much as one; 0: not known yet, after fewer than SPREAD_TICKS, else 1 or more. */
double spread_of(const struct spread *);
/* So many ticks do (Kish's design effect of a first-order autoregression); 1 or more. */
double spread_ticks(const struct spread *);

/* The hypothesis: the canary's rate of bad events is at most the baseline's. */
void worse_feed(struct worse *, struct bad_events);
double worse_log(const struct worse *);
/* An e-detector for a change on the way: it passes A once in A ticks at most while all is well. */
double late_log(const struct worse *);

/* The same hypothesis for what comes in clumps, by looks instead of events (wealth of bets: Waudby-Smith
 * and Ramdas, arXiv 2010.09686): a look moves it by what part (0..1) of each side's exposures was bad,
 * however many those were and however they hang together. It holds while looks do not depend on those
 * before; where `ticks` (1 or more) say as much as one, the root of the wealth is taken. */
void bets_feed(struct bets *, double canary, double live);
double bets_log(const struct bets *, double ticks);
double bets_late_log(const struct bets *, double ticks);

/* The hypothesis: the canary's rate is at least margin (above 1.15) times the baseline's. */
void ok_feed(struct ok *, struct bad_events, double margin);
double ok_log(const struct ok *);

/* The hypothesis: the canary's rate is at least limit (0..1). bad of n exposures, both the
 * canary's. */
void slo_feed(struct slo *, double bad, double n, double limit);
double slo_log(const struct slo *);

/* The hypothesis: each new source falls to the canary with the probability share (0..1). */
void split_feed(struct split *, double canary, double all, double share);
double split_log(const struct split *);

/* Further bad events of either side until ok reaches ln target, when the canary is as good as the
 * baseline; further exposures of the canary until slo does, when its rate stays p. By the best
 * alternative alone, so rather too many. INFINITY: never. */
double ok_left(const struct ok *, double q, double margin, double target);
double slo_left(const struct slo *, double p, double limit, double target);

/* ln of the mean of exp(logs[i]) */
double log_mean_exp(const double *logs, size_t n);

#endif
