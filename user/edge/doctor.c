/* SPDX-License-Identifier: BSD-2-Clause */
/* Gathers the facts for core/doctor.h from /proc, rtnetlink's picture and the data path. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "control.h"
#include "daemon.h"
#include "doctor_int.h"
#include "firewall.h"

enum { HALF_OPEN_SUSPECT = 3 };

void bad(struct visit *v, enum doctor_check check, const char *format, ...)
{
	struct doctor_fact *f = &v->facts[check];
	va_list args;

	if (f->state == DOCTOR_BAD)
		return;
	f->state = DOCTOR_BAD;
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
}

/* The number in a file of /proc, or -1. */
static long read_number(const char *format, const char *name)
{
	char path[256], line[64];
	FILE *f;
	long value = -1;

	snprintf(path, sizeof(path), format, name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fgets(line, sizeof(line), f))
		value = strtol(line, NULL, 10);
	fclose(f);
	return value;
}

static void unknown(struct visit *v, enum doctor_check check)
{
	if (v->facts[check].state == DOCTOR_GOOD)
		v->facts[check].state = DOCTOR_UNKNOWN;
}

/* ---- the host ---- */

static void see_kernel(struct visit *v)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		unknown(v, DOCTOR_KERNEL);
	else if (major < 5 || (major == 5 && minor < 15))
		bad(v, DOCTOR_KERNEL, "this is Linux %s", name.release);
}

static bool serves(const struct world *w, bool v4)
{
	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct cfg_service *s = &w->config->services[i];

		for (size_t k = 0; s->forward != FORWARD_LOCAL && k < s->n_listen; k++)
			if (s->listen[k].any || (bool)zdd_addr_is_v4(&s->listen[k].addr) == v4)
				return true;
	}
	return false;
}

static void see_forwarding(struct visit *v)
{
	if (serves(v->daemon->world, true) &&
	    read_number("/proc/sys/net/ipv4/%s", "ip_forward") == 0)
		bad(v, DOCTOR_FORWARDING4, "net.ipv4.ip_forward is 0");
	if (serves(v->daemon->world, false) &&
	    read_number("/proc/sys/net/ipv6/conf/%s/forwarding", "all") == 0)
		bad(v, DOCTOR_FORWARDING6, "net.ipv6.conf.all.forwarding is 0");
}

/* The kernel uses the greater of conf.all and conf.IF; 1 is strict. */
static void see_rp_filter(struct visit *v)
{
	long all = read_number("/proc/sys/net/ipv4/conf/%s/rp_filter", "all");

	for (size_t i = 0; i < v->n_rows; i++) {
		long own = read_number("/proc/sys/net/ipv4/conf/%s/rp_filter", v->rows[i].name);

		if ((own > all ? own : all) == 1)
			bad(v, DOCTOR_RP_FILTER, "rp_filter is strict on %s", v->rows[i].name);
	}
}

static void see_interfaces(struct visit *v)
{
	for (size_t i = 0; i < v->n_rows; i++) {
		const struct net_link *link = net_link_named(v->daemon->net, v->rows[i].name);

		if (!strcmp(v->rows[i].mode, "missing"))
			bad(v, DOCTOR_INTERFACES, "%s: %s", v->rows[i].name, v->rows[i].why);
		else if (link && !link->up)
			bad(v, DOCTOR_INTERFACES, "%s is down", v->rows[i].name);
		if (strstr(v->rows[i].why, "another XDP") || strstr(v->rows[i].why, "other XDP"))
			bad(v, DOCTOR_OTHER_XDP, "%s: %s", v->rows[i].name, v->rows[i].why);
		if (!strcmp(v->rows[i].mode, "xdp-generic"))
			bad(v, DOCTOR_GENERIC,
			    "%s has generic XDP: some 15 %% dearer than tc for small packets, "
			    "and large ones (GSO, GRO) go by the stack",
			    v->rows[i].name);
		if (link && !strcmp(v->rows[i].mode, "xdp") && !link->takes_redirects)
			bad(v, DOCTOR_REDIRECTS,
			    "%s takes no XDP redirects; frames to it go by "
			    "the stack",
			    v->rows[i].name);
	}
}

/* Large receive offload gives XDP frames that it cannot forward. */
static void see_offload(struct visit *v)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; i < v->n_rows; i++) {
		struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
		struct ifreq ask = {.ifr_data = (char *)&flags};

		memcpy(ask.ifr_name, v->rows[i].name, sizeof(ask.ifr_name));
		if (!strcmp(v->rows[i].mode, "xdp") && !ioctl(fd, SIOCETHTOOL, &ask) &&
		    flags.data & ETH_FLAG_LRO)
			bad(v, DOCTOR_OFFLOAD, "large receive offload is on at %s",
			    v->rows[i].name);
	}
	if (fd >= 0)
		close(fd);
}

/* ---- listeners and backends ---- */

static void see_listener(struct visit *v, const struct cfg_service *s, const struct cfg_listener *l)
{
	if (!l->any && !net_is_local(v->daemon->net, &l->addr))
		bad(v, DOCTOR_VIP,
		    "%s: %s is not an address of this host; that is right only if "
		    "another router sends it here",
		    s->name, l->text);
}

/* Whoever the clients come by; conf.all counts for each. */
static bool routes_localnet(const struct config *c)
{
	static const char path[] = "/proc/sys/net/ipv4/conf/%s/route_localnet";

	for (size_t i = 0; i < c->n_interfaces; i++)
		if (read_number(path, c->interfaces[i].name) == 1)
			return true;
	return read_number(path, "all") == 1;
}

static void see_localnet(struct visit *v, const struct world_service *s,
			 const struct world_backend *b)
{
	if (!routes_localnet(v->daemon->world->config))
		bad(v, DOCTOR_LOCALNET, "%s: UDP to %s needs route_localnet where clients come in",
		    s->cfg->name, b->cfg->text);
}

static void see_backend(struct visit *v, const struct world_service *s,
			const struct world_backend *b)
{
	struct numbers n = numbers_of(v->daemon);
	struct backend_numbers now = n.backend(n.context, b->object);
	bool loopback = zdd_addr_is_v4(&b->cfg->addr) && b->cfg->addr.b[12] == 127;

	if (now.mac && !strcmp(now.mac, "unresolved") && s->cfg->forward != FORWARD_LOCAL)
		bad(v, DOCTOR_NEIGHBOURS, "%s: the next hop to %s has no MAC address", s->cfg->name,
		    b->cfg->text);
	if (forward_is_one_way(s->cfg->forward))
		see_road(v, s, b);
	else if (now.half_open >= HALF_OPEN_SUSPECT && !now.row.replies &&
		 b->health.state == HEALTH_UP)
		bad(v, DOCTOR_BYPASS,
		    "%s: %s answers probes, but of %llu half-open flows not one "
		    "reply came by: replies bypass this node",
		    s->cfg->name, b->cfg->text, (unsigned long long)now.half_open);
	for (size_t i = 0; loopback && i < s->cfg->n_listen; i++)
		if (s->cfg->listen[i].proto == IPPROTO_UDP)
			see_localnet(v, s, b);
}

static void see_services(struct visit *v)
{
	const struct world *w = v->daemon->world;

	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct world_service *s = &w->services[i];

		for (size_t k = 0; k < s->cfg->n_listen; k++)
			see_listener(v, s->cfg, &s->cfg->listen[k]);
		for (size_t p = 0; p < s->cfg->n_pools; p++)
			for (size_t b = 0; b < s->cfg->pools[p].n_backends; b++)
				see_backend(v, s, &s->pools[p].backends[b]);
	}
}

/* A TCP listener of this host on the same port and address (or any). */
static const char *find_listening(const struct world *w, const struct zdd_addr *addr, uint16_t port)
{
	static const struct zdd_addr any6;
	struct zdd_addr any4 = zdd_addr_v4(0);
	bool any = zdd_addr_eq(addr, &any6) || zdd_addr_eq(addr, &any4);

	for (size_t i = 0; i < w->config->n_services; i++) {
		const struct cfg_service *s = &w->config->services[i];

		for (size_t k = 0; s->forward != FORWARD_LOCAL && k < s->n_listen; k++)
			if (s->listen[k].proto == IPPROTO_TCP && s->listen[k].port == port &&
			    (any || s->listen[k].any || zdd_addr_eq(&s->listen[k].addr, addr)))
				return s->listen[k].text;
	}
	return NULL;
}

/* "  0: 0100007F:1F90 00000000:0000 0A ...": local address in words of host order, state 0A. */
static bool parse_socket(const char *line, bool v6, struct zdd_addr *addr, unsigned *port)
{
	unsigned state, w[4] = {0};
	int n = v6 ? sscanf(line, " %*u: %8x%8x%8x%8x:%x %*[^ ] %x", &w[0], &w[1], &w[2], &w[3],
			    port, &state)
		   : sscanf(line, " %*u: %8x:%x %*[^ ] %x", &w[3], port, &state);

	if (n != (v6 ? 6 : 3) || state != 0x0a)
		return false;
	*addr = zdd_addr_v4(w[3]);
	if (v6)
		memcpy(addr->b, w, 16);
	return true;
}

static void see_sockets(struct visit *v, const char *path, bool v6)
{
	FILE *f = fopen(path, "re");
	struct zdd_addr addr;
	char line[512];
	unsigned port;

	while (f && fgets(line, sizeof(line), f)) {
		const char *taken =
			parse_socket(line, v6, &addr, &port)
				? find_listening(v->daemon->world, &addr, (uint16_t)port)
				: NULL;

		if (taken)
			bad(v, DOCTOR_PORT_TAKEN,
			    "a process of this host listens on %s too; its "
			    "new connections go to the backends",
			    taken);
	}
	if (f)
		fclose(f);
}

/* ---- firewalls ---- */

static bool has_local(const struct world *w)
{
	for (size_t i = 0; i < w->config->n_services; i++)
		if (w->config->services[i].forward == FORWARD_LOCAL)
			return true;
	return false;
}

/* Rules that accept the listeners' traffic may stand before the policy: it is said, not proven. */
static void see_firewall(struct visit *v)
{
	long tracked = read_number("/proc/sys/net/netfilter/%s", "nf_conntrack_count");
	struct firewall f;

	if (firewall_look(&f))
		unknown(v, DOCTOR_NFTABLES);
	else if (f.drops_forward[0])
		bad(v, DOCTOR_NFTABLES, "nftables: the policy of %s is drop", f.drops_forward);
	else if (f.drops_input[0] && has_local(v->daemon->world))
		bad(v, DOCTOR_NFTABLES,
		    "nftables: the policy of %s is drop, where mode local "
		    "comes in",
		    f.drops_input);
	if (tracked > 0)
		bad(v, DOCTOR_CONNTRACK, "conntrack follows %ld connections here", tracked);
}

/* ---- mode local ---- */

static void see_open_sockets(struct visit *v)
{
	const char *why = datapath_sockets_trouble(v->daemon->datapath);

	if (why && has_local(v->daemon->world))
		bad(v, DOCTOR_SOCKETS, "%s", why);
}

/* ---- the data path ---- */

static void see_flow_room(struct visit *v)
{
	struct zdd_count_row row = datapath_counts(v->daemon->datapath);

	if (row.verdict[ZDD_V_SNAT_NO_ROOM])
		bad(v, DOCTOR_FLOW_ROOM, "%llu flows of mode snat found no room and were dropped",
		    (unsigned long long)row.verdict[ZDD_V_SNAT_NO_ROOM]);
	if (row.verdict[ZDD_V_TABLE_FULL])
		bad(v, DOCTOR_FLOW_ROOM,
		    "%llu flows found no room and were forwarded without state",
		    (unsigned long long)row.verdict[ZDD_V_TABLE_FULL]);
}

/* ---- mode snat ---- */

static bool has_snat(const struct world *w)
{
	for (size_t i = 0; i < w->config->n_services; i++)
		if (w->config->services[i].forward == FORWARD_SNAT)
			return true;
	return false;
}

static void see_sources(struct visit *v)
{
	const struct cfg_snat *s = &v->daemon->world->config->snat;
	struct zdd_count_row row = datapath_counts(v->daemon->datapath);

	for (size_t i = 0; i < s->n_addresses; i++)
		if (!net_is_local(v->daemon->net, &s->addresses[i].addr))
			bad(v, DOCTOR_SNAT_SOURCE, "%s is not an address of this host",
			    s->addresses[i].text);
	if (row.verdict[ZDD_V_SNAT_NO_SOURCE])
		bad(v, DOCTOR_SNAT_SOURCE,
		    "%llu packets found no address of this host on the way to their backend",
		    (unsigned long long)row.verdict[ZDD_V_SNAT_NO_SOURCE]);
}

static bool ports_reserved(unsigned first, unsigned last)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	unsigned from, to;
	bool all = false;
	char word[32];

	while (f && !all && fscanf(f, "%31[^,\n]%*[,\n]", word) == 1)
		all = sscanf(word, "%u-%u", &from, &to) == 2 && from <= first && to >= last;
	if (f)
		fclose(f);
	return all;
}

/* The part of the range that the host's own connections may take. */
static void see_port_range(struct visit *v)
{
	const struct cfg_snat *s = &v->daemon->world->config->snat;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first, last;

	if (!f)
		return unknown(v, DOCTOR_SNAT_PORTS);
	if (fscanf(f, "%u %u", &first, &last) == 2 && first <= s->port_last &&
	    last >= s->port_first) {
		first = first > s->port_first ? first : s->port_first;
		last = last < s->port_last ? last : s->port_last;
		if (!ports_reserved(first, last))
			bad(v, DOCTOR_SNAT_PORTS,
			    "this host opens connections of its own from ports %u to %u too", first,
			    last);
	}
	fclose(f);
}

static void see_snat(struct visit *v)
{
	struct zdd_count_row row = datapath_counts(v->daemon->datapath);

	if (row.verdict[ZDD_V_SNAT_EXHAUSTED])
		bad(v, DOCTOR_SNAT_PORTS, "%llu new flows found no free source port",
		    (unsigned long long)row.verdict[ZDD_V_SNAT_EXHAUSTED]);
	if (!has_snat(v->daemon->world))
		return;
	see_sources(v);
	see_port_range(v);
}

static void see_daemon(struct visit *v)
{
	for (size_t i = 0; i < PROBLEMS; i++)
		if (i != PROBLEM_DRIFT && v->daemon->problem[i][0])
			bad(v, DOCTOR_DAEMON, "%.250s", v->daemon->problem[i]);
}

json_t *doctor_report(struct daemon *d)
{
	struct visit v = {.daemon = d};

	for (size_t i = 0; i < DOCTOR_CHECKS; i++)
		v.facts[i].state = DOCTOR_GOOD;
	numbers_count(d);
	v.n_rows = datapath_interfaces(d->datapath, v.rows, INTERFACES_MAX);
	see_kernel(&v);
	see_forwarding(&v);
	see_rp_filter(&v);
	see_interfaces(&v);
	see_offload(&v);
	see_services(&v);
	see_sockets(&v, "/proc/net/tcp", false);
	see_sockets(&v, "/proc/net/tcp6", true);
	see_firewall(&v);
	see_open_sockets(&v);
	see_flow_room(&v);
	see_untold(&v);
	see_snat(&v);
	see_daemon(&v);
	return doctor_json(v.facts);
}
