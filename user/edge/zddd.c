/* SPDX-License-Identifier: BSD-2-Clause */
/* zddd: the command line. */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "hooks.h"
#include "log.h"
#include "saved.h"
#include "txn.h"

static const char help[] =
	"usage: zddd --config FILE [options]\n"
	"\n"
	"Switches live TCP and UDP traffic between versions of a service in the kernel.\n"
	"\n"
	"  --config FILE    configuration, YAML or JSON\n"
	"  --run-dir D      control socket zddd.sock (/run/zdd)\n"
	"  --state-dir D    state and history zdd.db (/var/lib/zdd)\n"
	"  --bpffs D        pins of the data path (/sys/fs/bpf/zdd)\n"
	"  --check          check the configuration and exit; needs no root\n"
	"  --remove         take the data path out of the kernel and exit\n"
	"  -v               log more\n"
	"  --version        print the version\n"
	"  --help           print this\n"
	"\n"
	"SIGHUP reads the configuration again, without moving traffic. SIGTERM ends the\n"
	"daemon and leaves the data path forwarding.\n";

enum { CONFIG = 256, RUN_DIR, STATE_DIR, BPFFS, CHECK, REMOVE, VERSION, HELP };

static const struct option options_table[] = {{"config", required_argument, NULL, CONFIG},
					      {"run-dir", required_argument, NULL, RUN_DIR},
					      {"state-dir", required_argument, NULL, STATE_DIR},
					      {"bpffs", required_argument, NULL, BPFFS},
					      {"check", no_argument, NULL, CHECK},
					      {"remove", no_argument, NULL, REMOVE},
					      {"version", no_argument, NULL, VERSION},
					      {"help", no_argument, NULL, HELP},
					      {NULL, 0, NULL, 0}};

static int usage_error(const char *what, const char *which)
{
	fprintf(stderr, "zddd: %s%s; zddd --help lists the options\n", what, which);
	return OUT_BAD_REQUEST;
}

/* -1: go on; else exit with it. */
static int take_option(struct options *o, int option, char *const argv[])
{
	switch (option) {
	case CONFIG:
		o->config = optarg;
		return -1;
	case RUN_DIR:
		o->run_dir = optarg;
		return -1;
	case STATE_DIR:
		o->state_dir = optarg;
		return -1;
	case BPFFS:
		o->bpffs = optarg;
		return -1;
	case CHECK:
		o->check = true;
		return -1;
	case REMOVE:
		o->remove = true;
		return -1;
	case 'v':
		o->verbose = true;
		return -1;
	case VERSION:
		printf("zddd %s\n", ZDD_VERSION);
		return 0;
	case HELP:
		fputs(help, stdout);
		return 0;
	case ':':
		return usage_error("a value is missing after ", argv[optind - 1]);
	default:
		return usage_error("unknown option ", argv[optind - 1]);
	}
}

static int parse(struct options *o, int argc, char *argv[])
{
	int option, code = -1;

	opterr = 0;
	while (code < 0 && (option = getopt_long(argc, argv, ":v", options_table, NULL)) != -1)
		code = take_option(o, option, argv);
	if (code < 0 && optind < argc)
		return usage_error("no arguments are expected, found ", argv[optind]);
	if (code < 0 && !o->config && !o->remove)
		return usage_error("--config FILE is missing", "");
	return code;
}

static int load(const char *path, char **text, struct config **config)
{
	char *error = NULL;
	size_t len;
	int err = -EINVAL;

	*text = read_file(path, &len, &error);
	if (*text)
		err = config_parse_saved(path, *text, len, config, NULL, &error);
	if (!err)
		return 0;
	fprintf(stderr, "zddd: %s\n", error ? error : strerror(-err));
	free(error);
	return OUT_BAD_REQUEST;
}

static int check_addresses(const char *path, const struct cfg_snat *s)
{
	const struct cfg_address *bad = NULL;
	struct net *net = NULL;
	char *error = NULL;

	if (!s->n_addresses)
		return 0;
	if (net_open(&net, &error)) {
		fprintf(stderr, "zddd: whether snat.addresses are this host's cannot be told: %s\n",
			error ? error : "");
		free(error);
		return 0;
	}
	for (size_t i = 0; i < s->n_addresses && !bad; i++)
		if (!net_is_local(net, &s->addresses[i].addr))
			bad = &s->addresses[i];
	net_close(net);
	if (!bad)
		return 0;
	fprintf(stderr, "zddd: %s:%u: snat.addresses: '%s': not an address of this host\n", path,
		bad->line, bad->text);
	return OUT_BAD_REQUEST;
}

static int check_users(const char *path, const struct config *c)
{
	char *error = NULL;

	if (!hooks_check_users(c, path, false, &error))
		return 0;
	fprintf(stderr, "zddd: %s\n", error ? error : "out of memory");
	free(error);
	return OUT_BAD_REQUEST;
}

/* What only this host can tell about the file. */
static int check_host(const char *path, const struct config *c)
{
	for (size_t i = 0; i < c->n_interfaces; i++) {
		const struct cfg_interface *f = &c->interfaces[i];

		if (if_nametoindex(f->name))
			continue;
		fprintf(stderr, "zddd: %s:%u: interfaces[%zu]: '%s': no such interface here\n",
			path, f->line, i, f->name);
		return OUT_BAD_REQUEST;
	}
	if (check_addresses(path, &c->snat) || check_users(path, c))
		return OUT_BAD_REQUEST;
	printf("%s: good: %zu services on %zu interfaces\n", path, c->n_services, c->n_interfaces);
	return 0;
}

int main(int argc, char *argv[])
{
	struct options o = {
		.run_dir = "/run/zdd", .state_dir = "/var/lib/zdd", .bpffs = "/sys/fs/bpf/zdd"};
	struct config *config = NULL;
	char *text = NULL;
	int code = parse(&o, argc, argv);

	if (code >= 0)
		return code;
	if (o.verbose)
		log_verbose();
	if (o.config)
		code = load(o.config, &text, &config);
	if (code <= 0 && o.check && config)
		code = check_host(o.config, config);
	else if (code <= 0 && o.remove)
		code = daemon_remove(&o);
	else if (code <= 0)
		code = daemon_run(&o, config, text);
	if (o.check || o.remove)
		config_free(config);
	free(text);
	return code;
}
