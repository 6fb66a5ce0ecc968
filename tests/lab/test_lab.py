# SPDX-License-Identifier: BSD-2-Clause
"""The lab itself, without zdd: its peers count right, its wires carry, nothing stays behind."""
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from lablib import names
from lablib.lab import CLIENT4, Lab, vip
from lablib.peers import Ledgerd, assert_clean, pools_of
from lablib.proc import wait_for

DNAT = """table inet lab {
  chain pre {
    type nat hook prerouting priority dstnat;
    ip daddr 203.0.113.10 meta l4proto { tcp, udp } th dport 443 dnat ip to 10.20.1.10:8080
    ip6 daddr 2001:db8::10 meta l4proto { tcp, udp } th dport 443 dnat ip6 to [fd20:1::a]:8080
  }
}
"""


@pytest.mark.parametrize("mode", ["new", "keep", "udp"])
def test_direct_load_is_clean(lab, mode):
    backend = lab.pools["blue"][0]
    result = lab.load(mode, backend.endpoints()[0], flows=20, duration=300).result()
    assert_clean(result, 50)
    assert pools_of(result) == {"blue": result["flows"]}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mode", ["new", "udp"])
def test_through_nft_dnat(lab, family, mode):
    """The ledger names every flow that the client logged, and no other."""
    lab.node.nft(DNAT)
    load = lab.load(mode, vip(family), flows=10, sources=100, total=500, log=True)
    assert_clean(load.result(), 500)
    client = sorted((r.host, r.port) for r in load.rows())
    assert client == sorted((r.host, r.port) for r in lab.ledgers())
    assert all(r.first > r.start for r in load.rows())


def test_pair_goes_to_both_targets_in_order(lab):
    targets = [lab.backend(name).endpoints()[0] for name in ("blue0", "green1")]
    load = lab.load("new", targets, flows=10, total=200, log=True)
    assert_clean(load.result(), 400)
    pairs = {}
    for row in load.rows():
        pairs.setdefault(row.number, []).append(row)
    assert len(pairs) == 200
    assert all([r.backend for r in p] == ["blue0", "green1"] and p[0].first < p[1].start
               for p in pairs.values())


def test_a_backend_that_dies_is_noticed_by_every_mode(lab):
    """The oracles can fail: reset and eof for open flows, refused for new ones, timeouts for UDP."""
    backend = lab.pools["blue"][0]
    where = backend.endpoints()[0]
    loads = {m: lab.load(m, where, flows=5, timeout=300) for m in ("new", "keep", "idle", "udp")}
    for load in loads.values():
        load.wait_requests(5)
    backend.server.proc.kill9()
    for load in loads.values():
        wait_for(lambda load=load: load.status()["failed"] > 0, 10, "failures are counted")
    results = {mode: load.stop() for mode, load in loads.items()}
    assert results["new"]["failures"]["refused"] > 0
    assert results["idle"]["open"] == 0
    assert results["keep"]["failures"]["reset"] + results["keep"]["failures"]["eof"] > 0


def test_a_changed_backend_within_a_flow_is_noticed(lab):
    """Another server takes over the address of the one that the flows know, without a gap."""
    backend = lab.pools["blue"][0]
    load = lab.load("udpkeep", backend.endpoints()[0], flows=3, interval=5)
    load.wait_answered(3)
    other = Ledgerd(lab, replace(backend, name="other"), protocols=["udp"])
    other.wait_ready()
    backend.server.proc.kill9()
    wait_for(lambda: load.status()["failed"] > 0, 10, "the change is noticed")
    assert load.stop()["failures"]["backend_changed"] > 0


def test_many_sources_are_distinct_clients(lab):
    lab.node.nft(DNAT)
    for family in (4, 6):
        load = lab.load("udp", vip(family), flows=50, sources=3000, total=3000, log=True)
        assert_clean(load.result(), 3000)
        assert len({r.host for r in load.rows()}) == 3000


def test_health_file(lab):
    backend = lab.pools["blue"][0]
    url = f"http://{backend.endpoints()[0]}/health"
    ask = ["curl", "-s", "-o", "/dev/null", "-m", "1", "-w", "%{http_code}", url]
    assert lab.node.run(*ask).stdout == "200"
    backend.server.health(503)
    assert lab.node.run(*ask).stdout == "503"
    backend.server.health(0)
    assert lab.node.run(*ask, check=False).stdout == "000"


def test_capture_and_counters(lab):
    where = lab.pools["blue"][0].endpoints()[0]
    before = lab.node.counters("cl")
    capture = lab.capture(lab.node, "cl", "tcp")
    lab.load("new", where, total=5).result()
    syn = [p for p in capture.stop() if p["TCP"].flags == "S" and p["IP"].src == CLIENT4]
    assert len(syn) == 5
    assert lab.node.counters("cl")["rx_packets"] >= before["rx_packets"] + 20


@pytest.mark.parametrize("shape", [{"offloads": False}, {"static_neighbours": True}, {"together": True},
                                   {"pools": {"blue": 1, "green": 1, "red": 3}}])
def test_shapes_carry(make_lab, shape):
    lab = make_lab(**shape)
    lab.start_backends()
    for backend in lab.backends():
        for where in backend.endpoints():
            assert_clean(lab.load("new", where, total=3).result(), 3)


def test_nothing_stays_after_close(make_lab):
    lab = Lab()
    lab.start_backends()
    pids = [p.pid for p in lab.procs]
    lab.close()
    assert not [n for n in os.listdir(names.NETNS) if n.startswith(lab.name)]
    assert not os.path.exists(lab.directory)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def test_nothing_stays_when_setup_fails():
    before = set(names.of_process(names.NETNS, os.getpid()))
    with pytest.raises(Exception):
        Lab(pools={"blue": "many"})
    assert set(names.of_process(names.NETNS, os.getpid())) == before


def test_what_a_killed_run_left_is_swept():
    code = ("import sys, os, signal; sys.path.insert(0, sys.argv[1])\n"
            "from lablib.lab import Lab\n"
            "lab = Lab(); lab.start_backends(); print(lab.name, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)")
    here = os.path.dirname(os.path.abspath(__file__))
    name = subprocess.run([sys.executable, "-c", code, here], capture_output=True, text=True).stdout.strip()
    assert [n for n in os.listdir(names.NETNS) if n.startswith(name)]
    names.sweep()
    assert not [n for n in os.listdir(names.NETNS) if n.startswith(name)]
    assert not [n for n in os.listdir(names.TMP) if n.startswith(name)]
