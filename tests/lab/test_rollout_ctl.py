# SPDX-License-Identifier: BSD-2-Clause
"""zddctl and rollouts, with a running zddd: every end and its exit code, progress, the live tree, and what
they add up to. That evidence decides rightly is test_canary.py's."""
import json
import subprocess
import threading

import pytest

from lablib import schema
from lablib.ctl import ZDDCTL
from lablib.daemon import EXIT
from lablib.lab import vip
from lablib.peers import assert_clean
from lablib.proc import wait_for

STEP = {"min": "600ms", "until": "time"}


@pytest.fixture
def begin(make_lab):
    """begin(rollout settings, ...): a daemon of a lab with one backend in blue, which is live, and in green."""
    lab = make_lab(pools={"blue": 1, "green": 1})
    lab.start_backends()

    def start(rollout, **service):
        rollout = {"steps": ["25%", "50%", "100%"], "each": STEP, "bake": "1s", "judge": "off", **rollout}
        daemon = lab.daemon(lab.config("tc", {"web": lab.service(families=(4,), rollout=rollout, **service)}))
        return daemon.wait_healthy()

    start.lab = lab
    return start


def ended(daemon, *args, code=0):
    """The rollout as zddctl saw it last; its answer and the service's hold to their schemas."""
    answer = daemon.ctl(*args, expect=code)
    schema.check(answer.data, "change.json")
    schema.check(daemon.get(), "service.json")
    assert answer["exit"] == code
    return answer["progress"], answer


def shares(daemon):
    return {p["name"]: p["share"] for p in daemon.get()["pools"]}


def in_state(daemon, *states):
    return wait_for(lambda: (r := daemon.get()["rollout"]) and r["state"] in states and r, 20, f"it is {states}")


# --- ends

def test_promoted(begin):
    daemon = begin({})
    load = begin.lab.load("new", vip(4), flows=10, sources=1000, rate=100)
    rollout, answer = ended(daemon, "canary", "web=green")
    assert rollout["state"] in ("bake", "stable") and shares(daemon) == {"blue": 0, "green": 100}
    told = [line.split(": ", 2)[-1] for line in answer.stderr.splitlines()]
    steps = [t for t in told if t.startswith("step")]
    assert "step 1 of 3: 25 %, watching" in steps and "step 2 of 3: 50 %, watching" in steps, told
    assert len(told) == len(set(told)), "each is told once"
    assert daemon.ctl("status", "web", "--until", "stable")["rollout"]["state"] == "stable"
    assert_clean(load.stop(), 50)
    daemon.ctl("flip", "web=blue")
    stats = daemon.ctl("history", "web", "--stats").data
    schema.check(stats, "look.json#/$defs/history --stats")
    assert (stats["deployments"], stats["promoted"], stats["time_to_promote"]["n"]) == (2, 2, 2), stats
    release = next(r for r in daemon.history() if r["kind"] == "canary")
    assert release["started"] < release["promoted"] < release["ended"], release


def test_failed_safe(begin):
    begin.lab.backend("green0").server.proc.kill9()
    lab = begin.lab
    rollout = {"staging_timeout": "1s", "bake": "0s"}
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(families=(4,), rollout=rollout)}))
    wait_for(lambda: daemon.pool("green")["backends"][0]["health"] == "down", 10, "green is down")
    ended(daemon, "canary", "web=green", code=EXIT["failed_safe"])
    assert shares(daemon) == {"blue": 100, "green": 0}


def test_rolled_back(begin):
    daemon = begin({"each": {"min": "60s", "until": "time"}, "judge": {}})
    load = begin.lab.load("new", vip(4), flows=10, sources=1000, rate=100)
    waiting = subprocess.Popen([ZDDCTL, "--socket", daemon.socket, "canary", "web=green", "-o", "json"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    in_state(daemon, "watching")
    begin.lab.backend("green0").server.proc.kill9()
    answer = json.loads(waiting.communicate(timeout=30)[0])
    assert (waiting.returncode, answer["result"]) == (11, "rolled_back"), answer
    assert shares(daemon) == {"blue": 100, "green": 0}
    text = daemon.ctl("get", "web", text=True).stdout
    assert "! web: canary to green" in text and "rolled back since" in text
    stats = daemon.ctl("history", "web", "--stats").data
    assert (stats["rolled_back"], stats["time_to_recover"]["n"]) == (1, 1), stats
    release = daemon.history()[0]
    assert release["started"] < release["trouble"] <= release["ended"], release
    assert stats["failed_connections"] == release["failed"] > 0
    load.stop()
    assert daemon.ctl("status", "web", "--until", "promoted", expect=11).code == 11


def test_aborted_by_another(begin):
    daemon = begin({"each": {"min": "60s", "until": "time"}})
    waiting = subprocess.Popen([ZDDCTL, "--socket", daemon.socket, "canary", "web=green"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    in_state(daemon, "watching")
    daemon.ctl("abort", "web", "-m", "not today")
    assert "aborted: by " in waiting.communicate(timeout=30)[0].replace("\n", " ")
    assert waiting.returncode == 12
    assert shares(daemon) == {"blue": 100, "green": 0}


def test_waiting_then_promoted_by_hand(begin):
    daemon = begin({"each": {"min": "100ms", "until": "person"}})
    rollout, _ = ended(daemon, "canary", "web=green", code=EXIT["waiting"])
    assert (rollout["state"], rollout["step"]) == ("waiting", 1)
    rollout, _ = ended(daemon, "promote", "web")
    assert (rollout["step"], shares(daemon)["green"]) == (2, 50)
    in_state(daemon, "waiting")
    daemon.ctl("pause", "web", "-m", "lunch")
    text = daemon.ctl("get", "web", text=True).stdout.replace("\n ", "")
    assert "step 2 of 3: 50 %, paused" in text and "lunch" in text
    daemon.ctl("resume", "web")
    ended(daemon, "promote", "web", "--full")
    assert shares(daemon) == {"blue": 0, "green": 100}


def test_inconclusive(begin):
    daemon = begin({"judge": {}, "each": {"min": "500ms", "max": "2s", "until": "evidence"}})
    rollout, _ = ended(daemon, "canary", "web=green", code=EXIT["inconclusive"])
    assert rollout["judge"] and shares(daemon)["green"] == 25
    text = daemon.ctl("get", "web", text=True).stdout
    assert "inconclusive" in text and "SIGNAL" in text, text


def test_the_time_is_up(begin):
    daemon = begin({})
    answer = daemon.ctl("canary", "web=green", "--each", "1m", "--timeout", "1s", expect=EXIT["timeout"])
    assert answer["result"] == "timeout" and "still going" in answer["text"]
    assert in_state(daemon, "watching")["share"] == 25


def test_a_step_that_ends_by_hook_is_waited_for(begin):
    daemon = begin({"hooks": {"gate": ["/bin/sleep", "1"], "timeout": "20s"}})
    ended(daemon, "canary", "web=green", "--steps", "50,100", "--each", "100ms", "--step-until", "hook")
    assert shares(daemon) == {"blue": 0, "green": 100}


# --- the other ways to begin

def test_experiment_returns_when_it_is_in_force(begin):
    daemon = begin({})
    rollout, _ = ended(daemon, "experiment", "web", "green=12.5%")
    assert rollout["state"] == "watching" and shares(daemon) == {"blue": 87.5, "green": 12.5}
    daemon.ctl("promote", "web", expect=EXIT["refused"])
    daemon.ctl("abort", "web")
    assert shares(daemon) == {"blue": 100, "green": 0}


def test_experiment_waits_for_all_of_its_pools(make_lab):
    lab = make_lab(pools={"blue": 1, "green": 1, "red": 1}, families=(4,))
    lab.start_backends("blue", "green")
    rollout = {"staging_timeout": "2s", "judge": "off"}
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(families=(4,), rollout=rollout)}))
    wait_for(lambda: daemon.pool("green")["backends"][0]["health"] == "up", 15, "green is up")
    rollout, _ = ended(daemon, "experiment", "web", "green=10%", "red=10%", code=EXIT["failed_safe"])
    assert "web/red has no healthy" in rollout["why"], rollout
    assert shares(daemon) == {"blue": 100, "green": 0, "red": 0}


def test_a_flip_that_is_a_rollout(begin):
    daemon = begin({"strategy": "flip"})
    rollout, _ = ended(daemon, "flip", "web")
    assert rollout["strategy"] == "flip" and shares(daemon) == {"blue": 0, "green": 100}


def test_roll_in_place(make_lab, tmp_path):
    lab = make_lab(pools={"blue": 2})
    lab.start_backends()
    hook = tmp_path / "update"
    hook.write_text(f"#!/bin/sh\necho $ZDD_BACKEND >>{tmp_path}/updated\n")
    hook.chmod(0o755)
    rollout = {"strategy": "rolling", "hooks": {"update": [str(hook)]}, "each": STEP, "bake": "0s"}
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(families=(4,), rollout=rollout)})).wait_healthy()
    rollout, answer = ended(daemon, "roll", "web")
    assert rollout["strategy"] == "rolling", rollout
    assert sorted((tmp_path / "updated").read_text().split()) == sorted(daemon.backends())
    assert "backend 1 of 2: " in answer.stderr and "backend 2 of 2: " in answer.stderr, answer.stderr


def test_deploy_to_another_port(begin):
    daemon = begin({})
    where, port = begin.lab.backend("blue0").endpoints((4,))[0].rsplit(":", 1)
    server = begin.lab.backend("blue0").netns
    second = begin.lab.start(["python3", "-m", "http.server", str(int(port) + 1), "--bind", where], "second", server)
    rollout, _ = ended(daemon, "deploy", f"web=:{int(port) + 1}")
    assert rollout["candidate"] == "green" and f"{where}:{int(port) + 1}" in daemon.backends()
    assert shares(daemon) == {"blue": 0, "green": 100}
    assert second.running()


# --- beside it

def test_lock(begin):
    daemon = begin({})
    daemon.ctl("lock", "web", "-m", "freeze", "--by", "alice")
    assert daemon.get()["locked"]["why"] == "freeze"
    answer = daemon.ctl("canary", "web=green", expect=EXIT["refused"])
    assert "freeze" in answer["text"] and "alice" in answer["text"]
    assert "locked by alice" in daemon.ctl("get", "web", text=True).stdout
    daemon.ctl("unlock", "web", expect=EXIT["refused"])
    daemon.ctl("unlock", "web", "--force")
    ended(daemon, "canary", "web=green")


def test_dry_run_prints_steps_and_capacity(begin):
    daemon = begin({})
    before = daemon.get()
    text = daemon.ctl("canary", "web=green", "--dry-run", text=True).stdout.replace("\n ", "")
    assert "step 1 of 3: green 25 % (1 of 1 backends up), blue 75 %" in text, text
    assert (daemon.get()["revision"], daemon.get()["rollout"]) == (before["revision"], None)


def test_the_live_tree_off_a_terminal(begin):
    """One snapshot for each change, the service's own, valid in every state."""
    daemon = begin({})
    tree = subprocess.Popen([ZDDCTL, "--socket", daemon.socket, "get", "web", "-w", "-o", "jsonl"],
                            stdout=subprocess.PIPE, text=True)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(json.loads(line) for line in tree.stdout))
    reader.start()
    try:
        daemon.ctl("canary", "web=green")
        daemon.ctl("status", "web", "--until", "stable")
        wait_for(lambda: seen and (seen[-1]["rollout"] or {}).get("state") == "stable", 10, "it saw the end")
    finally:
        tree.kill()
        tree.wait()
        reader.join()
    for service in seen:
        schema.check(service, "service.json")
    assert {"watching", "bake", "stable"} <= {(s["rollout"] or {}).get("state") for s in seen}
    assert [s["rollout"]["share"] for s in seen if s["rollout"] and s["rollout"]["state"] == "watching"] == [25, 50]
