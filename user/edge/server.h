/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP on the loop: the control API on a unix socket, the metrics on TCP. A request is handed to
 * one function when its body is there, and answered whenever that is ready. */
#ifndef ZDD_SERVER_H
#define ZDD_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

struct server;

/* Valid until it is answered. */
struct request {
	const char *method, *path;
	const char *body; /* NUL behind the last byte */
	size_t body_len;
	bool too_large; /* the body was longer than the handler allows; it is not here */
	uid_t uid;      /* of the peer; unix sockets only */
	char who[64];
	bool permitted;
};

struct server_hooks {
	/* How large a body this path may have. */
	size_t (*body_max)(void *context, const char *path);
	/* Answers by request_answer(), now or later. */
	void (*handle)(void *context, struct request *);
	void *context;
};

/* The query parameter, or NULL. */
const char *request_query(const struct request *, const char *name);
/* Ends the request. status 0: what the JSON's "exit" says. Takes the answer. */
void request_answer(struct request *, unsigned status, json_t *answer);
void request_answer_text(struct request *, unsigned status, const char *type, char *text);

/* fd is a listening socket, which is taken. NULL with *error one line. */
struct server *server_make(uv_loop_t *, int fd, const struct server_hooks *, char **error);
/* Answers must have been given. */
void server_free(struct server *);

/* A listening unix socket, mode 0660, in place of one whose daemon is gone.
 * fd, or -EADDRINUSE when a live one answers there, other errno, with *error one line. */
int listen_unix(const char *path, char **error);
/* "127.0.0.1:9177", "[::]:9177". */
int listen_tcp(const char *endpoint, char **error);

#endif
