/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp: the handshake completes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe.h"

struct tcp_attempt {
	uv_poll_t poll;
	struct probe *probe;
	int fd;
};

static void attempt_free(uv_handle_t *handle)
{
	struct tcp_attempt *a = handle->data;

	free(a);
}

static void attempt_end(struct tcp_attempt *a)
{
	uv_poll_stop(&a->poll);
	close(a->fd);
	uv_close((uv_handle_t *)&a->poll, attempt_free);
}

static void tcp_cancel(struct probe *p)
{
	attempt_end(p->attempt);
}

static void tcp_decided(uv_poll_t *poll, int status, int events)
{
	struct tcp_attempt *a = poll->data;
	struct probe *p = a->probe;
	int err = 0;
	socklen_t len = sizeof(err);

	(void)events;
	if (status < 0)
		err = -status;
	else if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	attempt_end(a);
	probe_done(p, !err, strerror(err));
}

static socklen_t address_of(const struct cfg_backend *b, uint16_t port,
			    struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (zdd_addr_is_v4(&b->addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = b->addr.w[3];
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, b->addr.b, 16);
	return sizeof(*v6);
}

static int begin(struct probe *p)
{
	const struct cfg_backend *b = p->backend->cfg;
	uint16_t port = p->service->cfg->health.port ? p->service->cfg->health.port : b->port;
	struct sockaddr_storage to;
	socklen_t len = address_of(b, port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, len) && errno != EINPROGRESS) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

void probe_tcp(struct probe *p)
{
	struct tcp_attempt *a = calloc(1, sizeof(*a));
	int fd = a ? begin(p) : -ENOMEM;

	if (fd < 0) {
		free(a);
		probe_done(p, false, strerror(-fd));
		return;
	}
	a->probe = p;
	a->fd = fd;
	a->poll.data = a;
	uv_poll_init(p->timer.loop, &a->poll, fd);
	uv_poll_start(&a->poll, UV_WRITABLE, tcp_decided);
	p->attempt = a;
	p->cancel = tcp_cancel;
}
