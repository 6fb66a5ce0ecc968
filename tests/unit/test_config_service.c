/* SPDX-License-Identifier: BSD-2-Clause */
/* Refused: what a service says about pools, policy, cohorts and health. */
#include "t.h"
#include "config_row.h"

static const struct bad_row pools_rows[] = {
	BAD(POOLS("{}"), "5:12: services.web.pools: 0 given; expected 1 to 16"),
	BAD(POOLS("[a]"),
	    "5:12: services.web.pools: a list: expected a mapping of pool names to lists "
	    "of backends"),
	BAD(POOLS("{blue: }"), "5:19: services.web.pools.blue: nothing: expected a list such as [\""
			       "10.0.1.11:8080\"]; [] is an empty pool"),
	BAD(POOLS("{blue: \"10.0.0.1:80\"}"),
	    "5:19: services.web.pools.blue: '10.0.0.1:80': expected a list such as [\""
	    "10.0.1.11:8080\"]; [] is an empty pool"),
	BAD(POOLS("{blue: {weight: 1}}"),
	    "5:20: services.web.pools.blue.weight: unknown key; expected backends"),
	BAD(POOLS("{blue: {backends: [], backend: []}}"),
	    "5:34: services.web.pools.blue.backend: unknown key; did you mean 'backends'?"),
	BAD(POOLS("{blue: [\"10.0.0.1\"]}"),
	    "5:20: services.web.pools.blue[0]: '10.0.0.1': " EXPECTED_BACKEND),
	BAD(POOLS("{blue: [\"10.0.0.1:0\"]}"),
	    "5:20: services.web.pools.blue[0]: '10.0.0.1:0': " EXPECTED_BACKEND
	    "; a port is 1 to 65535"),
	BAD(POOLS("{blue: [\"10.0.0.1:08\"]}"),
	    "5:20: services.web.pools.blue[0]: '10.0.0.1:08': " EXPECTED_BACKEND
	    "; a port is 1 to 65535"),
	BAD(POOLS("{blue: [\"10.0.0.1:80-90\"]}"),
	    "5:20: services.web.pools.blue[0]: '10.0.0.1:80-90': " EXPECTED_BACKEND
	    "; port ranges are not supported, list each port"),
	BAD(POOLS("{blue: [\"[10.0.0.1]:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '[10.0.0.1]:80': " EXPECTED_BACKEND),
	BAD(POOLS("{blue: [\"::1:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '::1:80': " EXPECTED_BACKEND
	    "; put an IPv6 address in brackets"),
	BAD(POOLS("{blue: [\"[fe80::1%lo]:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '[fe80::1%lo]:80': " EXPECTED_BACKEND
	    "; IPv6 zone ids are not supported"),
	BAD(POOLS("{blue: [\"[::ffff:10.0.0.1]:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '[::ffff:10.0.0.1]:80': " EXPECTED_BACKEND
	    "; write an IPv4 address without ::ffff:"),
	BAD(POOLS("{blue: [\"0.0.0.0:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '0.0.0.0:80': expected the address of one "
	    "server, not unspecified"),
	BAD(POOLS("{blue: [\"[::]:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '[::]:80': expected the address of one "
	    "server, not unspecified"),
	BAD(POOLS("{blue: [\"239.1.1.1:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '239.1.1.1:80': expected the address of "
	    "one server, not multicast"),
	BAD(POOLS("{blue: [\"255.255.255.255:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '255.255.255.255:80': expected the "
	    "address of one server, not broadcast"),
	BAD(POOLS("{blue: [\"web1:80\"]}"),
	    "5:20: services.web.pools.blue[0]: 'web1:80': " EXPECTED_BACKEND),
	BAD(POOLS("{blue: [{weight: 2}]}"),
	    "5:20: services.web.pools.blue[0]: 'address' is missing; " EXPECTED_BACKEND),
	BAD(POOLS("{blue: [{address: \"10.0.0.1:80\", weight: 0}]}"),
	    "5:53: services.web.pools.blue[0].weight: '0': expected a whole number from "
	    "1 to 1000"),
	BAD(POOLS("{blue: [{address: \"10.0.0.1:80\", weight: 1001}]}"),
	    "5:53: services.web.pools.blue[0].weight: '1001': expected a whole number "
	    "from 1 to 1000"),
	BAD(POOLS("{blue: [{address: \"10.0.0.1:80\", weigth: 2}]}"),
	    "5:45: services.web.pools.blue[0].weigth: unknown key; did you mean 'weight'?"),
	BAD(POOLS("{blue: [\"10.0.0.1:80\", {address: \"10.0.0.1:80\"}]}"),
	    "5:45: services.web.pools.blue[1].address: '10.0.0.1:80': expected each "
	    "backend once; it is already in line 5"),
	BAD(POOLS("{blue: {backends: [\"[2001:db8::1]:80\", \"[2001:DB8:0::1]:80\"]}}"),
	    "5:51: services.web.pools.blue.backends[1]: '[2001:DB8:0::1]:80': expected "
	    "each backend once; it is already in line 5"),
	BAD(POOLS("{blue: [\"127.0.0.1:80\"]}"),
	    "5:20: services.web.pools.blue[0]: '127.0.0.1:80': expected a server, not "
	    "the listener of this service in line 4, which is a loop"),
	BAD(SERVICE("    listen: [\"203.0.113.10:80/tcp\"]\n    pools: {blue: [\""
		    "203.0.113.10:80\"]}\n"),
	    "5:20: services.web.pools.blue[0]: '203.0.113.10:80': expected a server, not "
	    "the listener of this service in line 4, which is a loop"),
	BAD(WEB("    preview: [\"10.0.0.1:80/udp\"]\n"),
	    "5:20: services.web.pools.blue[0]: '10.0.0.1:80': expected a server, not the "
	    "listener of this service in line 6, which is a loop"),
	BAD(POOLS("{a: [], b: []}"),
	    "4:5: services.web: 'live' is missing; expected the pool that gets the "
	    "traffic, such as a"),
	BAD(SERVICE("    listen: [\":80/tcp\"]\n    pools: {a: [], b: []}\n    live: "
		    "green\n"),
	    "6:11: services.web.live: 'green': expected a pool: a or b"),
	BAD(SERVICE("    listen: [\":80/tcp\"]\n    pools: {blue: [], green: []}\n    "
		    "live: gren\n"),
	    "6:11: services.web.live: 'gren': expected a pool: blue or green; did you "
	    "mean 'green'?"),
	BAD(SERVICE("    listen: [\":80/tcp\"]\n    pools: {blue: [], green: []}\n    "
		    "live: [blue]\n"),
	    "6:11: services.web.live: a list: expected a pool: blue or green"),
	BAD(SERVICE("    listen: [\":80/tcp\"]\n    pools: {blue: [], green: []}\n    "
		    "live:\n"),
	    "6:10: services.web.live: nothing: expected a pool: blue or green"),
	BAD(POOLS("{p0: [], p1: [], p2: [], p3: [], p4: [], p5: [], p6: [], p7: [], "
		  "p8: [], p9: [], p10: [], p11: [], p12: [], p13: [], p14: [], p15: "
		  "[], p16: []}"),
	    "5:12: services.web.pools: 17 given; expected 1 to 16"),
	BAD(LISTEN("\"[2001:db8::1]:80/tcp\""),
	    "4:14: services.web.listen[0]: '[2001:db8::1]:80/tcp': expected an IPv6 "
	    "backend in some pool; forward: nat keeps the family"),
	BAD(SERVICE("    listen: [\"203.0.113.10:80/tcp\"]\n    pools: {blue: [\""
		    "[2001:db8::2]:80\"]}\n"),
	    "4:14: services.web.listen[0]: '203.0.113.10:80/tcp': expected an IPv4 "
	    "backend in some pool; forward: nat keeps the family"),
};

TEST(refused_pools)
{
	check_bad(pools_rows, sizeof(pools_rows) / sizeof(pools_rows[0]));
}

static const struct bad_row policy_rows[] = {
	BAD(WEB("    forward: loca\n"),
	    "6:14: services.web.forward: 'loca': expected nat, local, dsr, ipip, gue or snat; "
	    "did you mean 'local'?"),
	BAD(WEB("    forward: [nat]\n"),
	    "6:14: services.web.forward: a list: expected nat, local, dsr, ipip, gue or snat"),
	BAD(WEB("    sticky: pools\n"),
	    "6:13: services.web.sticky: 'pools': expected pool, backend or none; did you "
	    "mean 'pool'?"),
	BAD(WEB("    sticky: source\n"),
	    "6:13: services.web.sticky: 'source': expected pool, backend or none"),
	BAD(WEB("    vip: answer\n"), "6:10: services.web.vip: 'answer': not yet supported"),
	BAD(WEB("    vip: no\n"), "6:10: services.web.vip: 'no': expected expect or manage"),
	BAD(WEB("    sticky_prefix: {v4: 33}\n"),
	    "6:25: services.web.sticky_prefix.v4: '33': expected a whole number from 1 "
	    "to 32"),
	BAD(WEB("    sticky_prefix: {v6: 0}\n"),
	    "6:25: services.web.sticky_prefix.v6: '0': expected a whole number from 1 to "
	    "128"),
	BAD(WEB("    sticky_prefix: 24\n"),
	    "6:20: services.web.sticky_prefix: '24': expected a mapping (key: value)"),
	BAD(WEB("    salt: \"\"\n"),
	    "6:11: services.web.salt: '': expected a text of 1 to 255 bytes"),
	BAD(WEB("    salt: \"a\\tb\"\n"),
	    "6:11: services.web.salt: 'a\\x09b': expected a text without control "
	    "characters"),
	BAD(SERVICE("    listen: [\":80/tcp\", \":80/udp\"]\n    forward: local\n    "
		    "pools: {blue: []}\n"),
	    "4:25: services.web.listen[1]: ':80/udp': expected /tcp with forward: local; "
	    "UDP on the same host: use forward: nat"),
	BAD(SERVICE("    listen: [\":80/tcp\"]\n    preview: [\":81/udp\"]\n    "
		    "forward: local\n    pools: {blue: []}\n"),
	    "5:15: services.web.preview[0]: ':81/udp': expected /tcp with forward: "
	    "local; UDP on the same host: use forward: nat"),
	BAD(WEB("    forward: dsr\n"),
	    "4:14: services.web.listen[0]: ':80/tcp': expected an address with forward: dsr; the "
	    "backends have it too, on lo"),
	BAD(SERVICE("    listen: [\"203.0.113.10:80/tcp\"]\n    forward: gue\n    "
		    "pools: {blue: [\"10.0.0.1:80\", \"10.0.0.2:8080\"]}\n"),
	    "6:35: services.web.pools.blue[1]: '10.0.0.2:8080': expected port 80, the listener's "
	    "in line 4; forward: gue does not rewrite it"),
	BAD(SERVICE("    listen: [\"203.0.113.10:80/tcp\"]\n    preview: [\"203.0.113.10:81/tcp"
		    "\"]\n    forward: ipip\n    pools: {blue: [\"10.0.0.1:80\"]}\n"),
	    "7:20: services.web.pools.blue[0]: '10.0.0.1:80': expected port 81, the listener's in "
	    "line 5; forward: ipip does not rewrite it"),
	BAD(SERVICE("    listen: [\"203.0.113.10:80/tcp\"]\n    forward: dsr\n    "
		    "pools: {blue: [\"[2001:db8::2]:80\"]}\n"),
	    "4:14: services.web.listen[0]: '203.0.113.10:80/tcp': expected an IPv4 backend in "
	    "some pool; forward: dsr keeps the family"),
	BAD(WEB("    panic: 50\n"),
	    "6:12: services.web.panic: '50': expected a whole percentage from 0% to 100%"),
	BAD(WEB("    panic: 101%\n"),
	    "6:12: services.web.panic: '101%': expected a whole percentage from 0% to "
	    "100%"),
	BAD(WEB("    panic: 12.5%\n"),
	    "6:12: services.web.panic: '12.5%': expected a whole percentage from 0% to "
	    "100%"),
	BAD(WEB("    drain: 5m\n"),
	    "6:12: services.web.drain: '5m': expected a mapping (key: value)"),
	BAD(WEB("    drain: {deadline: 8d}\n"),
	    "6:23: services.web.drain.deadline: '8d': expected a duration from 0s to 7d"),
	BAD(WEB("    drain: {deadline: 5}\n"),
	    "6:23: services.web.drain.deadline: '5': expected a duration from 0s to 7d"),
	BAD(WEB("    drain: {then: kep}\n"),
	    "6:19: services.web.drain.then: 'kep': expected keep, shed or cut; did you mean 'keep'?"),
	BAD(SERVICE("    listen: [\":80/tcp\"]\n    pools: {a: [\"127.0.0.1:8080\", "
		    "\"127.0.0.1:8081\"], b: [\"127.0.0.1:8081\"]}\n    live: b\n"
		    "    drain: {then: cut}\n    forward: local\n"),
	    "7:19: services.web.drain.then: 'cut': expected keep: two pools have 127.0.0.1:8081, "
	    "and with forward: local an open connection tells its socket, not its pool"),
	BAD(WEB("    drain: {rate: 0}\n"),
	    "6:19: services.web.drain.rate: '0': expected a whole number from 1 to 20000"),
	BAD(WEB("    idle: {tcp: 9s}\n"),
	    "6:17: services.web.idle.tcp: '9s': expected a duration from 10s to 7d"),
	BAD(WEB("    idle: {udp: 2h}\n"),
	    "6:17: services.web.idle.udp: '2h': expected a duration from 1s to 1h"),
	BAD(WEB("    retry: on\n"), "6:12: services.web.retry: 'on': expected pool, live or off"),
	BAD(WEB("    flood: drop\n"), "6:12: services.web.flood: 'drop': expected pass or prove"),
	BAD(WEB("    passive: no\n"),
	    "6:14: services.web.passive: 'no': expected off or on; did you mean 'on'?"),
	BAD(WEB("    passive: {failures: 0}\n"),
	    "6:25: services.web.passive.failures: '0': expected a whole number from 1 to 1000"),
	BAD(WEB("    passive: {back_off: 10ms}\n"),
	    "6:25: services.web.passive.back_off: '10ms': expected a duration from 1s to 1h"),
	BAD(WEB("    passive: {max_ejected: 0%}\n"),
	    "6:28: services.web.passive.max_ejected: '0%': expected a whole percentage from 1% to "
	    "100%"),
	BAD(WEB("    passive: {failure: 3}\n"),
	    "6:15: services.web.passive.failure: unknown key; did you mean 'failures'?"),
	BAD(WEB("    passive: on\n    forward: local\n"),
	    "6:5: services.web.passive: does nothing with forward: local; expected only with nat "
	    "or snat"),
	BAD(WEB("    slow_start: 0s\n"),
	    "6:17: services.web.slow_start: '0s': expected a duration from 1s to 1d"),
	BAD(WEB("    slow_start: 999ms\n"),
	    "6:17: services.web.slow_start: '999ms': expected a duration from 1s to 1d"),
	BAD(WEB("    slow_start: -20s\n"),
	    "6:17: services.web.slow_start: '-20s': expected a duration from 1s to 1d"),
	BAD(WEB("    slow_start: 25h\n"),
	    "6:17: services.web.slow_start: '25h': expected a duration from 1s to 1d"),
	BAD(WEB("    slow_start: 99999999999h\n"),
	    "6:17: services.web.slow_start: '99999999999h': expected a duration from 1s to 1d"),
	BAD(WEB("    slow_start: 20\n"),
	    "6:17: services.web.slow_start: '20': expected a duration from 1s to 1d"),
	BAD(WEB("    slow_start: on\n"),
	    "6:17: services.web.slow_start: 'on': expected a duration from 1s to 1d"),
	BAD(WEB("    slow_start: {time: 20s}\n"),
	    "6:17: services.web.slow_start: a mapping: expected a duration from 1s to 1d"),
	BAD(WEB("    slow-start: 20s\n"),
	    "6:5: services.web.slow-start: unknown key; did you mean 'slow_start'?"),
	BAD(WEB("    liev: blue\n"), "6:5: services.web.liev: unknown key; did you mean 'live'?"),
	BAD(WEB("    cohort: {}\n"),
	    "6:5: services.web.cohort: unknown key; did you mean 'cohorts'?"),
};

TEST(refused_policy)
{
	check_bad(policy_rows, sizeof(policy_rows) / sizeof(policy_rows[0]));
}

static const struct bad_row cohorts_rows[] = {
	BAD(WEB("    cohorts: {blu: [\"10.0.0.0/8\"]}\n"),
	    "6:15: services.web.cohorts: 'blu': expected a pool: blue; did you mean "
	    "'blue'?"),
	BAD(WEB("    cohorts: {blue: \"10.0.0.0/8\"}\n"),
	    "6:21: services.web.cohorts.blue: '10.0.0.0/8': expected a list such as [\""
	    "198.51.100.0/24\"]"),
	BAD(WEB("    cohorts: [blue]\n"),
	    "6:14: services.web.cohorts: a list: expected a mapping of pools to lists of "
	    "CIDRs"),
	BAD(WEB("    cohorts: {blue: [\"10.0.0.1/8\"]}\n"),
	    "6:22: services.web.cohorts.blue[0]: '10.0.0.1/8': expected no bits behind "
	    "the prefix; did you mean '10.0.0.0/8'?"),
	BAD(WEB("    cohorts: {blue: [\"2001:db8::1/32\"]}\n"),
	    "6:22: services.web.cohorts.blue[0]: '2001:db8::1/32': expected no bits "
	    "behind the prefix; did you mean '2001:db8::/32'?"),
	BAD(WEB("    cohorts: {blue: [\"10.0.0.0/33\"]}\n"),
	    "6:22: services.web.cohorts.blue[0]: '10.0.0.0/33': expected a CIDR such as "
	    "198.51.100.0/24 or 2001:db8::/32"),
	BAD(WEB("    cohorts: {blue: [ten]}\n"),
	    "6:22: services.web.cohorts.blue[0]: 'ten': expected a CIDR such as "
	    "198.51.100.0/24 or 2001:db8::/32"),
	BAD(WEB("    cohorts: {blue: [\"::/0\"]}\n"),
	    "6:22: services.web.cohorts.blue[0]: '::/0': expected a prefix that leaves "
	    "IPv4 out; 2000::/3 is the global IPv6 internet"),
	BAD(WEB("    cohorts:\n      blue:\n        - 10.1.0.0/16\n        - "
		"192.0.2.1\n        - 10.0.0.0/8\n"),
	    "10:11: services.web.cohorts.blue[2]: '10.0.0.0/8': expected no overlap; "
	    "'10.1.0.0/16' is in line 8"),
	BAD(WEB("    cohorts: {blue: [192.0.2.1, 192.0.2.1/32]}\n"),
	    "6:33: services.web.cohorts.blue[1]: '192.0.2.1/32': expected no overlap; "
	    "'192.0.2.1/32' is in line 6"),
};

TEST(refused_cohorts)
{
	check_bad(cohorts_rows, sizeof(cohorts_rows) / sizeof(cohorts_rows[0]));
}

static const struct bad_row health_rows[] = {
	BAD(HEALTH("htpp"),
	    "6:13: services.web.health: 'htpp': expected tcp, http, https, exec or none; "
	    "did you mean 'http'?"),
	BAD(HEALTH("grpc"), "6:13: services.web.health: 'grpc': not yet supported"),
	BAD(HEALTH("exec"),
	    "6:13: services.web.health: 'exec': expected {type: exec, command: [...]}"),
	BAD(HEALTH("{type: udp}"), "6:20: services.web.health.type: 'udp': not yet supported"),
	BAD(HEALTH("{type: exec}"),
	    "6:13: services.web.health: 'command' is missing; expected a list such as "
	    "[/usr/local/bin/check]"),
	BAD(HEALTH("{type: exec, command: check}"),
	    "6:35: services.web.health.command: 'check': expected a list of 1 to 64 "
	    "words, the program first; there is no shell"),
	BAD(HEALTH("{type: exec, command: [check]}"),
	    "6:36: services.web.health.command[0]: 'check': expected the absolute path "
	    "of a program"),
	BAD(HEALTH("{type: exec, command: [/bin/c, [x]]}"),
	    "6:44: services.web.health.command[1]: a list: expected a word"),
	BAD(HEALTH("{path: /health}"),
	    "6:14: services.web.health.path: does nothing with type tcp; expected only "
	    "with http or https"),
	BAD(HEALTH("{type: http, command: [/bin/true]}"),
	    "6:26: services.web.health.command: does nothing with type http; expected "
	    "only with exec"),
	BAD(HEALTH("{type: none, interval: 1s}"),
	    "6:26: services.web.health.interval: does nothing with type none; expected "
	    "only with tcp, http, https or exec"),
	BAD(HEALTH("{type: http, path: health}"),
	    "6:32: services.web.health.path: 'health': expected a path that begins with "
	    "'/'"),
	BAD(HEALTH("{type: http, path: \"/a b\"}"),
	    "6:32: services.web.health.path: '/a b': expected a path without spaces (%20)"),
	BAD(HEALTH("{type: http, host: \"a/b\"}"),
	    "6:32: services.web.health.host: 'a/b': expected a host name"),
	BAD(HEALTH("{type: http, method: \"GET /\"}"),
	    "6:34: services.web.health.method: 'GET /': expected a method such as GET"),
	BAD(HEALTH("{type: http, expect: 600}"),
	    "6:34: services.web.health.expect: '600': expected a status or a range from "
	    "100 to 599, such as \"200-399\""),
	BAD(HEALTH("{type: http, expect: 399-200}"),
	    "6:34: services.web.health.expect: '399-200': expected a status or a range "
	    "from 100 to 599, such as \"200-399\""),
	BAD(HEALTH("{type: http, tls_verify: false}"),
	    "6:26: services.web.health.tls_verify: does nothing with type http; expected "
	    "only with https"),
	BAD(HEALTH("{type: https, tls_verify: off}"),
	    "6:39: services.web.health.tls_verify: 'off': expected false or true"),
	BAD(HEALTH("{port: 0}"),
	    "6:20: services.web.health.port: '0': expected a whole number from 1 to 65535"),
	BAD(HEALTH("{interval: 50ms}"),
	    "6:24: services.web.health.interval: '50ms': expected a duration from 100ms "
	    "to 1h"),
	BAD(HEALTH("{interval: 2}"),
	    "6:24: services.web.health.interval: '2': expected a duration from 100ms to "
	    "1h"),
	BAD(HEALTH("{interval: 2s, timeout: 3s}"),
	    "6:37: services.web.health.timeout: '3s': expected at most the interval, 2s"),
	BAD(HEALTH("{interval: 1s, fast_interval: 2s}"),
	    "6:43: services.web.health.fast_interval: '2s': expected at most the "
	    "interval, 1s"),
	BAD(HEALTH("{rise: 0}"),
	    "6:20: services.web.health.rise: '0': expected a whole number from 1 to 100"),
	BAD(HEALTH("{fall: -1}"),
	    "6:20: services.web.health.fall: '-1': expected a whole number from 1 to 100"),
	BAD(HEALTH("{initial_delay: 2h}"),
	    "6:29: services.web.health.initial_delay: '2h': expected a duration from 0s "
	    "to 1h"),
	BAD(HEALTH("{intervall: 2s}"),
	    "6:14: services.web.health.intervall: unknown key; did you mean 'interval'?"),
	BAD(HEALTH("[]"), "6:13: services.web.health: a list: expected a mapping (key: value)"),
};

TEST(refused_health)
{
	check_bad(health_rows, sizeof(health_rows) / sizeof(health_rows[0]));
}
