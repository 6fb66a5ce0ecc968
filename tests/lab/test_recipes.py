# SPDX-License-Identifier: BSD-2-Clause
"""The recipes of the README, to the letter: its keys, its commands. Only times are shortened, and hooks and
backends are those of the lab."""
import os
import re
import shlex

import pytest
import yaml

from lablib.lab import vip
from lablib.peers import assert_clean, peer
from lablib.proc import ROOT, wait_for

HOOK = """#!/bin/bash
echo "$ZDD_HOOK $ZDD_POOL $ZDD_BACKEND $ZDD_TOKEN" >>{said}
{does}
"""
# The new version of the application, on the port that the recipe names.
START = "setsid {peer} --name green --pool green --ledger {said}.ledger --tcp 127.0.0.1:8081 " \
        "</dev/null >/dev/null 2>&1 & echo $! >{said}.pid"


def recipes():
    """{title: (keys, [commands])}"""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = re.search(r"\n## Recipes\n(.*?)\n(?:## |All of it:)", file.read(), re.S)[1]
    found = {}
    for part in text.split("\n### ")[1:]:
        keys = re.search(r"```yaml\n(.*?)```", part, re.S)
        found[part.split("\n")[0]] = (keys[1], re.search(r"```sh\n(.*?)```", part, re.S)[1].splitlines())
    return found


RECIPES = recipes()


def shorten(text):
    """10m and the like become a second or two: the order stays."""
    text = re.sub(r"\b(min|bake): \d+m", r"\1: 1s", text)
    return re.sub(r"over \d+m for \d+m", "over 5s for 2s", text)


class Kitchen:
    def __init__(self, lab):
        self.lab, self.said = lab, os.path.join(lab.directory, "said")

    def hook(self, match):
        name = os.path.basename(match[0])
        path = os.path.join(self.lab.directory, name)
        does = START.format(peer=peer("ledgerd"), said=self.said) if name == "start-version" else ""
        with open(path, "w", encoding="ascii") as file:
            file.write(HOOK.format(said=self.said, does=does))
        os.chmod(path, 0o755)
        return path

    def start(self, keys):
        keys = yaml.safe_load(re.sub(r"/usr/local/bin/[\w-]+", self.hook, shorten(keys)))
        # No guess at so few requests: the recipe's evidence takes more of them than a test has time for.
        if "canary" in str(keys.get("rollout")):
            keys["rollout"].update(judge={"beta": "10%", "margin": 4, "slo": "5%"})
        service = self.lab.service(families=(4,), **keys)
        if service.get("forward") == "local":
            service["pools"] = keys["pools"]
        self.zdd = self.lab.daemon(self.lab.config("tc", {"shop": service}))
        wait_for(lambda: all(b["health"] == "up" for b in self.zdd.backends("shop").values()), 20, "all up")

    def run(self, line, **options):
        words = shlex.split(line, comments=True)
        assert words[0] == "zddctl"
        return self.zdd.ctl(*words[1:], timeout=240, **options)

    def hooks(self):
        with open(self.said, encoding="ascii") as file:
            return [line.split(" ")[0] for line in file]

    def shares(self):
        return {p["name"]: p["share"] for p in self.zdd.get("shop")["pools"]}

    def close(self):
        if os.path.exists(self.said + ".pid"):
            with open(self.said + ".pid", encoding="ascii") as file:
                os.kill(int(file.read()), 9)


@pytest.fixture
def kitchen(make_lab):
    made = []

    def make(**shape):
        lab = make_lab(**shape)
        lab.start_backends()
        made.append(Kitchen(lab))
        return made[0]

    yield make
    for k in made:
        k.close()


def named(start):
    return next(value for title, value in RECIPES.items() if title.startswith(start))


def cook(kitchen, title, **shape):
    """The daemon with the recipe's keys, load, and the recipe's commands."""
    keys, commands = named(title)
    k = kitchen(**shape)
    k.start(keys)
    return k, commands


def load_on(k, **options):
    load = k.lab.load("new", vip(4), **{"flows": 40, "sources": 20_000, "rate": 400, "timeout": 3000, **options})
    load.wait_requests(200)
    return load


def test_the_readme_has_the_workflows_of_the_field():
    assert [t.split(",")[0].split(" ")[0] for t in RECIPES] == ["Blue/green", "In", "Rolling", "Canary", "One", "A/B"]


def test_blue_green(kitchen):
    k, (flip, undo) = cook(kitchen, "Blue/green")
    load = load_on(k)
    k.run(flip)
    assert k.shares() == {"blue": 0, "green": 100} and k.hooks() == ["gate"]
    k.run(undo)
    assert k.shares() == {"blue": 100, "green": 0}
    assert_clean(load.stop(), 200)


def test_in_place(kitchen):
    k, (plan, roll) = cook(kitchen, "In place", pools={"blue": 4})
    load = load_on(k)
    assert len(k.run(plan)["changes"]) >= 2
    assert not os.path.exists(k.said), "a dry run runs nothing"
    k.run(roll)
    assert k.hooks() == ["update"] * 4
    assert all(b["admin"] == "ready" and b["health"] == "up" for b in k.zdd.backends("shop").values())
    assert_clean(load.stop(), 200)


def test_rolling_from_pool_to_pool(kitchen):
    k, (roll,) = cook(kitchen, "Rolling")
    load = load_on(k)
    k.run(roll)
    assert k.shares() == {"blue": 0, "green": 100}
    assert_clean(load.stop(), 200)


def test_canary(kitchen):
    k, (plan, canary) = cook(kitchen, "Canary")
    load = load_on(k, http=1)
    assert len(k.run(plan)["changes"]) >= 4
    k.run(canary)
    assert k.shares() == {"blue": 0, "green": 100}
    assert_clean(load.stop(), 200)


def test_one_host(kitchen):
    keys, (deploy,) = named("One host")
    k = kitchen(pools={})
    from lablib.lab import Backend
    from lablib.peers import Ledgerd
    old = Backend("blue", "blue", k.lab.node, "lo", "127.0.0.1", "::1", 8080)
    old.server = Ledgerd(k.lab, old, families=(4,), protocols=["tcp"], user="nobody")
    old.server.wait_ready()
    k.start(keys)
    load = load_on(k, sources=1)
    k.run(deploy)
    wait_for(lambda: k.zdd.get("shop")["rollout"]["state"] == "stable", 60, "the old one is stopped")
    assert k.hooks() == ["start", "stop"]
    result = load.stop()
    assert_clean(result, 200)
    assert {b["backend"] for b in result["backends"]} == {"blue", "green"}


def test_a_b(kitchen):
    k, (experiment, cohort, abort) = cook(kitchen, "A/B")
    load = load_on(k)
    k.run(experiment)
    assert k.shares() == {"blue": 90, "green": 10}
    assert k.run(cohort)["pool"] == "green"
    k.run(abort, expect=(0, 12))
    assert k.shares() == {"blue": 100, "green": 0}
    assert_clean(load.stop(), 200)
