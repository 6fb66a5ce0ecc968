# SPDX-License-Identifier: BSD-2-Clause
"""The roads on which packets are not rewritten: dsr, ipip, gue. The backends have the listener's
address and answer the client directly, by a wire that the node does not see.

    client eth0 --- cl  node  b1 --- eth0 blue     every pool in a namespace of its own,
           d1 ------------------------ eth1        its default route over eth1
"""
import dataclasses
import errno
import os
import shutil
import socket

import pytest

from lablib import names, plain
from lablib.lab import VIP4, VIP6, Backend, vip
from lablib.peers import Ledgerd, assert_clean, pools_of
from lablib.proc import BUILD, run, wait_for
from lablib.timeline import Timeline

PORT = 443
MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Road:
    mode: str
    by: int       # the backends' family
    clients: int  # the clients' family

    def __str__(self):
        return f"{self.mode}-{self.clients}in{self.by}" if self.mode != "dsr" else f"dsr-{self.by}"


DSR = [Road("dsr", 4, 4), Road("dsr", 6, 6)]
TUNNELS = [Road(mode, by, clients) for mode in ("ipip", "gue") for by in (4, 6) for clients in (4, 6)]
ROADS = DSR + TUNNELS
roads = pytest.mark.parametrize("road", ROADS, ids=str)
hooks = pytest.mark.parametrize("attach", ["tc", "xdp"])


class Served(Backend):
    """Its server listens on the listener's addresses beside its own."""

    def endpoints(self, families=(4, 6)):
        return super().endpoints(families) + [vip(f, PORT) for f in (4, 6)]


def give_address(netns):
    netns.sysctl(net__ipv4__conf__all__arp_ignore=1, net__ipv4__conf__all__arp_announce=2)
    netns.ip(f"addr add {VIP4}/32 dev lo", f"addr add {VIP6}/128 dev lo nodad")


def direct_wire(lab, netns, number):
    """From the backend to the client, past the node."""
    lab.client.ip(f"link add d{number} type veth peer name eth1 netns {netns.name}",
                  f"addr add 10.30.{number}.1/24 dev d{number}",
                  f"addr add fd30:{number}::1/64 dev d{number} nodad", f"link set d{number} up")
    netns.ip(f"addr add 10.30.{number}.2/24 dev eth1", f"addr add fd30:{number}::2/64 dev eth1 nodad",
             "link set eth1 up",
             f"route replace default via 10.30.{number}.1",
             f"route replace default via fd30:{number}::1")
    for side, device in ((lab.client, f"d{number}"), (netns, "eth1")):
        side.run("tc", "qdisc", "replace", "dev", device, "root", "pfifo", "limit", "10000")


class Decap:
    """zdd-decap on one backend's host."""

    def __init__(self, lab, netns):
        self.netns = netns
        self.pins = os.path.join(names.BPFFS, f"{netns.name}-decap")
        lab.defer(shutil.rmtree, self.pins, True)

    def __call__(self, *words, expect=0):
        done = run([os.path.join(BUILD, "zdd-decap"), *words, "--bpffs", self.pins],
                   netns=self.netns.name, check=False)
        assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done

    def counts(self):
        lines = [line.split() for line in self().stdout.splitlines() if ": " not in line]
        return {p[0]: int(p[1]) for p in lines}


def build(make_lab, **shape):
    """blue0, extra0 and green0, each on a host of its own, servers running."""
    lab = make_lab(pools={"blue": 1, "extra": 1, "green": 1}, **shape)
    for number, b in enumerate(lab.backends(), 1):
        b.port = PORT
        b.pool = "blue" if b.pool == "extra" else b.pool
        give_address(b.netns)
        b.decap = Decap(lab, b.netns)
        direct_wire(lab, b.netns, number)
        b.decap("attach", "eth0", "eth1")
        served = Served(**{f.name: getattr(b, f.name) for f in dataclasses.fields(b)})
        b.server = Ledgerd(lab, served)
    for b in lab.backends():
        b.server.wait_ready()
    return lab


def start(lab, road, attach, **more):
    pools = {"blue": ["blue0", "extra0"], "green": ["green0"]}
    pools = {name: [lab.backend(b).endpoints([road.by])[0] for b in backends]
             for name, backends in pools.items()}
    web = lab.service([f"{vip(road.clients)}/{proto}" for proto in ("tcp", "udp")], pools=pools,
                      forward=road.mode, **more)
    return lab.daemon(lab.config(attach, {"web": web})).wait_healthy()


@pytest.fixture
def lab(make_lab):
    return build(make_lab)


@hooks
@roads
def test_flips_and_drain_under_load(lab, full, road, attach):
    """Open connections stay, new ones go where they should, nobody notices anything."""
    daemon = start(lab, road, attach)
    timeline = Timeline(daemon)
    target = vip(road.clients)
    new = lab.load("new", target, flows=10, log=True)
    udp = lab.load("udp", target, flows=5)
    idle = lab.load("idle", target, flows=50, interval=50)
    keep = lab.load("udpkeep", target, flows=20)
    idle.wait_answered(50)
    keep.wait_answered(20)
    for _ in range(50 if full else 5):
        timeline.flip()
        new.wait_requests(100)
        udp.wait_requests(50)
    if timeline.live == "green":
        timeline.flip()
    assert daemon.open_flows() >= 70, "flows of which only the client is heard are established"
    victim = lab.backend("extra0").endpoints([road.by])[0]
    daemon.ctl("drain", f"web/blue/{victim}", "--no-wait", expect=(0, 15))
    before = daemon.backends()[victim]["flows_new"]
    new.wait_requests(200)
    assert daemon.backends()[victim]["flows_new"] == before
    results = new.stop(), udp.stop(), idle.stop(), keep.stop()
    for result in results:
        assert_clean(result, 50)
    assert results[2]["open"] == 50 and pools_of(results[2]) == {"blue": 50}
    assert results[3]["open"] == 20
    assert timeline.strays(new.rows()) == []
    assert set(daemon.surprises()) <= {"no_way"}, daemon.surprises()


@pytest.mark.parametrize("offloads", [True, False], ids=["offloads", "plain"])
@hooks
@roads
def test_bulk(make_lab, full, road, attach, offloads):
    lab = build(make_lab, offloads=offloads)
    start(lab, road, attach)
    size = 1024 * MIB if full else 32 * MIB
    s = plain.connect(lab.client, VIP4 if road.clients == 4 else VIP6, PORT)
    for _ in range(size // (16 * MIB)):
        assert plain.upload(s, 16 * MIB) and plain.download(s, 16 * MIB)
