/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "judge_text.h"
#include "view.h"

const char *const judge_result_words[] = {
	[JUDGE_WATCHING] = "watching",         [JUDGE_PASSED] = "passed",
	[JUDGE_ROLLED_BACK] = "rolled_back",   [JUDGE_PAUSED] = "paused",
	[JUDGE_INCONCLUSIVE] = "inconclusive",
};

static const char *const why_words[] = {
	[WHY_TIME] = "time",   [WHY_GOOD] = "good",   [WHY_WORSE] = "worse",
	[WHY_LATE] = "late",   [WHY_GUARD] = "guard", [WHY_BOTH] = "both_are_bad",
	[WHY_SPLIT] = "split",
};

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* JSON has no infinity; exp(690) is 1e299. */
static json_t *evidence(double log_e)
{
	return json_real(exp(fmin(log_e, 690)));
}

static json_t *side_json(const struct judge_counts *c, enum side side)
{
	const struct judge_side *s = &c->side[side];

	return json_pack("{s:o, s:o, s:o, s:o}", "n", number(s->n), "bad", number(s->bad),
			 "sources", c->by_source ? number(s->sources) : json_null(), "bad_sources",
			 c->by_source ? number(s->bad_sources) : json_null());
}

static json_t *counts_json(const struct judge_counts *c)
{
	return json_pack("{s:o, s:o}", "canary", side_json(c, CANARY), "live", side_json(c, LIVE));
}

static json_t *signal_json(const struct judge *j, unsigned i)
{
	const struct judge_signal *s = &j->signal[i];
	bool tau = (int)i == j->set.slow && j->slow.frozen;

	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", j->set.signals[i],
			 "passes", judge_signal_passes(j, i), "worse",
			 evidence(judge_signal_worse_log(s)), "late",
			 evidence(judge_signal_late_log(s)), "ok", evidence(judge_ok_log(s)), "slo",
			 judge_limit(j, i) > 0 ? evidence(judge_slo_log(s)) : json_null(), "tau_us",
			 tau ? number(slow_tau_us(&j->slow)) : json_null(), "rollout",
			 counts_json(&s->all), "step", counts_json(&s->step));
}

static json_t *signals_json(const struct judge *j)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < j->set.n_signals; i++)
		json_array_append_new(list, signal_json(j, i));
	return list;
}

static json_t *split_json(const struct judge *j)
{
	return json_pack("{s:o, s:o, s:o}", "canary", number(j->new_sources[CANARY]), "live",
			 number(j->new_sources[LIVE]), "evidence", evidence(split_log(&j->split)));
}

/* Until the step passes, when the canary is as good as the live pool; null: passed, or never. */
static json_t *more_json(const struct judge *j)
{
	unsigned signal;
	double ms = judge_more_ms(j, 0, &signal);

	return j->passed || !(ms < 0x1p53) ? json_null() : json_integer((json_int_t)ceil(ms));
}

static json_t *named(struct judge_verdict v, const char *name)
{
	bool speaks =
		v.why == WHY_WORSE || v.why == WHY_LATE || v.why == WHY_GUARD || v.why == WHY_BOTH;

	return speaks ? json_string(name) : json_null();
}

static json_t *evidence_json(const struct judge *j)
{
	return json_pack("{s:o, s:f, s:o, s:f, s:f}", "worse", evidence(judge_worse_log(j)),
			 "worse_needed", 1 / j->set.alpha, "late", evidence(judge_late_log(j)),
			 "late_needed", JUDGE_LATE_TICKS, "pass_needed", 1 / j->set.beta);
}

json_t *judge_json(const struct judge *j, const struct judge_names *names, struct judge_verdict v)
{
	bool guarded = v.why == WHY_GUARD || v.why == WHY_BOTH;
	char text[JUDGE_TEXT];

	judge_text(j, names, v, text);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o}",
		"service", names->service, "canary", names->canary, "live", names->live, "result",
		judge_result_words[v.result], "why", why_words[v.why], "text", text, "step",
		(int)j->step, "share", view_share(j->share_bp), "at_ms", number(j->t_ms), "ticks",
		number(j->ticks), "signal", named(v, j->set.signals[v.signal]), "guard",
		guarded ? json_string(j->set.guards[v.guard].text) : json_null(), "more_ms",
		more_json(j), "evidence", evidence_json(j), "split", split_json(j), "signals",
		signals_json(j));
}
