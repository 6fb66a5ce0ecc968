# SPDX-License-Identifier: BSD-2-Clause
"""Things that break around zdd, or are pushed to their limit."""
import os
import shutil
import signal
import threading

import pytest

from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import run, wait_for
from lablib.timeline import Timeline

SMALLEST = 1024


@pytest.fixture(params=["tc", "xdp"])
def attach(request):
    return request.param


@pytest.fixture
def crowded(lab, attach):
    """500 connections that have a record, then more than the half-open records can hold beside them."""
    lab.zdd = lab.daemon(lab.config(attach, flows={"tcp": SMALLEST, "udp": SMALLEST})).wait_healthy()
    lab.first = lab.load("idle", vip(4), flows=500, interval=200)
    lab.first.wait_answered(500)
    lab.crowd = lab.load("idle", vip(4), flows=12_000, sources=100, interval=3000, timeout=20000)
    wait_for(lambda: lab.crowd.status()["answered"] > 11_000, 30, "a crowd is there")
    return lab


def test_full_flow_table_evicts_nobody(crowded):
    for pool in ("green", "blue"):
        crowded.zdd.flip(f"web={pool}")
        crowded.first.wait_requests(500)
    result = crowded.first.stop()
    assert_clean(result)
    assert result["open"] == 500


def test_full_flow_table_is_counted_and_said(crowded):
    assert crowded.zdd.counters()["flow_table_full"]["count"] > 0
    wait_for(lambda: "room" in str(crowded.zdd.state()["problems"]).lower(), 15, "`get` says that it is full")


def test_full_flow_table_refuses_nobody(crowded):
    """What has no record is forwarded by the table all the same."""
    wait_for(lambda: crowded.crowd.status()["answered"] + crowded.crowd.status()["failed"] >= 12_000, 60,
             "all have tried")
    assert_clean(crowded.crowd.stop())


@pytest.mark.parametrize("percent", [2, 10])
def test_flips_on_a_lossy_wire(lab, attach, percent):
    """TCP repeats what is lost; a repeated SYN belongs to its flow."""
    lab.client.nft(f"table inet loss {{\n chain in {{\n type filter hook input priority 0; \n"
                   f" meta l4proto tcp numgen random mod 100 < {percent} drop\n }}\n}}\n")
    timeline = Timeline(lab.daemon(lab.config(attach)).wait_healthy())
    idle = lab.load("idle", vip(4), flows=20, interval=50, timeout=20000)
    load = lab.load("new", vip(4), flows=100, sources=200, timeout=20000, log=True)
    for _ in range(6):
        load.wait_requests(200)
        timeline.flip()
    load.wait_requests(200)
    result = load.stop()
    assert_clean(result, 500)
    assert result["retransmits"] > 0, "nothing was lost: no proof"
    assert timeline.strays(load.rows()) == []
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 20


def test_backend_that_hangs(lab):
    """SIGSTOP: its port still accepts, an application check finds out."""
    health = lab.quick_health(type="http", path="/health")
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(health=health)})).wait_healthy()
    backend = lab.backend("blue0")
    backend.server.proc.signal(signal.SIGSTOP)
    where = backend.endpoints()[0]
    wait_for(lambda: daemon.backends()[where]["health"] == "down", 10, "blue0 is down")
    result = lab.load("new", vip(4), total=100, flows=5).result()
    assert_clean(result, 100)
    assert {b["backend"] for b in result["backends"]} == {"blue1"}
    backend.server.proc.signal(signal.SIGCONT)
    wait_for(lambda: daemon.backends()[where]["health"] == "up", 10, "blue0 is back")


def test_flapping_backend_disturbs_nobody_elses_flows(lab):
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    daemon.ctl("maint", f"web/blue/{lab.backend('blue0').endpoints()[0]}")
    idle = lab.load("idle", vip(4), flows=30, interval=50)
    idle.wait_answered(30)
    daemon.ctl("ready", f"web/blue/{lab.backend('blue0').endpoints()[0]}")
    for _ in range(3):
        lab.backend("blue0").server.proc.kill9()
        wait_for(lambda: daemon.backends()["10.20.1.10:8080"]["health"] == "down", 10, "down")
        lab.start_backend("blue0")
        wait_for(lambda: daemon.backends()["10.20.1.10:8080"]["health"] == "up", 10, "up")
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 30


def test_open_flows_when_every_number_is_taken_again(lab):
    """A deleted backend keeps its number in the data path while it has flows, though all 512 go round."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    idle = lab.load("idle", vip(4), flows=30, interval=50)
    idle.wait_answered(30)
    web = lab.service()
    web["pools"]["blue"] = lab.backend("blue0").endpoints()
    for turn in range(3):
        many = {"blue": [f"10.77.{turn}.{n}:80" for n in range(1, 201)]}
        more = lab.service([f"{vip(4, 9000)}/tcp"], pools=many, health={"type": "none"})
        path = daemon.write(lab.config("tc", {"web": web, "more": more}))
        wait_for(lambda p=path: daemon.ctl("apply", "-f", p, expect=None).code == 0, 20,
                 "the ones of the turn before have given their numbers back")
        idle.wait_requests(60)
    result = idle.stop()
    assert_clean(result, 200)
    assert result["open"] == 30


def test_stopped_daemon(lab):
    """SIGSTOP in the middle of traffic: nobody notices; zddctl gives up in time and says so."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    load = lab.load("new", vip(4), flows=5, sources=100)
    load.wait_requests(50)
    daemon.proc.signal(signal.SIGSTOP)
    answer = daemon.ctl("flip", "web=green", "--timeout", "1s", expect=(5, 15), timeout=20)
    assert len(answer.stderr.strip().splitlines()) == 1
    load.wait_requests(500)
    daemon.proc.signal(signal.SIGCONT)
    wait_for(daemon.answering, 10, "it is back")
    assert_clean(load.stop())


def test_many_requests_at_once(lab):
    """Twenty people flip to and fro: each gets an answer, one state is the result, traffic agrees."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    load = lab.load("new", vip(4), flows=5, sources=100)
    codes = []

    def person(number):
        pool = ("green", "blue")[number % 2]
        codes.append(daemon.ctl("flip", f"web={pool}", expect=None).code)

    people = [threading.Thread(target=person, args=(n,)) for n in range(20)]
    for p in people:
        p.start()
    for p in people:
        p.join()
    assert set(codes) <= {0, 4}, codes
    live = daemon.get()["live"]
    result = lab.load("new", vip(4), total=60, flows=3).result()
    assert pools_of(result) == {live: 60}
    assert_clean(load.stop())


def test_pins_are_removed_by_somebody(lab):
    """A running daemon and its traffic go on; the next start says what it found."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    load = lab.load("new", vip(4), flows=5, sources=100, timeout=1000)
    shutil.rmtree(daemon.bpffs)
    load.wait_requests(100)
    daemon.flip("web=green")
    load.wait_requests(100)
    assert_clean(load.stop())
    daemon.restart()
    daemon.wait_healthy()
    result = lab.load("new", vip(4), total=60, flows=3).result()
    assert_clean(result, 60)
    assert pools_of(result) == {"green": 60}


def resources(daemon):
    with open(f"/proc/{daemon.proc.pid}/status", encoding="ascii") as file:
        rss = next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    return len(os.listdir(f"/proc/{daemon.proc.pid}/fd")), rss


def test_nothing_grows(lab, full):
    """Descriptors, memory and pins after many flips, applies and requests."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()

    def rounds(count):
        for _ in range(count):
            daemon.flip("web")
            daemon.ctl("apply", "-f", daemon.config_path)
            daemon.ctl("set", "share", "web", "blue=50%", "green=50%")
            daemon.ctl("conns", "web")
        return resources(daemon), len(daemon.pins())

    (fds, rss), pins = rounds(20)
    (more_fds, more_rss), more_pins = rounds(200 if full else 30)
    assert more_fds <= fds + 2
    assert more_rss <= rss + 1024, f"{more_rss - rss} KiB more"
    assert more_pins == pins


def test_metrics(lab):
    """Prometheus text that a parser takes, with the flows in it."""
    config = lab.config("tc", metrics="127.0.0.1:9177")
    lab.daemon(config).wait_healthy()
    assert_clean(lab.load("new", vip(4), total=50).result(), 50)
    text = run(["curl", "-sf", "http://127.0.0.1:9177/metrics"], netns=lab.node.name).stdout
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(line.startswith("zdd_") and "nan" not in line.lower() for line in samples)
    for line in samples:
        float(line.rsplit(" ", 1)[1])
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    histograms = {line.split()[2] for line in text.splitlines() if line.endswith(" histogram")}
    parts = {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    assert {line.split("{")[0].split()[0] for line in samples} <= typed | parts
    assert any('pool="blue"' in line and line.endswith(" 50") or 'verdict="new"' in line
               for line in samples)
