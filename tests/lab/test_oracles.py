# SPDX-License-Identifier: BSD-2-Clause
"""The judges themselves: a switch made of nftables that keeps the guarantees is acquitted, one that breaks them is not."""
import threading
import time

import pytest

from lablib.daemon import Answer
from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.timeline import Timeline, assert_ledgers_agree, first_of_tuple, pairs_of

RULES = """table ip lab {{ }}
delete table ip lab
table ip lab {{
  chain pre {{
    type nat hook prerouting priority dstnat;
    ip daddr 203.0.113.10 meta l4proto {{ tcp, udp }} th dport 443 dnat to {web}:8080
    ip daddr 203.0.113.10 meta l4proto {{ tcp, udp }} th dport 444 dnat to {api}:8080
  }}
}}
"""
SHARED = """table ip lab {
  chain pre {
    type nat hook prerouting priority dstnat;
    ip daddr 203.0.113.10 udp dport 443 dnat ip addr . port to jhash ip saddr mod 20 seed 7 \
      map { 0 : 10.20.2.10 . 8080, 1-19 : 10.20.1.10 . 8080 }
  }
}
"""
TARGETS = {"blue": "10.20.1.10", "green": "10.20.2.10"}


class NftSwitch:
    """Speaks as much of zddctl as Timeline asks for."""

    def __init__(self, lab):
        self.lab = lab
        self.put("blue", "blue")

    def put(self, web, api):
        self.lab.node.nft(RULES.format(web=TARGETS[web], api=TARGETS[api]))

    def move(self, pool):
        self.put(pool, pool)

    def ctl(self, _flip, *targets):
        began = time.monotonic_ns()
        self.move(targets[0].split("=")[1])
        return Answer(0, "{}", "", began, time.monotonic_ns())


class LateSwitch(NftSwitch):
    """Returns before the traffic has moved."""

    def move(self, pool):
        threading.Timer(0.05, self.put, (pool, pool)).start()


class TornSwitch(NftSwitch):
    """Moves one service after the other."""

    def move(self, pool):
        self.put(pool, "green" if pool == "blue" else "blue")
        self.lab.running.wait_requests(200)
        self.put(pool, pool)


def flips_under_load(lab, switch, mode):
    timeline = Timeline(switch)
    load = lab.load(mode, vip(4), flows=10, sources=5000, rate=4000, log=True)
    for _ in range(6):
        timeline.flip()
        load.wait_requests(400)
    assert_clean(load.stop(), 1000)
    return timeline, load


@pytest.mark.parametrize("mode,unique", [("new", list), ("udp", first_of_tuple)])
def test_strays_are_found_and_only_then(lab, mode, unique):
    timeline, load = flips_under_load(lab, NftSwitch(lab), mode)
    assert timeline.strays(unique(load.rows())) == []
    if mode == "new":
        assert_ledgers_agree(load.rows(), lab.ledgers())
    timeline, load = flips_under_load(lab, LateSwitch(lab), mode)
    assert len(timeline.strays(unique(load.rows()))) > 10


def test_a_flow_that_is_missing_in_a_ledger_is_found(lab):
    flips_under_load(lab, NftSwitch(lab), "new")
    load = lab.load("new", vip(4), total=10, log=True)
    load.result()
    with pytest.raises(AssertionError, match="ledger only"):
        assert_ledgers_agree(load.rows(), lab.ledgers())


@pytest.mark.parametrize("switch,good", [(NftSwitch, True), (TornSwitch, False)])
def test_mixed_pairs_are_found_and_only_then(lab, switch, good):
    made = switch(lab)
    lab.running = lab.load("new", [vip(4), vip(4, 444)], flows=20, sources=1000, log=True)
    timeline = Timeline(made, "web", "api")
    for _ in range(6):
        timeline.flip()
        lab.running.wait_requests(500)
    assert_clean(lab.running.stop(), 1000, rewritten_ok=True)
    if good:
        assert timeline.check_pairs(pairs_of(lab.running.rows())) > 0
    else:
        with pytest.raises(AssertionError, match="mixed"):
            timeline.check_pairs(pairs_of(lab.running.rows()))


def test_clients_of_a_pool(lab):
    """A switch that shares by a hash of the client: each client is asked once and is where it was."""
    lab.node.nft(SHARED)
    answers = []
    for _ in range(2):
        load = lab.load("udp", vip(4), flows=50, sources=5000, total=5000, log=True, source_port=40000)
        result = load.result()
        assert_clean(result, 5000)
        answers.append({row.host: row.pool for row in load.rows()})
        assert abs(100 * pools_of(result)["green"] / 5000 - 5) < 1.5
    assert answers[0] == answers[1] and len(answers[0]) == 5000
