/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"

enum { LIST_TEXT = 512, ARGV_MAX = 64 };

static void store(void *obj, const struct field *f, uint32_t value)
{
	void *to = (char *)obj + f->offset;

	if (f->size == sizeof(uint8_t))
		*(uint8_t *)to = (uint8_t)value;
	else if (f->size == sizeof(uint16_t))
		*(uint16_t *)to = (uint16_t)value;
	else if (f->size == sizeof(uint32_t))
		memcpy(to, &value, sizeof(value)); /* an enum or a number */
}

static int store_text(void *obj, const struct field *f, const char *text)
{
	char **to = (char **)(void *)((char *)obj + f->offset);
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

int schema_defaults(const struct schema *s, void *obj)
{
	int err = 0;

	for (size_t i = 0; i < s->n_fields && !err; i++) {
		const struct field *f = &s->fields[i];

		if (f->map)
			err = schema_defaults(f->map, (char *)obj + f->offset);
		else if (f->text)
			err = store_text(obj, f, f->text);
		else if (f->value)
			store(obj, f, f->value);
	}
	return err;
}

static size_t count_words(const char *const *words)
{
	size_t n = 0;

	while (words[n])
		n++;
	return n;
}

/* "a, b or c", cut with "..." when it is long. */
static void join_words(char out[LIST_TEXT], const char *const *words, size_t n)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const char *gap = !i ? "" : i + 1 < n ? ", " : " or ";

		if (at + strlen(words[i]) + 8 > LIST_TEXT) {
			strcpy(out + at, "...");
			break;
		}
		at += (size_t)sprintf(out + at, "%s%s", gap, words[i]);
	}
}

int fail_word(struct report *r, const struct node *n, const char *what, const char *const *words,
	      size_t n_words)
{
	const char *near = n->kind == NODE_SCALAR ? nearest_word(n->text, words, n_words) : NULL;
	char list[LIST_TEXT];

	join_words(list, words, n_words);
	return fail_value(r, n, "expected %s%s%s%s%s", what, list, near ? "; did you mean '" : "",
			  near ? near : "", near ? "'?" : "");
}

/* Unknown keys before everything else: a misspelt key explains a missing one. */
static int refuse_unknown(struct report *r, const struct node *map, const struct schema *s)
{
	const char *keys[32];
	char list[LIST_TEXT];

	for (size_t i = 0; i < s->n_fields; i++)
		keys[i] = s->fields[i].key;
	for (size_t i = 0; i < map->n_kids; i++) {
		const struct node *n = map->kids[i];
		const char *near;
		size_t j = 0;

		while (j < s->n_fields && strcmp(keys[j], n->key))
			j++;
		if (j < s->n_fields)
			continue;
		near = nearest_word(n->key, keys, s->n_fields);
		if (near)
			return fail_key(r, n, "unknown key; did you mean '%s'?", near);
		join_words(list, keys, s->n_fields);
		return fail_key(r, n, "unknown key; expected %s", list);
	}
	return 0;
}

int schema_read(struct report *r, const struct node *map, const struct schema *s, void *obj)
{
	int err;

	if (map->kind != NODE_MAP)
		return fail_value(r, map, "expected a mapping (key: value)");
	err = refuse_unknown(r, map, s);
	for (size_t i = 0; i < s->n_fields && !err; i++) {
		const struct field *f = &s->fields[i];
		const struct node *n = tree_get(map, f->key);

		if (n)
			err = f->set(r, n, f, obj);
		else if (f->required)
			err = fail_node(r, map, "'%s' is missing; expected %s", f->key, f->expect);
	}
	return err;
}

/* In YAML a listener such as [::1]:80 is a list when nobody quotes it. */
int want_scalar(struct report *r, const struct node *n, const char *expect)
{
	if (n->kind != NODE_SCALAR)
		return fail_value(r, n, "expected %s, in quotes if it has brackets", expect);
	if (node_is_null(n))
		return fail_value(r, n, "expected %s", expect);
	return 0;
}

int set_uint(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	uint32_t value;

	if (n->kind != NODE_SCALAR || parse_uint(n->text, strlen(n->text), f->max, &value) ||
	    value < f->min)
		return fail_value(r, n, "expected a whole number from %u to %u", f->min, f->max);
	store(obj, f, value);
	return 0;
}

int set_duration(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	char min[DURATION_TEXT], max[DURATION_TEXT];
	uint32_t ms;

	if (n->kind != NODE_SCALAR || parse_duration_ms(n->text, &ms) || ms < f->min ||
	    ms > f->max) {
		format_duration(min, sizeof(min), f->min);
		format_duration(max, sizeof(max), f->max);
		return fail_value(r, n, "expected a duration from %s to %s", min, max);
	}
	store(obj, f, ms);
	return 0;
}

int set_percent(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	uint16_t bp;

	if (n->kind != NODE_SCALAR || parse_percent_bp(n->text, &bp) || bp % 100 ||
	    bp / 100 < f->min || bp / 100 > f->max)
		return fail_value(r, n, "expected a whole percentage from %u%% to %u%%", f->min,
				  f->max);
	store(obj, f, bp / 100);
	return 0;
}

/* To a hundredth of a percent, and so it is stored. */
int set_bp(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	uint16_t bp;

	if (n->kind != NODE_SCALAR || parse_percent_bp(n->text, &bp) || bp < f->min || bp > f->max)
		return fail_value(r, n, "expected a percentage from %g%% to %g%%", f->min / 100.0,
				  f->max / 100.0);
	store(obj, f, bp);
	return 0;
}

const char *const bool_words[] = {"false", "true", NULL};

int set_word(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	size_t count = count_words(f->words);

	for (size_t i = 0; i < count && n->kind == NODE_SCALAR; i++) {
		if (!strcmp(n->text, f->words[i])) {
			store(obj, f, (uint32_t)i);
			return 0;
		}
	}
	return fail_word(r, n, "", f->words, count);
}

/* A text of min to max bytes that can go into a request or an environment as it is. */
int set_text(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	int err = want_scalar(r, n, f->expect);
	size_t len;

	if (err)
		return err;
	len = strlen(n->text);
	if (len < f->min || len > f->max)
		return fail_value(r, n, "expected %s of %u to %u bytes", f->expect, f->min, f->max);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)n->text[i] < ' ' || n->text[i] == 0x7f)
			return fail_value(r, n, "expected %s without control characters",
					  f->expect);
	return store_text(obj, f, n->text);
}

void argv_release(char **argv)
{
	for (char **arg = argv; arg && *arg; arg++)
		free(*arg);
	free(argv);
}

/* A program and its arguments. */
int set_argv(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	char **argv;

	if (n->kind != NODE_LIST || !n->n_kids || n->n_kids > ARGV_MAX)
		return fail_value(r, n,
				  "expected a list of 1 to %d words, the program first; "
				  "there is no shell",
				  ARGV_MAX);
	argv = calloc(n->n_kids + 1, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	memcpy((char *)obj + f->offset, &argv, sizeof(argv));
	for (size_t i = 0; i < n->n_kids; i++) {
		if (n->kids[i]->kind != NODE_SCALAR)
			return fail_value(r, n->kids[i], "expected a word");
		argv[i] = strdup(n->kids[i]->text);
		if (!argv[i])
			return -ENOMEM;
	}
	if (argv[0][0] != '/')
		return fail_value(r, n->kids[0], "expected the absolute path of a program");
	return 0;
}

int set_map(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	return schema_read(r, n, f->map, (char *)obj + f->offset);
}

int set_items(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	void **array = (void **)(void *)((char *)obj + f->offset);
	size_t *count = (size_t *)(void *)((char *)obj + f->count_offset);
	int err = 0;

	if (n->kind != f->kind)
		return fail_value(r, n, "expected %s", f->expect);
	if (n->n_kids < f->min || n->n_kids > f->max)
		return fail_node(r, n, "%zu given; expected %u to %u", n->n_kids, f->min, f->max);
	if (!n->n_kids)
		return 0;
	*array = calloc(n->n_kids, f->item_size);
	if (!*array)
		return -ENOMEM;
	*count = n->n_kids;
	for (size_t i = 0; i < n->n_kids && !err; i++)
		err = f->item(r, n->kids[i], (char *)*array + i * f->item_size);
	return err;
}
