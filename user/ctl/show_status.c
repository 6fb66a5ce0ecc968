/* SPDX-License-Identifier: BSD-2-Clause */
/* status: one service in detail, or wait until it is in a state. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ctl.h"

enum { POLL_MS = 250 };

/* The last is about drains, the others are words of the answer's "state". */
static const char *const states[] = {"ok", "degraded", "panic", "drained"};

enum { N_STATES = sizeof(states) / sizeof(states[0]) };

static void detail(struct ctl *ctl, const json_t *service, const char *title, const char *field)
{
	char list[CELL_MAX];

	if (!json_array_size(json_object_get(service, field)))
		return;
	format_list(list, sizeof(list), service, field);
	print_wrapped_at(ctl, printf("%-8s", title), 8, list);
}

static void status_print(struct ctl *ctl, const struct view *view, const json_t *service)
{
	printf("%s: %s, live %s, revision %lld, generation %lld, %s\n",
	       field_text(service, "service"), field_text(service, "state"),
	       field_text(service, "live"), (long long)field_int(service, "revision", 0),
	       (long long)field_int(service, "generation", 0), field_text(service, "forward"));
	detail(ctl, service, "listen", "listen");
	detail(ctl, service, "preview", "preview");
	putchar('\n');
	state_print(ctl, view, service);
}

static bool is_drained(const json_t *service)
{
	const json_t *drain;
	size_t i;

	json_array_foreach(json_object_get(service, "drains"), i, drain)
		if (field_int(drain, "open", 0))
			return false;
	return true;
}

static int64_t count_cut(const json_t *service)
{
	const json_t *drain;
	int64_t cut = 0;
	size_t i;

	json_array_foreach(json_object_get(service, "drains"), i, drain)
		cut += field_int(drain, "cut", 0);
	return cut;
}

static bool is_in(const json_t *service, const char *state)
{
	if (!strcmp(state, "drained"))
		return is_drained(service);
	return !strcmp(field_text(service, "state"), state);
}

/* *answer is the last one seen, also after a timeout. */
static int wait_until(struct ctl *ctl, const char *path, const char *state, json_t **answer)
{
	int64_t deadline = now_ms() + ctl->opt.timeout_ms;
	int code;

	while (!(code = fetch(ctl, path, answer))) {
		if (is_in(*answer, state))
			return 0;
		if (now_ms() >= deadline)
			return fail(ctl, EXIT_TIMEOUT, "%s is not %s yet",
				    field_text(*answer, "service"), state);
		json_decref(*answer);
		*answer = NULL;
		pause_ms(POLL_MS);
	}
	return code;
}

static int check_state(const struct ctl *ctl, const char *state)
{
	const char *near;

	for (int i = 0; i < N_STATES; i++)
		if (!strcmp(states[i], state))
			return 0;
	near = nearest_word(state, states, N_STATES);
	return fail(ctl, EXIT_USAGE, "--until: '%s': expected ok, degraded, panic or drained%s%s",
		    state, near ? "; did you mean " : "", near ? near : "");
}

int status_run(struct ctl *ctl, char **words, int n)
{
	const char *until = ctl->opt.until;
	json_t *answer = NULL;
	char *path = NULL;
	int code = until ? check_state(ctl, until) : 0;

	(void)n;
	if (!code)
		code = service_path(ctl, words[0], &path);
	if (!code)
		code = until ? wait_until(ctl, path, until, &answer) : fetch(ctl, path, &answer);
	if (answer)
		show(ctl, &state_view, answer, status_print);
	if (!code && until && !strcmp(until, "drained") && count_cut(answer))
		code = fail(ctl, EXIT_CUT, "%s is drained; %lld connections had to be cut",
			    words[0], (long long)count_cut(answer));
	json_decref(answer);
	free(path);
	return code;
}
