# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 in each state of each strategy, with real servers and load: it resumes, does no step twice, runs
hooks once more at most, and no client notices. (Rolling in place: test_rolling.py.)

tests/peers/killer.c kills zddd at each change of its rollout that it stores: at the end of the state before,
all of whose effects are there, and again at the beginning of the next one, which has none yet."""
import collections
import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest

from lablib.daemon import EXIT
from lablib.lab import Backend, vip
from lablib.peers import Ledgerd, assert_clean, peer
from lablib.proc import wait_for

# Tells that it ran, with its token; "kill" in the directory: it kills zddd the first time.
HOOK = """#!/bin/sh
echo "$ZDD_HOOK $ZDD_TOKEN" >>{dir}/hooks
[ ! -e {dir}/kill ] || [ -e {dir}/killed-$ZDD_TOKEN ] || {{ >{dir}/killed-$ZDD_TOKEN; kill -9 $PPID; sleep 1000; }}
[ "$ZDD_HOOK" != start ] || [ ! -e {dir}/start ] || . {dir}/start
"""
START = "setsid {ledgerd} --name green --pool green --ledger {dir}/green.ledger --tcp 127.0.0.1:8081 " \
        "</dev/null >/dev/null 2>&1 & echo $! >>{dir}/pids\n"
TIMED = {"until": "time", "min": "300ms"}
OVER = ("stable", "aborted", "superseded", "rolled_back", "failed_safe")
RATE = 400


class Walk:
    """A service `web` with this rollout, hooks of all these kinds, load, and lives of zddd."""

    def __init__(self, lab, kinds, rollout, full=False, **more):
        self.lab, self.full = lab, full
        self.ended_ns = 1 << 62  # when a person first ended it
        with open(self.path("hook"), "w", encoding="ascii") as file:
            file.write(HOOK.format(dir=lab.directory))
        os.chmod(file.name, 0o755)
        hooks = {kind: [file.name] for kind in kinds}
        rollout = {"bake": "300ms", "staging_timeout": "5m", "lease": "60s", "hooks": hooks, **rollout}
        service = lab.service(listen=[f"{vip(4)}/tcp"], families=(4,), rollout=rollout, **more)
        self.zdd = lab.daemon(lab.config("tc", {"web": service}))
        wait_for(lambda: all(b["health"] == "up" for p in self.zdd.get()["pools"] if p["name"] != "dead"
                             for b in p["backends"]), 20, "all up")

    def path(self, name):
        return os.path.join(self.lab.directory, name)

    def lines(self, name):
        try:
            with open(self.path(name), encoding="ascii") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def visit(self, **options):
        self.load = self.lab.load("new", vip(4), log=True, **{"flows": 20, "sources": 200, "rate": RATE,
                                                              "timeout": 3000, **options})
        self.load.wait_requests(RATE // 2)

    def rollout(self):
        return self.zdd.get()["rollout"]

    def result_of(self, number):
        return next(r["result"] for r in self.zdd.history() if r["number"] == number)

    def shares(self):
        return {p["name"]: p["share"] for p in self.zdd.get()["pools"]}

    # --- killed at each change

    def live(self):
        """One life, to its end by the killer or that of the rollout."""
        every = ["ZDD_KILLER_ALL=1"] if self.full else []
        self.zdd.start(wait=False, under=["env", f"LD_PRELOAD={peer('killer.so')}",
                                          f"ZDD_KILLER={self.path('killer')}", *every])
        self.done = set()
        wait_for(lambda: not self.zdd.proc.running() or self.zdd.answering() and self.act() in OVER, 40,
                 lambda: f"killed once more; {self.lines('killer')}")

    def act(self):
        """The present state, once a person has done in it what is to be done."""
        answer = self.zdd.ctl("get", "web", expect=None)
        if answer.code:
            return None
        state = (answer["rollout"] or {"state": None})["state"]
        if state in self.verbs and state not in self.done:
            if state:
                self.ended_ns = min(self.ended_ns, time.monotonic_ns())
            self.zdd.ctl(*self.verbs[state], expect=None)
        self.done.add(state)
        return state

    def stored(self, table):
        """Only read: what zddd left there when it died is its own to mend."""
        with contextlib.closing(sqlite3.connect(f"file:{self.zdd.state_dir}/zdd.db?mode=ro", uri=True)) as db:
            return [json.loads(body) for body, in db.execute(f"SELECT body FROM {table}")]

    def assert_history_waits(self):
        """While zddd is dead: its release has no end while the rollout has none."""
        rollout = self.stored("services")[0]["rollout"]
        ended = [r["result"] for r in self.stored("releases") if rollout and r["number"] == rollout["number"]]
        assert not rollout or rollout["state"] in OVER or ended == [None], (rollout["state"], ended)

    def walk(self, verbs):
        """From None, no rollout, to its end; verbs: {state: what a person does there}. Where zddd was killed."""
        self.verbs = verbs
        self.zdd.stop()
        self.live()
        while self.zdd.stop() != 0:  # what it says may not be stored yet: it may still die of that
            assert len(self.lines("killer")) == self.zdd.starts - 1, f"it died by itself: {self.zdd.proc.tail()}"
            self.assert_history_waits()
            self.live()
        self.zdd.start()
        return self.lines("killer")


def without_repeats(words):
    return [w for i, w in enumerate(words) if not i or words[i - 1] != w]


def told(walk):
    """The states that the events tell of, with their steps."""
    events = walk.zdd.ctl("events")["events"]
    return [e["text"].split(";")[0] for e in events if e["kind"] == "rollout"]


def assert_nobody_noticed(walk):
    """No request failed, and no client that had had an answer of green went to blue, until a person wanted that."""
    assert_clean(walk.load.stop(), RATE)
    rows, first = list(walk.load.rows()), {}
    for row in rows:
        if row.pool == "green" and row.first:
            first[row.host] = min(first.get(row.host, row.first), row.first)
    assert first, "nobody came to green: no proof"
    assert not [r for r in rows if r.pool == "blue" and first.get(r.host, r.start) < r.start < walk.ended_ns]


def assert_told_in_order(walk, states):
    """No step twice. A state is told before it is stored: once more when zddd died in between, as it did."""
    words = told(walk)
    assert [w.split(":")[0] for w in without_repeats(words)] == states, words
    assert max(collections.Counter(words).values()) <= 2, words


def assert_hooks(walk, kinds):
    """Each ended before that was stored, and zddd died in between: it ran once more, with its token."""
    runs = collections.Counter(tuple(line.split()) for line in walk.lines("hooks"))
    assert [kind for kind, _ in runs] == kinds and len({token for _, token in runs}) == len(kinds), runs
    assert set(runs.values()) <= {2}, runs


EARLY = ["staging", "gate"]
HOOKS = ["start", "gate", "stop"]
# verb, what a person does in which state, rollout, states, hooks as they run, result, share of green at the end
WALKS = {
    "flip": (["flip", "web=green"], {}, {"strategy": "flip"}, [*EARLY, "promoted", "bake", "stable"],
             HOOKS[1:], "stable", 100),
    "canary": (["canary", "web=green"], {},
               {"strategy": "canary", "each": TIMED, "steps": ["25%", {"share": "50%", "until": "hook"}, "100%"]},
               [*EARLY, "shifting", "watching", "shifting", "watching", "waiting", "promoted", "bake", "stable"],
               ["start", "gate", "gate", "stop"], "stable", 100),
    "rolling": (["roll", "web=green"], {}, {"strategy": "rolling", "each": TIMED},
                [*EARLY, "shifting", "watching", "promoted", "bake", "stable"], [], "stable", 100),
    "inconclusive": (["canary", "web=green"], {"inconclusive": ["promote", "web", "--full", "--no-wait"]},
                     {"strategy": "canary", "steps": ["25%", "100%"],
                      "each": {"until": "evidence", "min": "300ms", "max": "2s", "connections": 1_000_000}},
                     [*EARLY, "shifting", "watching", "inconclusive", "promoted", "bake", "stable"], [], "stable", 100),
    "experiment": (["experiment", "web", "green=30%"], {"watching": ["abort", "web"]}, {},
                   [*EARLY, "shifting", "watching", "aborted"], [], "aborted", 0),
}

BY_PERSON = {"inconclusive": "promoted", "experiment": "aborted"}  # an event of another kind


def states_of(kills):
    """The states after whose storing zddd was killed."""
    return without_repeats([" ".join(k.split()[1:3]) for k in kills if k.startswith("after")])


@pytest.mark.parametrize("name", WALKS)
def test_killed_at_each_change(lab, full, name):
    verb, verbs, rollout, states, hooks, result, share = WALKS[name]
    if full and result == "aborted":  # then it is killed before that is written, and finds the traffic taken back
        states, result = [*states[:-1], "rolled_back"], "rolled_back"
    walk = Walk(lab, set(hooks), rollout, full, preview=[vip(4, 8443) + "/tcp"])
    walk.visit()
    kills = walk.walk({None: [*verb, "--no-wait"], **verbs})
    assert [k.split()[0] for k in states_of(kills)] == (states if full else states[:-1]), kills
    end = walk.rollout()
    assert (end["state"], walk.result_of(end["number"])) == (result, result)
    assert walk.shares() == {"blue": 100 - share, "green": share}
    assert_told_in_order(walk, [s for s in states if s not in ("staging", BY_PERSON.get(name))])
    assert_hooks(walk, hooks)
    assert_nobody_noticed(walk)


# --- on one host

@pytest.fixture
def one_host(make_lab):
    """The old version on 127.0.0.1, and what the start hook starts, on port 8081."""
    lab = make_lab(pools={})
    old = Backend("blue", "blue", lab.node, "lo", "127.0.0.1", "::1", 8080)
    old.server = Ledgerd(lab, old, families=(4,), protocols=["tcp"], user="nobody")
    old.server.wait_ready()
    with open(os.path.join(lab.directory, "start"), "w", encoding="ascii") as file:
        file.write(START.format(ledgerd=peer("ledgerd"), dir=lab.directory))
    yield lab
    for line in open(os.path.join(lab.directory, "pids"), encoding="ascii"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line), signal.SIGKILL)


def test_a_deploy_killed_at_each_change(one_host, full):
    """The start hook runs again when zddd died at its end: the version that it started then has the port."""
    walk = Walk(one_host, ["start", "stop"], {"strategy": "flip"}, full, forward="local",
                pools={"blue": ["127.0.0.1:8080"], "green": []})
    walk.visit(sources=1)
    kills = walk.walk({None: ["deploy", "web=:8081", "--no-wait"]})
    states = [*EARLY, "promoted", "bake", "stable"]
    assert [k.split()[0] for k in states_of(kills)] == (states if full else states[:-1]), kills
    end = walk.rollout()
    assert (end["state"], walk.result_of(end["number"])) == ("stable", "stable")
    assert walk.shares() == {"blue": 0, "green": 100}
    assert_told_in_order(walk, states[1:])
    assert_hooks(walk, ["start", "stop"])
    assert_nobody_noticed(walk)


# --- killed while a hook runs, and where a rollout stands

# What a person did, the first promotion, is an event of another kind.
WORDS = ["gate", "shifting", "watching", "waiting", "watching", "waiting", "promoted", "bake", "stable",
         "staging"]


def stays(walk, state):
    """Killed in that state, it is in it again."""
    wait_for(lambda: walk.rollout()["state"] == state, 40, lambda: f"{state}; {walk.rollout()}")
    before = walk.rollout()
    walk.zdd.kill9()
    walk.zdd.start()
    after = walk.rollout()
    for key in ("number", "state", "step", "share", "queued", "who"):
        assert after[key] == before[key], (key, before, after)


def until(walk, condition, what):
    """Until condition(get) of a living zddd. The hooks kill it on the way: then it is started again."""
    def there():
        if not walk.zdd.proc.running():
            walk.zdd.start(wait=False)
        answer = walk.zdd.ctl("get", "web", expect=None) if walk.zdd.answering() else None
        return answer and not answer.code and condition(answer.data["rollout"])

    wait_for(there, 60, lambda: f"{what}; {walk.lines('hooks')}")


def test_killed_while_hooks_run_and_where_it_stands(lab):
    """Each hook kills zddd, which is killed waiting and paused too, another rollout in the queue."""
    pools = {name: [b.endpoints((4,))[0] for b in backends] for name, backends in lab.pools.items()}
    walk = Walk(lab, HOOKS, {"strategy": "canary", "each": TIMED, "on_conflict": "queue",
                             "steps": [{"share": "25%", "until": "person"}, {"share": "50%", "until": "hook"}, "100%"]},
                pools={**pools, "dead": ["10.66.2.250:8080"]})
    walk.visit()
    open(walk.path("kill"), "w", encoding="ascii").close()
    walk.zdd.ctl("canary", "web=green", "--no-wait", expect=None)
    until(walk, lambda r: r["state"] == "waiting", "the first step waits for a person")
    number = walk.rollout()["number"]
    second = walk.zdd.ctl("canary", "web=dead", "--no-wait")["rollout"]
    stays(walk, "waiting")
    walk.zdd.ctl("pause", "web", "-m", "lunch")
    stays(walk, "paused")
    walk.zdd.ctl("promote", "web", "--no-wait")
    until(walk, lambda r: r["number"] == second and len(walk.lines("hooks")) == 10, "the second one has its turn")
    walk.zdd.ctl("abort", "web", expect=(0, EXIT["aborted"]))
    assert [walk.result_of(n) for n in (number, second)] == ["stable", "aborted"]
    assert walk.shares() == {"blue": 0, "green": 100, "dead": 0}
    assert_told_in_order(walk, WORDS)
    assert_hooks(walk, ["start", "gate", "gate", "stop", "start"])
    assert_nobody_noticed(walk)
