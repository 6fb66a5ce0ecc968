/* SPDX-License-Identifier: BSD-2-Clause */
/* get -w. On a terminal the picture is drawn again in place every second; off it there is one snapshot
 * for each change. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"

enum { TERMINAL_MS = 1000, POLL_MS = 250, ROWS = 24 };

/* Removes, at every depth, the fields that traffic and time alone change. */
static void drop_counters(json_t *value)
{
	static const char *const counters[] = {
		"flows_active", "flows_half_open", "flows_new",  "measured_share",
		"bytes",        "checked",         "open",       "held",
		"left_ms",      "signals",         "watched_ms", "judge",
		"breaker"};
	json_t *inner;
	const char *key;
	size_t i;

	for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		json_object_del(value, counters[i]);
	json_object_foreach(value, key, inner)
		drop_counters(inner);
	json_array_foreach(value, i, inner)
		drop_counters(inner);
}

static bool is_same(const json_t *a, const json_t *b)
{
	json_t *x = json_deep_copy(a), *y = json_deep_copy(b);
	bool same;

	drop_counters(x);
	drop_counters(y);
	same = json_equal(x, y);
	json_decref(x);
	json_decref(y);
	return same;
}

static int screen_rows(void)
{
	struct winsize size;

	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row ? size.ws_row : ROWS;
}

/* From the top left, each line to its end, then nothing below: no blank screen in between. What would
 * scroll the top away is left out. */
static void draw(FILE *screen, const char *picture)
{
	int rows = screen_rows() - 1;

	fputs("\033[H", screen);
	for (; *picture && rows > 0; rows--) {
		size_t len = strcspn(picture, "\n");

		fprintf(screen, "%.*s\033[K\n", (int)len, picture);
		picture += len + (picture[len] == '\n');
	}
	fputs("\033[J", screen);
}

/* What show() prints, as one text. */
static void redraw(struct ctl *ctl, const json_t *answer)
{
	FILE *screen = stdout, *in_memory;
	char *picture = NULL;
	size_t size = 0;

	in_memory = open_memstream(&picture, &size);
	if (!in_memory)
		return;
	stdout = in_memory;
	show(ctl, &state_view, answer, state_print);
	stdout = screen;
	if (!fclose(in_memory))
		draw(screen, picture);
	free(picture);
}

int watch_state(struct ctl *ctl, const char *path)
{
	bool in_place = ctl->terminal && ctl->opt.output <= OUTPUT_WIDE;
	json_t *last = NULL, *answer = NULL;
	int code;

	while (!(code = fetch_again(ctl, path, &answer))) {
		if (in_place)
			redraw(ctl, answer);
		else if (!last || !is_same(last, answer))
			show(ctl, &state_view, answer, state_print);
		json_decref(last);
		last = answer;
		if (fflush(stdout))
			break;
		pause_ms(in_place ? TERMINAL_MS : POLL_MS);
	}
	json_decref(last);
	return code;
}
