/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration as JSON, in the words of the file: what `save` writes, what `backend add` edits
 * and what a diff compares. config_parse reads it back to the same configuration. */
#ifndef ZDD_CONFIG_JSON_H
#define ZDD_CONFIG_JSON_H

#include <jansson.h>

#include "config.h"

enum { SHOW_PRECISION = 10 }; /* JSON_REAL_PRECISION that shows 33.33 as 33.33 */
#define SHOW_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(SHOW_PRECISION))

/* New references, NULL when memory is out. */
json_t *config_to_json(const struct config *);
json_t *service_to_json(const struct cfg_service *);
json_t *rollout_config_to_json(const struct cfg_rollout *);
json_t *json_duration(uint32_t ms);
json_t *json_words(char *const *argv);

/* Appends one sentence per difference to list, each beginning with the place ("shop/green: ...").
 * before and after are service_to_json() or parts of it. Returns how many. */
size_t json_differences(const char *place, const json_t *before, const json_t *after, json_t *list);

/* What backends and people say may be cut in the middle of a character, or be no UTF-8 at all: such
 * bytes become '?'. New reference. */
json_t *json_sound(const char *text);
/* Appends a formatted sentence. */
void json_say(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
