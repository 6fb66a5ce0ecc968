# SPDX-License-Identifier: BSD-2-Clause
"""Path MTU discovery and other ICMP errors through the switch, with routers that have narrow links."""
import pytest

from lablib import plain
from lablib.lab import VIP4, VIP6, Backend
from lablib.peers import Ledgerd

BULK = 1 << 20
NARROW = 1400
hooks = pytest.mark.parametrize("attach", ["tc", "xdp"])
modes = pytest.mark.parametrize("forward", ["nat", "snat"])
offloaded = pytest.mark.parametrize("offloads", [True, False], ids=["offloads", "plain"])


def wire(near, far, name, net, number, mtu=1500):
    """10.net.number.1 at `near`, .2 at `far`."""
    near.ip(f"link add {name} mtu {mtu} type veth peer name {name} mtu {mtu} netns {far.name}")
    for host, side in enumerate((near, far), 1):
        side.ip(f"addr add 10.{net}.{number}.{host}/24 dev {name}",
                f"addr add fd{net}:{number}::{host}/64 dev {name} nodad", f"link set {name} up")


def lengthen(lab, gate, net, via4, via6):
    """node -- gate --1400-- middle --1500-- end, and the end's namespace. Neither end sees a small MTU."""
    middle, end = lab.add_netns(f"mid{net}"), lab.add_netns(f"end{net}")
    wire(gate, middle, "narrow", net, 1, NARROW)
    wire(middle, end, "wide", net, 2)
    for router in (gate, middle):
        router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    lab.node.ip(f"route add 10.{net}.2.0/24 via {via4}", f"route add fd{net}:2::/64 via {via6}")
    gate.ip(f"route add 10.{net}.2.0/24 via 10.{net}.1.2", f"route add fd{net}:2::/64 via fd{net}:1::2")
    for side, number in ((middle, 1), (end, 2)):
        side.ip(f"route add default via 10.{net}.{number}.1", f"route add default via fd{net}:{number}::1")
    return end


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
