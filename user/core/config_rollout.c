/* SPDX-License-Identifier: BSD-2-Clause */
/* The key rollout: its tables, presets, steps. What it is judged by: config_evidence.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_schema.h"
#include "zdd/limits.h"

const char *const strategy_words[] = {"flip", "canary", "rolling", "experiment", NULL};
const char *const until_words[] = {"time", "evidence", "person", "hook", NULL};
const char *const on_inconclusive_words[] = {"pause", "extend", "promote", "abort", NULL};
const char *const on_conflict_words[] = {"reject", "queue", "supersede", NULL};
const char *const on_failure_words[] = {"stop", "back", NULL};
const char *const judge_mode_words[] = {"on", "shadow", "off", NULL};
const char *const hook_words[] = {
#define H(symbol, word, when) #word,
	ZDD_HOOKS(H)
#undef H
};

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
enum { COUNT_MAX = 1000000000, BACKENDS_MAX = CFG_BACKENDS_MAX };

/* ---- steps ---- */

/* One set of keys, for `each` and for a step that differs from it. */
/* clang-format off */
#define EACH_KEYS(type)                                                                            \
	{"min", set_duration, AT(type, each.min_ms), .max = 7 * DAY, .value = 10 * MINUTE},            \
	{"max", set_duration, AT(type, each.max_ms), .max = 14 * DAY, .value = HOUR},                  \
	{"until", set_word, AT(type, each.until), .words = until_words, .value = UNTIL_EVIDENCE},      \
	{"connections", set_uint, AT(type, each.min_connections), .max = COUNT_MAX, .value = 100},     \
	{"sources", set_uint, AT(type, each.min_sources), .max = COUNT_MAX}
/* clang-format on */

static const struct field each_fields[] = {EACH_KEYS(struct cfg_rollout)};
static const struct schema each_schema = SCHEMA(each_fields);

static const struct field step_fields[] = {
	{"share", set_bp, AT(struct cfg_step, share), .min = 1, .max = ZDD_SHARE_UNITS,
	 .required = true, .expect = "a percentage such as 5%"},
	EACH_KEYS(struct cfg_step),
};
static const struct schema step_schema = SCHEMA(step_fields);

/* A key that would do nothing is a mistake; of min and max the one that is not written gives way. */
static int check_each(struct report *r, const struct node *map, struct cfg_each *e)
{
	static const char *const only_evidence[] = {"max", "connections", "sources"};
	const struct node *min = tree_get(map, "min"), *max = tree_get(map, "max");
	char text[DURATION_TEXT];

	for (size_t i = 0; e->until != UNTIL_EVIDENCE && i < 3; i++) {
		const struct node *n = tree_get(map, only_evidence[i]);

		if (n)
			return fail_key(r, n,
					"does nothing with until: %s; expected only with evidence",
					until_words[e->until]);
	}
	if (!e->max_ms || e->min_ms <= e->max_ms)
		return 0;
	format_duration(text, sizeof(text), e->max_ms);
	if (min && max)
		return fail_value(r, min, "expected at most max, %s", text);
	if (max)
		e->min_ms = e->max_ms;
	else
		e->max_ms = 2 * e->min_ms;
	return 0;
}

static int set_each(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_rollout *ro = obj;
	int err = schema_read(r, n, f->map, ro);

	return err ? err : check_each(r, n, &ro->each);
}

/* "5%" is short for {share: 5%}. *share is where it stands. */
static int read_step(struct report *r, const struct node *n, struct cfg_step *step,
		     const struct node **share)
{
	int err;

	*share = n;
	if (n->kind != NODE_MAP)
		return step_fields[0].set(r, n, &step_fields[0], step);
	err = schema_read(r, n, &step_schema, step);
	if (err)
		return err;
	*share = tree_get(n, "share");
	if (step->share == ZDD_SHARE_UNITS && n->n_kids > 1)
		return fail_value(r, *share,
				  "expected no other key with 100%%: that is promoted and baked");
	return check_each(r, n, &step->each);
}

static void add_step(struct cfg_rollout *ro, uint16_t share)
{
	ro->steps[ro->n_steps++] = (struct cfg_step){.share = share, .each = ro->each};
}

static uint16_t last_share(const struct cfg_rollout *ro)
{
	return ro->n_steps ? ro->steps[ro->n_steps - 1].share : 0;
}

static int set_steps(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_rollout *ro = obj;

	(void)f;
	if (n->kind != NODE_LIST || !n->n_kids || n->n_kids > ROLLOUT_STEPS)
		return fail_value(r, n, "expected a list of 1 to %d steps such as [5%%, 25%%]",
				  ROLLOUT_STEPS);
	ro->n_steps = 0;
	for (size_t i = 0; i < n->n_kids; i++) {
		struct cfg_step step = {.each = ro->each};
		const struct node *share;
		int err = read_step(r, n->kids[i], &step, &share);

		if (err)
			return err;
		if (step.share <= last_share(ro))
			return fail_value(r, share, "expected more than the step before, %g%%",
					  last_share(ro) / 100.0);
		ro->steps[ro->n_steps++] = step;
	}
	if (last_share(ro) == ZDD_SHARE_UNITS)
		return 0;
	if (ro->n_steps == ROLLOUT_STEPS)
		return fail_node(r, n, "%u steps; expected at most %d before 100%%", ro->n_steps,
				 ROLLOUT_STEPS - 1);
	add_step(ro, ZDD_SHARE_UNITS);
	return 0;
}

/* ---- presets ---- */

/* As AWS CodeDeploy means them; `linear` repeats the part until everything is reached. */
static const struct preset {
	const char *name;
	enum strategy strategy;
	struct cfg_amount part; /* of the traffic, rolling: of the backends */
	bool linear;
	uint8_t minutes;
} presets[] = {
	{"AllAtOnce", STRATEGY_FLIP, {100, true}},
	{"HalfAtATime", STRATEGY_ROLLING, {50, true}},
	{"OneAtATime", STRATEGY_ROLLING, {1, false}},
	{"Canary10Percent5Minutes", STRATEGY_CANARY, {10, true}, false, 5},
	{"Canary10Percent10Minutes", STRATEGY_CANARY, {10, true}, false, 10},
	{"Canary10Percent15Minutes", STRATEGY_CANARY, {10, true}, false, 15},
	{"Canary10Percent30Minutes", STRATEGY_CANARY, {10, true}, false, 30},
	{"Linear10PercentEvery1Minute", STRATEGY_CANARY, {10, true}, true, 1},
	{"Linear10PercentEvery2Minutes", STRATEGY_CANARY, {10, true}, true, 2},
	{"Linear10PercentEvery3Minutes", STRATEGY_CANARY, {10, true}, true, 3},
	{"Linear10PercentEvery10Minutes", STRATEGY_CANARY, {10, true}, true, 10},
};
enum { PRESETS = sizeof(presets) / sizeof(presets[0]) };

static void take_preset(struct cfg_rollout *ro, const struct preset *p)
{
	unsigned part = p->part.value * 100u;

	ro->strategy = p->strategy;
	if (p->strategy == STRATEGY_ROLLING) {
		ro->batch.max_parallel = ro->batch.max_unavailable = p->part;
		return;
	}
	if (p->minutes) {
		ro->each.min_ms = (uint32_t)p->minutes * MINUTE;
		ro->each.until = UNTIL_TIME;
	}
	ro->n_steps = 0;
	for (unsigned share = part; share < ZDD_SHARE_UNITS && (p->linear || share == part);
	     share += part)
		add_step(ro, (uint16_t)share);
	add_step(ro, ZDD_SHARE_UNITS);
}

static int set_preset(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	const char *names[PRESETS];

	(void)f;
	for (size_t i = 0; i < PRESETS; i++) {
		names[i] = presets[i].name;
		if (n->kind == NODE_SCALAR && !strcmp(n->text, names[i])) {
			take_preset(obj, &presets[i]);
			return 0;
		}
	}
	return fail_word(r, n, "", names, PRESETS);
}

/* ---- batch ---- */

/* "2" or "50%". */
static int set_amount(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_amount *a = (struct cfg_amount *)(void *)((char *)obj + f->offset);
	const char *text = n->kind == NODE_SCALAR ? n->text : "";
	size_t len = strlen(text);
	bool percent = len && text[len - 1] == '%';
	uint32_t value;

	if (parse_uint(text, len - percent, percent ? 100 : BACKENDS_MAX, &value) || value < f->min)
		return fail_value(r, n,
				  "expected a number of backends from %u, or a whole percentage "
				  "of them",
				  f->min);
	*a = (struct cfg_amount){(uint16_t)value, percent};
	return 0;
}

static const struct field batch_fields[] = {
	{"max_parallel", set_amount, AT(struct cfg_batch, max_parallel), .min = 1},
	{"max_surge", set_amount, AT(struct cfg_batch, max_surge)},
	{"max_unavailable", set_amount, AT(struct cfg_batch, max_unavailable)},
	{"min_available", set_amount, AT(struct cfg_batch, min_available)},
	/* Kubernetes' spelling */
	{"maxSurge", set_amount, AT(struct cfg_batch, max_surge)},
	{"maxUnavailable", set_amount, AT(struct cfg_batch, max_unavailable)},
};
static const struct schema batch_schema = SCHEMA(batch_fields);

static const struct cfg_batch batch_default = {
	.max_parallel = {50, true},
	.max_unavailable = {1, false},
	.min_available = {50, true},
};

static int refuse_twice(struct report *r, const struct node *map, const char *key,
			const char *alias)
{
	const struct node *n = tree_get(map, alias);

	return n && tree_get(map, key) ? fail_key(r, n, "is %s, which is given too", key) : 0;
}

static int set_batch(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_batch *b = &((struct cfg_rollout *)obj)->batch;
	int err = schema_read(r, n, f->map, b);

	if (!err)
		err = refuse_twice(r, n, "max_surge", "maxSurge");
	if (!err)
		err = refuse_twice(r, n, "max_unavailable", "maxUnavailable");
	if (!err && !b->max_surge.value && !b->max_unavailable.value)
		err = fail_node(r, n,
				"max_surge and max_unavailable are both 0; expected one of them "
				"to let a backend be replaced");
	return err;
}

/* ---- hooks and webhooks ---- */

static const struct field hooks_fields[] = {
#define H(symbol, word, when) {#word, set_argv, AT(struct cfg_hooks, argv[HOOK_##symbol])},
	ZDD_HOOKS(H)
#undef H
		{"user", set_text, AT(struct cfg_hooks, user), .min = 1, .max = 32,
		 .expect = "a user name"},
	{"timeout", set_duration, AT(struct cfg_hooks, timeout_ms), .min = SECOND, .max = DAY,
	 .value = 5 * MINUTE},
};
static const struct schema hooks_schema = SCHEMA(hooks_fields);

static int set_hooks(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_hooks *h = &((struct cfg_rollout *)obj)->hooks;
	int err = set_map(r, n, f, obj);

	if (err || !h->user)
		return err;
	h->user_line = tree_get(n, "user")->line;
	if (h->user[0] == '-' || strpbrk(h->user, "/: "))
		err = fail_value(r, tree_get(n, "user"), "expected a user name");
	return err;
}

bool is_url(const char *text)
{
	size_t scheme = !strncmp(text, "http://", 7) ? 7 : !strncmp(text, "https://", 8) ? 8 : 0;

	return scheme && text[scheme] && !strchr("/?#:", text[scheme]) && !strchr(text, ' ');
}

static int set_notify(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_rollout *ro = obj;

	(void)f;
	if (n->kind != NODE_LIST || n->n_kids > ROLLOUT_WEBHOOKS)
		return fail_value(r, n, "expected a list of up to %d URLs", ROLLOUT_WEBHOOKS);
	for (size_t i = 0; i < n->n_kids; i++) {
		struct field url = {.min = 1,
				    .max = 2048,
				    .expect = EXPECTED_URL,
				    AT(struct cfg_rollout, webhooks[0])};
		int err;

		url.offset += i * url.size;
		err = set_text(r, n->kids[i], &url, ro);
		if (err)
			return err;
		ro->n_webhooks = (unsigned)i + 1;
		if (!is_url(ro->webhooks[i]))
			return fail_value(r, n->kids[i], "expected %s", EXPECTED_URL);
	}
	return 0;
}

/* ---- all ---- */

/* preset stands before what overrides it, each before the steps that begin from it. */
static const struct field rollout_fields[] = {
	{"preset", .set = set_preset},
	{"strategy", set_word, AT(struct cfg_rollout, strategy), .words = strategy_words,
	 .value = STRATEGY_CANARY},
	{"each", set_each, .map = &each_schema},
	{"steps", .set = set_steps},
	{"judge", set_judge, AT(struct cfg_rollout, judge), .map = &judge_schema},
	{"prometheus", set_prometheus, AT(struct cfg_rollout, prometheus),
	 .map = &prometheus_schema},
	{"guards", .set = set_guards},
	{"on_inconclusive", set_word, AT(struct cfg_rollout, on_inconclusive),
	 .words = on_inconclusive_words},
	{"on_conflict", set_word, AT(struct cfg_rollout, on_conflict), .words = on_conflict_words},
	{"on_failure", set_word, AT(struct cfg_rollout, on_failure), .words = on_failure_words},
	{"staging_timeout", set_duration, AT(struct cfg_rollout, staging_ms), .min = SECOND,
	 .max = DAY, .value = 5 * MINUTE},
	{"bake", set_duration, AT(struct cfg_rollout, bake_ms), .max = 7 * DAY,
	 .value = 10 * MINUTE},
	{"lease", set_duration, AT(struct cfg_rollout, lease_ms), .min = 5 * SECOND, .max = HOUR,
	 .value = 30 * SECOND},
	{"batch", set_batch, .map = &batch_schema},
	{"hooks", set_hooks, AT(struct cfg_rollout, hooks), .map = &hooks_schema},
	{"notify", .set = set_notify},
};
static const struct schema rollout_schema = SCHEMA(rollout_fields);

int rollout_defaults(struct cfg_rollout *ro)
{
	static const uint16_t shares[] = {500, 2500, 5000, ZDD_SHARE_UNITS};
	int err = schema_defaults(&rollout_schema, ro);

	ro->batch = batch_default;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		add_step(ro, shares[i]);
	return err;
}

void rollout_release(struct cfg_rollout *ro)
{
	for (unsigned i = 0; i < HOOKS; i++)
		argv_release(ro->hooks.argv[i]);
	for (unsigned i = 0; i < ROLLOUT_WEBHOOKS; i++)
		free(ro->webhooks[i]);
	free(ro->hooks.user);
	free(ro->prometheus.url);
	free(ro->prometheus.bad);
	free(ro->prometheus.n);
}

/* A step that waits for a hook needs one. */
static int check_gate(struct report *r, const struct node *map, const struct cfg_rollout *ro)
{
	static const char say[] = "expected hooks: {gate: [...]}, the program that lets it go on";
	const struct node *each = tree_get(map, "each"), *steps = tree_get(map, "steps");

	if (ro->hooks.argv[HOOK_GATE])
		return 0;
	if (ro->each.until == UNTIL_HOOK)
		return fail_value(r, tree_get(each, "until"), say);
	for (unsigned i = 0; i < ro->n_steps; i++)
		if (ro->steps[i].each.until == UNTIL_HOOK)
			return fail_value(r, tree_get(steps->kids[i], "until"), say);
	return 0;
}

/* A batch that is healthy again is not kept waiting, unless the file says so. */
void rolling_each(struct cfg_each *e)
{
	e->min_ms = 0;
	e->until = UNTIL_TIME;
}

int set_rollout(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_service *s = obj;
	struct cfg_rollout *ro = &s->rollout;
	int err = schema_read(r, n, &rollout_schema, ro);

	(void)f;
	if (err)
		return err;
	ro->set = true;
	if (ro->strategy == STRATEGY_ROLLING && !tree_get(n, "each"))
		rolling_each(&ro->each);
	for (unsigned i = 0; i < ro->n_steps && !tree_get(n, "steps"); i++)
		ro->steps[i].each = ro->each;
	err = check_guards(r, tree_get(n, "guards"), s);
	return err ? err : check_gate(r, n, ro);
}
