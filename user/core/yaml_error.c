/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_tree.h"

enum { WORD_MAX = 64 /* bytes shown of a key or value */, WORD_BUF = 4 * WORD_MAX + 8 };
enum { PATH_BUF = (TREE_DEPTH_MAX + 1) * (WORD_BUF + 24), MESSAGE_BUF = 1024 };

/* Length of the character at s when it must not reach a terminal raw: C0, DEL, C1, and the
 * Unicode line separators; 0 when it is harmless. */
static size_t harmful(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	if (u[0] < 0x20 || u[0] == 0x7f)
		return 1;
	if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0)
		return 2;
	if (u[0] == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9))
		return 3;
	return 0;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* One word for a one-line message: harmful bytes as \xNN, long text cut at a character. */
static void show_word(char out[WORD_BUF], const char *text)
{
	const char *s = text;
	size_t at = 0;

	while (*s && (s - text < WORD_MAX || is_continuation(*s))) {
		size_t bad = harmful(s);

		if (!bad)
			out[at++] = *s++;
		for (; bad; bad--)
			at += (size_t)snprintf(out + at, 5, "\\x%02x", (unsigned char)*s++);
		if (at > WORD_BUF - 20)
			break;
	}
	strcpy(out + at, *s ? "..." : "");
}

static size_t show_path(char *out, const struct node *n)
{
	char word[WORD_BUF];
	size_t at;

	if (!n->parent) {
		out[0] = '\0';
		return 0;
	}
	at = show_path(out, n->parent);
	if (!n->key)
		return at + (size_t)sprintf(out + at, "[%zu]", n->index);
	show_word(word, n->key);
	return at + (size_t)sprintf(out + at, "%s%s", at ? "." : "", *word ? word : "''");
}

static void show_value(char out[WORD_BUF], const struct node *n)
{
	char word[WORD_BUF - 2];

	if (n->kind != NODE_SCALAR) {
		strcpy(out, n->kind == NODE_LIST ? "a list" : "a mapping");
	} else if (node_is_null(n)) {
		strcpy(out, "nothing");
	} else {
		show_word(out, n->text);
		memcpy(word, out, sizeof(word));
		word[sizeof(word) - 1] = '\0';
		sprintf(out, "'%s'", word);
	}
}

static int keep(struct report *r, unsigned line, unsigned column, const char *path,
		const char *value, const char *fmt, va_list args)
{
	char message[MESSAGE_BUF];

	if (r->error)
		return -EINVAL;
	vsnprintf(message, sizeof(message), fmt, args);
	if (asprintf(&r->error, "%s:%u:%u: %s%s%s%s%s", r->file, line, column, path,
		     *path ? ": " : "", value, *value ? ": " : "", message) < 0) {
		r->error = NULL;
		return -ENOMEM;
	}
	return -EINVAL;
}

int fail_at(struct report *r, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list args;
	int err;

	va_start(args, fmt);
	err = keep(r, line, column, "", "", fmt, args);
	va_end(args);
	return err;
}

int fail_node(struct report *r, const struct node *n, const char *fmt, ...)
{
	char path[PATH_BUF];
	va_list args;
	int err;

	show_path(path, n);
	va_start(args, fmt);
	err = keep(r, n->line, n->column, path, "", fmt, args);
	va_end(args);
	return err;
}

int fail_key(struct report *r, const struct node *n, const char *fmt, ...)
{
	char path[PATH_BUF];
	va_list args;
	int err;

	show_path(path, n);
	va_start(args, fmt);
	err = keep(r, n->key_line, n->key_column, path, "", fmt, args);
	va_end(args);
	return err;
}

int fail_value(struct report *r, const struct node *n, const char *fmt, ...)
{
	char path[PATH_BUF], value[WORD_BUF];
	va_list args;
	int err;

	show_path(path, n);
	show_value(value, n);
	va_start(args, fmt);
	err = keep(r, n->line, n->column, path, value, fmt, args);
	va_end(args);
	return err;
}
