# SPDX-License-Identifier: BSD-2-Clause
"""`-o json` of every command against docs/schema, from a running zddd."""
import os
import re

import jsonschema
import pytest

from lablib import schema
from lablib.ctl import zddctl
from lablib.daemon import EXIT
from lablib.lab import vip

LOOK = [["ls"], ["get"], ["why", "web"], ["history", "web"], ["history", "web", "--stats"], ["conns", "web"],
        ["cohort", "web", "192.0.2.1"], ["events"], ["doctor"], ["ready"], ["save"]]
SERVICE = [["get", "web"], ["status", "web"]]
OTHERS = {"judge", "help"}  # test_judge.py; prints no JSON


@pytest.mark.parametrize("name", sorted(os.listdir(schema.DIRECTORY)))
def test_a_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(schema.load(name))


def test_every_command(lab):
    # All are in slow start, which changes nothing but what is shown.
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(slow_start="1h")})).wait_healthy()
    assert daemon.backends()[lab.backend("blue0").endpoints()[0]]["slow_start"]["percent"] == 10
    load = lab.load("idle", vip(4), flows=5, interval=50)
    load.wait_answered(5)
    where = lab.backend("blue0").endpoints()[0]
    path = daemon.config_path
    done = set()

    def check(args, what, expect=0):
        schema.check(daemon.ctl(*args, expect=expect).data, what)
        done.add(args[0])

    def change(*args, expect=0):
        check(args, "change.json", expect)

    change("flip", "web=green", "--verify")
    change("flip", "web", "--dry-run")
    change("undo", "web")
    change("set", "share", "web", "green=10%")
    change("drain", f"web/blue/{where}")
    for args in SERVICE:
        check(args, "service.json")
    change("ready", f"web/blue/{where}")
    change("maint", f"web/blue/{where}", "--force")
    change("ready", f"web/blue/{where}")
    change("backend", "add", "web/blue/10.9.9.9:80")
    change("backend", "del", "web/blue/10.9.9.9:80")
    change("hold", "web")
    check(["get", "web"], "service.json")
    change("unhold", "web")
    change("plan", "-f", path)
    change("apply", "-f", path)
    change("restore", "-f", path)
    change("flip", "web=no-such-pool", expect=EXIT["absent"])
    for args in LOOK:
        name = " ".join(a for a in args if a.startswith("-") or a == args[0])
        check(args, f"look.json#/$defs/{name}", expect=None)
    load.stop()
    rollouts(change)
    known = set(re.findall(r"^  (\w+)", zddctl("--help").stdout.decode().split("\noptions")[0], re.M))
    assert known - done == OTHERS


def rollouts(change):
    """Begun and steered; their ends are test_rollout_ctl.py's."""
    change("set", "share", "web", "green=0%")
    change("canary", "web=green", "--dry-run")
    change("canary", "web=green", "--steps", "5,100", "--no-wait")
    change("pause", "web", "-m", "lunch")
    change("canary", "web=green", expect=EXIT["refused"])
    change("resume", "web")
    change("abort", "web")
    change("experiment", "web", "green=10%", "--no-wait")
    change("abort", "web")
    change("canary", "web=green", "--no-wait")
    change("pause", "web")
    change("promote", "web", "--no-wait")
    change("abort", "web")
    change("lock", "web", "-m", "freeze")
    change("unlock", "web")
    change("roll", "web", expect=EXIT["refused"])
    change("deploy", "web=:9", "--no-wait")
    change("abort", "web")
