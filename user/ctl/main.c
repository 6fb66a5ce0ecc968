/* SPDX-License-Identifier: BSD-2-Clause */
#include <curl/curl.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"
#include "version.h"

static const char *from_environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

static struct options defaults(void)
{
	return (struct options){
		.socket = from_environment("ZDD_SOCKET", "/run/zdd/zddd.sock"),
		.timeout_ms = 30000,
	};
}

/* https://no-color.org: any value that is not empty. */
static void look_at_terminal(struct ctl *ctl)
{
	setlocale(LC_CTYPE, "");
	ctl->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	ctl->terminal = isatty(STDOUT_FILENO);
	ctl->colour = ctl->terminal && !*from_environment("NO_COLOR", "") &&
		      strcmp(from_environment("TERM", "dumb"), "dumb");
}

/* The API speaks JSON, which cannot carry anything else. */
static bool all_utf8(int argc, char **argv, int *where)
{
	for (int i = 1; i < argc; i++) {
		json_t *text = json_string(argv[i]);

		*where = i;
		if (!text)
			return false;
		json_decref(text);
	}
	return true;
}

static int run(struct ctl *ctl, char **words, int n)
{
	struct sockaddr_un address;

	if (ctl->opt.version) {
		printf("zddctl %s\n", ZDD_VERSION);
		return EXIT_OK;
	}
	if (ctl->opt.completion) {
		if (completion_print(stdout, ctl->opt.completion))
			return fail(NULL, EXIT_USAGE, "--completion: '%s': expected bash",
				    ctl->opt.completion);
		return EXIT_OK;
	}
	if (strlen(ctl->opt.socket) >= sizeof(address.sun_path))
		return fail(NULL, EXIT_USAGE, "--socket: longer than a socket's path can be (%zu)",
			    sizeof(address.sun_path) - 1);
	return ctl->cmd->run(ctl, words, n);
}

/* --help without a command is about all of them; after one, about every row of that name. */
static int help(const struct command_line *line, bool named)
{
	char *word = (char *)line->cmd->name;

	return help_run(NULL, &word, named);
}

/* A full disk or a closed pipe must not look like success. */
static int finish(int code)
{
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	return fail(NULL, code ? code : EXIT_ERROR, "standard output: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct command_line line = {.opt = defaults()};
	struct ctl ctl = {0};
	char error[ERROR_MAX];
	int where, code;

	look_at_terminal(&ctl);
	if (!all_utf8(argc, argv, &where))
		return fail(NULL, EXIT_USAGE, "argument %d is not UTF-8", where);
	if (command_line_parse(&line, &all_commands, argc, argv, error))
		return fail(NULL, EXIT_USAGE, "%s", error);
	if (line.opt.help)
		return finish(help(&line, line.named));
	ctl.opt = line.opt;
	ctl.cmd = line.cmd;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	code = finish(run(&ctl, line.words, line.n_words));
	curl_global_cleanup();
	return code;
}
