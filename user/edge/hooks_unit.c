/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks as transient units of systemd: zddd's own unit is a sandbox, and what deploys a service needs none
 * of it. systemd-run(1) asks for one and ends as it ends; its descriptors are the hook's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uv.h>

#include "hooks_int.h"

enum { MOST_WORDS = 20, NAME = 128 };

/* systemd-run looks for the program itself first, in our sandbox, where it may be hidden. */
static char *const run_it[] = {"/bin/sh", "-c", "exec \"$0\" \"$@\"", NULL};

const char *hook_units(void)
{
	const char *prefix = getenv("ZDDD_HOOK_UNITS");

	return prefix && *prefix ? prefix : NULL;
}

char *hook_unit_name(void)
{
	char *name = NULL;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), 0) < 0 ||
	    asprintf(&name, "%.*s-%08x.service", NAME, hook_units(), random) < 0)
		return NULL;
	return name;
}

/* ---- its command ---- */

struct words {
	char **word;
	size_t n;
	bool whole;
};

static void add(struct words *w, char *word)
{
	w->whole = w->whole && word;
	if (word)
		w->word[w->n++] = word;
}

static char *join(const char *a, const char *b)
{
	char *text = NULL;

	return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

/* systemd puts variables in the place of $NAME in a command's words, and $ in that of $$. */
static char *literally(const char *word)
{
	char *text = malloc(2 * strlen(word) + 1), *to = text;

	for (; text && *word; *to++ = *word++)
		if (*word == '$')
			*to++ = '$';
	if (text)
		*to = '\0';
	return text;
}

static size_t count(char *const *words)
{
	size_t n = 0;

	while (words[n])
		n++;
	return n;
}

/* What it leaves running is its own, as it is without systemd: KillMode. */
static void add_options(struct words *w, const char *unit, const char *user)
{
	static const char *const always[] = {"systemd-run",
					     "--quiet",
					     "--collect",
					     "--wait",
					     "--pipe",
					     "--service-type=exec",
					     "--description=zddd hook",
					     "--property=KillMode=process",
					     "--property=TimeoutStopSec=2s"};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		add(w, strdup(always[i]));
	add(w, join("--unit=", unit));
	if (user)
		add(w, join("--uid=", user));
}

char **hook_unit_argv(const char *unit, const char *user, char *const *argv, char *const *env)
{
	struct words w = {.whole = true};

	w.word = calloc(MOST_WORDS + count(argv) + count(env) + 1, sizeof(*w.word));
	if (!w.word)
		return NULL;
	add_options(&w, unit, user);
	for (size_t i = 0; env[i]; i++)
		add(&w, join("--setenv=", env[i]));
	add(&w, strdup("--"));
	for (size_t i = 0; run_it[i]; i++)
		add(&w, literally(run_it[i]));
	for (size_t i = 0; argv[i]; i++)
		add(&w, literally(argv[i]));
	if (w.whole)
		return w.word;
	for (size_t i = 0; i < w.n; i++)
		free(w.word[i]);
	free(w.word);
	return NULL;
}

/* ---- signals ---- */

static void closed(uv_handle_t *process)
{
	free(process);
}

static void ended(uv_process_t *process, int64_t status, int number)
{
	(void)status;
	(void)number;
	uv_close((uv_handle_t *)process, closed);
}

/* A unit that is gone already is none of our worries. */
void hook_unit_signal(uv_loop_t *loop, const char *unit, int number)
{
	uv_process_t *process = calloc(1, sizeof(*process));
	char signal[32];
	char *argv[] = {"systemctl", "--quiet", "kill", signal, (char *)unit, NULL};
	uv_process_options_t options = {.file = argv[0], .args = argv, .exit_cb = ended};

	snprintf(signal, sizeof(signal), "--signal=%d", number);
	if (process && uv_spawn(loop, process, &options))
		uv_close((uv_handle_t *)process, closed);
}
