# SPDX-License-Identifier: BSD-2-Clause
"""The pinned memory moves into another layout or size under traffic, and nobody notices."""
import os
import random
import subprocess

import pytest

from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import BUILD, ROOT, wait_for
from test_crash import killing_at, links, start_loads, stop_clean


def build_before():
    """zddd of the layout before: today's bytes under its number, of which only what it had is read."""
    build = os.path.join(BUILD, "layout5")
    os.makedirs(build, exist_ok=True)
    subprocess.run(["flock", os.path.join(build, ".lock"), "make", "-s", "-C", ROOT, f"B={build}",
                    "CFLAGS=-O2 -g -DZDD_LAYOUT_VERSION=5", f"{build}/zddd"],
                   check=True, stdout=subprocess.DEVNULL)
    return os.path.join(build, "zddd")


@pytest.fixture(scope="session")
def before():
    return build_before()


@pytest.fixture
def dice(request):
    seed = random.randrange(1 << 30)
    request.node.add_report_section("setup", "seed", f"random.Random({seed})")
    return random.Random(seed)


def start_before(lab, program, attach, **more):
    """A data path of the layout before, and loads: of flows that its plan would send elsewhere now, too."""
    daemon = lab.daemon(lab.config(attach, **more), start=False)
    daemon.now, daemon.program = daemon.program, program
    return daemon.start(), start_all(lab, daemon)


def start_all(lab, daemon):
    daemon.wait_healthy()
    blue = lab.load("idle", vip(4), flows=50, interval=10)
    blue.wait_answered(50)
    daemon.flip("web=green")
    return {"blue": blue, **start_loads(lab)}


def slowly():
    """A command by which every bpf() of what it runs takes 3 ms longer."""
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=bpf", "-e",
            "inject=bpf:delay_enter=3000", "setpriv", "--pdeathsig", "KILL"]


def restart_traced(daemon, under):
    daemon.start(under=under)
    daemon.kill9()
    wait_for(lambda: not daemon.answering(), 10, "the traced one is gone")
    daemon.start()


def flow_places(daemon):
    done = subprocess.run(["bpftool", "-j", "map", "show", "pinned", f"{daemon.bpffs}/maps/flow_recs"],
                          capture_output=True, text=True, check=True)
    return int(done.stdout.split('"max_entries":')[1].split(",")[0])


def tidy(daemon):
    """Nothing of the move is left."""
    return sorted(os.listdir(daemon.bpffs)) == ["links", "maps", "taken_by"]


def facts(daemon):
    service = daemon.get()
    new = sum(p["flows_new"] for p in service["pools"])
    shares = {p["name"]: p["share"] for p in service["pools"]}
    return service["live"], service["revision"], shares, service["generation"], new


def assert_goes_on(before, after):
    assert after[:3] == before[:3]
    assert after[3] >= before[3], "the generation went back"
    assert after[4] >= before[4], "new flows are forgotten"


def assert_swift(result):
    """No SYN, and no answer to one, was sent twice: that takes a second."""
    assert result["connect_us"]["max"] < 900_000, result


@pytest.mark.parametrize("under", [(), slowly()], ids=["", "slow"])
@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_layout_before_under_load(lab, before, attach, under):
    daemon, loads = start_before(lab, before, attach)
    were, pinned = facts(daemon), links(daemon)
    assert daemon.stop() == 0
    daemon.program = daemon.now
    if under:
        restart_traced(daemon, under)
    else:
        daemon.start()
    assert daemon.state()["problems"] == []
    assert_goes_on(were, facts(daemon))
    assert links(daemon) == pinned, "a hook was empty for a moment"
    assert tidy(daemon)
    loads["new"].wait_requests(500)
    loads["udp"].wait_requests(200)
    assert daemon.open_flows() >= 110
    daemon.wait_healthy().flip("web=blue")
    result = lab.load("new", vip(4), total=60, flows=3).result()
    assert_clean(result, 60)
    assert set(pools_of(result)) == {"blue"}
    assert_swift(loads["new"].stop())
    stop_clean(loads)


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_resize_under_load(lab, attach):
    # Even the small one has room for all that the loads open on a slow machine: 3,000 flows a second.
    small, large = {"tcp": 200_000, "udp": 150_000}, {"tcp": 400_000, "udp": 300_000}
    daemon = lab.daemon(lab.config(attach, flows=small))
    loads = start_all(lab, daemon)
    for flows in (large, small):
        were, places = facts(daemon), flow_places(daemon)
        daemon.stop()
        daemon.write(lab.config(attach, flows=flows))
        daemon.start()
        assert daemon.state()["problems"] == []
        assert_goes_on(were, facts(daemon))
        assert (flow_places(daemon) > places) == (flows is large)
        assert tidy(daemon)
        loads["new"].wait_requests(300)
    stop_clean(loads)


def test_more_services_than_fit(lab):
    """Refused while it runs, by name; a restart makes room."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    loads = start_loads(lab)
    services = {"web": lab.service()}
    for i in range(300):
        services[f"more{i}"] = lab.service([f"{vip(4, 1000 + i)}/tcp"])
    daemon.write(lab.config("tc", services))
    answer = daemon.ctl("apply", "-f", daemon.config_path, expect=None)
    assert answer.code != 0
    assert "restart" in answer.stdout + answer.stderr
    assert len(daemon.state()["services"]) == 1
    daemon.stop()
    daemon.start()
    assert len(daemon.state()["services"]) == 301
    assert_clean(lab.load("new", vip(4, 1299), total=50, flows=3).result(), 50)
    stop_clean(loads)


def test_smaller_than_what_is_in_use(lab):
    daemon = lab.daemon(lab.config("tc", flows={"tcp": 20_000, "udp": 10_000})).wait_healthy()
    idle = lab.load("idle", vip(4), flows=1500, interval=2000)
    idle.wait_answered(1500)
    places = flow_places(daemon)
    daemon.stop()
    daemon.write(lab.config("tc", flows={"tcp": 1024, "udp": 10_000}))
    daemon.start()
    assert any("flows.tcp: 1024" in p for p in daemon.state()["problems"])
    assert flow_places(daemon) == places
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 1500


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_kill_at_bpf_calls_of_a_move(lab, before, full, dice, attach):
    """Whatever step the move had reached, the next start goes on or starts over."""
    daemon, loads = start_before(lab, before, attach)
    were = facts(daemon)
    call, midway, step = 20, 0, 5 if full else 20
    daemon.stop()
    while True:
        daemon.program = daemon.now
        daemon.start(wait=False, under=killing_at(call))
        wait_for(lambda: not daemon.proc.running() or daemon.answering(), 60, "killed or ready")
        if daemon.proc.running():
            break
        daemon.proc.close()
        midway += not tidy(daemon)
        loads["new"].wait_requests(dice.randrange(50, 300))
        call += dice.randrange(1, step)
    daemon.proc.close()
    wait_for(lambda: not daemon.answering(), 10, "the traced one is gone")
    assert midway >= 3, "it was never killed in the middle"
    daemon.start().wait_healthy()
    assert_goes_on(were, facts(daemon))
    assert tidy(daemon)
    stop_clean(loads)


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_kill_at_any_moment_of_a_move(lab, before, full, dice, attach):
    """A flow table of a million is long enough in the copying to be killed in it."""
    daemon, loads = start_before(lab, before, attach)
    were = facts(daemon)
    daemon.stop()
    daemon.program = daemon.now
    for _ in range(20 if full else 5):
        daemon.start(wait=False)
        loads["udp"].wait_requests(dice.randrange(1, 120))
        daemon.kill9()
        loads["new"].wait_requests(100)
    daemon.start().wait_healthy()
    assert_goes_on(were, facts(daemon))
    assert tidy(daemon)
    stop_clean(loads)


def test_newer_layout_is_refused(lab, before):
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    load = lab.load("new", vip(4), flows=10)
    daemon.stop()
    pins, daemon.program = daemon.pins(), before
    daemon.start(wait=False)
    assert daemon.proc.wait() == 1
    assert "layout 6" in daemon.proc.log() and "layout 5" in daemon.proc.log()
    assert daemon.pins() == pins
    load.wait_requests(200)
    assert_clean(load.stop())


def test_mode_local_moves_its_sockets(make_lab, before):
    from test_local import serve_here, service
    lab = make_lab(pools={})
    lab.apps = serve_here(lab, "127.0.0.1", "::1")
    web = service(lab, [":443/tcp"], forward="local")
    daemon = lab.daemon(lab.config("tc", {"web": web}), start=False)
    now, daemon.program = daemon.program, before
    daemon.start().wait_healthy().flip("web=green")
    load = lab.load("new", vip(4), flows=20)
    idle = lab.load("idle", vip(4), flows=20, interval=50)
    idle.wait_answered(20)
    daemon.stop()
    daemon.program = now
    daemon.start()
    load.wait_requests(300)
    for result in (load.stop(), idle.stop()):
        assert_clean(result, 20)
        assert set(pools_of(result)) == {"green"}
