/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "yaml_tree.h"

/* Written by one pass over the parser's events. "at" is the open list or map; in a map, "key"
 * is the key that waits for its value. */
struct builder {
	struct report *report;
	struct node *root, *at;
	char *key;
	unsigned key_line, key_column;
	unsigned depth, documents;
	size_t n_nodes;
};

void tree_free(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n_kids; i++)
		tree_free(n->kids[i]);
	free(n->kids);
	free(n->key);
	free(n->text);
	free(n);
}

const struct node *tree_get(const struct node *map, const char *key)
{
	for (size_t i = 0; i < map->n_kids; i++)
		if (map->kids[i]->key && !strcmp(map->kids[i]->key, key))
			return map->kids[i];
	return NULL;
}

bool node_is_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain &&
	       (!*n->text || !strcmp(n->text, "~") || !strcasecmp(n->text, "null"));
}

static unsigned line_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->line + 1;
}

static unsigned column_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->column + 1;
}

static int fail_mark(struct builder *b, const yaml_mark_t *mark, const char *what)
{
	return fail_at(b->report, line_of(mark), column_of(mark), "%s", what);
}

static int append(struct node *parent, struct node *kid)
{
	if (parent->n_kids == parent->room) {
		size_t room = parent->room ? 2 * parent->room : 4;
		struct node **kids = reallocarray(parent->kids, room, sizeof(*kids));

		if (!kids)
			return -ENOMEM;
		parent->kids = kids;
		parent->room = room;
	}
	kid->parent = parent;
	kid->index = parent->n_kids;
	parent->kids[parent->n_kids++] = kid;
	return 0;
}

static int add_node(struct builder *b, enum node_kind kind, const yaml_mark_t *mark,
		    struct node **out)
{
	struct node *n;

	if (++b->n_nodes > TREE_NODES_MAX)
		return fail_mark(b, mark, "expected at most 1048576 values");
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->kind = kind;
	n->line = line_of(mark);
	n->column = column_of(mark);
	if (!b->at) {
		b->root = n;
	} else if (append(b->at, n)) {
		free(n);
		return -ENOMEM;
	}
	n->key = b->key;
	n->key_line = b->key_line;
	n->key_column = b->key_column;
	b->key = NULL;
	*out = n;
	return 0;
}

static bool wants_key(const struct builder *b)
{
	return b->at && b->at->kind == NODE_MAP && !b->key;
}

static int on_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	const yaml_mark_t *mark = &e->start_mark;
	struct node *n = NULL;
	char *text;
	int err;

	if (memchr(value, '\0', e->data.scalar.length))
		return fail_mark(b, mark, "a NUL character is not allowed");
	text = strdup(value);
	if (!text)
		return -ENOMEM;
	if (wants_key(b)) {
		b->key = text;
		b->key_line = line_of(mark);
		b->key_column = column_of(mark);
		return 0;
	}
	err = add_node(b, NODE_SCALAR, mark, &n);
	if (err) {
		free(text);
		return err;
	}
	n->text = text;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return 0;
}

static int on_open(struct builder *b, enum node_kind kind, const yaml_mark_t *mark)
{
	if (wants_key(b))
		return fail_mark(b, mark, "expected a word as key, in quotes if it has brackets");
	if (++b->depth > TREE_DEPTH_MAX)
		return fail_mark(b, mark, "nested too deep; expected at most 16 levels");
	return add_node(b, kind, mark, &b->at);
}

static int by_key(const void *x, const void *y)
{
	const struct node *a = *(struct node *const *)x, *b = *(struct node *const *)y;
	int order = strcmp(a->key, b->key);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Sorted rather than compared pair by pair: a hostile file has a hundred thousand keys. */
static int refuse_duplicates(struct builder *b, const struct node *map)
{
	struct node **sorted;
	int err = 0;

	if (map->n_kids < 2)
		return 0;
	sorted = calloc(map->n_kids, sizeof(struct node *));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, map->kids, map->n_kids * sizeof(struct node *));
	qsort(sorted, map->n_kids, sizeof(struct node *), by_key);
	for (size_t i = 1; i < map->n_kids && !err; i++)
		if (!strcmp(sorted[i - 1]->key, sorted[i]->key))
			err = fail_key(b->report, sorted[i],
				       "duplicate key; it is already given in line %u",
				       sorted[i - 1]->key_line);
	free(sorted);
	return err;
}

static int on_close(struct builder *b)
{
	const struct node *closed = b->at;

	b->at = closed->parent;
	b->depth--;
	return closed->kind == NODE_MAP ? refuse_duplicates(b, closed) : 0;
}

static int refuse_tricks(struct builder *b, const yaml_mark_t *mark, const yaml_char_t *anchor,
			 const yaml_char_t *tag)
{
	if (anchor)
		return fail_mark(b, mark, "anchors (&name) are not allowed; write the value out");
	if (tag)
		return fail_mark(b, mark, "tags (!type) are not allowed; write the plain value");
	return 0;
}

static int on_event(struct builder *b, const yaml_event_t *e)
{
	const yaml_mark_t *mark = &e->start_mark;
	int err;

	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++)
			return fail_mark(b, mark, "a second document; expected one per file");
		return 0;
	case YAML_ALIAS_EVENT:
		return fail_mark(b, mark, "aliases (*name) are not allowed; write the value out");
	case YAML_SCALAR_EVENT:
		err = refuse_tricks(b, mark, e->data.scalar.anchor, e->data.scalar.tag);
		return err ? err : on_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		err = refuse_tricks(b, mark, e->data.sequence_start.anchor,
				    e->data.sequence_start.tag);
		return err ? err : on_open(b, NODE_LIST, mark);
	case YAML_MAPPING_START_EVENT:
		err = refuse_tricks(b, mark, e->data.mapping_start.anchor,
				    e->data.mapping_start.tag);
		return err ? err : on_open(b, NODE_MAP, mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(b);
	default:
		return 0;
	}
}

/* The reader knows only the offset of a bad byte, not its line. */
static int fail_bytes(struct report *r, const char *text, size_t len, size_t offset,
		      const char *problem)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < offset && i < len; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	return fail_at(r, line, column, "%s; expected UTF-8 text", problem);
}

static int fail_yaml(struct report *r, const yaml_parser_t *yaml, const char *text, size_t len)
{
	const yaml_mark_t *mark = &yaml->problem_mark;
	const char *problem = yaml->problem ? yaml->problem : "cannot be read";
	size_t at = mark->index;

	if (yaml->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (yaml->error == YAML_READER_ERROR)
		return fail_bytes(r, text, len, yaml->problem_offset, problem);
	if (at < len && text[at] == '\t')
		problem = "found a tab; expected spaces";
	return fail_at(r, line_of(mark), column_of(mark), "%s%s%s%s", problem,
		       yaml->context ? " (" : "", yaml->context ? yaml->context : "",
		       yaml->context ? ")" : "");
}

static int build(struct builder *b, yaml_parser_t *yaml, const char *text, size_t len)
{
	yaml_event_type_t type = YAML_NO_EVENT;
	int err = 0;

	while (!err && type != YAML_STREAM_END_EVENT) {
		yaml_event_t event;

		if (!yaml_parser_parse(yaml, &event))
			return fail_yaml(b->report, yaml, text, len);
		type = event.type;
		err = on_event(b, &event);
		yaml_event_delete(&event);
	}
	return err;
}

static int parse_text(struct builder *b, const char *text, size_t len)
{
	yaml_parser_t yaml;
	int err;

	if (!yaml_parser_initialize(&yaml))
		return -ENOMEM;
	yaml_parser_set_encoding(&yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&yaml, (const unsigned char *)text, len);
	err = build(b, &yaml, text, len);
	yaml_parser_delete(&yaml);
	free(b->key);
	return err;
}

int tree_parse(struct report *r, const char *text, size_t len, struct node **root)
{
	struct builder b = {.report = r};
	char *yaml = NULL;
	int err;

	if (len > TREE_BYTES_MAX)
		return fail_at(r, 1, 1, "%zu bytes; expected at most %d", len, TREE_BYTES_MAX);
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* byte order mark */
		text += 3;
		len -= 3;
	}
	if (json_suspected(text, len)) {
		yaml = json_to_yaml(text, len, &len);
		if (!yaml)
			return -ENOMEM;
	}
	err = parse_text(&b, yaml ? yaml : text, len);
	free(yaml);
	if (!err && !b.root)
		err = fail_at(r, 1, 1, "nothing in it; expected interfaces and services");
	if (err)
		tree_free(b.root);
	else
		*root = b.root;
	return err;
}
