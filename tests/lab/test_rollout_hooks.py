# SPDX-License-Identifier: BSD-2-Clause
"""Hooks and webhooks of a rollout: what they are told, when they run, what becomes of it."""
import json
import os

import pytest

from lablib.daemon import EXIT

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
