/* SPDX-License-Identifier: BSD-2-Clause */
/* http and https: a fresh connection per question, status in range, text found. libcurl's multi
 * interface on the loop, see curl_multi_socket_action(3). */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "probe.h"

enum { BODY_MAX = 64 * 1024 };

struct http_asker {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
};

struct http_attempt {
	struct http_asker *asker;
	struct probe *probe;
	CURL *easy;
	struct curl_slist *route;
	char error[CURL_ERROR_SIZE];
	char *body;
	size_t len;
};

struct http_socket {
	uv_poll_t poll;
	struct http_asker *asker;
	curl_socket_t fd;
};

/* ---- one attempt ---- */

static void attempt_free(struct http_attempt *a)
{
	if (a->easy) {
		curl_multi_remove_handle(a->asker->multi, a->easy);
		curl_easy_cleanup(a->easy);
	}
	curl_slist_free_all(a->route);
	free(a->body);
	free(a);
}

static void http_cancel(struct probe *p)
{
	attempt_free(p->attempt);
}

/* More than BODY_MAX is not read: the transfer ends there, which is no failure. */
static size_t take_body(char *bytes, size_t size, size_t n, void *context)
{
	struct http_attempt *a = context;
	size_t len = size * n;
	char *more;

	if (a->len + len > BODY_MAX)
		return 0;
	more = realloc(a->body, a->len + len + 1);
	if (!more)
		return 0;
	memcpy(more + a->len, bytes, len);
	a->body = more;
	a->len += len;
	more[a->len] = '\0';
	return len;
}

static bool judge(const struct http_attempt *a, CURLcode code, char *error, size_t size)
{
	const struct cfg_health *h = &a->probe->service->cfg->health;
	long status = 0;

	curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code && !(code == CURLE_WRITE_ERROR && status))
		snprintf(error, size, "%.90s", a->error[0] ? a->error : curl_easy_strerror(code));
	else if (status < h->expect_low || status > h->expect_high)
		snprintf(error, size, "status %ld, expected %u-%u", status, h->expect_low,
			 h->expect_high);
	else if (h->body && !(a->body && memmem(a->body, a->len, h->body, strlen(h->body))))
		snprintf(error, size, "status %ld, but the expected text is not in the body",
			 status);
	else
		return true;
	return false;
}

static void attempt_over(struct http_attempt *a, CURLcode code)
{
	struct probe *p = a->probe;
	char error[96] = "";
	bool ok = judge(a, code, error, sizeof(error));

	attempt_free(a);
	probe_done(p, ok, error);
}

/* The URL names the host as configured; the connection goes to the backend whatever it is. */
static void set_target(struct http_attempt *a)
{
	const struct cfg_health *h = &a->probe->service->cfg->health;
	const struct cfg_backend *b = a->probe->backend->cfg;
	const char *scheme = h->type == HEALTH_HTTPS ? "https" : "http";
	uint16_t port = h->port ? h->port : b->port;
	char endpoint[ENDPOINT_TEXT], url[1400], route[400];

	format_endpoint(endpoint, sizeof(endpoint), &b->addr, port);
	if (h->host) {
		snprintf(url, sizeof(url), "%s://%.255s%s", scheme, h->host, h->path);
		snprintf(route, sizeof(route), "::%s", endpoint);
		a->route = curl_slist_append(NULL, route);
		curl_easy_setopt(a->easy, CURLOPT_CONNECT_TO, a->route);
	} else {
		snprintf(url, sizeof(url), "%s://%s%s", scheme, endpoint, h->path);
	}
	curl_easy_setopt(a->easy, CURLOPT_URL, url);
}

static void set_options(struct http_attempt *a)
{
	const struct cfg_health *h = &a->probe->service->cfg->health;
	bool head = !strcmp(h->method, "HEAD");

	curl_easy_setopt(a->easy, CURLOPT_PRIVATE, a);
	curl_easy_setopt(a->easy, CURLOPT_ERRORBUFFER, a->error);
	curl_easy_setopt(a->easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(a->easy, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(a->easy, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms);
	curl_easy_setopt(a->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(a->easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(a->easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(a->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(a->easy, CURLOPT_USERAGENT, "zdd");
	curl_easy_setopt(a->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(a->easy, CURLOPT_SSL_VERIFYPEER, h->tls_verify ? 1L : 0L);
	curl_easy_setopt(a->easy, CURLOPT_SSL_VERIFYHOST, h->tls_verify ? 2L : 0L);
	if (head)
		curl_easy_setopt(a->easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(a->easy, CURLOPT_CUSTOMREQUEST, h->method);
	set_target(a);
}

void probe_http(struct probe *p, struct http_asker *asker)
{
	struct http_attempt *a = calloc(1, sizeof(*a));

	if (a)
		a->easy = curl_easy_init();
	if (!a || !a->easy) {
		free(a);
		probe_done(p, false, "out of memory");
		return;
	}
	a->asker = asker;
	a->probe = p;
	p->attempt = a;
	p->cancel = http_cancel;
	set_options(a);
	curl_multi_add_handle(asker->multi, a->easy);
}

/* ---- libcurl on the loop ---- */

static void finish_all(struct http_asker *asker)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(asker->multi, &left))) {
		struct http_attempt *a = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&a);
		attempt_over(a, code);
	}
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct http_socket *s = poll->data;
	struct http_asker *asker = s->asker;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;

	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(asker->multi, s->fd, flags, &running);
	finish_all(asker);
}

static void on_timer(uv_timer_t *timer)
{
	struct http_asker *asker = timer->data;
	int running;

	curl_multi_socket_action(asker->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_all(asker);
}

static int want_timer(CURLM *multi, long ms, void *context)
{
	struct http_asker *asker = context;

	(void)multi;
	if (ms < 0)
		uv_timer_stop(&asker->timer);
	else
		uv_timer_start(&asker->timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

static void socket_free(uv_handle_t *handle)
{
	free(handle->data);
}

static struct http_socket *socket_make(struct http_asker *asker, curl_socket_t fd)
{
	struct http_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->asker = asker;
	s->fd = fd;
	s->poll.data = s;
	uv_poll_init_socket(asker->loop, &s->poll, fd);
	curl_multi_assign(asker->multi, fd, s);
	return s;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
	struct http_asker *asker = context;
	struct http_socket *s = assigned;
	int events =
		(what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(asker->multi, fd, NULL);
		if (s) {
			uv_poll_stop(&s->poll);
			uv_close((uv_handle_t *)&s->poll, socket_free);
		}
		return 0;
	}
	if (!s)
		s = socket_make(asker, fd);
	if (s)
		uv_poll_start(&s->poll, events, on_socket);
	return 0;
}

struct http_asker *http_asker_make(uv_loop_t *loop)
{
	struct http_asker *asker = calloc(1, sizeof(*asker));

	if (!asker)
		return NULL;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	asker->loop = loop;
	asker->multi = curl_multi_init();
	uv_timer_init(loop, &asker->timer);
	asker->timer.data = asker;
	curl_multi_setopt(asker->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(asker->multi, CURLMOPT_SOCKETDATA, asker);
	curl_multi_setopt(asker->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(asker->multi, CURLMOPT_TIMERDATA, asker);
	return asker;
}

static void asker_free(uv_handle_t *handle)
{
	free(handle->data);
}

void http_asker_free(struct http_asker *asker)
{
	curl_multi_cleanup(asker->multi);
	uv_close((uv_handle_t *)&asker->timer, asker_free);
}
