# SPDX-License-Identifier: BSD-2-Clause
"""Path MTU discovery and other ICMP errors through the switch, with routers that have narrow links."""
import errno
import socket

import pytest

from lablib import plain
from lablib.lab import VIP4, VIP6, Backend
from lablib.narrow import lengthen
from lablib.peers import Ledgerd
from lablib.proc import wait_for

BULK = 1 << 20
hooks = pytest.mark.parametrize("attach", ["tc", "xdp"])
modes = pytest.mark.parametrize("forward", ["nat", "snat"])
offloaded = pytest.mark.parametrize("offloads", [True, False], ids=["offloads", "plain"])


def behind_the_client(lab):
    return lengthen(lab, lab.client, 30, "10.10.1.2", "fd10:1::2")


def behind_the_pool(lab):
    """A backend beyond a router, as the lab's only one."""
    gate = lab.pools["blue"][0]
    end = lengthen(lab, gate.netns, 40, gate.v4, gate.v6)
    backend = Backend("far0", "blue", end, gate.interface, "10.40.2.2", "fd40:2::2")
    backend.server = Ledgerd(lab, backend)
    backend.server.wait_ready()
    return backend


def serve(lab, attach, backend=None, **service):
    pools = {"blue": (backend or lab.pools["blue"][0]).endpoints()}
    return lab.daemon(lab.config(attach, {"web": lab.service(pools=pools, **service)})).wait_healthy()


def counted(daemon, verdict):
    return daemon.counters()[verdict]["count"]


@hooks
@offloaded
@modes
def test_narrow_way_to_the_client(make_lab, attach, offloads, forward):
    """What the server sends does not fit behind the client's gate: the server hears it and goes on."""
    lab = make_lab(offloads=offloads)
    end = behind_the_client(lab)
    lab.start_backends()
    daemon = serve(lab, attach, forward=forward)
    for number, vip in enumerate((VIP4, VIP6), 1):
        s = plain.connect(end, vip, 443)
        assert plain.download(s, BULK)
        assert counted(daemon, "icmp_to_backend") >= number
        assert plain.upload(s, BULK)
    assert daemon.surprises() == {}


@hooks
@offloaded
@modes
def test_narrow_way_to_the_backend(make_lab, attach, offloads, forward):
    """What the client sends does not fit before the backend: the client hears it as if from the VIP."""
    lab = make_lab(offloads=offloads)
    daemon = serve(lab, attach, behind_the_pool(lab), forward=forward)
    for number, vip in enumerate((VIP4, VIP6), 1):
        s = plain.connect(lab.client, vip, 443)
        assert plain.upload(s, BULK)
        assert counted(daemon, "icmp_to_client") >= number
        assert plain.download(s, BULK)
    assert daemon.surprises() == {}


@hooks
@offloaded
@modes
def test_own_way_to_the_backend_is_narrow(make_lab, attach, offloads, forward):
    """What does not fit the node's own route is answered by the node."""
    lab = make_lab(pools={"blue": 1}, offloads=offloads)
    backend = lab.pools["blue"][0]
    lab.node.ip(f"route add {backend.v4}/32 dev b1 mtu 1400", f"route add {backend.v6}/128 dev b1 mtu 1400")
    lab.start_backends()
    daemon = serve(lab, attach, forward=forward)
    for number, vip in enumerate((VIP4, VIP6), 1):
        s = plain.connect(lab.client, vip, 443)
        assert plain.upload(s, BULK) and plain.download(s, BULK)
        assert counted(daemon, "too_big") >= number
    assert daemon.surprises() == {}


@hooks
@modes
def test_own_way_to_the_client_is_narrow(make_lab, attach, forward):
    """A server that sends what may not be cut is told what fits."""
    lab = make_lab(pools={"blue": 1})
    lab.node.ip("link set cl mtu 1400")
    lab.client.ip("link set eth0 mtu 1400")
    backend = lab.pools["blue"][0]
    web = lab.service(health={"type": "none"}, forward=forward)
    daemon = lab.daemon(lab.config(attach, {"web": web}))
    for vip, host, level, discover in ((VIP4, backend.v4, socket.IPPROTO_IP, 10),
                                       (VIP6, backend.v6, socket.IPPROTO_IPV6, 23)):
        server = plain.udp(backend.netns, host, backend.port)
        server.setsockopt(level, discover, 2)
        client = plain.udp(lab.client, "::" if ":" in vip else "0.0.0.0")
        client.sendto(b"hello", (vip, 443))
        _, source = server.recvfrom(100)

        def refused():
            try:
                server.sendto(bytes(1420), source)
            except OSError as e:
                return e.errno == errno.EMSGSIZE
            return False

        wait_for(refused, 10, "the server hears what fits")
        server.sendto(bytes(1340), source)
        assert len(client.recv(2000)) == 1340
    assert counted(daemon, "too_big") > 0 and daemon.surprises() == {}


@hooks
def test_no_such_port(make_lab, attach):
    """UDP to a backend that closed its port: the client's socket is told so."""
    lab = make_lab()
    daemon = lab.daemon(lab.config(attach, {"web": lab.service(health={"type": "none"})}))
    for number, vip in enumerate((VIP4, VIP6), 1):
        client = plain.udp(lab.client, "::" if ":" in vip else "0.0.0.0")
        client.connect((vip, 443))
        client.send(b"hello")
        with pytest.raises(ConnectionRefusedError):
            client.recv(100)
        assert counted(daemon, "icmp_to_client") == number


@hooks
def test_errors_of_others_pass(make_lab, attach):
    """A connection past the switch finds its path MTU as it did without."""
    lab = make_lab()
    end = behind_the_client(lab)
    lab.start_backends()
    daemon = serve(lab, attach)
    backend = lab.pools["blue"][1]
    for host in (backend.v4, backend.v6):
        s = plain.connect(end, host, backend.port)
        assert plain.download(s, BULK) and plain.upload(s, BULK)
    assert counted(daemon, "icmp_to_backend") == counted(daemon, "icmp_to_client") == 0
    assert counted(daemon, "not_l4") > 0
