/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as written by a person: text -> struct config, all or nothing (DESIGN 5).
 * Pure: takes bytes, gives values. Nothing here knows the kernel or the running state. */
#ifndef ZDD_CONFIG_H
#define ZDD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_rollout.h"
#include "passive.h"
#include "zdd/addr.h"

enum {
	CFG_SERVICES_MAX = 16384,
	CFG_BACKENDS_MAX = 32768, /* in all services together */
	CFG_SNAT_FIRST = 1024, /* below Linux's own ports for connections it opens, 32768-60999 */
	CFG_SNAT_LAST = 32767,
	CFG_LISTENERS_MAX = 256, /* per service, listen and preview each */
};

enum attach_mode { ATTACH_AUTO, ATTACH_XDP, ATTACH_GENERIC, ATTACH_TC };
enum forward_mode {
	FORWARD_NAT,
	FORWARD_LOCAL,
	FORWARD_DSR,
	FORWARD_IPIP,
	FORWARD_GUE,
	FORWARD_SNAT,
};
/* Answers go from the backend to the client directly; the backend has the listener's address, and
 * the port stays. */
bool forward_is_one_way(enum forward_mode);
/* An IPv4 backend serves IPv6 clients too, and the other way round. */
bool forward_crosses(enum forward_mode);
/* Both directions of its connections are seen: they tell about the backends. */
bool forward_is_watched(enum forward_mode);
enum sticky_mode { STICKY_POOL, STICKY_BACKEND, STICKY_NONE };
enum retry_mode { RETRY_POOL, RETRY_LIVE, RETRY_OFF };
enum flood_mode { FLOOD_PASS, FLOOD_PROVE };
enum vip_mode { VIP_EXPECT, VIP_MANAGE };
enum drain_then { THEN_KEEP, THEN_SHED, THEN_CUT };
enum health_type { HEALTH_TCP, HEALTH_HTTP, HEALTH_HTTPS, HEALTH_EXEC, HEALTH_NONE };

/* The words of the file and of the API for the values above, in their order, then NULL. */
extern const char *const attach_words[];
extern const char *const forward_words[];
extern const char *const sticky_words[];
extern const char *const vip_words[];
extern const char *const retry_words[];
extern const char *const flood_words[];
extern const char *const health_words[];
extern const char *const then_words[];

/* An address of this node that mode snat may show the backends. */
struct cfg_address {
	char *text; /* canonical */
	struct zdd_addr addr;
	unsigned line;
};

struct cfg_snat {
	struct cfg_address *addresses; /* none: this node's address on the way to each backend */
	size_t n_addresses;
	uint16_t port_first, port_last; /* host order */
};

struct cfg_interface {
	char *name;
	enum attach_mode attach;
	unsigned line;
};

struct cfg_listener {
	char *text;           /* canonical: "203.0.113.10:443/tcp", ":443/tcp" */
	struct zdd_addr addr; /* unset when any */
	bool any;             /* every local address, both families */
	uint16_t port;        /* host order, 1..65535 */
	uint8_t proto;        /* IPPROTO_TCP or IPPROTO_UDP */
	unsigned line;
};

struct cfg_backend {
	char *text; /* canonical address:port, "[v6]:port"; what tables hash and JSON shows */
	struct zdd_addr addr;
	uint16_t port;   /* host order */
	uint16_t weight; /* 1..1000, default 1 */
	unsigned line;
};

struct cfg_pool {
	char *name;
	struct cfg_backend *backends;
	size_t n_backends; /* 0 is allowed: an empty pool takes no traffic */
	unsigned line;
};

struct cfg_cohort {
	char *text;            /* canonical CIDR */
	struct zdd_addr first; /* lowest address */
	uint8_t prefix_len;    /* 0..128, of the v4-mapped form (v4 /24 is 120) */
	unsigned pool;         /* index into pools */
	unsigned line;
};

struct cfg_health {
	enum health_type type;
	char *path;                       /* http(s), default "/" */
	char *host;                       /* http(s) Host header; NULL: the backend's address */
	char *method;                     /* default GET */
	char *body;                       /* substring the answer must contain; NULL: any */
	uint16_t expect_low, expect_high; /* http status range, default 200-399 */
	uint16_t port;                    /* 0: the backend's own */
	bool tls_verify;                  /* https, default true */
	char **argv;                      /* exec: "command", NULL-terminated */
	uint32_t interval_ms, timeout_ms, initial_delay_ms, fast_interval_ms;
	uint16_t rise, fall;
};

struct cfg_service {
	char *name;
	struct cfg_listener *listen, *preview;
	size_t n_listen, n_preview;
	enum forward_mode forward;
	enum sticky_mode sticky;
	uint8_t sticky_v4, sticky_v6; /* prefix lengths, 1..32 and 1..128 */
	enum vip_mode vip;
	enum retry_mode retry;  /* where a SYN goes that a backend refused */
	enum flood_mode flood;  /* what becomes of SYNs in a flood */
	struct cfg_pool *pools; /* in the order of the file, 1..ZDD_POOLS_PER_SERVICE */
	size_t n_pools;
	unsigned live; /* index into pools */
	struct cfg_cohort *cohorts;
	size_t n_cohorts;
	struct cfg_health health;
	struct cfg_passive passive; /* on only where forward_is_watched() */
	char *salt;                 /* default: the service's name */
	uint32_t slow_start_ms;     /* from a tenth of its weight to all of it; 0: at once */
	uint8_t panic_percent;      /* fewer healthy than this: health is ignored; default 50 */
	uint32_t drain_deadline_ms;
	enum drain_then drain_then; /* of what is open at the deadline */
	uint32_t drain_rate;        /* connections a second that `shed` cuts */
	uint32_t idle_tcp_ms, idle_udp_ms;
	bool signals_http; /* status classes of clear-text HTTP/1 answers are counted */
	struct cfg_rollout rollout;
	unsigned line;
};

struct config {
	struct cfg_interface *interfaces;
	size_t n_interfaces;
	char *metrics;                /* canonical address:port or NULL */
	struct cfg_service *services; /* sorted by name */
	size_t n_services;
	uint32_t flows_tcp, flows_udp; /* table sizes, flows */
	struct cfg_snat snat;
};

/* Parses YAML 1.1 or JSON text of len bytes. file is the name that messages show.
 * 0: *out is a complete, valid configuration (release with config_free).
 * -EINVAL: *out untouched, *error is one line "FILE:LINE:COLUMN: KEY: VALUE: what was expected"
 * (release with free). -ENOMEM. */
int config_parse(const char *file, const char *text, size_t len, struct config **out, char **error);
void config_free(struct config *);

/* Text forms, shared with the API and the CLI-facing messages.
 * Each: 0 or -EINVAL, outputs untouched on failure. */
int parse_endpoint(const char *text, struct zdd_addr *addr, uint16_t *port);
int parse_address(const char *text, struct zdd_addr *addr);
/* "10.0.0.0/8", "2001:db8::/32" or one address; the prefix counts in the v4-mapped form. Host
 * bits are kept for the caller to judge. */
int parse_cidr(const char *text, struct zdd_addr *addr, uint8_t *prefix_len);
int parse_duration_ms(const char *text, uint32_t *ms); /* "250ms" "30s" "5m" "2h" "7d" */
int parse_percent_bp(const char *text, uint16_t *bp);  /* "12.5%" -> 1250; 0..10000 */
/* len decimal digits, no sign, no leading zero, at most max. */
int parse_uint(const char *text, size_t len, uint32_t max, uint32_t *value);
/* [A-Za-z0-9][A-Za-z0-9._-]{0,62}: what a service or pool may be called. */
bool name_is_valid(const char *name);

enum { ADDRESS_TEXT = 46, ENDPOINT_TEXT = 56, DURATION_TEXT = 16 }; /* bytes that always do */
/* Writes "203.0.113.10:443" or "[2001:db8::1]:443" (RFC 5952); size >= ENDPOINT_TEXT. */
void format_endpoint(char *out, size_t size, const struct zdd_addr *addr, uint16_t port);
void format_address(char *out, size_t size, const struct zdd_addr *addr);
void format_cidr(char *out, size_t size, const struct zdd_addr *addr, uint8_t prefix_len);
void format_duration(char *out, size_t size, uint32_t ms); /* the largest unit that is exact */
/* Bits behind the prefix (of the v4-mapped form) become zero. */
struct zdd_addr mask_address(struct zdd_addr addr, unsigned prefix_len);
/* The nearest of n words to got, or NULL. Near: up to 3 edits (insert, delete, replace, swap),
 * but no more than half of the word; case does not count. */
const char *nearest_word(const char *got, const char *const *words, size_t n);

#endif
