/* SPDX-License-Identifier: BSD-2-Clause */
/* libmicrohttpd with its epoll descriptor watched by the loop: no threads. A request that is not
 * answered at once is suspended; see MHD_suspend_connection. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_json.h"
#include "explain.h"
#include "peer.h"
#include "server.h"
#include "txn.h"

enum { CONNECTIONS_MAX = 512, IDLE_SECONDS = 120, LAST_RUNS = 4 };

struct server {
	struct MHD_Daemon *mhd;
	struct server_hooks hooks;
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	int closing; /* handles that are not closed yet */
};

/* request first: handlers see only that. */
struct exchange {
	struct request request;
	struct server *server;
	struct MHD_Connection *connection;
	char *body;
	size_t room, max;
	struct MHD_Response *response;
	unsigned status;
	bool handling, suspended;
};

static void on_timer(uv_timer_t *timer);

/* ---- answering ---- */

const char *request_query(const struct request *r, const char *name)
{
	const struct exchange *x = (const struct exchange *)r;

	return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

static void answer(struct exchange *x, unsigned status, struct MHD_Response *response)
{
	x->response = response;
	x->status = status;
	if (!x->suspended)
		return;
	x->suspended = false;
	MHD_resume_connection(x->connection);
	uv_timer_start(&x->server->timer, on_timer, 0, 0);
}

void request_answer_text(struct request *r, unsigned status, const char *type, char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		text ? strlen(text) : 0, text,
		text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	answer((struct exchange *)r, status, response);
}

void request_answer(struct request *r, unsigned status, json_t *json)
{
	char *text = json_dumps(json, SHOW_FLAGS);

	if (!status)
		status = outcome_status(
			(enum outcome)json_integer_value(json_object_get(json, "exit")));
	json_decref(json);
	request_answer_text(r, status, "application/json", text);
}

/* ---- what libmicrohttpd calls ---- */

static struct exchange *exchange_make(struct server *s, struct MHD_Connection *connection,
				      const char *method, const char *path)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->server = s;
	x->connection = connection;
	x->max = s->hooks.body_max(s->hooks.context, path);
	x->request.method = strdup(method);
	x->request.path = strdup(path);
	peer_of(info ? info->connect_fd : -1, &x->request);
	return x;
}

static void take_body(struct exchange *x, const char *bytes, size_t len)
{
	size_t need = x->request.body_len + len;
	char *more;

	if (x->request.too_large || need > x->max) {
		x->request.too_large = true;
		x->request.body_len = 0;
		return;
	}
	if (need + 1 > x->room) {
		size_t room = need * 2 + 1;

		more = realloc(x->body, room);
		if (!more) {
			x->request.too_large = true;
			return;
		}
		x->body = more;
		x->room = room;
	}
	memcpy(x->body + x->request.body_len, bytes, len);
	x->request.body_len = need;
	x->body[need] = '\0';
}

static enum MHD_Result send_answer(struct exchange *x)
{
	enum MHD_Result result = MHD_NO;

	if (x->response) {
		result = MHD_queue_response(x->connection, x->status, x->response);
		MHD_destroy_response(x->response);
	}
	x->response = NULL;
	return result;
}

/* Called with no body first, with parts of it, without again, and after each resume. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
			      const char *method, const char *version, const char *bytes,
			      size_t *n_bytes, void **state)
{
	struct server *s = context;
	struct exchange *x = *state;

	(void)version;
	if (!x) {
		*state = exchange_make(s, connection, method, path);
		return *state ? MHD_YES : MHD_NO;
	}
	if (*n_bytes) {
		take_body(x, bytes, *n_bytes);
		*n_bytes = 0;
		return MHD_YES;
	}
	if (!x->handling) {
		x->handling = true;
		x->request.body = x->body ? x->body : "";
		s->hooks.handle(s->hooks.context, &x->request);
	}
	if (x->response)
		return send_answer(x);
	x->suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *state;

	(void)context;
	(void)connection;
	(void)code;
	if (!x)
		return;
	if (x->response)
		MHD_destroy_response(x->response);
	free((char *)x->request.method);
	free((char *)x->request.path);
	free(x->body);
	free(x);
	*state = NULL;
}

/* ---- on the loop ---- */

static void run(struct server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(s->mhd);
	if (MHD_get_timeout(s->mhd, &ms) == MHD_YES)
		uv_timer_start(&s->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&s->timer);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static struct MHD_Daemon *start_mhd(struct server *s)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, s,
				MHD_OPTION_LISTEN_SOCKET, s->fd, MHD_OPTION_NOTIFY_COMPLETED,
				completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned)IDLE_SECONDS, MHD_OPTION_END);
}

struct server *server_make(uv_loop_t *loop, int fd, const struct server_hooks *hooks, char **error)
{
	struct server *s = calloc(1, sizeof(*s));
	const union MHD_DaemonInfo *info;

	if (!s)
		return NULL;
	s->hooks = *hooks;
	s->fd = fd;
	s->mhd = start_mhd(s);
	info = s->mhd ? MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info) {
		explain(error, -EIO, "the HTTP server does not start: %s", strerror(errno));
		if (s->mhd)
			MHD_stop_daemon(s->mhd);
		free(s);
		return NULL;
	}
	uv_timer_init(loop, &s->timer);
	uv_poll_init(loop, &s->poll, info->epoll_fd);
	s->timer.data = s;
	s->poll.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_poll);
	return s;
}

static void closed(uv_handle_t *handle)
{
	struct server *s = handle->data;

	if (!--s->closing)
		free(s);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	for (int i = 0; i < LAST_RUNS; i++)
		run(s); /* last answers */
	uv_poll_stop(&s->poll);
	uv_timer_stop(&s->timer);
	MHD_stop_daemon(s->mhd); /* closes the listening socket too */
	s->closing = 2;
	uv_close((uv_handle_t *)&s->poll, closed);
	uv_close((uv_handle_t *)&s->timer, closed);
}
