/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "breaker.h"
#include "external.h"
#include "recording.h"
#include "recording_write.h"
#include "tally.h"

enum { TICK_MS = 1000, PATH = 4096 };

/* What the data path does not count by itself. */
enum { KIND_SLOW = -1, KIND_EXTERNAL = -2, KIND_UNKNOWN = -3 };

struct tally {
	struct daemon *daemon;
	struct judge_names names;
	struct judge judge;
	struct judge_verdict verdict;
	struct judge_tick tick; /* the last one */
	struct zdd_signals last[SIDES];
	bool counted;            /* `last` is */
	int kind[JUDGE_SIGNALS]; /* of the judge's signals: enum zdd_signal, or below */
	struct external *external;
	uint64_t t_ms, looked_ns; /* of the last tick; of its end */
	uint16_t share_bp;        /* at the end of the last tick */
	double live_bad;          /* of the worst signal, a tick, as of late */
	FILE *file;
};

/* ---- what is judged ---- */

static bool has_protocol(const struct cfg_service *s, uint8_t proto)
{
	for (size_t i = 0; i < s->n_listen; i++)
		if (s->listen[i].proto == proto)
			return true;
	return false;
}

static bool is_told(const struct cfg_service *s, enum zdd_signal kind)
{
	if (kind == ZDD_SIG_UDP_SILENT)
		return has_protocol(s, IPPROTO_UDP);
	return has_protocol(s, IPPROTO_TCP) && (kind != ZDD_SIG_HTTP_5XX || s->signals_http);
}

static void add_signal(struct judge_settings *set, const char *name)
{
	snprintf(set->signals[set->n_signals++], ZDD_NAME_MAX, "%s", name);
}

static const char *const kind_names[] = {
#define S(symbol, name, breaks, sentence) #name,
	ZDD_SIGNALS(S)
#undef S
};

static const bool kind_breaks[] = {
#define S(symbol, name, breaks, sentence) breaks,
	ZDD_SIGNALS(S)
#undef S
};

static void choose_signals(const struct cfg_service *s, struct judge_settings *set)
{
	for (unsigned kind = 0; kind < ZDD_SIGNAL_COUNT; kind++)
		if (is_told(s, kind))
			add_signal(set, kind_names[kind]);
	if (s->rollout.prometheus.url)
		add_signal(set, JUDGE_EXTERNAL);
	set->slow = -1;
	if (has_protocol(s, IPPROTO_TCP)) {
		set->slow = (int)set->n_signals;
		add_signal(set, "slow");
	}
}

static void choose_guards(const struct cfg_rollout *cfg, struct judge_settings *set)
{
	for (unsigned i = 0; i < cfg->n_guards; i++)
		for (unsigned k = 0; k < set->n_signals; k++)
			if (!strcmp(cfg->guards[i].signal, set->signals[k])) {
				set->guard_signal[set->n_guards] = k;
				set->guards[set->n_guards++] = cfg->guards[i];
			}
}

static int kind_of(const char *signal)
{
	for (int kind = 0; kind < ZDD_SIGNAL_COUNT; kind++)
		if (!strcmp(signal, kind_names[kind]))
			return kind;
	return !strcmp(signal, "slow")           ? KIND_SLOW
	       : !strcmp(signal, JUDGE_EXTERNAL) ? KIND_EXTERNAL
						 : KIND_UNKNOWN;
}

/* What is judged stays what it was when the rollout began. */
static void learn_kinds(struct tally *t)
{
	for (unsigned i = 0; i < t->judge.set.n_signals; i++)
		t->kind[i] = kind_of(t->judge.set.signals[i]);
}

static struct judge_settings settings(const struct cfg_service *s, const struct rollout *r)
{
	const struct cfg_judge *judge = &s->rollout.judge;
	const struct cfg_each *each = &r->steps[0].each;
	struct judge_settings set = {
		.alpha = judge->alpha_bp / 1e4,
		.beta = judge->beta_bp / 1e4,
		.margin = judge->margin_hundredths / 100.0,
		.slo = judge->slo_bp / 1e4,
		.quantile = judge->quantile / 100.0,
		.min_ms = each->min_ms,
		.max_ms = each->max_ms,
		.min_connections = each->min_connections,
		.min_sources = each->min_sources,
	};

	choose_signals(s, &set);
	choose_guards(&s->rollout, &set);
	return set;
}

/* ---- the file ---- */

static void write_line(struct tally *t, json_t *line)
{
	struct event e = {.kind = "rollout", .service = t->names.service};
	char *text = t->file ? json_dumps(line, JSON_COMPACT) : NULL;

	json_decref(line);
	if (text && (fprintf(t->file, "%s\n", text) < 0 || fflush(t->file))) {
		journal_event(t->daemon->journal, &e,
			      "the judge's counts cannot be recorded: %s; judging goes on",
			      strerror(errno));
		fclose(t->file);
		t->file = NULL;
	}
	free(text);
}

static void hear(struct tally *t, const struct judge_tick *tick);

/* Judges what stands there. Returns where the last whole line ends. */
static long replay(struct tally *t, FILE *in)
{
	struct recording recording = {0};
	char error[RECORDING_ERROR], *line = NULL;
	struct judge_tick tick;
	size_t room = 0;
	ssize_t len;
	long end = 0;
	int kind = 0;

	while (kind >= 0 && (len = getline(&line, &room, in)) > 0 && line[len - 1] == '\n') {
		kind = recording_read(&recording, line, (size_t)len - 1, &tick, error);
		if (kind == LINE_HEAD)
			judge_begin(&t->judge, &recording.set);
		if (kind == LINE_TICK)
			hear(t, &tick);
		if (kind >= 0)
			end = ftell(in);
	}
	t->t_ms = recording.t_ms;
	free(line);
	return end;
}

static bool open_file(struct tally *t, uint64_t number)
{
	char path[PATH];
	long end;

	snprintf(path, sizeof(path), "%s/counts", t->daemon->options.state_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return false;
	snprintf(path, sizeof(path), "%s/counts/%llu.jsonl", t->daemon->options.state_dir,
		 (unsigned long long)number);
	t->file = fopen(path, "a+e");
	if (!t->file)
		return false;
	rewind(t->file);
	end = replay(t, t->file);
	return !ftruncate(fileno(t->file), end) && !fseek(t->file, 0, SEEK_END);
}

struct tally *tally_begin(struct daemon *d, const struct world_service *s, const struct rollout *r)
{
	struct event e = {.kind = "rollout", .service = s->cfg->name};
	struct tally *t = calloc(1, sizeof(*t));
	struct judge_settings set;

	if (!t)
		return NULL;
	t->daemon = d;
	snprintf(t->names.service, sizeof(t->names.service), "%s", s->cfg->name);
	snprintf(t->names.canary, sizeof(t->names.canary), "%s", s->cfg->pools[r->candidate].name);
	snprintf(t->names.live, sizeof(t->names.live), "%s", s->cfg->pools[r->previous].name);
	set = settings(s->cfg, r);
	judge_begin(&t->judge, &set);
	if (!open_file(t, r->number))
		journal_event(d->journal, &e,
			      "the judge's counts cannot be recorded: %s; judging goes on",
			      strerror(errno));
	if (!t->t_ms)
		write_line(t, recording_head_json(&t->names, &set, wall_ms()));
	learn_kinds(t);
	if (s->cfg->rollout.prometheus.url)
		t->external = external_begin(d, s->cfg, r->candidate, r->previous);
	t->looked_ns = uv_hrtime();
	return t;
}

void tally_end(struct tally *t)
{
	if (!t)
		return;
	if (t->file)
		fclose(t->file);
	external_end(t->external);
	free(t);
}

/* ---- ticks ---- */

/* Counters may begin anew, in other maps. */
static uint64_t grown(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static uint64_t between(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* Sources are counted by the kernel's seconds, which end within this tick: what is told across that
 * border is brought in order. */
static struct judge_side side_of(const struct zdd_signal_count *now,
				 const struct zdd_signal_count *before)
{
	struct judge_side s = {.n = grown(now->n, before->n)};

	s.bad = between(grown(now->bad, before->bad), 0, s.n);
	s.sources = between(grown(now->sources, before->sources), s.n > 0, s.n);
	s.bad_sources = between(grown(now->bad_sources, before->bad_sources), s.bad > 0,
				s.bad < s.sources ? s.bad : s.sources);
	return s;
}

static void count_side(struct tally *t, enum side side, const struct zdd_signals *now,
		       struct judge_tick *tick)
{
	const struct zdd_signals *last = &t->last[side];

	for (unsigned i = 0; i < t->judge.set.n_signals; i++) {
		if (t->kind[i] < 0)
			continue;
		tick->counts[i].by_source = true;
		tick->counts[i].side[side] =
			side_of(&now->kind[t->kind[i]], &last->kind[t->kind[i]]);
	}
	for (unsigned i = 0; t->judge.set.slow >= 0 && i < LATENCY_BUCKETS; i++)
		tick->first_byte[side].count[i] = now->first_byte[i] - last->first_byte[i];
	/* of a tick in which the share changed nobody knows what was asked for */
	if (tick->share_bp == t->share_bp)
		tick->new_sources[side] = grown(now->new_sources, last->new_sources);
}

static void count_external(struct tally *t, struct judge_tick *tick)
{
	for (unsigned i = 0; t->external && i < t->judge.set.n_signals; i++)
		if (t->kind[i] == KIND_EXTERNAL)
			tick->counts[i] = external_take(t->external);
}

static void learn_live_bad(struct tally *t, const struct judge_tick *tick)
{
	uint64_t worst = 0;

	for (unsigned i = 0; i < t->judge.set.n_signals; i++)
		if (t->kind[i] >= 0 && tick->counts[i].side[LIVE].bad > worst)
			worst = tick->counts[i].side[LIVE].bad;
	t->live_bad += ((double)worst - t->live_bad) / 10;
}

static void hear(struct tally *t, const struct judge_tick *tick)
{
	bool other_step = tick->step != t->tick.step;
	struct judge_verdict v = judge_feed(&t->judge, tick);

	learn_live_bad(t, tick);
	t->tick = *tick;
	if (v.result == JUDGE_INCONCLUSIVE)
		v = (struct judge_verdict){0};
	if (v.result || other_step || t->verdict.result == JUDGE_PAUSED)
		t->verdict = v;
}

static void read_pools(const struct tally *t, const struct world_service *s,
		       const struct rollout *r, struct zdd_signals now[SIDES])
{
	datapath_pool_signals(t->daemon->datapath, s->pools[r->candidate].object, &now[CANARY]);
	datapath_pool_signals(t->daemon->datapath, s->pools[r->previous].object, &now[LIVE]);
}

bool tally_look(struct tally *t, const struct world_service *s, const struct rollout *r)
{
	uint64_t now_ns = uv_hrtime(), passed_ms = (now_ns - t->looked_ns) / 1000000;
	struct judge_tick tick = {.step = r->step + 1, .share_bp = rollout_share(r)};
	struct zdd_signals now[SIDES];

	if (t->counted && passed_ms < TICK_MS)
		return false;
	read_pools(t, s, r, now);
	if (t->counted && passed_ms) {
		tick.t_ms = t->t_ms += passed_ms;
		count_side(t, CANARY, &now[CANARY], &tick);
		count_side(t, LIVE, &now[LIVE], &tick);
		count_external(t, &tick);
		write_line(t, recording_tick_json(&t->judge.set, &tick));
		hear(t, &tick);
	}
	memcpy(t->last, now, sizeof(now));
	t->share_bp = tick.share_bp;
	t->looked_ns = now_ns;
	t->counted = true;
	return true;
}

/* ---- what it says ---- */

struct judge_verdict tally_verdict(const struct tally *t)
{
	return t->verdict;
}

void tally_text(const struct tally *t, char out[JUDGE_TEXT])
{
	judge_text(&t->judge, &t->names, t->verdict, out);
}

void tally_undecided(const struct tally *t, char out[JUDGE_TEXT])
{
	struct judge_verdict v = {.result = JUDGE_INCONCLUSIVE, .why = WHY_TIME};

	judge_more_ms(&t->judge, 0, &v.signal);
	judge_text(&t->judge, &t->names, v, out);
}

json_t *tally_json(const struct tally *t)
{
	return judge_json(&t->judge, &t->names, t->verdict);
}

uint64_t tally_failed(const struct tally *t)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < t->judge.set.n_signals; i++)
		if (t->kind[i] >= 0 && kind_breaks[t->kind[i]])
			n += t->judge.signal[i].all.side[CANARY].bad;
	return n;
}

unsigned tally_breaker(const struct tally *t, double share)
{
	return breaker_limit(&t->judge, share, t->live_bad);
}
