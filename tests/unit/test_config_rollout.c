/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys rollout and signals: defaults, presets, every key, what is written back, refusals. */
#include "t.h"
#include "config_row.h"

#include "config_json.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

#define ROLLOUT(value) WEB("    rollout: " value "\n")
#define HTTP WEB("    signals: {http: true}\n")

static struct config *parse(const char *text)
{
	struct config *c = NULL;
	char *error = NULL;

	CHECK_INT(config_parse("zdd.yaml", text, strlen(text), &c, &error), 0);
	if (!CHECK(!error))
		printf("# %s\n", error);
	free(error);
	return c;
}

/* ---- what is written back reads the same ---- */

static void same_texts(char *const *a, char *const *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (CHECK(!a[i] == !b[i]) && a[i])
			CHECK_STR(a[i], b[i]);
}

static void same_rollout(const struct cfg_rollout *a, const struct cfg_rollout *b)
{
	CHECK_INT(a->set, b->set);
	CHECK_INT(a->strategy, b->strategy);
	CHECK(!memcmp(&a->each, &b->each, sizeof(a->each)));
	CHECK(!memcmp(a->steps, b->steps, sizeof(a->steps)));
	CHECK_INT(a->n_steps, b->n_steps);
	CHECK(!memcmp(a->guards, b->guards, sizeof(a->guards)));
	CHECK_INT(a->n_guards, b->n_guards);
	CHECK(!memcmp(&a->judge, &b->judge, sizeof(a->judge)));
	CHECK(!memcmp(&a->batch, &b->batch, sizeof(a->batch)));
	CHECK_INT(a->on_inconclusive, b->on_inconclusive);
	CHECK_INT(a->on_conflict, b->on_conflict);
	CHECK_INT(a->on_failure, b->on_failure);
	CHECK_INT(a->staging_ms, b->staging_ms);
	CHECK_INT(a->bake_ms, b->bake_ms);
	CHECK_INT(a->lease_ms, b->lease_ms);
	CHECK_INT(a->hooks.timeout_ms, b->hooks.timeout_ms);
	CHECK_INT(a->prometheus.interval_ms, b->prometheus.interval_ms);
	same_texts(&a->hooks.user, &b->hooks.user, 1);
	same_texts(&a->prometheus.url, &b->prometheus.url, 1);
	same_texts(&a->prometheus.bad, &b->prometheus.bad, 1);
	same_texts(&a->prometheus.n, &b->prometheus.n, 1);
	same_texts(a->webhooks, b->webhooks, ROLLOUT_WEBHOOKS);
	for (unsigned i = 0; i < HOOKS; i++)
		if (CHECK(!a->hooks.argv[i] == !b->hooks.argv[i]) && a->hooks.argv[i])
			for (size_t k = 0; !k || a->hooks.argv[i][k - 1]; k++)
				same_texts(&a->hooks.argv[i][k], &b->hooks.argv[i][k], 1);
}

static void check_again(const struct config *c)
{
	json_t *o = config_to_json(c), *again;
	char *text = json_dumps(o, 0);
	struct config *d = parse(text);

	if (d) {
		again = config_to_json(d);
		CHECK(json_equal(o, again));
		CHECK_INT(d->services->signals_http, c->services->signals_http);
		same_rollout(&c->services->rollout, &d->services->rollout);
		json_decref(again);
	}
	config_free(d);
	free(text);
	json_decref(o);
}

/* The only service of the text. */
static struct config *read_one(const char *text, const struct cfg_rollout **ro)
{
	static const struct cfg_rollout none;
	struct config *c = parse(text);

	*ro = c ? &c->services->rollout : &none;
	if (c)
		check_again(c);
	return c;
}

/* ---- defaults ---- */

static void check_each(const struct cfg_each *e, uint32_t min_ms, uint32_t max_ms, enum until until,
		       uint32_t connections, uint32_t sources)
{
	CHECK_INT(e->min_ms, min_ms);
	CHECK_INT(e->max_ms, max_ms);
	CHECK_INT(e->until, until);
	CHECK_INT(e->min_connections, connections);
	CHECK_INT(e->min_sources, sources);
}

static void check_amount(struct cfg_amount a, unsigned value, bool percent)
{
	CHECK_INT(a.value, value);
	CHECK_INT(a.percent, percent);
}

/* "5 25 50 100" */
static const char *shares(const struct cfg_rollout *ro)
{
	static char text[256];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < ro->n_steps; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%g", i ? " " : "",
					ro->steps[i].share / 100.0);
	return text;
}

static void check_defaults(const struct cfg_rollout *ro)
{
	CHECK_INT(ro->strategy, STRATEGY_CANARY);
	CHECK_STR(shares(ro), "5 25 50 100");
	for (unsigned i = 0; i < ro->n_steps; i++)
		check_each(&ro->steps[i].each, 10 * MINUTE, HOUR, UNTIL_EVIDENCE, 100, 0);
	check_each(&ro->each, 10 * MINUTE, HOUR, UNTIL_EVIDENCE, 100, 0);
	CHECK_INT(ro->n_guards, 0);
	CHECK_INT(ro->judge.mode, JUDGE_ON);
	CHECK_INT(ro->judge.alpha_bp, 100);
	CHECK_INT(ro->judge.beta_bp, 100);
	CHECK_INT(ro->judge.slo_bp, 0);
	CHECK_INT(ro->judge.margin_hundredths, 200);
	CHECK_INT(ro->judge.quantile, 95);
	CHECK(!ro->prometheus.url);
	CHECK_INT(ro->on_inconclusive, INCONCLUSIVE_PAUSE);
	CHECK_INT(ro->on_conflict, CONFLICT_REJECT);
	CHECK_INT(ro->on_failure, FAILURE_STOP);
	CHECK_INT(ro->staging_ms, 5 * MINUTE);
	CHECK_INT(ro->bake_ms, 10 * MINUTE);
	CHECK_INT(ro->lease_ms, 30 * SECOND);
	check_amount(ro->batch.max_parallel, 50, true);
	check_amount(ro->batch.max_surge, 0, false);
	check_amount(ro->batch.max_unavailable, 1, false);
	check_amount(ro->batch.min_available, 50, true);
	for (unsigned i = 0; i < HOOKS; i++)
		CHECK(!ro->hooks.argv[i]);
	CHECK(!ro->hooks.user);
	CHECK_INT(ro->hooks.timeout_ms, 5 * MINUTE);
	CHECK_INT(ro->n_webhooks, 0);
}

TEST(defaults)
{
	static const struct {
		const char *text;
		bool set;
	} rows[] = {{WEB(""), false}, {ROLLOUT("{}"), true}};

	for (size_t i = 0; i < 2; i++) {
		const struct cfg_rollout *ro;
		struct config *c = read_one(rows[i].text, &ro);

		ROW("%zu", i);
		CHECK_INT(ro->set, rows[i].set);
		check_defaults(ro);
		CHECK(c && !c->services->signals_http);
		config_free(c);
	}
}

/* ---- every key ---- */

static const char complete[] = HTTP
	"    rollout:\n"
	"      strategy: rolling\n"
	"      steps: [0.5%, {share: 12.5%, until: person, min: 2h}, {share: 20%, max: 5m}, 33.33%]\n"
	"      each: {min: 6m, max: 0s, until: evidence, connections: 50, sources: 7}\n"
	"      guards: [\"http_5xx ratio > 5 % over 5m for 2m\", \"reset>1% over 30s\"]\n"
	"      judge: {mode: shadow, alpha: 0.5%, beta: 2%, margin: 1.25, slo: 0.25%, quantile: 99}\n"
	"      on_inconclusive: extend\n"
	"      on_conflict: supersede\n"
	"      on_failure: back\n"
	"      staging_timeout: 1h\n"
	"      bake: 0s\n"
	"      lease: 5s\n"
	"      batch: {max_parallel: 2, maxSurge: 25%, maxUnavailable: 0, min_available: 100%}\n"
	"      hooks:\n"
	"        start: [/bin/start, -v, \"\"]\n"
	"        gate: [/bin/gate]\n"
	"        update: [/bin/update]\n"
	"        stop: [/bin/stop]\n"
	"        user: deploy\n"
	"        timeout: 90s\n"
	"      notify: [\"https://hooks.example/x?y=1\", \"http://10.0.0.9:80/\"]\n";

static void check_complete(const struct cfg_rollout *ro)
{
	CHECK_INT(ro->strategy, STRATEGY_ROLLING);
	CHECK_STR(shares(ro), "0.5 12.5 20 33.33 100");
	check_each(&ro->each, 6 * MINUTE, 0, UNTIL_EVIDENCE, 50, 7);
	check_each(&ro->steps[0].each, 6 * MINUTE, 0, UNTIL_EVIDENCE, 50, 7);
	check_each(&ro->steps[1].each, 2 * HOUR, 0, UNTIL_PERSON, 50, 7);
	/* the min of all gives way to the max of this one */
	check_each(&ro->steps[2].each, 5 * MINUTE, 5 * MINUTE, UNTIL_EVIDENCE, 50, 7);
	CHECK_INT(ro->n_guards, 2);
	CHECK_STR(ro->guards[0].signal, "5xx");
	CHECK_STR(ro->guards[0].text, "http_5xx ratio > 5 % over 5m for 2m");
	CHECK_INT(ro->guards[0].limit_bp, 500);
	CHECK_STR(ro->guards[1].signal, "reset");
	CHECK_INT(ro->judge.mode, JUDGE_SHADOW);
	CHECK_INT(ro->judge.alpha_bp, 50);
	CHECK_INT(ro->judge.beta_bp, 200);
	CHECK_INT(ro->judge.margin_hundredths, 125);
	CHECK_INT(ro->judge.slo_bp, 25);
	CHECK_INT(ro->judge.quantile, 99);
	CHECK_INT(ro->on_inconclusive, INCONCLUSIVE_EXTEND);
	CHECK_INT(ro->on_conflict, CONFLICT_SUPERSEDE);
	CHECK_INT(ro->on_failure, FAILURE_BACK);
	CHECK_INT(ro->staging_ms, HOUR);
	CHECK_INT(ro->bake_ms, 0);
	CHECK_INT(ro->lease_ms, 5 * SECOND);
}

static void check_complete_rest(const struct cfg_rollout *ro)
{
	check_amount(ro->batch.max_parallel, 2, false);
	check_amount(ro->batch.max_surge, 25, true);
	check_amount(ro->batch.max_unavailable, 0, false);
	check_amount(ro->batch.min_available, 100, true);
	CHECK_STR(ro->hooks.argv[HOOK_START][1], "-v");
	CHECK_STR(ro->hooks.argv[HOOK_START][2], "");
	CHECK(!ro->hooks.argv[HOOK_START][3]);
	CHECK_STR(ro->hooks.argv[HOOK_GATE][0], "/bin/gate");
	CHECK_STR(ro->hooks.argv[HOOK_UPDATE][0], "/bin/update");
	CHECK_STR(ro->hooks.argv[HOOK_STOP][0], "/bin/stop");
	CHECK_STR(ro->hooks.user, "deploy");
	CHECK_INT(ro->hooks.timeout_ms, 90 * SECOND);
	CHECK_INT(ro->n_webhooks, 2);
	CHECK_STR(ro->webhooks[1], "http://10.0.0.9:80/");
}

TEST(complete)
{
	const struct cfg_rollout *ro;
	struct config *c = read_one(complete, &ro);

	if (!c)
		return;
	CHECK(c->services->signals_http && ro->set);
	check_complete(ro);
	check_complete_rest(ro);
	config_free(c);
}

/* ---- short forms, presets, what gives way ---- */

static const struct {
	const char *text;
	enum strategy strategy;
	const char *shares;
	enum until until;
	uint32_t min_ms, max_ms; /* of the first step */
	struct cfg_amount parallel, unavailable;
} rows[] = {
	{ROLLOUT("{steps: [10%]}"),
	 STRATEGY_CANARY,
	 "10 100",
	 UNTIL_EVIDENCE,
	 10 * MINUTE,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{steps: [100%], strategy: flip}"),
	 STRATEGY_FLIP,
	 "100",
	 UNTIL_EVIDENCE,
	 10 * MINUTE,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{each: {min: 2h}}"),
	 STRATEGY_CANARY,
	 "5 25 50 100",
	 UNTIL_EVIDENCE,
	 2 * HOUR,
	 4 * HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{each: {max: 1m}}"),
	 STRATEGY_CANARY,
	 "5 25 50 100",
	 UNTIL_EVIDENCE,
	 MINUTE,
	 MINUTE,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{each: {until: time, min: 30s}, steps: [{share: 1%}]}"),
	 STRATEGY_CANARY,
	 "1 100",
	 UNTIL_TIME,
	 30 * SECOND,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{each: {until: time}, steps: [{share: 1%, until: evidence, max: 20m}]}"),
	 STRATEGY_CANARY,
	 "1 100",
	 UNTIL_EVIDENCE,
	 10 * MINUTE,
	 20 * MINUTE,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{preset: AllAtOnce}"),
	 STRATEGY_FLIP,
	 "100",
	 UNTIL_EVIDENCE,
	 10 * MINUTE,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{preset: HalfAtATime}"),
	 STRATEGY_ROLLING,
	 "5 25 50 100",
	 UNTIL_TIME,
	 0,
	 HOUR,
	 {50, true},
	 {50, true}},
	{ROLLOUT("{preset: OneAtATime}"),
	 STRATEGY_ROLLING,
	 "5 25 50 100",
	 UNTIL_TIME,
	 0,
	 HOUR,
	 {1, false},
	 {1, false}},
	{ROLLOUT("{preset: Canary10Percent5Minutes}"),
	 STRATEGY_CANARY,
	 "10 100",
	 UNTIL_TIME,
	 5 * MINUTE,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{preset: Canary10Percent30Minutes}"),
	 STRATEGY_CANARY,
	 "10 100",
	 UNTIL_TIME,
	 30 * MINUTE,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{preset: Linear10PercentEvery1Minute}"),
	 STRATEGY_CANARY,
	 "10 20 30 40 50 60 70 80 90 100",
	 UNTIL_TIME,
	 MINUTE,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{each: {until: evidence}, steps: [20%], strategy: experiment, "
		 "preset: Canary10Percent5Minutes}"),
	 STRATEGY_EXPERIMENT,
	 "20 100",
	 UNTIL_EVIDENCE,
	 5 * MINUTE,
	 HOUR,
	 {50, true},
	 {1, false}},
	{ROLLOUT("{batch: {max_parallel: 3}, preset: HalfAtATime}"),
	 STRATEGY_ROLLING,
	 "5 25 50 100",
	 UNTIL_TIME,
	 0,
	 HOUR,
	 {3, false},
	 {50, true}},
};

TEST(what_gives_way)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct cfg_rollout *ro;
		struct config *c;

		ROW("%zu: %s", i, strstr(rows[i].text, "rollout: "));
		c = read_one(rows[i].text, &ro);
		CHECK_INT(ro->strategy, rows[i].strategy);
		CHECK_STR(shares(ro), rows[i].shares);
		check_each(&ro->steps[0].each, rows[i].min_ms, rows[i].max_ms, rows[i].until, 100,
			   0);
		check_amount(ro->batch.max_parallel, rows[i].parallel.value,
			     rows[i].parallel.percent);
		check_amount(ro->batch.max_unavailable, rows[i].unavailable.value,
			     rows[i].unavailable.percent);
		config_free(c);
	}
}

TEST(judge_in_a_word)
{
	static const char *const texts[] = {ROLLOUT("{judge: on}"), ROLLOUT("{judge: shadow}"),
					    ROLLOUT("{judge: off}")};

	for (unsigned i = 0; i < 3; i++) {
		const struct cfg_rollout *ro;
		struct config *c = read_one(texts[i], &ro);

		ROW("%u", i);
		CHECK_INT(ro->judge.mode, i);
		CHECK_INT(ro->judge.alpha_bp, 100);
		config_free(c);
	}
}

/* ---- differences ---- */

static const struct {
	const char *before, *after, *say;
} changed[] = {
	{ROLLOUT("{hooks: {stop: [/bin/s, a, b]}}"), ROLLOUT("{hooks: {stop: [/bin/s, b, a]}}"),
	 "web rollout hooks stop: [\"/bin/s\",\"a\",\"b\"] -> [\"/bin/s\",\"b\",\"a\"]"},
	{HEALTH("{type: exec, command: [/bin/c, x]}"),
	 HEALTH("{type: exec, command: [/bin/c, x, x]}"),
	 "web health command: [\"/bin/c\",\"x\"] -> [\"/bin/c\",\"x\",\"x\"]"},
	{ROLLOUT("{}"), ROLLOUT("{steps: [5%, 20%, 50%]}"),
	 "web rollout steps: removes 25%; web rollout steps: adds 20%"},
	{ROLLOUT("{guards: [reset > 1% over 5m]}"), ROLLOUT("{}"), "web rollout: removes guards"},
	{WEB(""), ROLLOUT("{}"), "web: adds rollout"},
	{WEB(""), HTTP, "web signals http: false -> true"},
};

static json_t *service_of(const char *text)
{
	struct config *c = parse(text);
	json_t *o = c ? service_to_json(c->services) : NULL;

	config_free(c);
	return o;
}

TEST(differences)
{
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
		json_t *before = service_of(changed[i].before),
		       *after = service_of(changed[i].after);
		json_t *said = json_array();
		char text[256] = "";
		size_t at = 0, k;
		json_t *one;

		ROW("%zu", i);
		json_differences("web", before, after, said);
		json_array_foreach(said, k, one)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", k ? "; " : "",
					       json_string_value(one));
		CHECK_STR(text, changed[i].say);
		json_decref(before);
		json_decref(after);
		json_decref(said);
	}
}

/* ---- refused ---- */

#define UP_TO_31                                                                                   \
	"1%, 2%, 3%, 4%, 5%, 6%, 7%, 8%, 9%, 10%, 11%, 12%, 13%, 14%, 15%, 16%, 17%, 18%, 19%, "   \
	"20%, 21%, 22%, 23%, 24%, 25%, 26%, 27%, 28%, 29%, 30%, 31%, "
#define AT_ROLLOUT(column) "6:" #column ": services.web.rollout"

static const struct bad_row refused_rows[] = {
	BAD(ROLLOUT("canary"), AT_ROLLOUT(14) ": 'canary': expected a mapping (key: value)"),
	BAD(ROLLOUT("{stratgy: canary}"),
	    AT_ROLLOUT(15) ".stratgy: unknown key; did you mean 'strategy'?"),
	BAD(ROLLOUT("{strategy: canery}"),
	    AT_ROLLOUT(25) ".strategy: 'canery': expected flip, canary, rolling or experiment; "
			   "did you mean 'canary'?"),
	BAD(ROLLOUT("{preset: OneAtTime}"),
	    AT_ROLLOUT(23) ".preset: 'OneAtTime': expected AllAtOnce, HalfAtATime, OneAtATime, "
			   "Canary10Percent5Minutes, Canary10Percent10Minutes, "
			   "Canary10Percent15Minutes, Canary10Percent30Minutes, "
			   "Linear10PercentEvery1Minute, Linear10PercentEvery2Minutes, "
			   "Linear10PercentEvery3Minutes or Linear10PercentEvery10Minutes; "
			   "did you mean 'OneAtATime'?"),
	BAD(ROLLOUT("{steps: 5%}"), AT_ROLLOUT(22) ".steps: '5%': expected a list of 1 to 32 steps "
						   "such as [5%, 25%]"),
	BAD(ROLLOUT("{steps: []}"), AT_ROLLOUT(22) ".steps: a list: expected a list of 1 to 32 "
						   "steps such as [5%, 25%]"),
	BAD(ROLLOUT("{steps: [5]}"),
	    AT_ROLLOUT(23) ".steps[0]: '5': expected a percentage from 0.01% to 100%"),
	BAD(ROLLOUT("{steps: [0%]}"),
	    AT_ROLLOUT(23) ".steps[0]: '0%': expected a percentage from 0.01% to 100%"),
	BAD(ROLLOUT("{steps: [25%, 25%]}"),
	    AT_ROLLOUT(28) ".steps[1]: '25%': expected more than the step before, 25%"),
	BAD(ROLLOUT("{steps: [25%, {share: 12.5%}]}"),
	    AT_ROLLOUT(36) ".steps[1].share: '12.5%': expected more than the step before, 25%"),
	BAD(ROLLOUT("{steps: [100%, 50%]}"),
	    AT_ROLLOUT(29) ".steps[1]: '50%': expected more than the step before, 100%"),
	BAD(ROLLOUT("{steps: [{min: 5m}]}"),
	    AT_ROLLOUT(23) ".steps[0]: 'share' is missing; expected a percentage such as 5%"),
	BAD(ROLLOUT("{steps: [{share: 100%, min: 5m}]}"),
	    AT_ROLLOUT(31) ".steps[0].share: '100%': expected no other key with 100%: that is "
			   "promoted and baked"),
	BAD(ROLLOUT("{steps: [" UP_TO_31 "32%]}"),
	    AT_ROLLOUT(22) ".steps: 32 steps; expected at most 31 before 100%"),
	BAD(ROLLOUT("{each: {min: 2h, max: 1h}}"),
	    AT_ROLLOUT(27) ".each.min: '2h': expected at most max, 1h"),
	BAD(ROLLOUT("{each: {min: 8d}}"),
	    AT_ROLLOUT(27) ".each.min: '8d': expected a duration from 0s to 7d"),
	BAD(ROLLOUT("{each: {until: never}}"),
	    AT_ROLLOUT(29) ".each.until: 'never': expected time, evidence, person or hook"),
	BAD(ROLLOUT("{each: {until: time, max: 1h}}"),
	    AT_ROLLOUT(35) ".each.max: does nothing with until: time; expected only with evidence"),
	BAD(ROLLOUT("{preset: Canary10Percent5Minutes, each: {sources: 9}}"),
	    AT_ROLLOUT(55) ".each.sources: does nothing with until: time; expected only with "
			   "evidence"),
	BAD(ROLLOUT("{steps: [{share: 5%, until: person, connections: 9}]}"),
	    AT_ROLLOUT(50) ".steps[0].connections: does nothing with until: person; expected only "
			   "with evidence"),
	BAD(ROLLOUT("{each: {until: hook}}"),
	    AT_ROLLOUT(29) ".each.until: 'hook': expected hooks: {gate: [...]}, the program that "
			   "lets it go on"),
	BAD(ROLLOUT("{steps: [1%, {share: 5%, until: hook}], hooks: {start: [/bin/s]}}"),
	    AT_ROLLOUT(46) ".steps[1].until: 'hook': expected hooks: {gate: [...]}, the program "
			   "that lets it go on"),
	BAD(ROLLOUT("{on_inconclusive: stop}"),
	    AT_ROLLOUT(32) ".on_inconclusive: 'stop': expected pause, extend, promote or abort"),
	BAD(ROLLOUT("{on_conflict: que}"),
	    AT_ROLLOUT(
		    28) ".on_conflict: 'que': expected reject, queue or supersede; did you mean 'queue'?"),
	BAD(ROLLOUT("{on_failure: abort}"),
	    AT_ROLLOUT(27) ".on_failure: 'abort': expected stop or back"),
	BAD(ROLLOUT("{bake: 10}"), AT_ROLLOUT(21) ".bake: '10': expected a duration from 0s to 7d"),
	BAD(ROLLOUT("{lease: 1s}"),
	    AT_ROLLOUT(22) ".lease: '1s': expected a duration from 5s to 1h"),
	BAD(ROLLOUT("{staging_timeout: 0s}"),
	    AT_ROLLOUT(32) ".staging_timeout: '0s': expected a duration from 1s to 1d"),
};

TEST(refused)
{
	check_bad(refused_rows, sizeof(refused_rows) / sizeof(refused_rows[0]));
}

#define SIGNAL_NAMES                                                                               \
	"expected a signal: refused, syn_timeout, reset, empty, 5xx, udp_silent, slow, external "  \
	"or http_5xx"

#define A_COUNTER                                                                                  \
	"a query of a counter with {pool} in it, such as sum(errors_total{pool=\"{pool}\"})"

static const struct bad_row evidence_rows[] = {
	BAD(ROLLOUT("{judge: shadw}"),
	    AT_ROLLOUT(22) ".judge: 'shadw': expected on, shadow or off; did you mean 'shadow'?"),
	BAD(ROLLOUT("{judge: {alpha: 0%}}"),
	    AT_ROLLOUT(30) ".judge.alpha: '0%': expected a percentage from 0.01% to 20%"),
	BAD(ROLLOUT("{judge: {beta: 1}}"),
	    AT_ROLLOUT(29) ".judge.beta: '1': expected a percentage from 0.01% to 20%"),
	BAD(ROLLOUT("{judge: {slo: 51%}}"),
	    AT_ROLLOUT(28) ".judge.slo: '51%': expected a percentage from 0% to 50%"),
	BAD(ROLLOUT("{judge: {margin: 1}}"),
	    AT_ROLLOUT(31) ".judge.margin: '1': expected a number from 1.2 to 100"),
	BAD(ROLLOUT("{judge: {margin: 2%}}"),
	    AT_ROLLOUT(31) ".judge.margin: '2%': expected a number from 1.2 to 100"),
	BAD(ROLLOUT("{judge: {margin: 2.000000000000000001}}"),
	    AT_ROLLOUT(31) ".judge.margin: '2.000000000000000001': expected a number from 1.2 to "
			   "100"),
	BAD(ROLLOUT("{judge: {quantile: 50}}"),
	    AT_ROLLOUT(33) ".judge.quantile: '50': expected 95 or 99"),
	BAD(ROLLOUT("{guards: reset}"), AT_ROLLOUT(23) ".guards: 'reset': expected a list of up to "
						       "8 guards such as [\"5xx > 5% over 5m for "
						       "2m\"]"),
	BAD(ROLLOUT("{guards: [reset]}"),
	    AT_ROLLOUT(24) ".guards[0]: 'reset': at its end: expected > and a percentage"),
	BAD(ROLLOUT("{guards: [\"resets > 5% over 5m\"]}"),
	    AT_ROLLOUT(24) ".guards[0]: 'resets': " SIGNAL_NAMES "; did you mean 'reset'?"),
	BAD(ROLLOUT("{guards: [reset > 5% over 5m, 5xx > 5% over 5m for 2m]}"),
	    AT_ROLLOUT(44) ".guards[1]: '5xx > 5% over 5m for 2m': expected signals: {http: true} "
			   "in this service, which counts it"),
	BAD(ROLLOUT("{guards: [\"reset > 5%\\tover 5m\"]}"),
	    AT_ROLLOUT(24) ".guards[0]: 'reset > 5%\\x09over 5m': expected a guard without control "
			   "characters"),
	BAD(ROLLOUT("{guards: [external > 5% over 5m]}"),
	    AT_ROLLOUT(24) ".guards[0]: 'external > 5% over 5m': expected 'prometheus' beside it, "
			   "which counts it"),
	BAD(WEB("    rollout: {guards: [reset > 5% over 5m]}\n    forward: local\n"),
	    AT_ROLLOUT(24) ".guards[0]: 'reset > 5% over 5m': expected only the signal external in "
			   "a forward mode that does not see the answers"),
	BAD(ROLLOUT("{prometheus: {url: \"http://p\", bad: \"b{pool}\"}}"),
	    AT_ROLLOUT(27) ".prometheus: 'n' is missing; expected " A_COUNTER),
	BAD(ROLLOUT("{prometheus: {url: \"p:9090\", bad: \"b{pool}\", n: \"n{pool}\"}}"),
	    AT_ROLLOUT(33) ".prometheus.url: 'p:9090': expected a URL such as "
			   "http://127.0.0.1:9090"),
	BAD(ROLLOUT("{prometheus: {url: \"http://p\", bad: b, n: \"n{pool}\"}}"),
	    AT_ROLLOUT(50) ".prometheus.bad: 'b': expected " A_COUNTER),
	BAD(ROLLOUT("{prometheus: {url: \"http://p\", bad: \"b{pool}\", n: n}}"),
	    AT_ROLLOUT(64) ".prometheus.n: 'n': expected " A_COUNTER),
	BAD(ROLLOUT("{prometheus: {url: \"http://p\", bad: \"rate(b{pool}[1m])\", n: \"n{pool}\"}}"),
	    AT_ROLLOUT(50) ".prometheus.bad: 'rate(b{pool}[1m])': expected " A_COUNTER),
	BAD(WEB("    signals: {htp: true}\n"),
	    "6:15: services.web.signals.htp: unknown key; did you mean 'http'?"),
	BAD(WEB("    signals: {http: on}\n"),
	    "6:21: services.web.signals.http: 'on': expected false or true"),
	BAD(WEB("    forward: local\n    signals: {http: true}\n"),
	    "7:15: services.web.signals.http: does nothing with forward: local; expected only with "
	    "nat or snat"),
};

TEST(refused_evidence)
{
	check_bad(evidence_rows, sizeof(evidence_rows) / sizeof(evidence_rows[0]));
}

static const struct bad_row batch_rows[] = {
	BAD(ROLLOUT("{batch: {maxParallel: 1}}"),
	    AT_ROLLOUT(23) ".batch.maxParallel: unknown key; did you mean 'max_parallel'?"),
	BAD(ROLLOUT("{batch: {max_parallel: 0}}"),
	    AT_ROLLOUT(37) ".batch.max_parallel: '0': expected a number of backends from 1, or a "
			   "whole percentage of them"),
	BAD(ROLLOUT("{batch: {max_surge: 101%}}"),
	    AT_ROLLOUT(34) ".batch.max_surge: '101%': expected a number of backends from 0, or a "
			   "whole percentage of them"),
	BAD(ROLLOUT("{batch: {min_available: 12.5%}}"),
	    AT_ROLLOUT(38) ".batch.min_available: '12.5%': expected a number of backends from 0, "
			   "or a whole percentage of them"),
	BAD(ROLLOUT("{batch: {max_unavailable: 0%}}"),
	    AT_ROLLOUT(22) ".batch: max_surge and max_unavailable are both 0; expected one of "
			   "them to let a backend be replaced"),
	BAD(ROLLOUT("{batch: {max_surge: 1, maxSurge: 1}}"),
	    AT_ROLLOUT(37) ".batch.maxSurge: is max_surge, which is given too"),
	BAD(ROLLOUT("{batch: {maxUnavailable: 1, max_unavailable: 1}}"),
	    AT_ROLLOUT(23) ".batch.maxUnavailable: is max_unavailable, which is given too"),
	BAD(ROLLOUT("{hooks: {start: /bin/start}}"),
	    AT_ROLLOUT(30) ".hooks.start: '/bin/start': expected a list of 1 to 64 words, the "
			   "program first; there is no shell"),
	BAD(ROLLOUT("{hooks: {gate: [gate]}}"),
	    AT_ROLLOUT(30) ".hooks.gate[0]: 'gate': expected the absolute path of a program"),
	BAD(ROLLOUT("{hooks: {updat: [/bin/u]}}"),
	    AT_ROLLOUT(23) ".hooks.updat: unknown key; did you mean 'update'?"),
	BAD(ROLLOUT("{hooks: {user: a/b}}"),
	    AT_ROLLOUT(29) ".hooks.user: 'a/b': expected a user name"),
	BAD(ROLLOUT("{hooks: {timeout: 100ms}}"),
	    AT_ROLLOUT(32) ".hooks.timeout: '100ms': expected a duration from 1s to 1d"),
	BAD(ROLLOUT("{notify: \"http://a\"}"),
	    AT_ROLLOUT(23) ".notify: 'http://a': expected a list of up to 4 URLs"),
	BAD(ROLLOUT("{notify: [\"http://a\", \"ftp://b\"]}"),
	    AT_ROLLOUT(36) ".notify[1]: 'ftp://b': expected a URL such as "
			   "https://hooks.example/deploys"),
	BAD(ROLLOUT("{notify: [\"https:///x\"]}"),
	    AT_ROLLOUT(24) ".notify[0]: 'https:///x': expected a URL such as "
			   "https://hooks.example/deploys"),
};

TEST(refused_batch_hooks_and_notify)
{
	check_bad(batch_rows, sizeof(batch_rows) / sizeof(batch_rows[0]));
}
