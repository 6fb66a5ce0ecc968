/* SPDX-License-Identifier: BSD-2-Clause */
/* A service's rollout and lock, below its tree. */
#include <stdarg.h>
#include <string.h>

#include "ctl.h"
#include "rollout.h"

/* Grows to the right; what does not fit is cut off. */
struct line {
	char text[2048];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, args);
	va_end(args);
	l->len += n > 0 ? (size_t)n : 0;
	if (l->len >= sizeof(l->text))
		l->len = sizeof(l->text) - 1;
}

static void add_ms(struct line *l, const json_t *rollout, const char *field,
		   const char *form_before, const char *form_after)
{
	char time[32];
	int64_t ms = field_int(rollout, field, -1);

	if (ms < 0)
		return;
	duration_text(time, sizeof(time), ms);
	add(l, "%s%s%s", form_before, time, form_after);
}

static const json_t *pool_of(const json_t *service, const char *name)
{
	const json_t *pool;
	size_t i;

	json_array_foreach(json_object_get(service, "pools"), i, pool)
		if (!strcmp(field_text(pool, "name"), name))
			return pool;
	return NULL;
}

/* "24.81% seen" beside the share that was asked for */
static void add_seen(struct line *l, const json_t *service, const json_t *rollout)
{
	const json_t *pool = pool_of(service, field_text(rollout, "candidate"));
	char asked[32], seen[32];

	format_percent(asked, sizeof(asked), rollout, "share");
	format_percent(seen, sizeof(seen), pool, "measured_share");
	add(l, "; %s asked, %s seen", asked, seen);
}

static bool is_over(const json_t *rollout)
{
	int state = rollout_state_find(field_text(rollout, "state"));

	return state < 0 || rollout_state_phase((enum rollout_state)state) == PHASE_OVER;
}

static void print_head(struct ctl *ctl, const json_t *service, const json_t *rollout)
{
	char how[CELL_MAX];
	struct line l = {.len = 0};
	bool over = is_over(rollout), bad = over && field_int(rollout, "exit", 0);

	rollout_where(how, sizeof(how), rollout);
	add(&l, "%c %s: %s (release %lld): %s", bad ? '!' : '~', field_text(service, "service"),
	    field_text(rollout, "title"), (long long)field_int(rollout, "number", 0), how);
	if (over) {
		add(&l, " since %s", field_text(rollout, "since"));
	} else {
		add_ms(&l, rollout, "watched_ms", " for ", "");
		add_ms(&l, rollout, "left_ms", ", ", " left");
		add_seen(&l, service, rollout);
	}
	add(&l, ": %s", rollout_reason(rollout, how));
	print_wrapped(ctl, 2, l.text);
}

/* Who, since when, and all of its steps. */
static void print_wide(struct ctl *ctl, const json_t *rollout)
{
	const json_t *steps = json_object_get(rollout, "steps"), *step;
	struct line l = {.len = 0};
	size_t i;

	add(&l, "  begun by %s at %s, in this state since %s", field_text(rollout, "who"),
	    field_text(rollout, "began"), field_text(rollout, "since"));
	json_array_foreach(steps, i, step)
		add(&l, "%s%g", i ? ", " : "; steps ", json_number_value(step));
	if (i)
		add(&l, " %%");
	print_wrapped(ctl, 2, l.text);
}

/* What may end it from outside: a hook, the lease, the breaker. */
static void print_means(struct ctl *ctl, const json_t *rollout)
{
	const json_t *hook = json_object_get(rollout, "hook"),
		     *breaker = json_object_get(rollout, "breaker");
	struct line l = {.len = 0};

	if (json_is_object(hook))
		add(&l, "; hook %s runs (%s)", field_text(hook, "kind"), field_text(hook, "token"));
	add_ms(&l, rollout, "lease_ms", "; lease ", "");
	if (json_is_object(breaker))
		add(&l, "; breaker: %lld of %lld failed connections",
		    (long long)field_int(breaker, "failed", 0),
		    (long long)field_int(breaker, "limit", 0));
	if (l.len) {
		memcpy(l.text, "  ", 2);
		print_wrapped(ctl, 2, l.text);
	}
}

static void print_queued(struct ctl *ctl, const json_t *queued)
{
	struct line l = {.len = 0};

	if (!json_is_object(queued))
		return;
	add(&l, "  queued behind it: %s of %s, by %s", field_text(queued, "strategy"),
	    field_text(queued, "candidate"), field_text(queued, "who"));
	print_wrapped(ctl, 2, l.text);
}

static void print_lock(struct ctl *ctl, const json_t *service)
{
	const json_t *lock = json_object_get(service, "locked");
	struct line l = {.len = 0};

	if (!json_is_object(lock))
		return;
	add(&l, "~ %s: locked by %s since %s", field_text(service, "service"),
	    field_text(lock, "who"), field_text(lock, "since"));
	if (*field_text(lock, "why"))
		add(&l, ": %s", field_text(lock, "why"));
	print_wrapped(ctl, 2, l.text);
}

/* What it says, then on which counts. */
static void print_judge(struct ctl *ctl, const json_t *judge)
{
	struct line l = {.len = 0};

	add(&l, "  judge: %s", field_text(judge, "text"));
	print_wrapped(ctl, 2, l.text);
	evidence_print(ctl, judge);
}

void rollout_print(struct ctl *ctl, const json_t *service, bool whole)
{
	const json_t *rollout = json_object_get(service, "rollout");
	bool wide = ctl->opt.output == OUTPUT_WIDE;

	print_lock(ctl, service);
	if (!json_is_object(rollout))
		return;
	if (is_over(rollout) && !field_int(rollout, "exit", 0) && !wide)
		return; /* all is well, and was told */
	print_head(ctl, service, rollout);
	if (wide)
		print_wide(ctl, rollout);
	if (is_over(rollout))
		return;
	print_means(ctl, rollout);
	print_queued(ctl, json_object_get(rollout, "queued"));
	if (whole && json_is_object(json_object_get(rollout, "judge")))
		print_judge(ctl, json_object_get(rollout, "judge"));
}
