# SPDX-License-Identifier: BSD-2-Clause
"""A service that is deployed with hooks, which tell what they were told."""
import os

from .lab import VIP4, vip
from .proc import wait_for

PREVIEW = f"{VIP4}:8443/tcp"
SCRIPT = """#!/bin/bash
cd {directory}
echo "$ZDD_HOOK $ZDD_TOKEN $ZDD_POOL $ZDD_PREVIOUS $ZDD_STEP $ZDD_SHARE $ZDD_PREVIEW $$" >>told
cat >input-$ZDD_HOOK
[[ ! -e do-$ZDD_HOOK ]] || . ./do-$ZDD_HOOK
"""


class Shop:
    """A service that flips by a rollout with hooks, and what these were told and do."""

    def __init__(self, lab, kinds=("start", "gate", "stop"), timeout="1m", make=None, hooks=None, **rollout):
        self.lab = lab
        self.script = self.file("hook", SCRIPT.format(directory=lab.directory))
        os.chmod(self.script, 0o755)
        rollout = {"strategy": "flip", "bake": "1s", "staging_timeout": "20s", **rollout}
        rollout["hooks"] = {**{kind: [self.script] for kind in kinds}, "timeout": timeout, **(hooks or {})}
        service = lab.service([f"{vip(4)}/tcp"], families=(4,), preview=[PREVIEW], rollout=rollout)
        self.zdd = (make or lab.daemon)(lab.config("tc", {"web": service})).wait_healthy()

    def file(self, name, text=""):
        path = os.path.join(self.lab.directory, name)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def told(self, *kinds):
        """The hooks that began, a list of words for each."""
        path = os.path.join(self.lab.directory, "told")
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as file:
            return [line.split() for line in file if not kinds or line.split()[0] in kinds]

    def wait_told(self, kind, times):
        wait_for(lambda: len(self.told(kind)) == times, 30, f"the {kind} hook began {times} times")
        return self.told(kind)

    def wait_state(self, *states):
        wait_for(lambda: (self.zdd.get()["rollout"] or {}).get("state") in states, 40, f"rollout is {states}")
        return self.zdd.get()["rollout"]

    def shares(self):
        return {p["name"]: p["share"] for p in self.zdd.get()["pools"]}
