/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rollout is judged by: the keys judge, guards and prometheus. */
#include <string.h>

#include "config_schema.h"
#include "zdd/signal.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND, GUARD_ERROR = 256 };

/* ---- judge ---- */

/* A number to two decimals, stored in hundredths. */
static int set_hundredths(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	char percent[16] = "";
	uint16_t value = 0;

	if (n->kind == NODE_SCALAR && strlen(n->text) + 2 <= sizeof(percent))
		strcat(strcpy(percent, n->text), "%"); /* the form is that of a percentage */
	if (parse_percent_bp(percent, &value) || value < f->min || value > f->max)
		return fail_value(r, n, "expected a number from %g to %g", f->min / 100.0,
				  f->max / 100.0);
	memcpy((char *)obj + f->offset, &value, sizeof(value));
	return 0;
}

static int set_quantile(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	static const char *const words[] = {"95", "99"};

	(void)f;
	for (size_t i = 0; i < 2; i++)
		if (n->kind == NODE_SCALAR && !strcmp(n->text, words[i])) {
			((struct cfg_judge *)obj)->quantile = i ? 99 : 95;
			return 0;
		}
	return fail_word(r, n, "", words, 2);
}

static const struct field judge_fields[] = {
	{"mode", set_word, AT(struct cfg_judge, mode), .words = judge_mode_words},
	{"alpha", set_bp, AT(struct cfg_judge, alpha_bp), .min = 1, .max = 2000, .value = 100},
	{"beta", set_bp, AT(struct cfg_judge, beta_bp), .min = 1, .max = 2000, .value = 100},
	{"margin", set_hundredths, AT(struct cfg_judge, margin_hundredths), .min = 120,
	 .max = 10000, .value = 200},
	{"slo", set_bp, AT(struct cfg_judge, slo_bp), .max = 5000},
	{"quantile", set_quantile, AT(struct cfg_judge, quantile), .value = 95},
};
const struct schema judge_schema = SCHEMA(judge_fields);

/* "shadow" is short for {mode: shadow}. */
int set_judge(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	if (n->kind == NODE_SCALAR)
		return judge_fields[0].set(r, n, &judge_fields[0], (char *)obj + f->offset);
	return set_map(r, n, f, obj);
}

/* ---- prometheus ---- */

static const char a_counter[] =
	"a query of a counter with {pool} in it, such as sum(errors_total{pool=\"{pool}\"})";

static const struct field prometheus_fields[] = {
	{"url", set_text, AT(struct cfg_prometheus, url), .min = 1, .max = 2048, .required = true,
	 .expect = "a URL such as http://127.0.0.1:9090"},
	{"bad", set_text, AT(struct cfg_prometheus, bad), .min = 1, .max = 4096, .required = true,
	 .expect = a_counter},
	{"n", set_text, AT(struct cfg_prometheus, n), .min = 1, .max = 4096, .required = true,
	 .expect = a_counter},
	{"interval", set_duration, AT(struct cfg_prometheus, interval_ms), .min = SECOND,
	 .max = HOUR, .value = 15 * SECOND},
};
const struct schema prometheus_schema = SCHEMA(prometheus_fields);

/* zddd takes the increase itself, of no more and no less than the time since it last asked. */
static bool is_counter(const char *query)
{
	return strstr(query, "{pool}") && !strstr(query, "increase(") && !strstr(query, "rate(") &&
	       !strstr(query, "delta(");
}

/* Counts that do not tell the pools apart would make each candidate look like live. */
int set_prometheus(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	const struct cfg_prometheus *p = &((struct cfg_rollout *)obj)->prometheus;
	int err = set_map(r, n, f, obj);

	if (!err && !is_url(p->url))
		err = fail_value(r, tree_get(n, "url"), "expected %s", prometheus_fields[0].expect);
	if (!err && !is_counter(p->bad))
		err = fail_value(r, tree_get(n, "bad"), "expected %s", a_counter);
	if (!err && !is_counter(p->n))
		err = fail_value(r, tree_get(n, "n"), "expected %s", a_counter);
	return err;
}

/* ---- guards ---- */

/* Of the data path, of the judge and of others, as zdd-counts(5) has them; then an alias. */
static const char *const signals[] = {
#define S(symbol, name, breaks, sentence) #name,
	ZDD_SIGNALS(S)
#undef S
		"slow",
	"external", "http_5xx"};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static int read_signal(struct report *r, const struct node *n, struct guard *g)
{
	struct node signal = {.text = g->signal,
			      .line = n->line,
			      .column = n->column,
			      .parent = n->parent,
			      .index = n->index};

	if (!strcmp(g->signal, "http_5xx"))
		strcpy(g->signal, "5xx");
	for (size_t i = 0; i < SIGNALS; i++)
		if (!strcmp(g->signal, signals[i]))
			return 0;
	return fail_word(r, &signal, "a signal: ", signals, SIGNALS);
}

/* Its text is quoted in messages as it is. */
static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

int set_guards(struct report *r, const struct node *n, const struct field *f, void *obj)
{
	struct cfg_rollout *ro = obj;
	char error[GUARD_ERROR];

	(void)f;
	if (n->kind != NODE_LIST || n->n_kids > ROLLOUT_GUARDS)
		return fail_value(r, n,
				  "expected a list of up to %d guards such as "
				  "[\"5xx > 5%% over 5m for 2m\"]",
				  ROLLOUT_GUARDS);
	for (size_t i = 0; i < n->n_kids; i++) {
		struct guard *g = &ro->guards[ro->n_guards++];
		int err = want_scalar(r, n->kids[i], "a guard such as reset > 5% over 5m for 2m");

		if (err)
			return err;
		if (!is_printable(n->kids[i]->text))
			return fail_value(r, n->kids[i],
					  "expected a guard without control characters");
		if (guard_parse(n->kids[i]->text, g, error, sizeof(error)))
			return fail_node(r, n->kids[i], "%s", error);
		err = read_signal(r, n->kids[i], g);
		if (err)
			return err;
	}
	return 0;
}

/* Why a guard could never speak; NULL: it can. */
static const char *guard_trouble(const struct cfg_service *s, const struct guard *g)
{
	if (!strcmp(g->signal, "external"))
		return s->rollout.prometheus.url
			       ? NULL
			       : "expected 'prometheus' beside it, which counts it";
	if (!forward_is_watched(s->forward))
		return "expected only the signal external in a forward mode that does not see "
		       "the answers";
	if (!strcmp(g->signal, "5xx") && !s->signals_http)
		return "expected signals: {http: true} in this service, which counts it";
	return NULL;
}

int check_guards(struct report *r, const struct node *n, const struct cfg_service *s)
{
	for (unsigned i = 0; i < s->rollout.n_guards; i++) {
		const char *trouble = guard_trouble(s, &s->rollout.guards[i]);

		if (trouble)
			return fail_value(r, n->kids[i], "%s", trouble);
	}
	return 0;
}
