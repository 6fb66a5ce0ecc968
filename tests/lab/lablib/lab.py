# SPDX-License-Identifier: BSD-2-Clause
"""The lab: client --- node --- backends, in namespaces that nobody else has.

    client 10.10.1.2   -- cl  node  b1 -- 10.20.1.10, .11 ...   (one namespace for each pool)
           fd10:1::2             |  b2 -- 10.20.2.10, .11 ...
    and 10.64.0.0/15, fd64::/64  VIPs 203.0.113.10, 2001:db8::10 on lo
"""
import contextlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field

from . import names
from .capture import Capture
from .daemon import Daemon
from .netns import Netns
from .peers import Ledgerd, Load, host_drops
from .proc import Proc, patience

VIP4, VIP6 = "203.0.113.10", "2001:db8::10"
CLIENT4, CLIENT6 = "10.10.1.2", "fd10:1::2"
NODE4, NODE6 = "10.10.1.1", "fd10:1::1"
SOURCES4, SOURCES6 = "10.64.0.1", "fd64::1"
PORT = 8080


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def vip(family, port=443):
    return endpoint(VIP4 if family == 4 else VIP6, port)


@dataclass
class Backend:
    name: str
    pool: str
    netns: Netns
    interface: str  # of the node, towards it
    v4: str
    v6: str
    port: int = PORT
    server: Ledgerd = None

    def endpoints(self, families=(4, 6)):
        return [endpoint(self.v4 if f == 4 else self.v6, self.port) for f in families]


@dataclass
class Shape:
    """What a lab looks like. `together` puts all pools in one namespace."""
    pools: dict = field(default_factory=lambda: {"blue": 2, "green": 2})
    together: bool = False
    offloads: bool = True
    gro: bool = True
    static_neighbours: bool = False
    families: tuple = (4, 6)


class Lab:
    def __init__(self, **shape):
        self.shape = Shape(**shape)
        self.name = names.new_name()
        self.patience = patience()  # does not change: the same configuration may be asked for twice
        self.procs = []
        self.pools = {}
        self.spaces = []
        self._undo = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.callback(lambda: self.close())
            self._build()
            undo.pop_all()

    def close(self):
        self._undo.close()

    def defer(self, function, *args):
        """Runs at the end of the lab, last first."""
        self._undo.callback(function, *args)

    # --- wires

    def _build(self):
        self.directory = tempfile.mkdtemp(prefix=f"{self.name}-", dir=names.TMP)
        self.defer(shutil.rmtree, self.directory, True)
        self.node = self.add_netns("node")
        self.client = self.add_netns("client")
        self._tune()
        self.connect("cl", self.client, 10, 1)
        self._addresses()
        for number, (pool, count) in enumerate(self.shape.pools.items(), 1):
            self._add_pool(pool, count, 1 if self.shape.together else number)

    def add_netns(self, role):
        name = f"{self.name}-{role}"
        self.defer(names.remove_netns, name)
        netns = Netns(name)
        self.spaces.append(netns)
        # As systemd sets it; addresses are usable at once, nothing waits for duplicate detection.
        netns.sysctl(net__ipv4__conf__all__rp_filter=2, net__ipv4__conf__default__rp_filter=2,
                     net__ipv6__conf__default__accept_dad=0, net__ipv6__conf__default__dad_transmits=0,
                     net__core__somaxconn=65535, net__ipv4__tcp_max_syn_backlog=65535)
        return netns

    def _tune(self):
        self.node.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1,
                         net__ipv6__conf__default__forwarding=1)
        self.client.sysctl(net__ipv4__ip_local_port_range="1024 65535", net__ipv4__tcp_tw_reuse=1)

    def connect(self, interface, netns, net, number):
        """A wire from the node's `interface` to eth0 of `netns`: .1 here, .2 there, the default route back."""
        self.node.ip(f"link add {interface} type veth peer name eth0 netns {netns.name}")
        for side, device, host in ((self.node, interface, 1), (netns, "eth0", 2)):
            side.ip(f"addr add 10.{net}.{number}.{host}/24 dev {device}",
                    f"addr add fd{net}:{number}::{host}/64 dev {device} nodad",
                    f"link set {device} up")
        netns.ip(f"route add default via 10.{net}.{number}.1",
                 f"route add default via fd{net}:{number}::1")
        for side, device in ((self.node, interface), (netns, "eth0")):
            # Without a queue a wire drops whatever comes while its 256 places are taken (kernel 6.18).
            side.run("tc", "qdisc", "replace", "dev", device, "root", "pfifo", "limit", "10000")
            self._offloads(side, device, side is netns)
        if self.shape.static_neighbours:
            self._fix_neighbours(interface, netns, net, number)

    def _offloads(self, netns, device, far):
        """A far end needs GRO (its NAPI) to receive what XDP redirects to it."""
        features = ["gro", "on"] if far and self.shape.gro else []
        if not self.shape.offloads:
            features += ["tx", "off", "sg", "off", "tso", "off", "gso", "off"]
        if features:
            netns.run("ethtool", "-K", device, *features)

    def _fix_neighbours(self, interface, netns, net, number):
        for side, device, mac, host in (
                (self.node, interface, netns.mac("eth0"), 2),
                (netns, "eth0", self.node.mac(interface), 1)):
            side.ip(f"neigh replace 10.{net}.{number}.{host} lladdr {mac} dev {device} nud permanent",
                    f"neigh replace fd{net}:{number}::{host} lladdr {mac} dev {device} nud permanent")

    def _addresses(self):
        self.node.ip(f"addr add {VIP4}/32 dev lo", f"addr add {VIP6}/128 dev lo nodad",
                     f"route add 10.64.0.0/15 via {CLIENT4}", f"route add fd64::/64 via {CLIENT6}")
        self.client.ip("route add local 10.64.0.0/15 dev lo", "route add local fd64::/64 dev lo")

    def _add_pool(self, pool, count, number):
        interface = f"b{number}"
        netns = next((b.netns for b in self.backends() if b.interface == interface), None)
        if not netns:
            netns = self.add_netns(interface)
            self.connect(interface, netns, 20, number)
        taken = sum(1 for b in self.backends() if b.interface == interface)
        self.pools[pool] = []
        for i in range(count):
            host = 10 + taken + i
            backend = Backend(f"{pool}{i}", pool, netns, interface, f"10.20.{number}.{host}",
                              f"fd20:{number}::{host:x}")
            self.pools[pool].append(backend)
        self.pool_addresses(self.pools[pool])

    def pool_addresses(self, backends):
        lines = [line for b in backends for line in (
            f"addr add {b.v4}/24 dev eth0", f"addr add {b.v6}/64 dev eth0 nodad")]
        if not lines:
            return
        netns, interface = backends[0].netns, backends[0].interface
        netns.ip(*lines)
        if self.shape.static_neighbours:
            mac = netns.mac("eth0")
            self.node.ip(*(f"neigh replace {a} lladdr {mac} dev {interface} nud permanent"
                           for b in backends for a in (b.v4, b.v6)))

    # --- what runs in it

    def backends(self):
        return [b for pool in self.pools.values() for b in pool]

    def backend(self, name):
        return next(b for b in self.backends() if b.name == name)

    def interfaces(self):
        return ["cl"] + sorted({b.interface for b in self.backends()})

    def dropped(self):
        """What was lost so far on this lab's wires and by the host, and not by zdd, whose drops are verdicts."""
        return host_drops() + sum(netns.dropped() for netns in self.spaces)

    def start(self, argv, name, netns=None, env=None):
        proc = Proc(argv, self.directory, name, netns.name if netns else None, env)
        self.adopt(proc)
        return proc

    def adopt(self, proc):
        self.procs.append(proc)
        self.defer(proc.close)

    def start_backends(self, *pools):
        for pool in pools or self.pools:
            for backend in self.pools[pool]:
                backend.server = Ledgerd(self, backend)
        for pool in pools or self.pools:
            for backend in self.pools[pool]:
                backend.server.wait_ready()

    def start_backend(self, name):
        backend = self.backend(name)
        backend.server = Ledgerd(self, backend)
        backend.server.wait_ready()

    def filters(self, interface, direction):
        """Handles of the node's tc filters there: how zddd attaches where the kernel has no tcx."""
        out = self.node.run("tc", "-j", "filter", "show", "dev", interface, direction).stdout
        return [f["options"]["handle"] for f in json.loads(out or "[]") if f.get("options", {}).get("handle")]

    def load(self, mode, target=None, **options):
        return Load(self, mode, target or vip(4), **options)

    def ledgers(self):
        """Rows of all backends' ledgers, less what the node's own probes left there."""
        return [row for b in self.backends() if b.server for row in b.server.rows()]

    def capture(self, netns, interface, expression=""):
        return Capture(self, netns, interface, expression)

    def daemon(self, config, **options):
        return Daemon(self, config, **options)

    # --- configurations

    def quick_health(self, ms=200, **more):
        """Checks that find out soon, where the machine is ours alone."""
        pace = f"{ms * self.patience:.0f}ms"
        return {"type": "tcp", "interval": pace, "timeout": pace, "rise": 1, "fall": 2, **more}

    def service(self, listen=None, families=(4, 6), live="blue", pools=None, **more):
        """A service over the lab's pools as a dict; `more` are further keys of DESIGN 5."""
        pools = pools or {name: [e for b in backends for e in b.endpoints(families)]
                          for name, backends in self.pools.items()}
        listen = listen or [f"{vip(f)}/{proto}" for f in families for proto in ("tcp", "udp")]
        return {"listen": listen, "pools": pools, "live": live, "health": self.quick_health(), **more}

    def config(self, attach="tc", services=None, **more):
        interfaces = [{"name": name, "attach": attach} for name in self.interfaces()]
        return {"interfaces": interfaces, "services": services or {"web": self.service()}, **more}

    def logs(self):
        return [(p.name, p.tail()) for p in self.procs if os.path.exists(p.log_path) and p.tail()]
