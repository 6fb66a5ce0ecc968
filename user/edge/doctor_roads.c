/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the topology allows the modes that do not rewrite: dsr, ipip, gue. */
#include <stdio.h>
#include <string.h>

#include "doctor_int.h"

/* Why packets cannot go there without the stack, NULL: they can. */
static const char *road_trouble(const struct visit *v, const struct world_service *s,
				const struct zdd_hop *hop)
{
	const struct net_link *link = net_link(v->daemon->net, hop->ifindex);

	if (!hop->ifindex)
		return "there is no route to it";
	if (hop->flags & ZDD_H_LOCAL)
		return "it is on this host";
	if (s->cfg->forward == FORWARD_DSR)
		return hop->flags & ZDD_H_GATEWAY ? "it is behind a router" : NULL;
	if (!hop->source)
		return "this node has no address on the way to it";
	return link && !link->up ? "the interface to it is down" : NULL;
}

enum { V6_MTU_MIN = 1280 };

/* IPv6 must be able to send 1280 bytes; everything else a client can adapt to. */
static void see_tunnel_mtu(struct visit *v, const struct world_service *s,
			   const struct world_backend *b, const struct zdd_hop *hop)
{
	unsigned header = zdd_addr_is_v4(&b->cfg->addr) ? 20 : 40;
	struct doctor_fact *f = &v->facts[DOCTOR_TUNNEL_MTU];
	unsigned fits;

	header += s->cfg->forward == FORWARD_GUE ? 8 : 0;
	fits = hop->mtu - (s->cfg->forward == FORWARD_DSR ? 0 : header);
	for (size_t i = 0; i < s->cfg->n_listen && hop->mtu; i++)
		if (!zdd_addr_is_v4(&s->cfg->listen[i].addr) && fits < V6_MTU_MIN)
			bad(v, DOCTOR_TUNNEL_MTU, "%s: %u bytes fit the way to %s; IPv6 needs 1280",
			    s->cfg->name, fits, b->cfg->text);
	if (f->state == DOCTOR_GOOD && hop->mtu && !f->text[0])
		snprintf(f->text, sizeof(f->text),
			 "%s: packets of %u bytes fit the way to %s; who sends larger ones is "
			 "told by ICMP",
			 s->cfg->name, fits, b->cfg->text);
}

void see_road(struct visit *v, const struct world_service *s, const struct world_backend *b)
{
	const struct zdd_memory *m = datapath_memory(v->daemon->datapath);
	const struct zdd_hop *hop;
	const char *trouble;

	if (b->object == ZDD_NONE)
		return;
	hop = &m->hops[m->backends[b->object].hop];
	trouble = road_trouble(v, s, hop);
	if (trouble)
		bad(v, DOCTOR_ROADS, "%s: %s cannot be reached by %s: %s", s->cfg->name,
		    b->cfg->text, forward_words[s->cfg->forward], trouble);
	else
		see_tunnel_mtu(v, s, b, hop);
}

void see_untold(struct visit *v)
{
	struct zdd_count_row row = datapath_counts(v->daemon->datapath);

	if (row.verdict[ZDD_V_TOO_BIG_UNTOLD])
		bad(v, DOCTOR_TUNNEL_MTU,
		    "%llu packets did not fit the way to their backend and allowed no answer",
		    (unsigned long long)row.verdict[ZDD_V_TOO_BIG_UNTOLD]);
}
