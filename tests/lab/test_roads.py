# SPDX-License-Identifier: BSD-2-Clause
"""Every road: nat and snat, where answers come back through the node, and dsr, ipip and gue, where
packets are not rewritten: the backends have the listener's address and answer the client directly,
by a wire that the node does not see.

    client eth0 --- cl  node  b1 --- eth0 blue     every pool in a namespace of its own,
           d1 ------------------------ eth1        its default route over eth1
"""
import contextlib
import dataclasses
import errno
import os
import shutil
import socket

import pytest

from lablib import names, plain
from lablib.lab import CLIENT4, CLIENT6, VIP4, VIP6, Backend, vip
from lablib.narrow import NARROW, lengthen, wire
from lablib.peers import Ledgerd, assert_clean, pools_of
from lablib.proc import BUILD, run, wait_for
from lablib.timeline import Timeline

PORT = 443
MTU = 1500
MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Road:
    mode: str
    by: int       # the backends' family
    clients: int  # the clients' family

    @property
    def both_ways(self):
        """Answers come back through the node."""
        return self.mode in ("nat", "snat")

    @property
    def header(self):
        """Bytes in front of a packet."""
        if self.mode not in ("ipip", "gue"):
            return 0
        return (20 if self.by == 4 else 40) + (8 if self.mode == "gue" else 0)

    @property
    def vip(self):
        return VIP4 if self.clients == 4 else VIP6

    def __str__(self):
        return f"{self.mode}-{self.clients}in{self.by}" if self.header else f"{self.mode}-{self.by}"


NAT = [Road(mode, family, family) for mode in ("nat", "snat") for family in (4, 6)]
DSR = [Road("dsr", 4, 4), Road("dsr", 6, 6)]
TUNNELS = [Road(mode, by, clients) for mode in ("ipip", "gue") for by in (4, 6) for clients in (4, 6)]
ONE_WAY = DSR + TUNNELS
ROADS = NAT + ONE_WAY
roads = pytest.mark.parametrize("road", ROADS, ids=str)
one_way = pytest.mark.parametrize("road", ONE_WAY, ids=str)
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


def build_both_ways(make_lab, **shape):
    """blue0, extra0 and green0, each on a host of its own, servers running."""
    lab = make_lab(pools={"blue": 1, "extra": 1, "green": 1}, **shape)
    for b in lab.backends():
        b.pool = "blue" if b.pool == "extra" else b.pool
    lab.start_backends()
    return lab


def build(make_lab, **shape):
    """The same, with the listener's address and another way to the client."""
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
    lab.serial = getattr(lab, "serial", 0) + 1
    return lab.daemon(lab.config(attach, {"web": web}), name=f"zddd{lab.serial}").wait_healthy()


@contextlib.contextmanager
def running(lab, road, attach, **more):
    """A daemon that leaves nothing in a lab that others use after it."""
    forget_sizes(lab)
    daemon = start(lab, road, attach, **more)
    try:
        yield daemon
    finally:
        daemon.stop()
        daemon.remove()


def forget_sizes(lab):
    """What the client learned of the path's MTU."""
    for family in ("-4", "-6"):
        lab.client.run("ip", family, "route", "flush", "cache")


@pytest.fixture(scope="module")
def lab_for(make_shared_lab):
    """The lab of a road, built when it is first asked for."""
    made = {}

    def get(road, **shape):
        key = (road.both_ways, *shape.items())
        if key not in made:
            made[key] = (build_both_ways if road.both_ways else build)(make_shared_lab, **shape)
        return made[key]
    return get


def bulk(lab, road, size):
    s = plain.connect(lab.client, road.vip, PORT)
    for _ in range(size // (16 * MIB)):
        assert plain.upload(s, 16 * MIB) and plain.download(s, 16 * MIB)


def flips(lab, road, daemon, times):
    timeline = Timeline(daemon)
    target = vip(road.clients)
    hidden = int(road.mode == "snat")
    new = lab.load("new", target, flows=10, log=True, hidden=hidden)
    udp = lab.load("udp", target, flows=5, hidden=hidden)
    idle = lab.load("idle", target, flows=50, interval=50, hidden=hidden)
    keep = lab.load("udpkeep", target, flows=20, hidden=hidden)
    idle.wait_answered(50)
    keep.wait_answered(20)
    for _ in range(times):
        timeline.flip()
        new.wait_requests(50)
        udp.wait_requests(20)
    if timeline.live == "green":
        timeline.flip()
    assert daemon.open_flows() >= 70, "flows of which only the client is heard are established"
    drain(lab, road, daemon, new)
    results = new.stop(), udp.stop(), idle.stop(), keep.stop()
    for result in results:
        assert_clean(result, 50, rewritten_ok=hidden)
    assert results[2]["open"] == 50 and pools_of(results[2]) == {"blue": 50}
    assert results[3]["open"] == 20
    assert timeline.strays(new.rows()) == []


def drain(lab, road, daemon, load):
    victim = lab.backend("extra0").endpoints([road.by])[0]
    daemon.ctl("drain", f"web/blue/{victim}", "--no-wait", expect=(0, 15))
    before = daemon.backends()[victim]["flows_new"]
    load.wait_requests(100)
    assert daemon.backends()[victim]["flows_new"] == before


# ---- size

def tell_mtu(lab, road):
    """Sends datagrams that may not be cut until one is refused; the MTU that the client has learned."""
    level, discover, mtu = ((socket.IPPROTO_IP, 10, 14) if road.clients == 4 else
                            (socket.IPPROTO_IPV6, 23, 24))
    s = plain.udp(lab.client, CLIENT4 if road.clients == 4 else CLIENT6)
    s.setsockopt(level, discover, 2)
    s.connect((road.vip, PORT))
    largest = MTU - 8 - (20 if road.clients == 4 else 40)

    def refused():
        try:
            s.send(bytes(largest))
        except OSError as e:
            return e.errno == errno.EMSGSIZE
        return False

    wait_for(refused, 10, "the client hears what fits")
    return s.getsockopt(level, mtu)


def segment(road):
    """What a client with timestamps puts into a segment that fits the tunnel."""
    return MTU - road.header - (40 if road.clients == 4 else 60) - 12


def sizes(lab, road, daemon):
    """zdd-decap lowers the MSS, so nothing that TCP sends is too big; other senders are told."""
    s = plain.connect(lab.client, road.vip, PORT)
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == segment(road)
    assert plain.upload(s, 4 * MIB)
    assert daemon.counters()["too_big"]["count"] == 0
    assert sum(b.decap.counts()["clamped"] for b in lab.backends()) > 0
    assert tell_mtu(lab, road) == MTU - road.header
    assert daemon.counters()["too_big"]["count"] > 0


# ---- every road

@hooks
@roads
def test_road(lab_for, full, road, attach):
    """Transfers with checksums, what does not fit, flips and a drain under load that nobody notices."""
    shared = lab_for(road)
    with running(shared, road, attach) as daemon:
        if road in TUNNELS:
            sizes(shared, road, daemon)
        bulk(shared, road, 1024 * MIB if full else 16 * MIB)
        flips(shared, road, daemon, 50 if full else 3)
        # The last test's connections may still be saying goodbye.
        assert set(daemon.surprises()) <= {"stray_forwarded"}, daemon.surprises()


@hooks
@roads
def test_bulk_without_offloads(lab_for, full, road, attach):
    lab = lab_for(road, offloads=False)
    with running(lab, road, attach):
        bulk(lab, road, 1024 * MIB if full else 16 * MIB)


@hooks
@pytest.mark.parametrize("road", [TUNNELS[0], TUNNELS[-1]], ids=str)
def test_path_mtu_discovery_without_clamp(make_lab, road, attach):
    lab = build(make_lab)
    for b in lab.backends():
        b.decap("attach", "--mtu", "9000", "eth0", "eth1")
    with running(lab, road, attach) as daemon:
        s = plain.connect(lab.client, road.vip, PORT)
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) > segment(road)
        assert plain.upload(s, 4 * MIB)
        assert daemon.counters()["too_big"]["count"] > 0
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == segment(road)


def one_backend(make_shared_lab, mtu, mtu_of_client):
    """What a client sends fits the tunnel."""
    lab = make_shared_lab(pools={"blue": 1})
    netns = lab.backends()[0].netns
    give_address(netns)
    direct_wire(lab, netns, 1)
    Decap(lab, netns)("attach", "eth0", "eth1")
    for side, device in ((netns, "eth0"), (lab.node, "b1")):
        side.ip(f"link set {device} mtu {mtu}")
    for side, device in ((lab.client, "eth0"), (lab.client, "d1"), (netns, "eth1"), (lab.node, "cl")):
        side.ip(f"link set {device} mtu {mtu_of_client}")
    lab.backends()[0].port = PORT
    return lab


@pytest.fixture(scope="module")
def far(make_shared_lab):
    """node -- gate --1400-- middle -- backend, which answers the client directly."""
    lab = make_shared_lab(pools={"blue": 1})
    gate = lab.backends()[0]
    end = lengthen(lab, gate.netns, 40, gate.v4, gate.v6)
    give_address(end)
    direct_wire(lab, end, 1)
    Decap(lab, end)("attach", "wide", "eth1")
    lab.far = Served("far0", "blue", end, gate.interface, "10.40.2.2", "fd40:2::2", PORT)
    lab.far.server = Ledgerd(lab, lab.far)
    lab.far.server.wait_ready()
    return lab


@hooks
@pytest.mark.parametrize("road", TUNNELS, ids=str)
def test_narrow_way_to_the_backend(far, road, attach):
    """A router inside the tunnel tells the node; the client hears it, less the tunnel's headers."""
    forget_sizes(far)
    web = far.service([f"{vip(road.clients)}/tcp"], health={"type": "none"}, forward=road.mode,
                      pools={"blue": far.far.endpoints([road.by])[:1]})
    daemon = far.daemon(far.config(attach, {"web": web}), name=f"zddd-{road}-{attach}")
    try:
        s = plain.connect(far.client, road.vip, PORT)
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == segment(road)
        assert plain.upload(s, MIB) and plain.download(s, MIB)
        assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) == segment(road) - (MTU - NARROW)
        assert daemon.counters()["icmp_to_client"]["count"] > 0
        assert daemon.surprises() == {}
    finally:
        daemon.stop()
        daemon.remove()


@pytest.fixture(scope="module")
def roundabout(make_shared_lab):
    """backend --1500-- turn --1400-- client, which knows the way to the listener: answers do not see the node."""
    lab = make_shared_lab(pools={"blue": 1})
    backend = lab.backends()[0]
    turn = lab.add_netns("turn")
    give_address(backend.netns)
    wire(lab.client, turn, "narrow", 30, 1, NARROW)
    wire(turn, backend.netns, "wide", 31, 1)
    for netns in (turn, lab.client):
        netns.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    turn.ip("route add default via 10.30.1.1", "route add default via fd30:1::1")
    backend.netns.ip("route replace default via 10.31.1.1", "route replace default via fd31:1::1")
    Decap(lab, backend.netns)("attach", "eth0", "wide")
    backend.port = PORT
    served = Served(**{f.name: getattr(backend, f.name) for f in dataclasses.fields(backend)})
    served.server = Ledgerd(lab, served)
    served.server.wait_ready()
    return lab


@hooks
@one_way
def test_narrow_way_of_the_answers(roundabout, road, attach):
    """A router on the backend's own way to the client tells the listener: its backend hears it."""
    for family in ("-4", "-6"):
        roundabout.backends()[0].netns.run("ip", family, "route", "flush", "cache")
    web = roundabout.service([f"{vip(road.clients)}/tcp"], health={"type": "none"}, forward=road.mode,
                             pools={"blue": roundabout.backends()[0].endpoints([road.by])})
    daemon = roundabout.daemon(roundabout.config(attach, {"web": web}), name=f"zddd-{road}-{attach}")
    try:
        s = plain.connect(roundabout.client, road.vip, PORT)
        assert plain.download(s, MIB)
        assert daemon.counters()["icmp_to_backend"]["count"] > 0
        assert plain.upload(s, MIB)
        assert daemon.surprises() == {}
    finally:
        daemon.stop()
        daemon.remove()


@pytest.fixture(scope="module")
def jumbo(make_shared_lab):
    return one_backend(make_shared_lab, 9200, 9200)


@pytest.fixture(scope="module")
def roomy(make_shared_lab):
    return one_backend(make_shared_lab, 1600, MTU)


@contextlib.contextmanager
def udp_only(lab, road, attach):
    web = lab.service([f"{vip(road.clients)}/udp"], health={"type": "none"}, forward=road.mode,
                      pools={"blue": lab.backends()[0].endpoints([road.by])})
    daemon = lab.daemon(lab.config(attach, {"web": web}), name=f"zddd-{road}-{attach}")
    try:
        yield daemon
    finally:
        daemon.stop()
        daemon.remove()


def datagrams(lab, road, times):
    server = plain.udp(lab.backends()[0].netns, road.vip, PORT)
    client = plain.udp(lab.client, CLIENT4 if road.clients == 4 else CLIENT6)
    for _ in range(times):
        client.sendto(plain.pattern(9000), (road.vip, PORT))
        data, who = server.recvfrom(10000)
        assert data == plain.pattern(9000) and who[:2] == client.getsockname()[:2]
        server.sendto(data[::-1], who)
        data, who = client.recvfrom(10000)
        assert data == plain.pattern(9000)[::-1] and who[:2] == (road.vip, PORT)


@one_way
def test_datagram_of_9000_bytes(jumbo, road):
    with udp_only(jumbo, road, "tc"):
        datagrams(jumbo, road, 3)


@hooks
@one_way
def test_datagram_in_fragments(roomy, road, attach):
    """Each goes into a packet of its own; the backend puts them together."""
    with udp_only(roomy, road, attach) as daemon:
        datagrams(roomy, road, 20)
        server = plain.udp(roomy.backends()[0].netns, road.vip, PORT)
        source = (CLIENT4 if road.clients == 4 else CLIENT6, 4040)
        plain.send_backwards(roomy.client, source, (road.vip, PORT), plain.pattern(9000), 1)
        assert server.recv(10000) == plain.pattern(9000)
        assert daemon.counters()["fragment_forwarded"]["count"] >= 20 * 6
        assert daemon.surprises() == {}


# ---- what the topology does not allow

@pytest.mark.parametrize("mode,backend,text", [
    ("dsr", "10.77.0.1:443", "it is behind a router"),
    ("dsr", "10.20.1.1:443", "it is on this host"),
    ("gue", "10.20.1.1:443", "it is on this host"),
    ("ipip", "10.99.0.1:443", "there is no route to it"),
])
def test_doctor_names_what_cannot_be(make_lab, mode, backend, text):
    lab = make_lab(pools={"blue": 1})
    lab.node.ip("route add 10.77.0.0/16 via 10.20.1.10")
    web = lab.service([f"{vip(4)}/tcp"], pools={"blue": [backend]}, health={"type": "none"}, forward=mode)
    daemon = lab.daemon(lab.config("tc", {"web": web}))
    check = next(c for c in daemon.ctl("doctor", expect=1)["checks"] if c["name"] == "roads")
    assert check["ok"] is False and f"{backend} cannot be reached by {mode}: {text}" in check["text"]
    with pytest.raises(OSError):
        plain.connect(lab.client, VIP4, PORT, timeout=1)
    assert daemon.counters()["no_way"]["count"] > 0


def test_doctor_knows_the_least_size_of_ipv6(make_lab):
    lab = build(make_lab)
    lab.node.ip("route add 10.20.1.10/32 dev b1 mtu 1300")
    daemon = start(lab, Road("gue", 4, 6), "tc")
    check = next(c for c in daemon.ctl("doctor", expect=1)["checks"] if c["name"] == "tunnel_mtu")
    assert check["ok"] is False and "1272 bytes fit the way to 10.20.1.10:443; IPv6 needs 1280" in check["text"]


# ---- zdd-decap itself

def test_decap_command(make_lab):
    lab = make_lab(pools={"blue": 1})
    decap = Decap(lab, lab.backends()[0].netns)
    assert "not attached to any interface" in decap().stdout
    assert "no such interface" in decap("attach", "eth7", expect=3).stderr
    assert not os.path.exists(decap.pins)
    for words, said in ((["attach"], "which interface?"), (["atach", "eth0"], "expected attach or detach"),
                        (["attach", "eth0", "--mtu", "9x"], "--mtu: '9x': expected 576 to 65535"),
                        (["attach", "eth0", "--from", "10.0.0"], "expected a network"),
                        (["attach", "eth0", "--mut", "1"], "unknown option '--mut'")):
        done = decap(*words, expect=2)
        assert said in done.stderr and done.stderr.count("\n") == 1 and not done.stdout
    decap("attach", "eth0", "lo")
    decap("attach", "eth0")
    assert "eth0: attached" in decap().stdout and "lo: attached" in decap().stdout
    decap("detach", "lo")
    assert decap.counts()["ipip"] == 0
    decap("detach", "eth0")
    assert "is not attached" in decap("detach", "eth0", expect=3).stderr
    assert not os.path.exists(decap.pins)


def test_only_named_senders_are_believed(make_lab):
    lab = build(make_lab)
    daemon = start(lab, TUNNELS[0], "tc")
    for b in lab.backends():
        b.decap("attach", "--from", "192.0.2.0/24", "--from", "fd00::/16", "eth0", "eth1")
    with pytest.raises(OSError):
        plain.connect(lab.client, VIP4, PORT, timeout=1)
    assert sum(b.decap.counts()["sender"] for b in lab.backends()) > 0
    for b in lab.backends():
        b.decap("attach", "--from", "10.20.0.0/16", "eth0", "eth1")
    assert_clean(lab.load("new", vip(4), total=50, flows=2).result(), 50)
    assert daemon.counters()["forwarded"]["count"] > 0
