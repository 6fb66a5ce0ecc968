/* SPDX-License-Identifier: BSD-2-Clause */
#include <math.h>

#include "config.h"
#include "recording_write.h"
#include "view.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* A part of one as the format has it: to 0.01 %. */
static json_t *percent(double part)
{
	return json_sprintf("%g%%", round(part * 1e4) / 100);
}

static json_t *duration(uint64_t ms)
{
	char text[DURATION_TEXT];

	format_duration(text, sizeof(text), (uint32_t)ms);
	return json_string(text);
}

static json_t *policy_json(const struct judge_settings *set)
{
	return json_pack("{s:o, s:o, s:f, s:o, s:s}", "alpha", percent(set->alpha), "beta",
			 percent(set->beta), "margin", set->margin, "slo",
			 set->slo > 0 ? percent(set->slo) : json_null(), "slow",
			 set->quantile > .97 ? "p99" : "p95");
}

/* To the second, as the format has it. */
static json_t *second(uint64_t wall_ms)
{
	json_t *text = view_time(wall_ms), *cut = json_sprintf("%.19sZ", json_string_value(text));

	json_decref(text);
	return cut;
}

json_t *recording_head_json(const struct judge_names *names, const struct judge_settings *set,
			    uint64_t started_ms)
{
	json_t *signals = json_array(), *guards = json_array();

	for (unsigned i = 0; i < set->n_signals; i++)
		json_array_append_new(signals, json_string(set->signals[i]));
	for (unsigned i = 0; i < set->n_guards; i++)
		json_array_append_new(guards, json_string(set->guards[i].text));
	return json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:{s:o, s:o, s:o, s:o}, s:o, s:o}",
			 "zdd_counts", 1, "service", names->service, "canary", names->canary,
			 "live", names->live, "started", second(started_ms), "signals", signals,
			 "each", "min", duration(set->min_ms), "max", duration(set->max_ms),
			 "connections", number(set->min_connections), "sources",
			 number(set->min_sources), "judge", policy_json(set), "guards", guards);
}

static json_t *side_json(const struct judge_counts *c, enum side side)
{
	const struct judge_side *s = &c->side[side];
	json_t *o = json_pack("{s:o, s:o}", "n", number(s->n), "bad", number(s->bad));

	if (c->by_source) {
		json_object_set_new(o, "sources", number(s->sources));
		json_object_set_new(o, "bad_sources", number(s->bad_sources));
	}
	return o;
}

static bool is_empty(const struct judge_counts *c)
{
	return !c->side[CANARY].n && !c->side[LIVE].n;
}

static json_t *latency_json(const struct latency *l)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		if (l->count[i])
			json_array_append_new(list, json_pack("[i, i]", (int)i, (int)l->count[i]));
	return list;
}

json_t *recording_tick_json(const struct judge_settings *set, const struct judge_tick *t)
{
	json_t *counts = json_object();
	json_t *o = json_pack("{s:o, s:i, s:o, s:o, s:{s:o, s:o}}", "t_ms", number(t->t_ms), "step",
			      (int)t->step, "share", view_share(t->share_bp), "counts", counts,
			      "new_sources", "canary", number(t->new_sources[CANARY]), "live",
			      number(t->new_sources[LIVE]));

	for (unsigned i = 0; i < set->n_signals; i++)
		if ((int)i != set->slow && !is_empty(&t->counts[i]))
			json_object_set_new(counts, set->signals[i],
					    json_pack("{s:o, s:o}", "canary",
						      side_json(&t->counts[i], CANARY), "live",
						      side_json(&t->counts[i], LIVE)));
	if (set->slow >= 0)
		json_object_set_new(o, "first_byte",
				    json_pack("{s:o, s:o}", "canary",
					      latency_json(&t->first_byte[CANARY]), "live",
					      latency_json(&t->first_byte[LIVE])));
	return o;
}
