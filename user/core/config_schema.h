/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine under the tables of keys: one row says a key's type, range, default and home, and
 * the engine gives the same checks and the same messages for all. Inside user/core/config*.c. */
#ifndef ZDD_CONFIG_SCHEMA_H
#define ZDD_CONFIG_SCHEMA_H

#include "config.h"
#include "yaml_tree.h"

struct field;

struct schema {
	const struct field *fields;
	size_t n_fields;
};

/* Reads the value n of field f into *obj, the struct that the table is about. */
typedef int set_fn(struct report *r, const struct node *n, const struct field *f, void *obj);
/* Reads one element of a list, or one entry of a map (its name is n->key), zeroed before. */
typedef int item_fn(struct report *r, const struct node *n, void *item);

struct field {
	const char *key;
	set_fn *set;
	size_t offset, size;            /* of the member; size 0: nothing to store */
	uint32_t min, max, value;       /* bounds and default; of the count for lists */
	const char *text;               /* default of a text */
	const char *expect;             /* what the messages say is expected */
	const char *const *words;       /* set_word: index is the value */
	const struct schema *map;       /* set_map, and others that take a short form too */
	size_t count_offset, item_size; /* set_items: pointer at offset, size_t here */
	item_fn *item;
	enum node_kind kind;
	bool required;
};

#define SCHEMA(table)                                                                              \
	{                                                                                          \
		(table), sizeof(table) / sizeof((table)[0])                                        \
	}
#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define ITEMS_AT(type, member, count, fn)                                                          \
	.set = set_items, .offset = offsetof(type, member), .count_offset = offsetof(type, count), \
	.item_size = sizeof(*((type *)0)->member), .item = (fn)

set_fn set_uint, set_duration, set_percent, set_bp, set_word, set_text, set_argv, set_map,
	set_items;
extern const char *const bool_words[];

/* Writes the defaults into a zeroed obj; then reads the keys that are there, in the table's
 * order. 0, -EINVAL or -ENOMEM; what obj holds afterwards is its destructor's. */
int schema_defaults(const struct schema *s, void *obj);
int schema_read(struct report *r, const struct node *map, const struct schema *s, void *obj);

/* A value that must be one word or text; anything else is refused with what was expected. */
int want_scalar(struct report *r, const struct node *n, const char *expect);
/* Fails with "expected ...; did you mean 'X'?" for one of n words. */
int fail_word(struct report *r, const struct node *n, const char *what, const char *const *words,
	      size_t n_words);

/* config_tables.c, config_items.c, config_health.c, config_rollout.c, config_check.c */
extern const struct schema config_schema;
item_fn read_interface, read_listener, read_backend, read_pool, read_service, read_address;
set_fn set_health, set_passive, set_cohorts, set_live, set_metrics, set_ports, set_rollout;
bool is_loopback(const struct zdd_addr *a);
int refuse_unsupported(struct report *r, const struct node *n);
int health_defaults(struct cfg_service *s);
int check_service(struct report *r, const struct node *service, const struct cfg_service *s);
int check_config(struct report *r, const struct node *root, const struct config *c);
void health_release(struct cfg_health *h);
int rollout_defaults(struct cfg_rollout *ro);
void rollout_release(struct cfg_rollout *ro);
void argv_release(char **argv);

/* config_evidence.c: what a rollout is judged by */
#define EXPECTED_URL "a URL such as https://hooks.example/deploys"
extern const struct schema judge_schema, prometheus_schema;
set_fn set_judge, set_prometheus, set_guards;
/* Against what of the service is counted; n: the key guards, or NULL. */
int check_guards(struct report *r, const struct node *n, const struct cfg_service *s);
bool is_url(const char *text);

#endif
