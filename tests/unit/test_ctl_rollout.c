/* SPDX-License-Identifier: BSD-2-Clause */
/* A service's rollout as zddctl tells it, and as it ends who waits for it. */
#include "t.h"

#include "../../user/ctl/print.c"
#include "../../user/ctl/rollout_words.c"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define CANARY                                                                                     \
	"'number': 12, 'title': 'canary to green', 'candidate': 'green', 'previous': 'blue', "     \
	"'steps': [5, 25, 50, 100], 'step': 2, 'share': 25, 'state_text': 'TEXT', 'why': '', "
#define ROLL                                                                                          \
	"'number': 12, 'title': 'update of blue in place', 'candidate': 'blue', 'previous': 'blue', " \
	"'steps': [100], 'step': 1, 'share': 100, 'state_text': 'TEXT', 'why': 'WHY', "

/* JSON with ' for ". */
static json_t *parse(const char *text)
{
	char copy[1024];
	json_t *value;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, JSON_DECODE_ANY, NULL);
	CHECK(value);
	return value;
}

static const struct {
	const char *rollout, *progress;
} told[] = {
	{"{" CANARY "'state': 'staging'}", "staging, TEXT"},
	{"{" CANARY "'state': 'watching'}", "step 2 of 4: 25 %, watching"},
	{"{" CANARY "'state': 'inconclusive'}", "step 2 of 4: 25 %, inconclusive"},
	{"{" CANARY "'state': 'paused'}", "step 2 of 4: 25 %, paused"},
	{"{" CANARY "'state': 'rolled_back'}", "rolled back, TEXT"},
	{"{" CANARY "'state': 'promoted'}", "promoted, TEXT"},
	{"{" CANARY "'state': 'of_tomorrow'}", "of tomorrow, TEXT"},
	{"{'strategy': 'experiment', 'candidate': 'green', 'steps': [10], 'step': 1, 'share': 10, "
	 "'state': 'watching'}",
	 "10 %, watching"},
	{"{'strategy': 'flip', 'candidate': 'green', 'state': 'gate', 'state_text': 'TEXT'}",
	 "gate, TEXT"},
	{"{'strategy': 'rolling', 'candidate': 'green', 'previous': 'blue', 'state': 'gate', "
	 "'state_text': 'TEXT'}",
	 "gate, TEXT"},
	{"{" ROLL "'state': 'watching', 'batch': {'first': 2, 'n': 2, 'size': 2, 'of': 8, 'step': "
	 "'update', 'back': false}}",
	 "backends 3 to 4 of 8: update, watching"},
	{"{" ROLL "'state': 'shifting', 'batch': {'first': 0, 'n': 1, 'size': 2, 'of': 8, 'step': "
	 "'drain', 'back': true}}",
	 "back again: backend 1 of 8: drain, shifting"},
	{"{" ROLL "'state': 'paused', 'batch': {'first': 2, 'n': 0, 'size': 2, 'of': 8, 'step': "
	 "'drain', 'back': false}}",
	 "between batches, paused"},
	{"{" ROLL "'state': 'stable', 'batch': null}", "stable, TEXT"},
	{"{}", ", "},
};

TEST(a_rollout_is_told)
{
	for (size_t i = 0; i < COUNT(told); i++) {
		json_t *rollout = parse(told[i].rollout);
		char text[CELL_MAX];

		ROW("%zu", i);
		rollout_progress(text, sizeof(text), rollout);
		CHECK_STR(text, told[i].progress);
		json_decref(rollout);
	}
}

static const struct {
	const char *rollout;
	bool share; /* is enough */
	int code;
} outcomes[] = {
	{"{'number': 12, 'state': 'watching', 'exit': 15}", false, OUTCOME_OPEN},
	{"{'number': 12, 'state': 'watching', 'exit': 15}", true, 0},
	{"{'number': 12, 'state': 'shifting', 'exit': 15}", true, OUTCOME_OPEN},
	{"{'number': 12, 'state': 'waiting', 'exit': 13}", false, 13},
	{"{'number': 12, 'state': 'waiting', 'exit': 15}", false, OUTCOME_OPEN}, /* for a hook */
	{"{'number': 12, 'state': 'waiting', 'exit': 13}", true, 0},
	{"{'number': 12, 'state': 'paused', 'exit': 13}", false, 13},
	{"{'number': 12, 'state': 'inconclusive', 'exit': 14}", true, 14},
	{"{'number': 12, 'state': 'promoted', 'exit': 15}", true, OUTCOME_OPEN},
	{"{'number': 12, 'state': 'bake', 'exit': 0}", false, 0},
	{"{'number': 12, 'state': 'failed_safe', 'exit': 10}", false, 10},
	{"{'number': 12, 'state': 'rolled_back', 'exit': 11}", true, 11},
	{"{'number': 12, 'state': 'aborted', 'exit': 12}", false, 12},
	/* another's: ours is still queued, or is over */
	{"{'number': 11, 'state': 'stable', 'exit': 0}", false, OUTCOME_OPEN},
	{"{'number': 13, 'state': 'watching', 'exit': 15}", true, OUTCOME_GONE},
	{"null", false, OUTCOME_OPEN},
};

static const struct {
	const char *rollout, *place, *reason;
} reasons[] = {
	{"{" CANARY "'state': 'watching'}", "step 2 of 4: 25 %, watching", "TEXT"},
	{"{" ROLL "'state': 'bake'}", "bake", "WHY"},
	{"{'state': 'shifting', 'step': 2, 'steps': [5, 25, 100], 'share': 25, "
	 "'why': 'step 2 of 3: 25 %', 'state_text': 'TEXT'}",
	 "step 2 of 3: 25 %, shifting", "TEXT"},
	{"{'state': 'paused', 'step': 1, 'steps': [5], 'share': 5, 'why': 'by bob'}", "5 %, paused",
	 "by bob"},
};

TEST(nothing_is_said_twice)
{
	for (size_t i = 0; i < COUNT(reasons); i++) {
		json_t *rollout = parse(reasons[i].rollout);
		char place[CELL_MAX];

		ROW("%zu", i);
		rollout_where(place, sizeof(place), rollout);
		CHECK_STR(place, reasons[i].place);
		CHECK_STR(rollout_reason(rollout, place), reasons[i].reason);
		json_decref(rollout);
	}
}

TEST(who_waits_learns_how_it_ended)
{
	for (size_t i = 0; i < COUNT(outcomes); i++) {
		json_t *rollout = parse(outcomes[i].rollout);

		ROW("%zu", i);
		CHECK_INT(rollout_outcome(rollout, 12, outcomes[i].share), outcomes[i].code);
		json_decref(rollout);
	}
}

static const struct {
	const char *state, *wanted;
	int code;
} untils[] = {
	{"watching", "watching", 0},
	{"watching", "promoted", OUTCOME_OPEN},
	{"paused", "promoted", OUTCOME_OPEN},
	{"promoted", "promoted", OUTCOME_OPEN}, /* no plan has it yet */
	{"bake", "promoted", 0},
	{"stable", "promoted", 0},
	{"promoted", "bake", OUTCOME_OPEN},
	{"stable", "bake", 0},
	{"bake", "stable", OUTCOME_OPEN},
	{"rolled_back", "rolled_back", 0},
	{"rolled_back", "promoted", 11},
	{"aborted", "stable", 12},
	{"superseded", "bake", 12},
	{"failed_safe", "promoted", 10},
	{"stable", "waiting", 1},
	{"of_tomorrow", "waiting", OUTCOME_OPEN},
};

TEST(until_a_state)
{
	for (size_t i = 0; i < COUNT(untils); i++) {
		json_t *rollout = json_pack("{s:s}", "state", untils[i].state);

		ROW("%s until %s", untils[i].state, untils[i].wanted);
		CHECK_INT(rollout_until(rollout, rollout_state_find(untils[i].wanted)),
			  untils[i].code);
		json_decref(rollout);
	}
	CHECK_INT(rollout_until(NULL, ROLLOUT_STABLE), EXIT_NOT_FOUND);
}

static const struct {
	const char *rollout;
	int code;
	const char *text;
} ends[] = {
	{"{" CANARY "'state': 'promoted'}", 0,
	 "shop: canary to green (release 12): promoted: TEXT"},
	{"{" ROLL "'state': 'stable'}", 0,
	 "shop: update of blue in place (release 12): stable: WHY"},
	{"{" ROLL "'state': 'rolled_back'}", 11,
	 "shop: update of blue in place (release 12): rolled back: WHY"},
	{"{" CANARY "'state': 'watching'}", 0,
	 "shop: canary to green (release 12): step 2 of 4: 25 %, watching"},
	{"{" CANARY "'state': 'watching'}", 15,
	 "shop: canary to green (release 12) still going: step 2 of 4: 25 %, watching"},
	{"{" CANARY "'state': 'gate'}", 15,
	 "shop: canary to green (release 12) still going: gate, TEXT"},
};

TEST(the_end_is_one_sentence)
{
	for (size_t i = 0; i < COUNT(ends); i++) {
		json_t *rollout = parse(ends[i].rollout);
		char text[CELL_MAX];

		ROW("%zu", i);
		rollout_end(text, sizeof(text), "shop", rollout, ends[i].code);
		CHECK_STR(text, ends[i].text);
		json_decref(rollout);
	}
}
