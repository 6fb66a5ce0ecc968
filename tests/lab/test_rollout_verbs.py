# SPDX-License-Identifier: BSD-2-Clause
"""Rollouts as the daemon takes them: their releases, what a restart finds, locks, and what is in the
way. The candidate is one that never comes up, so that all of them stay in staging."""
import pytest

from lablib.daemon import EXIT
from lablib.proc import run

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
