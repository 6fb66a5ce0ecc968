/* SPDX-License-Identifier: BSD-2-Clause */
/* Next hops: immutable slots that backends point at. A slot that nobody points at any more is
 * reused after a grace period. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_int.h"
#include "net.h"
#include "sources.h"

/* hop.refs: 1 in use or resting, 0 free. Slot 0 is the stack's. */

void hops_adopt(struct datapath *dp)
{
	const struct zdd_memory *m = &dp->memory;

	for (uint32_t i = 1; i < dp->geometry.hops; i++)
		m->hops[i].refs = 0;
	for (uint32_t i = 0; i < dp->geometry.backends; i++)
		if (m->backends[i].flags & ZDD_B_USED && m->backends[i].hop < dp->geometry.hops)
			m->hops[m->backends[i].hop].refs = 1;
}

void hops_settled(struct datapath *dp, uint64_t generation)
{
	size_t kept = 0;

	for (size_t i = 0; i < dp->n_retired; i++) {
		if (dp->retired[i].generation < generation)
			dp->memory.hops[dp->retired[i].hop].refs = 0;
		else
			dp->retired[kept++] = dp->retired[i];
	}
	dp->n_retired = kept;
}

static uint64_t generation_now(const struct datapath *dp)
{
	return ZDD_WORD_GENERATION(dp->memory.desk->word);
}

static void retire(struct datapath *dp, uint16_t hop)
{
	struct retired_hop *list;

	if (!hop)
		return;
	list = realloc(dp->retired, (dp->n_retired + 1) * sizeof(*list));
	if (!list)
		return; /* rests until the next daemon */
	dp->retired = list;
	list[dp->n_retired++] = (struct retired_hop){hop, generation_now(dp)};
}

static uint32_t find_free(struct datapath *dp)
{
	for (uint32_t tried = 1; tried < dp->geometry.hops; tried++) {
		dp->hop_cursor = dp->hop_cursor % (dp->geometry.hops - 1) + 1;
		if (!dp->memory.hops[dp->hop_cursor].refs)
			return dp->hop_cursor;
	}
	return 0;
}

/* When all slots rest, waits for them here: that takes thousands of changes without a publish. */
static uint32_t take_hop(struct datapath *dp, const struct zdd_hop *hop)
{
	uint32_t i = find_free(dp);

	if (!i && dp->n_retired && !datapath_grace(dp)) {
		hops_settled(dp, UINT64_MAX);
		i = find_free(dp);
	}
	if (i)
		dp->memory.hops[i] = *hop;
	return i;
}

static struct zdd_hop hop_of(struct datapath *dp, const struct net *net,
			     const struct net_path *path, const struct zdd_addr *backend)
{
	const struct net_link *link = net_link(net, path->ifindex);
	struct zdd_hop hop = {
		.ifindex = path->ifindex, .vlan = path->vlan, .mtu = path->mtu, .refs = 1};

	hop.source = source_take(&dp->memory, &path->source);
	hop.prefix = path->prefix;
	if (path->local)
		hop.flags |= ZDD_H_LOCAL;
	if (!zdd_addr_eq(&path->next_hop, backend))
		hop.flags |= ZDD_H_GATEWAY;
	if (path->resolved)
		hop.flags |= ZDD_H_RESOLVED;
	if (link && link->takes_redirects)
		hop.flags |= ZDD_H_XDP;
	if (link && !strcmp(link->kind, "veth") && link->peer_elsewhere)
		hop.flags |= ZDD_H_PEER;
	memcpy(hop.dmac, path->dmac, sizeof(hop.dmac));
	memcpy(hop.smac, path->smac, sizeof(hop.smac));
	return hop;
}

static bool same_hop(const struct zdd_hop *a, const struct zdd_hop *b)
{
	return !memcmp(a, b, offsetof(struct zdd_hop, refs)) && a->mtu == b->mtu &&
	       a->source == b->source && a->prefix == b->prefix;
}

static void point_at(struct datapath *dp, struct zdd_backend *b, uint16_t hop)
{
	uint16_t old = b->hop;

	__atomic_store_n(&b->hop, hop, __ATOMIC_RELEASE);
	retire(dp, old);
}

static void resolve(struct datapath *dp, struct zdd_backend *b, const struct net *net)
{
	struct net_path path;
	struct zdd_hop hop;

	if (net_resolve(net, &b->addr, &path)) {
		if (b->hop)
			point_at(dp, b, 0);
		return;
	}
	hop = hop_of(dp, net, &path, &b->addr);
	if (!b->hop || !same_hop(&hop, &dp->memory.hops[b->hop]))
		point_at(dp, b, (uint16_t)take_hop(dp, &hop));
	if (!path.local && !path.resolved)
		net_kick(net, &path);
}

static void resolve_all(struct datapath *dp, const struct net *net, bool only_new)
{
	for (uint32_t i = 0; i < dp->geometry.backends; i++) {
		struct zdd_backend *b = &dp->memory.backends[i];

		if (b->flags & ZDD_B_USED && !(only_new && b->hop))
			resolve(dp, b, net);
	}
}

void hops_for_new(struct datapath *dp, const struct net *net)
{
	resolve_all(dp, net, true);
}

void datapath_resolve(struct datapath *dp, const struct world *world, struct net *net)
{
	(void)world; /* the memory also knows those that only flows still use */
	resolve_all(dp, net, false);
}
