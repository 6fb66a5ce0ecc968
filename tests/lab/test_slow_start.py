# SPDX-License-Identifier: BSD-2-Clause
"""Slow start: who comes back gets few new connections at first, by the servers' own ledgers, and nobody else's."""
import time

import pytest

from lablib.lab import vip
from lablib.peers import assert_clean
from lablib.proc import wait_for

RATE = 300
ONE = "blue0"  # comes back


@pytest.fixture
def make_slow(make_lab):
    """A live pool of three servers, and new connections all the time."""
    def make(slow_start, attach="tc", family=4, **shape):
        lab = make_lab(pools={"blue": 3}, **shape)
        lab.start_backends()
        health = lab.quick_health(type="http", path="/health")
        web = lab.service(families=(family,), slow_start=slow_start, health=health)
        lab.zdd = lab.daemon(lab.config(attach, {"web": web}, metrics="127.0.0.1:9177")).wait_healthy()
        return lab
    return make


def where(lab, name, family=4):
    return lab.backend(name).endpoints((family,))[0]


def begin_load(lab, family=4):
    load = lab.load("new", vip(family), flows=30, sources=500, rate=RATE, timeout=5000)
    load.wait_requests(RATE // 2)
    return load


def rising(daemon):
    """{address: percent of the weight} of those in slow start."""
    return {a: b["slow_start"]["percent"] for a, b in daemon.backends().items() if b["slow_start"]}


def wait_risen(daemon, timeout=60):
    wait_for(lambda: not rising(daemon), timeout, f"nobody is in slow start: {rising(daemon)}")


def events(daemon, address, words):
    return [e for e in daemon.ctl("events")["events"]
            if e["kind"] == "slow_start" and e["backend"] == address and words in e["text"]]


def arrivals(lab, since_ns, until_ns=1 << 63):
    """Who got the connections, in their order."""
    rows = sorted((row.ns, row.backend) for row in lab.ledgers() if row.proto == "tcp")
    return [backend for ns, backend in rows if since_ns <= ns < until_ns]


def next_arrivals(lab, number, since_ns=None):
    since_ns = since_ns or time.monotonic_ns()
    wait_for(lambda: len(arrivals(lab, since_ns)) >= number, 30, f"{number} connections")
    return arrivals(lab, since_ns)[:number]


def part(backends, name=ONE):
    return backends.count(name) / len(backends)


def assert_even(lab, number=900):
    """A third each: five standard deviations of what chance does are 0.079."""
    came = next_arrivals(lab, number)
    for name in sorted(set(came)):
        assert abs(part(came, name) - 1 / 3) < 0.08, {n: came.count(n) for n in set(came)}
    assert len(set(came)) == 3


def leave(lab, how):
    if how == "drain":
        lab.zdd.ctl("drain", f"web/blue/{where(lab, ONE)}")
    else:
        lab.backend(ONE).server.health(500)
        wait_for(lambda: lab.zdd.backends()[where(lab, ONE)]["health"] == "down", 15, "it is down")


def come_back(lab, how):
    """Returns a time before its first connection."""
    now = time.monotonic_ns()
    if how == "drain":
        lab.zdd.ctl("ready", f"web/blue/{where(lab, ONE)}")
    else:
        lab.backend(ONE).server.health(200)
    wait_for(lambda: where(lab, ONE) in rising(lab.zdd), 15, "it is in slow start")
    return now


@pytest.mark.parametrize("how", ["drain", "health"])
def test_who_comes_back_rises(make_slow, how):
    lab = make_slow("12s")
    daemon, one = lab.zdd, where(lab, ONE)
    wait_risen(daemon)
    load = begin_load(lab)
    assert_even(lab)
    leave(lab, how)
    assert part(next_arrivals(lab, 100)) == 0
    began = come_back(lab, how)
    assert "up, " in daemon.ctl("get", "web", text=True).stdout
    assert any("slow start, it has" in line for line in daemon.ctl("why", "web")["text"])
    wait_risen(daemon)
    over = time.monotonic_ns()
    # A third of its rise each: by levels 8, 20 and 29 % of 1200; before its first step nobody came to it.
    came = arrivals(lab, began, over)
    came = came[came.index(ONE):]
    third = len(came) // 3
    parts = [part(came[i * third:(i + 1) * third]) for i in range(3)]
    assert third > RATE and parts[0] < parts[1] < parts[2], (third, parts)
    assert parts[0] < 0.15 and 0.22 < parts[2], parts
    assert part(came[:100]) < 0.2, came[:100].count(ONE)
    assert_even(lab)
    assert_clean(load.stop(), RATE)
    assert len(events(daemon, one, "begins: a tenth of its weight, all of it in 12s")) == 2  # the first was at the start
    assert len(events(daemon, one, "over: it has all of its weight")) == 2
    assert not daemon.surprises()


@pytest.mark.parametrize("family,attach", [(4, "xdp"), (6, "tc")])
def test_a_new_pool_takes_its_traffic_as_usual(make_slow, family, attach):
    """All of it are in slow start, for an hour: weights are relative."""
    lab = make_slow("1h", attach, family)
    daemon = lab.zdd
    assert rising(daemon) == {b: 10 for b in daemon.backends()}
    publishes = daemon.get()["generation"]
    load = begin_load(lab, family)
    assert_even(lab)
    assert_clean(load.stop(), RATE)
    assert rising(daemon) == {b: 10 for b in daemon.backends()}
    assert daemon.get()["generation"] == publishes, "nothing is published while nothing moves"


@pytest.mark.parametrize("end", ["kill9", "stop"])
def test_a_restart_goes_on_where_it_was(make_slow, end):
    """No backend begins anew, nobody's part changes by it."""
    lab = make_slow("12s")
    daemon, one = lab.zdd, where(lab, ONE)
    wait_risen(daemon)
    leave(lab, "drain")
    config = lab.config("tc", {"web": lab.service(families=(4,), slow_start="10m", health=lab.quick_health())})
    daemon.write(config)
    daemon.ctl("apply", "-f", daemon.config_path)
    load = begin_load(lab)
    began = come_back(lab, "drain")
    assert rising(daemon) == {one: 10}
    next_arrivals(lab, 300, began)
    getattr(daemon, end)()
    daemon.start()
    assert rising(daemon) == {one: 10}
    came = next_arrivals(lab, 600)
    assert 0 < part(came) < 0.12, part(came)  # one of 21: 4.8 %
    assert len(events(daemon, one, "begins")) == 2 and len(events(daemon, one, "over")) == 1
    daemon.write(lab.config("tc", {"web": lab.service(families=(4,), health=lab.quick_health())}))
    daemon.ctl("apply", "-f", daemon.config_path)
    assert rising(daemon) == {}
    assert_even(lab)
    assert_clean(load.stop(), RATE)
