/* SPDX-License-Identifier: BSD-2-Clause */
/* Help that was asked for: to stdout, exit 0. */
#include <string.h>

#include "ctl.h"

enum { LEFT = 34 };

static void print_row(FILE *out, const struct command *cmd)
{
	int len = fprintf(out, "  %s%s%s", cmd->name, *cmd->synopsis ? " " : "", cmd->synopsis);

	if (len > LEFT - 2)
		len = fprintf(out, "\n") - 1;
	fprintf(out, "%*s%s\n", LEFT - len, "", cmd->help);
}

void help_print(FILE *out)
{
	fputs("zddctl switches live traffic between versions of a service.\n"
	      "A bare zddctl shows the state, like zddctl get.\n",
	      out);
	for (size_t i = 0; i < all_commands.n; i++) {
		const struct command *cmd = &all_commands.rows[i];

		if (cmd->group)
			fprintf(out, "\n%s\n", cmd->group);
		print_row(out, cmd);
	}
	fputs("\noptions, before or after the command\n", out);
	options_print_help(out, TAKES_CHANGE);
	fputs("\nexit codes\n"
	      "  0 done              5 daemon not reachable   13 waiting for a person\n"
	      "  1 other error       6 not permitted          14 inconclusive\n"
	      "  2 usage or file    10 failed safe            15 timeout, still going\n"
	      "  3 not found        11 rolled back            16 done, connections were cut\n"
	      "  4 refused          12 aborted                20 plan: there are changes\n",
	      out);
}

void help_print_command(FILE *out, const struct command *cmd)
{
	fprintf(out, "zddctl %s%s%s\n  %s\n\n", cmd->name, *cmd->synopsis ? " " : "", cmd->synopsis,
		cmd->help);
	options_print_help(out, cmd->takes & ~(TAKES_COMPLETION | TAKES_VERSION));
}

int help_run(struct ctl *ctl, char **words, int n)
{
	const struct command *found = n ? command_find(&all_commands, words[0], 0) : NULL;

	if (!n) {
		help_print(stdout);
		return EXIT_OK;
	}
	if (!found)
		return fail(ctl, EXIT_USAGE, "'%s': no such command; zddctl --help lists them",
			    words[0]);
	for (const struct command *c = found; c < all_commands.rows + all_commands.n; c++)
		if (!strcmp(c->name, found->name))
			help_print_command(stdout, c);
	return EXIT_OK;
}
