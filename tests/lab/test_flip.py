# SPDX-License-Identifier: BSD-2-Clause
"""Guarantees 1, 2 and 3: next packet, whole, nothing open breaks."""
import pytest

from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.timeline import Timeline, assert_ledgers_agree, first_of_tuple, pairs_of

EVERYWHERE = [(4, "tc"), (6, "tc"), (4, "xdp"), (6, "xdp")]


@pytest.fixture
def served(lab):
    """A function that starts zddd over the usual lab and waits until everything is up."""
    def serve(attach, **more):
        return lab.daemon(lab.config(attach, **more)).wait_healthy()
    return serve


def all_loads(lab, family, full):
    target, size = vip(family), 4 if full else 1
    return {
        "new": lab.load("new", target, flows=50 * size, sources=200, log=True),
        "keep": lab.load("keep", target, flows=10 * size, rate=4000),
        "idle": lab.load("idle", target, flows=125 * size),
        "udp": lab.load("udp", target, flows=10 * size, sources=30000, rate=3000, log=True),
        "udpkeep": lab.load("udpkeep", target, flows=25 * size),
    }


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_flips_under_load(lab, served, full, family, attach):
    """Nobody notices a flip but new flows, and they all do."""
    timeline = Timeline(served(attach))
    loads = all_loads(lab, family, full)
    loads["idle"].wait_answered(500 if full else 125)
    loads["udpkeep"].wait_answered(100 if full else 25)
    for _ in range(100 if full else 10):
        timeline.flip()
        loads["new"].wait_requests(100)
        loads["idle"].running_well()
    results = {name: load.stop() for name, load in loads.items()}
    for result in results.values():
        assert_clean(result, 100)
    assert results["idle"]["open"] == results["idle"]["started"], "idle connections were lost"
    assert results["udpkeep"]["open"] == results["udpkeep"]["started"]
    assert pools_of(results["idle"]) == {"blue": results["idle"]["started"]}
    assert set(pools_of(results["new"])) == {"blue", "green"}
    assert timeline.strays(loads["new"].rows()) == []
    assert timeline.strays(first_of_tuple(loads["udp"].rows())) == []


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_no_new_flow_on_the_old_pool(lab, served, full, family, attach):
    """Many flips as fast as they return, at full load; client's and servers' books agree."""
    timeline = Timeline(served(attach))
    load = lab.load("new", vip(family), flows=50, sources=2000, log=True)
    for _ in range(1000 if full else 40):
        timeline.flip()
        load.wait_requests(20)
    result = load.stop()
    assert_clean(result, 1000)
    rows = list(load.rows())
    assert timeline.strays(rows) == []
    assert_ledgers_agree(rows, lab.ledgers())


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_two_services_are_never_mixed(lab, full, attach):
    """Pairs in both orders: whichever service were moved first, one of them would show it."""
    services = {"web": lab.service([f"{vip(4)}/tcp"]), "api": lab.service([f"{vip(4, 444)}/tcp"])}
    daemon = lab.daemon(lab.config(attach, services))
    daemon.wait_healthy("web").wait_healthy("api")
    timeline = Timeline(daemon, "web", "api")
    pairs = 50_000 if full else 3_000
    targets = [vip(4), vip(4, 444)]
    loads = [lab.load("new", order, flows=25, sources=2000, log=True)
             for order in (targets, targets[::-1])]
    while any(load.running_well()["requests"] < 2 * pairs for load in loads):
        timeline.flip()
        for load in loads:
            load.wait_requests(150)
    for load in loads:
        assert_clean(load.stop(), 2 * pairs, rewritten_ok=True)
        near = timeline.check_pairs(pairs_of(load.rows()))
        assert near > len(timeline.flips), f"{near} pairs beside {len(timeline.flips)} flips: no proof"


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_flip_moves_tcp_and_udp_of_both_families_in_one_step(lab, served, attach):
    """Each load has clients of its own: an open UDP flow, by its tuple, would stay where it is."""
    daemon = served(attach)
    for net, pool in ((2, "green"), (4, "blue")):
        generation = daemon.get()["generation"]
        daemon.flip(f"web={pool}")
        assert daemon.get()["live"] == pool
        assert daemon.get()["generation"] == generation + 1
        for family in (4, 6):
            for mode in ("new", "udp"):
                source = f"10.64.{net}.1" if family == 4 else f"fd64::{net}:1"
                result = lab.load(mode, vip(family), total=100, flows=4, sources=300, source=source).result()
                assert_clean(result, 100)
                assert pools_of(result) == {pool: 100}, (mode, family)


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_verify_names_last_old_and_first_new(lab, served, attach):
    daemon = served(attach)
    load = lab.load("new", vip(4), flows=20, sources=100)
    load.wait_requests(100)
    answer = daemon.flip("web=green", "--verify")
    load.wait_requests(100)
    assert_clean(load.stop())
    verify = answer["verify"]
    assert answer["result"] == "reached" and verify["proven"]
    assert verify["old"]["web/blue"]["last_new_generation"] < answer["generation"]
    assert verify["new"]["web/green"]["first_new_generation"] in (answer["generation"], None)
    back = daemon.flip("web=blue", "--verify")
    assert back["verify"]["old"]["web/green"]["last_new_generation"] == answer["generation"]


def test_verify_without_traffic_says_null(served):
    verify = served("tc").flip("web=green", "--verify")["verify"]
    assert verify["old"]["web/blue"]["last_new_generation"] is None
    assert verify["new"]["web/green"]["first_new_generation"] is None


def test_open_flows_stay_when_the_old_pool_drains(lab, served):
    daemon = served("tc")
    idle = lab.load("idle", vip(4), flows=50, interval=50)
    idle.wait_answered(50)
    daemon.flip("web=green")
    daemon.ctl("drain", "web/blue")
    idle.wait_requests(200)
    assert daemon.open_flows("web/blue") == 50
    result = idle.stop()
    assert_clean(result, 200)
    assert result["open"] == 50
