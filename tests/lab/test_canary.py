# SPDX-License-Identifier: BSD-2-Clause
"""Canaries with real servers and real load: promoted by evidence, taken back by evidence, by guard, breaker and lease."""
import json
import os
import time

import pytest

from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import wait_for

RATE = 400
FAST = {"strategy": "canary", "steps": ["25%", "50%", "100%"], "bake": "2s", "lease": "20s",
        "each": {"min": "1s", "max": "5m", "until": "evidence", "connections": 50},
        "judge": {"slo": "5%", "beta": "10%", "margin": 4}}
ENDS = ("stable", "aborted", "superseded", "rolled_back", "failed_safe", "paused", "inconclusive")


@pytest.fixture
def town(make_lab):
    """blue live, green the candidate; how to start a daemon with these rollout settings, and clients."""
    lab = make_lab(pools={"blue": 1, "green": 1})
    lab.start_backends()

    class Town:
        pass

    t = Town()
    t.lab = lab

    def start(rollout=None, attach="tc", **more):
        t.service = lab.service(families=(4,), rollout={**FAST, **(rollout or {})}, **more)
        t.config = lab.config(attach, {"web": t.service})
        t.zdd = lab.daemon(t.config)
        return t.zdd if more.get("health") else t.zdd.wait_healthy()

    def visit(**options):
        load = lab.load("new", vip(4), **{"flows": 60, "sources": 20_000, "rate": RATE, "timeout": 3000, **options})
        load.wait_requests(RATE // 4)
        return load

    t.start, t.visit = start, visit
    t.mood = lambda pool, **words: lab.backend(f"{pool}0").server.mood(**words)
    return t


def rollout(daemon):
    return daemon.get()["rollout"]


def wait_state(daemon, *states, timeout=60):
    """The rollout, once it is in one of them; in another that is an end it fails at once."""
    def there():
        now = rollout(daemon)
        assert now["state"] in states or now["state"] not in ENDS, (now["state"], now["why"])
        return now["state"] in states and now

    return wait_for(there, timeout, lambda: f"the rollout is {' or '.join(states)}; {rollout(daemon)}")


def wait_watched(daemon, ms):
    """It goes on, for so long."""
    least = wait_state(daemon, "watching")["watched_ms"] + ms
    wait_for(lambda: wait_state(daemon, "watching")["watched_ms"] >= least, 30, lambda: rollout(daemon))


def shares(daemon):
    return {p["name"]: p["share"] for p in daemon.get()["pools"]}


def test_a_good_canary_is_promoted_step_by_step(town):
    zdd = town.start()
    load = town.visit()
    zdd.ctl("canary", "web=green", "--no-wait")
    assert wait_state(zdd, "watching")["share"] == 25
    assert wait_state(zdd, "stable", timeout=120)["exit"] == 0
    assert shares(zdd) == {"blue": 0, "green": 100}
    assert_clean(load.stop(), RATE)
    release = zdd.history()[0]
    assert (release["kind"], release["result"]) == ("canary", "stable"), release
    words = [e["text"].split(":")[0] for e in zdd.ctl("events")["events"] if e["kind"] == "rollout"]
    assert words == ["gate", "shifting", "watching", "shifting", "watching", "promoted", "bake", "stable"], words
    # What the judge saw stands in a file from which it judges the same again.
    counts = os.path.join(zdd.state_dir, "counts", f"{release['number']}.jsonl")
    assert zdd.ctl("judge", counts, expect=(0, 15))["passed"], "the same steps passed"


@pytest.mark.parametrize("what,mood", [("reset", {"reset": 0.2}), ("empty", {"empty": 0.2}),
                                       ("slow", {"delay": 100}), ("5xx", {"status": 0.2})])
def test_a_bad_canary_is_taken_back(town, what, mood):
    zdd = town.start(signals={"http": True})
    town.mood("green", **mood)
    load = town.visit(http=1)
    answer = zdd.ctl("canary", "web=green", "--timeout", "60s", expect=11)
    end = rollout(zdd)
    assert end["state"] == "rolled_back" and answer.code == end["exit"], end
    # A connection that fails counts for the breaker too, which may be faster than the judge's next second.
    assert what in end["why"] or (what in ("reset", "empty") and "breaker" in end["why"]), end["why"]
    assert shares(zdd) == {"blue": 100, "green": 0}
    before = town.lab.backend("green0").server
    load.wait_requests(RATE)
    was = len(list(before.rows()))
    load.wait_requests(RATE)
    assert len(list(before.rows())) == was, "nobody new comes to the bad one"
    load.stop()


def test_a_canary_that_refuses_is_taken_back_by_the_breaker(town):
    zdd = town.start(retry="off", passive={"failures": 1000}, health={"type": "none"})
    load = town.visit()
    zdd.ctl("canary", "web=green", "--no-wait")
    wait_state(zdd, "watching")
    limit = rollout(zdd)["breaker"]["limit"]
    town.lab.backend("green0").server.proc.kill9()
    end = wait_state(zdd, "rolled_back")
    assert "breaker" in end["why"] or "refused" in end["why"], end
    failures = load.stop()["failures"]
    assert failures["refused"] <= limit + 1, (failures, limit)


def test_the_breaker_needs_no_daemon(town):
    zdd = town.start(retry="off", passive={"failures": 1000}, health={"type": "none"}, rollout={"lease": "60s"})
    load = town.visit()
    zdd.ctl("canary", "web=green", "--no-wait")
    wait_state(zdd, "watching")
    limit = rollout(zdd)["breaker"]
    zdd.kill9()
    town.lab.backend("green0").server.proc.kill9()
    load.wait_requests(4 * RATE)
    seen = load.status()["failures"]
    # Those that were open when it died failed too, and may have been enough.
    assert sum(seen.values()) and seen["refused"] <= limit["limit"] - limit["failed"] + 1, (seen, limit)
    load.wait_requests(2 * RATE)
    assert load.status()["failures"] == seen, "live has all of it"
    zdd.start()
    end = wait_state(zdd, "rolled_back")
    assert "breaker" in end["why"], end
    assert shares(zdd) == {"blue": 100, "green": 0}
    load.stop()


def test_the_lease_runs_out_without_a_daemon(town):
    zdd = town.start(rollout={"lease": "5s"})
    load = town.visit()
    zdd.ctl("canary", "web=green", "--no-wait")
    wait_state(zdd, "watching")
    zdd.kill9()
    died = time.monotonic()
    server = town.lab.backend("green0").server

    def newcomers():
        return len(list(server.rows()))

    def quiet():
        was = newcomers()
        load.wait_requests(RATE // 2)
        return newcomers() == was

    wait_for(quiet, 15, "nobody new comes to green")
    assert 3 < time.monotonic() - died < 10
    zdd.start()
    end = wait_state(zdd, "rolled_back")
    assert "lease" in end["why"] and end["exit"] == 11, end
    assert_clean(load.stop(), RATE)


def test_kill9_in_a_step_resumes_it(town):
    zdd = town.start(rollout={"each": {"min": "4s", "max": "5m", "until": "evidence", "connections": 50}})
    load = town.visit()
    zdd.ctl("canary", "web=green", "--no-wait")
    began = wait_state(zdd, "watching")
    for _ in range(3):
        zdd.kill9()
        zdd.start()
        now = rollout(zdd)
        assert now["number"] == began["number"] and now["state"] in ("watching", "shifting"), now
    wait_state(zdd, "stable", timeout=120)
    assert_clean(load.stop(), RATE)
    assert [r["result"] for r in zdd.history() if r["kind"] == "canary"] == ["stable"]


def test_people_pause_resume_promote_and_abort(town):
    zdd = town.start(rollout={"each": {"min": "1s", "until": "person"}})
    load = town.visit()
    assert zdd.ctl("canary", "web=green", "--timeout", "30s", expect=13)
    assert rollout(zdd)["state"] == "waiting" and shares(zdd)["green"] == 25
    zdd.ctl("pause", "web", "-m", "lunch")
    assert "lunch" in rollout(zdd)["why"]
    zdd.ctl("resume", "web")
    zdd.ctl("promote", "web", "--no-wait")
    wait_for(lambda: rollout(zdd)["step"] == 2 and rollout(zdd)["state"] == "waiting", 20, "step 2")
    assert shares(zdd)["green"] == 50
    zdd.ctl("abort", "web", "-m", "enough", expect=(0, 12))
    assert shares(zdd) == {"blue": 100, "green": 0} and rollout(zdd)["state"] == "aborted"
    assert zdd.ctl("promote", "web", expect=4).code == 4
    assert_clean(load.stop(), RATE)


def test_a_pause_by_the_judge_is_over_when_a_person_says_so(town):
    """Both versions are over a guard, so to go back would mend nothing. A restart does not ask again."""
    zdd = town.start(signals={"http": True}, rollout={"guards": ["5xx > 20 % over 5s for 1s"]})
    for pool in ("blue", "green"):
        town.mood(pool, status=0.5)
    load = town.visit(http=1)
    answer = zdd.ctl("canary", "web=green", "--timeout", "60s", expect=13)
    assert "both over the guard" in answer["progress"]["why"], answer["progress"]
    zdd.ctl("resume", "web", "-m", "known")
    wait_watched(zdd, 3000)
    zdd.restart()
    wait_watched(zdd, 3000)
    for pool in ("blue", "green"):
        town.mood(pool, status=0)
    assert wait_state(zdd, "stable", timeout=120)["exit"] == 0
    failures = load.stop()["failures"]
    assert failures["status"] and not sum(n for kind, n in failures.items() if kind != "status"), failures


def test_low_traffic_ends_inconclusive_and_says_how_much_longer(town):
    zdd = town.start(rollout={"steps": ["5%", "100%"], "judge": {"slo": "0.5%"},
                              "each": {"min": "1s", "max": "15s", "until": "evidence", "connections": 1}})
    load = town.visit(rate=60)
    zdd.ctl("canary", "web=green", "--timeout", "60s", expect=14)
    end = rollout(zdd)
    assert end["state"] == "inconclusive" and "more at this traffic" in end["why"], end
    assert shares(zdd)["green"] == 5, "it waits for a person"
    load.stop()


def test_the_counts_are_those_of_the_clients(town):
    """What the judge is told adds up to what happened."""
    zdd = town.start(rollout={"each": {"min": "60s", "until": "time"}})
    load = town.visit(log=True)
    zdd.ctl("canary", "web=green", "--no-wait")
    wait_state(zdd, "watching")
    load.wait_requests(5 * RATE)
    result = load.stop()
    time_of_last = rollout(zdd)["watched_ms"]
    wait_for(lambda: rollout(zdd)["watched_ms"] > time_of_last + 2500, 15, "two ticks more")
    zdd.ctl("abort", "web", expect=(0, 12))
    number = rollout(zdd)["number"]
    with open(os.path.join(zdd.state_dir, "counts", f"{number}.jsonl"), encoding="ascii") as file:
        lines = [json.loads(line) for line in file][1:]
    told = {side: sum(line["counts"].get("empty", {}).get(side, {"n": 0})["n"] for line in lines)
            for side in ("canary", "live")}
    came = pools_of(result)
    assert came["green"] * 0.98 <= told["canary"] <= came["green"], (told, came)
