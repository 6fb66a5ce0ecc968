# SPDX-License-Identifier: BSD-2-Clause
"""Rolling in place: four nginx, half at a time, the update hook restarts the real process."""
import collections
import contextlib
import os
import threading

import pytest

from lablib.lab import vip
from lablib.proc import run, wait_for
from lablib.web import Wrk

FLOOR = 2  # of four: min_available
NGINX = """daemon off; master_process off; pid {dir}/pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{ access_log off; {paths}
  server {{ listen {where}; location / {{ return 200 "{version}\\n"; }} }} }}
"""
PATHS = " ".join(f"{kind}_temp_path {{dir}}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
# As a service manager does: what is installed runs, again when it ends.
MANAGER = """#!/bin/sh
while :; do
	version=$(readlink "$1/conf")
	echo "$version" >"$1/runs"
	while [ -e {dir}/hold-start ]; do sleep 0.02; done
	setpriv --pdeathsig KILL nginx -c "$1/$version" -e stderr
	sleep 0.1
done
"""
# As a deploy tool does: install the version, restart, once for each token.
UPDATE = """#!/bin/sh
unit={dir}/$ZDD_BACKEND
echo "$ZDD_TOKEN $ZDD_BACKEND" >>{dir}/hooks
while [ -e {dir}/hold-update ]; do sleep 0.02; done
exec 9>>"$unit/lock"
flock 9
[ ! -e "$unit/$ZDD_TOKEN" ] || exit 0
if [ "$ZDD_RESULT" = back ]; then version=old; else version=$(cat "$unit/wanted"); fi
[ "$version" != fails ] || exit 3
ln -sfn "$version.conf" "$unit/conf"
until [ "$(cat "$unit/runs")" = "$version.conf" ]; do
	kill "$(cat "$unit/pid")"
	sleep 0.02
done 2>{dir}/quiet
echo "$ZDD_TOKEN" >>{dir}/done
touch "$unit/$ZDD_TOKEN"
"""
GATE = """#!/bin/sh
while [ -e {dir}/hold-gate ]; do sleep 0.02; done
"""


def serves(backend):
    return backend["health"] == "up" and backend["admin"] == "ready"


class Unit:
    """One backend's service: its versions are files, and old runs at first."""

    def __init__(self, lab, backend):
        self.lab, self.where = lab, backend.endpoints((4,))[0]
        self.dir = os.path.join(lab.directory, self.where)
        os.mkdir(self.dir)
        for version in ("old", "new", "newer"):
            self.write(f"{version}.conf", NGINX.format(dir=self.dir, where=self.where, version=version,
                                                       paths=PATHS.format(dir=self.dir)))
        self.write("bad.conf", "no such directive;")
        os.symlink("old.conf", os.path.join(self.dir, "conf"))
        self.want("new")
        lab.start(["/bin/sh", os.path.join(lab.directory, "manager"), self.dir], backend.name, backend.netns)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as file:
            file.write(text)

    def want(self, version):
        """What the next update puts there."""
        self.write("wanted", version)

    def version(self):
        done = run(["curl", "-s", "-m", "2", f"http://{self.where}/"], netns=self.lab.node.name, check=False)
        return done.stdout.strip()


class Rolls:
    def __init__(self, lab, slow_start=None, **rollout):
        self.lab = lab
        self.script("manager", MANAGER)
        hooks = {"update": [self.script("update", UPDATE)], "gate": [self.script("gate", GATE)]}
        self.units = [Unit(lab, b) for b in lab.pools["blue"]]
        wait_for(lambda: self.versions() == ["old"] * 4, 10, "all versions are old")
        half = {"max_parallel": "50%", "max_unavailable": "50%", "min_available": "50%"}
        rollout = {"strategy": "rolling", "each": {"min": "500ms", "until": "time"}, "batch": half, "bake": "500ms",
                   "staging_timeout": "5s", "hooks": hooks, **rollout}
        service = lab.service(families=(4,), listen=[f"{vip(4)}/tcp"], rollout=rollout,
                              health=lab.quick_health(type="http", path="/"), drain={"deadline": "20s"},
                              **({"slow_start": slow_start} if slow_start else {}))
        self.daemon = lab.daemon(lab.config(services={"web": service})).wait_healthy()

    def script(self, name, text):
        path = os.path.join(self.lab.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.format(dir=self.lab.directory))
        os.chmod(path, 0o755)
        return path

    def versions(self):
        return [unit.version() for unit in self.units]

    @contextlib.contextmanager
    def hold(self, what):
        """Gate or update hooks wait, or what they start: those of now, and later ones."""
        path = self.script(f"hold-{what}", "")
        yield
        os.remove(path)

    def said(self, name):
        """What the update hooks wrote: `hooks` when they began, a token and a backend, `done`: a token."""
        path = os.path.join(self.lab.directory, name)
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as file:
            return [tuple(line.split()) for line in file]

    def wait_hooks(self, number):
        wait_for(lambda: len(self.said("hooks")) == number, 30, f"update hooks began {number} times")

    def in_service(self):
        return [serves(b) for b in self.daemon.backends().values()]

    def rollout(self):
        return self.daemon.get()["rollout"]

    def place(self):
        """The state, and where in the batch."""
        r = self.rollout()
        return r["state"], r["batch"]["step"] if r["batch"]["n"] else None

    def wait_place(self, *place):
        wait_for(lambda: self.place() == place, 30, f"{place}; {self.rollout()}")

    def wait_end(self, state):
        wait_for(lambda: self.rollout()["result"] == state, 60, f"{state}; {self.rollout()}")


@pytest.fixture
def make_rolls(make_lab):
    return lambda **rollout: Rolls(make_lab(pools={"blue": 4}, families=(4,)), **rollout)


class Capacity:
    """How many were in service, looked at whenever there is a zddd to ask."""

    def __init__(self, rolls):
        self.rolls, self.seen, self.over = rolls, collections.Counter(), threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.over.wait(0.02):
            answer = self.rolls.daemon.ctl("get", "web", expect=(0, 5))
            if not answer.code:
                self.seen[sum(map(serves, answer["pools"][0]["backends"]))] += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def roll(rolls, code):
    """Under load, to its end: what zddctl said, and how many were in service."""
    load = Wrk(rolls.lab, vip(4), 4, close=True)
    with Capacity(rolls) as capacity:
        answer = rolls.daemon.ctl("roll", "web", "--timeout", "90s", expect=code, timeout=120)
    result = load.stop()
    assert result.pop("requests") > 100 and not any(result.values()), result
    assert min(capacity.seen) >= FLOOR, capacity.seen
    return answer, capacity.seen


def test_half_at_a_time(make_rolls):
    rolls = make_rolls()
    _, seen = roll(rolls, 0)
    assert rolls.versions() == ["new"] * 4
    assert all(rolls.in_service())
    assert seen[FLOOR] and 3 not in seen, seen
    assert [backend for _, backend in rolls.said("hooks")] == [unit.where for unit in rolls.units]
    assert len({token for token, _ in rolls.said("hooks")}) == 4


def test_a_batch_has_risen_before_the_next_one_goes(make_rolls):
    rolls = make_rolls(slow_start="3s")
    _, seen = roll(rolls, 0)
    assert rolls.versions() == ["new"] * 4
    assert seen[FLOOR] and 3 not in seen, seen
    events = rolls.daemon.ctl("events")["events"]

    def ids(kind, text, units=(None,)):
        return [e["id"] for e in events for unit in units
                if e["kind"] == kind and e["text"].startswith(text) and e["backend"] == (unit and unit.where)]

    second, = ids("rollout", "shifting: backends 3 to 4")
    promoted, = ids("rollout", "promoted")
    for half, after in ((rolls.units[:2], second), (rolls.units[2:], promoted)):
        ends = ids("slow_start", "over", half)
        assert len(ends) == 4 and max(ends) < after, (ends, after)  # of the start of the pool, and of the batch


BAD = [
    # which version each unit gets, on failure, exit, versions after it, in service after it
    (["bad"] * 4, "stop", 10, ["", "", "old", "old"], [False, False, True, True]),
    (["new", "fails", "new", "new"], "back", 10, ["old"] * 4, [True] * 4),
    (["new", "new", "bad", "new"], "back", 11, ["old"] * 4, [True] * 4),
]


@pytest.mark.parametrize("wanted,on_failure,code,versions,in_service", BAD)
def test_a_version_that_does_not_come_up(make_rolls, wanted, on_failure, code, versions, in_service):
    rolls = make_rolls(on_failure=on_failure)
    for unit, version in zip(rolls.units, wanted):
        unit.want(version)
    roll(rolls, code)
    assert rolls.versions() == versions
    assert rolls.in_service() == in_service
    assert len(rolls.said("hooks")) == len(set(rolls.said("hooks")))


def test_the_next_roll_mends_what_the_last_one_left_out(make_rolls):
    rolls = make_rolls(on_failure="stop")
    rolls.units[2].want("bad")
    roll(rolls, 11)
    assert rolls.versions() == ["new", "new", "", "new"]
    assert rolls.in_service() == [True, True, False, False]
    for unit in rolls.units:
        unit.want("newer")
    roll(rolls, 0)
    assert rolls.versions() == ["newer"] * 4
    assert all(rolls.in_service())


def crash(rolls, *place):
    """When it has come there. It may be that nobody wrote that down yet: then it comes there again."""
    rolls.wait_place(*place)
    rolls.daemon.kill9()
    rolls.daemon.start()


def test_kill_in_each_state(make_rolls):
    rolls = make_rolls(each={"min": "3s", "until": "person"}, bake="3s", staging_timeout="60s")
    load, zddctl = Wrk(rolls.lab, vip(4), 4, close=True), rolls.daemon.ctl
    for unit in rolls.units[1:]:
        zddctl("drain", f"web/blue/{unit.where}")
    with rolls.hold("gate"):
        zddctl("roll", "web", "--no-wait")
        crash(rolls, "staging", None)
        zddctl("ready", "web/blue")
        crash(rolls, "gate", None)
    with rolls.hold("start"):
        with rolls.hold("update"):
            crash(rolls, "shifting", "drain")
            rolls.wait_hooks(1)
            crash(rolls, "shifting", "update")
            rolls.wait_hooks(2)
            zddctl("pause", "web")
            crash(rolls, "paused", "update")
            zddctl("resume", "web")
            rolls.wait_hooks(3)
        crash(rolls, "watching", "check")
    with Capacity(rolls) as capacity:
        crash(rolls, "watching", "serve")
        crash(rolls, "waiting", "serve")
        rolls.wait_place("waiting", "serve")
        zddctl("promote", "web")
        crash(rolls, "bake", "next")
        rolls.wait_end("stable")
    result = load.stop()
    assert not any(v for k, v in result.items() if k != "requests"), result
    assert min(capacity.seen) >= FLOOR, capacity.seen
    assert rolls.versions() == ["new"] * 4 and all(rolls.in_service())
    runs = collections.Counter(rolls.said("hooks"))
    assert [backend for _, backend in runs] == [unit.where for unit in rolls.units]
    # The first one ran at two of the crashes; the second may have just ended, unwritten, at the one in "check".
    assert list(runs.values()) in ([3, 1, 1, 1], [3, 2, 1, 1]), runs
    assert len(rolls.said("done")) == 4


def test_abort_leaves_out_what_nobody_checked(make_rolls):
    rolls = make_rolls()
    with rolls.hold("update"):
        rolls.daemon.ctl("roll", "web", "--no-wait")
        rolls.wait_hooks(1)
        rolls.daemon.ctl("abort", "web", expect=(0, 12))
    assert rolls.rollout()["result"] == "aborted"
    wait_for(lambda: rolls.in_service() == [False, True, True, True], 10, "the others serve")
    assert len(rolls.said("hooks")) == 1
