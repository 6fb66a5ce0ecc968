/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "web.h"

struct web {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
};

struct web_socket {
	uv_poll_t poll;
	struct web *web;
	curl_socket_t fd;
};

static void finish_all(struct web *web)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(web->multi, &left))) {
		struct web_transfer *t = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		t->over(t, code);
	}
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct web_socket *s = poll->data;
	struct web *web = s->web;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(web->multi, s->fd, flags, &running);
	finish_all(web);
}

static void on_timer(uv_timer_t *timer)
{
	struct web *web = timer->data;
	int running;

	curl_multi_socket_action(web->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all(web);
}

static int want_timer(CURLM *multi, long ms, void *context)
{
	struct web *web = context;

	(void)multi;
	if (ms < 0)
		uv_timer_stop(&web->timer);
	else
		uv_timer_start(&web->timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

static void socket_free(uv_handle_t *handle)
{
	free(handle->data);
}

static struct web_socket *socket_make(struct web *web, curl_socket_t fd)
{
	struct web_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->web = web;
	s->fd = fd;
	s->poll.data = s;
	uv_poll_init_socket(web->loop, &s->poll, fd);
	curl_multi_assign(web->multi, fd, s);
	return s;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
	struct web *web = context;
	struct web_socket *s = assigned;
	int events =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(web->multi, fd, NULL);
		if (s) {
			uv_poll_stop(&s->poll);
			uv_close((uv_handle_t *)&s->poll, socket_free);
		}
		return 0;
	}
	if (!s)
		s = socket_make(web, fd);
	if (s)
		uv_poll_start(&s->poll, events, on_socket);
	return 0;
}

struct web *web_make(uv_loop_t *loop)
{
	struct web *web = calloc(1, sizeof(*web));

	if (!web)
		return NULL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	web->loop = loop;
	web->multi = curl_multi_init();
	uv_timer_init(loop, &web->timer);
	web->timer.data = web;
	curl_multi_setopt(web->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(web->multi, CURLMOPT_SOCKETDATA, web);
	curl_multi_setopt(web->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(web->multi, CURLMOPT_TIMERDATA, web);
	return web;
}

static void timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void web_free(struct web *web)
{
	if (!web)
		return;
	curl_multi_cleanup(web->multi);
	uv_close((uv_handle_t *)&web->timer, timer_closed);
}

/* ---- transfers ---- */

int web_make_transfer(struct web *web, struct web_transfer *t,
		      void (*over)(struct web_transfer *, CURLcode), void *context)
{
	*t = (struct web_transfer){curl_easy_init(), web, over, context};
	if (!t->easy)
		return -ENOMEM;
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	return 0;
}

void web_begin(struct web_transfer *t)
{
	curl_multi_add_handle(t->web->multi, t->easy);
}

void web_end(struct web_transfer *t)
{
	if (!t->easy)
		return;
	curl_multi_remove_handle(t->web->multi, t->easy);
	curl_easy_cleanup(t->easy);
	t->easy = NULL;
}
