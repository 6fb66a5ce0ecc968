# SPDX-License-Identifier: BSD-2-Clause
"""A way with a narrow link in the middle, which neither end sees."""

NARROW = 1400


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
