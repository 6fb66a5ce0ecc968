# SPDX-License-Identifier: BSD-2-Clause
"""Guarantee 9: what is wrong changes nothing, and is said in one precise line with its place."""
import json
import re
import socket

import pytest

from lablib.daemon import Daemon
from lablib.proc import run

BASE = """\
interfaces: [{name: cl, attach: tc}, {name: b1, attach: tc}, {name: b2, attach: tc}]
services:
  web:
    listen: ["203.0.113.10:443/tcp"]
    pools:
      blue: ["10.20.1.10:8080", "10.20.1.11:8080"]
      green: ["10.20.2.10:8080"]
    live: blue
    health: {type: tcp, interval: 200ms, timeout: 200ms}
"""

LISTEN = '    listen: ["203.0.113.10:443/tcp"]\n'
GREEN = '      green: ["10.20.2.10:8080"]\n'
HEALTH = "    health: {type: tcp, interval: 200ms, timeout: 200ms}\n"
LIVE = "    live: blue\n"

# (what of BASE is replaced, by what, a word that the message must have); the place is where it was put.
CONFIGS = {
    "unknown-top-key": ("services:\n", "servces:\n", "services"),
    "unknown-service-key": (LIVE, "    lvie: blue\n", "live"),
    "unknown-health-key": (HEALTH, "    health: {type: tcp, intervall: 1s}\n", "interval"),
    "unknown-interface-key": ("{name: cl, attach: tc}", "{name: cl, atach: tc}", "attach"),
    "key-twice": (LIVE, LIVE + "    live: green\n", "live"),
    "service-twice": (HEALTH, HEALTH + "  web:\n    live: blue\n", "web"),
    "tab-indent": (LIVE, "\tlive: blue\n", ""),
    "open-bracket": (LISTEN + "    pools:\n", '    listen: ["203.0.113.10:443/tcp"\n    pools:\n', "]"),
    "anchor-and-alias": (GREEN, "      green: &a [\"10.20.2.10:8080\"]\n      red: *a\n", ""),
    "services-is-a-list": ("services:\n  web:\n", "services:\n  - web:\n", ""),
    "listen-is-text": (LISTEN, '    listen: "203.0.113.10:443/tcp"\n', "listen"),
    "listen-is-a-number": (LISTEN, "    listen: [443]\n", "listen"),
    "listen-is-empty": (LISTEN, "    listen: []\n", "listen"),
    "listen-is-missing": (LISTEN, "", "listen"),
    "pools-is-missing-live": (LIVE, "    live: purple\n", "purple"),
    "live-misspelt": (LIVE, "    live: bleu\n", "blue"),
    "live-is-a-list": (LIVE, "    live: [blue]\n", "live"),
    "port-0": (LISTEN, '    listen: ["203.0.113.10:0/tcp"]\n', "0"),
    "port-65536": (LISTEN, '    listen: ["203.0.113.10:65536/tcp"]\n', "65536"),
    "port-huge": (LISTEN, '    listen: ["203.0.113.10:99999999999999999999/tcp"]\n', "99999999999999999999"),
    "port-range": (LISTEN, '    listen: ["203.0.113.10:80-90/tcp"]\n', ""),
    "no-port": (LISTEN, '    listen: ["203.0.113.10/tcp"]\n', ""),
    "protocol-sctp": (LISTEN, '    listen: ["203.0.113.10:443/sctp"]\n', "tcp"),
    "protocol-missing": (LISTEN, '    listen: ["203.0.113.10:443"]\n', "tcp"),
    "address-octet": (LISTEN, '    listen: ["203.0.113.256:443/tcp"]\n', "203.0.113.256"),
    "address-name": (LISTEN, '    listen: ["example.org:443/tcp"]\n', "example.org"),
    "address-v6-bare": (LISTEN, '    listen: ["2001:db8::10:443/tcp"]\n', ""),
    "address-multicast": (LISTEN, '    listen: ["224.0.0.1:443/tcp"]\n', "224.0.0.1"),
    "listener-twice": (LISTEN, '    listen: ["203.0.113.10:443/tcp", "203.0.113.10:443/tcp"]\n',
                       "203.0.113.10:443/tcp"),
    "vip-of-two-services": (HEALTH, HEALTH + "  api:\n" + LISTEN + "    pools:\n" + GREEN
                            + "    live: green\n", "203.0.113.10:443/tcp"),
    "family-without-backend": (LISTEN, '    listen: ["[2001:db8::10]:443/tcp"]\n', "IPv6"),
    "backend-no-port": (GREEN, '      green: ["10.20.2.10"]\n', "10.20.2.10"),
    "backend-port-0": (GREEN, '      green: ["10.20.2.10:0"]\n', "10.20.2.10:0"),
    "backend-twice": (GREEN, '      green: ["10.20.2.10:8080", "10.20.2.10:8080"]\n', "10.20.2.10:8080"),
    "backend-is-a-map-without-address": (GREEN, "      green: {backends: [{weight: 2}]}\n", "address"),
    "backend-unspecified": (GREEN, '      green: ["0.0.0.0:8080"]\n', "0.0.0.0"),
    "backend-is-the-listener": (GREEN, '      green: ["203.0.113.10:443"]\n', "loop"),
    "weight-0": (GREEN, '      green: {backends: [{address: "10.20.2.10:8080", weight: 0}]}\n', "weight"),
    "weight-negative": (GREEN, '      green: {backends: [{address: "10.20.2.10:8080", weight: -1}]}\n',
                        "weight"),
    "weight-huge": (GREEN, '      green: {backends: [{address: "10.20.2.10:8080", weight: 1e9}]}\n',
                    "weight"),
    "pool-name-with-slash": (GREEN, '      gr/een: ["10.20.2.10:8080"]\n', "gr/een"),
    "pool-is-a-number": (GREEN, "      green: 7\n", "green"),
    "service-name-with-space": ("  web:\n", '  "we b":\n', "we b"),
    "forward-unknown": (LIVE, LIVE + "    forward: natt\n", "nat"),
    "vip-later": (LIVE, LIVE + "    vip: answer\n", "not yet supported"),
    "slow-start-0": (LIVE, LIVE + "    slow_start: 0s\n", "expected a duration from 1s to 1d"),
    "slow-start-negative": (LIVE, LIVE + "    slow_start: -20s\n", "expected a duration from 1s to 1d"),
    "slow-start-huge": (LIVE, LIVE + "    slow_start: 1000d\n", "expected a duration from 1s to 1d"),
    "slow-start-no-unit": (LIVE, LIVE + "    slow_start: 20\n", "expected a duration from 1s to 1d"),
    "slow-start-is-a-list": (LIVE, LIVE + "    slow_start: [20s]\n", "expected a duration from 1s to 1d"),
    "rollout-step": (LIVE, LIVE + "    rollout: {steps: [25%, 5%]}\n", "expected more than the step before, 25%"),
    "drain-rate": (LIVE, LIVE + "    drain: {deadline: 5m, then: shed, rate: 0}\n", "drain.rate"),
    "sticky-unknown": (LIVE, LIVE + "    sticky: pol\n", "pool"),
    "vip-unknown": (LIVE, LIVE + "    vip: managed\n", "manage"),
    "attach-unknown": ("{name: cl, attach: tc}", "{name: cl, attach: xdpp}", "xdp"),
    "interface-twice": ("{name: b2, attach: tc}", "{name: b1, attach: tc}", "b1"),
    "interface-name-too-long": ("{name: b2,", "{name: averyverylonginterfacename0,", "averyvery"),
    "no-interfaces": ("interfaces: [{name: cl, attach: tc}, {name: b1, attach: tc}, {name: b2, attach: tc}]\n",
                      "interfaces: []\n", "interfaces"),
    "duration-no-unit": (HEALTH, "    health: {type: tcp, interval: 5}\n", "interval"),
    "duration-negative": (HEALTH, "    health: {type: tcp, interval: -1s}\n", "interval"),
    "duration-huge": (HEALTH, "    health: {type: tcp, interval: 99999999999h}\n", "interval"),
    "timeout-without-unit": (HEALTH, "    health: {type: tcp, timeout: fast}\n", "timeout"),
    "health-type-unknown": (HEALTH, "    health: {type: htpp}\n", "http"),
    "health-type-later": (HEALTH, "    health: {type: grpc}\n", "not yet supported"),
    "health-exec-without-argv": (HEALTH, "    health: {type: exec}\n", "command"),
    "health-rise-0": (HEALTH, "    health: {type: tcp, rise: 0}\n", "rise"),
    "health-expect": (HEALTH, '    health: {type: http, expect: "200-99"}\n', "expect"),
    "health-path-relative": (HEALTH, "    health: {type: http, path: health}\n", "path"),
    "panic-over-100": (LIVE, LIVE + "    panic: 101%\n", "panic"),
    "panic-not-a-number": (LIVE, LIVE + "    panic: half\n", "panic"),
    "cohort-absent-pool": (LIVE, LIVE + '    cohorts: {gren: ["10.0.0.0/8"]}\n', "green"),
    "cohort-not-a-cidr": (LIVE, LIVE + '    cohorts: {green: ["10.0.0.0/33"]}\n', "10.0.0.0/33"),
    "cohort-host-bits": (LIVE, LIVE + '    cohorts: {green: ["10.0.0.1/8"]}\n', "10.0.0.1/8"),
    "cohorts-overlap": (LIVE, LIVE + '    cohorts: {green: ["10.0.0.0/8"], blue: ["10.1.0.0/16"]}\n',
                        "overlap"),
    "prefix-too-long": (LIVE, LIVE + "    sticky_prefix: {v4: 33}\n", "33"),
    "flows-0": ("services:\n", "flows: {tcp: 0}\nservices:\n", "flows"),
    "flows-huge": ("services:\n", "flows: {tcp: 99999999999999}\nservices:\n", "flows"),
    "metrics-not-an-address": ("services:\n", "metrics: everywhere\nservices:\n", "metrics"),
    "null-service": (HEALTH, HEALTH + "  api:\n", "api"),
}

WHOLE = {
    "empty": b"",
    "only-a-comment": b"# nothing\n",
    "not-utf-8": BASE.replace("blue", "bl\xfce").encode("latin-1"),
    "nul-bytes": BASE.encode() + b"\0\0\0",
    "ten-megabytes": b"# " + b"x" * (10 << 20) + b"\n" + BASE.encode(),
    "deep": b"[" * 20000,
    "binary": bytes(range(256)) * 16,
    "two-documents": BASE.encode() + b"---\n" + BASE.encode(),
    "json-cut-short": json.dumps({"interfaces": ["cl"], "services": {}}).encode()[:-5],
    "a-number": b"42\n",
}

# (words after zddctl, exit code, a word that the message must have)
REQUESTS = {
    "flip-no-service": (["flip", "nosuch=green"], 3, "nosuch"),
    "flip-misspelt-service": (["flip", "wbe=green"], 3, "web"),
    "flip-no-pool": (["flip", "web=purple"], 3, "purple"),
    "flip-misspelt-pool": (["flip", "web=gren"], 3, "green"),
    "flip-nothing": (["flip"], 2, "flip"),
    "flip-twice": (["flip", "web=green", "web=blue"], 2, "web"),
    "flip-empty-pool": (["flip", "web="], 2, "web="),
    "share-101": (["set", "share", "web", "green=101%"], 2, "101"),
    "share-negative": (["set", "share", "web", "green=-1%"], 2, "-1%"),
    "share-nan": (["set", "share", "web", "green=nan%"], 2, "nan"),
    "share-sum": (["set", "share", "web", "green=60%", "blue=60%"], 2, "100"),
    "share-no-pool": (["set", "share", "web", "purple=5%"], 3, "purple"),
    "share-too-fine": (["set", "share", "web", "green=0.001%"], 2, "0.001"),
    "set-what": (["set", "weight", "web", "green=5%"], 2, "share"),
    "drain-service-only": (["drain", "web"], 2, "web"),
    "drain-no-pool": (["drain", "web/purple"], 3, "purple"),
    "drain-no-backend": (["drain", "web/blue/10.20.1.99:8080"], 3, "10.20.1.99:8080"),
    "ready-bad-name": (["ready", "web//x"], 2, "web//x"),
    "backend-add-no-port": (["backend", "add", "web/blue/10.20.1.99"], 2, "10.20.1.99"),
    "backend-add-port-0": (["backend", "add", "web/blue/10.20.1.99:0"], 2, "10.20.1.99:0"),
    "backend-add-twice": (["backend", "add", "web/blue/10.20.1.10:8080"], (2, 4), "10.20.1.10:8080"),
    "backend-del-absent": (["backend", "del", "web/blue/10.20.1.99:8080"], 3, "10.20.1.99:8080"),
    "backend-what": (["backend", "remove", "web/blue/10.20.1.10:8080"], 2, "del"),
    "cohort-no-address": (["cohort", "web", "somebody"], 2, "somebody"),
    "cohort-no-service": (["cohort", "nosuch", "10.0.0.1"], 3, "nosuch"),
    "get-no-service": (["get", "nosuch"], 3, "nosuch"),
    "history-no-service": (["history", "nosuch"], 3, "nosuch"),
    "undo-no-service": (["undo", "nosuch"], 3, "nosuch"),
    "revision-moved": (["flip", "web=green", "--if-revision", "999999"], 4, "999999"),
    "revision-word": (["flip", "web=green", "--if-revision", "last"], 2, "last"),
    "timeout-parsecs": (["flip", "web=green", "--timeout", "5parsecs"], 2, "5parsecs"),
    "option-unknown": (["flip", "web=green", "--forse"], 2, "--force"),
    "command-misspelt": (["fliip", "web=green"], 2, "flip"),
    "command-later": (["trace"], 2, "not yet supported"),
    "output-unknown": (["ls", "-o", "yaml"], 2, "yaml"),
    "apply-no-file": (["apply"], 2, "-f"),
    "apply-absent-file": (["apply", "-f", "/nonexistent/zdd.yaml"], (1, 2), "/nonexistent/zdd.yaml"),
    "not-utf-8": (["flip", "web=gr\udcff\udcfeen"], (2, 3), ""),
    "name-of-a-megabyte": (["flip", "x" * 100_000 + "=green"], (2, 3), ""),
}

# (method, path, body, HTTP status)
RAW = {
    "bad-json": ("POST", "/v1/flip", b"{", 400),
    "body-is-a-list": ("POST", "/v1/flip", b"[]", 400),
    "no-body": ("POST", "/v1/flip", b"", 400),
    "not-utf-8": ("POST", "/v1/flip", b'{"targets": {"web": "\xff\xfe"}}', 400),
    "wrong-type": ("POST", "/v1/flip", b'{"targets": "web"}', 400),
    "pool-is-a-number": ("POST", "/v1/flip", b'{"targets": {"web": 7}}', 400),
    "no-targets": ("POST", "/v1/flip", b'{"targets": {}}', 400),
    "unknown-key": ("POST", "/v1/flip", b'{"targets": {"web": "green"}, "forse": true}', 400),
    "share-is-text": ("POST", "/v1/share", b'{"service": "web", "shares": {"green": "5"}}', 400),
    "share-is-huge": ("POST", "/v1/share", b'{"service": "web", "shares": {"green": 1e308}}', 400),
    "state-unknown": ("POST", "/v1/admin", b'{"service": "web", "pool": "blue", "state": "dran"}', 400),
    "unknown-path": ("POST", "/v1/flop", b"{}", 404),
    "unknown-version": ("GET", "/v2/state", b"", 404),
    "wrong-method": ("DELETE", "/v1/services/web", b"", 405),
    "deep-json": ("POST", "/v1/flip", b"[" * 100_000, 400),
    "ten-megabytes": ("POST", "/v1/flip", b'{"targets": "' + b"x" * (10 << 20) + b'"}', 400),
}


@pytest.fixture(scope="module")
def lab(make_shared_lab):
    made = make_shared_lab(pools={"blue": 2, "green": 1})
    made.start_backends()
    return made


@pytest.fixture(scope="module")
def daemon(lab):
    return Daemon(lab, BASE).wait_healthy()


@pytest.fixture
def unchanged(daemon):
    """Whatever the test does, nothing is different afterwards."""
    before = state_of(daemon)
    yield daemon
    assert daemon.proc.running(), daemon.proc.tail()
    assert state_of(daemon) == before


def state_of(daemon):
    state = daemon.state()
    service = daemon.get()
    shares = [(p["name"], p["share"], [(b["address"], b["weight"], b["admin"]) for b in p["backends"]])
              for p in service["pools"]]
    return state["generation"], [s["service"] for s in state["services"]], service["revision"], shares


def assert_one_line(text, word):
    lines = text.strip().splitlines()
    assert len(lines) == 1, text[:2000]
    assert len(lines[0]) < 600, "not a precise line"
    assert word in lines[0], lines[0]
    return lines[0]


def lines_of_change(old, new):
    """Line numbers where the new text of BASE stands; all for something that was taken out."""
    text = BASE.replace(old, new, 1)
    first = text.count("\n", 0, BASE.index(old)) + 1
    last = first + max(new.rstrip("\n").count("\n"), 0)
    return text, range(first, last + 1) if new else range(1, text.count("\n") + 2)


@pytest.mark.parametrize("case", CONFIGS)
def test_configuration(unchanged, lab, case):
    old, new, word = CONFIGS[case]
    assert BASE.count(old) >= 1
    text, lines = lines_of_change(old, new)
    path = f"{lab.directory}/bad.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    answer = unchanged.ctl("apply", "-f", path, expect=2, text=True)
    line = assert_one_line(answer.stderr, word)
    place = re.search(r"bad\.yaml:(\d+):(\d+): ", line)
    assert place, f"no place in: {line}"
    assert int(place[1]) in lines, f"line {place[1]} is not in {lines}: {line}"


@pytest.mark.parametrize("case", WHOLE)
def test_file(unchanged, lab, case):
    """The same from zddctl and from zddd --check, which needs no daemon."""
    path = f"{lab.directory}/bad.yaml"
    with open(path, "wb") as file:
        file.write(WHOLE[case])
    assert_one_line(unchanged.ctl("apply", "-f", path, expect=2, text=True).stderr, "")
    check = run([unchanged.argv()[0], "--config", path, "--check"], check=False)
    assert check.returncode == 2, check.stderr
    assert_one_line(check.stderr, "bad.yaml")


@pytest.mark.parametrize("case", REQUESTS)
def test_request(unchanged, case):
    words, code, word = REQUESTS[case]
    answer = unchanged.ctl(*words, expect=code, text=True)
    assert answer.stdout == ""
    assert_one_line(answer.stderr, word)


def raw_request(path, method, where, body):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        head = f"{method} {where} HTTP/1.1\r\nHost: zdd\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            s.sendall(head.encode() + body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while part := s.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize("case", RAW)
def test_raw_request(unchanged, case):
    method, where, body, status = RAW[case]
    answer = raw_request(unchanged.socket, method, where, body)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    said = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert said["text"] and "\n" not in said["text"]


def test_unreachable_interface(unchanged, lab):
    path = f"{lab.directory}/bad.yaml"
    with open(path, "w", encoding="ascii") as file:
        file.write(BASE.replace("name: b2", "name: nowhere0"))
    assert_one_line(unchanged.ctl("apply", "-f", path, expect=2, text=True).stderr, "nowhere0")


def test_good_file_is_good(daemon, lab):
    """The base of all cases is not itself refused."""
    path = f"{lab.directory}/good.yaml"
    with open(path, "w", encoding="ascii") as file:
        file.write(BASE)
    daemon.ctl("apply", "-f", path)
    run([daemon.argv()[0], "--config", path, "--check"], netns=lab.node.name)
