# SPDX-License-Identifier: BSD-2-Clause
"""Hooks and webhooks of a rollout: what they are told, when they run, what becomes of it."""
import json
import os

import pytest

from lablib.daemon import EXIT
from lablib.proc import wait_for
from lablib.shop import PREVIEW, Shop

CAP_KILL, CAP_SETGID, CAP_SETUID = 5, 6, 7


@pytest.fixture
def hooked(lab):
    """How to start a daemon, and to write a file, whose service `web` has this `rollout`."""
    def config(**rollout):
        return lab.config("tc", {"web": lab.service(families=(4,), rollout=rollout)})

    def write(**rollout):
        path = os.path.join(lab.directory, "other.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump(config(**rollout), file)
        return path

    lab.write, lab.run = write, lambda **rollout: lab.daemon(config(**rollout)).wait_healthy()
    lab.rollout_config = config
    return lab


def capabilities(daemon):
    """Those of the daemon that hooks of another user take."""
    with open(f"/proc/{daemon.proc.pid}/status", encoding="ascii") as file:
        mask = next(int(line.split()[1], 16) for line in file if line.startswith("CapPrm"))
    return [bit for bit in (CAP_KILL, CAP_SETGID, CAP_SETUID) if mask >> bit & 1]


def test_the_user_of_hooks(hooked):
    """Who starts without one gives up what it takes; a file that asks for it then changes nothing."""
    hooks = {"gate": ["/bin/true"]}
    daemon = hooked.run(hooks=hooks)
    assert capabilities(daemon) == []
    before = daemon.ctl("save", text=True).stdout
    for user, why in (("no-such-user", "no such user here"), ("nobody", "restart it with this one")):
        path = hooked.write(hooks={**hooks, "user": user})
        for command in ("apply", "plan"):
            refused = daemon.ctl(command, "-f", path, expect=EXIT["usage"], text=True)
            assert f"services.web.rollout.hooks.user: '{user}': " in refused.stderr and why in refused.stderr
    assert daemon.ctl("save", text=True).stdout == before
    daemon.write(hooked.rollout_config(hooks={**hooks, "user": "nobody"}))
    daemon.restart()
    assert capabilities(daemon) == [CAP_KILL, CAP_SETGID, CAP_SETUID]
    daemon.ctl("apply", "-f", hooked.write(hooks={**hooks, "user": "daemon"}))


# --- hooks of a flip, through the daemon

def test_start_gate_and_stop_of_a_flip(lab):
    shop = Shop(lab)
    shop.zdd.ctl("flip", "web=green")
    end = shop.wait_state("stable")
    assert [[words[0], *words[2:-1]] for words in shop.told()] == [
        ["start", "green", "blue", "1", "0", PREVIEW],
        ["gate", "green", "blue", "1", "0", PREVIEW],
        ["stop", "green", "blue", "1", "100", PREVIEW]]
    tokens = [words[1] for words in shop.told()]
    assert len(set(tokens)) == 3 and all(token.startswith(f"{end['number']}-") for token in tokens)
    with open(os.path.join(lab.directory, "input-gate"), encoding="ascii") as file:
        told = json.load(file)
    assert (told["hook"], told["service"], told["pool"], told["token"]) == ("gate", "web", "green", tokens[1])
    assert shop.shares() == {"blue": 0, "green": 100}


@pytest.mark.parametrize("does,timeout,why", [
    ("echo all is bad >&2; exit 3", "1m", "exit status 3: all is bad"),
    ("sleep 1000", "1s", "did not end in 1s, killed"),
    ("exit 75", "1s", "that it is not yet time, for 1s")])
def test_a_gate_that_fails(lab, does, timeout, why):
    """Nothing has moved, and why is in the last line."""
    shop = Shop(lab, ("gate",), timeout)
    shop.file("do-gate", does)
    shop.zdd.ctl("flip", "web=green", expect=EXIT["failed_safe"])
    end = shop.zdd.get()["rollout"]
    assert (end["state"], end["exit"]) == ("failed_safe", EXIT["failed_safe"])
    assert end["why"].startswith(f"gate hook {shop.script}: ") and why in end["why"], end["why"]
    assert shop.shares() == {"blue": 100, "green": 0}


def test_kill_of_zddd_while_a_hook_runs(lab):
    """The hook ends with it, and is run once more with the same token; what was done is not."""
    shop = Shop(lab)
    shop.file("do-gate", "[[ -e go ]] || exec sleep 1000")
    shop.zdd.ctl("flip", "web=green", "--no-wait")
    first = shop.wait_told("gate", 1)[0]
    shop.zdd.kill9()
    wait_for(lambda: not os.path.exists(f"/proc/{first[-1]}"), 10, "the hook ends with zddd")
    shop.file("go")
    shop.zdd.start()
    shop.wait_state("stable")
    told = shop.told("gate")
    assert len(told) == 2 and told[0][:-1] == told[1][:-1], told
    assert [len(shop.told(kind)) for kind in ("start", "stop")] == [1, 1]


def test_a_gate_that_says_not_yet_is_asked_again(lab):
    shop = Shop(lab, ("gate",))
    shop.file("do-gate", "[[ -e go ]] || exit 75")
    shop.zdd.ctl("flip", "web=green", "--no-wait")
    shop.wait_told("gate", 2)
    assert shop.zdd.get()["rollout"]["state"] == "gate" and shop.shares()["green"] == 0
    shop.file("go")
    shop.wait_state("stable")
    assert len({words[1] for words in shop.told("gate")}) == 1, "one token"


# --- webhooks

SERVER = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    refusals = 1
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        bad, Handler.refusals = Handler.refusals > 0, Handler.refusals - 1
        if not bad:
            print(json.dumps({"type": self.headers["Content-Type"], **json.loads(body)}), flush=True)
        self.send_response(500 if bad else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8700), Handler).serve_forever()
"""


def test_webhooks_are_told_of_each_transition(lab):
    """In order, although the first answer is an error; one that is not there is an event, without its secret."""
    server = lab.start(["/usr/bin/python3", "-c", SERVER], "webhooks", lab.node)
    wait_for(lambda: not lab.node.run("curl", "-s", "http://127.0.0.1:8700/", check=False).returncode, 10,
             "the server listens")
    shop = Shop(lab, ("gate",), notify=["http://127.0.0.1:8700/zdd", "http://127.0.0.1:1/secret"])
    shop.zdd.ctl("flip", "web=green")
    shop.wait_state("stable")

    def told():
        return [json.loads(line) for line in server.out().splitlines()]

    wait_for(lambda: told() and told()[-1]["rollout"]["state"] == "stable", 20, "the last one is told")
    assert [t["rollout"]["state"] for t in told()] == ["staging", "gate", "promoted", "bake", "stable"]
    assert {(t["kind"], t["service"], t["type"]) for t in told()} == {("rollout", "web", "application/json")}
    assert told()[-1]["text"].startswith("web: flip to green: stable")

    shop.file("do-gate", "sleep 1000")
    shop.zdd.ctl("flip", "web=blue", "--no-wait")
    shop.wait_state("gate")
    shop.zdd.ctl("abort", "web", "-m", "enough", expect=(0, EXIT["aborted"]))
    wait_for(lambda: told()[-1]["rollout"]["state"] == "aborted", 20, "what a person does is told")
    assert "enough" in told()[-1]["text"]

    def lost():
        return [e["text"] for e in shop.zdd.ctl("events")["events"] if e["kind"] == "webhook"]

    wait_for(lambda: len(lost()) == 8, 40, "each that was lost is an event")
    assert all(text.startswith("http://127.0.0.1:1 was not told: ") for text in lost())
