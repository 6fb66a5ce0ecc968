/* SPDX-License-Identifier: BSD-2-Clause */
/* drain, maint, ready, backend: single pools and backends. hold, unhold. */
#include <string.h>

#include "config.h"
#include "ctl.h"

/* The command's name is the admin state. */
int admin_run(struct ctl *ctl, char **words, int n)
{
	char error[ERROR_MAX];
	struct name name;

	(void)n;
	if (name_parse(&name, words[0], NAME_POOL, NAME_BACKEND, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	return change(ctl, ctl->cmd->path,
		      json_pack("{s:s,s:s,s:s?,s:s}", "service", name.service, "pool", name.pool,
				"backend", *name.backend ? name.backend : NULL, "state",
				ctl->cmd->name));
}

/* hold and unhold */
int hold_run(struct ctl *ctl, char **words, int n)
{
	char error[ERROR_MAX];
	struct name name;
	json_t *body;

	(void)n;
	if (name_parse(&name, words[0], NAME_SERVICE, NAME_SERVICE, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	body = json_pack("{s:s}", "service", name.service);
	if (ctl->opt.given & TAKES_HOLD_LIMIT)
		json_object_set_new(body, "limit_ms", json_integer(ctl->opt.hold_ms));
	if (ctl->opt.given & TAKES_HOLD_MAX)
		json_object_set_new(body, "max", json_integer(ctl->opt.hold_max));
	if (ctl->opt.given & TAKES_HOLD_THEN)
		json_object_set_new(body, "then", json_string(ctl->opt.hold_then));
	return change(ctl, ctl->cmd->path, body);
}

enum { WEIGHT_MAX = 1000, ACTIONS = 2 };

static int parse_weight(const struct ctl *ctl, const char *word, int *weight)
{
	char key[NAME_MAX_BYTES], error[ERROR_MAX];
	const char *value;
	int w = 0;

	if (pair_parse(word, key, &value, "weight=N", error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	if (strcmp(key, "weight"))
		return fail(ctl, EXIT_USAGE, "'%s': expected weight=N", word);
	for (const char *c = value; *c >= '0' && *c <= '9' && w <= WEIGHT_MAX; c++)
		w = w * 10 + *c - '0';
	if (strspn(value, "0123456789") != strlen(value) || w < 1 || w > WEIGHT_MAX)
		return fail(ctl, EXIT_USAGE, "weight: '%s': expected 1 to %d", value, WEIGHT_MAX);
	*weight = w;
	return 0;
}

static int check_action(const struct ctl *ctl, const char *word)
{
	static const char *const actions[ACTIONS] = {"add", "del"};
	const char *near;

	for (int i = 0; i < ACTIONS; i++)
		if (!strcmp(actions[i], word))
			return 0;
	near = nearest_word(word, actions, ACTIONS);
	return fail(ctl, EXIT_USAGE, "'%s': expected add or del%s%s", word,
		    near ? "; did you mean " : "", near ? near : "");
}

/* backend add|del SVC/POOL/ADDR [weight=N] */
int backend_run(struct ctl *ctl, char **words, int n)
{
	bool adds = !strcmp(words[0], "add");
	char error[ERROR_MAX];
	struct name name;
	json_t *body;
	int weight = 1, code = check_action(ctl, words[0]);

	if (code)
		return code;
	if (name_parse(&name, words[1], NAME_BACKEND, NAME_BACKEND, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	if (n > 2 && !adds)
		return fail(ctl, EXIT_USAGE, "'%s': del takes no weight", words[2]);
	if (n > 2 && parse_weight(ctl, words[2], &weight))
		return EXIT_USAGE;
	body = json_pack("{s:s,s:s,s:s,s:s}", "action", words[0], "service", name.service, "pool",
			 name.pool, "address", name.backend);
	if (adds)
		json_object_set_new(body, "weight", json_integer(weight));
	return change(ctl, ctl->cmd->path, body);
}
