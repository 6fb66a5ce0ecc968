# SPDX-License-Identifier: BSD-2-Clause
"""Passive health: what real connections show ejects a backend, and one of them at a time brings it back."""
import pytest

from lablib.lab import endpoint, vip
from lablib.peers import assert_clean
from lablib.proc import wait_for

EVERYWHERE = [(4, "tc"), (6, "tc"), (4, "xdp"), (6, "xdp")]
FAILURES, RATE = 3, 300


@pytest.fixture
def three(make_lab):
    """A live pool of three servers, and how to start a daemon that has no active check unless told."""
    lab = make_lab(pools={"blue": 3})
    lab.start_backends()

    def start(attach="tc", family=4, health=None, passive=None, **more):
        web = lab.service(families=(family,), health=health or {"type": "none"},
                          passive={"failures": FAILURES, "back_off": "1s", **(passive or {})}, **more)
        lab.zdd = lab.daemon(lab.config(attach, {"web": web}, metrics="127.0.0.1:9177"))
        return lab.zdd

    return lab, start


def where(lab, name, family=4):
    return lab.backend(name).endpoints((family,))[0]


def events(daemon, words):
    return [e for e in daemon.ctl("events")["events"] if e["kind"] == "passive" and words in e["text"]]


def ejected(daemon):
    return {a: b["ejected"] for a, b in daemon.backends().items() if b["ejected"]}


def wait_ejected(daemon, *addresses, timeout=15):
    """Exactly these are."""
    wait_for(lambda: ejected(daemon).keys() == set(addresses), timeout, f"ejected: {addresses}; {ejected(daemon)}")


def wait_event(daemon, words, count=1, timeout=20):
    return wait_for(lambda: events(daemon, words)[count - 1:] or None, timeout, f"event '{words}' x {count}")


def wait_flows(daemon, address, more, timeout=15):
    least = daemon.backends()[address]["flows_new"] + more
    wait_for(lambda: daemon.backends()[address]["flows_new"] >= least, timeout, f"{more} more flows for {address}")


def hole(lab, name, family=4):
    """Nothing comes to its port any more. Returns what ends that."""
    backend = lab.backend(name)
    table = f"hole_{name}"
    rule = f"ip daddr {backend.v4}" if family == 4 else f"ip6 daddr {backend.v6}"
    backend.netns.run("nft", f"table inet {table} {{ chain in {{ type filter hook input priority 0; "
                             f"{rule} tcp dport {backend.port} drop; }}; }}")
    return lambda: backend.netns.run("nft", f"delete table inet {table}")


def signals(daemon, address):
    return daemon.backends()[address]["signals"]


def load_beside(lab, family=4, **options):
    """New connections all the time, some already made."""
    load = lab.load("new", vip(family), **{"flows": 30, "sources": 500, "rate": RATE, "timeout": 5000, **options})
    load.wait_requests(RATE // 2)
    return load


def assert_nobody_failed(result, died=0):
    """died: what was open at a server that was killed."""
    failures = {k: v for k, v in result["failures"].items() if v}
    assert failures.get("refused", 0) == 0 and failures.get("timeout", 0) == 0, failures
    assert sum(failures.values()) <= died, failures


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_closed_port_is_ejected_and_comes_back(three, family, attach):
    lab, start = three
    daemon = start(attach, family)
    one = where(lab, "blue0", family)
    load = load_beside(lab, family)
    lab.backend("blue0").server.proc.kill9()
    wait_ejected(daemon, one)
    # Two looks at a third of the load, besides the trials that were refused meanwhile.
    seen = signals(daemon, one)
    assert FAILURES <= seen["refused"] <= FAILURES + RATE, seen
    assert seen["taken"] == seen["refused"], "each went to another backend"
    out = events(daemon, "ejected: connections came to nothing")[0]
    assert out["backend"] == one and "refused" in out["text"] and out["pool"] == "blue", out
    # Only its trials go there, ever more slowly.
    wait_event(daemon, "the next trial in 4 s")
    tried = signals(daemon, one)["refused"] - seen["refused"]
    assert tried <= 3, f"{tried} connections for three trials"
    lab.start_backend("blue0")
    wait_event(daemon, "in again")
    wait_ejected(daemon)
    wait_flows(daemon, one, 50)
    assert_nobody_failed(load.stop(), died=30)
    assert daemon.get()["state"] == "ok"
    assert not set(daemon.surprises()) & {"no_backend", "malformed"}


def test_closed_port_in_snat(three):
    """The answers come to an address of the node: they tell the same."""
    lab, start = three
    daemon = start(forward="snat")
    one = where(lab, "blue0")
    load = load_beside(lab, hidden=1)  # the servers do not know the clients
    lab.backend("blue0").server.proc.kill9()
    wait_ejected(daemon, one)
    assert signals(daemon, one)["refused"] >= FAILURES
    wait_event(daemon, "stays ejected: trial: 1 refused")
    lab.start_backend("blue0")
    wait_ejected(daemon)
    wait_flows(daemon, one, 50)
    assert_nobody_failed(load.stop(), died=30)


@pytest.mark.parametrize("family,attach", [(4, "tc"), (6, "xdp")])
def test_black_hole_is_ejected_and_comes_back(three, family, attach):
    lab, start = three
    daemon = start(attach, family)
    one = where(lab, "blue0", family)
    load = load_beside(lab, family, flows=200)
    dig_up = hole(lab, "blue0", family)
    wait_ejected(daemon, one)
    assert "not answered" in ejected(daemon)[one]["reason"]
    wait_event(daemon, "stays ejected: trial: 1 not answered")
    # Whoever comes now meets it by a trial alone.
    lab.load("new", vip(family), flows=10, sources=100, total=300, timeout=5000, log=True)
    late = lab.load("new", vip(family), flows=10, sources=100, total=300, timeout=5000, log=True)
    assert_clean(late.result(), 300)
    waited = [row for row in late.rows() if row.connect - row.start > 500_000_000]
    assert len(waited) <= 1, f"{len(waited)} of 300 waited for their second SYN"
    dig_up()
    wait_ejected(daemon, timeout=30)
    wait_flows(daemon, one, 50)
    assert_nobody_failed(load.stop())


RESETTER = """
import socket, struct, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=4096, reuse_port=False)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
"""


def start_resetter(lab, name):
    backend = lab.backend(name)
    proc = lab.start(["/usr/bin/python3", "-c", RESETTER, backend.v4, str(backend.port)], f"resets-{name}", backend.netns)
    wait_for(lambda: "ready" in proc.out(), 10, "it listens")
    return proc


def test_reset_after_accept_is_ejected(three):
    """It answers every SYN and an active check that connects: only its connections tell."""
    lab, start = three
    daemon = start(health=lab.quick_health())
    daemon.wait_healthy()
    one = where(lab, "blue0")
    lab.backend("blue0").server.proc.kill9()
    start_resetter(lab, "blue0")
    load = load_beside(lab, rate=50)
    wait_ejected(daemon, one)
    wait_for(lambda: daemon.backends()[one]["health"] == "up", 15, "the check finds it well")
    assert "reset before any data" in ejected(daemon)[one]["reason"]
    wait_event(daemon, "stays ejected: trial: 1 reset before any data", 2)
    assert ejected(daemon).keys() == {one}, "a check that connects does not bring it back"
    result = load.stop()
    seen = signals(daemon, one)
    assert sum(result["failures"].values()) <= seen["reset_early"] + 5, (result["failures"], seen)
    assert seen["reset_early"] < 50, f"{seen}: it was ejected late"


def test_the_most_that_may_be_ejected(make_lab):
    """All four refuse, without a check: two of four go, and it is said why the others stay."""
    lab = make_lab(pools={"blue": 4})
    web = lab.service(families=(4,), health={"type": "none"}, passive={"failures": FAILURES, "back_off": "1s"})
    daemon = lab.daemon(lab.config("tc", {"web": web}))
    load = lab.load("new", vip(4), flows=10, sources=100, rate=200)
    wait_for(lambda: len(events(daemon, "too few others are left")) >= 2, 20, "two of them are kept")
    assert len(ejected(daemon)) == 2, ejected(daemon)
    assert len(events(daemon, "ejected: connections")) == 2
    wait_event(daemon, "stays ejected", 3)
    assert len(ejected(daemon)) == 2
    why = " ".join(daemon.ctl("why", "web")["text"])
    assert "it is not ejected: too few others are left" in why, why
    service = daemon.get()
    assert not service["panic"] and service["state"] == "degraded"
    assert load.stop()["failures"]["refused"] > 100, "nobody was left to serve them"
    lab.start_backends()
    wait_ejected_under_load(lab, daemon)


def wait_ejected_under_load(lab, daemon):
    load = lab.load("new", vip(4), flows=10, sources=100, rate=100)
    wait_ejected(daemon, timeout=40)
    assert sum(load.stop()["failures"].values()) == 0


def test_ejection_survives_kill_9(three):
    lab, start = three
    daemon = start(passive={"back_off": "4s"})
    one = where(lab, "blue0")
    load = load_beside(lab)
    lab.backend("blue0").server.proc.kill9()
    wait_ejected(daemon, one)
    since = ejected(daemon)[one]["since"]
    daemon.kill9()
    before = lab.client_requests = load.status()["requests"]
    load.wait_requests(RATE)
    assert load.status()["requests"] > before
    daemon.start()
    assert ejected(daemon)[one]["since"] == since, "it was ejected then, and is still"
    wait_event(daemon, "stays ejected: trial: 1 refused")
    daemon.kill9()
    lab.start_backend("blue0")
    daemon.start()
    wait_ejected(daemon, timeout=40)
    wait_flows(daemon, one, 20)
    assert_nobody_failed(load.stop(), died=30)


def test_a_check_that_turns_up_is_a_hint(three):
    """Ejected, then down for its check too: once that is good the trial does not wait for an hour."""
    lab, start = three
    daemon = start(health=lab.quick_health(500, fall=3), passive={"back_off": "1h"})
    daemon.wait_healthy()
    one = where(lab, "blue0")
    load = load_beside(lab)
    lab.backend("blue0").server.proc.kill9()
    wait_ejected(daemon, one)
    wait_for(lambda: daemon.backends()[one]["health"] == "down", 15, "the check says so too")
    lab.start_backend("blue0")
    wait_ejected(daemon)
    assert events(daemon, "in again")
    wait_flows(daemon, one, 20)
    assert_nobody_failed(load.stop(), died=30)


def test_an_ejection_makes_the_check_ask(three):
    lab, start = three
    daemon = start(health={"type": "tcp", "interval": "10m", "fall": 1}, passive={"back_off": "1h"})
    daemon.wait_healthy()
    one = where(lab, "blue0")
    load = load_beside(lab)
    lab.backend("blue0").server.proc.kill9()
    wait_ejected(daemon, one)
    wait_for(lambda: daemon.backends()[one]["health"] == "down", 15, "it asked at once, not after ten minutes")
    assert_nobody_failed(load.stop(), died=30)


def test_without_connections_nobody_comes_back(three):
    """A good check alone does not re-admit; a person does."""
    lab, start = three
    daemon = start()
    one = where(lab, "blue0")
    lab.backend("blue0").server.proc.kill9()
    load = load_beside(lab)
    wait_ejected(daemon, one)
    assert_nobody_failed(load.stop(), died=30)
    lab.start_backend("blue0")
    wait_for(lambda: ejected(daemon)[one]["trial"], 40, "the next connection is its trial")
    assert "the next new connection is its trial" in " ".join(daemon.ctl("why", "web")["text"])
    answer = daemon.ctl("ready", f"web/blue/{one}")
    assert any("ejected -> ready" in c for c in answer["changes"]), answer.data
    wait_ejected(daemon)
    assert_clean(lab.load("new", vip(4), flows=10, sources=100, total=100).result(), 100)
    assert daemon.backends()[one]["flows_new"] > 0


def test_what_is_shown(three):
    lab, start = three
    daemon = start(passive={"back_off": "1h"})
    one = where(lab, "blue0")
    lab.backend("blue0").server.proc.kill9()
    load = load_beside(lab)
    wait_ejected(daemon, one)
    load.stop()
    table = daemon.ctl("get", "web", text=True).stdout
    assert "ejected" in table and "2/3" not in table, table  # health: none has nobody up
    assert f"! web/blue/{one}: ejected (in a row:" in table, table
    assert max(map(len, table.splitlines())) <= 80, table
    text = daemon.netns.run("curl", "-s", "http://127.0.0.1:9177/metrics").stdout
    labels = f'{{service="web",pool="blue",backend="{one}"}}'
    assert f"zdd_backend_ejected{labels} 1\n" in text
    assert f"zdd_backend_ejections_total{labels} 1\n" in text
    assert f"zdd_backend_refused_total{labels} {signals(daemon, one)['refused']}\n" in text
    two = where(lab, "blue1")
    assert f'zdd_backend_ejected{{service="web",pool="blue",backend="{two}"}} 0\n' in text
    assert signals(daemon, two)["served"] > 0


def test_off_ejects_nobody(three):
    lab, start = three
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(families=(4,), health={"type": "none"}, passive="off")}))
    one = where(lab, "blue0")
    lab.backend("blue0").server.proc.kill9()
    load = load_beside(lab)
    wait_for(lambda: signals(daemon, one)["refused"] > 50, 15, "it refuses")
    assert not ejected(daemon)
    assert_nobody_failed(load.stop(), died=0)


def test_open_connections_stay(three):
    """An ejected backend keeps what is open there."""
    lab, start = three
    daemon = start(passive={"back_off": "1h"})
    one = where(lab, "blue0")
    idle = lab.load("idle", vip(4), flows=60, interval=200)
    idle.wait_answered(60)
    dig_up = hole_for_syns(lab, "blue0")
    load = load_beside(lab, flows=200)
    wait_ejected(daemon, one)
    asked = idle.status()["requests"]
    wait_for(lambda: idle.status()["requests"] >= asked + 200, 15, "they go on")
    dig_up()
    result = idle.stop()
    assert_clean(result)
    assert endpoint(lab.backend("blue0").v4, 8080) == one
    assert "blue0" in {b["backend"] for b in result["backends"]}, "none was open there: no proof"
    assert_nobody_failed(load.stop())


def hole_for_syns(lab, name):
    backend = lab.backend(name)
    backend.netns.run("nft", "table inet syns { chain in { type filter hook input priority 0; "
                             f"ip daddr {backend.v4} tcp flags & (syn|ack) == syn drop; }}; }}")
    return lambda: backend.netns.run("nft", "delete table inet syns")
