/* SPDX-License-Identifier: BSD-2-Clause */
/* judge: what the judge of rollouts says of recorded counts. Asks no daemon. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "recording.h"
#include "view.h"

enum { LINE_MAX_BYTES = 1 << 20 };

/* A recording on its way through the judge. */
struct replay {
	struct recording recording;
	struct judge judge;
	struct judge_verdict verdict; /* the last one; one that ends the rollout stays */
	json_t *passed;               /* steps: list of step, at_ms, text */
	struct judge_tick tick;
};

static void note_pass(struct replay *p)
{
	char text[JUDGE_TEXT];

	judge_text(&p->judge, &p->recording.names, p->verdict, text);
	json_array_append_new(p->passed,
			      json_pack("{s:i, s:I, s:s}", "step", (int)p->judge.step, "at_ms",
					(json_int_t)p->judge.t_ms, "text", text));
}

static bool is_over(const struct replay *p)
{
	return p->verdict.result > JUDGE_PASSED;
}

/* After the decision the rest is only read, so that what is wrong in it is said. */
static int replay_line(const struct ctl *ctl, const char *file, struct replay *p, const char *line,
		       size_t len)
{
	char error[RECORDING_ERROR];
	int kind = recording_read(&p->recording, line, len, &p->tick, error);

	if (kind < 0)
		return fail(ctl, EXIT_USAGE, "%s:%s", file, error);
	if (kind == LINE_HEAD)
		judge_begin(&p->judge, &p->recording.set);
	if (kind != LINE_TICK || is_over(p))
		return 0;
	p->verdict = judge_feed(&p->judge, &p->tick);
	if (p->verdict.result == JUDGE_PASSED)
		note_pass(p);
	return 0;
}

static int replay_file(const struct ctl *ctl, const char *file, FILE *in, struct replay *p)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int code = 0;

	errno = 0;
	while (!code && (len = getline(&line, &room, in)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		if (len > LINE_MAX_BYTES)
			code = fail(ctl, EXIT_USAGE, "%s:%u: longer than %d bytes", file,
				    p->recording.line + 1, LINE_MAX_BYTES);
		else
			code = replay_line(ctl, file, p, line, (size_t)len);
	}
	if (!code && ferror(in))
		code = fail(ctl, EXIT_USAGE, "%s: %s", file, strerror(errno));
	if (!code && !p->recording.begun)
		code = fail(ctl, EXIT_USAGE, "%s:1: empty, expected a line with zdd_counts", file);
	free(line);
	return code;
}

static int exit_of(enum judge_result result)
{
	static const int codes[] = {
		[JUDGE_WATCHING] = EXIT_TIMEOUT,          [JUDGE_PASSED] = EXIT_OK,
		[JUDGE_ROLLED_BACK] = EXIT_ROLLED_BACK,   [JUDGE_PAUSED] = EXIT_WAITING,
		[JUDGE_INCONCLUSIVE] = EXIT_INCONCLUSIVE,
	};

	return codes[result];
}

static json_t *answer_of(struct replay *p)
{
	uint64_t started_ms = p->recording.started_ms;
	json_t *answer;

	if (!is_over(p) && p->judge.passed)
		p->verdict = (struct judge_verdict){JUDGE_PASSED, WHY_GOOD};
	answer = judge_json(&p->judge, &p->recording.names, p->verdict);
	json_object_set_new(answer, "at", view_time(started_ms ? started_ms + p->judge.t_ms : 0));
	json_object_set_new(answer, "exit", json_integer(exit_of(p->verdict.result)));
	json_object_set(answer, "passed", p->passed);
	return answer;
}

/* "14/52", of a signal's counts in the rollout */
static void format_bad(char *out, size_t size, const json_t *signal, const char *side)
{
	const json_t *counts = json_object_get(json_object_get(signal, "rollout"), side);

	snprintf(out, size, "%lld/%lld", (long long)field_int(counts, "bad", 0),
		 (long long)field_int(counts, "n", 0));
}

static void format_evidence(char *out, size_t size, const json_t *signal, const char *field)
{
	const json_t *value = json_object_get(signal, field);

	snprintf(out, size, json_is_real(value) ? "%.3g" : "-", json_real_value(value));
}

static const struct column columns[] = {
	{"SIGNAL", {"name"}},
	{"CANARY BAD", {"canary"}, format_bad, COLUMN_RIGHT},
	{"LIVE BAD", {"live"}, format_bad, COLUMN_RIGHT},
	{"WORSE", {"worse"}, format_evidence, COLUMN_RIGHT},
	{"LATE", {"late"}, format_evidence, COLUMN_RIGHT},
	{"OK", {"ok"}, format_evidence, COLUMN_RIGHT},
	{"SLO", {"slo"}, format_evidence, COLUMN_RIGHT},
	{"PASSES", {"passes"}},
	{"TAU US", {"tau_us"}, NULL, COLUMN_RIGHT | COLUMN_WIDE},
};

static const struct view judge_view = {
	.rows = {"signals"},
	.id = {"name"},
	.columns = columns,
	.n_columns = sizeof(columns) / sizeof(columns[0]),
};

static void say_when(struct ctl *ctl, const char *what, const json_t *from, const char *at)
{
	char line[JUDGE_TEXT * 2], when[32];

	duration_text(when, sizeof(when), field_int(from, "at_ms", 0));
	snprintf(line, sizeof(line), "%s at %s%s%s%s: %s", what, when, *at ? " (" : "", at,
		 *at ? ")" : "", field_text(from, "text"));
	print_wrapped(ctl, 2, line);
}

void evidence_print(struct ctl *ctl, const json_t *judge)
{
	const json_t *evidence = json_object_get(judge, "evidence");
	char line[512];

	table_print(ctl, &judge_view, judge);
	snprintf(
		line, sizeof(line),
		"WORSE %.3g and LATE %.3g over all signals; %.3g and %.3g roll back. A signal passes "
		"when the mean of OK and SLO is %.3g.",
		json_real_value(json_object_get(evidence, "worse")),
		json_real_value(json_object_get(evidence, "late")),
		json_real_value(json_object_get(evidence, "worse_needed")),
		json_real_value(json_object_get(evidence, "late_needed")),
		json_real_value(json_object_get(evidence, "pass_needed")));
	print_wrapped(ctl, 2, line);
}

static void judge_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	const json_t *step;
	size_t i;

	(void)view;
	json_array_foreach(json_object_get(answer, "passed"), i, step)
		say_when(ctl, "passed", step, "");
	say_when(ctl, field_text(answer, "result"), answer, field_text(answer, "at"));
	putchar('\n');
	evidence_print(ctl, answer);
}

int judge_run(struct ctl *ctl, char **words, int n)
{
	FILE *in = strcmp(words[0], "-") ? fopen(words[0], "re") : stdin;
	const char *file = in == stdin ? "standard input" : words[0];
	struct replay *replay = calloc(1, sizeof(*replay));
	json_t *answer;
	int code;

	(void)n;
	if (!in || !replay) {
		code = fail(ctl, in ? EXIT_ERROR : EXIT_USAGE, "%s: %s", file, strerror(errno));
		goto out;
	}
	replay->passed = json_array();
	code = replay_file(ctl, file, in, replay);
	if (!code) {
		answer = answer_of(replay);
		show(ctl, &judge_view, answer, judge_print);
		json_decref(answer);
		code = exit_of(replay->verdict.result);
	}
	json_decref(replay->passed);
out:
	if (in && in != stdin)
		fclose(in);
	free(replay);
	return code;
}
