/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service's "rollout" (docs/api.md) means to a person, and to who waits for it. Pure. */
#include <string.h>

#include "ctl.h"
#include "rollout.h"

static int state_of(const json_t *rollout)
{
	return rollout_state_find(field_text(rollout, "state"));
}

/* "rolled back" */
void rollout_state_text(char *out, size_t size, const json_t *rollout)
{
	snprintf(out, size, "%s", field_text(rollout, "state"));
	for (char *c = out; *c; c++)
		if (*c == '_')
			*c = ' ';
}

/* "backends 3 to 4 of 8: update, shifting"; none are out between batches. */
static void batch_text(char *out, size_t size, const json_t *batch, const char *state)
{
	int64_t first = field_int(batch, "first", 0) + 1, n = field_int(batch, "n", 0);
	char to[32] = "";

	if (!n) {
		snprintf(out, size, "between batches, %s", state);
		return;
	}
	if (n > 1)
		snprintf(to, sizeof(to), " to %lld", (long long)(first + n - 1));
	snprintf(out, size, "%sbackend%s %lld%s of %lld: %s, %s",
		 json_is_true(json_object_get(batch, "back")) ? "back again: " : "",
		 n > 1 ? "s" : "", (long long)first, to, (long long)field_int(batch, "of", 0),
		 field_text(batch, "step"), state);
}

static bool has_steps(const json_t *rollout)
{
	int state = state_of(rollout);

	enum rollout_phase phase =
		state < 0 ? PHASE_OVER : rollout_state_phase((enum rollout_state)state);

	return phase == PHASE_STEP || phase == PHASE_PAUSED;
}

static double percent(const json_t *object, const char *field)
{
	return json_number_value(json_object_get(object, field));
}

void rollout_where(char *out, size_t size, const json_t *rollout)
{
	const json_t *batch = json_object_get(rollout, "batch"),
		     *steps = json_object_get(rollout, "steps");
	char state[64];

	rollout_state_text(state, sizeof(state), rollout);
	if (json_is_object(batch) && has_steps(rollout))
		batch_text(out, size, batch, state);
	else if (has_steps(rollout) && json_array_size(steps) > 1)
		snprintf(out, size, "step %lld of %zu: %g %%, %s",
			 (long long)field_int(rollout, "step", 0), json_array_size(steps),
			 percent(rollout, "share"), state);
	else if (has_steps(rollout))
		snprintf(out, size, "%g %%, %s", percent(rollout, "share"), state);
	else
		snprintf(out, size, "%s", state);
}

void rollout_progress(char *out, size_t size, const json_t *rollout)
{
	size_t len;

	rollout_where(out, size, rollout);
	len = strlen(out);
	if (!has_steps(rollout))
		snprintf(out + len, size - len, ", %s", field_text(rollout, "state_text"));
}

const char *rollout_reason(const json_t *rollout, const char *place)
{
	const char *why = field_text(rollout, "why");

	return strncmp(why, place, strlen(why)) ? why : field_text(rollout, "state_text");
}

/* ---- for who waits ---- */

int rollout_outcome(const json_t *rollout, int64_t number, bool share_is_enough)
{
	int64_t seen = field_int(rollout, "number", 0);
	int64_t code = field_int(rollout, "exit", EXIT_TIMEOUT);
	int state = state_of(rollout);

	if (seen > number)
		return OUTCOME_GONE;
	if (seen < number)
		return OUTCOME_OPEN;
	if (share_is_enough && (state == ROLLOUT_WATCHING || state == ROLLOUT_WAITING))
		return EXIT_OK;
	return code == EXIT_TIMEOUT ? OUTCOME_OPEN : (int)code;
}

void rollout_end(char *out, size_t size, const char *service, const json_t *rollout, int code)
{
	const char *why = "";
	char how[CELL_MAX];

	if (code == EXIT_TIMEOUT || (!code && has_steps(rollout))) {
		rollout_progress(how, sizeof(how), rollout);
	} else {
		rollout_state_text(how, sizeof(how), rollout);
		why = rollout_reason(rollout, "");
	}
	snprintf(out, size, "%s: %s (release %lld)%s: %s%s%s", service,
		 field_text(rollout, "title"), (long long)field_int(rollout, "number", 0),
		 code == EXIT_TIMEOUT ? " still going" : "", how, *why ? ": " : "", why);
}

/* promoted, bake and stable come one after the other. Promoted is what the bake begins with: before it
 * the plan is under way. */
static bool is_reached(int state, int wanted)
{
	if (wanted == ROLLOUT_PROMOTED)
		wanted = ROLLOUT_BAKE;
	return state == wanted || (wanted == ROLLOUT_BAKE && state == ROLLOUT_STABLE);
}

int rollout_until(const json_t *rollout, int wanted)
{
	int state = state_of(rollout);
	int code;

	if (!json_is_object(rollout))
		return EXIT_NOT_FOUND;
	if (is_reached(state, wanted))
		return EXIT_OK;
	if (state < 0 || rollout_state_phase((enum rollout_state)state) != PHASE_OVER)
		return OUTCOME_OPEN;
	code = rollout_state_exit((enum rollout_state)state);
	return code ? code : EXIT_ERROR;
}
