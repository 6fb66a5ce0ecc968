/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "ways.h"

static bool is_loopback(const struct way *w)
{
	return w->kind && !strcmp(w->kind, "loopback");
}

/* Why not XDP when it was left to us; NULL: XDP it is. */
static const char *auto_refuses(const char *kind)
{
	if (!strcmp(kind, "loopback"))
		return "loopback has no XDP of its own";
	if (!strcmp(kind, "veth") || !strcmp(kind, "bridge"))
		return "tc keeps large packets whole there";
	return kind[0] ? "a virtual device" : NULL;
}

static void choose_alone(struct way *w)
{
	const char *refused = NULL;

	if (w->mode == ATTACH_TC)
		refused = "asked for";
	else if (w->kind && (w->mode == ATTACH_AUTO || is_loopback(w)))
		refused = auto_refuses(w->kind);
	w->xdp = w->kind && !refused && !w->failed;
	w->generic = w->mode == ATTACH_GENERIC;
	if (!w->failed)
		snprintf(w->why, sizeof(w->why), "%s",
			 refused      ? refused
			 : w->generic ? "generic XDP, asked for: slower than tc"
				      : "native XDP");
}

/* What is reached through the loopback is reached through the stack anyway. */
static bool hinders(const struct way *w)
{
	return w->kind && !is_loopback(w) && (!w->xdp || (w->known && !w->redirected));
}

static const struct way *find_hindrance(const struct way *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (hinders(&list[i]))
			return &list[i];
	return NULL;
}

static void choose_together(struct way *w, const char *name, bool tc)
{
	w->xdp = w->mode == ATTACH_XDP;
	if (w->xdp)
		snprintf(w->why, sizeof(w->why), "native XDP, but %.15s %s", name,
			 tc ? "has tc" : "takes no XDP redirects");
	else
		snprintf(w->why, sizeof(w->why), "%.15s %s", name,
			 tc ? "has tc, so this too" : "takes no XDP redirects");
}

void ways_choose(struct way *list, size_t n)
{
	const struct way *hindrance;
	bool tc;

	for (size_t i = 0; i < n; i++)
		choose_alone(&list[i]);
	hindrance = find_hindrance(list, n);
	tc = hindrance && !hindrance->xdp;
	for (size_t i = 0; hindrance && i < n; i++)
		if (list[i].xdp && !list[i].generic)
			choose_together(&list[i], hindrance->name, tc);
}

/* Drivers that have native XDP and no ndo_xdp_xmit in Linux 6.1: a redirect to their devices is
 * dropped without a word. Kernels that tell (6.3) deny it to the same. */
bool ways_driver_sends(const char *driver)
{
	static const char *const silent[] = {"ixgbevf", "mlx4_en", "netdevsim", "nfp", "nicvf"};

	for (size_t i = 0; driver && i < sizeof(silent) / sizeof(*silent); i++)
		if (!strcmp(driver, silent[i]))
			return false;
	return driver && driver[0];
}
