/* SPDX-License-Identifier: BSD-2-Clause */
/* Every command that changes something: one POST, one answer in words or as it came. */
#include <string.h>

#include "ctl.h"

static void set_text(json_t *body, const char *key, const char *text)
{
	if (text)
		json_object_set_new(body, key, json_string(text));
}

static void set_true(json_t *body, const char *key, bool value)
{
	if (value)
		json_object_set_new(body, key, json_true());
}

static void add_options(const struct options *opt, json_t *body)
{
	if (opt->given & TAKES_IF_REVISION)
		json_object_set_new(body, "if_revision", json_integer(opt->if_revision));
	set_true(body, "dry_run", opt->dry_run);
	set_true(body, "no_wait", opt->no_wait);
	set_text(body, "why", opt->why);
	set_text(body, "by", opt->by);
	json_object_set_new(body, "timeout_ms", json_integer(opt->timeout_ms));
}

/* Changes are sentences; what they do to the configuration is marked as in a diff. */
static void print_changes(const struct ctl *ctl, const json_t *answer)
{
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(answer, "changes"), i, line) {
		const char *text = json_is_string(line) ? json_string_value(line) : "";
		bool adds = strstr(text, "adds "), removes = strstr(text, "removes ");
		const char *colour = paint(ctl, adds ? "green" : removes ? "red" : "yellow");

		printf("%s%c %s%s\n", colour,
		       adds      ? '+'
		       : removes ? '-'
				 : '~',
		       text, *colour ? paint(ctl, "reset") : "");
	}
}

/* "shop: green is live." and what it took: "shop: green is live (generation 42, 3.1 ms)." */
static void print_sentence(const struct ctl *ctl, const json_t *answer)
{
	const char *text = field_text(answer, "text");
	int len = (int)strlen(text);
	int64_t generation = field_int(answer, "generation", 0);
	const json_t *took = json_object_get(answer, "took_ms");
	char line[1024];

	if (!len)
		return;
	if (text[len - 1] == '.')
		len--;
	if (generation && json_is_number(took) && !ctl->opt.dry_run)
		snprintf(line, sizeof(line), "%.*s (generation %lld, %.3g ms).", len, text,
			 (long long)generation, json_number_value(took));
	else
		snprintf(line, sizeof(line), "%.*s.", len, text);
	print_wrapped(ctl, 0, line);
}

static void print_staying(const struct ctl *ctl, const json_t *answer)
{
	const json_t *pool;
	size_t i;

	json_array_foreach(json_object_get(answer, "staying"), i, pool) {
		int64_t n = field_int(pool, "flows_active", 0);
		char line[512];

		snprintf(line, sizeof(line), "%lld connection%s on %s/%s.", (long long)n,
			 n == 1 ? " stays" : "s stay", field_text(pool, "service"),
			 field_text(pool, "pool"));
		print_wrapped(ctl, 0, line);
	}
}

static void print_stamps(const struct ctl *ctl, const json_t *pools, const char *which)
{
	const json_t *stamp;
	const char *pool;

	json_object_foreach((json_t *)pools, pool, stamp) {
		char key[64], line[512];
		int64_t generation;

		snprintf(key, sizeof(key), "%s_new_generation", which);
		generation = field_int(stamp, key, -1);
		if (generation < 0)
			snprintf(line, sizeof(line), "  %s: no new flow seen", pool);
		else
			snprintf(line, sizeof(line), "  %s: %s new flow in generation %lld", pool,
				 which, (long long)generation);
		print_wrapped(ctl, 4, line);
	}
}

static void print_verify(const struct ctl *ctl, const json_t *answer)
{
	const json_t *verify = json_object_get(answer, "verify");

	if (!json_is_object(verify))
		return;
	puts(json_is_true(json_object_get(verify, "proven")) ? "proven by the data path's stamps:"
							     : "not proven:");
	print_stamps(ctl, json_object_get(verify, "old"), "last");
	print_stamps(ctl, json_object_get(verify, "new"), "first");
}

static void print_people(const struct ctl *ctl, const json_t *answer)
{
	if (ctl->opt.dry_run || ctl->cmd->takes & TAKES_FILE)
		print_changes(ctl, answer);
	print_sentence(ctl, answer);
	print_staying(ctl, answer);
	print_verify(ctl, answer);
}

/* What an answer without "exit" means, by HTTP status: something else than zddd spoke. */
static int code_of(const json_t *answer, long status)
{
	int64_t code = field_int(answer, "exit", -1);

	if (code >= 0 && code < 126)
		return (int)code;
	if (status < 400)
		return EXIT_OK;
	return status == 404 ? EXIT_NOT_FOUND : status == 403 ? EXIT_NOT_PERMITTED : EXIT_ERROR;
}

int refused(const struct ctl *ctl, const json_t *answer, long status)
{
	const char *text = field_text(answer, "text");
	int code = code_of(answer, status);

	if (ctl->opt.output == OUTPUT_JSON || ctl->opt.output == OUTPUT_JSONL)
		json_print(ctl, answer);
	if (*text)
		return fail(ctl, code, "%s", text);
	return fail(ctl, code, "refused by zddd (HTTP %ld)", status);
}

static bool is_done(int code)
{
	return code == EXIT_OK || code == EXIT_CUT || code == EXIT_CHANGES;
}

int change(struct ctl *ctl, const char *path, json_t *body)
{
	json_t *answer = NULL;
	long status = 0;
	int code;

	add_options(&ctl->opt, body);
	code = exchange(ctl, path, body, &answer, &status);
	json_decref(body);
	if (code)
		return code;
	code = code_of(answer, status);
	if (!is_done(code))
		refused(ctl, answer, status);
	else if (ctl->opt.output == OUTPUT_JSON || ctl->opt.output == OUTPUT_JSONL)
		json_print(ctl, answer);
	else
		print_people(ctl, answer);
	json_decref(answer);
	return code;
}
