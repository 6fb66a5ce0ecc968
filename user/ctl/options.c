/* SPDX-License-Identifier: BSD-2-Clause */
/* Options may stand before or after the command. Each has one row in option_table.c; which commands
 * take it is said by the commands (TAKES_*). Pure. */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "option.h"

static const char *const outputs[] = {"table", "wide", "json", "jsonl", "name"};

enum { N_OUTPUTS = sizeof(outputs) / sizeof(outputs[0]) };

/* An option as somebody wrote it. */
struct written {
	char name[64]; /* "-m" or "--why", for messages */
	char key;
	size_t name_len;
	const char *value; /* attached by '=' or directly; NULL: none */
};

static bool is_named(const struct option *o, const struct written *w)
{
	if (w->key)
		return o->key == w->key;
	return o->name && strlen(o->name) == w->name_len &&
	       !strncmp(o->name, w->name + 2, w->name_len);
}

/* Prefers what the command takes; *twins is set when the name means different things to different
 * commands. */
static const struct option *find(const struct written *w, const struct command *cmd, bool *twins)
{
	const struct option *first = NULL;

	*twins = false;
	for (const struct option *o = option_table; o < option_table + n_options; o++) {
		if (!is_named(o, w))
			continue;
		if (cmd && cmd->takes & o->bit)
			return o;
		if (first)
			*twins = true;
		else
			first = o;
	}
	return first;
}

static int unknown(const struct written *w, const struct command *cmd, char *error)
{
	const char *words[OPTIONS_MAX], *near;
	size_t n = 0;

	for (const struct option *o = option_table; o < option_table + n_options; o++)
		if (o->name && (!cmd || cmd->takes & o->bit))
			words[n++] = o->name;
	near = w->key ? NULL : nearest_word(w->name + 2, words, n);
	snprintf(error, ERROR_MAX, "%s: no such option%s%s", w->name,
		 near ? "; did you mean --" : "", near ? near : "");
	return -EINVAL;
}

static int parse_output(enum output *out, const char *text, char *error)
{
	const char *near;

	for (int i = 0; i < N_OUTPUTS; i++) {
		if (!strcmp(outputs[i], text)) {
			*out = (enum output)i;
			return 0;
		}
	}
	near = nearest_word(text, outputs, N_OUTPUTS);
	snprintf(error, ERROR_MAX, "-o: '%s': expected table, wide, json, jsonl or name%s%s", text,
		 near ? "; did you mean " : "", near ? near : "");
	return -EINVAL;
}

static int parse_number(uint32_t *out, const char *text)
{
	uint64_t n = 0;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
		return -EINVAL;
	for (; *text; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	if (n > UINT32_MAX)
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

static int store(struct options *opt, const struct option *o, const char *name, const char *value,
		 char *error)
{
	void *at = (char *)opt + o->offset;
	const char *wanted = o->value;

	switch (o->kind) {
	case KIND_FLAG:
		*(bool *)at = true;
		return 0;
	case KIND_OUTPUT:
		return parse_output(at, value, error);
	case KIND_TEXT:
		if (*value) {
			*(const char **)at = value;
			return 0;
		}
		break;
	case KIND_NUMBER:
		if (!parse_number(at, value))
			return 0;
		wanted = "a whole number";
		break;
	case KIND_DURATION:
		if (!parse_duration_ms(value, at))
			return 0;
		wanted = "a duration like 250ms, 30s, 5m";
		break;
	}
	snprintf(error, ERROR_MAX, "%s: '%s': expected %s", name, value, wanted);
	return -EINVAL;
}

struct cursor {
	int argc;
	char **argv;
	int at;
};

/* Takes one option, and the next argument when it is the option's value. */
static int take(struct command_line *line, const struct written *w, struct cursor *c, char *error)
{
	bool twins;
	const struct option *o = find(w, line->cmd, &twins);
	const char *value = w->value;

	if (!o)
		return unknown(w, line->cmd, error);
	if (twins && !line->cmd) {
		snprintf(error, ERROR_MAX, "%s: goes after its command", w->name);
		return -EINVAL;
	}
	if (!o->value && value) {
		snprintf(error, ERROR_MAX, "%s: takes no value", w->name);
		return -EINVAL;
	}
	if (o->value && !value && ++c->at < c->argc)
		value = c->argv[c->at];
	if (o->value && !value) {
		snprintf(error, ERROR_MAX, "%s: %s is missing", w->name, o->value);
		return -EINVAL;
	}
	line->opt.given |= o->bit;
	return store(&line->opt, o, w->name, value, error);
}

static int take_long(struct command_line *line, struct cursor *c, char *error)
{
	const char *arg = c->argv[c->at];
	size_t len = strcspn(arg, "=");
	struct written w = {.name_len = len - 2, .value = arg[len] ? arg + len + 1 : NULL};

	snprintf(w.name, sizeof(w.name), "%.*s", (int)len, arg);
	if (len >= sizeof(w.name))
		w.name_len = 0; /* longer than any there is */
	return take(line, &w, c, error);
}

/* "-w", "-mWHY", "-wojson": flags may be joined, a value ends the row. */
static int take_short(struct command_line *line, struct cursor *c, char *error)
{
	const char *arg = c->argv[c->at];

	for (size_t i = 1; arg[i]; i++) {
		struct written w = {.key = arg[i], .name = {'-', arg[i], 0}};
		bool twins;
		const struct option *o = find(&w, line->cmd, &twins);
		int err;

		if (o && o->value && arg[i + 1])
			w.value = arg + i + 1;
		err = take(line, &w, c, error);
		if (err || (o && o->value))
			return err;
	}
	return 0;
}

const struct command *command_find(const struct command_set *set, const char *name, int n)
{
	const struct command *first = NULL;

	for (const struct command *c = set->rows; c < set->rows + set->n; c++) {
		if (strcmp(c->name, name))
			continue;
		if (n >= c->words_min && n <= c->words_max)
			return c;
		if (!first)
			first = c;
	}
	return first;
}

static int no_command(const struct command_set *set, const char *got, char *error)
{
	const char *words[64], *near;
	size_t n = 0;

	for (size_t i = 0; i < set->n_later; i++) {
		if (!strcmp(set->later[i], got)) {
			snprintf(error, ERROR_MAX, "%s: not yet supported", got);
			return -EINVAL;
		}
	}
	for (; n < set->n && n < 64; n++)
		words[n] = set->rows[n].name;
	near = nearest_word(got, words, n);
	if (near)
		snprintf(error, ERROR_MAX, "'%s': no such command; did you mean %s?", got, near);
	else
		snprintf(error, ERROR_MAX, "'%s': no such command; zddctl --help lists them", got);
	return -EINVAL;
}

static int take_word(struct command_line *line, const struct command_set *set, char *word,
		     char *error)
{
	if (line->cmd) {
		line->words[line->n_words++] = word;
		return 0;
	}
	line->cmd = command_find(set, word, 0);
	return line->cmd ? 0 : no_command(set, word, error);
}

static int take_all(struct command_line *line, const struct command_set *set, struct cursor *c,
		    char *error)
{
	bool only_words = false;
	int err = 0;

	for (c->at = 1; c->at < c->argc && !err; c->at++) {
		char *arg = c->argv[c->at];

		if (!only_words && !strcmp(arg, "--"))
			only_words = true;
		else if (!only_words && !strncmp(arg, "--", 2))
			err = take_long(line, c, error);
		else if (!only_words && arg[0] == '-' && arg[1])
			err = take_short(line, c, error);
		else
			err = take_word(line, set, arg, error);
	}
	return err;
}

static int check_words(const struct command_line *line, char *error)
{
	const struct command *cmd = line->cmd;

	if (line->n_words > cmd->words_max)
		snprintf(error, ERROR_MAX, "%s: '%s' is one too many; expected: %s %s", cmd->name,
			 line->words[cmd->words_max], cmd->name, cmd->synopsis);
	else if (line->n_words < cmd->words_min)
		snprintf(error, ERROR_MAX, "%s: something is missing; expected: %s %s", cmd->name,
			 cmd->name, cmd->synopsis);
	else
		return 0;
	return -EINVAL;
}

static int check_options(const struct command_line *line, char *error)
{
	unsigned strange = line->opt.given & ~line->cmd->takes;

	for (const struct option *o = option_table; o < option_table + n_options; o++) {
		if (!(strange & o->bit))
			continue;
		snprintf(error, ERROR_MAX, "%s: -%s%.*s: does not belong to this command",
			 line->cmd->name, o->name ? "-" : "", o->name ? 64 : 1,
			 o->name ? o->name : &o->key);
		return -EINVAL;
	}
	if (line->opt.output == OUTPUT_NAME && !(line->cmd->takes & TAKES_NAME)) {
		snprintf(error, ERROR_MAX, "%s: -o name: it has no names to list", line->cmd->name);
		return -EINVAL;
	}
	return 0;
}

int command_line_parse(struct command_line *line, const struct command_set *set, int argc,
		       char **argv, char *error)
{
	struct command_line l = *line;
	struct cursor c = {argc, argv, 0};
	int err;

	l.cmd = NULL;
	l.words = argv; /* filled from the front, never past what was read */
	l.n_words = 0;
	err = take_all(&l, set, &c, error);
	if (err)
		return err;
	l.named = l.cmd;
	l.cmd = l.cmd ? command_find(set, l.cmd->name, l.n_words) : set->fallback;
	if (!l.opt.help && !l.opt.version && !l.opt.completion) {
		err = check_words(&l, error);
		if (!err)
			err = check_options(&l, error);
	}
	if (!err)
		*line = l;
	return err;
}
