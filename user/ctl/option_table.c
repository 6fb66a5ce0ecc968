/* SPDX-License-Identifier: BSD-2-Clause */
/* The options, each once. Pure. */
#include "option.h"

const struct option option_table[] = {
#define AT(member) offsetof(struct options, member)
	{TAKES_FILE, 'f', NULL, "FILE", KIND_TEXT, AT(file), "the file, - for standard input"},
	{TAKES_FOLLOW, 'f', NULL, NULL, KIND_FLAG, AT(follow), "go on as new ones come"},
	{TAKES_WATCH, 'w', NULL, NULL, KIND_FLAG, AT(watch), "show it again whenever it changes"},
	{TAKES_UNTIL, 0, "until", "STATE", KIND_TEXT, AT(until),
	 "wait for ok, degraded, panic, drained, promoted, ..."},
	{TAKES_LIMIT, 0, "limit", "N", KIND_NUMBER, AT(limit), "at most so many"},
	{TAKES_DRAINING, 0, "draining", NULL, KIND_FLAG, AT(draining),
	 "only those that hold up a drain"},
	{TAKES_HOLD_LIMIT, 0, "limit", "DURATION", KIND_DURATION, AT(hold_ms),
	 "for so long at most (default 10s)"},
	{TAKES_HOLD_MAX, 0, "max", "N", KIND_NUMBER, AT(hold_max),
	 "so many at most (default 1024)"},
	{TAKES_HOLD_THEN, 0, "then", "ANSWER", KIND_TEXT, AT(hold_then),
	 "what others get: silent (default), reset"},
	{TAKES_STEPS, 0, "steps", "SHARES", KIND_TEXT, AT(steps),
	 "shares one after the other, like 5,25,50,100"},
	{TAKES_EACH, 0, "each", "DURATION", KIND_DURATION, AT(each_ms), "so long a step at least"},
	{TAKES_STEP_UNTIL, 0, "step-until", "WHAT", KIND_TEXT, AT(step_until),
	 "what ends it: time, evidence, person, hook"},
	{TAKES_FULL, 0, "full", NULL, KIND_FLAG, AT(full), "all new flows at once, no more steps"},
	{TAKES_STATS, 0, "stats", NULL, KIND_FLAG, AT(stats),
	 "counts of them, and how long they took"},
	{TAKES_FORCE, 0, "force", NULL, KIND_FLAG, AT(force),
	 "even if not healthy, without room, or another's lock"},
	{TAKES_VERIFY, 0, "verify", NULL, KIND_FLAG, AT(verify),
	 "prove it from the data path's stamps"},
	{TAKES_DRY_RUN, 0, "dry-run", NULL, KIND_FLAG, AT(dry_run),
	 "say what would change, change nothing"},
	{TAKES_IF_REVISION, 0, "if-revision", "N", KIND_NUMBER, AT(if_revision),
	 "only when the service is still at revision N"},
	{TAKES_WHY, 'm', NULL, "WHY", KIND_TEXT, AT(why), "the reason, for the history"},
	{TAKES_BY, 0, "by", "NAME", KIND_TEXT, AT(by), "who does it, for the history"},
	{TAKES_NO_WAIT, 0, "no-wait", NULL, KIND_FLAG, AT(no_wait), "do not wait until it is true"},
	{TAKES_TIMEOUT, 0, "timeout", "DURATION", KIND_DURATION, AT(timeout_ms),
	 "wait so long at most (default 30s)"},
	{TAKES_OUTPUT, 'o', NULL, "FORMAT", KIND_OUTPUT, AT(output),
	 "table, wide, json, jsonl or name"},
	{TAKES_SOCKET, 0, "socket", "PATH", KIND_TEXT, AT(socket),
	 "the daemon's (ZDD_SOCKET, /run/zdd/zddd.sock)"},
	{TAKES_COMPLETION, 0, "completion", "SHELL", KIND_TEXT, AT(completion),
	 "print a completion script (bash)"},
	{TAKES_HELP, 'h', "help", NULL, KIND_FLAG, AT(help), "this text; after a command, its own"},
	{TAKES_VERSION, 0, "version", NULL, KIND_FLAG, AT(version), "the version of zddctl"},
#undef AT
};

const size_t n_options = sizeof(option_table) / sizeof(option_table[0]);
_Static_assert(sizeof(option_table) / sizeof(option_table[0]) <= OPTIONS_MAX,
	       "a larger OPTIONS_MAX");

void options_print_help(FILE *out, unsigned takes)
{
	for (const struct option *o = option_table; o < option_table + n_options; o++) {
		char left[64];
		int n = 0;

		if (!(takes & o->bit))
			continue;
		if (o->key)
			n = snprintf(left, sizeof(left), "-%c%s", o->key, o->name ? ", " : "");
		if (o->name)
			n += snprintf(left + n, sizeof(left) - (size_t)n, "--%s", o->name);
		snprintf(left + n, sizeof(left) - (size_t)n, "%s%s", o->value ? " " : "",
			 o->value ? o->value : "");
		fprintf(out, "  %-22s %s\n", left, o->help);
	}
}

void options_print_words(FILE *out, unsigned takes)
{
	for (const struct option *o = option_table; o < option_table + n_options; o++) {
		if (!(takes & o->bit))
			continue;
		if (o->name)
			fprintf(out, " --%s", o->name);
		else
			fprintf(out, " -%c", o->key);
	}
}
