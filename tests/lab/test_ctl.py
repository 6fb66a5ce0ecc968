# SPDX-License-Identifier: BSD-2-Clause
"""The contract of zddctl, against a running zddd: answers, exit codes, refusals that change nothing."""
import threading

import pytest

from lablib.daemon import EXIT
from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import wait_for


@pytest.fixture
def daemon(lab):
    return lab.daemon(lab.config("tc")).wait_healthy()


def live_of(lab):
    result = lab.load("new", vip(4), total=40, flows=2, sources=40).result()
    assert_clean(result, 40)
    return set(pools_of(result))


def kill_pool(lab, daemon, pool):
    for backend in lab.pools[pool]:
        backend.server.proc.kill9()
    wait_for(lambda: all(b["health"] == "down" for b in daemon.pool(pool)["backends"]), 10,
             f"{pool} is down")


def test_get_has_what_the_contract_says(daemon):
    service = daemon.get()
    assert {"service", "generation", "revision", "live", "pools", "rollout"} <= set(service)
    for pool in service["pools"]:
        assert {"name", "share", "flows_active", "flows_new", "backends"} <= set(pool)
        for backend in pool["backends"]:
            assert {"address", "weight", "admin", "health", "flows_active", "flows_new"} <= set(backend)
    assert [(p["name"], p["share"]) for p in service["pools"]] == [("blue", 100), ("green", 0)]


def test_flip_without_pool_and_undo(lab, daemon):
    assert daemon.ctl("flip", "web")["result"] == "reached"
    assert live_of(lab) == {"green"}
    assert daemon.ctl("undo", "web")["result"] == "reached"
    assert live_of(lab) == {"blue"}
    generation = daemon.get()["generation"]
    daemon.ctl("undo", "web", expect=None)
    assert live_of(lab) == {"blue"}, "undo toggles"
    assert daemon.get()["generation"] == generation


def test_flip_to_a_dead_pool_fails_safe(lab, daemon):
    kill_pool(lab, daemon, "green")
    before = daemon.get()["revision"]
    answer = daemon.ctl("flip", "web=green", "--timeout", "1s", expect=EXIT["failed_safe"])
    assert answer["result"] == "failed_safe"
    assert len(answer.stderr.strip().splitlines()) == 1
    assert daemon.get()["revision"] == before
    assert live_of(lab) == {"blue"}
    daemon.ctl("flip", "web=green", "--force")
    assert daemon.get()["live"] == "green"


def test_flip_waits_until_the_pool_is_healthy(lab, daemon):
    kill_pool(lab, daemon, "green")
    answer = []
    flip = threading.Thread(target=lambda: answer.append(daemon.ctl("flip", "web=green", expect=None)))
    flip.start()
    lab.start_backends("green")
    flip.join()
    assert answer[0].code == 0, answer[0].stderr
    assert live_of(lab) == {"green"}


def test_if_revision(daemon):
    revision = daemon.get()["revision"]
    daemon.flip("web=green", "--if-revision", revision + 1, expect=EXIT["refused"])
    assert daemon.get()["live"] == "blue"
    daemon.flip("web=green", "--if-revision", revision)
    daemon.flip("web=blue", "--if-revision", revision, expect=EXIT["refused"])
    assert daemon.get()["live"] == "green"


def test_dry_run_changes_nothing(daemon):
    before = daemon.get()
    daemon.flip("web=green", "--dry-run", expect=None)
    daemon.ctl("set", "share", "web", "green=10%", "--dry-run", expect=None)
    after = daemon.get()
    assert (after["generation"], after["live"]) == (before["generation"], before["live"])


def test_one_flip_of_several_that_cannot_is_none(lab):
    """All or nothing: api has no green."""
    services = {"web": lab.service([f"{vip(4)}/tcp"]),
                "api": lab.service([f"{vip(4, 444)}/tcp"],
                                   pools={"blue": lab.backend("blue0").endpoints()[:1]})}
    daemon = lab.daemon(lab.config("tc", services)).wait_healthy()
    before = daemon.get()["generation"]
    daemon.ctl("flip", "web=green", "api=green", expect=EXIT["absent"])
    assert daemon.get()["live"] == "blue"
    assert daemon.get()["generation"] == before


def test_drain_maint_ready(lab, daemon):
    where = lab.backend("blue0").endpoints()[0]
    idle = lab.load("idle", vip(4), flows=40, interval=50)
    idle.wait_answered(40)
    for verb in ("drain", "maint"):
        daemon.ctl(verb, f"web/blue/{where}")
        assert daemon.backends()[where]["admin"] == verb
        result = lab.load("new", vip(4), total=100, flows=5).result()
        assert_clean(result, 100)
        assert {b["backend"] for b in result["backends"]} == {"blue1"}
    daemon.ctl("ready", f"web/blue/{where}")
    assert daemon.backends()[where]["admin"] == "ready"
    wait_for(lambda: daemon.backends()[where]["health"] == "up", 10, "checks go on")
    result = lab.load("new", vip(4), total=200, flows=5).result()
    assert {b["backend"] for b in result["backends"]} == {"blue0", "blue1"}
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 40


def test_flows_are_counted_and_do_not_drift(lab, daemon):
    idle = lab.load("idle", vip(4), flows=30, interval=50)
    idle.wait_answered(30)
    wait_for(lambda: daemon.pool("blue")["flows_active"] == 30, 10, "30 flows are seen")
    assert_clean(lab.load("new", vip(4), total=1000, flows=20).result(), 1000)
    wait_for(lambda: daemon.open_flows("web/blue") == 30, 10, "closed flows are gone")
    wait_for(lambda: daemon.pool("blue")["flows_active"] == 30, 10, "the walk saw it")
    assert_clean(idle.stop())
    wait_for(lambda: daemon.pool("blue")["flows_active"] == 0, 10, "all are gone")


def test_health_moves_traffic(lab, daemon):
    load = lab.load("idle", vip(4), flows=20, interval=50)
    load.wait_answered(20)
    where = lab.backend("blue0").endpoints()[0]
    lab.backend("blue0").server.proc.kill9()
    wait_for(lambda: daemon.backends()[where]["health"] == "down", 10, "blue0 is down")
    assert daemon.backends()[where]["last_error"]
    result = lab.load("new", vip(4), total=100, flows=5).result()
    assert_clean(result, 100)
    assert {b["backend"] for b in result["backends"]} == {"blue1"}
    load.stop()


def test_http_health(lab):
    health = lab.quick_health(type="http", path="/health", rise=2, expect="200")
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(health=health)})).wait_healthy()
    backend = lab.backend("blue0")
    where = backend.endpoints()[0]
    for status in (503, 0):
        backend.server.health(status)
        wait_for(lambda: daemon.backends()[where]["health"] == "down", 10, f"{status} is bad")
        assert_clean(lab.load("new", vip(4), total=100, flows=5).result(), 100)
        backend.server.health(200)
        wait_for(lambda: daemon.backends()[where]["health"] == "up", 10, "200 is good")


def test_panic_ignores_health(lab, daemon):
    """When all of live is down nobody is refused by zdd itself: packets still go there."""
    kill_pool(lab, daemon, "blue")
    assert daemon.get()["panic"] is True
    load = lab.load("new", vip(4), flows=5, timeout=500)
    wait_for(lambda: load.running_well()["failures"]["refused"] > 5, 10, "the backends' own refusals")
    load.stop()


def test_history_says_who_and_why(daemon):
    daemon.flip("web=green", "-m", "new version", "--by", "alice")
    daemon.ctl("undo", "web", "-m", "too slow")
    last = sorted(daemon.history(), key=lambda r: r["number"])[-2:]
    assert [r["why"] for r in last] == ["new version", "too slow"]
    assert "alice" in last[0]["who"]
    assert (last[0]["from"], last[0]["to"]) == ("blue", "green")


def test_apply_moves_no_traffic(lab, daemon):
    daemon.flip("web=green")
    path = daemon.write(lab.config("tc", {"web": lab.service(live="blue", panic="30%")}))
    daemon.ctl("plan", "-f", path, expect=EXIT["changes"])
    daemon.ctl("apply", "-f", path)
    assert daemon.get()["live"] == "green"
    assert live_of(lab) == {"green"}
    daemon.ctl("plan", "-f", path, expect=0)


def test_backends_come_and_go(lab, daemon):
    idle = lab.load("idle", vip(4), flows=30, interval=50)
    idle.wait_answered(30)
    where = lab.backend("blue1").endpoints()[0]
    daemon.ctl("backend", "del", f"web/blue/{where}")
    assert where not in daemon.backends()
    daemon.ctl("backend", "add", f"web/blue/{where}")
    wait_for(lambda: daemon.backends()[where]["health"] == "up", 10, "it is back")
    idle.wait_requests(100)
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 30


def test_save_and_restore(lab, daemon, tmp_path):
    daemon.ctl("set", "share", "web", "green=25%")
    saved = tmp_path / "saved"
    saved.write_text(daemon.ctl("save", text=True).stdout)
    daemon.flip("web=green")
    daemon.ctl("restore", "-f", saved)
    assert (daemon.get()["live"], daemon.pool("green")["share"]) == ("blue", 25)


def test_verdicts_add_up(lab, daemon):
    """What the kernel counted on the interfaces is what the verdicts say."""
    before = sum(v["count"] for v in daemon.counters().values())
    counted = {i: lab.node.counters(i)["rx_packets"] for i in lab.interfaces()}
    assert_clean(lab.load("new", vip(4), total=2000, flows=20).result(), 2000)
    after = sum(v["count"] for v in daemon.counters().values())
    frames = sum(lab.node.counters(i)["rx_packets"] - n for i, n in counted.items())
    assert after - before >= 2000 * 8
    assert daemon.surprises() == {}
    assert after - before >= 0.95 * frames, (after - before, frames)


def test_no_daemon_is_exit_5(daemon):
    daemon.ctl("ls", expect=EXIT["no_daemon"], at_socket=daemon.socket + ".no")
    daemon.stop()
    answer = daemon.ctl("ls", expect=EXIT["no_daemon"])
    assert len(answer.stderr.strip().splitlines()) == 1
