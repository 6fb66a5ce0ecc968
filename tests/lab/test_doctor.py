# SPDX-License-Identifier: BSD-2-Clause
"""zddctl doctor: each classic reason why "it does not forward" is made, found by name with what to do
about it, and gone again when it is mended."""
import contextlib
import os

import pytest

from lablib import plain
from lablib.daemon import Daemon
from lablib.lab import VIP4, VIP6, vip
from lablib.peers import assert_clean
from lablib.proc import run, wait_for

STRICT = """table inet strict {
  chain forward {
    type filter hook forward priority filter; policy drop;
    accept
  }
}
"""
TRACKING = """table inet tracking {
  chain pre {
    type filter hook prerouting priority filter;
    ct state invalid counter
  }
}
"""


def bad(daemon):
    """{name: (text, fix)} of the checks that failed."""
    return {c["name"]: (c["text"], c["fix"]) for c in daemon.ctl("doctor", expect=(0, 1))["checks"]
            if c["ok"] is False}


@pytest.fixture(scope="module")
def lab(make_shared_lab):
    made = make_shared_lab()
    made.node.ip("link add spare type veth peer name spare2", "link set spare up", "link set spare2 up")
    made.start_backends()
    return made


@pytest.fixture(scope="module")
def daemon(lab):
    config = lab.config("tc")
    config["interfaces"].append({"name": "spare", "attach": "tc"})
    return Daemon(lab, config).wait_healthy()


@contextlib.contextmanager
def sysctl(lab, key, value, back):
    lab.node.sysctl(**{key: value})
    yield
    lab.node.sysctl(**{key: back})


@contextlib.contextmanager
def strict_filter(lab, _daemon):
    with sysctl(lab, "net__ipv4__conf__all__rp_filter", 0, 2), sysctl(lab, "net__ipv4__conf__cl__rp_filter", 1, 2):
        yield


@contextlib.contextmanager
def no_vip(lab, _daemon):
    lab.node.ip(f"addr del {VIP6}/128 dev lo")
    yield
    lab.node.ip(f"addr add {VIP6}/128 dev lo nodad")


@contextlib.contextmanager
def interface_down(lab, _daemon):
    lab.node.ip("link set spare down")
    yield
    lab.node.ip("link set spare up")


@contextlib.contextmanager
def firewall(lab, _daemon):
    lab.node.nft(STRICT)
    yield
    lab.node.nft("delete table inet strict")


@contextlib.contextmanager
def nobody_there(_lab, daemon):
    daemon.ctl("backend", "add", "web/green/10.20.2.99:8080")
    yield
    daemon.ctl("backend", "del", "web/green/10.20.2.99:8080")


@contextlib.contextmanager
def squatter(lab, _daemon):
    with lab.node.entered():
        s = plain.socket.create_server((VIP4, 443))
    with s:
        yield


PROVOKED = {
    "ip_forward": (lambda lab, _: sysctl(lab, "net__ipv4__ip_forward", 0, 1), "ip_forward is 0",
                   "sysctl -w net.ipv4.ip_forward=1"),
    "ip6_forward": (lambda lab, _: sysctl(lab, "net__ipv6__conf__all__forwarding", 0, 1), "forwarding is 0",
                    "sysctl -w net.ipv6.conf.all.forwarding=1"),
    "rp_filter": (strict_filter, "strict on cl", "rp_filter=2"),
    "vip": (no_vip, VIP6, "ip address add"),
    "interfaces": (interface_down, "spare is down", "bring the interface up"),
    "nftables": (firewall, "policy of inet strict forward is drop", "accept"),
    "neighbours": (nobody_there, "10.20.2.99:8080 has no MAC address", "ip neighbour"),
    "port_taken": (squatter, f"{VIP4}:443/tcp", "stop the process"),
}


@pytest.mark.parametrize("name", PROVOKED)
def test_found_and_gone_when_mended(lab, daemon, name):
    provoke, text, fix = PROVOKED[name]
    assert name not in bad(daemon)
    with provoke(lab, daemon):
        found = wait_for(lambda: bad(daemon).get(name), 10, f"{name} is found")
        assert text in found[0] and fix in found[1], found
        if name == "ip_forward":
            said = daemon.ctl("doctor", text=True, expect=1).stdout
            assert "    sysctl -w net.ipv4.ip_forward=1" in said and "1 of " in said
            assert max(map(len, said.splitlines())) <= 80
    wait_for(lambda: name not in bad(daemon), 15, f"{name} is mended")


def test_a_firewall_that_accepts_is_no_finding(lab, daemon):
    lab.node.nft(STRICT.replace("drop", "accept"))
    assert bad(daemon) == {}
    lab.node.nft("delete table inet strict")


def test_conntrack(make_lab):
    lab = make_lab()
    lab.start_backends()
    lab.node.nft(TRACKING)
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    wait_for(lambda: "conntrack" in bad(daemon), 10, "the probes are tracked")
    text, fix = bad(daemon)["conntrack"]
    assert "conntrack follows" in text and "notrack" in fix


def test_backend_whose_replies_go_elsewhere(make_lab):
    lab = make_lab()
    lab.start_backends()
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    lab.pools["blue"][0].netns.ip("route del default", "route add blackhole default")
    lab.load("new", vip(4), total=12, flows=12, timeout=500).result()
    text, fix = wait_for(lambda: bad(daemon).get("return_path"), 10, "it is found")
    assert "bypass" in text and "default route" in fix


ANOTHER_KERNEL = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>
#include <sys/utsname.h>

int uname(struct utsname *name)
{
	memset(name, 0, sizeof(*name));
	strcpy(name->release, "5.10.0-old");
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	struct ifreq *ask;
	struct ethtool_value *value;

	va_start(args, request);
	ask = va_arg(args, struct ifreq *);
	va_end(args);
	if (request != SIOCETHTOOL || *(unsigned *)ask->ifr_data != ETHTOOL_GFLAGS)
		return ((int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl"))(fd, request, ask);
	value = (struct ethtool_value *)ask->ifr_data;
	value->data = ETH_FLAG_LRO;
	return 0;
}
"""


def test_old_kernel_and_large_receive_offload(make_lab):
    """No device of a namespace has LRO, and this kernel is new enough: another one's answers are put in."""
    lab = make_lab()
    lab.start_backends()
    source = os.path.join(lab.directory, "kernel.c")
    with open(source, "w", encoding="ascii") as file:
        file.write(ANOTHER_KERNEL)
    run(["cc", "-shared", "-fPIC", "-o", source[:-1] + "so", source])
    daemon = lab.daemon(lab.config("xdp"), start=False)
    daemon.start(under=("env", f"LD_PRELOAD={source[:-1]}so")).wait_healthy()
    found = bad(daemon)
    assert "5.10.0-old" in found["kernel"][0] and "5.15" in found["kernel"][1]
    assert "large receive offload is on at cl" in found["offload"][0] and "lro off" in found["offload"][1]
    daemon.stop()
    daemon.start()
    assert not {"kernel", "offload"} & bad(daemon).keys()


def test_flow_table_without_room(make_lab):
    lab = make_lab()
    lab.start_backends()
    daemon = lab.daemon(lab.config("tc", flows={"tcp": 1024, "udp": 1024})).wait_healthy()
    assert "flow_room" not in bad(daemon)
    load = lab.load("udpkeep", vip(4), flows=3000)
    text, fix = wait_for(lambda: bad(daemon).get("flow_room"), 20, "the full table is found")
    assert "found no room" in text and "raise `flows:`" in fix
    assert_clean(load.stop())


def test_another_xdp_program(make_lab):
    lab = make_lab()
    lab.start_backends()
    source = os.path.join(lab.directory, "other.c")
    with open(source, "w", encoding="ascii") as file:
        file.write('__attribute__((section("xdp"), used)) int other(void *c) { return 2; }\n')
    run(["clang", "-O2", "-target", "bpf", "-c", source, "-o", source[:-1] + "o"])
    lab.node.run("ip", "link", "set", "dev", "cl", "xdp", "obj", source[:-1] + "o", "sec", "xdp")
    daemon = lab.daemon(lab.config("xdp")).wait_healthy()
    text, fix = bad(daemon)["other_xdp"]
    assert text.startswith("cl: ") and "xdp off" in fix
    assert_clean(lab.load("new", vip(4), total=20).result(), 20)


def test_peer_that_takes_no_redirects(make_lab):
    lab = make_lab(gro=False)
    lab.start_backends()
    daemon = lab.daemon(lab.config("xdp")).wait_healthy()
    text, fix = bad(daemon)["redirects"]
    assert "takes no XDP redirects" in text and "GRO" in fix


def test_udp_to_loopback_needs_route_localnet(make_lab):
    lab = make_lab()
    pools = {"blue": ["127.0.0.1:5300"]}
    service = lab.service([f"{vip(4, 53)}/udp"], pools=pools, health={"type": "none"})
    daemon = lab.daemon(lab.config("tc", {"web": service}))
    text, fix = bad(daemon)["route_localnet"]
    assert "127.0.0.1:5300" in text and "route_localnet=1" in fix
    lab.node.sysctl(net__ipv4__conf__cl__route_localnet=1)
    assert "route_localnet" not in bad(daemon)


def test_its_own_problems(make_lab):
    lab = make_lab()
    lab.start_backends()
    with lab.node.entered():
        taken = plain.socket.create_server(("127.0.0.1", 9177))
    with taken:
        daemon = lab.daemon(lab.config("tc", metrics="127.0.0.1:9177")).wait_healthy()
        text, fix = bad(daemon)["daemon"]
    assert "127.0.0.1:9177" in text and fix
