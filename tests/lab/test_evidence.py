# SPDX-License-Identifier: BSD-2-Clause
"""How good the judge is with real servers and real load: how often it takes back a version that is as good as the
one before, and how soon one that is not, beside the rule that people write into their monitoring."""
import collections
import dataclasses
import json
import os

import pytest

from conftest import FULL
from lablib.lab import vip
from lablib.peers import Ledgerd
from lablib.proc import wait_for

PORT = 8100
AS_GOOD = {"reset": 0.01, "empty": 0.01, "status": 0.01}
BAD = {"5 times the 5xx": ("5xx", {**AS_GOOD, "status": 0.05}), "20 times the 5xx": ("5xx", {**AS_GOOD, "status": 0.2}),
       "20 % reset": ("reset", {**AS_GOOD, "reset": 0.2}), "20 % empty": ("empty", {**AS_GOOD, "empty": 0.2}),
       "100 ms more": ("slow", {**AS_GOOD, "delay": 100}), "refused": ("refused", None)}


class Street:
    """Services side by side, each with a version `blue` and a version `green` of its own and its own clients."""

    def __init__(self, lab, names, rate, rollout, **more):
        self.lab, self.names, self.rate = lab, list(names), rate
        self.servers = {(name, pool): self.serve(i, pool) for i, name in enumerate(self.names) for pool in lab.pools}
        services = {name: self.service(i, rollout, **more) for i, name in enumerate(self.names)}
        self.zdd = lab.daemon(lab.config("tc", services))
        for server in self.servers.values():
            server.wait_ready()

    def backend(self, i, pool):
        first = self.lab.pools[pool][0]
        return dataclasses.replace(first, name=f"{first.name}-{i}", port=PORT + i)

    def serve(self, i, pool):
        server = Ledgerd(self.lab, self.backend(i, pool), families=(4,), protocols=("tcp",))
        server.mood(**AS_GOOD)
        return server

    def service(self, i, rollout, **more):
        pools = {pool: self.backend(i, pool).endpoints((4,)) for pool in self.lab.pools}
        return {"listen": [f"{vip(4, 443 + i)}/tcp"], "pools": pools, "live": "blue", "signals": {"http": True},
                "health": {"type": "none"}, "retry": "off", "passive": {"failures": 1000},
                "rollout": {"strategy": "canary", "lease": "60s", "bake": "0s", **rollout}, **more}

    def visit(self):
        self.loads = {}
        for i, name in enumerate(self.names):
            self.loads[name] = self.lab.load("new", vip(4, 443 + i), flows=40, sources=20_000, rate=self.rate,
                                             timeout=3000, http=1)
        for load in self.loads.values():
            load.wait_requests(self.rate)

    def counts(self, number):
        return os.path.join(self.zdd.state_dir, "counts", f"{number}.jsonl")


OVER = ("stable", "aborted", "superseded", "rolled_back", "failed_safe")


def run_in_turns(street, runs):
    """Canaries, one after the other in each service, to the version that is not live; how they ended."""
    ends, whys, begun = collections.Counter(), [], 0

    def ended(name, now):
        """Whether the one that was begun before is over."""
        if now["state"] in ("paused", "inconclusive"):
            street.zdd.ctl("abort", name)
        elif now["state"] not in OVER:
            return False
        ends[now["state"]] += 1
        whys.append(now["why"])
        return True

    def look(name):
        nonlocal begun
        service = street.zdd.get(name)
        if service["rollout"] and not ended(name, service["rollout"]):
            return
        if begun == runs:
            running.discard(name)
            return
        street.zdd.ctl("canary", f"{name}={'blue' if service['live'] == 'green' else 'green'}", "--no-wait")
        begun += 1

    running = set(street.names)
    wait_for(lambda: [look(name) for name in sorted(running)] and not running, 30 + 20 * runs,
             lambda: f"{runs} canaries end; {ends}")
    return ends, whys


def test_versions_that_are_as_good_stay(make_lab):
    """A/A: 3 % of all connections fail on either side; one in a hundred may be called worse."""
    runs, services = (200, 5) if FULL else (6, 3)
    lab = make_lab(pools={"blue": 1, "green": 1}, families=(4,))
    street = Street(lab, [f"s{i}" for i in range(services)], 100, {
        "steps": ["50%", "100%"], "each": {"min": "2s", "max": "2m", "until": "evidence", "connections": 50},
        "judge": {"alpha": "1%", "slo": "5%", "beta": "10%", "margin": 4}})
    street.visit()
    ends, whys = run_in_turns(street, runs)
    print(f"{runs} canaries of versions that are alike: {dict(ends)}",
          *[why for why in whys if "worse" in why or "breaker" in why], sep="\n")
    assert sum(ends.values()) == runs
    assert ends["rolled_back"] <= max(1, runs // 50), whys
    assert ends["stable"] >= runs * 3 // 4, ends


def ticks_of(path):
    with open(path, encoding="ascii") as file:
        return [json.loads(line) for line in file][1:]


def when_the_rule_fires(ticks, signal):
    """Seconds after which more than 5 % were bad over the last 5 minutes, for 2 minutes; None: not."""
    since = None
    for i, tick in enumerate(ticks):
        window = [t["counts"].get(signal, {}).get("canary") for t in ticks[:i + 1] if t["t_ms"] > tick["t_ms"] - 300_000]
        n, bad = (sum(side[key] for side in window if side) for key in ("n", "bad"))
        since = (since or tick["t_ms"]) if n and bad / n > .05 else None
        if since and tick["t_ms"] - since >= 120_000:
            return tick["t_ms"] / 1000
    return None


def judged(street, number):
    """What `zddctl judge` says of the ticks that are whole by now, and the ticks."""
    copy = os.path.join(street.lab.directory, f"{number}.jsonl")
    with open(street.counts(number), encoding="ascii") as counts, open(copy, "w", encoding="ascii") as file:
        file.writelines(line for line in counts if line.endswith("\n"))
    return street.zdd.ctl("judge", copy, expect=(11, 14, 15)), ticks_of(copy)


def canaries(street):
    """One to each version that is worse; its number, by service."""
    for name, (_, mood) in zip(street.names, BAD.values()):
        if mood:
            street.servers[name, "green"].mood(**mood)
        else:
            street.servers[name, "green"].proc.kill9()
        street.zdd.ctl("canary", f"{name}=green", "--no-wait")
    return {name: street.zdd.get(name)["rollout"]["number"] for name in street.names}


def test_versions_that_are_worse_beside_the_rule(make_lab):
    """The judge only looks on, so that the traffic goes on after it has spoken."""
    seconds = 180
    lab = make_lab(pools={"blue": 1, "green": 1}, families=(4,))
    street = Street(lab, [f"s{i}" for i in range(len(BAD))], 60, {
        "steps": ["25%", "100%"], "each": {"min": f"{seconds}s", "until": "time"}, "judge": {"mode": "shadow"}})
    street.visit()
    numbers = canaries(street)
    for (what, (signal, _)), name in zip(BAD.items(), street.names):
        if FULL:
            wait_for(lambda name=name: street.zdd.get(name)["rollout"]["step"] == 2 or
                     street.zdd.get(name)["rollout"]["state"] in ("promoted", *OVER), seconds + 60,
                     lambda name=name: f"the step's time is over; {street.zdd.get(name)['rollout']}")
        elif "5 times" in what:
            continue
        else:
            wait_for(lambda name=name: judged(street, numbers[name])[0]["result"] == "rolled_back", seconds - 30,
                     lambda name=name: f"{what} is seen; {judged(street, numbers[name])[0]['text']}")
        answer, ticks = judged(street, numbers[name])
        rule = when_the_rule_fires(ticks, "5xx" if signal == "slow" else signal)
        print(f"{what}: the judge {answer['result']} after {answer['at_ms'] / 1000:.0f} s, the rule "
              f"{f'after {rule:.0f} s' if rule else 'does not fire'}; {answer['text']}")
        assert answer["result"] == "rolled_back" and signal in answer["text"], (what, answer["text"])
