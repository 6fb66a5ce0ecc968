# SPDX-License-Identifier: BSD-2-Clause
"""Guarantee 7: refused means refused by all. No health check helps here: the data path alone does."""
import os

import pytest

from lablib.lab import VIP4, vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import wait_for

EVERYWHERE = [(4, "tc"), (6, "tc"), (4, "xdp"), (6, "xdp")]
MODES = ["nat", "snat"]
BLIND = {"health": {"type": "none"}}


def serve(lab, attach, **more):
    """In mode snat the backends' routes do not lead back through the node."""
    if more.get("forward") == "snat":
        for netns in {b.netns for b in lab.backends()}:
            netns.run("ip", "route", "del", "default")
            netns.run("ip", "-6", "route", "del", "default")
    web = lab.service(**{**BLIND, **more})
    return lab.daemon(lab.config(attach, {"web": web}))


def kill_under_load(lab, family, full, hidden=0):
    """SIGKILL of one of two servers: its port answers with RST from then on. Prints what clients saw."""
    rate, seconds = (2000, 30) if full else (500, 3)
    load = lab.load("new", vip(family), flows=50, sources=2000, rate=rate, log=True, hidden=hidden)
    load.wait_requests(rate // 2)
    lab.backend("blue0").server.proc.kill9()
    load.wait_requests(rate * seconds, timeout=seconds * 4)
    result = load.stop()
    served = sorted((row.first - row.start) / 1e6 for row in load.rows() if row.result == "ok")
    print(f"{result['requests']} requests, {result['failed']} failed {result['failures']}, "
          f"first answer after {served[len(served) // 2]:.1f} ms, p99 {served[len(served) * 99 // 100]:.1f}, "
          f"worst {served[-1]:.0f}")
    assert result["requests"] >= rate * seconds, f"only {result['requests']} requests: no proof"
    return result


def load_of(lab, forward, *args, **options):
    """In mode snat the servers do not know who the client is."""
    return lab.load(*args, **options, **({"hidden": 1} if forward == "snat" else {}))


@pytest.mark.parametrize("offloads", [True, False])
@pytest.mark.parametrize("family,attach", EVERYWHERE)
@pytest.mark.parametrize("forward", MODES)
def test_killed_backend_refuses_nobody(make_lab, full, forward, family, attach, offloads):
    """What was open when the server was killed may end; whoever comes later is served."""
    lab = make_lab(offloads=offloads)
    lab.start_backends()
    daemon = serve(lab, attach, forward=forward)
    result = kill_under_load(lab, family, full, hidden=int(forward == "snat"))
    assert daemon.counters()["snat_exhausted"]["count"] == 0
    assert result["failures"]["refused"] == 0 and result["failures"]["timeout"] == 0, result["failures"]
    assert pools_of(result).keys() == {"blue"}
    late = load_of(lab, forward, "new", vip(family), flows=10, sources=500, total=500).result()
    assert_clean(late, 500, rewritten_ok=forward == "snat")
    assert {b["backend"] for b in late["backends"]} == {"blue1"}


NFT = """table ip others {
  chain pre {
    type nat hook prerouting priority dstnat;
    ip daddr 203.0.113.10 tcp dport 443 dnat ip addr . port to jhash ip saddr . tcp sport mod 2 \\
      map { 0 : 10.20.1.10 . 8080, 1 : 10.20.1.11 . 8080 }
  }
}
"""
HAPROXY = """global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  retries 3
  option redispatch 1
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind 203.0.113.10:443 backlog 65535
  balance roundrobin
  server one 10.20.1.10:8080
  server two 10.20.1.11:8080
"""


def start_haproxy(lab):
    path = os.path.join(lab.directory, "haproxy.cfg")
    with open(path, "w", encoding="utf-8") as file:
        file.write(HAPROXY)
    lab.start(["haproxy", "-db", "-f", path], "haproxy", lab.node)
    wait_for(lambda: lab.node.run("ss", "-Hltn", "sport = 443").stdout, 10, "haproxy listens")


@pytest.mark.parametrize("start,refuses", [(lambda lab: lab.node.nft(NFT), True), (start_haproxy, False)],
                         ids=["nftables", "haproxy"])
def test_what_others_do(make_lab, full, start, refuses):
    """The same, without a health check either, by others: the figures beside ours."""
    lab = make_lab(families=(4,))
    lab.start_backends()
    start(lab)
    result = kill_under_load(lab, 4, full, hidden=0 if refuses else 1)
    assert (result["failures"]["refused"] > 100) == refuses, result["failures"]


@pytest.mark.parametrize("family,attach", EVERYWHERE)
@pytest.mark.parametrize("forward", MODES)
def test_black_hole_costs_one_repeat(lab, full, forward, family, attach):
    """One of two backends says nothing: the client's own repeated SYN, after a second, goes on."""
    total, size = 300, {"flows": 100, "sources": 300}
    if full:
        total, size = 60_000, {"flows": 3000, "sources": 2000, "rate": 2000}
    daemon = serve(lab, attach, forward=forward)
    hole = lab.backend("blue0")
    rule = ("ip daddr " + hole.v4) if family == 4 else ("ip6 daddr " + hole.v6)
    hole.netns.run("nft", "table inet hole { chain in { type filter hook input priority 0; "
                          f"{rule} tcp dport 8080 drop; }}; }}")
    load = load_of(lab, forward, "new", vip(family), total=total, timeout=5000, log=True, **size)
    result = load.result(120)
    waits = sorted((row.connect - row.start) / 1e6 for row in load.rows())
    print(f"{result['requests']} requests, {result['failed']} failed {result['failures']}; "
          f"{sum(w > 900 for w in waits)} waited for a repeat, the worst {waits[-1]:.0f} ms")
    assert_clean(result, total, rewritten_ok=forward == "snat")
    assert daemon.counters()["snat_exhausted"]["count"] == 0
    assert {b["backend"] for b in result["backends"]} == {"blue1"}
    assert waits[-1] < 1900, f"the worst waited {waits[-1]:.0f} ms: more than one repeat"
    assert waits[-1] > 900, "nobody met the black hole: no proof"


@pytest.mark.parametrize("family,attach", EVERYWHERE)
@pytest.mark.parametrize("forward", MODES)
def test_unreachable_is_refused(lab, forward, family, attach):
    """One of two backends answers with ICMP, as a firewall or a router does: nobody waits for it."""
    daemon = serve(lab, attach, forward=forward, passive={"failures": 1000})  # else it is soon ejected
    walled = lab.backend("blue0")
    for limit in ("ipv4.icmp_ratelimit=0", "ipv6.icmp.ratelimit=0", "ipv4.icmp_msgs_burst=1000"):
        walled.netns.run("sysctl", "-qew", "net." + limit)
    rule = (f"ip daddr {walled.v4} tcp dport 8080 reject with icmp type host-unreachable" if family == 4 else
            f"ip6 daddr {walled.v6} tcp dport 8080 reject with icmpv6 type admin-prohibited")
    walled.netns.run("nft", "table inet wall { chain in { type filter hook input priority 0; " + rule + "; }; }")
    load = load_of(lab, forward, "new", vip(family), flows=20, sources=300, total=300, timeout=5000, log=True)
    result = load.result()
    assert_clean(result, 300, rewritten_ok=forward == "snat")
    assert {b["backend"] for b in result["backends"]} == {"blue1"}
    assert daemon.counters()["syn_retried"]["count"] > 50, "nobody met the wall: no proof"
    worst = max((row.connect - row.start) / 1e6 for row in load.rows())
    assert worst < 900, f"the worst waited {worst:.0f} ms: for its own repeat"


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_candidate_may_refuse_to_live(lab, attach):
    """retry: live. All of a candidate is gone; its clients are served by live."""
    daemon = serve(lab, attach, retry="live")
    daemon.ctl("set", "share", "web", "green=50%")
    for name in ("green0", "green1"):
        lab.backend(name).server.proc.kill9()
    result = lab.load("new", vip(4), flows=20, sources=400, total=400).result()
    assert_clean(result, 400)
    assert pools_of(result) == {"blue": 400}


def test_retry_off_tells_the_client(lab):
    serve(lab, "tc", retry="off", passive="off")
    lab.backend("blue0").server.proc.kill9()
    result = lab.load("new", vip(4), flows=10, sources=200, total=200).result()
    assert result["failures"]["refused"] > 50, result["failures"]


def test_all_dead_is_said_at_once(lab):
    """Nobody is left: the refusal reaches the client, it does not hang."""
    serve(lab, "tc")
    for name in ("blue0", "blue1"):
        lab.backend(name).server.proc.kill9()
    load = lab.load("new", vip(4), flows=10, sources=100, total=100, log=True)
    result = load.result()
    assert result["failures"]["refused"] == 100, result["failures"]


SERVER = """
import socket, sys, threading
def serve(where):
    s = socket.create_server(where, backlog=4096)
    while True:
        c, _ = s.accept()
        c.close()  # first, so that TIME_WAIT is here
for host in sys.argv[2:]:
    threading.Thread(target=serve, args=((host, int(sys.argv[1])),)).start()
print("ready", flush=True)
"""

CLIENT = """
import errno, socket, sys
failed = 0
for n in range(int(sys.argv[1])):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", 20000 + n % 50))
    s.settimeout(10)
    try:
        s.connect(("203.0.113.10", (443, 8443)[n // 50 % 2]))
        s.recv(1)
    except OSError as e:
        failed += e.errno != errno.EADDRNOTAVAIL  # its own port is not free yet: nothing was sent
    s.close()
print(failed)
"""


def test_port_reuse_is_no_refusal(make_lab, full):
    """50 client ports, two listeners, backends in TIME_WAIT: nothing changes its backend for that."""
    lab = make_lab(pools={"blue": 2})
    server = lab.start(["/usr/bin/python3", "-c", SERVER, "8080"] + [b.v4 for b in lab.pools["blue"]],
                       "server", lab.backend("blue0").netns)
    wait_for(lambda: "ready" in server.out(), 10, "the servers listen")
    web = lab.service([f"{vip(4)}/tcp", f"{vip(4, 8443)}/tcp"], families=(4,), **BLIND)
    daemon = lab.daemon(lab.config("tc", {"web": web}))
    connects = 100_000 if full else 3000
    client = lab.start(["/usr/bin/python3", "-c", CLIENT, str(connects)], "client", lab.client)
    assert client.wait(600) == 0, client.tail()
    assert client.out().strip() == "0", "connections failed"
    assert moved(daemon) == 0
    assert daemon.counters()["new"]["count"] >= connects * 0.95


def moved(daemon):
    """Flows that were sent elsewhere, by the daemon's own metrics."""
    counters = daemon.counters()
    return counters["syn_moved"]["count"] + counters["syn_retried"]["count"]
