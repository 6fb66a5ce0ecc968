/* SPDX-License-Identifier: BSD-2-Clause */
/* http and https: a fresh connection per question, status in range, text found. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "probe.h"
#include "web.h"

enum { BODY_MAX = 64 * 1024 };

struct http_attempt {
	struct web_transfer transfer;
	struct probe *probe;
	struct curl_slist *route;
	char error[CURL_ERROR_SIZE];
	char *body;
	size_t len;
};

/* ---- one attempt ---- */

static void attempt_free(struct http_attempt *a)
{
	web_end(&a->transfer);
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

	curl_easy_getinfo(a->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
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

static void attempt_over(struct web_transfer *transfer, CURLcode code)
{
	struct http_attempt *a = transfer->context;
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
		curl_easy_setopt(a->transfer.easy, CURLOPT_CONNECT_TO, a->route);
	} else {
		snprintf(url, sizeof(url), "%s://%s%s", scheme, endpoint, h->path);
	}
	curl_easy_setopt(a->transfer.easy, CURLOPT_URL, url);
}

static void set_options(struct http_attempt *a)
{
	const struct cfg_health *h = &a->probe->service->cfg->health;
	bool head = !strcmp(h->method, "HEAD");
	CURL *easy = a->transfer.easy;

	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, a->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)h->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "zdd");
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, h->tls_verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, h->tls_verify ? 2L : 0L);
	if (head)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, h->method);
	set_target(a);
}

void probe_http(struct probe *p, struct web *web)
{
	struct http_attempt *a = calloc(1, sizeof(*a));

	if (!a || web_make_transfer(web, &a->transfer, attempt_over, a)) {
		free(a);
		probe_done(p, false, "out of memory");
		return;
	}
	a->probe = p;
	p->attempt = a;
	p->cancel = http_cancel;
	set_options(a);
	web_begin(&a->transfer);
}
