/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "recording_value.h"

#define TIME_MAX (1ull << 53)

static int read_side(const struct reader *in, const struct spot *at, struct judge_side *s,
		     bool *by_source)
{
	struct spot n = spot_below(at, "n"), bad = spot_below(at, "bad"),
		    sources = spot_below(at, "sources");
	struct spot bad_sources = spot_below(at, "bad_sources");
	int err = CHECK_KEYS(in, at, "n", "bad", "sources", "bad_sources");

	if (!err && !at->value)
		err = refuse(in, at, "an object");
	if (!err && !n.value)
		err = refuse(in, &n, "how many connections there were");
	if (!err && !bad.value)
		err = refuse(in, &bad, "how many of n were bad");
	if (!err && !sources.value != !bad_sources.value)
		err = refuse(in, sources.value ? &bad_sources : &sources, "both or neither");
	if (!err)
		err = get_count(in, &n, RECORDING_COUNT_MAX, &s->n);
	if (!err)
		err = get_part(in, &bad, s->n, "n", &s->bad);
	if (!err)
		err = get_part(in, &sources, s->n, "n", &s->sources);
	if (!err)
		err = get_part(in, &bad_sources, s->bad, "bad", &s->bad_sources);
	if (!err)
		err = get_part(in, &bad_sources, s->sources, "sources", &s->bad_sources);
	*by_source = sources.value;
	if (!err && *by_source && s->n && !s->sources)
		err = refuse(in, &sources, "at least one source of n connections");
	if (!err && *by_source && s->bad && !s->bad_sources)
		err = refuse(in, &bad_sources, "at least one source of bad connections");
	return err;
}

static int read_signal(const struct reader *in, const struct spot *at, struct judge_counts *out)
{
	struct spot canary = spot_below(at, "canary"), live = spot_below(at, "live");
	bool by_source = false, live_by_source = false;
	int err = CHECK_KEYS(in, at, "canary", "live");

	if (!err)
		err = read_side(in, &canary, &out->side[CANARY], &by_source);
	if (!err)
		err = read_side(in, &live, &out->side[LIVE], &live_by_source);
	if (!err && by_source != live_by_source)
		err = refuse(in, by_source ? &live : &canary, "sources as on the other side");
	out->by_source = by_source;
	return err;
}

static int read_counts(const struct reader *in, const struct spot *at, struct judge_tick *tick)
{
	const char *key;
	json_t *value;

	if (at->value && !json_is_object(at->value))
		return refuse(in, at, "an object");
	json_object_foreach(at->value, key, value) {
		struct spot one = {at, key, value};
		int signal = need_signal(in, &one, key);

		if (signal < 0)
			return signal;
		if (signal == in->r->set.slow)
			return refuse(in, &one, "first_byte: slow is counted from there");
		if (read_signal(in, &one, &tick->counts[signal]))
			return -EINVAL;
	}
	return 0;
}

/* [[bucket, count], ...] */
static int read_latency(const struct reader *in, const struct spot *at, struct latency *out)
{
	size_t i;
	json_t *value;

	if (at->value && !json_is_array(at->value))
		return refuse(in, at, "a list of [bucket, count]");
	json_array_foreach(at->value, i, value) {
		struct spot pair = {at, "*", value};
		struct spot first = {&pair, "bucket", json_array_get(value, 0)};
		struct spot second = {&pair, "count", json_array_get(value, 1)};
		uint64_t bucket = 0, count = 0;

		if (json_array_size(value) != 2)
			return refuse(in, &pair, "[bucket, count]");
		if (get_count(in, &first, LATENCY_BUCKETS - 1, &bucket))
			return -EINVAL;
		if (get_count(in, &second, RECORDING_COUNT_MAX - out->count[bucket], &count))
			return -EINVAL;
		out->count[bucket] += (uint32_t)count;
	}
	return 0;
}

static int read_first_byte(const struct reader *in, const struct spot *at, struct judge_tick *tick)
{
	struct spot canary = spot_below(at, "canary"), live = spot_below(at, "live");
	int err = CHECK_KEYS(in, at, "canary", "live");

	if (!err && at->value && in->r->set.slow < 0)
		err = refuse(in, at, "\"slow\" among the signals, or no first_byte");
	if (!err)
		err = read_latency(in, &canary, &tick->first_byte[CANARY]);
	return err ? err : read_latency(in, &live, &tick->first_byte[LIVE]);
}

static int read_new_sources(const struct reader *in, const struct spot *at, struct judge_tick *tick)
{
	struct spot canary = spot_below(at, "canary"), live = spot_below(at, "live");
	int err = CHECK_KEYS(in, at, "canary", "live");

	if (!err)
		err = get_count(in, &canary, RECORDING_COUNT_MAX, &tick->new_sources[CANARY]);
	return err ? err : get_count(in, &live, RECORDING_COUNT_MAX, &tick->new_sources[LIVE]);
}

/* Time grows, and steps are not left backwards. */
static int read_order(const struct reader *in, const struct spot *at, struct judge_tick *tick)
{
	struct spot t = spot_below(at, "t_ms"), step = spot_below(at, "step"),
		    share = spot_below(at, "share");
	uint64_t number = 0;
	int err = get_count(in, &t, TIME_MAX, &tick->t_ms);

	if (!err && tick->t_ms <= in->r->t_ms)
		err = refuse(in, &t, "more than in the line before (at first 0)");
	if (!err && !step.value)
		err = refuse(in, &step, "the number of the step");
	if (!err)
		err = get_count(in, &step, 1000, &number);
	if (!err && number < in->r->step)
		err = refuse(in, &step, "at least that of the line before");
	if (!err)
		err = need_share(in, &share, &tick->share_bp);
	if (!err && !number && tick->share_bp)
		err = refuse(in, &share, "0 in step 0, which is before the canary gets a share");
	tick->step = (unsigned)number;
	return err;
}

static int read_tick(const struct reader *in, const struct spot *at, struct judge_tick *tick)
{
	struct spot counts = spot_below(at, "counts"), first_byte = spot_below(at, "first_byte");
	struct spot new_sources = spot_below(at, "new_sources");
	int err =
		CHECK_KEYS(in, at, "t_ms", "step", "share", "counts", "new_sources", "first_byte");

	memset(tick, 0, sizeof(*tick));
	if (!err)
		err = read_order(in, at, tick);
	if (!err)
		err = read_counts(in, &counts, tick);
	if (!err)
		err = read_first_byte(in, &first_byte, tick);
	if (!err)
		err = read_new_sources(in, &new_sources, tick);
	in->r->t_ms = tick->t_ms;
	in->r->step = tick->step;
	return err ? err : LINE_TICK;
}

static int not_json(const struct reader *in, const json_error_t *why)
{
	snprintf(in->error, RECORDING_ERROR, "%u:%d: not JSON: %s", in->r->line,
		 why->column > 0 ? why->column : 1, why->text);
	return -EINVAL;
}

/* Keys and what the parser quotes may hold anything. */
static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static int read_line(const struct reader *in, const struct spot *line, struct judge_tick *tick)
{
	if (!json_is_object(line->value))
		return refuse(in, line, "an object");
	return in->r->begun ? read_tick(in, line, tick) : recording_head(in, line);
}

int recording_read(struct recording *r, const char *text, size_t len, struct judge_tick *tick,
		   char *error)
{
	struct reader in = {r, error};
	struct spot top = {0};
	json_error_t why;
	int kind;

	r->line++;
	while (len && memchr(" \t\r", text[len - 1], 3))
		len--;
	if (!len)
		return LINE_BLANK;
	top.value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	kind = top.value ? read_line(&in, &top, tick) : not_json(&in, &why);
	if (kind < 0)
		one_line(error);
	json_decref(top.value);
	return kind;
}
