// SPDX-License-Identifier: BSD-2-Clause
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static enum failure failure_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return FAIL_refused;
	case ECONNRESET:
	case EPIPE:
		return FAIL_reset;
	case ETIMEDOUT:
		return FAIL_timeout;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return FAIL_unreachable;
	default:
		return FAIL_other;
	}
}

void flow_account(const struct load *l, const struct slot *s, enum failure result)
{
	struct tcp_info info = {};
	socklen_t len = sizeof(info);

	if (!l->opts.udp && s->fd >= 0 && !getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		stats_retransmits(info.tcpi_total_retrans);
	stats_log(s, result);
}

/* A slot goes on with the other target of its pair, with a new flow, or is done. */
static void slot_continue(struct load *l, struct slot *s, bool again)
{
	if (s->target + 1 < l->opts.targets_len) {
		s->target++;
		ready_push(l, s);
		return;
	}
	s->target = 0;
	if (again && !l->stopping)
		ready_push(l, s);
	else
		s->state = SLOT_DONE;
}

static void flow_close(struct load *l, struct slot *s, enum failure result)
{
	flow_account(l, s, result);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void fail_saying(struct load *l, struct slot *s, enum failure why, const char *what)
{
	char detail[2 * ANSWER_MAX];

	snprintf(detail, sizeof(detail), "%s (flow %llu, from %s:%u, backend %s/%s, request %llu)",
		 what, (unsigned long long)s->number, s->host, s->port, s->pool, s->backend,
		 (unsigned long long)s->requests);
	stats_failure(why, detail);
	flow_close(l, s, why);
	slot_continue(l, s, l->opts.reopen);
}

static void fail_errno(struct load *l, struct slot *s, const char *where, int error)
{
	char what[ANSWER_MAX];

	snprintf(what, sizeof(what), "%s: %s", where, strerror(error));
	fail_saying(l, s, failure_of(error), what);
}

void flow_fail(struct load *l, struct slot *s, enum failure why)
{
	fail_saying(l, s, why,
		    s->state == SLOT_CONNECTING ? "connecting" : "waiting for an answer");
}

static void flow_end_well(struct load *l, struct slot *s)
{
	flow_close(l, s, FAIL_none);
	slot_continue(l, s, true);
}

/* Usually without a port, so that the kernel may give one source port to many flows. */
static int bind_source(const struct load_opts *o, const struct slot *s)
{
	union peer_addr source = o->source;
	int on = 1;

	if (!source.sa.sa_family)
		return 0;
	addr_add(&source, (uint32_t)(s->number % o->source_count));
	if (o->source_port) {
		addr_set_port(&source, (uint16_t)o->source_port);
		setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	}
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(s->fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	return bind(s->fd, &source.sa, addr_len(&source)) ? -errno : 0;
}

static void remember_name(struct slot *s)
{
	union peer_addr own;
	socklen_t len = sizeof(own);

	if (getsockname(s->fd, &own.sa, &len))
		return;
	addr_host(&own, s->host);
	s->port = addr_port(&own);
}

static int watch(struct load *l, struct slot *s, uint32_t events, int op)
{
	struct epoll_event event = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epoll_fd, op, s->fd, &event) ? -errno : 0;
}

static void send_request(struct load *l, struct slot *s, uint64_t now)
{
	const char *form = l->opts.http ? "GET /%llu HTTP/1.1\r\nHost: zdd\r\n\r\n" : "%llu\n";
	char text[64];
	int len;

	s->request = l->requests_sent++;
	s->sent_ns = now;
	s->at_ns = now + l->opts.timeout_ns;
	len = snprintf(text, sizeof(text), form, (unsigned long long)s->request);
	s->state = SLOT_WAITING;
	if (send(s->fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		fail_errno(l, s, "send", errno);
}

static void slot_reset(struct load *l, struct slot *s, uint64_t now)
{
	if (!s->target)
		s->number = l->started++;
	s->start_ns = now;
	s->connect_ns = s->first_ns = s->requests = 0;
	s->port = 0;
	s->host[0] = s->backend[0] = s->pool[0] = 0;
}

static int connect_target(struct load *l, struct slot *s)
{
	const union peer_addr *target = &l->opts.targets[s->target];
	int on = 1, error;

	error = bind_source(&l->opts, s);
	if (error)
		return error;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, &target->sa, addr_len(target)) && errno != EINPROGRESS)
		return -errno;
	remember_name(s);
	return watch(l, s, l->opts.udp ? EPOLLIN : EPOLLOUT, EPOLL_CTL_ADD);
}

static void flow_open(struct load *l, struct slot *s)
{
	int family = l->opts.targets[s->target].sa.sa_family;
	int type = (l->opts.udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int error;

	slot_reset(l, s, now_ns());
	s->fd = socket(family, type, 0);
	if (s->fd < 0)
		die("socket: %s", strerror(errno));
	error = connect_target(l, s);
	if (error)
		return fail_errno(l, s, "connect", -error);
	if (l->opts.udp)
		return send_request(l, s, s->start_ns);
	s->state = SLOT_CONNECTING;
	s->at_ns = s->start_ns + l->opts.timeout_ns;
}

void flow_begin(struct load *l, struct slot *s, uint64_t now)
{
	if (s->fd < 0)
		flow_open(l, s);
	else
		send_request(l, s, now);
}

static void connected(struct load *l, struct slot *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		return fail_errno(l, s, "connect", error);
	s->connect_ns = now_ns();
	stats_connect(s->connect_ns - s->start_ns);
	watch(l, s, EPOLLIN, EPOLL_CTL_MOD);
	send_request(l, s, s->connect_ns);
}

static void answered(struct load *l, struct slot *s, const char *backend, const char *pool)
{
	uint64_t now = now_ns();

	if (!s->requests) {
		strcpy(s->backend, backend);
		strcpy(s->pool, pool);
		s->first_ns = now;
	}
	stats_answer(backend, pool, !s->requests, now - s->sent_ns);
	s->requests++;
	if (s->requests == l->opts.per_flow)
		return flow_end_well(l, s);
	if (!l->opts.interval_ns)
		return ready_push(l, s);
	s->state = SLOT_PAUSED;
	s->at_ns = now + l->opts.interval_ns;
}

/* The answer must be to this request, the next one of this connection, from the same backend, and
 * name this client, or another one when it is hidden. A NAT may have to change its port, when another flow has it at that backend. */
static void check_answer(struct load *l, struct slot *s, const char *text)
{
	char backend[NAME_LEN], pool[NAME_LEN], host[ADDR_TEXT_LEN];
	unsigned long long request, seq;
	unsigned int port;

	if (sscanf(text, "%31s %31s %llu %llu %63s %u", backend, pool, &request, &seq, host,
		   &port) != 6)
		return fail_saying(l, s, FAIL_wrong_answer, text);
	if (l->opts.udp && (request != s->request || s->state != SLOT_WAITING))
		return stats_late();
	if (s->requests && (strcmp(backend, s->backend) || strcmp(pool, s->pool)))
		return fail_saying(l, s, FAIL_backend_changed, text);
	if (request != s->request || s->state != SLOT_WAITING ||
	    !strcmp(host, s->host) == !!l->opts.hidden || (!l->opts.udp && seq != s->requests))
		return fail_saying(l, s, FAIL_wrong_answer, text);
	if (port != s->port)
		stats_rewritten();
	answered(l, s, backend, pool);
}

static void receive_http(struct load *l, struct slot *s, const char *text)
{
	const char *body = strstr(text, "\r\n\r\n");
	int status;

	if (!body || sscanf(text, "HTTP/1.1 %d ", &status) != 1)
		fail_saying(l, s, FAIL_wrong_answer, text);
	else if (status >= 500)
		fail_saying(l, s, FAIL_status, "status 5xx");
	else
		check_answer(l, s, body + 4);
}

/* An answer is far smaller than a segment and there is only one: it comes in one piece. */
static void receive(struct load *l, struct slot *s)
{
	char text[ANSWER_MAX];
	ssize_t n = recv(s->fd, text, sizeof(text) - 1, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		return fail_errno(l, s, "recv", errno);
	if (!n)
		return fail_saying(l, s, FAIL_eof, "closed by the other side");
	text[n] = 0;
	if (l->opts.http)
		receive_http(l, s, text);
	else
		check_answer(l, s, text);
}

void flow_event(struct load *l, struct slot *s, uint32_t events)
{
	(void)events;
	if (s->fd < 0)
		return;
	if (s->state == SLOT_CONNECTING)
		connected(l, s);
	else
		receive(l, s);
}
