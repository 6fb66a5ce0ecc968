/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "external.h"
#include "prometheus.h"
#include "web.h"

enum { TIMEOUT_MS = 5000, ANSWER = 16384, WHY = CURL_ERROR_SIZE + PROMETHEUS_ERROR + 32 };

enum what { BAD, N, WHATS };

/* One counter of one pool. */
struct counter {
	struct external *external;
	struct web_transfer transfer;
	char *query; /* as it stands in a URL */
	char answer[ANSWER];
	size_t len;
	uint64_t value, last;
	char error[CURL_ERROR_SIZE];
};

struct external {
	struct daemon *daemon;
	struct web *web;
	uv_timer_t timer;
	char service[ZDD_NAME_MAX], *url;
	struct counter counters[SIDES][WHATS];
	unsigned waiting; /* for so many answers */
	bool known;       /* `last` is */
	bool failing;     /* has been told */
	char why[WHY];    /* this time's first error; "": none */
	struct judge_counts come;
};

/* ---- what came ---- */

static void say(const struct external *e, const char *text)
{
	struct event event = {.kind = "rollout", .service = e->service};

	journal_event(e->daemon->journal, &event, "prometheus: %s", text);
}

/* 0 when it began anew. */
static uint64_t grown(const struct counter *c)
{
	return c->value > c->last ? c->value - c->last : 0;
}

static void add_side(struct external *e, enum side side)
{
	struct judge_side *sum = &e->come.side[side];

	sum->n += grown(&e->counters[side][N]);
	sum->bad += grown(&e->counters[side][BAD]);
}

static void answered(struct external *e)
{
	if (e->known) {
		add_side(e, CANARY);
		add_side(e, LIVE);
	}
	for (int side = 0; side < SIDES; side++)
		for (int what = 0; what < WHATS; what++)
			e->counters[side][what].last = e->counters[side][what].value;
	e->known = true;
	if (e->failing)
		say(e, "it answers again");
	e->failing = false;
}

static void failed(struct external *e)
{
	if (!e->failing)
		say(e, e->why);
	e->failing = true;
}

static void read_answer(struct counter *c, CURLcode code)
{
	char error[PROMETHEUS_ERROR];
	char *why = c->external->why;
	long status = 0;

	curl_easy_getinfo(c->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	if (code && !*why)
		snprintf(why, WHY, "%s", *c->error ? c->error : curl_easy_strerror(code));
	if (!code && prometheus_counter(c->answer, c->len, &c->value, error) && !*why)
		snprintf(why, WHY, "status %ld: %s", status, error);
}

static void over(struct web_transfer *transfer, CURLcode code)
{
	struct counter *c = transfer->context;
	struct external *e = c->external;

	read_answer(c, code);
	web_end(transfer);
	if (--e->waiting)
		return;
	if (*e->why)
		failed(e);
	else
		answered(e);
}

/* ---- asking ---- */

static size_t take_bytes(char *bytes, size_t size, size_t n, void *context)
{
	struct counter *c = context;

	if (size * n > ANSWER - c->len)
		return 0; /* that is no number */
	memcpy(c->answer + c->len, bytes, size * n);
	c->len += size * n;
	return size * n;
}

static void set_options(struct counter *c, double now_s)
{
	CURL *easy = c->transfer.easy;
	char *url = NULL;

	c->len = 0;
	c->error[0] = '\0';
	if (asprintf(&url, "%s/api/v1/query?time=%.3f&query=%s", c->external->url, now_s,
		     c->query) < 0)
		url = NULL;
	curl_easy_setopt(easy, CURLOPT_URL, url); /* is copied */
	free(url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "zdd");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
	/* the end of a transfer does not wait for a name server that is silent */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

static void ask(struct external *e, struct counter *c, double now_s)
{
	if (web_make_transfer(e->web, &c->transfer, over, c)) {
		snprintf(e->why, WHY, "out of memory");
		return;
	}
	e->waiting++;
	set_options(c, now_s);
	web_begin(&c->transfer);
}

/* All of one moment, so that the pools are compared over the same time. */
static void ask_all(uv_timer_t *timer)
{
	struct external *e = timer->data;
	double now_s = (double)wall_ms() / 1e3;

	if (e->waiting)
		return;
	e->why[0] = '\0';
	for (int side = 0; side < SIDES; side++)
		for (int what = 0; what < WHATS; what++)
			ask(e, &e->counters[side][what], now_s);
}

/* ---- its life ---- */

static void timer_closed(uv_handle_t *timer)
{
	struct external *e = timer->data;

	for (int side = 0; side < SIDES; side++)
		for (int what = 0; what < WHATS; what++)
			curl_free(e->counters[side][what].query);
	free(e->url);
	free(e);
}

static void set_counter(struct external *e, enum side side, enum what what, const char *query,
			const char *pool)
{
	struct counter *c = &e->counters[side][what];
	char *text = prometheus_query(query, pool);

	c->external = e;
	c->query = text ? curl_easy_escape(NULL, text, 0) : NULL;
	free(text);
}

static void set_counters(struct external *e, const struct cfg_prometheus *p, const char *canary,
			 const char *live)
{
	set_counter(e, CANARY, BAD, p->bad, canary);
	set_counter(e, CANARY, N, p->n, canary);
	set_counter(e, LIVE, BAD, p->bad, live);
	set_counter(e, LIVE, N, p->n, live);
}

static bool is_whole(const struct external *e)
{
	for (int side = 0; side < SIDES; side++)
		for (int what = 0; what < WHATS; what++)
			if (!e->counters[side][what].query)
				return false;
	return e->url && e->web;
}

struct external *external_begin(struct daemon *d, const struct cfg_service *s, unsigned canary,
				unsigned live)
{
	const struct cfg_prometheus *p = &s->rollout.prometheus;
	struct external *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->daemon = d;
	snprintf(e->service, sizeof(e->service), "%s", s->name);
	e->url = strdup(p->url);
	for (size_t len = e->url ? strlen(e->url) : 0; len && e->url[len - 1] == '/';)
		e->url[--len] = '\0';
	e->web = web_make(d->loop);
	set_counters(e, p, s->pools[canary].name, s->pools[live].name);
	uv_timer_init(d->loop, &e->timer);
	e->timer.data = e;
	if (!is_whole(e)) {
		external_end(e);
		return NULL;
	}
	uv_timer_start(&e->timer, ask_all, 0, p->interval_ms);
	return e;
}

struct judge_counts external_take(struct external *e)
{
	struct judge_counts come = e->come;

	for (int side = 0; side < SIDES; side++)
		if (come.side[side].bad > come.side[side].n)
			come.side[side].bad = come.side[side].n;
	e->come = (struct judge_counts){0};
	return come;
}

void external_end(struct external *e)
{
	if (!e)
		return;
	for (int side = 0; side < SIDES; side++)
		for (int what = 0; what < WHATS; what++)
			web_end(&e->counters[side][what].transfer);
	web_free(e->web);
	uv_close((uv_handle_t *)&e->timer, timer_closed);
}
