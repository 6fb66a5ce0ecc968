# SPDX-License-Identifier: BSD-2-Clause
"""Rollouts as people begin and end them: their releases, what a restart finds, locks, and what is in
the way. A candidate that never comes up keeps them in staging."""
import pytest

from lablib.daemon import EXIT
from lablib.proc import run, wait_for

DEAD = {4: "10.66.2.250:8080", 6: "[fd00:66::250]:8080"}


@pytest.fixture
def daemon(lab):
    service = lab.service(families=(4,), rollout={"staging_timeout": "1h", "on_conflict": "queue"})
    service["pools"]["dead"] = [DEAD[4]]
    other = lab.service(families=(4,), listen=["203.0.113.77:99/tcp"])
    return lab.daemon(lab.config("tc", {"web": service, "more": other}))


def releases(daemon):
    """{number: (kind, result)}"""
    return {r["number"]: (r["kind"], r["result"]) for r in daemon.history()}


def begin(daemon, *more):
    return daemon.ctl("canary", "web=dead", "--no-wait", *more).data["rollout"]


def test_a_release_ends_with_its_rollout(daemon):
    number = begin(daemon, "-m", "v43")
    now = daemon.get()
    assert now["rollout"]["number"] == number
    assert (now["rollout"]["state"], now["rollout"]["candidate"], now["rollout"]["share"]) == ("staging", "dead", 0)
    assert now["live"] == "blue" and now["pools"][0]["share"] == 100
    assert releases(daemon)[number] == ("canary", None)
    answer = daemon.ctl("abort", "web").data
    assert answer["rollout"] == number
    assert releases(daemon)[number] == ("canary", "aborted")
    assert (daemon.get()["rollout"]["state"], daemon.get()["rollout"]["exit"]) == ("aborted", EXIT["aborted"])


@pytest.mark.parametrize("how", ["kill9", "stop"])
def test_a_restart_takes_it_up_again(daemon, how):
    number = begin(daemon)
    waits = begin(daemon)
    daemon.ctl("lock", "web", "-m", "payday")
    before = daemon.get()
    getattr(daemon, how)()
    daemon.start()
    after = daemon.get()
    for key in ("number", "strategy", "state", "candidate", "previous", "steps", "began", "who"):
        assert after["rollout"][key] == before["rollout"][key], key
    assert after["rollout"]["queued"] == before["rollout"]["queued"] != None  # noqa: E711
    assert after["locked"] == before["locked"]
    assert releases(daemon)[number] == releases(daemon)[waits] == ("canary", None)


def test_a_lost_pool_ends_it(lab, daemon):
    number = begin(daemon)
    daemon.kill9()
    daemon.write(lab.config("tc", {"web": lab.service(families=(4,))}))
    daemon.start()
    assert daemon.get()["rollout"] is None
    assert releases(daemon)[number] == ("canary", "interrupted")
    said = [e["text"] for e in daemon.ctl("events").data["events"] if e["kind"] == "start"]
    assert any("'dead' is gone" in text for text in said), said


def test_what_is_in_the_way(daemon):
    number = begin(daemon)
    for verb in (["flip", "web=green"], ["set", "share", "web", "green=5%"], ["undo", "web"],
                 ["backend", "del", f"web/dead/{DEAD[4]}"]):
        refused = daemon.ctl(*verb, expect=EXIT["refused"])
        assert "abort it first" in refused.data["text"], refused.data
    waits = begin(daemon)
    daemon.ctl("canary", "web=dead", "--no-wait", expect=EXIT["refused"])
    daemon.ctl("drain", f"web/dead/{DEAD[4]}")
    daemon.ctl("abort", "web")
    assert releases(daemon)[number] == ("canary", "aborted")
    assert releases(daemon)[waits] == ("canary", None)


def test_a_locked_service_is_its_owners(daemon):
    daemon.ctl("lock", "web", "-m", "payday", "--by", "anna")
    locked = daemon.get()["locked"]
    assert locked["who"].startswith("anna") and locked["why"] == "payday"
    for verb in (["flip", "web=green"], ["drain", "web/green"], ["lock", "web"], ["unlock", "web"],
                 ["canary", "web=green", "--no-wait"]):
        refused = daemon.ctl(*verb, expect=EXIT["refused"])
        assert "payday" in refused.data["text"], refused.data
    daemon.ctl("hold", "more")
    daemon.ctl("flip", "web=green", "--force", "--by", "anna")
    daemon.ctl("unlock", "web", "--force")
    assert daemon.get()["locked"] is None
    daemon.ctl("flip", "web=blue", "--force")


def test_a_dry_run_begins_nothing(daemon):
    said = daemon.ctl("canary", "web=dead", "--dry-run").data
    assert said["rollout"] is None and any("step 1 of 4: dead 5 %" in c for c in said["changes"])
    assert daemon.get()["rollout"] is None
    assert not releases(daemon)


def test_what_is_saved_brings_no_rollout_back(lab, daemon):
    begin(daemon)
    saved = run(["curl", "-sf", "--unix-socket", daemon.socket, "http://zdd/v1/config"]).stdout
    assert '"rollout": {"state"' not in saved and "staging_timeout" in saved
    daemon.ctl("abort", "web")


# --- with traffic moved

def shares(daemon):
    return {p["name"]: p["share"] for p in daemon.get()["pools"]}


def state(daemon):
    return daemon.get()["rollout"]["state"]


def reaches(daemon, word, number=None):
    wait_for(lambda: state(daemon) == word and number in (None, daemon.get()["rollout"]["number"]), 20,
             f"the rollout is {word}")


@pytest.fixture
def moving(lab):
    """A function: a daemon whose rollouts end each step by a person, with other keys of `rollout`."""
    def make(**rollout):
        each = {"min": "10ms", "until": "person"}
        service = lab.service(families=(4,), rollout={"each": each, "bake": "1h", **rollout})
        service["pools"]["spare"] = []
        return lab.daemon(lab.config("tc", {"web": service})).wait_healthy()
    return make


def test_abort_has_moved_traffic_when_it_returns(moving):
    daemon = moving()
    number = daemon.ctl("canary", "web=green", expect=EXIT["waiting"]).data["rollout"]
    assert shares(daemon) == {"blue": 95, "green": 5, "spare": 0}
    # Its share is in force then (0); the step may be over, and wait for a person, before anyone looks (13).
    daemon.ctl("promote", "web", expect=(0, EXIT["waiting"]))
    assert shares(daemon)["green"] == 25
    answer = daemon.ctl("abort", "web", "-m", "slow").data
    assert shares(daemon) == {"blue": 100, "green": 0, "spare": 0}
    assert answer["moved"] == [{"service": "web", "text": "web: blue is live"}]
    assert releases(daemon)[number] == ("canary", "aborted")
    assert daemon.get()["rollout"]["why"].endswith("slow")


def test_undo_of_a_promoted_one(moving):
    daemon = moving()
    daemon.ctl("canary", "web=green", "--steps", "100")
    number = daemon.get()["rollout"]["number"]
    assert (daemon.get()["live"], daemon.get()["stable"]) == ("green", "blue")
    daemon.ctl("abort", "web", expect=EXIT["refused"])
    daemon.ctl("undo", "web")
    assert daemon.get()["live"] == "blue" and shares(daemon)["blue"] == 100
    assert state(daemon) == "rolled_back"
    assert releases(daemon)[number] == ("canary", "rolled_back")
    daemon.ctl("undo", "web", expect=EXIT["refused"])


def test_another_takes_its_place(moving):
    daemon = moving(on_conflict="supersede")
    first = daemon.ctl("canary", "web=green", expect=EXIT["waiting"]).data["rollout"]
    daemon.ctl("experiment", "web", "green=12.5%")
    assert shares(daemon) == {"blue": 87.5, "green": 12.5, "spare": 0}
    now = daemon.get()["rollout"]
    assert (now["strategy"], now["number"] > first) == ("experiment", True)
    assert releases(daemon)[first] == ("canary", "superseded")
    assert releases(daemon)[now["number"]] == ("experiment", None)


def test_what_waits_begins_when_the_other_is_over(moving):
    daemon = moving(on_conflict="queue")
    daemon.ctl("canary", "web=green", expect=EXIT["waiting"])
    number = daemon.ctl("canary", "web=green", "--steps", "40", "--no-wait").data["rollout"]
    daemon.ctl("abort", "web")
    reaches(daemon, "waiting", number)
    assert shares(daemon) == {"blue": 60, "green": 40, "spare": 0}


def test_deploy_fills_the_empty_pool(lab, moving):
    daemon = moving(bake="100ms")
    address = lab.backend("green0").endpoints((4,))[0]
    daemon.ctl("deploy", f"web={address}", expect=0)
    reaches(daemon, "stable")
    now = daemon.get()
    assert (now["live"], now["stable"]) == ("spare", "spare")
    assert [b["address"] for b in daemon.pool("spare")["backends"]] == [address]
    number = now["rollout"]["number"]
    assert releases(daemon) == {number: ("deploy", "stable")}
    kill9_and_back(daemon)
    assert [b["address"] for b in daemon.pool("spare")["backends"]] == [address]
    assert daemon.get()["live"] == "spare"


def kill9_and_back(daemon):
    daemon.kill9()
    daemon.start()


def test_a_flip_that_is_a_rollout(moving):
    daemon = moving(strategy="flip")
    daemon.ctl("flip", "web=green")
    assert daemon.get()["rollout"]["strategy"] == "flip"
    assert state(daemon) in ("promoted", "bake")
    kill9_and_back(daemon)
    assert state(daemon) in ("promoted", "bake") and daemon.get()["live"] == "green"
    daemon.ctl("flip", "web=blue", expect=EXIT["refused"])
    daemon.ctl("undo", "web")
    assert daemon.get()["live"] == "blue"
    daemon.ctl("flip", "web=green", "--force")
    assert daemon.get()["rollout"]["state"] == "rolled_back" and daemon.get()["live"] == "green"
