/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web.h"
#include "webhooks.h"

enum { QUEUED = 64, TRIES = 3, TIMEOUT_MS = 5000, BACK_OFF_MS = 1000, WHO = 300 };

struct message {
	struct message *next; /* in order of posting */
	struct webhooks *all;
	char *url, *body;
	struct web_transfer transfer;
	uv_timer_t back_off;
	bool begun;
	unsigned tries;
	char error[CURL_ERROR_SIZE];
};

struct webhooks {
	uv_loop_t *loop;
	struct web *web;
	struct curl_slist *headers;
	webhook_lost_fn *lost;
	void *context;
	struct message *first;
};

/* ---- one message ---- */

static void message_free(struct message *m)
{
	free(m->url);
	free(m->body);
	free(m);
}

static void timer_closed(uv_handle_t *timer)
{
	message_free(timer->data);
}

static void message_end(struct message *m)
{
	struct message **at = &m->all->first;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	web_end(&m->transfer);
	uv_close((uv_handle_t *)&m->back_off, timer_closed);
}

/* "https://host:port" */
static void who_of(const char *url, char *who)
{
	const char *host = strstr(url, "://"), *at;
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/?#");
	at = memrchr(host, '@', n); /* behind a name and a password */
	at = at ? at + 1 : host;
	snprintf(who, WHO, "%.*s%.*s", (int)(host - url), url, (int)(host + n - at), at);
}

static void say_lost(struct webhooks *all, const char *url, const char *why)
{
	char who[WHO];

	who_of(url, who);
	all->lost(all->context, who, why);
}

static void begin(struct message *m);

/* The next one to each URL that waits for no other. */
static void kick(struct webhooks *all)
{
	for (struct message *m = all->first; m; m = m->next) {
		const struct message *before = all->first;

		while (before != m && strcmp(before->url, m->url))
			before = before->next;
		if (before == m && !m->begun)
			begin(m);
	}
}

static void back_off_over(uv_timer_t *timer)
{
	begin(timer->data);
}

/* Who refuses what we say (4xx) will refuse it again, but for "too many". */
static bool is_hopeless(CURLcode code, long status)
{
	return !code && status >= 400 && status < 500 && status != 408 && status != 429;
}

static void over(struct web_transfer *transfer, CURLcode code)
{
	struct message *m = transfer->context;
	struct webhooks *all = m->all;
	char why[CURL_ERROR_SIZE];
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	web_end(transfer);
	if (code)
		snprintf(why, sizeof(why), "%s", *m->error ? m->error : curl_easy_strerror(code));
	else
		snprintf(why, sizeof(why), "status %ld", status);
	if (code || status < 200 || status > 299) {
		if (++m->tries < TRIES && !is_hopeless(code, status)) {
			uv_timer_start(&m->back_off, back_off_over,
				       (uint64_t)BACK_OFF_MS << 2 * (m->tries - 1), 0);
			return;
		}
		say_lost(all, m->url, why);
	}
	message_end(m);
	kick(all);
}

static size_t ignore(char *bytes, size_t size, size_t n, void *context)
{
	(void)bytes;
	(void)context;
	return size * n;
}

static void set_options(struct message *m)
{
	CURL *easy = m->transfer.easy;

	curl_easy_setopt(easy, CURLOPT_URL, m->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, m->body);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, m->all->headers);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "zdd");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, m->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	/* the end of a transfer does not wait for a name server that is silent */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void begin(struct message *m)
{
	m->begun = true;
	m->error[0] = '\0';
	if (web_make_transfer(m->all->web, &m->transfer, over, m)) {
		m->begun = false; /* with the next message */
		return;
	}
	set_options(m);
	web_begin(&m->transfer);
}

/* ---- all ---- */

static struct message *message_make(struct webhooks *all, const char *url, const json_t *body)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->all = all;
	m->url = strdup(url);
	m->body = json_dumps(body, JSON_COMPACT);
	if (m->url && m->body)
		return m;
	message_free(m);
	return NULL;
}

void webhooks_post(struct webhooks *all, const char *url, const json_t *body)
{
	struct message **end = &all->first, *m;
	size_t n = 0;

	for (; *end; end = &(*end)->next)
		n++;
	m = n < QUEUED ? message_make(all, url, body) : NULL;
	if (!m) {
		say_lost(all, url, n < QUEUED ? "out of memory" : "too many wait already");
		return;
	}
	*end = m;
	uv_timer_init(all->loop, &m->back_off);
	m->back_off.data = m;
	kick(all);
}

struct webhooks *webhooks_make(uv_loop_t *loop, webhook_lost_fn *lost, void *context)
{
	struct webhooks *all = calloc(1, sizeof(*all));

	if (!all)
		return NULL;
	*all = (struct webhooks){.loop = loop, .lost = lost, .context = context};
	all->web = web_make(loop);
	all->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (all->web && all->headers)
		return all;
	webhooks_free(all);
	return NULL;
}

void webhooks_free(struct webhooks *all)
{
	if (!all)
		return;
	while (all->first)
		message_end(all->first);
	web_free(all->web);
	curl_slist_free_all(all->headers);
	free(all);
}
