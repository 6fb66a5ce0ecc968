// SPDX-License-Identifier: BSD-2-Clause
#include "ledgerd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ANSWER_MAX 1024

/*
 * States, in this order of precedence:
 *   posting_left > 0  the next bytes are a posted body
 *   bulk_left > 0     bytes are being sent, nothing is read until they are gone
 *   otherwise         a request line is awaited
 */
struct conn {
	struct watched w;
	union peer_addr client;
	uint64_t seq;
	size_t bulk_left, bulk_offset;
	size_t posting_left, posted, posted_good;
	size_t have;
	bool waits_for_room;
	struct conn *next; /* of those whose answer waits */
	uint64_t due_ns;   /* 0: it does not wait */
	bool begun, gone;  /* its first request has come; its client has left while it waited */
	char buf[REQUEST_MAX];
};

static char bulk_byte(size_t offset)
{
	return (char)('a' + offset % 23);
}

static void conn_close(struct conn *c)
{
	close(c->w.fd);
	free(c);
}

static void conn_want(struct server *s, struct conn *c, bool room)
{
	struct epoll_event event = {.events = room ? EPOLLOUT : EPOLLIN, .data.ptr = &c->w};

	if (c->waits_for_room == room)
		return;
	c->waits_for_room = room;
	epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->w.fd, &event);
}

static int send_text(struct conn *c, const char *text, int len)
{
	ssize_t sent = send(c->w.fd, text, (size_t)len, 0);

	return sent == len ? 0 : sent < 0 ? -errno : -EPIPE;
}

static int format_answer(struct server *s, const union peer_addr *client, const char *what,
			 uint64_t seq, char *out)
{
	char host[ADDR_TEXT_LEN];

	addr_host(client, host);
	return snprintf(out, ANSWER_MAX, "%s %s %s %llu %s %u\n", s->name, s->pool, what,
			(unsigned long long)seq, host, addr_port(client));
}

/* 200 without a file; else the number in it, and 0 for "do not answer". */
static int health_status(struct server *s)
{
	int status = 200;
	FILE *file = s->health_path ? fopen(s->health_path, "r") : NULL;

	if (!file)
		return status;
	if (fscanf(file, "%d", &status) != 1)
		status = 200;
	fclose(file);
	return status;
}

static int answer_http(struct server *s, struct conn *c, const char *request)
{
	char body[ANSWER_MAX], out[2 * ANSWER_MAX], what[32] = "http";
	int status = 200, len;

	if (!strncmp(request, "GET /health", 11))
		status = health_status(s);
	else if (mood_strikes(mood_now(s->mood_path)->status))
		status = 500;
	if (!status)
		return 0;
	sscanf(request, "GET /%31[0-9] ", what);
	len = format_answer(s, &c->client, what, c->seq++, body);
	len = snprintf(out, sizeof(out),
		       "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
		       "X-Backend: %s\r\nX-Pool: %s\r\n\r\n%s",
		       status, status == 200 ? "OK" : "No", len, s->name, s->pool, body);
	return send_text(c, out, len);
}

static int send_bulk(struct server *s, struct conn *c)
{
	char chunk[16384];
	size_t want, i;
	ssize_t n;

	while (c->bulk_left) {
		want = c->bulk_left < sizeof(chunk) ? c->bulk_left : sizeof(chunk);
		for (i = 0; i < want; i++)
			chunk[i] = bulk_byte(c->bulk_offset + i);
		n = send(c->w.fd, chunk, want, 0);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		c->bulk_left -= (size_t)n;
		c->bulk_offset += (size_t)n;
	}
	conn_want(s, c, c->bulk_left > 0);
	return 0;
}

static int answer_line(struct server *s, struct conn *c, const char *line)
{
	char out[ANSWER_MAX];

	if (line[0] == 'B') {
		c->bulk_left = strtoull(line + 1, NULL, 10);
		c->bulk_offset = 0;
		return send_bulk(s, c);
	}
	if (line[0] == 'P') {
		c->posting_left = strtoull(line + 1, NULL, 10);
		c->posted = c->posted_good = 0;
		return 0;
	}
	return send_text(c, out, format_answer(s, &c->client, line, c->seq++, out));
}

static void take_posted(struct server *s, struct conn *c, size_t *used)
{
	char out[ANSWER_MAX];

	while (c->posting_left && *used < c->have) {
		c->posted_good += c->buf[(*used)++] == bulk_byte(c->posted++);
		c->posting_left--;
	}
	if (!c->posting_left)
		send_text(c, out,
			  snprintf(out, sizeof(out), "%s %s P %zu\n", s->name, s->pool,
				   c->posted_good));
}

/* Answers the request at `*used`, if it is all there. Returns 1 for "done one", 0 for "not yet". */
static int answer_next(struct server *s, struct conn *c, size_t *used)
{
	char *start = c->buf + *used, *end;

	if (c->posting_left) {
		take_posted(s, c, used);
		return 1;
	}
	if (!strncmp(start, "GET ", 4)) {
		end = strstr(start, "\r\n\r\n");
		if (!end)
			return 0;
		*used += (size_t)(end + 4 - start);
		return answer_http(s, c, start) ?: 1;
	}
	end = strchr(start, '\n');
	if (!end)
		return 0;
	*end = 0;
	*used += (size_t)(end + 1 - start);
	start[strnlen(start, ADDR_TEXT_LEN)] = 0;
	return answer_line(s, c, start) ?: 1;
}

static int answer_good(struct server *s, struct conn *c)
{
	size_t used = 0;
	int done = 1;

	while (done > 0 && used < c->have && !c->bulk_left)
		done = answer_next(s, c, &used);
	memmove(c->buf, c->buf + used, c->have - used + 1);
	c->have -= used;
	return done < 0 ? done : c->have == sizeof(c->buf) - 1 ? -EPROTO : 0;
}

/* What befalls a connection at its first request. Returns 0, or a negative errno for its end. */
static int befall(struct server *s, struct conn *c)
{
	const struct mood *m = mood_now(s->mood_path);
	struct linger reset = {1, 0};

	c->begun = true;
	if (mood_strikes(m->reset)) {
		setsockopt(c->w.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return -EPIPE;
	}
	if (mood_strikes(m->empty))
		return -EPIPE;
	if (!m->delay_ns)
		return 0;
	c->due_ns = now_ns() + m->delay_ns;
	c->next = NULL;
	*s->late_end = c;
	s->late_end = &c->next;
	return 0;
}

/* A socket tells only once that it was reset, or ended by the kernel, by whatever call comes first. */
static void conn_fail(struct server *s, struct conn *c, int error)
{
	if (error == -ECONNRESET || error == -ECONNABORTED)
		ledger_reset(s->ledger, &c->client, c->w.local_port);
	if (c->due_ns && !c->gone) {
		c->gone = true; /* it stands in the queue */
		epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->w.fd, NULL);
	} else {
		conn_close(c);
	}
}

static bool is_probe(const struct conn *c)
{
	return !strncmp(c->buf, "GET /health", 11);
}

static int answer_all(struct server *s, struct conn *c)
{
	int error = c->begun || is_probe(c) ? 0 : befall(s, c);

	if (error || c->due_ns)
		return error;
	return answer_good(s, c);
}

static int conn_error(const struct conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(c->w.fd, SOL_SOCKET, SO_ERROR, &error, &len) ? -errno : -error;
}

static void conn_ready(struct server *s, struct watched *w, uint32_t events)
{
	struct conn *c = (struct conn *)w;
	ssize_t n;
	int error = 0;

	if (events & (EPOLLERR | EPOLLHUP))
		return conn_fail(s, c, conn_error(c));
	if (events & EPOLLOUT)
		error = send_bulk(s, c);
	if (error)
		return conn_fail(s, c, error);
	if (!(events & EPOLLIN))
		return;
	n = recv(c->w.fd, c->buf + c->have, sizeof(c->buf) - 1 - c->have, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		return conn_fail(s, c, n ? -errno : 0);
	c->have += (size_t)n;
	c->buf[c->have] = 0;
	error = answer_all(s, c);
	if (error)
		conn_fail(s, c, error);
}

int answer_late(struct server *s)
{
	uint64_t now = s->late ? now_ns() : 0;

	while (s->late && s->late->due_ns <= now) {
		struct conn *c = s->late;
		int error;

		s->late = c->next;
		if (!s->late)
			s->late_end = &s->late;
		error = c->gone ? -EPIPE : 0;
		if (!c->gone) {
			c->due_ns = 0;
			error = answer_good(s, c);
		}
		if (error)
			conn_fail(s, c, error);
	}
	return s->late ? (int)((s->late->due_ns - now) / NSEC_PER_MSEC) + 1 : -1;
}

static void conn_open(struct server *s, int fd, uint16_t port, const union peer_addr *client)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (!c)
		die("no memory for a connection");
	c->w = (struct watched){fd, port, conn_ready};
	c->client = *client;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll: %s", strerror(errno));
	ledger_tcp(s->ledger, client, port);
}

void accept_ready(struct server *s, struct watched *w, uint32_t events)
{
	union peer_addr client;
	socklen_t len;
	int fd;

	(void)events;
	for (;;) {
		len = sizeof(client);
		fd = accept4(w->fd, &client.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		conn_open(s, fd, w->local_port, &client);
	}
}

void udp_ready(struct server *s, struct watched *w, uint32_t events)
{
	char in[REQUEST_MAX], out[ANSWER_MAX];
	union peer_addr client;
	socklen_t len;
	ssize_t n;

	(void)events;
	for (;;) {
		len = sizeof(client);
		n = recvfrom(w->fd, in, sizeof(in) - 1, 0, &client.sa, &len);
		if (n < 0)
			return;
		in[n] = 0;
		in[strcspn(in, "\n")] = 0;
		in[ADDR_TEXT_LEN] = 0;
		n = format_answer(s, &client, in, ledger_udp(s->ledger, &client, w->local_port),
				  out);
		sendto(w->fd, out, (size_t)n, 0, &client.sa, len);
	}
}
