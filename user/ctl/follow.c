/* SPDX-License-Identifier: BSD-2-Clause */
/* A rollout that a command has begun or sent on is followed to its end, or to where it stands: what
 * happens goes to stderr, how it ended becomes the command's answer. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "rollout.h"
#include "txn.h"

enum { POLL_MS = 250 };

/* What waits for more than the daemon's answer. share: it is enough that the share is in force. */
static const struct {
	const char *command;
	bool share;
} followed[] = {
	{"flip", false},   {"canary", false},    {"roll", false},
	{"deploy", false}, {"experiment", true}, {"promote", true},
};

enum { N_FOLLOWED = sizeof(followed) / sizeof(followed[0]) };

static int row_of(const struct ctl *ctl)
{
	for (int i = 0; i < N_FOLLOWED; i++)
		if (!strcmp(followed[i].command, ctl->cmd->name))
			return i;
	return -1;
}

bool is_followed(const struct ctl *ctl, const json_t *answer)
{
	return row_of(ctl) >= 0 && !ctl->opt.no_wait && !ctl->opt.dry_run &&
	       field_int(answer, "rollout", 0) > 0;
}

/* One rollout and how far it was told. */
struct following {
	const char *service, *path;
	int64_t number, until_ms;
	bool share;
	char told[CELL_MAX];
	json_t *seen; /* the service, as last looked at; owned */
};

static void say_progress(struct following *f, const json_t *rollout)
{
	char now[CELL_MAX];

	if (field_int(rollout, "number", 0) == f->number)
		rollout_progress(now, sizeof(now), rollout);
	else
		snprintf(now, sizeof(now), "waits for release %lld to end",
			 (long long)field_int(rollout, "number", 0));
	if (!strcmp(now, f->told))
		return;
	note("%s: %s", f->service, now);
	memcpy(f->told, now, sizeof(now));
}

/* Until it is over, stands, or the time is up; then *code is what it says. */
static int watch(struct ctl *ctl, struct following *f, int *code)
{
	int err;

	for (;; pause_ms(POLL_MS)) {
		const json_t *rollout;
		json_t *seen = NULL;

		err = fetch_again(ctl, f->path, &seen);
		if (err)
			return err;
		json_decref(f->seen);
		f->seen = seen;
		rollout = json_object_get(seen, "rollout");
		*code = rollout_outcome(rollout, f->number, f->share);
		if (*code == OUTCOME_OPEN && now_ms() >= f->until_ms)
			*code = EXIT_TIMEOUT;
		if (*code != OUTCOME_OPEN)
			return 0;
		say_progress(f, rollout);
	}
}

/* How a release ended that is not the service's last one any more: by its result in history. */
static int code_of_release(const json_t *history, int64_t number)
{
	const json_t *release;
	int state = -1;
	size_t i;

	json_array_foreach(json_object_get(history, "releases"), i, release)
		if (field_int(release, "number", 0) == number)
			state = rollout_state_find(field_text(release, "result"));
	return rollout_state_exit(state < 0 ? ROLLOUT_SUPERSEDED : (enum rollout_state)state);
}

/* 0 with *code, which is the release's; else an exit code. */
static int look_back(struct ctl *ctl, const struct following *f, int *code)
{
	json_t *history = NULL;
	char *path = api_path("/v1/services/%s/history", f->service);
	int err = path ? fetch_again(ctl, path, &history) : fail(ctl, EXIT_ERROR, "out of memory");

	if (!err)
		*code = code_of_release(history, f->number);
	json_decref(history);
	free(path);
	return err;
}

static void copy_field(json_t *answer, const json_t *service, const char *field)
{
	json_t *value = json_object_get(service, field);

	if (value)
		json_object_set(answer, field, value);
}

static void answer_end(json_t *answer, const struct following *f, int code, int64_t took_ms)
{
	json_t *rollout = json_object_get(f->seen, "rollout");
	char text[2 * CELL_MAX];

	if (field_int(rollout, "number", 0) == f->number)
		rollout_end(text, sizeof(text), f->service, rollout, code);
	else
		snprintf(text, sizeof(text),
			 "%s: release %lld is over (%s), and release %lld begun", f->service,
			 (long long)f->number, outcome_word((enum outcome)code),
			 (long long)field_int(rollout, "number", 0));
	json_object_set_new(answer, "result", json_string(outcome_word((enum outcome)code)));
	json_object_set_new(answer, "exit", json_integer(code));
	json_object_set_new(answer, "text", json_string(text));
	json_object_set_new(answer, "moved", json_array());
	json_object_set_new(answer, "took_ms", json_integer(took_ms));
	json_object_set(answer, "progress", rollout);
	copy_field(answer, f->seen, "generation");
	copy_field(answer, f->seen, "revision");
}

int rollout_follow(struct ctl *ctl, const char *service, int64_t since_ms, json_t *answer)
{
	char *path = api_path("/v1/services/%s", service);
	struct following f = {
		.service = service,
		.path = path,
		.number = field_int(answer, "rollout", 0),
		.until_ms = since_ms + ctl->opt.timeout_ms,
		.share = followed[row_of(ctl)].share,
	};
	int code = 0, err;

	if (!path)
		return fail(ctl, EXIT_ERROR, "out of memory");
	note("%s", field_text(answer, "text"));
	err = watch(ctl, &f, &code);
	if (!err && code == OUTCOME_GONE)
		err = look_back(ctl, &f, &code);
	if (!err)
		answer_end(answer, &f, code, now_ms() - since_ms);
	json_decref(f.seen);
	free(path);
	return err;
}
