# SPDX-License-Identifier: BSD-2-Clause
"""Guarantee 3 as wrk sees it: 200 connections to two versions of an nginx, flipped to and fro."""
import pytest

from conftest import FULL
from lablib.lab import vip
from lablib.proc import wait_for
from lablib.timeline import Timeline
from lablib.web import VersionServer, Wrk

CONNECTIONS = 200
FLIPS, BETWEEN = (100, 1000) if FULL else (10, 400)
EVERYTHING = [(kind, family, attach) for kind in ("keep", "new") for family in (4, 6)
              for attach in ("tc", "xdp")]
QUICK = [("keep", 6, "tc"), ("new", 4, "xdp")]


@pytest.fixture
def web(make_lab):
    lab = make_lab(pools={"blue": 1, "green": 1})
    lab.versions = {pool: VersionServer(lab, backends[0], pool) for pool, backends in lab.pools.items()}
    for version in lab.versions.values():
        version.wait_ready()
    return lab


def tcp_counters(netns):
    """The kernel's, of all connections in the namespace."""
    names, values = [line.split()[1:] for line in netns.run("cat", "/proc/net/snmp").stdout.splitlines()
                     if line.startswith("Tcp:")]
    return dict(zip(names, map(int, values)))


def wait_served(version, more):
    least = version.served() + more
    wait_for(lambda: version.served() >= least, 30, f"{more} more requests at {version.name}")


def grown(after, before):
    return {name: after[name] - before[name] for name in ("ActiveOpens", "AttemptFails", "EstabResets", "RetransSegs")}


@pytest.mark.parametrize("kind,family,attach", EVERYTHING if FULL else QUICK)
def test_flips_under_wrk(web, kind, family, attach):
    """No request fails; open connections stay where they are, new ones go to the live version.

    Witnesses: wrk, both nginx, and the client's kernel, which knows of resets that wrk might hide.
    """
    service = web.service([f"{vip(f)}/tcp" for f in (4, 6)])
    timeline = Timeline(web.daemon(web.config(attach, {"web": service})).wait_healthy())
    wrk = Wrk(web, vip(family), CONNECTIONS, close=kind == "new")
    wait_served(web.versions["blue"], 2 * CONNECTIONS)
    before = tcp_counters(web.client)
    for _ in range(FLIPS):
        timeline.flip()
        wait_served(web.versions["blue" if kind == "keep" else timeline.live], BETWEEN)
    tcp = grown(tcp_counters(web.client), before)
    result = wrk.stop()
    served = {pool: version.served() for pool, version in web.versions.items()}
    requests = result.pop("requests")
    print(f"{kind} v{family} {attach}: {FLIPS} flips, {requests} requests, {result}, {served}, {tcp}")
    assert set(result.values()) == {0}, result
    assert tcp["AttemptFails"] == tcp["EstabResets"] == 0, tcp
    assert requests <= sum(served.values()) <= requests + CONNECTIONS, "the books of wrk and nginx differ"
    if kind == "keep":
        assert tcp["ActiveOpens"] == 0, "connections were lost and opened anew"
        assert served["green"] == 0
    else:
        assert min(served.values()) >= FLIPS // 2 * BETWEEN
