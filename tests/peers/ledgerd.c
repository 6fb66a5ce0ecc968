// SPDX-License-Identifier: BSD-2-Clause
#include "ledgerd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256
#define SOCKET_BUFFER (8 << 20)

static volatile sig_atomic_t stopping;

static void on_stop(int sig)
{
	(void)sig;
	stopping = 1;
}

static void watch(struct server *s, int fd, uint16_t port,
		  void (*ready)(struct server *, struct watched *, uint32_t))
{
	struct watched *w = calloc(1, sizeof(*w));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};

	if (!w)
		die("no memory");
	*w = (struct watched){fd, port, ready};
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll: %s", strerror(errno));
}

static void listen_on(struct server *s, const char *text, int type)
{
	int fd, on = 1, size = SOCKET_BUFFER;
	union peer_addr addr;

	if (addr_parse(text, true, &addr))
		die("%s: not an ADDRESS:PORT", text);
	fd = socket(addr.sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, &addr.sa, addr_len(&addr)))
		die("bind %s: %s", text, strerror(errno));
	if (type == SOCK_STREAM && listen(fd, 65535))
		die("listen %s: %s", text, strerror(errno));
	watch(s, fd, addr_port(&addr), type == SOCK_STREAM ? accept_ready : udp_ready);
}

static void run(struct server *s)
{
	struct epoll_event events[EVENTS];
	struct watched *w;
	int i, n;

	while (!stopping) {
		n = epoll_wait(s->epoll_fd, events, EVENTS, answer_late(s));
		for (i = 0; i < n; i++) {
			w = events[i].data.ptr;
			w->ready(s, w, events[i].events);
		}
		ledger_flush(s->ledger);
	}
}

static const char usage[] =
	"ledgerd --name NAME --pool POOL --ledger FILE [--health FILE] [--mood FILE] "
	"[--tcp ADDR:PORT]... [--udp ADDR:PORT]...";

static void take_option(struct server *s, const char *key, const char *value)
{
	if (!strcmp(key, "--name"))
		s->name = value;
	else if (!strcmp(key, "--pool"))
		s->pool = value;
	else if (!strcmp(key, "--ledger"))
		s->ledger = ledger_open(value);
	else if (!strcmp(key, "--health"))
		s->health_path = value;
	else if (!strcmp(key, "--mood"))
		s->mood_path = value;
	else if (!strcmp(key, "--tcp"))
		listen_on(s, value, SOCK_STREAM);
	else if (!strcmp(key, "--udp"))
		listen_on(s, value, SOCK_DGRAM);
	else
		die("%s", usage);
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_stop};
	struct server s = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	int i;

	s.late_end = &s.late;
	srand48(getpid());
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &act, NULL);
	raise_file_limit();
	for (i = 1; i + 1 < argc; i += 2)
		take_option(&s, argv[i], argv[i + 1]);
	if (i != argc || !s.name || !s.pool || !s.ledger)
		die("%s", usage);
	puts("ready");
	fflush(stdout);
	run(&s);
	ledger_flush(s.ledger);
	return 0;
}
