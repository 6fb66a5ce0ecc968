/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes: each line is a head, a tick or one printable line that says where and why; whatever the
 * ticks, evidence is a number and the verdict a sentence. The first line is a guard's text, too. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recording.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_line(const char *text, size_t max)
{
	must(*text && strlen(text) < max);
	for (; *text; text++)
		must((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_judge(const struct judge *j, const struct judge_names *names,
			struct judge_verdict v)
{
	char text[JUDGE_TEXT];
	json_t *answer;

	must(isfinite(judge_worse_log(j)) && isfinite(judge_late_log(j)));
	must(isfinite(split_log(&j->split)));
	for (unsigned i = 0; i < j->set.n_signals; i++)
		must(isfinite(judge_ok_log(&j->signal[i])) &&
		     isfinite(judge_slo_log(&j->signal[i])));
	judge_text(j, names, v, text);
	check_line(text, JUDGE_TEXT);
	answer = judge_json(j, names, v);
	must(answer != NULL);
	json_decref(answer);
}

static void check_guard(const char *line, size_t len)
{
	struct guard g = {.over_ms = 1};
	char text[300], error[512];

	if (len >= sizeof(text) || memchr(line, '\0', len))
		return;
	memcpy(text, line, len);
	text[len] = '\0';
	if (guard_parse(text, &g, error, sizeof(error)))
		must(g.over_ms == 1 && !g.text[0] && *error);
	else
		must(g.over_ms >= 1000 && g.limit_bp < 10000 && !strcmp(g.text, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct recording r;
	static struct judge_tick tick;
	static struct judge judge;
	const char *at = (const char *)data, *end = at + size;
	struct judge_verdict v = {0};
	char error[RECORDING_ERROR];
	int kind = LINE_BLANK;

	r = (struct recording){0};
	while (at < end && kind >= 0 && v.result <= JUDGE_PASSED) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);

		if (at == (const char *)data)
			check_guard(at, len);
		kind = recording_read(&r, at, len, &tick, error);
		if (kind < 0)
			check_line(error, sizeof(error));
		else if (kind == LINE_HEAD)
			judge_begin(&judge, &r.set);
		else if (kind == LINE_TICK)
			v = judge_feed(&judge, &tick);
		if (kind == LINE_TICK)
			check_judge(&judge, &r.names, v);
		at += len + !!stop;
	}
	return 0;
}
