/* SPDX-License-Identifier: BSD-2-Clause */
/* canary, roll, deploy: they begin a rollout. promote, pause, resume, abort, lock, unlock. */
#include <string.h>

#include "config.h"
#include "config_rollout.h"
#include "ctl.h"

/* "5" or "5%" as percent; 0 or -1. */
static int percent_of(const char *text, size_t len, json_t **out)
{
	char word[16];
	uint16_t bp;

	if (!len || len + 1 >= sizeof(word))
		return -1;
	memcpy(word, text, len);
	strcpy(word + len, word[len - 1] == '%' ? "" : "%");
	if (parse_percent_bp(word, &bp))
		return -1;
	*out = json_real(bp / 100.0);
	return 0;
}

/* "5,25%,50,100"; which rows of steps make sense is the daemon's to say. */
static int steps_of(const struct ctl *ctl, const char *text, json_t *steps)
{
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		json_t *step = NULL;

		if (percent_of(at, len, &step))
			return fail(ctl, EXIT_USAGE,
				    "--steps: '%.*s': expected 0 to 100 percent in steps of 0.01, "
				    "like 5,25,50,100",
				    (int)len, at);
		json_array_append_new(steps, step);
		at += len;
		if (!*at)
			return 0;
	}
}

static int check_until(const struct ctl *ctl, const char *word)
{
	const char *near;
	size_t n = 0;

	for (; until_words[n]; n++)
		if (!strcmp(until_words[n], word))
			return 0;
	near = nearest_word(word, until_words, n);
	return fail(ctl, EXIT_USAGE,
		    "--step-until: '%s': expected time, evidence, person or hook%s%s", word,
		    near ? "; did you mean " : "", near ? near : "");
}

static int add_steps(const struct ctl *ctl, json_t *body)
{
	const struct options *opt = &ctl->opt;
	json_t *steps;
	int code = opt->step_until ? check_until(ctl, opt->step_until) : 0;

	if (code)
		return code;
	if (opt->step_until)
		json_object_set_new(body, "until", json_string(opt->step_until));
	if (opt->given & TAKES_EACH)
		json_object_set_new(body, "each_ms", json_integer(opt->each_ms));
	if (!opt->steps)
		return 0;
	steps = json_array();
	json_object_set_new(body, "steps", steps);
	return steps_of(ctl, opt->steps, steps);
}

/* SVC[=POOL] */
static int begin(struct ctl *ctl, const char *word, int (*add)(const struct ctl *, json_t *body))
{
	char service[NAME_MAX_BYTES], error[ERROR_MAX];
	const char *pool;
	json_t *body;
	int code;

	if (target_parse(word, service, &pool, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	body = json_pack("{s:s,s:s*}", "service", service, "pool", pool);
	code = add ? add(ctl, body) : 0;
	if (!code)
		return change(ctl, ctl->cmd->path, body);
	json_decref(body);
	return code;
}

int canary_run(struct ctl *ctl, char **words, int n)
{
	(void)n;
	return begin(ctl, words[0], add_steps);
}

/* Without a pool: in place, in the one that is live. */
int roll_run(struct ctl *ctl, char **words, int n)
{
	(void)n;
	return begin(ctl, words[0], NULL);
}

/* ":8081" and "8081" are that port where the live pool is. */
static bool is_address(const char *text)
{
	const char *port = text + (*text == ':');
	struct zdd_addr addr;
	uint16_t full_port;
	uint32_t n;

	return !parse_endpoint(text, &addr, &full_port) ||
	       (!parse_uint(port, strlen(port), UINT16_MAX, &n) && n);
}

static int add_address(const struct ctl *ctl, json_t *addresses, const char *text, size_t len)
{
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	if (len >= sizeof(word) || !is_address(word))
		return fail(ctl, EXIT_USAGE,
			    "'%.*s' is no address, expected like :8081, 10.0.0.1:80 or "
			    "[fd00::1]:80",
			    (int)len, text);
	json_array_append_new(addresses, json_string(word));
	return 0;
}

/* deploy SVC=ADDR[,ADDR...] */
int deploy_run(struct ctl *ctl, char **words, int n)
{
	char service[NAME_MAX_BYTES], error[ERROR_MAX];
	const char *list;
	json_t *addresses;
	int code = 0;

	(void)n;
	if (pair_parse(words[0], service, &list, "SVC=ADDR[,ADDR...], like shop=:8081", error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	addresses = json_array();
	for (bool more = true; more && !code;) {
		size_t len = strcspn(list, ",");

		code = add_address(ctl, addresses, list, len);
		more = list[len];
		list += len + more;
	}
	if (!code)
		return change(ctl, ctl->cmd->path,
			      json_pack("{s:s,s:o}", "service", service, "addresses", addresses));
	json_decref(addresses);
	return code;
}

/* What is said to a rollout that is there, or about the service as a whole. */
int steer_run(struct ctl *ctl, char **words, int n)
{
	char error[ERROR_MAX];
	struct name name;

	(void)n;
	if (name_parse(&name, words[0], NAME_SERVICE, NAME_SERVICE, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	return change(ctl, ctl->cmd->path, json_pack("{s:s}", "service", name.service));
}
