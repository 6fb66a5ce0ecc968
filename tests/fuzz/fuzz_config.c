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

/* What came out obeys what the header promises. */
static void check_config(const struct config *c)
{
	must(c->n_interfaces && c->n_services);
	for (size_t i = 0; i < c->n_services; i++) {
		const struct cfg_service *s = &c->services[i];

		must(!i || strcmp(c->services[i - 1].name, s->name) < 0);
		must(s->n_listen && s->n_pools && s->live < s->n_pools && s->salt[0]);
		must(s->health.timeout_ms <= s->health.interval_ms && s->panic_percent <= 100);
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
