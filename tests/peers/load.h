/* SPDX-License-Identifier: BSD-2-Clause */
/* loadc, the client that counts what went wrong: many flows at once, every answer checked. */
#ifndef LOAD_H
#define LOAD_H

#include "peer.h"

#include <stdio.h>

#define TARGETS_MAX 2
#define NAME_LEN 32
#define ANSWER_MAX 512

/* What can go wrong with a flow. `late` is not counted as a failure: its timeout was. */
#define LOAD_FAILURES(X)                                                                           \
	X(refused)                                                                                 \
	X(reset)                                                                                   \
	X(timeout)                                                                                 \
	X(eof)                                                                                     \
	X(unreachable)                                                                             \
	X(status)                                                                                  \
	X(wrong_answer)                                                                            \
	X(backend_changed)                                                                         \
	X(other)

enum failure {
#define X(name) FAIL_##name,
	LOAD_FAILURES(X)
#undef X
		FAILURES,
	FAIL_none = FAILURES,
};

struct load_opts {
	const char *mode;
	union peer_addr targets[TARGETS_MAX];
	uint32_t targets_len;
	union peer_addr source; /* the first one; family 0 leaves the choice to the kernel */
	uint32_t source_count;
	uint32_t source_port; /* 0 leaves it to the kernel */
	bool udp;
	bool reopen;          /* a flow that failed is replaced by a new one */
	uint32_t flows;       /* open at the same time */
	uint64_t per_flow;    /* requests in a flow, 0 = until it is stopped */
	uint64_t total;       /* flows (or pairs) to start altogether, 0 = no limit */
	uint64_t interval_ns; /* between two requests of a flow */
	uint64_t rate;        /* requests per second of all flows, 0 = no limit */
	uint64_t duration_ns; /* 0 = until SIGTERM */
	uint64_t http;        /* requests are HTTP's GET; a status from 500 on is a failure */
	uint64_t hidden;      /* the servers see another address than the client's */
	uint64_t timeout_ns;  /* for connect and for each answer */
	const char *log_path;
	const char *status_path;
};

/*
 * PAUSED  until `at_ns`, then queued as READY
 * READY   in the queue; the next step opens a flow (fd < 0) or sends a request
 * CONNECTING, WAITING  until an event, or fails at `at_ns`
 * DONE    nothing more to do; an endless flow may still be open
 */
enum slot_state { SLOT_READY, SLOT_PAUSED, SLOT_CONNECTING, SLOT_WAITING, SLOT_DONE };

struct slot {
	enum slot_state state;
	int fd;
	uint32_t target;
	uint64_t number; /* of the flow; with two targets, of the pair */
	uint64_t at_ns;
	uint64_t start_ns, connect_ns, first_ns, sent_ns;
	uint64_t requests; /* answered in this flow */
	uint64_t request;  /* the number sent last */
	uint16_t port;
	char host[ADDR_TEXT_LEN];
	char backend[NAME_LEN], pool[NAME_LEN];
	struct slot *next;
};

struct load {
	struct load_opts opts;
	struct slot *slots;
	struct slot *ready, **ready_end;
	uint32_t ready_len;
	int epoll_fd;
	uint64_t started; /* flow (or pair) numbers given out */
	uint64_t requests_sent;
	uint64_t begin_ns;
	bool stopping;
};

void opts_read(struct load_opts *o, int argc, char **argv);

void ready_push(struct load *l, struct slot *s);
/* One step of a READY slot. */
void flow_begin(struct load *l, struct slot *s, uint64_t now);
void flow_event(struct load *l, struct slot *s, uint32_t events);
void flow_fail(struct load *l, struct slot *s, enum failure why);
/* Writes an open flow into the counts and the log, before it is closed. */
void flow_account(const struct load *l, const struct slot *s, enum failure result);

void stats_open(const struct load_opts *o);
void stats_connect(uint64_t ns);
void stats_answer(const char *backend, const char *pool, bool first, uint64_t ns);
void stats_retransmits(uint32_t n);
void stats_late(void);
void stats_rewritten(void);
void stats_failure(enum failure why, const char *detail);
void stats_log(const struct slot *s, enum failure result);
/* One JSON object; `open` and `waiting` are counted from the slots. */
void stats_print(const struct load *l, FILE *out);
void stats_status(const struct load *l);
void stats_close(void);

#endif
