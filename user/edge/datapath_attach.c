/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interface gets which program, and why. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_int.h"
#include "explain.h"
#include "net.h"
#include "ways.h"

/* ---- what is wanted ---- */

struct want {
	char name[16];
	uint32_t ifindex; /* 0: missing */
	enum attach_mode mode;
	const char *because;
};

struct wants {
	struct want *list;
	size_t n;
	bool failed;
};

static void add_want(struct wants *w, struct want want)
{
	struct want *list;

	for (size_t i = 0; want.ifindex && i < w->n; i++)
		if (w->list[i].ifindex == want.ifindex)
			return;
	list = realloc(w->list, (w->n + 1) * sizeof(*list));
	if (!list) {
		w->failed = true;
		return;
	}
	w->list = list;
	list[w->n++] = want;
}

static struct want want_of(const struct net_link *link, const char *because)
{
	struct want want = {.ifindex = link->ifindex, .mode = ATTACH_AUTO, .because = because};

	memcpy(want.name, link->name, sizeof(want.name));
	return want;
}

static void want_listed(struct wants *w, const struct config *config, const struct net *net)
{
	for (size_t i = 0; i < config->n_interfaces; i++) {
		const struct cfg_interface *cfg = &config->interfaces[i];
		const struct net_link *link = net_link_named(net, cfg->name);
		struct want want = {.mode = cfg->attach, .because = "listed"};

		snprintf(want.name, sizeof(want.name), "%s", cfg->name);
		want.ifindex = link ? link->ifindex : 0;
		add_want(w, want);
	}
}

/* Its packets are rewritten: not so for TCP in mode local. A service that is gone may have been
 * either. */
static bool is_rewritten(const struct world_service *s)
{
	if (!s || s->cfg->forward != FORWARD_LOCAL)
		return true;
	for (size_t i = 0; i < s->cfg->n_listen; i++)
		if (s->cfg->listen[i].proto != IPPROTO_TCP)
			return true;
	return false;
}

static void want_to_backend(struct wants *w, const struct zdd_addr *addr,
			    const struct world_service *s, const struct net *net)
{
	const struct net_link *link;
	struct net_path path;

	if (net_resolve(net, addr, &path) || (path.local && !is_rewritten(s)))
		return;
	link = path.local ? net_link_named(net, "lo") : net_link(net, path.ifindex);
	if (link)
		add_want(w, want_of(link, path.local ? "leads to backends on this host"
						     : "leads to backends"));
}

/* The memory tells who still has flows, the configuration who will have some. */
static void want_to_backends(struct wants *w, const struct datapath *dp, const struct world *world,
			     const struct net *net)
{
	for (uint32_t i = 0; i < dp->geometry.backends; i++) {
		const struct zdd_backend *b = &dp->memory.backends[i];

		if (b->flags & ZDD_B_USED)
			want_to_backend(w, &b->addr,
					world_find(world, dp->memory.pool_names[b->pool].service),
					net);
	}
	for (size_t i = 0; i < world->config->n_services; i++) {
		const struct world_service *s = &world->services[i];

		for (size_t k = 0; k < s->cfg->n_pools; k++)
			for (size_t n = 0; n < s->cfg->pools[k].n_backends; n++)
				if (s->pools[k].backends[n].object == ZDD_NONE)
					want_to_backend(w, &s->cfg->pools[k].backends[n].addr, s,
							net);
	}
}

/* ---- one interface ---- */

static int set_xdp(struct datapath *dp, uint32_t ifindex, struct way *way)
{
	enum hook_kind kind = way->generic ? HOOK_XDP_GENERIC : HOOK_XDP;
	enum hook_kind other = way->generic ? HOOK_XDP : HOOK_XDP_GENERIC;
	int err = 0;

	/* The kernel has one of the two at a time: tc stands in between. */
	if (hook_is_set(dp, other, ifindex))
		err = hook_set_tc(dp, false, ifindex);
	hook_drop(dp, other, ifindex);
	if (!err)
		err = hook_set(dp, kind, ifindex, (int)ifindex);
	way->failed = err != 0;
	if (err == -EBUSY || err == -EEXIST)
		snprintf(way->why, sizeof(way->why), "another XDP program is there");
	else if (err)
		snprintf(way->why, sizeof(way->why), "no %s XDP: %.30s",
			 way->generic ? "generic" : "native", strerror(-err));
	return err;
}

static void describe(struct datapath_interface *out, const struct want *want, const char *mode,
		     const char *why)
{
	unsigned others = want->ifindex ? hook_others(want->ifindex) : 0;

	memset(out, 0, sizeof(*out));
	memcpy(out->name, want->name, sizeof(out->name));
	out->ifindex = want->ifindex;
	snprintf(out->mode, sizeof(out->mode), "%s", mode);
	if (others)
		snprintf(out->why, sizeof(out->why), "%.24s; %.38s; %u other tc programs",
			 want->because, why, others);
	else
		snprintf(out->why, sizeof(out->why), "%.36s; %.55s", want->because, why);
}

/* The new hook comes before the old one goes. */
static int attach_one(struct datapath *dp, const struct want *want, struct way *way,
		      struct datapath_interface *out)
{
	uint32_t ifindex = want->ifindex;
	bool xdp;
	int err;

	if (!way->kind) {
		describe(out, want, "missing", "no such interface yet");
		return 0;
	}
	if (hook_foreign(dp, ifindex)) {
		describe(out, want, "failed", "another zddd has it");
		return -EBUSY;
	}
	xdp = way->xdp && !set_xdp(dp, ifindex, way);
	err = xdp ? 0 : hook_set_tc(dp, false, ifindex);
	if (!err)
		err = hook_set_tc(dp, true, ifindex);
	if (err) {
		describe(out, want, "failed", strerror(-err));
		return err;
	}
	if (xdp) {
		hook_drop_tc(dp, false, ifindex);
	} else {
		hook_drop(dp, HOOK_XDP, ifindex);
		hook_drop(dp, HOOK_XDP_GENERIC, ifindex);
	}
	describe(out, want, !xdp ? "tc" : way->generic ? "xdp-generic" : "xdp", way->why);
	return 0;
}

/* ---- the links that the programs know ---- */

static bool is_wanted(const struct wants *w, uint32_t ifindex)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->list[i].ifindex == ifindex)
			return true;
	return false;
}

static bool has_generic(const struct datapath *dp, uint32_t ifindex)
{
	for (size_t i = 0; i < dp->n_interfaces; i++)
		if (dp->interfaces[i].ifindex == ifindex)
			return !strcmp(dp->interfaces[i].mode, "xdp-generic");
	return false;
}

static int write_link(struct datapath *dp, const struct net_link *link)
{
	struct zdd_link *at = &dp->memory.links[zdd_link_slot(link->ifindex)];

	if (at->ifindex != link->ifindex && (at[1].ifindex == link->ifindex || at->ifindex))
		at++;
	if (at->ifindex && at->ifindex != link->ifindex)
		return -ENOSPC;
	memcpy(at->mac, link->mac, sizeof(at->mac));
	at->mtu = (uint16_t)(link->mtu > UINT16_MAX ? UINT16_MAX : link->mtu);
	at->flags = (link->takes_redirects ? ZDD_H_XDP : 0) |
		    (has_generic(dp, link->ifindex) ? ZDD_H_GENERIC : 0);
	__atomic_store_n(&at->ifindex, link->ifindex, __ATOMIC_RELEASE);
	return 0;
}

static int write_links(struct datapath *dp, const struct wants *w, const struct net *net)
{
	int err = 0;

	for (uint32_t i = 0; i < ZDD_LINKS; i++)
		if (dp->memory.links[i].ifindex && !is_wanted(w, dp->memory.links[i].ifindex))
			__atomic_store_n(&dp->memory.links[i].ifindex, 0, __ATOMIC_RELEASE);
	for (size_t i = 0; i < w->n && !err; i++) {
		const struct net_link *link =
			w->list[i].ifindex ? net_link(net, w->list[i].ifindex) : NULL;

		if (link)
			err = write_link(dp, link);
	}
	return err;
}

static void drop_unwanted(struct datapath *dp, const struct wants *w)
{
	for (size_t i = dp->n_hooks; i-- > 0;) {
		struct hook hook = dp->hooks[i];

		if (hook.ifindex && !is_wanted(w, hook.ifindex))
			hook_drop(dp, hook.kind, hook.ifindex);
	}
}

/* ---- all ---- */

/* Seen to take no redirects although it had XDP. Drivers may say so only while they have it. */
static bool took_none(const struct datapath *dp, uint32_t ifindex)
{
	for (size_t i = 0; i < dp->n_interfaces; i++)
		if (dp->interfaces[i].ifindex == ifindex)
			return dp->interfaces[i].takes_none;
	return false;
}

/* known: programs are attached, so the kernel's word about redirects counts. */
static void see_ways(const struct datapath *dp, const struct wants *w, const struct net *net,
		     bool known, struct way *ways)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct want *want = &w->list[i];
		const struct net_link *link = want->ifindex ? net_link(net, want->ifindex) : NULL;

		ways[i].name = want->name;
		ways[i].kind = link ? link->kind : NULL;
		ways[i].mode = want->mode;
		ways[i].known = known || took_none(dp, want->ifindex);
		ways[i].redirected = link && link->takes_redirects;
	}
}

static int attach_list(struct datapath *dp, const struct wants *w, struct way *ways,
		       struct datapath_interface *list, char **error)
{
	int err = 0;

	for (size_t i = 0; i < w->n; i++) {
		int failed = attach_one(dp, &w->list[i], &ways[i], &list[i]);

		if (failed && !err)
			err = explain(error, failed, "interface %s: %s", w->list[i].name,
				      failed == -EBUSY ? "another zddd has it" : strerror(-failed));
	}
	return err;
}

/* Who takes redirects, and who has no XDP, is known when programs are attached: then `auto` is
 * chosen once more. */
static int attach_twice(struct datapath *dp, const struct wants *w, struct net *net,
			struct way *ways, struct datapath_interface *list, char **error)
{
	bool *takes_none = calloc(w->n + 1, sizeof(*takes_none));
	int err;

	if (!takes_none)
		return explain(error, -ENOMEM, "out of memory while attaching");
	see_ways(dp, w, net, false, ways);
	ways_choose(ways, w->n);
	err = attach_list(dp, w, ways, list, error);
	net_refresh_links(net);
	see_ways(dp, w, net, true, ways);
	for (size_t i = 0; i < w->n; i++)
		takes_none[i] = !ways[i].redirected &&
				(!strcmp(list[i].mode, "xdp") || took_none(dp, list[i].ifindex));
	ways_choose(ways, w->n);
	if (!err)
		err = attach_list(dp, w, ways, list, error);
	for (size_t i = 0; i < w->n; i++)
		list[i].takes_none = takes_none[i];
	free(takes_none);
	return err;
}

static int attach_all(struct datapath *dp, const struct wants *w, struct net *net, char **error)
{
	struct datapath_interface *list = calloc(w->n + 1, sizeof(*list));
	struct way *ways = calloc(w->n + 1, sizeof(*ways));
	int err = -ENOMEM;

	if (!list || !ways || w->failed) {
		free(list);
		explain(error, err, "out of memory while attaching");
	} else {
		err = attach_twice(dp, w, net, ways, list, error);
		free(dp->interfaces);
		dp->interfaces = list;
		dp->n_interfaces = w->n;
	}
	free(ways);
	return err;
}

int datapath_attach(struct datapath *dp, const struct world *world, struct net *net, char **error)
{
	struct wants w = {0};
	int err, failed;

	want_listed(&w, world->config, net);
	want_to_backends(&w, dp, world, net);
	err = attach_all(dp, &w, net, error);
	failed = write_links(dp, &w, net);
	if (failed && !err)
		err = explain(error, failed, "too many interfaces with like numbers");
	drop_unwanted(dp, &w);
	datapath_resolve(dp, world, net);
	if (!err)
		err = local_attach(dp, world, error);
	free(w.list);
	return err;
}
