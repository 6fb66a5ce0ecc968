/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: why it may not forward. ready without a name: what keepalived or a BGP speaker asks. */
#include <string.h>

#include "ctl.h"

static const struct view doctor_view = {.rows = {"checks"}, .id = {"name"}};

struct mark {
	const char *utf8, *ascii, *colour;
};

static const struct mark *mark_of(const json_t *check)
{
	static const struct mark good = {"✓", "ok", "green"}, bad = {"✗", "NO", "red"},
				 open = {"?", "? ", "yellow"};
	const json_t *ok = json_object_get(check, "ok");

	return json_is_true(ok) ? &good : json_is_false(ok) ? &bad : &open;
}

static void print_check(struct ctl *ctl, const json_t *check)
{
	const struct mark *mark = mark_of(check);
	const char *fix = field_text(check, "fix"), *text = field_text(check, "text");
	char line[2048];

	printf("%s%s%s ", paint(ctl, mark->colour), ctl->utf8 ? mark->utf8 : mark->ascii,
	       *paint(ctl, mark->colour) ? paint(ctl, "reset") : "");
	snprintf(line, sizeof(line), "%s%s%s", field_text(check, "name"), *text ? ": " : "", text);
	print_wrapped_at(ctl, ctl->utf8 ? 2 : 3, 4, line);
	if (!json_is_true(json_object_get(check, "ok")) && *fix) {
		snprintf(line, sizeof(line), "    %s", fix);
		print_wrapped(ctl, 4, line);
	}
}

static size_t count_bad(const json_t *answer)
{
	const json_t *check;
	size_t i, bad = 0;

	json_array_foreach(json_object_get(answer, "checks"), i, check)
		bad += json_is_false(json_object_get(check, "ok"));
	return bad;
}

static void doctor_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	const json_t *check;
	size_t i, bad = count_bad(answer);

	(void)view;
	json_array_foreach(json_object_get(answer, "checks"), i, check)
		print_check(ctl, check);
	if (bad)
		printf("%zu of %zu checks failed\n", bad, i);
	else
		puts("nothing found that keeps traffic from being forwarded");
}

int doctor_run(struct ctl *ctl, char **words, int n)
{
	json_t *answer = NULL;
	int code = fetch(ctl, ctl->cmd->path, &answer);

	(void)words, (void)n;
	if (!code) {
		show(ctl, &doctor_view, answer, doctor_print);
		code = count_bad(answer) ? EXIT_ERROR : EXIT_OK;
	}
	json_decref(answer);
	return code;
}

static const struct view fit_view = {.rows = {NULL}};

static void fit_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	const char *text = field_text(answer, "text");
	bool ready = json_is_true(json_object_get(answer, "ready"));
	char line[1024];

	(void)view;
	snprintf(line, sizeof(line), "%s%s%s", ready ? "ready" : "not ready", *text ? ": " : "",
		 text);
	print_wrapped(ctl, 2, line);
}

/* The HTTP status does not matter: load balancers read it, we read the word. */
int fit_run(struct ctl *ctl, char **words, int n)
{
	json_t *answer = NULL;
	long status = 0;
	int code = exchange(ctl, ctl->cmd->path, NULL, &answer, &status);

	(void)words, (void)n;
	if (code)
		return code;
	if (!json_is_boolean(json_object_get(answer, "ready"))) {
		code = refused(ctl, answer, status);
	} else {
		show(ctl, &fit_view, answer, fit_print);
		code = json_is_true(json_object_get(answer, "ready")) ? EXIT_OK : EXIT_ERROR;
	}
	json_decref(answer);
	return code;
}
