/* SPDX-License-Identifier: BSD-2-Clause */
/* flip, undo, set share, experiment: which pool gets the new flows. */
#include <string.h>

#include "config.h"
#include "ctl.h"

/* "shop=green" or "shop". */
static int add_target(const struct ctl *ctl, json_t *targets, const char *word)
{
	char service[NAME_MAX_BYTES], error[ERROR_MAX];
	const char *pool;

	if (target_parse(word, service, &pool, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	if (json_object_get(targets, service))
		return fail(ctl, EXIT_USAGE, "'%s': %s is named twice", word, service);
	json_object_set_new(targets, service, pool ? json_string(pool) : json_null());
	return 0;
}

int flip_run(struct ctl *ctl, char **words, int n)
{
	json_t *targets = json_object();
	int code = 0;

	for (int i = 0; i < n && !code; i++)
		code = add_target(ctl, targets, words[i]);
	if (code) {
		json_decref(targets);
		return code;
	}
	return change(ctl, ctl->cmd->path, json_pack("{s:o}", "targets", targets));
}

static int which(const struct ctl *ctl, const json_t *services)
{
	char names[256] = "";
	const json_t *service;
	size_t i;

	json_array_foreach(services, i, service) {
		size_t at = strlen(names);

		snprintf(names + at, sizeof(names) - at, "%s%s", i ? ", " : "",
			 field_text(service, "service"));
	}
	if (!i)
		return fail(ctl, EXIT_NOT_FOUND, "no services are configured");
	return fail(ctl, EXIT_USAGE, "which service? there are %s", names);
}

/* Without a name there must be only one service. */
static int undo_only(struct ctl *ctl)
{
	json_t *state = NULL, *services;
	int code = fetch(ctl, "/v1/state", &state);

	if (code)
		return code;
	services = json_object_get(state, "services");
	if (json_array_size(services) == 1)
		code = change(ctl, ctl->cmd->path,
			      json_pack("{s:s}", "service",
					field_text(json_array_get(services, 0), "service")));
	else
		code = which(ctl, services);
	json_decref(state);
	return code;
}

int undo_run(struct ctl *ctl, char **words, int n)
{
	char error[ERROR_MAX];
	struct name name;

	if (!n)
		return undo_only(ctl);
	if (name_parse(&name, words[0], NAME_SERVICE, NAME_SERVICE, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	return change(ctl, ctl->cmd->path, json_pack("{s:s}", "service", name.service));
}

static int add_share(const struct ctl *ctl, json_t *shares, const char *word)
{
	char pool[NAME_MAX_BYTES], error[ERROR_MAX];
	const char *percent;
	uint16_t bp;

	if (pair_parse(word, pool, &percent, "POOL=PERCENT, like green=5%", error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	if (parse_percent_bp(percent, &bp))
		return fail(ctl, EXIT_USAGE,
			    "'%s': '%s': expected 0%% to 100%% in steps of 0.01%%, with "
			    "the %% sign",
			    word, percent);
	if (json_object_get(shares, pool))
		return fail(ctl, EXIT_USAGE, "'%s': %s is named twice", word, pool);
	json_object_set_new(shares, pool, json_real(bp / 100.0));
	return 0;
}

/* SVC POOL=PERCENT... */
static int change_shares(struct ctl *ctl, char **words, int n)
{
	char error[ERROR_MAX];
	struct name name;
	json_t *shares;
	int code = 0;

	if (name_parse(&name, words[0], NAME_SERVICE, NAME_SERVICE, error))
		return fail(ctl, EXIT_USAGE, "%s", error);
	shares = json_object();
	for (int i = 1; i < n && !code; i++)
		code = add_share(ctl, shares, words[i]);
	if (code) {
		json_decref(shares);
		return code;
	}
	return change(ctl, ctl->cmd->path,
		      json_pack("{s:s,s:o}", "service", name.service, "shares", shares));
}

/* set share SVC POOL=PERCENT... */
int set_run(struct ctl *ctl, char **words, int n)
{
	if (strcmp(words[0], "share"))
		return fail(ctl, EXIT_USAGE, "'%s': expected share: set share SVC POOL=PERCENT...",
			    words[0]);
	return change_shares(ctl, words + 1, n - 1);
}

int experiment_run(struct ctl *ctl, char **words, int n)
{
	return change_shares(ctl, words, n);
}
