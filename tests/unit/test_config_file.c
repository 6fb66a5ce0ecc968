/* SPDX-License-Identifier: BSD-2-Clause */
/* Refused: text that is no tree, keys of the file, names, listeners. */
#include "t.h"
#include "config_row.h"

static const struct bad_row text_rows[] = {
	BAD("", "1:1: nothing in it; expected interfaces and services"),
	BAD("# only a comment\n", "1:1: nothing in it; expected interfaces and services"),
	BAD("a: [1\n", "2:1: did not find expected ',' or ']' (while parsing a flow sequence)"),
	BAD("a: 1\n\tb: 2\n", "2:1: found a tab; expected spaces (while scanning a plain scalar)"),
	BAD("a: \"\\xff\n", "2:1: found unexpected end of stream (while scanning a quoted scalar)"),
	BAD("interfaces: [\"a\377b\"]\n", "1:16: invalid leading UTF-8 octet; expected UTF-8 text"),
	BAD("a\0b: 1\n", "1:2: control characters are not allowed; expected UTF-8 text"),
	BAD("a: \"x\\0y\"\n", "1:4: a NUL character is not allowed"),
	BAD("interfaces: [e]\n---\na: 1\n", "2:1: a second document; expected one per file"),
	BAD("a: &x 1\nb: *x\n", "1:4: anchors (&name) are not allowed; write the value out"),
	BAD("b: *x\n", "1:4: aliases (*name) are not allowed; write the value out"),
	BAD("a: !!int 1\n", "1:4: tags (!type) are not allowed; write the plain value"),
	BAD("? [a]\n: 1\n", "1:3: expected a word as key, in quotes if it has brackets"),
	BAD("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n",
	    "1:17: nested too deep; expected at most 16 levels"),
	BAD("just text\n", "1:1: 'just text': expected a mapping (key: value)"),
	BAD("[1, 2]\n", "1:1: a list: expected a mapping (key: value)"),
	BAD("null\n", "1:1: nothing: expected a mapping (key: value)"),
	BAD(HEAD "interfaces: [eth1]\n",
	    "2:1: interfaces: duplicate key; it is already given in line 1"),
	BAD("{\"interfaces\": [\"eth0\"], \"services\": {}, \"interfaces\": []}\n",
	    "1:42: interfaces: duplicate key; it is already given in line 1"),
};

TEST(refused_text)
{
	check_bad(text_rows, sizeof(text_rows) / sizeof(text_rows[0]));
}

static const struct bad_row top_rows[] = {
	BAD("interfaces: [eth0]\n",
	    "1:1: 'services' is missing; expected a mapping of service names"),
	BAD("services: {a: {}}\n", "1:1: 'interfaces' is missing; expected a list such as [eth0]"),
	BAD("interface: [eth0]\n", "1:1: interface: unknown key; did you mean 'interfaces'?"),
	BAD(HEAD "foobarbaz: 1\n",
	    "2:1: foobarbaz: unknown key; expected interfaces, metrics, flows, snat or services"),
	BAD(HEAD "\"a\\nb\\e[31m\": 1\n",
	    "2:1: a\\x0ab\\x1b[31m: unknown key; expected interfaces, metrics, flows, snat or "
	    "services"),
	BAD("interfaces: []\nservices: {}\n", "1:13: interfaces: 0 given; expected 1 to 512"),
	BAD("interfaces: eth0\nservices: {}\n",
	    "1:13: interfaces: 'eth0': expected a list such as [eth0]"),
	BAD(HEAD "services: {}\n", "2:11: services: 0 given; expected 1 to 16384"),
	BAD(HEAD "services: [web]\n",
	    "2:11: services: a list: expected a mapping of service names"),
	BAD("interfaces: [eth0, lo, eth0]\nservices:\n  web:\n    listen: [\":80/tcp\"]\n"
	    "    pools: {blue: [\"10.0.0.1:80\"]}\n",
	    "1:24: interfaces[2]: 'eth0': expected each interface once; it is already in "
	    "line 1"),
	BAD("interfaces: [verylonginterface]\n",
	    "1:14: interfaces[0]: 'verylonginterface': expected an interface name of 1 "
	    "to 15 bytes"),
	BAD("interfaces: [a/b]\n",
	    "1:14: interfaces[0]: 'a/b': expected an interface name without '/', ':' or "
	    "spaces"),
	BAD("interfaces: [\"\"]\n",
	    "1:14: interfaces[0]: '': expected an interface name of 1 to 15 bytes"),
	BAD("interfaces: [~]\n", "1:14: interfaces[0]: nothing: expected an interface name"),
	BAD("interfaces: [{attach: tc}]\n",
	    "1:14: interfaces[0]: 'name' is missing; expected an interface name"),
	BAD("interfaces: [{name: eth0, attach: xpd}]\n",
	    "1:35: interfaces[0].attach: 'xpd': expected auto, xdp, xdp-generic or tc; did you mean "
	    "'xdp'?"),
	BAD("interfaces: [{name: \"..\"}]\n",
	    "1:21: interfaces[0].name: '..': expected an interface name without '/', ':' "
	    "or spaces"),
	BAD("interfaces: [{name: eth0, attach: xdp-generic}]\nservices:\n  web:\n"
	    "    listen: [\"203.0.113.10:80/tcp\"]\n    forward: dsr\n"
	    "    pools: {b: [\"10.0.0.1:80\"]}\n",
	    "1:14: interfaces[0]: 'eth0': expected auto, xdp or tc, since web forwards by dsr"),
	BAD(HEAD "metrics: localhost:9177\n",
	    "2:10: metrics: 'localhost:9177': expected address:port, such as "
	    "127.0.0.1:9177"),
	BAD(HEAD "metrics: {}\n",
	    "2:10: metrics: a mapping: expected address:port, such as 127.0.0.1:9177, in "
	    "quotes if it has brackets"),
	BAD(HEAD "flows: {tcp: 1000}\n",
	    "2:14: flows.tcp: '1000': expected a whole number from 1024 to 16777216"),
	BAD(HEAD "flows: {udp: 1e6}\n",
	    "2:14: flows.udp: '1e6': expected a whole number from 1024 to 16777216"),
	BAD(HEAD "flows: {tpc: 1}\n", "2:9: flows.tpc: unknown key; did you mean 'tcp'?"),
	BAD(HEAD "snat: {addresses: 10.0.0.1}\n",
	    "2:19: snat.addresses: '10.0.0.1': expected a list such as [10.0.1.1]"),
	BAD(HEAD "snat: {addresses: [10.0.0]}\n",
	    "2:20: snat.addresses[0]: '10.0.0': expected an address of this node, such as "
	    "10.0.1.1 or 2001:db8::1"),
	BAD(HEAD "snat: {addresses: [127.0.0.1]}\n",
	    "2:20: snat.addresses[0]: '127.0.0.1': expected an address of this node, such as "
	    "10.0.1.1 or 2001:db8::1, not loopback"),
	BAD(HEAD "snat: {ports: 80-90}\n",
	    "2:15: snat.ports: '80-90': expected a range such as 1024-32767, from 1024 on"),
	BAD(HEAD "snat: {ports: 3000-2000}\n",
	    "2:15: snat.ports: '3000-2000': expected a range such as 1024-32767, from 1024 on"),
	BAD(HEAD "snat: {ports: 2000}\n",
	    "2:15: snat.ports: '2000': expected a range such as 1024-32767, from 1024 on"),
	BAD(HEAD "snat: {port: 2000-3000}\n", "2:8: snat.port: unknown key; did you mean 'ports'?"),
	BAD(HEAD "services:\n  -web: {}\n",
	    "3:3: services.-web: expected a service name of up to 63 letters, digits, "
	    "'.', '_' or '-'"),
	BAD(HEAD "services:\n  a/b: {}\n",
	    "3:3: services.a/b: expected a service name of up to 63 letters, digits, "
	    "'.', '_' or '-'"),
	BAD(HEAD "services:\n  \"\": {}\n",
	    "3:3: services.'': expected a service name of up to 63 letters, digits, '.', "
	    "'_' or '-'"),
	BAD(HEAD "services:\n  web:\n",
	    "3:7: services.web: nothing: expected a mapping (key: value)"),
	BAD(POOLS("{\"x y\": []}"),
	    "5:13: services.web.pools.x y: expected a pool name of up to 63 letters, "
	    "digits, '.', '_' or '-'"),
	BAD(POOLS("{pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp: "
		  "[]}"),
	    "5:13: "
	    "services.web.pools.pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp: "
	    "expected a pool name of up to 63 letters, digits, '.', '_' or '-'"),
};

TEST(refused_top)
{
	check_bad(top_rows, sizeof(top_rows) / sizeof(top_rows[0]));
}

static const struct bad_row listeners_rows[] = {
	BAD(LISTEN("\":80\""),
	    "4:14: services.web.listen[0]: ':80': expected a protocol at the end: /tcp "
	    "or /udp"),
	BAD(LISTEN("\":80/tpc\""),
	    "4:14: services.web.listen[0]: ':80/tpc': expected a protocol at the end: "
	    "/tcp or /udp"),
	BAD(LISTEN("\":80/sctp\""),
	    "4:14: services.web.listen[0]: ':80/sctp': expected a protocol at the end: "
	    "/tcp or /udp"),
	BAD(LISTEN("\":0/tcp\""),
	    "4:14: services.web.listen[0]: ':0/tcp': " EXPECTED_LISTENER "; a port is 1 to 65535"),
	BAD(LISTEN("\":65536/tcp\""),
	    "4:14: services.web.listen[0]: ':65536/tcp': " EXPECTED_LISTENER),
	BAD(LISTEN("\":8000-8010/tcp\""),
	    "4:14: services.web.listen[0]: ':8000-8010/tcp': " EXPECTED_LISTENER
	    "; port ranges are not supported, list each port"),
	BAD(LISTEN("\"203.0.113.10:8000-8010/tcp\""),
	    "4:14: services.web.listen[0]: '203.0.113.10:8000-8010/tcp': " EXPECTED_LISTENER
	    "; port ranges are not supported, list each port"),
	BAD(LISTEN("\"203.0.113.10/tcp\""),
	    "4:14: services.web.listen[0]: '203.0.113.10/tcp': " EXPECTED_LISTENER),
	BAD(LISTEN("\"203.0.113.256:80/tcp\""),
	    "4:14: services.web.listen[0]: '203.0.113.256:80/tcp': " EXPECTED_LISTENER),
	BAD(LISTEN("\"2001:db8::1:80/tcp\""),
	    "4:14: services.web.listen[0]: '2001:db8::1:80/tcp': " EXPECTED_LISTENER
	    "; put an IPv6 address in brackets"),
	BAD(LISTEN("\"[fe80::1%eth0]:80/tcp\""),
	    "4:14: services.web.listen[0]: '[fe80::1%eth0]:80/tcp': " EXPECTED_LISTENER
	    "; IPv6 zone ids are not supported"),
	BAD(LISTEN("\"[fe80::1]:80/tcp\""),
	    "4:14: services.web.listen[0]: '[fe80::1]:80/tcp': expected an address of "
	    "this node, not link-local; :80/tcp is every local address"),
	BAD(LISTEN("\"[::ffff:203.0.113.10]:80/tcp\""),
	    "4:14: services.web.listen[0]: '[::ffff:203.0.113.10]:80/tcp': " EXPECTED_LISTENER
	    "; write an IPv4 address without ::ffff:"),
	BAD(LISTEN("\"0.0.0.0:80/tcp\""),
	    "4:14: services.web.listen[0]: '0.0.0.0:80/tcp': expected an address of this "
	    "node, not unspecified; :80/tcp is every local address"),
	BAD(LISTEN("\"[::]:80/udp\""),
	    "4:14: services.web.listen[0]: '[::]:80/udp': expected an address of this "
	    "node, not unspecified; :80/udp is every local address"),
	BAD(LISTEN("\"224.0.0.1:80/tcp\""),
	    "4:14: services.web.listen[0]: '224.0.0.1:80/tcp': expected an address of "
	    "this node, not multicast; :80/tcp is every local address"),
	BAD(LISTEN("\"255.255.255.255:80/tcp\""),
	    "4:14: services.web.listen[0]: '255.255.255.255:80/tcp': expected an address "
	    "of this node, not broadcast; :80/tcp is every local address"),
	BAD(LISTEN("\"[ff02::1]:80/tcp\""),
	    "4:14: services.web.listen[0]: '[ff02::1]:80/tcp': expected an address of "
	    "this node, not multicast; :80/tcp is every local address"),
	BAD(LISTEN("\"example.org:80/tcp\""),
	    "4:14: services.web.listen[0]: 'example.org:80/tcp': " EXPECTED_LISTENER),
	BAD(LISTEN("[2001:db8::1]:80/tcp"),
	    "4:14: expected a word as key, in quotes if it has brackets"),
	BAD(LISTEN(""), "4:13: services.web.listen: 0 given; expected 1 to 256"),
	BAD(LISTEN("\":80/tcp\", \":80/tcp\""),
	    "4:25: services.web.listen[1]: ':80/tcp': already taken by ':80/tcp' in line "
	    "4"),
	BAD(LISTEN("\"203.0.113.10:80/tcp\", \":80/tcp\""),
	    "4:37: services.web.listen[1]: ':80/tcp': already taken by "
	    "'203.0.113.10:80/tcp' in line 4"),
	BAD(SERVICE("    listen: [\"[2001:db8::1]:80/tcp\", \"[2001:db8:0::1]:80/tcp\"]"
		    "\n    pools: {blue: [\"[2001:db8::2]:80\"]}\n"),
	    "4:38: services.web.listen[1]: '[2001:db8:0::1]:80/tcp': already taken by "
	    "'[2001:db8::1]:80/tcp' in line 4"),
	BAD(SERVICE("    listen: \":80/tcp\"\n    pools: {blue: []}\n"),
	    "4:13: services.web.listen: ':80/tcp': expected a list such as [\""
	    "203.0.113.10:443/tcp\"]"),
	BAD(SERVICE("    pools: {blue: []}\n"),
	    "4:5: services.web: 'listen' is missing; expected a list such as [\""
	    "203.0.113.10:443/tcp\"]"),
	BAD(SERVICE("    listen: [\":80/tcp\"]\n"),
	    "4:5: services.web: 'pools' is missing; expected a mapping of pool names to "
	    "lists of backends"),
	BAD(WEB("    preview: [\":80/tcp\"]\n"),
	    "6:15: services.web.preview[0]: ':80/tcp': already taken by ':80/tcp' in "
	    "line 4"),
	BAD(WEB("    preview: [\":81/tcp\", \":0/tcp\"]\n"),
	    "6:26: services.web.preview[1]: ':0/tcp': " EXPECTED_LISTENER "; a port is 1 to 65535"),
	BAD(WEB("  api:\n    listen: [\"203.0.113.10:80/tcp\"]\n    pools: {v1: []}"
		"\n"),
	    "7:14: services.api.listen[0]: '203.0.113.10:80/tcp': already taken by "
	    "':80/tcp' in line 4"),
	BAD(WEB("  a:\n    listen: [\":81/tcp\"]\n    preview: [\""
		"203.0.113.10:80/tcp\"]\n    pools: {v1: []}\n"),
	    "8:15: services.a.preview[0]: '203.0.113.10:80/tcp': already taken by "
	    "':80/tcp' in line 4"),
};

TEST(refused_listeners)
{
	check_bad(listeners_rows, sizeof(listeners_rows) / sizeof(listeners_rows[0]));
}
