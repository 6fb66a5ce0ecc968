# SPDX-License-Identifier: BSD-2-Clause
"""New connections wait while a single instance is restarted; open ones run on."""
import os

import pytest

from lablib.lab import vip
from lablib.peers import Ledgerd, assert_clean
from lablib.proc import wait_for

FULL = os.environ.get("ZDD_FULL") == "1"
EVERYWHERE = [(4, "xdp"), (6, "xdp"), (4, "tc"), (6, "tc")]


@pytest.fixture
def single(make_lab):
    """A function: a lab with one instance in its pool, and a health check that leaves it in peace."""
    def make(attach, **more):
        lab = make_lab(pools={"blue": 1})
        lab.start_backends()
        service = lab.service(health={"type": "none"}, **more)
        lab.zdd = lab.daemon(lab.config(attach, {"web": service}))
        return lab
    return make


def restart(lab):
    """The old one stopped, the new one started on the same port."""
    backend = lab.backend("blue0")
    backend.server.proc.stop()
    backend.server = Ledgerd(lab, backend)
    backend.server.wait_ready()


def begun_are_over(daemon):
    """Those of before the hold have had their answer: the old instance's end is none of theirs."""
    conns = daemon.ctl("conns", "web", "--limit", 10_000)["conns"]
    return all(c["state"] in ("closing", "reset") for c in conns)


def held(daemon):
    return (daemon.get()["hold"] or {"held": 0})["held"]


def waits_us(rows, since_ns, until_ns):
    """How much longer than the hold each connection waited that began during it."""
    return sorted((r.connect - max(r.start, 0) - (until_ns - r.start)) // 1000
                  for r in rows if since_ns < r.start < until_ns)


@pytest.mark.parametrize("family,attach", EVERYWHERE if FULL else EVERYWHERE[1:3])
def test_restart_of_the_only_instance(single, full, family, attach):
    lab = single(attach)
    load = lab.load("new", vip(family), flows=400, rate=100, sources=100, timeout=10000, log=True)
    load.wait_requests(50)
    hold = lab.zdd.ctl("hold", "web", "--limit", "8s")
    wait_for(lambda: begun_are_over(lab.zdd), 5, "what was open has ended")
    restart(lab)
    least = 250 if full else 50  # connections: 3 s of them, or a part of it
    wait_for(lambda: held(lab.zdd) >= least, 20, "connections wait")
    answer = lab.zdd.ctl("unhold", "web")
    load.wait_requests(least + 50)
    result = load.stop()
    assert_clean(result, 100)
    assert "that waited are let go" in answer["text"]
    late = waits_us(load.rows(), hold.ended_ns, answer.began_ns)
    print(f"\n{attach} v{family}: {len(late)} waited, beyond the hold: median {late[len(late) // 2] / 1000:.1f} ms, "
          f"worst {late[-1] / 1000:.1f} ms, {sum(us > 500_000 for us in late)} by their own repeat")
    assert len(late) >= least
    assert late[-1] < 900_000, "a client's own repeat had to do it"
    assert lab.zdd.counters()["held"]["count"] >= least


LOSSY = """table inet lossy {
  set met { typeof tcp ackseq; size 4096; flags dynamic; }
  chain in { type filter hook input priority 0;
    tcp flags & (syn | ack) == (syn | ack) tcp ackseq != @met add @met { tcp ackseq } drop; }; }"""


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_what_is_lost_on_release_goes_once_more(single, family, attach):
    """The first answer to each of those that waited is lost: neither side's own repeat (1 s) is needed."""
    lab = single(attach)
    lab.zdd.ctl("hold", "web", "--limit", "30s")
    load = lab.load("new", vip(family), flows=200, total=200, timeout=10000, log=True)
    wait_for(lambda: held(lab.zdd) == 200, 10, "all wait")
    lab.client.nft(LOSSY)
    began = lab.zdd.ctl("unhold", "web").began_ns
    assert_clean(load.result(), 200)
    late = [(r.connect - began) / 1e6 for r in load.rows()]
    assert 100 < min(late), "an answer was not lost"
    assert max(late) < 900, f"{max(late):.0f} ms: a client's or the server's own repeat had to do it"


@pytest.mark.parametrize("attach", ["xdp", "tc"])
def test_open_connections_run_on(single, attach):
    lab = single(attach)
    idle = lab.load("idle", vip(4), flows=50, interval=50)
    idle.wait_answered(50)
    lab.zdd.ctl("hold", "web")
    new = lab.load("new", vip(4), flows=5, total=5, timeout=20000)
    wait_for(lambda: held(lab.zdd) == 5, 10, "five wait")
    idle.wait_requests(200)
    assert new.status()["requests"] == 0
    lab.zdd.ctl("unhold", "web")
    assert_clean(new.result(), 5)
    assert_clean(idle.stop(), 200)


def test_the_limit_ends_it(single):
    lab = single("xdp")
    lab.zdd.ctl("hold", "web", "--limit", "500ms")
    assert_clean(lab.load("new", vip(4), flows=5, total=5, timeout=10000).result(), 5)
    assert lab.zdd.get()["hold"] is None
    assert "limit" in lab.zdd.ctl("events", text=True).stdout


def test_nobody_waits_for_a_dead_daemon(single):
    """The data path ends the hold by itself; the clients' own repeats open the connections."""
    lab = single("xdp")
    lab.zdd.ctl("hold", "web", "--limit", "1s")
    lab.zdd.kill9()
    assert_clean(lab.load("new", vip(4), flows=5, total=5, timeout=10000).result(), 5)


def test_the_next_daemon_ends_it(single):
    lab = single("tc")
    lab.zdd.ctl("hold", "web", "--limit", "30s")
    load = lab.load("new", vip(4), flows=5, total=5, timeout=40000)
    wait_for(lambda: held(lab.zdd) == 5, 10, "five wait")
    lab.zdd.kill9()
    lab.zdd.start()
    assert held(lab.zdd) == 5
    lab.zdd.ctl("unhold", "web")
    assert_clean(load.result(), 5)


def test_no_more_than_asked_for(single):
    lab = single("xdp")
    lab.zdd.ctl("hold", "web", "--max", "3", "--limit", "30s")
    load = lab.load("new", vip(4), flows=6, total=6, timeout=30000)
    wait_for(lambda: lab.zdd.counters()["hold_full"]["count"] >= 3, 10, "three are not kept")
    assert held(lab.zdd) == 3
    lab.zdd.ctl("unhold", "web")
    assert_clean(load.result(), 6)


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_others_are_reset(single, family, attach):
    """And say so at once, where silence would have them try for long."""
    lab = single(attach)
    answer = lab.zdd.ctl("hold", "web", "--max", "3", "--limit", "30s", "--then", "reset")
    assert "others are reset" in answer["text"]
    load = lab.load("new", vip(family), flows=8, total=8, timeout=30000)
    wait_for(lambda: load.status()["failures"]["refused"] == 5, 10, "five are refused")
    assert held(lab.zdd) == 3 and lab.zdd.get()["hold"]["then"] == "reset"
    lab.zdd.ctl("unhold", "web")
    result = load.result()
    assert result["failed"] == 5 and result["failures"]["refused"] == 5, result["failures"]
    assert "silent or reset" in lab.zdd.ctl("hold", "web", "--then", "rest", expect=2).stdout


def test_what_cannot_be_held(make_lab):
    lab = make_lab(pools={"blue": 1})
    services = {"udp": lab.service([f"{vip(4, 53)}/udp"]),
                "here": lab.service([f"{vip(4, 80)}/tcp"], families=(4,), forward="local")}
    daemon = lab.daemon(lab.config("tc", services))
    assert "UDP is not held" in daemon.ctl("hold", "udp", expect=4).stdout
    assert "mode local" in daemon.ctl("hold", "here", expect=4).stdout
    assert "expected 0.1s to 60s" in daemon.ctl("hold", "udp", "--limit", "2m", expect=2).stdout
    assert "not held" in daemon.ctl("unhold", "udp").stdout
