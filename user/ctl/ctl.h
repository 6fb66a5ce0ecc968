/* SPDX-License-Identifier: BSD-2-Clause */
/* zddctl: one command line in, one or more requests to the daemon's /v1 API, one answer printed.
 * What there is to say about a command stands in commands.c, about an option in options.c, about
 * an object's columns beside its printer; everything else derives from those tables. */
#ifndef ZDD_CTL_H
#define ZDD_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What zddctl can find out by itself; all other codes come in the answer's "exit". */
enum exit_code {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_UNREACHABLE = 5,
	EXIT_NOT_PERMITTED = 6,
	EXIT_FAILED_SAFE = 10,
	EXIT_ROLLED_BACK = 11,
	EXIT_ABORTED = 12,
	EXIT_WAITING = 13,
	EXIT_INCONCLUSIVE = 14,
	EXIT_TIMEOUT = 15,
	EXIT_CUT = 16,
	EXIT_CHANGES = 20,
};

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_NAME };

struct options {
	const char *socket;
	const char *hold_then;
	enum output output;
	uint32_t timeout_ms;
	uint32_t if_revision;
	const char *why, *by, *until, *file, *completion, *steps, *step_until;
	uint32_t limit, hold_ms, hold_max, each_ms;
	bool dry_run, no_wait, force, verify, watch, follow, draining, help, version, full, stats;
	unsigned given; /* TAKES_* of what stood on the command line */
};

/* One bit per option; a command lists those that mean something to it, the others are refused. */
enum takes {
	TAKES_SOCKET = 1 << 0,
	TAKES_OUTPUT = 1 << 1,
	TAKES_TIMEOUT = 1 << 2,
	TAKES_HELP = 1 << 3,
	TAKES_VERSION = 1 << 4,
	TAKES_COMPLETION = 1 << 5,
	TAKES_DRY_RUN = 1 << 6,
	TAKES_IF_REVISION = 1 << 7,
	TAKES_WHY = 1 << 8,
	TAKES_BY = 1 << 9,
	TAKES_NO_WAIT = 1 << 10,
	TAKES_FORCE = 1 << 11,
	TAKES_VERIFY = 1 << 12,
	TAKES_UNTIL = 1 << 13,
	TAKES_WATCH = 1 << 14,
	TAKES_FOLLOW = 1 << 15,
	TAKES_FILE = 1 << 16,
	TAKES_LIMIT = 1 << 17,
	TAKES_DRAINING = 1 << 19,
	TAKES_STEPS = 1 << 20,
	TAKES_EACH = 1 << 21,
	TAKES_STEP_UNTIL = 1 << 22,
	TAKES_FULL = 1 << 23,
	TAKES_HOLD_LIMIT = 1 << 24,
	TAKES_HOLD_MAX = 1 << 25,
	TAKES_HOLD_THEN = 1 << 26,
	TAKES_STATS = 1 << 27,
	TAKES_HOLD = TAKES_HOLD_LIMIT | TAKES_HOLD_MAX | TAKES_HOLD_THEN,
	TAKES_NAME = 1 << 18, /* no option: has things that "-o name" can list */

	TAKES_LOOK = TAKES_SOCKET | TAKES_OUTPUT | TAKES_TIMEOUT | TAKES_HELP | TAKES_VERSION |
		     TAKES_COMPLETION,
	TAKES_CHANGE = TAKES_LOOK | TAKES_DRY_RUN | TAKES_IF_REVISION | TAKES_WHY | TAKES_BY |
		       TAKES_NO_WAIT,
	TAKES_CANARY = TAKES_CHANGE | TAKES_STEPS | TAKES_EACH | TAKES_STEP_UNTIL,
};

struct ctl;

struct command {
	const char *name;
	const char *synopsis; /* what follows the name, options of this command included */
	const char *help;     /* one line */
	const char *path;     /* of the API; %s is the service's name */
	int (*run)(struct ctl *, char **words, int n); /* an exit code */
	unsigned takes;
	int words_min, words_max; /* rows of one name are told apart by these */
	const char *completes;    /* what its words are: see completion.c */
	const char *group;        /* heading in the help, NULL: the same as the row above */
};

struct ctl {
	struct options opt;
	const struct command *cmd;
	bool colour; /* stdout is a terminal that may be coloured */
	bool terminal;
	bool utf8;
};

enum { ERROR_MAX = 512, NAME_MAX_BYTES = 256 };

/* --- options.c (pure) --- */

struct command_line {
	struct options opt;
	const struct command *cmd;
	char **words; /* inside argv */
	int n_words;
	bool named; /* the command was given, not the bare zddctl */
};

struct command_set {
	const struct command *rows;
	size_t n;
	const struct command *fallback; /* what a bare zddctl runs */
	const char *const *later;       /* names that are known and refused */
	size_t n_later;
};

/* Sorts argv into options, command and words; argv is reordered. 0, or -EINVAL with one line in
 * error (ERROR_MAX bytes), line then untouched. line->opt gives the defaults. */
int command_line_parse(struct command_line *line, const struct command_set *set, int argc,
		       char **argv, char *error);
/* The row that takes n words, else the first row of that name, else NULL. */
const struct command *command_find(const struct command_set *set, const char *name, int n);
void options_print_help(FILE *out, unsigned takes);
void options_print_words(FILE *out, unsigned takes);

/* --- names.c (pure) --- */

struct name {
	char service[NAME_MAX_BYTES], pool[NAME_MAX_BYTES]; /* "" when absent */
	char backend[64];                                   /* canonical address:port */
};

enum name_parts { NAME_SERVICE = 1, NAME_POOL, NAME_BACKEND };

/* "SVC", "SVC/POOL", "SVC/POOL/ADDR"; at least min and at most max parts. 0 or -EINVAL. */
int name_parse(struct name *name, const char *text, int min, int max, char *error);
/* "LEFT=RIGHT", both not empty. left has room for NAME_MAX_BYTES; *right points into text. */
int pair_parse(const char *text, char *left, const char **right, const char *form, char *error);

/* "SVC=POOL", or "SVC" alone: *pool is NULL then. Room and errors as above. */
int target_parse(const char *text, char *service, const char **pool, char *error);

/* --- commands.c, help.c, completion.c --- */

extern const struct command_set all_commands;
void help_print(FILE *out);
void help_print_command(FILE *out, const struct command *cmd);
int help_run(struct ctl *, char **words, int n);
int completion_print(FILE *out, const char *shell);

/* --- client.c --- */

/* One exchange. body NULL: GET. 0 with *answer (an object) and *status; else an exit code, the
 * reason is already on stderr. */
int exchange(struct ctl *, const char *path, const json_t *body, json_t **answer, long *status);
/* GET; refusals are reported and become exit codes. */
int fetch(struct ctl *, const char *path, json_t **answer);
/* The same over a restart of the daemon, which ends no watching: asked again until --timeout has
 * passed without it. */
int fetch_again(struct ctl *, const char *path, json_t **answer);
/* The command's path with the service's name put in, escaped. Release with free. */
char *api_path(const char *form, const char *service);
/* The same for the running command and a word that must be a service's name; 0 or an exit code. */
int service_path(const struct ctl *, const char *word, char **path);
/* Appends "?key=value" or "&key=value", escaped, to *path; nothing when value is empty. */
int add_query(const struct ctl *, char **path, const char *key, const char *value);
bool is_reachable(const struct ctl *); /* somebody listens on the socket; silent */
int64_t now_ms(void);                  /* monotonic */
void pause_ms(int ms);

/* --- change.c --- */

/* Reports an answer that is a refusal; returns its exit code. */
int refused(const struct ctl *, const json_t *answer, long status);
/* POSTs body (taken over) with the options of every change added, prints the answer, returns its
 * exit code. */
int change(struct ctl *, const char *path, json_t *body);

/* --- follow.c --- */

/* The command waits for the rollout that this answer has begun or sent on. */
bool is_followed(const struct ctl *, const json_t *answer);
/* Waits, since since_ms, and makes the answer say how it ended. 0, or the exit code of who could not
 * even look. */
int rollout_follow(struct ctl *, const char *service, int64_t since_ms, json_t *answer);

/* --- rollout_words.c (pure): of a service's "rollout" --- */

enum { OUTCOME_OPEN = -1, OUTCOME_GONE = -2 };

void rollout_state_text(char *out, size_t size, const json_t *rollout);
/* "step 2 of 4: 25 %, watching", or "bake" */
void rollout_where(char *out, size_t size, const json_t *rollout);
/* The same with what that means, where the place does not say it. Changes when something happened, not
 * as time goes by. */
void rollout_progress(char *out, size_t size, const json_t *rollout);
/* The last word on it, or what its state means when that says no more than the place. */
const char *rollout_reason(const json_t *rollout, const char *place);
/* "shop: canary to green (release 12): promoted: WHY" */
void rollout_end(char *out, size_t size, const char *service, const json_t *rollout, int code);
/* The exit code of who waits for the rollout of this number; OUTCOME_OPEN while it goes on,
 * OUTCOME_GONE when another one has taken its place, and history knows. */
int rollout_outcome(const json_t *rollout, int64_t number, bool share_is_enough);
/* The same of who waits until it is in a state (enum rollout_state): 0 reached, OUTCOME_OPEN, or a
 * code when it can no longer come. */
int rollout_until(const json_t *rollout, int wanted);

/* --- stats.c (pure) --- */

/* What the releases of history add up to; docs/schema/stats.json. New reference, NULL: no memory. */
json_t *history_stats(const json_t *releases, const char *service);

/* --- print.c: words for people --- */

/* "zddctl: COMMAND: ..." as one line on stderr; returns code. cmd may be NULL in ctl. */
__attribute__((format(printf, 3, 4))) int fail(const struct ctl *, int code, const char *fmt, ...);
/* "zddctl: ..." on stderr: progress. */
__attribute__((format(printf, 1, 2))) void note(const char *fmt, ...);
const char *field_text(const json_t *object, const char *field); /* "" when null or absent */
int64_t field_int(const json_t *object, const char *field, int64_t absent);
int line_width(const struct ctl *); /* the terminal's, else 80 */
/* Breaks at words before the end of the line; later lines start with hang
 * spaces. */
void print_wrapped(const struct ctl *, int hang, const char *text);
/* The same, when the first line already has at columns. */
void print_wrapped_at(const struct ctl *, int at, int hang, const char *text);
const char *paint(const struct ctl *, const char *colour); /* escape sequence, or "" */

/* --- format.c: one cell each, from an API object and one of its fields --- */

typedef void (*format_fn)(char *out, size_t size, const json_t *object, const char *field);
void format_plain(char *out, size_t size, const json_t *object, const char *field);
void format_percent(char *out, size_t size, const json_t *object, const char *field);
void format_bytes(char *out, size_t size, const json_t *object, const char *field);
void format_ms(char *out, size_t size, const json_t *object, const char *field);
void format_list(char *out, size_t size, const json_t *object, const char *field);
void duration_text(char *out, size_t size, int64_t ms);

/* --- table.c: an API object as table, JSON, lines or names --- */

enum { LEVELS = 3, CELL_MAX = 512 };

enum column_flags { COLUMN_RIGHT = 1, COLUMN_WIDE = 2, COLUMN_TREE = 4, COLUMN_WRAP = 8 };

struct column {
	const char *title;
	const char *field[LEVELS]; /* by level of the tree; NULL: an empty cell */
	format_fn format;          /* NULL: format_plain */
	unsigned flags;
	int width; /* in lines_print: padded to this */
};

/* A tree of up to three levels: rows[0] is an array in the answer, rows[1] one in its elements.
 * id[] are the fields whose values, joined by '/', are the element's name. */
struct view {
	const char *rows[LEVELS], *id[LEVELS];
	const struct column *columns;
	size_t n_columns;
	const char *none; /* said on stderr when there are no rows */
};

/* Prints the answer in the form that -o asks for; people is called for table and wide. */
typedef void (*people_fn)(struct ctl *, const struct view *, const json_t *answer);
int show(struct ctl *, const struct view *, const json_t *answer, people_fn people);
void table_print(struct ctl *, const struct view *, const json_t *answer);
void lines_print(struct ctl *, const struct view *, const json_t *answer);
void json_print(const struct ctl *, const json_t *value);

/* --- show_*.c, act_*.c: one function per command --- */

int ls_run(struct ctl *, char **words, int n);
int get_run(struct ctl *, char **words, int n);
int status_run(struct ctl *, char **words, int n);
int conns_run(struct ctl *, char **words, int n);
int cohort_run(struct ctl *, char **words, int n);
int history_run(struct ctl *, char **words, int n);
int events_run(struct ctl *, char **words, int n);
int why_run(struct ctl *, char **words, int n);
int doctor_run(struct ctl *, char **words, int n);
int fit_run(struct ctl *, char **words, int n);
int judge_run(struct ctl *, char **words, int n);
int apply_run(struct ctl *, char **words, int n);
int save_run(struct ctl *, char **words, int n);
int flip_run(struct ctl *, char **words, int n);
int undo_run(struct ctl *, char **words, int n);
int canary_run(struct ctl *, char **words, int n);
int roll_run(struct ctl *, char **words, int n);
int experiment_run(struct ctl *, char **words, int n);
int deploy_run(struct ctl *, char **words, int n);
int steer_run(struct ctl *, char **words, int n);
int set_run(struct ctl *, char **words, int n);
int admin_run(struct ctl *, char **words, int n);
int hold_run(struct ctl *, char **words, int n);
int backend_run(struct ctl *, char **words, int n);

/* What status --until understands; ends with NULL (show_status.c). */
extern const char *const status_words[];
/* Prints services as a tree with notes below it (show_state.c). */
extern const struct view state_view;
void state_print(struct ctl *, const struct view *, const json_t *answer);
/* get -w of an API path, until an error or a signal (watch.c). */
int watch_state(struct ctl *, const char *path);
/* A service's rollout and lock, with all evidence when whole (show_rollout.c). */
void rollout_print(struct ctl *, const json_t *service, bool whole);
/* The table of an object of judge_json() (judge.c). */
void evidence_print(struct ctl *, const json_t *judge);

#endif
