/* SPDX-License-Identifier: BSD-2-Clause */
/* Words for people: messages, wrapped sentences, colours. */
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl.h"

/* Whatever a message quotes, it stays one line. */
static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

int fail(const struct ctl *ctl, int code, const char *fmt, ...)
{
	char text[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	one_line(text);
	fflush(stdout);
	if (ctl && ctl->cmd)
		fprintf(stderr, "zddctl: %s: %s\n", ctl->cmd->name, text);
	else
		fprintf(stderr, "zddctl: %s\n", text);
	return code;
}

void note(const char *fmt, ...)
{
	char text[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	one_line(text);
	fprintf(stderr, "zddctl: %s\n", text);
}

const char *field_text(const json_t *object, const char *field)
{
	const char *text = json_string_value(json_object_get(object, field));

	return text ? text : "";
}

int64_t field_int(const json_t *object, const char *field, int64_t absent)
{
	const json_t *value = json_object_get(object, field);

	return json_is_integer(value) ? json_integer_value(value) : absent;
}

int line_width(const struct ctl *ctl)
{
	struct winsize size;

	if (ctl->terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col >= 40)
		return size.ws_col;
	return 80;
}

/* Columns that len bytes of UTF-8 take, one for each character. */
static int columns_of(const char *text, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < len; i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}

/* Hyphenates nothing: a word longer than the line stands alone. */
void print_wrapped_at(const struct ctl *ctl, int at, int hang, const char *text)
{
	int width = line_width(ctl);
	bool first = true;

	for (; *text == ' '; text++)
		at += printf(" ");
	while (*text) {
		size_t len = strcspn(text, " ");
		int columns = columns_of(text, len);

		if (!first && at + 1 + columns > width)
			at = printf("\n%*s", hang, "") - 1;
		else if (!first)
			at += printf(" ");
		printf("%.*s", (int)len, text);
		first = false;
		at += columns;
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

void print_wrapped(const struct ctl *ctl, int hang, const char *text)
{
	print_wrapped_at(ctl, 0, hang, text);
}

const char *paint(const struct ctl *ctl, const char *colour)
{
	static const struct {
		const char *name, *sequence;
	} known[] = {
		{"red", "\033[31m"},
		{"green", "\033[32m"},
		{"yellow", "\033[33m"},
		{"reset", "\033[0m"},
	};

	for (size_t i = 0; ctl->colour && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, colour))
			return known[i].sequence;
	return "";
}
