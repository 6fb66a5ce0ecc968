/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: options anywhere, words in order, one line for every mistake. */
#include "t.h"

#include <errno.h>

#include "../../user/ctl/option_table.c"
#include "../../user/ctl/options.c"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

enum { ARGS = 12 };

static const struct command rows[] = {
	{.name = "get",
	 .synopsis = "[SVC]",
	 .takes = TAKES_LOOK | TAKES_NAME | TAKES_WATCH,
	 .words_max = 1},
	{.name = "events", .synopsis = "[-f]", .takes = TAKES_LOOK | TAKES_FOLLOW},
	{.name = "apply", .synopsis = "-f FILE", .takes = TAKES_CHANGE | TAKES_FILE},
	{.name = "flip",
	 .synopsis = "SVC...",
	 .takes = TAKES_CHANGE | TAKES_FORCE,
	 .words_min = 1,
	 .words_max = 99},
	{.name = "ready", .synopsis = "", .takes = TAKES_LOOK},
	{.name = "ready",
	 .synopsis = "SVC/POOL",
	 .takes = TAKES_CHANGE,
	 .words_min = 1,
	 .words_max = 1},
	{.name = "canary",
	 .synopsis = "SVC",
	 .takes = TAKES_CANARY,
	 .words_min = 1,
	 .words_max = 1},
};
static const char *const later_names[] = {"top"};
static const struct command_set set = {rows, COUNT(rows), &rows[0], later_names, 1};

static int parse(struct command_line *line, const char *const *args, char *error)
{
	static char *argv[ARGS + 1];
	int argc = 1;

	argv[0] = (char *)"zddctl";
	for (; argc <= ARGS && args[argc - 1]; argc++)
		argv[argc] = (char *)args[argc - 1];
	*line = (struct command_line){.opt = {.timeout_ms = 30000}};
	return command_line_parse(line, &set, argc, argv, error);
}

static const struct {
	const char *args[ARGS];
	int row; /* index into rows */
	unsigned given;
	int n_words;
	const char *last_word;
} good[] = {
	{{NULL}, 0, 0, 0, NULL},
	{{"get"}, 0, 0, 0, NULL},
	{{"get", "shop"}, 0, 0, 1, "shop"},
	{{"-w"}, 0, TAKES_WATCH, 0, NULL},
	{{"-w", "get", "shop"}, 0, TAKES_WATCH, 1, "shop"},
	{{"-wojson"}, 0, TAKES_WATCH | TAKES_OUTPUT, 0, NULL},
	{{"-o", "json", "get"}, 0, TAKES_OUTPUT, 0, NULL},
	{{"get", "-o", "name"}, 0, TAKES_OUTPUT, 0, NULL},
	{{"--timeout", "5s", "get"}, 0, TAKES_TIMEOUT, 0, NULL},
	{{"get", "--timeout=5s"}, 0, TAKES_TIMEOUT, 0, NULL},
	{{"events", "-f"}, 1, TAKES_FOLLOW, 0, NULL},
	{{"apply", "-f", "x"}, 2, TAKES_FILE, 0, NULL},
	{{"apply", "-fx"}, 2, TAKES_FILE, 0, NULL},
	{{"apply", "-f", "-"}, 2, TAKES_FILE, 0, NULL},
	{{"flip", "a", "b"}, 3, 0, 2, "b"},
	{{"--force", "flip", "a"}, 3, TAKES_FORCE, 1, "a"},
	{{"flip", "a", "--force", "-m", "-x"}, 3, TAKES_FORCE | TAKES_WHY, 1, "a"},
	{{"flip", "--", "-a"}, 3, 0, 1, "-a"},
	{{"ready"}, 4, 0, 0, NULL},
	{{"ready", "a/b"}, 5, 0, 1, "a/b"},
	{{"canary", "a=b", "--steps", "5,100", "--each", "10m", "--step-until=time"},
	 6,
	 TAKES_STEPS | TAKES_EACH | TAKES_STEP_UNTIL,
	 1,
	 "a=b"},
	{{"ready", "a/b", "--no-wait"}, 5, TAKES_NO_WAIT, 1, "a/b"},
};

TEST(what_is_right_is_sorted)
{
	for (size_t i = 0; i < COUNT(good); i++) {
		char error[ERROR_MAX] = "";
		struct command_line line;
		int err = parse(&line, good[i].args, error);

		ROW("%zu: %.80s", i, error);
		if (!CHECK_INT(err, 0))
			continue;
		CHECK_INT(line.cmd - rows, good[i].row);
		CHECK_INT(line.opt.given, good[i].given);
		CHECK_INT(line.n_words, good[i].n_words);
		if (good[i].last_word)
			CHECK_STR(line.words[line.n_words - 1], good[i].last_word);
	}
}

static const struct {
	const char *args[ARGS];
	const char *error;
} bad[] = {
	{{"flp"}, "'flp': no such command; did you mean flip?"},
	{{"xyzzyx"}, "'xyzzyx': no such command; zddctl --help lists them"},
	{{"top", "a=b"}, "top: not yet supported"},
	{{""}, "'': no such command; zddctl --help lists them"},
	{{"get", "--wacth"}, "--wacth: no such option"},
	{{"flip", "a", "--froce"}, "--froce: no such option; did you mean --force"},
	{{"get", "-z"}, "-z: no such option"},
	{{"get", "--dry-run"}, "get: --dry-run: does not belong to this command"},
	{{"--force", "get"}, "get: --force: does not belong to this command"},
	{{"-w", "flip", "a"}, "flip: -w: does not belong to this command"},
	{{"get", "--timeout"}, "--timeout: DURATION is missing"},
	{{"get", "--timeout", "5"}, "--timeout: '5': expected a duration like 250ms, 30s, 5m"},
	{{"get", "--timeout="}, "--timeout: '': expected a duration like 250ms, 30s, 5m"},
	{{"get", "-o"}, "-o: FORMAT is missing"},
	{{"get", "-o", "jsno"},
	 "-o: 'jsno': expected table, wide, json, jsonl or name; did you mean json"},
	{{"get", "--socket", ""}, "--socket: '': expected PATH"},
	{{"flip", "a", "--force=1"}, "--force: takes no value"},
	{{"flip", "a", "--if-revision", "x"}, "--if-revision: 'x': expected a whole number"},
	{{"flip", "a", "--if-revision", "-1"}, "--if-revision: '-1': expected a whole number"},
	{{"flip", "a", "--if-revision", "99999999999"},
	 "--if-revision: '99999999999': expected a whole number"},
	{{"flip"}, "flip: something is missing; expected: flip SVC..."},
	{{"get", "a", "b"}, "get: 'b' is one too many; expected: get [SVC]"},
	{{"events", "-o", "name"}, "events: -o name: it has no names to list"},
	{{"canary", "a", "--each", "10"}, "--each: '10': expected a duration like 250ms, 30s, 5m"},
	{{"flip", "a", "--steps", "5"}, "flip: --steps: does not belong to this command"},
	{{"-f"}, "-f: goes after its command"},
	{{"-f", "x", "apply"}, "-f: goes after its command"},
	{{"apply", "-f"}, "-f: FILE is missing"},
};

TEST(what_is_wrong_is_named)
{
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct command_line line;
		char error[ERROR_MAX] = "";
		int err = parse(&line, bad[i].args, error);

		ROW("%zu", i);
		CHECK_INT(err, -EINVAL);
		CHECK_STR(error, bad[i].error);
		CHECK(!line.cmd);
	}
}

TEST(an_endless_option_is_refused)
{
	char option[4096], error[ERROR_MAX];
	struct command_line line;

	memset(option, '-', sizeof(option) - 1);
	option[sizeof(option) - 1] = '\0';
	CHECK_INT(parse(&line, (const char *const[]){option, NULL}, error), -EINVAL);
}

TEST(help_needs_no_words)
{
	struct command_line line;
	char error[ERROR_MAX];

	CHECK_INT(parse(&line, (const char *const[]){"flip", "--help", NULL}, error), 0);
	CHECK(line.opt.help && line.named);
	CHECK_INT(parse(&line, (const char *const[]){"-h", NULL}, error), 0);
	CHECK(line.opt.help && !line.named);
}
