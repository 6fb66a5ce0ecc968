/* SPDX-License-Identifier: BSD-2-Clause */
/* The first line: who is compared, by which signals, and how strictly. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recording_value.h"

enum { FORMAT = 1 };

static int signal_of(const struct judge_settings *set, const char *name)
{
	for (unsigned i = 0; i < set->n_signals; i++)
		if (!strcmp(set->signals[i], name))
			return (int)i;
	return -1;
}

static int read_signals(const struct reader *in, const struct spot *at)
{
	struct judge_settings *set = &in->r->set;
	size_t i;
	json_t *value;

	set->slow = -1;
	if (!json_array_size(at->value) || json_array_size(at->value) > JUDGE_SIGNALS)
		return refuse(in, at, "a list of 1 to 16 names");
	json_array_foreach(at->value, i, value) {
		struct spot one = {at, "*", value};
		char name[ZDD_NAME_MAX];

		if (need_name(in, &one, name))
			return -EINVAL;
		if (signal_of(set, name) >= 0)
			return refuse(in, &one, "each name once");
		strcpy(set->signals[i], name);
		set->n_signals++;
	}
	set->slow = signal_of(set, "slow");
	return 0;
}

static int read_guards(const struct reader *in, const struct spot *at)
{
	struct judge_settings *set = &in->r->set;
	size_t i;
	json_t *value;

	if (at->value && (!json_is_array(at->value) || json_array_size(at->value) > JUDGE_GUARDS))
		return refuse(in, at, "a list of at most 8 guards");
	json_array_foreach(at->value, i, value) {
		const char *text = json_string_value(value);
		struct spot one = {at, "*", value};
		char why[RECORDING_ERROR / 2];
		int signal;

		if (!text || strlen(text) != json_string_length(value))
			return refuse(in, &one, "text like \"5xx > 5 % over 5m for 2m\"");
		if (guard_parse(text, &set->guards[i], why, sizeof(why))) {
			snprintf(in->error, RECORDING_ERROR, "%u: guards: %s", in->r->line, why);
			return -EINVAL;
		}
		signal = need_signal(in, &one, set->guards[i].signal);
		if (signal < 0)
			return signal;
		set->guard_signal[i] = (unsigned)signal;
		set->n_guards++;
	}
	return 0;
}

static int read_quantile(const struct reader *in, const struct spot *at)
{
	const char *text = json_string_value(at->value);

	if (!at->value)
		return 0;
	if (!text || (strcmp(text, "p95") && strcmp(text, "p99")))
		return refuse(in, at, "\"p95\" or \"p99\"");
	in->r->set.quantile = strcmp(text, "p95") ? .99 : .95;
	return 0;
}

static int read_margin(const struct reader *in, const struct spot *at)
{
	double margin = json_number_value(at->value);

	if (!at->value)
		return 0;
	if (!json_is_number(at->value) || !(margin >= 1.2 && margin <= 100))
		return refuse(in, at, "a number from 1.2 to 100");
	in->r->set.margin = margin;
	return 0;
}

static int read_policy(const struct reader *in, const struct spot *at)
{
	struct spot slo = spot_below(at, "slo"), alpha = spot_below(at, "alpha"),
		    beta = spot_below(at, "beta");
	struct spot margin = spot_below(at, "margin"), slow = spot_below(at, "slow");
	struct judge_settings *set = &in->r->set;
	int err = CHECK_KEYS(in, at, "alpha", "beta", "margin", "slo", "slow");

	if (!err)
		err = get_percent(in, &alpha, 50, &set->alpha);
	if (!err)
		err = get_percent(in, &beta, 50, &set->beta);
	if (!err)
		err = read_margin(in, &margin);
	if (!err && json_is_null(slo.value))
		set->slo = 0;
	else if (!err)
		err = get_percent(in, &slo, 99, &set->slo);
	return err ? err : read_quantile(in, &slow);
}

static int read_each(const struct reader *in, const struct spot *at)
{
	struct spot min = spot_below(at, "min"), max = spot_below(at, "max");
	struct spot connections = spot_below(at, "connections"),
		    sources = spot_below(at, "sources");
	struct judge_settings *set = &in->r->set;
	int err = CHECK_KEYS(in, at, "min", "max", "connections", "sources");

	if (!err)
		err = get_duration(in, &min, &set->min_ms);
	if (!err)
		err = get_duration(in, &max, &set->max_ms);
	if (!err && set->max_ms && set->max_ms < set->min_ms)
		err = refuse(in, max.value ? &max : &min, "min up to max");
	if (!err)
		err = get_count(in, &connections, RECORDING_COUNT_MAX, &set->min_connections);
	return err ? err : get_count(in, &sources, RECORDING_COUNT_MAX, &set->min_sources);
}

static int read_names(const struct reader *in, const struct spot *at)
{
	struct spot service = spot_below(at, "service"), canary = spot_below(at, "canary");
	struct spot live = spot_below(at, "live"), started = spot_below(at, "started");
	struct judge_names *names = &in->r->names;
	int err = need_name(in, &service, names->service);

	if (!err)
		err = need_name(in, &canary, names->canary);
	if (!err)
		err = need_name(in, &live, names->live);
	if (!err && !strcmp(names->live, names->canary))
		err = refuse(in, &live, "another pool than the canary");
	return err ? err : get_time(in, &started, &in->r->started_ms);
}

/* What DESIGN 5 gives as each: and judge: of a rollout. */
static const struct judge_settings defaults = {
	.alpha = .01,
	.beta = .01,
	.margin = 2,
	.slo = .005,
	.quantile = .95,
	.min_ms = 10 * 60000,
	.max_ms = 60 * 60000,
	.min_connections = 100,
};

int recording_head(const struct reader *in, const struct spot *at)
{
	struct spot format = spot_below(at, "zdd_counts"), signals = spot_below(at, "signals");
	struct spot guards = spot_below(at, "guards"), each = spot_below(at, "each");
	struct spot policy = spot_below(at, "judge");
	int err;

	in->r->set = defaults;
	if (json_integer_value(format.value) != FORMAT)
		return refuse(in, &format, "1, in the first line");
	err = CHECK_KEYS(in, at, "zdd_counts", "service", "canary", "live", "started", "signals",
			 "each", "judge", "guards");
	if (!err)
		err = read_names(in, at);
	if (!err)
		err = read_signals(in, &signals);
	if (!err)
		err = read_each(in, &each);
	if (!err)
		err = read_policy(in, &policy);
	if (!err)
		err = read_guards(in, &guards);
	in->r->begun = !err;
	return err ? err : LINE_HEAD;
}
