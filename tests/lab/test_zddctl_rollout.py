# SPDX-License-Identifier: BSD-2-Clause
"""zddctl alone about rollouts, against a peer: what it asks, how it waits, what people see of it. What
the daemon makes of it is test_rollout_ctl.py's."""
import json
import subprocess

import pytest

from lablib.api_peer import ANSWERS, NOT_FOUND
from lablib.ctl import ENVIRONMENT, ZDDCTL, ask, one_line, peer, zddctl  # noqa: F401 (a fixture)
from lablib.proc import wait_for

BEGUN = {"result": "reached", "exit": 0, "text": "shop: canary to green begins", "generation": 42, "revision": 8,
         "took_ms": 1, "changes": ["shop: 5 %, 25 %, 50 %, 100 % to green"], "moved": [], "staying": [],
         "verify": None, "rollout": 12}
ROLLOUT = {"number": 12, "title": "canary to green", "strategy": "canary", "state": "watching", "state_text": "watches the candidate with its share",
           "candidate": "green", "previous": "blue", "share": 25, "step": 2, "steps": [5, 25, 50, 100],
           "began": "2026-11-21T02:00:00.000Z", "since": "2026-11-21T02:10:00.000Z", "watched_ms": 200000,
           "left_ms": 400000, "who": "alice", "why": "", "hook": None, "lease_ms": None, "breaker": None,
           "judge": None, "batch": None, "queued": None, "result": "watching", "exit": 15}
JUDGE = {"service": "shop", "canary": "green", "live": "blue", "result": "watching", "why": "time",
         "text": "too early", "step": 2, "share": 25, "at_ms": 200000, "ticks": 20, "signal": None, "guard": None,
         "more_ms": 60000, "evidence": {"worse": 1.5, "worse_needed": 100.0, "late": 1.0, "late_needed": 1e6,
                                        "pass_needed": 100.0},
         "split": {"canary": 10, "live": 30, "evidence": 1.0},
         "signals": [{"name": "refused", "passes": False, "worse": 1.5, "late": 1.0, "ok": 33.25, "slo": None,
                      "tau_us": None,
                      "rollout": {"canary": {"n": 52, "bad": 14, "sources": None, "bad_sources": None},
                                  "live": {"n": 150, "bad": 3, "sources": None, "bad_sources": None}},
                      "step": {"canary": {"n": 52, "bad": 14, "sources": None, "bad_sources": None},
                               "live": {"n": 150, "bad": 3, "sources": None, "bad_sources": None}}}]}
EXITS = {"stable": 0, "bake": 0, "aborted": 12, "superseded": 12, "rolled_back": 11, "failed_safe": 10,
         "waiting": 13, "paused": 13, "inconclusive": 14}


def rollout(state, **more):
    return {**ROLLOUT, "state": state, "result": state, "exit": EXITS.get(state, 15), **more}


def shop(now, **more):
    return {**ANSWERS["/v1/services/shop"], "generation": 57, "revision": 9, "rollout": now, **more}


def goes_through(peer, *rollouts, begun=None):
    """The service shows each of them once, the last one from then on."""
    looks = list(rollouts)
    peer.answers["/v1/services/shop"] = lambda *_: (200, shop(looks.pop(0) if len(looks) > 1 else looks[0]))
    peer.changed = begun or dict(BEGUN)


# --- what is asked

ASKED = [
    (["canary", "shop=green"], "canary", {"service": "shop", "pool": "green"}),
    (["canary", "shop"], "canary", {"service": "shop"}),
    (["canary", "shop", "--steps", "5,25%,33.34,100", "--each", "10m", "--step-until", "evidence"], "canary",
     {"service": "shop", "steps": [5, 25, 33.34, 100], "each_ms": 600000, "until": "evidence"}),
    (["roll", "shop"], "roll", {"service": "shop"}),
    (["roll", "shop=green"], "roll", {"service": "shop", "pool": "green"}),
    (["deploy", "shop=:8081"], "deploy", {"service": "shop", "addresses": [":8081"]}),
    (["deploy", "shop=8081,10.0.0.1:80,[fd00::1]:80"], "deploy",
     {"service": "shop", "addresses": ["8081", "10.0.0.1:80", "[fd00::1]:80"]}),
    (["experiment", "shop", "green=10%", "red=12.5%"], "experiment",
     {"service": "shop", "shares": {"green": 10, "red": 12.5}}),
    (["promote", "shop"], "promote", {"service": "shop"}),
    (["promote", "shop", "--full"], "promote", {"service": "shop", "full": True}),
    (["pause", "shop", "-m", "lunch"], "pause", {"service": "shop", "why": "lunch"}),
    (["resume", "shop"], "resume", {"service": "shop"}),
    (["abort", "shop", "-m", "slow"], "abort", {"service": "shop", "why": "slow"}),
    (["lock", "shop", "-m", "freeze"], "lock", {"service": "shop", "why": "freeze"}),
    (["unlock", "shop", "--force"], "unlock", {"service": "shop", "force": True}),
]


@pytest.mark.parametrize("args,verb,body", ASKED, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_what_is_asked(peer, args, verb, body):
    ask(peer, *args)
    assert peer.requests == [("POST", f"/v1/{verb}", {**body, "timeout_ms": 30000})]


# --- how it waits

ENDS = [
    ("bake", {"why": "all new flows go to the candidate"}, 0, "bake: all new flows go to the candidate"),
    ("stable", {}, 0, "stable: watches"),
    ("rolled_back", {"why": "5xx"}, 11, "rolled back: 5xx"),
    ("failed_safe", {"why": "it did not come up"}, 10, "failed safe: it did not come up"),
    ("aborted", {"why": "by bob"}, 12, "aborted: by bob"),
    ("waiting", {"why": "a person has yet to promote it"}, 13, "waiting: a person"),
    ("paused", {"why": "by bob"}, 13, "paused: by bob"),
    ("inconclusive", {"why": "350 connections"}, 14, "inconclusive: 350 connections"),
]


@pytest.mark.parametrize("state,more,code,words", ENDS, ids=[e[0] for e in ENDS])
@pytest.mark.parametrize("command", [["canary", "shop=green"], ["roll", "shop"], ["deploy", "shop=:81"],
                                     ["flip", "shop"]], ids=lambda c: c[0])
def test_the_end_is_the_answer(peer, command, state, more, code, words):
    goes_through(peer, rollout(state, **more))
    text = ask(peer, *command, code=code).replace("\n", " ")
    assert f"shop: canary to green (release 12): {words}" in text and "(generation 57, " in text, text
    answer = json.loads(ask(peer, *command, "-o", "json", code=code))
    assert answer["exit"] == code and answer["progress"] == rollout(state, **more)
    assert (answer["generation"], answer["revision"], answer["rollout"]) == (57, 9, 12)


def test_progress_is_told_once_each(peer):
    goes_through(peer, rollout("staging", state_text="waits for health"),
                 rollout("staging", state_text="waits for health", watched_ms=5),
                 rollout("shifting", step=1, share=5), rollout("watching", step=1, share=5),
                 rollout("watching", step=1, share=5, watched_ms=300, left_ms=1, judge=JUDGE), rollout("watching"),
                 rollout("bake"))
    done = zddctl("--socket", peer.socket, "canary", "shop=green")
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "zddctl: shop: canary to green begins", "zddctl: shop: staging, waits for health",
        "zddctl: shop: step 1 of 4: 5 %, shifting", "zddctl: shop: step 1 of 4: 5 %, watching",
        "zddctl: shop: step 2 of 4: 25 %, watching"]
    assert done.stdout.count(b"\n") <= 2


def test_one_that_is_queued_waits_for_the_other(peer):
    other = rollout("watching", number=11, queued={"strategy": "canary", "candidate": "green", "who": "alice"})
    goes_through(peer, other, rollout("stable", number=11), rollout("staging"), rollout("bake"))
    done = zddctl("--socket", peer.socket, "canary", "shop=green")
    assert done.returncode == 0 and b"waits for release 11 to end" in done.stderr


@pytest.mark.parametrize("result,code", [("superseded", 12), ("stable", 0), ("rolled_back", 11)])
def test_how_it_ended_is_in_the_history_when_another_has_begun(peer, result, code):
    goes_through(peer, rollout("watching"), rollout("staging", number=13))
    peer.answers["/v1/services/shop/history"] = {"releases": [{"number": 13, "result": None},
                                                              {"number": 12, "result": result}]}
    text = ask(peer, "canary", "shop=green", code=code)
    assert text.startswith("shop: release 12 is over (") and "and release 13 begun" in text, text


def test_the_time_is_up(peer):
    goes_through(peer, rollout("watching"))
    done = zddctl("--socket", peer.socket, "canary", "shop=green", "--timeout", "300ms")
    assert (done.returncode, done.stdout) == (15, b"")
    assert b"canary to green (release 12) still going: step 2 of 4: 25 %, watching" in done.stderr
    answer = json.loads(ask(peer, "canary", "shop=green", "--timeout", "300ms", "-o", "json", code=15))
    assert (answer["exit"], answer["result"]) == (15, "timeout")


@pytest.mark.parametrize("command", [["experiment", "shop", "green=25%"], ["promote", "shop"]], ids=lambda c: c[0])
@pytest.mark.parametrize("state", ["watching", "waiting"])
def test_the_share_is_enough(peer, command, state):
    goes_through(peer, rollout("shifting"), rollout(state))
    assert f"step 2 of 4: 25 %, {state}" in ask(peer, *command)
    assert [m for m, _, _ in peer.requests].count("GET") == 2


@pytest.mark.parametrize("state,code", [("rolled_back", 11), ("paused", 13), ("inconclusive", 14), ("bake", 0)])
def test_what_came_of_promote(peer, state, code):
    goes_through(peer, rollout("shifting"), rollout(state))
    ask(peer, "promote", "shop", code=code)


def test_a_hook_is_no_person(peer):
    """A step that ends by hook waits for it, and the command with it."""
    goes_through(peer, rollout("waiting", exit=15), rollout("bake"))
    ask(peer, "canary", "shop=green")


@pytest.mark.parametrize("args", [["--no-wait"], ["--dry-run"]])
def test_not_waited_for(peer, args):
    goes_through(peer, rollout("watching"))
    assert "canary to green begins" in ask(peer, "canary", "shop=green", *args)
    assert [m for m, _, _ in peer.requests] == ["POST"]


def test_dry_run_prints_the_steps(peer):
    peer.changed = {**BEGUN, "changes": ["step 1: green 5 %, until evidence, about 12 minutes"], "text": "4 steps"}
    assert ask(peer, "canary", "shop=green", "--dry-run").startswith(
        "~ step 1: green 5 %, until evidence, about 12 minutes\n")


@pytest.mark.parametrize("command", ["pause", "resume", "abort", "lock", "unlock"])
def test_what_is_so_at_once_is_not_waited_for(peer, command):
    goes_through(peer, rollout("watching"))
    ask(peer, command, "shop")
    assert [m for m, _, _ in peer.requests] == ["POST"]


def test_a_refusal_is_one_line(peer):
    peer.answers["/v1/canary"] = lambda *_: (409, {"result": "refused", "exit": 4, "text": "shop is locked by bob"})
    done = zddctl("--socket", peer.socket, "canary", "shop=green")
    assert (done.returncode, one_line(done)) == (4, "zddctl: canary: shop is locked by bob\n")


def test_waiting_outlives_a_restart_of_the_daemon(peer):
    goes_through(peer, rollout("watching"))
    waiting = subprocess.Popen([ZDDCTL, "--socket", peer.socket, "canary", "shop=green"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENVIRONMENT)
    try:
        wait_for(lambda: len(peer.requests) > 2, 10, "it looks")
        peer.stop()
        assert b"not reachable" in b"".join(waiting.stderr.readline() for _ in range(3))
        goes_through(peer, rollout("bake"))
        peer.start()
        assert waiting.wait(10) == 0
    finally:
        waiting.kill()
        waiting.communicate()


# --- status --until

UNTIL = [("promoted", ["watching", "paused", "promoted", "bake"], 0), ("promoted", ["bake"], 0),
         ("promoted", ["watching", "rolled_back"], 11), ("rolled_back", ["watching", "rolled_back"], 0),
         ("stable", ["bake", "aborted"], 12), ("waiting", ["stable"], 1)]


@pytest.mark.parametrize("wanted,states,code", UNTIL)
def test_status_until(peer, wanted, states, code):
    goes_through(peer, *map(rollout, states))
    done = zddctl("--socket", peer.socket, "status", "shop", "--until", wanted)
    assert done.returncode == code, done
    if code:
        assert one_line(done) == (f"zddctl: status: shop will not be {wanted}: "
                                  f"release 12 is {states[-1].replace('_', ' ')}\n")


def test_status_until_without_a_rollout(peer):
    done = zddctl("--socket", peer.socket, "status", "shop", "--until", "promoted")
    assert done.returncode == 3 and "no rollout" in one_line(done)
    goes_through(peer, rollout("watching"))
    done = zddctl("--socket", peer.socket, "status", "shop", "--until", "promoted", "--timeout", "300ms")
    assert done.returncode == 15 and "shop is not promoted yet" in one_line(done)


# --- what people see

def words_of(text):
    return " ".join(text.split())


def test_get_shows_a_rollout(peer):
    goes_through(peer, rollout("watching", lease_ms=30000, breaker={"limit": 20, "failed": 3}, judge=JUDGE,
                               hook={"kind": "gate", "token": "12-2-gate"},
                               queued={"strategy": "canary", "candidate": "red", "who": "bob"}))
    peer.answers["/v1/services/shop"] = (lambda f: lambda *a: (
        200, {**f(*a)[1], "locked": {"who": "carol", "why": "freeze", "since": "2026-11-21T01:00:00.000Z"}}))(
            peer.answers["/v1/services/shop"])
    for args in (["get", "shop"], ["status", "shop"]):
        text = ask(peer, *args)
        assert max(map(len, text.splitlines())) <= 80
        text = words_of(text)
        for words in ("~ shop: canary to green (release 12): step 2 of 4: 25 %, watching for 3m20s, 6m40s left; "
                      "25% asked, - seen: watches the candidate with its share", "judge: too early", "hook gate runs (12-2-gate); lease 30s; breaker: 3 of 20 failed connections",
                      "queued behind it: canary of red, by bob", "refused 14/52 3/150 1.5 1 33.2",
                      "~ shop: locked by carol since 2026-11-21T01:00:00.000Z: freeze"):
            assert words in text, (words, text)
    wide = words_of(ask(peer, "get", "shop", "-o", "wide"))
    assert "begun by alice at 2026-11-21T02:00:00.000Z, in this state since 2026-11-21T02:10:00.000Z; " \
           "steps 5, 25, 50, 100 %" in wide


def test_of_all_services_only_the_line(peer):
    peer.answers["/v1/state"]["services"] = [shop(rollout("watching", judge=JUDGE))]
    text = ask(peer, "get")
    assert "canary to green (release 12)" in text and "14/52" not in text


def test_what_is_over_is_said_when_it_went_wrong(peer):
    goes_through(peer, rollout("rolled_back", why="5xx of green", judge=JUDGE))
    text = words_of(ask(peer, "get", "shop"))
    assert "! shop: canary to green (release 12): rolled back since 2026-11-21T02:10:00.000Z: 5xx of green" in text
    assert "14/52" not in text
    goes_through(peer, rollout("stable"))
    assert "canary" not in ask(peer, "get", "shop")
    assert "stable since" in words_of(ask(peer, "get", "shop", "-o", "wide"))


@pytest.mark.parametrize("broken", [{}, {"state": 1, "steps": 3, "judge": {}, "batch": {}, "hook": {}, "queued": {},
                                         "breaker": {}, "number": "x"}, {"steps": [None]}])
def test_missing_fields_are_no_crash(peer, broken):
    peer.answers["/v1/services/shop"] = shop(broken, locked={})
    for output in ("table", "wide", "json"):
        ask(peer, "get", "shop", "-o", output)


# --- history

HISTORY = [
    {"number": 3, "service": "shop", "kind": "undo", "from": "green", "to": "blue", "who": "root", "why": None,
     "started": "2026-11-21T02:59:00.000Z", "ended": "2026-11-21T03:00:00.000Z", "result": "reached", "generation": 44},
    {"number": 2, "service": "shop", "kind": "canary", "from": "blue", "to": "green", "who": "root", "why": None,
     "started": "2026-11-21T02:50:00.000Z", "ended": "2026-11-21T02:58:00.000Z", "result": "stable", "generation": 43,
     "failed": 4},
]
STATS = {"service": "shop", "deployments": 1, "promoted": 1, "rolled_back": 0, "failed_safe": 0, "aborted": 0,
         "undone": 1, "going_on": 0, "failed_connections": 4,
         "time_to_promote": {"n": 1, "mean_ms": 480000, "median_ms": 480000},
         "time_to_recover": {"n": 1, "mean_ms": 600000, "median_ms": 600000}}


def test_history_stats(peer):
    peer.answers["/v1/services/shop/history"] = {"releases": HISTORY}
    text = words_of(ask(peer, "history", "shop", "--stats"))
    assert "deployments 1 promoted 1 rolled back 0 undone 1" in text
    assert "failed connections 4 time to promote 8m0s on average, half of them within 8m0s" in text
    assert "time to recover 10m0s" in text
    for output in ("json", "jsonl"):
        assert json.loads(ask(peer, "history", "shop", "--stats", "-o", output)) == STATS
    peer.answers["/v1/services/shop/history"] = {"releases": []}
    assert words_of(ask(peer, "history", "shop", "--stats")).endswith("time to promote - time to recover -")
    peer.answers["/v1/services/shop/history"] = lambda *_: (404, NOT_FOUND)
    assert zddctl("--socket", peer.socket, "history", "shop", "--stats").returncode == 3
