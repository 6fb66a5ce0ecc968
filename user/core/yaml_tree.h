/* SPDX-License-Identifier: BSD-2-Clause */
/* YAML or JSON text -> a small tree that knows the place of everything in it, and the one way
 * to complain about a place. What makes configuration hard to read or to trust (aliases,
 * tags, duplicate keys, several documents) is refused here, so the schema never meets it. */
#ifndef ZDD_YAML_TREE_H
#define ZDD_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	TREE_DEPTH_MAX = 16,
	TREE_BYTES_MAX = 8 << 20, /* 10 000 services of 200 bytes fit four times */
	TREE_NODES_MAX = 1 << 20,
};

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	unsigned line, column;         /* of the value, counted from 1 */
	unsigned key_line, key_column; /* only in a map */
	char *key;                     /* name in the parent map, else NULL */
	char *text;                    /* scalar: as written, escapes resolved, no NUL inside */
	bool plain;                    /* scalar: without quotes, so null means nothing */
	struct node *parent;           /* NULL at the root */
	size_t index;                  /* position in the parent */
	struct node **kids;            /* list and map, in the order of the file */
	size_t n_kids, room;
};

/* Where complaints go. The first one stays. */
struct report {
	const char *file; /* shown as it is */
	char *error;      /* one line, or NULL */
};

/* 0: *root is the document (release with tree_free). -EINVAL: see report. -ENOMEM. */
int tree_parse(struct report *r, const char *text, size_t len, struct node **root);
void tree_free(struct node *n);
const struct node *tree_get(const struct node *map, const char *key); /* or NULL */
bool node_is_null(const struct node *n);

/* yaml_json.c: whether text begins like JSON, and then a copy (free; NULL: no memory), never
 * longer than text, that means the same to libyaml. Lines stay. */
bool json_suspected(const char *text, size_t len);
char *json_to_yaml(const char *text, size_t len, size_t *out_len);

/* All return -EINVAL (-ENOMEM when there is no room for the message). The line reads
 * fail_at:    "FILE:LINE:COLUMN: ..."
 * fail_node:  "FILE:LINE:COLUMN: path.to[2].key: ..."
 * fail_key:   the same, at the place of the key instead of the value
 * fail_value: "FILE:LINE:COLUMN: path.to[2].key: 'value': ..." */
#define PRINTF_LIKE(fmt) __attribute__((format(printf, fmt, fmt + 1)))
int fail_at(struct report *r, unsigned line, unsigned column, const char *fmt, ...) PRINTF_LIKE(4);
int fail_node(struct report *r, const struct node *n, const char *fmt, ...) PRINTF_LIKE(3);
int fail_key(struct report *r, const struct node *n, const char *fmt, ...) PRINTF_LIKE(3);
int fail_value(struct report *r, const struct node *n, const char *fmt, ...) PRINTF_LIKE(3);

#endif
