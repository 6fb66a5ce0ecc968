/* SPDX-License-Identifier: BSD-2-Clause */
/* status: one service in detail, or wait until it is in a state. */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ctl.h"
#include "rollout.h"

enum { POLL_MS = 250 };

/* The first three are words of the answer's "state", the fourth is about drains, the others are those
 * of a rollout. */
const char *const status_words[] = {"ok", "degraded", "panic", "drained",
#define S(symbol, word, phase, code, sentence) #word,
				    ZDD_ROLLOUT_STATES(S)
#undef S
					    NULL};

enum { DRAINED = 3, N_STATES = sizeof(status_words) / sizeof(status_words[0]) - 1 };

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

/* 0, OUTCOME_OPEN, or the exit code of a rollout that will not come to it any more. */
static int look_for(const json_t *service, const char *state)
{
	int of_rollout = rollout_state_find(state);

	if (of_rollout >= 0)
		return rollout_until(json_object_get(service, "rollout"), of_rollout);
	if (!strcmp(state, status_words[DRAINED]))
		return is_drained(service) ? 0 : OUTCOME_OPEN;
	return strcmp(field_text(service, "state"), state) ? OUTCOME_OPEN : 0;
}

static int never(struct ctl *ctl, const json_t *service, const char *state, int code)
{
	const char *name = field_text(service, "service");
	const json_t *rollout = json_object_get(service, "rollout");
	char how[64];

	if (code == EXIT_NOT_FOUND)
		return fail(ctl, code, "%s has had no rollout that could be %s", name, state);
	rollout_state_text(how, sizeof(how), rollout);
	return fail(ctl, code, "%s will not be %s: release %lld is %s", name, state,
		    (long long)field_int(rollout, "number", 0), how);
}

/* *answer is the last one seen, also after a timeout. */
static int wait_until(struct ctl *ctl, const char *path, const char *state, json_t **answer)
{
	int64_t deadline = now_ms() + ctl->opt.timeout_ms;
	int code, found;

	while (!(code = fetch_again(ctl, path, answer))) {
		found = look_for(*answer, state);
		if (found != OUTCOME_OPEN)
			return found ? never(ctl, *answer, state, found) : 0;
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
		if (!strcmp(status_words[i], state))
			return 0;
	near = nearest_word(state, status_words, N_STATES);
	return fail(ctl, EXIT_USAGE,
		    "--until: '%s': expected ok, degraded, panic, drained, or a state of a rollout "
		    "like promoted%s%s",
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
