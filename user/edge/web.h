/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl's transfers on the loop, see curl_multi_socket_action(3). */
#ifndef ZDD_WEB_H
#define ZDD_WEB_H

#include <curl/curl.h>
#include <uv.h>

struct web;

struct web *web_make(uv_loop_t *);
/* All its transfers have ended. NULL is fine. */
void web_free(struct web *);

/* A part of what knows what it is for. */
struct web_transfer {
	CURL *easy; /* for options */
	struct web *web;
	void (*over)(struct web_transfer *, CURLcode);
	void *context;
};

/* 0 or -ENOMEM, there is nothing to end then. */
int web_make_transfer(struct web *, struct web_transfer *,
		      void (*over)(struct web_transfer *, CURLcode), void *context);
/* Ends in one call of over, later, unless it is ended before. */
void web_begin(struct web_transfer *);
/* Whether it is over or not. Does nothing the second time. */
void web_end(struct web_transfer *);

#endif
