# SPDX-License-Identifier: BSD-2-Clause
"""Guarantee 4: cohorts are nested, and a backend that goes moves nobody across pools."""
import pytest

from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import wait_for

SOURCE_PORT = 40000


@pytest.fixture
def clients(full):
    return 100_000 if full else 20_000


@pytest.fixture
def wide(make_lab):
    """Five backends in each pool, and UDP flows that are soon forgotten."""
    lab = make_lab(pools={"blue": 5, "green": 5})
    lab.start_backends()
    return lab


def serve(lab, attach="tc", **more):
    """With v6 clients told apart by their whole address; the default is the /64."""
    service = lab.service(idle={"udp": "1s", "tcp": "2h"}, sticky_prefix={"v6": 128}, **more)
    config = lab.config(attach, {"web": service}, flows={"tcp": 10000, "udp": 300000})
    return lab.daemon(config).wait_healthy()


def ask_all(lab, daemon, clients, family=4):
    """{client: (backend, pool)}, asked with one 5-tuple each, after the flows of before are over."""
    wait_for(lambda: daemon.open_flows() == 0, 30, "UDP flows are idle")
    wait_for(lambda: sum(p["flows_active"] for p in daemon.get()["pools"]) == 0, 10,
             "UDP flows are forgotten")
    load = lab.load("udp", vip(family), flows=100, sources=clients, total=clients, log=True,
                    source_port=SOURCE_PORT)
    assert_clean(load.result(), clients)
    answers = {row.host: (row.backend, row.pool) for row in load.rows()}
    assert len(answers) == clients
    return answers


def of_pool(answers, pool):
    return {host for host, answer in answers.items() if answer[1] == pool}


@pytest.mark.parametrize("family,attach", [(4, "tc"), (6, "xdp")])
def test_share_is_exact_and_nested(wide, family, attach):
    """5 % +- 0.3 is 4.3 standard deviations of a fair hash, so this is the size of it."""
    clients, tolerance = 100_000, 0.3
    daemon = serve(wide, attach)
    before = set()
    for share in (5, 25, 50):
        daemon.ctl("set", "share", "web", f"green={share}%")
        green = of_pool(ask_all(wide, daemon, clients, family), "green")
        got = 100 * len(green) / clients
        assert abs(got - share) < tolerance * (1 if share == 5 else 3), f"{got} %, not {share} %"
        assert before <= green, f"{len(before - green)} clients were moved back at {share} %"
        before = before or green
    daemon.ctl("set", "share", "web", "green=5%")
    assert of_pool(ask_all(wide, daemon, clients, family), "green") == before


@pytest.mark.parametrize("how", ["del", "drain", "dies"])
def test_a_backend_that_goes_moves_nobody_else(wide, clients, how):
    daemon = serve(wide)
    daemon.ctl("set", "share", "web", "green=20%")
    before = ask_all(wide, daemon, clients)
    gone = wide.backend("blue2")
    if how == "del":
        for where in gone.endpoints():
            daemon.ctl("backend", "del", f"web/blue/{where}")
    elif how == "drain":
        for where in gone.endpoints():
            daemon.ctl("drain", f"web/blue/{where}")
    else:
        gone.server.proc.kill9()
        wait_for(lambda: daemon.backends()[gone.endpoints()[0]]["health"] == "down", 10, "blue2 is down")
    after = ask_all(wide, daemon, clients)
    assert of_pool(before, "green") == of_pool(after, "green"), "clients crossed pools"
    assert all(backend != "blue2" for backend, _ in after.values())
    stayed = [host for host, (backend, _) in before.items() if backend != "blue2"]
    moved = [host for host in stayed if before[host] != after[host]]
    assert len(moved) <= 0.02 * len(stayed), f"{len(moved)} of {len(stayed)} moved"


def test_cohort_rule_comes_first(wide):
    """10.64.1.0/24 always gets green, and `cohort` says so of these and of others."""
    daemon = serve(wide, cohorts={"green": ["10.64.1.0/24"]})
    answers = ask_all(wide, daemon, 1024)
    ruled = {host for host in answers if host.startswith("10.64.1.")}
    assert len(ruled) == 256
    assert of_pool(answers, "green") == ruled
    daemon.ctl("set", "share", "web", "green=30%")
    answers = ask_all(wide, daemon, 1024)
    assert ruled <= of_pool(answers, "green")
    for host in list(answers)[::64]:
        assert daemon.ctl("cohort", "web", host)["pool"] == answers[host][1]


def test_weights(wide, clients):
    """1:10 gives 9.1 %."""
    pools = {"blue": {"backends": [
        {"address": wide.backend("blue0").endpoints()[0], "weight": 1},
        {"address": wide.backend("blue1").endpoints()[0], "weight": 10}]},
        "green": wide.backend("green0").endpoints()[:1]}
    daemon = serve(wide, pools=pools, listen=[f"{vip(4)}/udp"])
    answers = ask_all(wide, daemon, clients)
    light = sum(1 for backend, _ in answers.values() if backend == "blue0")
    assert abs(100 * light / clients - 100 / 11) < 1


def test_a_candidate_that_is_down_falls_to_live(wide):
    daemon = serve(wide)
    daemon.ctl("set", "share", "web", "green=50%")
    for backend in wide.pools["green"]:
        backend.server.proc.kill9()
    wait_for(lambda: all(b["health"] == "down" for b in daemon.pool("green")["backends"]), 10,
             "green is down")
    answers = ask_all(wide, daemon, 1000)
    assert of_pool(answers, "blue") == set(answers)


def test_share_of_tcp_equals_share_of_udp(wide):
    """The cohort is the client's, not the flow's: every protocol and port gives the same pool."""
    daemon = serve(wide)
    daemon.ctl("set", "share", "web", "green=40%")
    udp = ask_all(wide, daemon, 2000)
    load = wide.load("new", vip(4), flows=50, sources=2000, total=4000, log=True)
    assert_clean(load.result(), 4000)
    assert all(row.pool == udp[row.host][1] for row in load.rows())


def test_clients_of_one_v6_prefix_are_one_cohort(lab):
    """The default: a client changes its address within its /64 all day."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    daemon.ctl("set", "share", "web", "green=50%")
    result = lab.load("new", vip(6), flows=20, sources=1000, total=1000).result()
    assert_clean(result, 1000)
    assert len(pools_of(result)) == 1
    assert len(result["backends"]) == 2
