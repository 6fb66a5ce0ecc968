/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells web servers of what happened: a POST of JSON, tried three times, then given up. Never waited
 * for. What goes to one URL goes in order, one at a time. */
#ifndef ZDD_WEBHOOKS_H
#define ZDD_WEBHOOKS_H

#include <jansson.h>
#include <uv.h>

struct webhooks;

/* Called once for a message that was given up. who: scheme and host alone, since the rest of a URL
 * may be a secret. */
typedef void webhook_lost_fn(void *context, const char *who, const char *why);

/* NULL when memory is out. */
struct webhooks *webhooks_make(uv_loop_t *, webhook_lost_fn *, void *context);
/* What is on its way is lost, without a word. NULL is fine. */
void webhooks_free(struct webhooks *);
/* Copies both. Is lost at once when 64 wait already. */
void webhooks_post(struct webhooks *, const char *url, const json_t *body);

#endif
