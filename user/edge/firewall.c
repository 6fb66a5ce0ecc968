/* SPDX-License-Identifier: BSD-2-Clause */
/* The chains of nftables over netlink; uapi/linux/netfilter/nf_tables.h has the attributes. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "firewall.h"

enum { GET_CHAIN = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, ANSWER_MAX = 1 << 15 };

/* The attribute of that type among len bytes, or NULL. */
static const struct nlattr *find(const struct nlattr *a, size_t len, int type)
{
	while (len >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN && a->nla_len <= len) {
		size_t step = NLA_ALIGN(a->nla_len);

		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		if (step > len)
			break;
		len -= step;
		a = (const struct nlattr *)((const char *)a + step);
	}
	return NULL;
}

static const char *text_of(const struct nlattr *a)
{
	return a ? (const char *)a + NLA_HDRLEN : "?";
}

static uint32_t number_of(const struct nlattr *a, uint32_t otherwise)
{
	uint32_t value;

	if (!a || a->nla_len < NLA_HDRLEN + sizeof(value))
		return otherwise;
	memcpy(&value, (const char *)a + NLA_HDRLEN, sizeof(value));
	return ntohl(value);
}

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_INET ? "inet" : family == NFPROTO_IPV4 ? "ip" : "ip6";
}

static void see_chain(struct firewall *f, const struct nfgenmsg *of, const struct nlattr *first,
		      size_t len)
{
	const struct nlattr *hook = find(first, len, NFTA_CHAIN_HOOK);
	bool ip = of->nfgen_family == NFPROTO_INET || of->nfgen_family == NFPROTO_IPV4 ||
		  of->nfgen_family == NFPROTO_IPV6;
	uint32_t at;
	char *out;

	if (!hook)
		return; /* nobody comes here by himself */
	f->chains++;
	at = number_of(find((const struct nlattr *)((const char *)hook + NLA_HDRLEN),
			    hook->nla_len - NLA_HDRLEN, NFTA_HOOK_HOOKNUM),
		       NF_INET_NUMHOOKS);
	out = at == NF_INET_FORWARD ? f->drops_forward : f->drops_input;
	if (!ip || (at != NF_INET_FORWARD && at != NF_INET_LOCAL_IN) || out[0] ||
	    number_of(find(first, len, NFTA_CHAIN_POLICY), NF_ACCEPT) != NF_DROP)
		return;
	snprintf(out, sizeof(f->drops_input), "%s %.40s %.40s", family_name(of->nfgen_family),
		 text_of(find(first, len, NFTA_CHAIN_TABLE)),
		 text_of(find(first, len, NFTA_CHAIN_NAME)));
}

/* 1: there is more to come. */
static int see_answer(struct firewall *f, const char *answer, ssize_t len)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		const struct nfgenmsg *of = NLMSG_DATA(h);
		const char *first = (const char *)of + NLMSG_ALIGN(sizeof(*of));

		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		see_chain(f, of, (const struct nlattr *)first,
			  h->nlmsg_len - (size_t)(first - (const char *)h));
	}
	return 1;
}

static int ask(int fd)
{
	struct {
		struct nlmsghdr header;
		struct nfgenmsg family;
	} request = {{sizeof(request), GET_CHAIN, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
		     {AF_UNSPEC, NFNETLINK_V0, 0}};
	struct timeval patience = {1, 0};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	return 0;
}

int firewall_look(struct firewall *out)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int err = fd < 0 ? -errno : ask(fd), more = 1;
	_Alignas(struct nlmsghdr) char answer[ANSWER_MAX];
	struct firewall f = {0};

	while (!err && more > 0) {
		ssize_t len = recv(fd, answer, sizeof(answer), 0);

		err = len < 0 ? -errno : 0;
		more = err ? 0 : see_answer(&f, answer, len);
	}
	if (fd >= 0)
		close(fd);
	if (!err && more < 0)
		err = more;
	if (!err)
		*out = f;
	return err;
}
