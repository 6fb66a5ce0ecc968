/* SPDX-License-Identifier: BSD-2-Clause */
/* An API object in the form that -o asks for. Columns and names come from the view, so that all
 * forms show the same fields. */
#include <libsmartcols/libsmartcols.h>
#include <string.h>

#include "ctl.h"

/* Fifteen digits: 33.34 stays 33.34, and every share and count is exact. */
enum { PRECISION = JSON_REAL_PRECISION(15) };

void json_print(const struct ctl *ctl, const json_t *value)
{
	bool pretty = ctl->opt.output != OUTPUT_JSONL;

	json_dumpf(value, stdout, PRECISION | (pretty ? JSON_INDENT(2) : JSON_COMPACT));
	putchar('\n');
}

/* The elements of one level. An answer about one service is its own only element. New reference. */
static json_t *rows_of(const struct view *view, int level, const json_t *object)
{
	json_t *rows = level < LEVELS && view->rows[level]
			       ? json_object_get(object, view->rows[level])
			       : NULL;

	if (json_is_array(rows))
		return json_incref(rows);
	return level ? json_array() : json_pack("[O]", object);
}

static void cell_text(char *out, size_t size, const struct column *column, int level,
		      const json_t *object)
{
	format_fn format = column->format ? column->format : format_plain;

	out[0] = '\0';
	if (column->field[level])
		format(out, size, object, column->field[level]);
}

static const char *colour_of(const char *text)
{
	static const struct {
		const char *word, *colour;
	} words[] = {{"down", "red"},     {"panic", "red"},    {"degraded", "yellow"},
		     {"drain", "yellow"}, {"maint", "yellow"}, {"live", "green"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].word, text))
			return words[i].colour;
	return NULL;
}

static bool column_shown(const struct ctl *ctl, const struct column *column)
{
	return ctl->opt.output == OUTPUT_WIDE || !(column->flags & COLUMN_WIDE);
}

static void fill_line(struct ctl *ctl, struct libscols_line *line, const struct view *view,
		      int level, const json_t *object)
{
	size_t at = 0;

	for (size_t i = 0; i < view->n_columns; i++) {
		char text[CELL_MAX];

		if (!column_shown(ctl, &view->columns[i]))
			continue;
		cell_text(text, sizeof(text), &view->columns[i], level, object);
		scols_line_set_data(line, at, text);
		if (colour_of(text))
			scols_cell_set_color(scols_line_get_cell(line, at), colour_of(text));
		at++;
	}
}

static void add_rows(struct ctl *ctl, struct libscols_table *table, struct libscols_line *parent,
		     const struct view *view, int level, const json_t *object)
{
	json_t *rows = rows_of(view, level, object), *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		struct libscols_line *line = scols_table_new_line(table, parent);

		fill_line(ctl, line, view, level, row);
		if (level + 1 < LEVELS && view->rows[level + 1])
			add_rows(ctl, table, line, view, level + 1, row);
	}
	json_decref(rows);
}

static void add_columns(struct ctl *ctl, struct libscols_table *table, const struct view *view)
{
	for (const struct column *c = view->columns; c < view->columns + view->n_columns; c++) {
		int flags = (c->flags & COLUMN_RIGHT ? SCOLS_FL_RIGHT : 0) |
			    (c->flags & COLUMN_TREE ? SCOLS_FL_TREE : 0) |
			    (c->flags & COLUMN_WRAP ? SCOLS_FL_WRAP : 0);

		if (column_shown(ctl, c))
			scols_table_new_column(table, c->title, 0, flags);
	}
}

/* "wide" is as wide as it needs to be; "table" keeps to the terminal, or to 80 columns. */
void table_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	struct libscols_table *table = scols_new_table();

	scols_table_enable_colors(table, ctl->colour);
	scols_table_set_termwidth(table, (size_t)line_width(ctl));
	scols_table_set_termforce(table, ctl->opt.output == OUTPUT_WIDE ? SCOLS_TERMFORCE_NEVER
									: SCOLS_TERMFORCE_ALWAYS);
	add_columns(ctl, table, view);
	add_rows(ctl, table, NULL, view, 0, answer);
	if (!scols_table_is_empty(table))
		scols_print_table(table);
	scols_unref_table(table);
}

/* Without heading and with fixed widths, for what comes one by one. */
void lines_print(struct ctl *ctl, const struct view *view, const json_t *answer)
{
	json_t *rows = rows_of(view, 0, answer), *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		char line[CELL_MAX * 4] = "";
		int at = 0;

		for (const struct column *c = view->columns; c < view->columns + view->n_columns;
		     c++) {
			char text[CELL_MAX];

			if (!column_shown(ctl, c))
				continue;
			cell_text(text, sizeof(text), c, 0, row);
			at += snprintf(line + at, sizeof(line) - (size_t)at, "%s%-*s",
				       at ? "  " : "", c->width, text);
		}
		puts(line);
	}
	json_decref(rows);
}

/* Names of the leaves: shop/blue/10.0.0.1:80; of a pool without backends, shop/green. */
static void names_print(const struct view *view, int level, const char *prefix,
			const json_t *object)
{
	json_t *rows = rows_of(view, level, object), *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		char id[CELL_MAX], name[CELL_MAX * LEVELS];
		const char *next = level + 1 < LEVELS ? view->rows[level + 1] : NULL;

		format_plain(id, sizeof(id), row, view->id[level]);
		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "/" : "", id);
		if (next && json_array_size(json_object_get(row, next)))
			names_print(view, level + 1, name, row);
		else
			puts(name);
	}
	json_decref(rows);
}

static void jsonl_print(const struct ctl *ctl, const struct view *view, const json_t *answer)
{
	json_t *rows = rows_of(view, 0, answer), *row;
	size_t i;

	json_array_foreach(rows, i, row)
		json_print(ctl, row);
	json_decref(rows);
}

static bool is_empty(const struct view *view, const json_t *answer)
{
	json_t *rows = rows_of(view, 0, answer);
	bool empty = !json_array_size(rows);

	json_decref(rows);
	return empty;
}

int show(struct ctl *ctl, const struct view *view, const json_t *answer, people_fn people)
{
	switch (ctl->opt.output) {
	case OUTPUT_JSON:
		json_print(ctl, answer);
		break;
	case OUTPUT_JSONL:
		jsonl_print(ctl, view, answer);
		break;
	case OUTPUT_NAME:
		names_print(view, 0, "", answer);
		break;
	default:
		if (is_empty(view, answer) && view->none)
			fprintf(stderr, "zddctl: %s\n", view->none);
		else
			people(ctl, view, answer);
	}
	return EXIT_OK;
}
