/* SPDX-License-Identifier: BSD-2-Clause */
/* zdd-decap: takes packets of zdd's modes ipip and gue out of their tunnel, on a backend's host. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "decap.h"
#include "version.h"

static const char help[] =
	"zdd-decap: takes packets of zdd's modes ipip and gue out of their tunnel.\n"
	"\n"
	"  zdd-decap                    what is attached, and counters\n"
	"  zdd-decap attach IF...       IPIP and GUE (UDP 6080) to this host are unpacked\n"
	"      --mtu N                  of the way from the switch; else the interface's\n"
	"      --from NETWORK           only this may send; up to 16 times, else anybody\n"
	"  zdd-decap detach IF...       as if it had never been\n"
	"\n"
	"  --bpffs DIR                  where it is pinned: " DECAP_DIR "\n"
	"  --help, --version\n"
	"\n"
	"It stays attached when the command ends. Name the interfaces by which packets come\n"
	"in, and those by which answers leave: there the MSS is lowered to what fits.\n";

enum { INTERFACES_MAX = 64, MTU_MIN = 576, MTU_MAX = 65535 };

struct request {
	const char *verb, *dir, *interfaces[INTERFACES_MAX];
	size_t n;
	struct decap_settings settings;
};

int complain(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("zdd-decap: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return code;
}

static int take_sender(struct decap_settings *s, const char *text)
{
	struct zdd_addr addr, ones = {.w = {~0u, ~0u, ~0u, ~0u}};
	uint8_t prefix;

	if (parse_cidr(text, &addr, &prefix))
		return complain(EXIT_USAGE, "--from: '%s': expected a network such as 10.0.1.0/24",
				text);
	if (s->n_senders == DECAP_SENDERS)
		return complain(EXIT_USAGE, "--from: expected at most %d", DECAP_SENDERS);
	s->sender[s->n_senders].mask = mask_address(ones, prefix);
	s->sender[s->n_senders++].net = mask_address(addr, prefix);
	return EXIT_OK;
}

static int take_option(struct request *r, const char *name, const char *value)
{
	uint32_t mtu;

	if (strcmp(name, "--bpffs") && strcmp(name, "--mtu") && strcmp(name, "--from"))
		return complain(EXIT_USAGE, "unknown option '%s'; see zdd-decap --help", name);
	if (!value)
		return complain(EXIT_USAGE, "%s: a value is missing", name);
	if (!strcmp(name, "--bpffs")) {
		r->dir = value;
		return EXIT_OK;
	}
	if (!strcmp(name, "--from"))
		return take_sender(&r->settings, value);
	if (parse_uint(value, strlen(value), MTU_MAX, &mtu) || mtu < MTU_MIN)
		return complain(EXIT_USAGE, "--mtu: '%s': expected %d to %d", value, MTU_MIN,
				MTU_MAX);
	r->settings.mtu = mtu;
	return EXIT_OK;
}

static int take_word(struct request *r, const char *word)
{
	if (!r->verb) {
		if (strcmp(word, "attach") && strcmp(word, "detach"))
			return complain(EXIT_USAGE, "'%s': expected attach or detach", word);
		r->verb = word;
		return EXIT_OK;
	}
	if (r->n == INTERFACES_MAX)
		return complain(EXIT_USAGE, "expected at most %d interfaces", INTERFACES_MAX);
	if (strlen(word) > 15 || strchr(word, '/'))
		return complain(EXIT_USAGE, "'%s': expected an interface name", word);
	r->interfaces[r->n++] = word;
	return EXIT_OK;
}

static int take_all(struct request *r, int argc, char **argv)
{
	int code = EXIT_OK;

	for (int i = 1; i < argc && !code; i++) {
		if (argv[i][0] != '-') {
			code = take_word(r, argv[i]);
			continue;
		}
		code = take_option(r, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
		i++;
	}
	if (!code && r->verb && !r->n)
		code = complain(EXIT_USAGE, "%s: which interface?", r->verb);
	return code;
}

static int carry_out(const struct request *r)
{
	int code = EXIT_OK;

	if (!r->verb)
		return decap_show(r->dir);
	for (size_t i = 0; i < r->n && !code; i++)
		code = !strcmp(r->verb, "attach")
			       ? decap_attach(r->dir, r->interfaces[i], &r->settings)
			       : decap_detach(r->dir, r->interfaces[i]);
	return code;
}

int main(int argc, char **argv)
{
	struct request r = {.dir = DECAP_DIR};
	int code;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return fputs(help, stdout) == EOF;
		if (!strcmp(argv[i], "--version"))
			return puts("zdd-decap " ZDD_VERSION) == EOF;
	}
	code = take_all(&r, argc, argv);
	return code ? code : carry_out(&r);
}
