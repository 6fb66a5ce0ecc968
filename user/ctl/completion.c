/* SPDX-License-Identifier: BSD-2-Clause */
/* The completion script for bash, written from the table of commands:
 *   source <(zddctl --completion bash)
 * Names of services, pools and backends are asked of the daemon at the time of completion. */
#include <string.h>

#include "config_rollout.h"
#include "ctl.h"

/* What a command's words are (struct command.completes) and the shell words that list them. */
static const struct {
	const char *kind, *shell;
} kinds[] = {
	{"service", "$(zddctl ls -o name 2>/dev/null)"},
	{"backend", "$(zddctl get -o name 2>/dev/null | awk -F/ -v OFS=/ "
		    "'{print $1; if (NF > 1) print $1, $2; if (NF > 2) print}' | sort -u)"},
	{"target",
	 "$(zddctl get -o name 2>/dev/null | awk -F/ 'NF > 1 {print $1 \"=\" $2}' | sort -u)"},
	{"roll",
	 "$({ zddctl ls -o name; zddctl get -o name | awk -F/ 'NF > 1 {print $1 \"=\" $2}' | "
	 "sort -u; } 2>/dev/null)"},
	{"deploy", "$(zddctl ls -o name 2>/dev/null | sed 's/$/=:/')"},
	{"share", "share $(zddctl ls -o name 2>/dev/null)"},
	{"recording", "$(compgen -f -- \"$word\")"},
	{"command", "$commands"},
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const char *shell_of(const char *kind)
{
	for (int i = 0; i < N_KINDS; i++)
		if (!strcmp(kinds[i].kind, kind))
			return kinds[i].shell;
	return "";
}

/* Rows of one name (the two kinds of ready) become one case. */
static bool seen_before(const struct command *cmd)
{
	return command_find(&all_commands, cmd->name, -1) != cmd;
}

static void print_case(FILE *out, const struct command *cmd)
{
	unsigned takes = 0;
	const char *shell = "";

	for (size_t i = 0; i < all_commands.n; i++) {
		const struct command *row = &all_commands.rows[i];

		if (strcmp(row->name, cmd->name))
			continue;
		takes |= row->takes;
		if (*shell_of(row->completes))
			shell = shell_of(row->completes);
	}
	fprintf(out, "\t%s)\n\t\toptions=\"", cmd->name);
	options_print_words(out, takes & ~(TAKES_COMPLETION | TAKES_VERSION));
	fprintf(out, "\"\n\t\t[[ $word == -* ]] || names=\"%s%s\" ;;\n",
		!strcmp(cmd->name, "backend") ? "add del " : "", shell);
}

static const char head[] = "# bash completion for zddctl; written by zddctl --completion bash\n"
			   "_zddctl() {\n"
			   "\tlocal word prev line commands options names= verb= i at\n"
			   "\tline=${COMP_LINE:0:COMP_POINT}\n"
			   "\tword=${line##*[[:space:]]}\n"
			   "\tread -ra line <<<\"${line%\"$word\"}\"\n"
			   "\tprev=${line[-1]}\n";

static const char tail[] =
	"\tesac\n"
	"\tcase $prev in\n"
	"\t-f | --socket) [[ $verb == events ]] || compopt -o default; return ;;\n"
	"\t-o) options= names='table wide json jsonl name' ;;\n";

static const char end[] =
	"\tesac\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$options $names\" -- \"$word\")\n"
	"\t# bash breaks words at ':' and '=': offer only what comes after the last of them\n"
	"\tat=${word%\"${word##*[:=]}\"}\n"
	"\t[[ -z $at ]] || COMPREPLY=(\"${COMPREPLY[@]#\"$at\"}\")\n"
	"}\n"
	"complete -F _zddctl zddctl\n";

/* The words that may follow an option. */
static void print_values(FILE *out, const char *option, const char *const *words)
{
	fprintf(out, "\t%s) options= names='", option);
	for (const char *const *word = words; *word; word++)
		fprintf(out, "%s%s", word == words ? "" : " ", *word);
	fputs("' ;;\n", out);
}

int completion_print(FILE *out, const char *shell)
{
	if (strcmp(shell, "bash"))
		return EXIT_USAGE;
	fputs(head, out);
	fputs("\tcommands=\"", out);
	for (size_t i = 0; i < all_commands.n; i++)
		if (!seen_before(&all_commands.rows[i]))
			fprintf(out, "%s%s", i ? " " : "", all_commands.rows[i].name);
	fputs("\"\n"
	      "\tfor ((i = 1; i < ${#line[@]}; i++)); do\n"
	      "\t\tif [[ \" $commands \" == *\" ${line[i]} \"* ]]; then verb=${line[i]}; break; fi\n"
	      "\tdone\n"
	      "\tcase $verb in\n"
	      "\t'') options=\"",
	      out);
	options_print_words(out, TAKES_CHANGE);
	fputs("\" names=$commands ;;\n", out);
	for (size_t i = 0; i < all_commands.n; i++)
		if (!seen_before(&all_commands.rows[i]))
			print_case(out, &all_commands.rows[i]);
	fputs(tail, out);
	print_values(out, "--until", status_words);
	print_values(out, "--step-until", until_words);
	fputs(end, out);
	return EXIT_OK;
}
