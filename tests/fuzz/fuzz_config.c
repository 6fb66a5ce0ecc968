/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes: the parser gives a configuration or exactly one line that says where and why. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_error(const char *error)
{
	must(error != NULL);
	must(!strncmp(error, "zdd.yaml:", 9));
	for (const char *s = error; *s; s++)
		must((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void check_rollout(const struct cfg_rollout *ro)
{
	must(ro->n_steps && ro->n_steps <= ROLLOUT_STEPS && ro->n_guards <= ROLLOUT_GUARDS);
	must(ro->steps[ro->n_steps - 1].share == 10000 && ro->steps[0].share);
	for (unsigned i = 0; i < ro->n_steps; i++) {
		const struct cfg_each *e = &ro->steps[i].each;

		must(!i || ro->steps[i - 1].share < ro->steps[i].share);
		must(!e->max_ms || e->min_ms <= e->max_ms);
		must(e->until != UNTIL_HOOK || ro->hooks.argv[HOOK_GATE]);
	}
	for (unsigned i = 0; i < ro->n_guards; i++)
		must(ro->guards[i].over_ms && ro->guards[i].signal[0]);
	for (unsigned i = 0; i < ro->n_webhooks; i++)
		must(ro->webhooks[i] != NULL);
	must(ro->judge.alpha_bp && ro->judge.beta_bp && ro->judge.margin_hundredths > 100);
	must(ro->batch.max_surge.value || ro->batch.max_unavailable.value);
	must(!ro->prometheus.url || (ro->prometheus.bad && ro->prometheus.n));
}

/* What came out obeys what the header promises. */
static void check_config(const struct config *c)
{
	must(c->n_interfaces && c->n_services);
	for (size_t i = 0; i < c->n_services; i++) {
		const struct cfg_service *s = &c->services[i];

		must(!i || strcmp(c->services[i - 1].name, s->name) < 0);
		must(s->n_listen && s->n_pools && s->live < s->n_pools && s->salt[0]);
		must(s->health.timeout_ms <= s->health.interval_ms && s->panic_percent <= 100);
		check_rollout(&s->rollout);
		for (size_t j = 0; j < s->n_cohorts; j++)
			must(s->cohorts[j].pool < s->n_pools && s->cohorts[j].text);
		for (size_t j = 0; j < s->n_listen; j++)
			must(s->listen[j].port && s->listen[j].text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	char *error = NULL;
	int err = config_parse("zdd.yaml", (const char *)data, size, &config, &error);

	if (err) {
		must(err == -EINVAL && !config);
		check_error(error);
	} else {
		must(!error);
		check_config(config);
	}
	free(error);
	config_free(config);
	return 0;
}
