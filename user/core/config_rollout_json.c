/* SPDX-License-Identifier: BSD-2-Clause */
/* A `rollout` as config_rollout.c reads it, presets and short forms spelt out. */
#include <string.h>

#include "config_json.h"

static json_t *hundredths(unsigned value, const char *unit)
{
	return json_sprintf("%g%s", value / 100.0, unit);
}

/* Only evidence has an end and counts: the parser refuses them with others. */
static void put_each(json_t *o, const struct cfg_each *e)
{
	json_object_set_new(o, "min", json_duration(e->min_ms));
	json_object_set_new(o, "until", json_string(until_words[e->until]));
	if (e->until != UNTIL_EVIDENCE)
		return;
	json_object_set_new(o, "max", json_duration(e->max_ms));
	json_object_set_new(o, "connections", json_integer(e->min_connections));
	json_object_set_new(o, "sources", json_integer(e->min_sources));
}

static json_t *each(const struct cfg_each *e)
{
	json_t *o = json_object();

	put_each(o, e);
	return o;
}

static json_t *step(const struct cfg_step *s, const struct cfg_each *common)
{
	json_t *share = hundredths(s->share, "%"), *o;

	if (!memcmp(&s->each, common, sizeof(*common)))
		return share;
	o = json_pack("{s:o}", "share", share);
	put_each(o, &s->each);
	return o;
}

static json_t *steps(const struct cfg_rollout *ro)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ro->n_steps; i++)
		json_array_append_new(list, step(&ro->steps[i], &ro->each));
	return list;
}

static json_t *guards(const struct cfg_rollout *ro)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ro->n_guards; i++)
		json_array_append_new(list, json_string(ro->guards[i].text));
	return list;
}

static json_t *judge(const struct cfg_judge *j)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:i}", "mode", judge_mode_words[j->mode],
			 "alpha", hundredths(j->alpha_bp, "%"), "beta", hundredths(j->beta_bp, "%"),
			 "margin", hundredths(j->margin_hundredths, ""), "slo",
			 hundredths(j->slo_bp, "%"), "quantile", j->quantile);
}

static json_t *amount(struct cfg_amount a)
{
	return json_sprintf("%u%s", a.value, a.percent ? "%" : "");
}

static json_t *batch(const struct cfg_batch *b)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "max_parallel", amount(b->max_parallel),
			 "max_surge", amount(b->max_surge), "max_unavailable",
			 amount(b->max_unavailable), "min_available", amount(b->min_available));
}

static json_t *hooks(const struct cfg_hooks *h)
{
	json_t *o = json_pack("{s:o}", "timeout", json_duration(h->timeout_ms));

	for (unsigned i = 0; i < HOOKS; i++)
		if (h->argv[i])
			json_object_set_new(o, hook_words[i], json_words(h->argv[i]));
	if (h->user)
		json_object_set_new(o, "user", json_string(h->user));
	return o;
}

static json_t *prometheus(const struct cfg_prometheus *p)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "url", p->url, "bad", p->bad, "n", p->n,
			 "interval", json_duration(p->interval_ms));
}

static json_t *notify(const struct cfg_rollout *ro)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ro->n_webhooks; i++)
		json_array_append_new(list, json_string(ro->webhooks[i]));
	return list;
}

json_t *rollout_config_to_json(const struct cfg_rollout *ro)
{
	json_t *o = json_object();

	json_object_set_new(o, "strategy", json_string(strategy_words[ro->strategy]));
	json_object_set_new(o, "each", each(&ro->each));
	json_object_set_new(o, "steps", steps(ro));
	if (ro->n_guards)
		json_object_set_new(o, "guards", guards(ro));
	json_object_set_new(o, "judge", judge(&ro->judge));
	if (ro->prometheus.url)
		json_object_set_new(o, "prometheus", prometheus(&ro->prometheus));
	json_object_set_new(o, "on_inconclusive",
			    json_string(on_inconclusive_words[ro->on_inconclusive]));
	json_object_set_new(o, "on_conflict", json_string(on_conflict_words[ro->on_conflict]));
	json_object_set_new(o, "on_failure", json_string(on_failure_words[ro->on_failure]));
	json_object_set_new(o, "staging_timeout", json_duration(ro->staging_ms));
	json_object_set_new(o, "bake", json_duration(ro->bake_ms));
	json_object_set_new(o, "lease", json_duration(ro->lease_ms));
	json_object_set_new(o, "batch", batch(&ro->batch));
	json_object_set_new(o, "hooks", hooks(&ro->hooks));
	if (ro->n_webhooks)
		json_object_set_new(o, "notify", notify(ro));
	return o;
}
