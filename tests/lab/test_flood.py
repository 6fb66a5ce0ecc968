# SPDX-License-Identifier: BSD-2-Clause
"""SYNs of forged addresses beside real connections."""
import json
import os
import time

import pytest

from lablib.lab import CLIENT4, CLIENT6, vip
from lablib.peers import assert_clean, peer
from lablib.proc import wait_for

FULL = os.environ.get("ZDD_FULL") == "1"
HALF_OPEN = 8192  # places for half-open flows: the least there is


class Flood:
    """From addresses where nobody answers a SYN-ACK."""

    def __init__(self, lab, family, rate=0):
        prefix, first = ("10.96.0.0/14", "10.96.0.0") if family == 4 else ("fd96::/64", "fd96::")
        lab.node.ip(f"route replace {prefix} via {CLIENT4 if family == 4 else CLIENT6}")
        argv = [peer("synflood"), "--device", "eth0", "--mac", lab.node.mac("cl"), "--to", vip(family),
                "--from", first, "--sources", "262144"]
        self.proc = lab.start(argv + (["--rate", str(rate)] if rate else []), "synflood", lab.client)

    def stop(self):
        """SYNs a second."""
        self.proc.stop()
        said = json.loads(self.proc.out())
        return said["sent"] * 1000 / said["ms"]


def per_second(load, seconds):
    before, began = load.running_well()["requests"], time.monotonic()
    wait_for(lambda: time.monotonic() - began >= seconds, seconds + 5, "time passes")
    return (load.running_well()["requests"] - before) / (time.monotonic() - began)


def start(lab, attach, tcp=4096, **more):
    config = lab.config(attach, {"web": lab.service(**more)}, flows={"tcp": tcp, "udp": 1024})
    return lab.daemon(config).wait_healthy()


EVERYWHERE = [(4, "xdp"), (6, "tc"), (6, "xdp"), (4, "tc")]


@pytest.mark.parametrize("family,attach", EVERYWHERE if FULL else EVERYWHERE[:2])
def test_established_connections_outlive_a_flood(lab, full, family, attach):
    """As many SYNs as this machine can make; two flips in between. They share one wire, whose rings are full of
    them: TCP has to come through by repeating, in half a minute of it for as long as it takes."""
    daemon = start(lab, attach)
    patient = 90000 if full else 10000
    idle = lab.load("idle", vip(family), flows=1000, interval=500, timeout=patient)
    bulk = lab.load("keep", vip(family), flows=10)
    idle.wait_answered(1000)
    seconds = 30 if full else 2
    quiet = per_second(bulk, seconds / 2)
    flood = Flood(lab, family)
    new = lab.load("new", vip(family), flows=10, rate=100, timeout=patient)
    loud = per_second(bulk, seconds)
    daemon.flip("web=green")
    daemon.flip("web=blue")
    new.wait_requests(50 if full else 10)
    rate = flood.stop()
    began, tries = new.stop(), daemon.counters()
    print(f"\n{attach} v{family}: {rate:,.0f} SYN/s; requests/s of open connections {quiet:,.0f} -> {loud:,.0f} "
          f"({100 * (loud - quiet) / quiet:+.0f} %); new connections {began['flows']} begun, "
          f"{began['failed']} failed, connect {began['connect_us']}")
    assert tries["syn_flood"]["count"] > HALF_OPEN, "no flood: no proof"
    for load in (idle, bulk):
        assert_clean(load.stop(), 1000)
    assert_clean(began, 10)


@pytest.mark.parametrize("attach", ["xdp", "tc"])
def test_connections_begun_in_a_flood_survive_flips(lab, attach):
    """They were forwarded by the table at first, and have a record since their handshake."""
    daemon = start(lab, attach)
    flood = Flood(lab, 4, rate=20_000)
    wait_for(lambda: daemon.counters()["syn_flood"]["count"] > 1000, 20, "the flood is on")
    idle = lab.load("idle", vip(4), flows=200, interval=100, timeout=10000)
    idle.wait_answered(200)
    for pool in ("green", "blue", "green"):
        daemon.flip(f"web={pool}")
        idle.wait_requests(400)
    flood.stop()
    assert daemon.open_flows("web/blue") == 200
    result = idle.stop()
    assert_clean(result, 1000)
    assert result["open"] == 200


SYNS = "table inet seen { chain in { type filter hook input priority 0; tcp flags & (syn | ack) == syn counter; }; }"


def syns(lab):
    """SYNs that came to the backends since SYNS was loaded."""
    tables = [lab.backend(name).netns.run("nft", "list", "table", "inet", "seen").stdout for name in ("blue0", "green0")]
    return sum(int(text.split("packets ")[1].split()[0]) for text in tables)


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_clients_prove_that_they_are_there(lab, family, attach):
    """flood: prove. Forged SYNs reach no backend, real clients get through, and at once: all of them were asked."""
    daemon = start(lab, attach, flood="prove")
    flood = Flood(lab, family, rate=20_000)
    wait_for(lambda: daemon.counters()["syn_asked"]["count"] > 1000, 20, "clients are asked")
    for name in ("blue0", "green0"):
        lab.backend(name).netns.nft(SYNS)
    before = daemon.counters()
    result = lab.load("new", vip(family), flows=20, sources=200, total=1000, timeout=10000, log=True).result()
    wait_for(lambda: daemon.counters()["syn_asked"]["count"] > before["syn_asked"]["count"] + 20_000, 20, "it goes on")
    assert flood.stop() > 1000
    assert_clean(result, 1000)
    after = daemon.counters()
    print(f"\n{attach} v{family}: connect {result['connect_us']}, {syns(lab)} SYNs at the backends")
    assert after["syn_proven"]["count"] - before["syn_proven"]["count"] >= 200, "real clients were not asked: no proof"
    forwarded = after["syn_flood"]["count"] - before["syn_flood"]["count"]
    assert forwarded <= 1100 and syns(lab) <= 1500, (forwarded, syns(lab))
    assert result["connect_us"]["p99"] < 900_000, "the clients' own repeat, after a second, had to do it"


def test_a_flood_is_told(lab):
    daemon = start(lab, "xdp")
    flood = Flood(lab, 4, rate=20_000)
    wait_for(lambda: "flood" in str(daemon.state()["problems"]), 20, "`get` says that there is a flood")
    flood.stop()


@pytest.mark.parametrize("attach", ["xdp", "tc"])
def test_many_real_connections_are_no_flood(lab, attach):
    """More of them in a short time than half-open flows have places."""
    daemon = start(lab, attach, tcp=20_000)
    result = lab.load("new", vip(4), total=3 * HALF_OPEN, flows=50, sources=50).result()
    assert_clean(result, 3 * HALF_OPEN)
    assert daemon.counters()["syn_flood"]["count"] == 0
