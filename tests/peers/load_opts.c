// SPDX-License-Identifier: BSD-2-Clause
#include "load.h"

#include <stdlib.h>
#include <string.h>

/* Modes are only defaults for the options below. */
static const struct mode {
	const char *name;
	bool udp, reopen;
	uint64_t per_flow, interval_ms;
} modes[] = {
	{"new", false, true, 1, 0},  /* a connection for each request */
	{"keep", false, true, 0, 0}, /* many requests over each connection */
	{"idle", false, false, 0,
	 500}, /* open connections that prove from time to time that they live */
	{"udp", true, true, 1, 0}, /* request and reply, a new port each time */
	{"udpkeep", true, false, 0, 50},
};

static const char usage[] =
	"loadc --mode new|keep|idle|udp|udpkeep --target ADDR:PORT [--target ADDR:PORT]\n"
	"  [--source ADDR --sources N] [--source-port PORT] [--flows N] [--per-flow N] [--total N] [--interval MS]\n"
	"  [--rate N] [--duration MS] [--timeout MS] [--hidden 1] [--http 1] [--log FILE] [--status FILE]";

enum kind { NUMBER, MSEC, TEXT };

static const struct option {
	const char *name;
	enum kind kind;
	size_t offset;
} options[] = {
	{"--per-flow", NUMBER, offsetof(struct load_opts, per_flow)},
	{"--total", NUMBER, offsetof(struct load_opts, total)},
	{"--rate", NUMBER, offsetof(struct load_opts, rate)},
	{"--hidden", NUMBER, offsetof(struct load_opts, hidden)},
	{"--http", NUMBER, offsetof(struct load_opts, http)},
	{"--interval", MSEC, offsetof(struct load_opts, interval_ns)},
	{"--duration", MSEC, offsetof(struct load_opts, duration_ns)},
	{"--timeout", MSEC, offsetof(struct load_opts, timeout_ns)},
	{"--log", TEXT, offsetof(struct load_opts, log_path)},
	{"--status", TEXT, offsetof(struct load_opts, status_path)},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool take_mode(struct load_opts *o, const char *name)
{
	for (size_t i = 0; i < COUNT(modes); i++) {
		const struct mode *m = &modes[i];

		if (strcmp(m->name, name))
			continue;
		o->mode = m->name;
		o->udp = m->udp;
		o->reopen = m->reopen;
		o->per_flow = m->per_flow;
		o->interval_ns = m->interval_ms * NSEC_PER_MSEC;
		return true;
	}
	return false;
}

static bool take_field(struct load_opts *o, const char *key, const char *value)
{
	for (size_t i = 0; i < COUNT(options); i++) {
		void *field = (char *)o + options[i].offset;

		if (strcmp(options[i].name, key))
			continue;
		if (options[i].kind == TEXT)
			*(const char **)field = value;
		else
			*(uint64_t *)field = strtoull(value, NULL, 10) *
					     (options[i].kind == MSEC ? NSEC_PER_MSEC : 1);
		return true;
	}
	return false;
}

static bool take_address(struct load_opts *o, const char *key, const char *value)
{
	if (!strcmp(key, "--target") && o->targets_len < TARGETS_MAX)
		return !addr_parse(value, true, &o->targets[o->targets_len++]);
	if (!strcmp(key, "--source"))
		return !addr_parse(value, false, &o->source);
	return false;
}

static bool take_count(struct load_opts *o, const char *key, const char *value)
{
	uint32_t n = (uint32_t)strtoul(value, NULL, 10);

	if (!strcmp(key, "--flows"))
		o->flows = n;
	else if (!strcmp(key, "--sources"))
		o->source_count = n;
	else if (!strcmp(key, "--source-port"))
		o->source_port = n;
	else
		return false;
	return n > 0;
}

void opts_read(struct load_opts *o, int argc, char **argv)
{
	*o = (struct load_opts){.flows = 1, .source_count = 1, .timeout_ns = 5 * NSEC_PER_SEC};
	if (argc < 3 || strcmp(argv[1], "--mode") || !take_mode(o, argv[2]) || argc % 2 == 0)
		die("%s", usage);
	for (int i = 3; i + 1 < argc; i += 2)
		if (!take_field(o, argv[i], argv[i + 1]) &&
		    !take_address(o, argv[i], argv[i + 1]) && !take_count(o, argv[i], argv[i + 1]))
			die("%s %s: not understood\n%s", argv[i], argv[i + 1], usage);
	if (!o->targets_len)
		die("%s", usage);
}
