/* SPDX-License-Identifier: BSD-2-Clause */
/* Every command that changes something: one POST, one answer in words or as it came. */
#include <stdarg.h>
#include <string.h>

#include "ctl.h"

enum { LONG_MS = 10000 }; /* more is said in seconds and minutes */

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
	set_true(body, "force", opt->force);
	set_true(body, "verify", opt->verify);
	set_true(body, "full", opt->full);
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

		print_wrapped_at(ctl,
				 printf("%s%c ", colour,
					adds      ? '+'
					: removes ? '-'
						  : '~') -
					 (int)strlen(colour),
				 2, text);
		fputs(*colour ? paint(ctl, "reset") : "", stdout);
	}
}

/* Sentences that make one paragraph. */
struct paragraph {
	char text[4096];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void say(struct paragraph *p, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(p->text + p->len, sizeof(p->text) - p->len, fmt, args);
	va_end(args);
	p->len += n > 0 ? (size_t)n : 0;
	if (p->len >= sizeof(p->text))
		p->len = sizeof(p->text) - 1;
}

/* " (generation 42, 3 ms)" of a plan that this change made. */
static void say_plan(struct paragraph *p, const json_t *answer)
{
	int64_t generation = field_int(answer, "generation", 0);
	const json_t *took = json_object_get(answer, "took_ms");

	bool changed = json_array_size(json_object_get(answer, "changes"));
	char text[32];

	if (!generation || !json_is_number(took) || !changed)
		return;
	snprintf(text, sizeof(text), "%.0f ms", json_number_value(took));
	if (json_number_value(took) >= LONG_MS)
		duration_text(text, sizeof(text), (int64_t)json_number_value(took));
	say(p, " (generation %lld, %s)", (long long)generation, text);
}

/* "128 connections stay on blue." for every pool or backend that lost its new flows; service NULL:
 * of all services, by their full name. */
static void say_staying(struct paragraph *p, const json_t *answer, const char *service)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "staying"), i, item) {
		const char *of = field_text(item, "service"),
			   *backend = field_text(item, "backend");
		int64_t n = field_int(item, "flows_active", 0);

		if (service && strcmp(service, of))
			continue;
		say(p, " %lld connection%s on %s%s%s%s%s.", (long long)n,
		    n == 1 ? " stays" : "s stay", service ? "" : of, service ? "" : "/",
		    field_text(item, "pool"), *backend ? "/" : "", backend);
	}
}

/* "shop: green is live" becomes "shop: green is live (generation 42, 3 ms). 128 connections stay on
 * blue." */
static void print_sentence(const struct ctl *ctl, const json_t *answer, const char *text,
			   const char *service)
{
	struct paragraph p = {.len = 0};
	size_t len = strlen(text);

	say(&p, "%.*s", (int)(len && text[len - 1] == '.' ? len - 1 : len), text);
	if (!ctl->opt.dry_run)
		say_plan(&p, answer);
	say(&p, ".");
	say_staying(&p, answer, service);
	print_wrapped(ctl, 0, p.text);
}

/* One line for each service that new flows were moved in, else the answer's own sentence. */
static void print_sentences(const struct ctl *ctl, const json_t *answer)
{
	const json_t *moved = json_object_get(answer, "moved"), *item;
	size_t i;

	json_array_foreach(moved, i, item)
		print_sentence(ctl, answer, field_text(item, "text"), field_text(item, "service"));
	if (!json_array_size(moved) && *field_text(answer, "text"))
		print_sentence(ctl, answer, field_text(answer, "text"), NULL);
}

static void print_stamps(const struct ctl *ctl, const json_t *pools, const char *which)
{
	const json_t *stamp;
	const char *pool;

	json_object_foreach((json_t *)pools, pool, stamp) {
		char key[64], at[64], line[512];
		int64_t generation;

		snprintf(key, sizeof(key), "%s_new_generation", which);
		snprintf(at, sizeof(at), "%s_new", which);
		generation = field_int(stamp, key, -1);
		if (generation < 0)
			snprintf(line, sizeof(line), "  %s: no new flow seen", pool);
		else
			snprintf(line, sizeof(line), "  %s: %s new flow in generation %lld, %s",
				 pool, which, (long long)generation, field_text(stamp, at));
		print_wrapped(ctl, 4, line);
	}
}

static void print_verify(const struct ctl *ctl, const json_t *answer)
{
	const json_t *verify = json_object_get(answer, "verify");

	if (!ctl->opt.verify || !json_is_object(verify))
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
	print_sentences(ctl, answer);
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

static void print_answer(const struct ctl *ctl, const json_t *answer)
{
	if (ctl->opt.output == OUTPUT_JSON || ctl->opt.output == OUTPUT_JSONL)
		json_print(ctl, answer);
	else
		print_people(ctl, answer);
}

/* The service that a change is about; "" when there are several. */
static const char *service_of(const json_t *body)
{
	json_t *targets = json_object_get(body, "targets");

	if (json_object_size(targets) == 1)
		return json_object_iter_key(json_object_iter(targets));
	return field_text(body, "service");
}

/* What was begun goes on after the answer. */
static int follow(struct ctl *ctl, const char *service, int64_t since_ms, json_t *answer)
{
	int code = rollout_follow(ctl, service, since_ms, answer);

	if (code)
		return code;
	code = code_of(answer, 200);
	if (code == EXIT_TIMEOUT)
		return refused(ctl, answer, 200);
	print_answer(ctl, answer);
	return code;
}

static int conclude(struct ctl *ctl, const char *service, int64_t since_ms, json_t *answer,
		    long status)
{
	int code = code_of(answer, status);

	if (!is_done(code))
		return refused(ctl, answer, status);
	if (*service && is_followed(ctl, answer))
		return follow(ctl, service, since_ms, answer);
	print_answer(ctl, answer);
	return code;
}

int change(struct ctl *ctl, const char *path, json_t *body)
{
	int64_t since_ms = now_ms();
	json_t *answer = NULL;
	long status = 0;
	int code;

	add_options(&ctl->opt, body);
	code = exchange(ctl, path, body, &answer, &status);
	if (!code)
		code = conclude(ctl, service_of(body), since_ms, answer, status);
	json_decref(body);
	json_decref(answer);
	return code;
}
