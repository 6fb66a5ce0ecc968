/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "judge_text.h"

enum { PIECE = 160 };

/* The sentence that is being written. */
struct says {
	const struct judge *j;
	const struct judge_names *names;
	struct judge_verdict v;
	char *out;
};

/* Of 10 minutes and more a guess has no seconds. */
static double guess(double ms)
{
	return ms < 600000 ? ms : ceil(ms / 60000) * 60000;
}

/* Two units at most, rounded up. */
static void time_text(char *out, size_t size, double ms)
{
	double s = ceil(ms / 1000), m = ceil(ms / 60000), h = ceil(ms / 3600000);

	if (ms < 1000)
		snprintf(out, size, "%.0fms", ms);
	else if (s < 60)
		snprintf(out, size, "%.0fs", s);
	else if (s < 3600)
		snprintf(out, size, fmod(s, 60) > 0 ? "%.0fm%.0fs" : "%.0fm", floor(s / 60),
			 fmod(s, 60));
	else if (m < 48 * 60)
		snprintf(out, size, fmod(m, 60) > 0 ? "%.0fh%.0fm" : "%.0fh", floor(m / 60),
			 fmod(m, 60));
	else
		snprintf(out, size, "%.0f days", ceil(h / 24));
}

static void percent_text(char *out, size_t size, double percent)
{
	snprintf(out, size, percent >= 10 ? "%.0f %%" : "%.2g %%", percent);
}

/* "14 of 52 (27 %)" */
static void part_text(char *out, size_t size, uint64_t bad, uint64_t n)
{
	char percent[32];

	percent_text(percent, sizeof(percent), n ? 100 * (double)bad / (double)n : 0);
	snprintf(out, size, n ? "%llu of %llu (%s)" : "%llu of %llu", (unsigned long long)bad,
		 (unsigned long long)n, percent);
}

static void evidence_text(char *out, size_t size, double log_e)
{
	if (log_e < log(1e6))
		snprintf(out, size, "%.3g", exp(log_e));
	else
		snprintf(out, size, "10^%.0f", floor(log_e / log(10)));
}

static void worse_text(const struct says *s)
{
	const struct judge_side *side = s->j->signal[s->v.signal].all.side;
	char canary[PIECE], live[PIECE], got[32];

	part_text(canary, sizeof(canary), side[CANARY].bad, side[CANARY].n);
	part_text(live, sizeof(live), side[LIVE].bad, side[LIVE].n);
	if (s->v.why == WHY_WORSE) {
		evidence_text(got, sizeof(got), judge_worse_log(s->j));
		snprintf(s->out, JUDGE_TEXT,
			 "%s is worse on %s: %s bad there, %s on %s in the same time; evidence %s, "
			 "%.0f is enough",
			 s->j->set.signals[s->v.signal], s->names->canary, canary, live,
			 s->names->live, got, 1 / s->j->set.alpha);
		return;
	}
	evidence_text(got, sizeof(got), judge_late_log(s->j));
	snprintf(
		s->out, JUDGE_TEXT,
		"%s became worse on %s on the way: %s bad there since the rollout began, %s on %s; "
		"evidence of a change %s, 10^6 is enough",
		s->j->set.signals[s->v.signal], s->names->canary, canary, live, s->names->live,
		got);
}

static void guard_text(const struct says *s)
{
	const struct guard_state *state = s->j->guard[s->v.guard];
	const char *guard = s->j->set.guards[s->v.guard].text;
	char part[SIDES][PIECE];

	for (int i = 0; i < SIDES; i++) {
		uint64_t n, bad;

		guard_sums(&state[i], &n, &bad);
		part_text(part[i], sizeof(part[i]), bad, n);
	}
	if (s->v.why == WHY_BOTH)
		snprintf(s->out, JUDGE_TEXT,
			 "%s and %s are both over the guard '%s', %s and %s bad; to go back would "
			 "mend nothing, a person has to look",
			 s->names->canary, s->names->live, guard, part[CANARY], part[LIVE]);
	else
		snprintf(s->out, JUDGE_TEXT,
			 "%s is over the guard '%s': %s bad; %s is not over it: %s",
			 s->names->canary, guard, part[CANARY], s->names->live, part[LIVE]);
}

static void split_text(const struct says *s)
{
	uint64_t canary = s->j->new_sources[CANARY];
	char part[PIECE], asked[32];

	part_text(part, sizeof(part), canary, canary + s->j->new_sources[LIVE]);
	snprintf(asked, sizeof(asked), "%g %%", s->j->share_bp / 100.0);
	snprintf(s->out, JUDGE_TEXT,
		 "the split is off: %s of the new clients went to %s and %s were asked for; counts "
		 "of such a split prove nothing, find out why",
		 part, s->names->canary, asked);
}

/* Of the signals that have yet to pass and can, the slowest; 0: there is none. */
static double slowest_ms(const struct judge *j, double share, unsigned *signal)
{
	double most = 0;

	for (unsigned i = 0; i < j->set.n_signals; i++) {
		double ms = judge_signal_passes(j, i) ? 0 : judge_signal_more_ms(j, i, share);

		if (ms > most && !isinf(ms)) {
			most = ms;
			*signal = i;
		}
	}
	return most;
}

static void how_long_text(const struct says *s, double now_ms, unsigned signal, char *out,
			  size_t size)
{
	double then_ms = INFINITY;
	char now[32], then[64] = "", text[32];
	unsigned other;

	if (s->j->share_bp < ZDD_SHARE_UNITS / 4)
		then_ms = slowest_ms(s->j, .25, &other);
	if (then_ms > 0 && then_ms < now_ms) {
		time_text(text, sizeof(text), guess(then_ms));
		snprintf(then, sizeof(then), ", or %s at a share of 25 %%", text);
	}
	time_text(now, sizeof(now), guess(now_ms));
	snprintf(out, size, "if it is as good as %s, %s takes about %s more at this traffic%s",
		 s->names->live, s->j->set.signals[signal], now, then);
}

static void never_text(const struct says *s, unsigned signal, char *out, size_t size)
{
	if (s->j->signal[signal].asked_for && !s->j->signal[signal].step.side[CANARY].n)
		snprintf(out, size, "%s has counted nothing of %s", s->j->set.signals[signal],
			 s->names->canary);
	else if ((int)signal == s->j->set.slow && !s->j->slow.frozen)
		snprintf(out, size, "too few answers of %s have shown yet what is slow",
			 s->names->live);
	else
		snprintf(out, size, "%s can never tell from such counts%s",
			 s->j->set.signals[signal],
			 judge_limit(s->j, signal) > 0 ? "" : "; an slo would help");
}

/* What the canary had, and what is missing. */
static void missing_text(const struct says *s, char *out, size_t size)
{
	char never[160] = "";
	unsigned never_signal, signal = 0;
	double all_ms = judge_more_ms(s->j, 0, &never_signal);
	double now_ms = slowest_ms(s->j, 0, &signal);

	if (isinf(all_ms))
		never_text(s, never_signal, never, sizeof(never));
	if (now_ms > 0) {
		how_long_text(s, now_ms, signal, out, size);
		if (never[0])
			snprintf(out + strlen(out), size - strlen(out), "; %s", never);
	} else {
		snprintf(out, size, "%s",
			 never[0] ? never
				  : "the evidence is there, time, connections or sources are not");
	}
}

static void time_is_text(const struct says *s)
{
	const struct judge *j = s->j;
	char spent[32], share[32], missing[JUDGE_TEXT / 2];
	uint64_t n = judge_connections(j);

	time_text(spent, sizeof(spent), (double)(j->t_ms - j->step_began_ms));
	snprintf(share, sizeof(share), "%g %%", j->share_bp / 100.0);
	if (!j->step) {
		snprintf(s->out, JUDGE_TEXT, "%s had no share yet", s->names->canary);
		return;
	}
	if (!n) {
		snprintf(s->out, JUDGE_TEXT,
			 "no traffic: %s had no connection in %s of step %u (%s), which is neither "
			 "failure nor success",
			 s->names->canary, spent, j->step, share);
		return;
	}
	missing_text(s, missing, sizeof(missing));
	snprintf(s->out, JUDGE_TEXT,
		 "%llu connections in %s of step %u (%s) do not tell whether %s is good or bad; %s",
		 (unsigned long long)n, spent, j->step, share, s->names->canary, missing);
}

static void good_text(const struct says *s)
{
	char spent[32], share[32];

	time_text(spent, sizeof(spent), (double)(s->j->t_ms - s->j->step_began_ms));
	snprintf(share, sizeof(share), "%g %%", s->j->share_bp / 100.0);
	snprintf(s->out, JUDGE_TEXT, "step %u (%s): %s is good enough, by %llu connections in %s",
		 s->j->step, share, s->names->canary, (unsigned long long)judge_connections(s->j),
		 spent);
}

void judge_text(const struct judge *j, const struct judge_names *names, struct judge_verdict v,
		char *out)
{
	static void (*const by_why[])(const struct says *) = {
		[WHY_TIME] = time_is_text, [WHY_GOOD] = good_text,   [WHY_WORSE] = worse_text,
		[WHY_LATE] = worse_text,   [WHY_GUARD] = guard_text, [WHY_BOTH] = guard_text,
		[WHY_SPLIT] = split_text,
	};
	struct says s = {j, names, v, out};

	by_why[v.why](&s);
}
