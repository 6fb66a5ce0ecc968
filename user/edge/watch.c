/* SPDX-License-Identifier: BSD-2-Clause */
/* /v1/events: what is there, or, with wait_ms, what comes. */
#include <stdlib.h>

#include "control.h"
#include "daemon.h"

enum { WAIT_MAX_MS = 60000 };

struct watcher {
	struct watcher *next;
	struct daemon *daemon;
	struct request *request;
	int64_t after;
	uv_timer_t timer;
};

static struct watcher *watchers;

static void watcher_free(uv_handle_t *handle)
{
	free(handle->data);
}

static void answer_events(struct daemon *d, struct request *r, int64_t after)
{
	request_answer(r, 200,
		       json_pack("{s:o, s:I}", "events", journal_events(d->journal, after), "last",
				 (json_int_t)journal_last_event(d->journal)));
}

static void watcher_end(struct watcher *w)
{
	struct watcher **at = &watchers;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
	answer_events(w->daemon, w->request, w->after);
	uv_timer_stop(&w->timer);
	uv_close((uv_handle_t *)&w->timer, watcher_free);
}

static void patience_over(uv_timer_t *timer)
{
	watcher_end(timer->data);
}

static void news(void *context)
{
	control_release_watchers(context);
}

void control_release_watchers(struct daemon *d)
{
	(void)d;
	while (watchers)
		watcher_end(watchers);
}

static int64_t number(struct request *r, const char *name)
{
	const char *text = request_query(r, name);

	return text ? strtoll(text, NULL, 10) : 0;
}

void show_events(struct daemon *d, struct request *r, const char *service)
{
	int64_t after = number(r, "after"), wait_ms = number(r, "wait_ms");
	struct watcher *w;

	(void)service;
	w = wait_ms > 0 && journal_last_event(d->journal) <= after ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		answer_events(d, r, after);
		return;
	}
	w->daemon = d;
	w->request = r;
	w->after = after;
	w->next = watchers;
	watchers = w;
	uv_timer_init(d->loop, &w->timer);
	w->timer.data = w;
	uv_timer_start(&w->timer, patience_over,
		       (uint64_t)(wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : wait_ms), 0);
	journal_watch(d->journal, news, d);
}
