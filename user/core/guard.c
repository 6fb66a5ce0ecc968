/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "guard.h"

enum { OVER_MIN_MS = 1000, DECIMAL = 10 };

struct cursor {
	const char *text, *at;
	char *error;
	size_t size;
};

static int expected(const struct cursor *c, const char *what)
{
	if (*c->at)
		snprintf(c->error, c->size, "'%.100s': at '%.40s': expected %s", c->text, c->at,
			 what);
	else
		snprintf(c->error, c->size, "'%.100s': at its end: expected %s", c->text, what);
	return -EINVAL;
}

static const char *const word_bytes =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* The length of the word that comes next, spaces before it skipped. */
static size_t next_word(struct cursor *c)
{
	c->at += strspn(c->at, " ");
	return strspn(c->at, word_bytes);
}

static bool take_word(struct cursor *c, const char *word)
{
	size_t len = next_word(c);

	if (len != strlen(word) || strncmp(c->at, word, len))
		return false;
	c->at += len;
	return true;
}

/* out has size bytes. */
static bool copy_word(struct cursor *c, char *out, size_t size)
{
	size_t len = next_word(c);

	if (!len || len >= size)
		return false;
	snprintf(out, size, "%.*s", (int)len, c->at);
	return true;
}

static int take_signal(struct cursor *c, struct guard *g)
{
	if (!copy_word(c, g->signal, sizeof(g->signal)) || !name_is_valid(g->signal))
		return expected(c, "a signal's name");
	c->at += strlen(g->signal);
	return 0;
}

/* "5%", "5 %", "0.25%" */
static int take_limit(struct cursor *c, struct guard *g)
{
	char number[DECIMAL] = "";
	const char *behind;

	if (copy_word(c, number, sizeof(number) - 1)) {
		behind = c->at + strlen(number);
		behind += strspn(behind, " ");
		strcat(number, "%");
		if (*behind == '%' && !parse_percent_bp(number, &g->limit_bp) &&
		    g->limit_bp < 10000) {
			c->at = behind + 1;
			return 0;
		}
	}
	return expected(c, "a percentage below 100 %, like 5 % or 12.5%");
}

static int take_duration(struct cursor *c, uint32_t min_ms, uint32_t *ms)
{
	char word[DURATION_TEXT];
	uint32_t got;

	if (!copy_word(c, word, sizeof(word)) || parse_duration_ms(word, &got) || got < min_ms)
		return expected(c, min_ms ? "a duration of 1s or more, like 30s or 5m"
					  : "a duration like 30s or 5m");
	*ms = got;
	c->at += strlen(word);
	return 0;
}

static int take_times(struct cursor *c, struct guard *g)
{
	int err;

	if (!take_word(c, "over"))
		return expected(c, "over and a duration");
	err = take_duration(c, OVER_MIN_MS, &g->over_ms);
	if (!err && take_word(c, "for"))
		err = take_duration(c, 0, &g->for_ms);
	if (!err && (next_word(c), *c->at))
		err = expected(c,
			       g->for_ms ? "nothing more" : "for and a duration, or nothing more");
	return err;
}

int guard_parse(const char *text, struct guard *guard, char *error, size_t size)
{
	struct cursor c = {text, text, error, size};
	struct guard g = {0};
	int err;

	if (strlen(text) >= sizeof(g.text)) {
		snprintf(error, size, "longer than %zu bytes", sizeof(g.text) - 1);
		return -EINVAL;
	}
	strcpy(g.text, text);
	err = take_signal(&c, &g);
	if (err)
		return err;
	take_word(&c, "ratio");
	next_word(&c);
	if (*c.at != '>')
		return expected(&c, "> and a percentage");
	c.at++;
	err = take_limit(&c, &g);
	if (!err)
		err = take_times(&c, &g);
	if (!err)
		*guard = g;
	return err;
}

/* A tick belongs to the slot in which it ended; one that ends with a slot is the last of it. */
static uint64_t slot_of(const struct guard *g, uint64_t t_ms)
{
	uint64_t part = t_ms / g->over_ms, rest = t_ms % g->over_ms;

	return part * GUARD_SLOTS + (rest * GUARD_SLOTS + g->over_ms - 1) / g->over_ms;
}

static void advance(struct guard_window *w, uint64_t slot)
{
	uint64_t steps = slot - w->slot;

	for (uint64_t i = 1; i <= steps && i <= GUARD_SLOTS; i++) {
		w->n[(w->slot + i) % GUARD_SLOTS] = 0;
		w->bad[(w->slot + i) % GUARD_SLOTS] = 0;
	}
	w->slot = slot;
}

void guard_sums(const struct guard_state *s, uint64_t *n, uint64_t *bad)
{
	*n = *bad = 0;
	for (size_t i = 0; i < GUARD_SLOTS; i++) {
		*n += s->window.n[i];
		*bad += s->window.bad[i];
	}
}

static bool is_over(const struct guard *g, const struct guard_state *s)
{
	uint64_t n, bad;

	guard_sums(s, &n, &bad);
	return bad > 1 && (double)bad * 10000 > (double)n * g->limit_bp;
}

bool guard_feed(const struct guard *g, struct guard_state *s, uint64_t t_ms, uint64_t n,
		uint64_t bad)
{
	bool was = s->over;

	advance(&s->window, slot_of(g, t_ms));
	s->window.n[s->window.slot % GUARD_SLOTS] += n;
	s->window.bad[s->window.slot % GUARD_SLOTS] += bad;
	s->over = is_over(g, s);
	if (s->over && !was)
		s->since_ms = t_ms;
	if (s->over)
		s->last_ms = t_ms;
	return s->over && t_ms - s->since_ms >= g->for_ms;
}

bool guard_was_over(const struct guard *g, const struct guard_state *s, uint64_t t_ms)
{
	return s->last_ms && t_ms - s->last_ms < g->over_ms;
}
