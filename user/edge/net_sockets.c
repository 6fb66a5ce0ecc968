/* SPDX-License-Identifier: BSD-2-Clause */
#include "net_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net_int.h"

enum { ANSWER_SECONDS = 2, REQUEST_BYTES = 256 };

/* Not those that both sides have closed: they end by themselves. */
static const uint32_t open_states =
	1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT;

struct net_sockets {
	struct mnl_socket *ask;
};

/* ---- what the kernel tells ---- */

struct reading {
	struct net_socket socket;
	bool found, over;
	bool (*each)(const struct net_socket *, void *);
	void *context;
};

static int take_value(const struct nlattr *attr, void *context)
{
	struct reading *r = context;

	if (mnl_attr_get_type(attr) == SK_DIAG_BPF_STORAGE_MAP_VALUE &&
	    mnl_attr_get_payload_len(attr) >= sizeof(r->socket.taken)) {
		memcpy(&r->socket.taken, mnl_attr_get_payload(attr), sizeof(r->socket.taken));
		r->found = true;
	}
	return MNL_CB_OK;
}

static int take_storage(const struct nlattr *attr, void *context)
{
	if (mnl_attr_get_type(attr) != SK_DIAG_BPF_STORAGE)
		return MNL_CB_OK;
	return mnl_attr_parse_nested(attr, take_value, context);
}

/* The kernel's structure grows at its end. */
static uint32_t idle_of(const struct nlattr *attr)
{
	struct tcp_info info = {0};
	size_t len = mnl_attr_get_payload_len(attr);

	memcpy(&info, mnl_attr_get_payload(attr), len < sizeof(info) ? len : sizeof(info));
	return info.tcpi_last_data_sent < info.tcpi_last_data_recv ? info.tcpi_last_data_sent
								   : info.tcpi_last_data_recv;
}

static int take_attribute(const struct nlattr *attr, void *context)
{
	struct reading *r = context;

	if (mnl_attr_get_type(attr) == INET_DIAG_SK_BPF_STORAGES)
		return mnl_attr_parse_nested(attr, take_storage, r);
	if (mnl_attr_get_type(attr) == INET_DIAG_INFO)
		r->socket.idle_ms = idle_of(attr);
	return MNL_CB_OK;
}

static struct zdd_addr addr_of(const __be32 words[4], uint8_t family)
{
	struct zdd_addr addr;

	if (family == AF_INET)
		return zdd_addr_v4(words[0]);
	memcpy(&addr, words, sizeof(addr));
	return addr;
}

static int take_socket(const struct nlmsghdr *message, void *context)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(message);
	struct reading *r = context;

	if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY || r->over)
		return MNL_CB_OK;
	r->found = false;
	r->socket = (struct net_socket){.id = m->id,
					.family = m->idiag_family,
					.state = m->idiag_state,
					.local = addr_of(m->id.idiag_src, m->idiag_family),
					.remote = addr_of(m->id.idiag_dst, m->idiag_family)};
	if (mnl_attr_parse(message, sizeof(*m), take_attribute, r) < 0)
		return MNL_CB_ERROR;
	r->over = r->found && !r->each(&r->socket, r->context);
	return MNL_CB_OK; /* the rest of the answer has to be read all the same */
}

/* ---- asking ---- */

static struct inet_diag_req_v2 *put_request(struct nlmsghdr *message, uint16_t type, uint16_t flags,
					    uint8_t family)
{
	struct inet_diag_req_v2 *request;

	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = IPPROTO_TCP;
	return request;
}

static void ask_for_storage(struct nlmsghdr *message, int fd)
{
	struct nlattr *nest = mnl_attr_nest_start(message, INET_DIAG_REQ_SK_BPF_STORAGES);

	mnl_attr_put_u32(message, SK_DIAG_BPF_STORAGE_REQ_MAP_FD, (uint32_t)fd);
	mnl_attr_nest_end(message, nest);
}

static int each_of(struct net_sockets *n, const struct net_sockets_asked *asked, uint8_t family,
		   struct reading *r)
{
	char buffer[REQUEST_BYTES];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *request =
		put_request(message, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family);

	request->idiag_states = open_states;
	request->id.idiag_sport = asked->port;
	if (asked->with_idle)
		request->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	if (asked->taken >= 0)
		ask_for_storage(message, asked->taken);
	return net_ask_on(n->ask, message, take_socket, r);
}

int net_sockets_each(struct net_sockets *n, const struct net_sockets_asked *asked,
		     bool (*each)(const struct net_socket *, void *), void *context)
{
	struct reading r = {.each = each, .context = context};
	int err = each_of(n, asked, AF_INET, &r);

	if (!err && !r.over)
		err = each_of(n, asked, AF_INET6, &r);
	return err;
}

int net_socket_end(struct net_sockets *n, const struct net_socket *s)
{
	char buffer[REQUEST_BYTES];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *request = put_request(message, SOCK_DESTROY, NLM_F_ACK, s->family);

	request->idiag_states = UINT32_MAX;
	request->id = s->id;
	return net_ask_on(n->ask, message, take_socket, NULL);
}

/* A port that nobody has: both answers come without a connection being touched. */
int net_sockets_trouble(struct net_sockets *n)
{
	struct reading nobody = {.over = true};
	int err = each_of(n, &(struct net_sockets_asked){.port = htons(1), .taken = -1}, AF_INET,
			  &nobody);

	if (err)
		return err == -ENOENT ? -EPROTONOSUPPORT : err;
	err = net_socket_end(n, &(struct net_socket){.family = AF_INET});
	return err == -ENOENT ? 0 : err;
}

/* ---- the beginning and the end ---- */

static int open_ask(struct net_sockets *n)
{
	struct timeval patience = {.tv_sec = ANSWER_SECONDS};

	n->ask = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!n->ask || mnl_socket_bind(n->ask, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(n->ask), SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)))
		return -errno;
	return 0;
}

int net_sockets_open(struct net_sockets **out)
{
	struct net_sockets *n = calloc(1, sizeof(*n));
	int err = n ? open_ask(n) : -ENOMEM;

	if (err)
		net_sockets_close(n);
	else
		*out = n;
	return err;
}

void net_sockets_close(struct net_sockets *n)
{
	if (!n)
		return;
	if (n->ask)
		mnl_socket_close(n->ask);
	free(n);
}
