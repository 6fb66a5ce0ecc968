/* SPDX-License-Identifier: BSD-2-Clause */
/* The node that packet cases meet: a configuration compiled by the daemon's own planner into an
 * engine's memory, with next hops and a link as the daemon would have resolved them. */
#ifndef ZDD_SITE_H
#define ZDD_SITE_H

#include "engine.h"
#include "plan.h"

struct site {
	struct zdd_memory *memory;
	struct planner *planner;
	struct world *world;
	uint64_t seed;
};

extern const char site_config[];        /* the usual one */
extern const char site_config_less[];   /* the same without the listener LEAVING */
extern const char site_config_few[];    /* the same with two ports for mode snat */
extern const char site_config_one[];    /* with one */
extern const char site_config_twenty[]; /* with 20 of them */
extern const char site_config_listed[]; /* the same with NODE_TOO for mode snat */

/* Clears the memory and publishes site_config as generation 1. */
void site_make(struct site *, struct zdd_memory *, uint64_t seed);
void site_free(struct site *);
/* Publishes another configuration as the next generation; flows stay. */
void site_apply(struct site *, const char *text);
/* The backend of this address is down from now on, by a new plan. */
void site_down(struct site *, const struct end *backend);

/* It is ejected, by a new plan; on_trial: and that plan and an offer let one new connection try it. */
void site_eject(struct site *, const struct end *backend, bool on_trial);
/* The pool that is not live in the first service with two has all clients, on this lease. */
void site_lease(struct site *, const struct zdd_override *);
/* Of all pools; latencies of all buckets in the first. */
void site_shown(const struct site *, struct zdd_signals *pools, struct zdd_signals *backends);
/* Of all backends. */
struct zdd_signal_row site_signals(const struct site *);

struct zdd_backend *site_backend(const struct site *, const struct end *backend); /* or NULL */
struct zdd_hop *site_hop(const struct site *, const struct end *backend);
/* Flows seem to have been silent for so many more seconds. */
void site_age(const struct site *, uint32_t seconds);
/* The SYNs of half-open flows were sent so many seconds ago; negative: are still to be sent. */
void site_sent(const struct site *, int seconds_ago);
/* Every free place of every table is taken by strangers. */
void site_fill(const struct site *);
/* The daemon cuts every TCP flow. */
void site_cut(const struct site *);
/* Some flow that is being cut expects these numbers next; else a message and the end. */
void site_knows(const struct site *, uint32_t client_seq, uint32_t server_seq);
void site_clear_flows(const struct site *);

/* All hops have this MTU. */
void site_mtu(const struct site *, uint16_t mtu);

extern const uint8_t node_mac[6];
void backend_mac(const struct end *backend, uint8_t mac[6]);

#define CLIENT "198.51.100.7:40000"
#define CLIENT6 "[2001:db8:100::7]:40000"
#define WEB "203.0.113.10:443" /* one backend */
#define WEB6 "[2001:db8::10]:443"
#define WEB_B "10.0.1.11:8080"
#define WEB6_B "[fd00:1::11]:8080"
#define DNS "203.0.113.10:53" /* UDP, one backend */
#define DNS6 "[2001:db8::10]:53"
#define DNS_B "10.0.1.53:5353"
#define DNS6_B "[fd00:1::53]:5353"
#define PAIR "203.0.113.10:8000"    /* TCP and UDP, two backends */
#define PAIR6 "[2001:db8::10]:8000" /* TCP, two backends */
#define PAIR6_B "[fd00:2::11]:8080"
#define PAIR6_B2 "[fd00:2::12]:8080"
#define PAIR_TOO "203.0.113.20:8000"
#define PAIR_B "10.0.2.11:8080"
#define PAIR_B2 "10.0.2.12:8080"
#define TWIN "203.0.113.20:443" /* TCP and UDP, one backend under two listeners */
#define TWIN_TOO "203.0.113.20:8443"
#define TWIN_B "10.0.3.11:8080"
#define EMPTY "203.0.113.10:9000" /* no backend */
#define EMPTY6 "[2001:db8::10]:9000"
#define LOCAL "203.0.113.10:9100"
/* One backend each, at the port of its listener; the v4 one serves both families. */
#define DSR "203.0.113.40:443" /* TCP and UDP */
#define DSR6 "[2001:db8::40]:443"
#define DSR_B "10.0.5.11:443"
#define DSR6_B "[fd00:5::11]:443"
#define IPIP "203.0.113.41:443"
#define IPIP6 "[2001:db8::41]:443"
#define IPIP_B "10.0.6.11:443"
#define IPIP_BY6 "203.0.113.42:443"
#define IPIP6_BY6 "[2001:db8::42]:443"
#define IPIP_BY6_B "[fd00:6::11]:443"
#define GUE "203.0.113.43:443"
#define GUE6 "[2001:db8::43]:443"
#define GUE_B "10.0.7.11:443"
#define GUE_BY6 "203.0.113.44:443"
#define GUE6_BY6 "[2001:db8::44]:443"
#define GUE_BY6_B "[fd00:7::11]:443"
#define OTHER_DSR "203.0.113.45:443" /* the same backend as DSR */
#define NODE_SOURCE "10.0.0.1:1"     /* what is in front of packets comes from here */
#define NODE_SOURCE6 "[fd00::1]:1"
#define FAR "203.0.113.50:443" /* TCP and UDP, mode snat, one backend */
#define FAR6 "[2001:db8::50]:443"
#define FAR_B "10.0.8.11:8080"
#define FAR6_B "[fd00:8::11]:8080"
#define FAR_PAIR "203.0.113.51:443" /* TCP, mode snat, two backends */
#define FAR_PAIR_B "10.0.8.21:8080"
#define FAR_PAIR_B2 "10.0.8.22:8080"
#define NODE_TOO "10.0.6.1"
#define NODE6_TOO "fd00:6::1"
#define CANARY "203.0.113.60:443" /* TCP, two pools of one backend each, the first is live */
#define CANARY_LIVE "10.0.10.11:8080"
#define CANARY_NEW "10.0.10.21:8080"
#define HTTP "203.0.113.61:80" /* TCP, its statuses are counted */
#define HTTP_B "10.0.11.11:8080"
#define LEAVING "203.0.113.30:443" /* not in site_config_less */
#define LEAVING_B "10.0.4.11:8080"

#endif
