// SPDX-License-Identifier: BSD-2-Clause
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define EVENTS 256
#define TICK_NS (2 * NSEC_PER_MSEC)
#define STATUS_NS (50 * NSEC_PER_MSEC)

static volatile sig_atomic_t stop_asked;

static void on_stop(int sig)
{
	(void)sig;
	stop_asked = 1;
}

void ready_push(struct load *l, struct slot *s)
{
	s->state = SLOT_READY;
	s->next = NULL;
	*l->ready_end = s;
	l->ready_end = &s->next;
	l->ready_len++;
}

static struct slot *ready_pop(struct load *l)
{
	struct slot *s = l->ready;

	l->ready = s->next;
	if (!l->ready)
		l->ready_end = &l->ready;
	l->ready_len--;
	return s;
}

static bool may_send(const struct load *l, uint64_t now)
{
	double due = (double)(now - l->begin_ns) * (double)l->opts.rate / (double)NSEC_PER_SEC;

	return !l->opts.rate || (double)l->requests_sent < due;
}

/* A slot that wants a new flow (not the second half of a pair) stops when enough were started. */
static bool is_surplus(const struct load *l, const struct slot *s)
{
	bool fresh = s->fd < 0 && !s->target;

	return fresh && (l->stopping || (l->opts.total && l->started >= l->opts.total));
}

/* One round: a slot that is ready again at once waits for the next one. */
static void begin_ready(struct load *l)
{
	uint64_t now = now_ns();
	uint32_t n = l->ready_len;

	while (n-- && (l->stopping || may_send(l, now))) {
		struct slot *s = ready_pop(l);

		if (is_surplus(l, s) || (l->stopping && s->fd >= 0))
			s->state = SLOT_DONE;
		else
			flow_begin(l, s, now);
	}
}

static void check_time(struct load *l, struct slot *s, uint64_t now)
{
	if (now < s->at_ns)
		return;
	if (s->state == SLOT_PAUSED)
		ready_push(l, s);
	else if (s->state == SLOT_CONNECTING || s->state == SLOT_WAITING)
		flow_fail(l, s, FAIL_timeout);
}

/* Returns whether something is still under way. */
static bool tick(struct load *l, uint64_t now)
{
	bool busy = false;
	uint32_t i;

	for (i = 0; i < l->opts.flows; i++) {
		struct slot *s = &l->slots[i];

		check_time(l, s, now);
		if (l->stopping && s->state == SLOT_PAUSED)
			s->state = SLOT_DONE;
		busy |= s->state != SLOT_DONE;
	}
	return busy;
}

static void run(struct load *l)
{
	struct epoll_event events[EVENTS];
	uint64_t now, tick_ns = 0, status_ns = 0;
	bool busy = true;
	int i, n;

	while (busy) {
		begin_ready(l);
		n = epoll_wait(l->epoll_fd, events, EVENTS, l->ready ? l->opts.rate > 0 : 2);
		for (i = 0; i < n; i++)
			flow_event(l, events[i].data.ptr, events[i].events);
		now = now_ns();
		l->stopping |= stop_asked ||
			       (l->opts.duration_ns && now - l->begin_ns > l->opts.duration_ns);
		if (now - tick_ns < TICK_NS)
			continue;
		tick_ns = now;
		busy = tick(l, now);
		if (now - status_ns < STATUS_NS)
			continue;
		status_ns = now;
		stats_status(l);
	}
}

static void finish(struct load *l)
{
	uint32_t i;

	for (i = 0; i < l->opts.flows; i++)
		if (l->slots[i].fd >= 0)
			flow_account(l, &l->slots[i], FAIL_none);
	stats_print(l, stdout);
	stats_status(l);
	stats_close();
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_stop};
	struct load l = {.ready_end = &l.ready, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	uint32_t i;

	opts_read(&l.opts, argc, argv);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	raise_file_limit();
	stats_open(&l.opts);
	l.slots = calloc(l.opts.flows, sizeof(*l.slots));
	if (!l.slots)
		die("no memory for %u flows", l.opts.flows);
	l.begin_ns = now_ns();
	for (i = 0; i < l.opts.flows; i++) {
		l.slots[i].fd = -1;
		ready_push(&l, &l.slots[i]);
	}
	run(&l);
	finish(&l);
	return 0;
}
