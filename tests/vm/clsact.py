#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""zddd without tcx (kernels before 6.6): clsact filters, not links. Prints TAP-like lines."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))

from lablib import names, peers  # noqa: E402
from lablib.lab import Lab  # noqa: E402
from lablib.proc import run  # noqa: E402

FOREIGN = 0xf0  # handle of somebody else's filter
DIRECTIONS = ["ingress", "egress"]
done = 0


def ok(what):
    global done
    done += 1
    print(f"ok clsact: {what}", flush=True)


def every_hook(lab):
    return {(i, d): lab.filters(i, d) for i in lab.interfaces() for d in DIRECTIONS}


def qdiscs(lab, interface):
    return lab.node.run("tc", "qdisc", "show", "dev", interface).stdout


def add_foreign(lab, interface):
    lab.node.run("tc", "qdisc", "add", "dev", interface, "clsact")
    lab.node.run("tc", "filter", "add", "dev", interface, "ingress", "pref", "77", "handle",
                 hex(FOREIGN), "matchall", "action", "ok")


def our_programs():
    return [p for p in json.loads(run(["bpftool", "-j", "prog", "list"]).stdout)
            if p.get("name", "").startswith("zdd_")]


def exercise(lab):
    lab.start_backends()
    add_foreign(lab, "cl")
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    before = every_hook(lab)
    assert len(before["cl", "ingress"]) == 2, before
    assert all(len(h) == 1 for hook, h in before.items() if hook != ("cl", "ingress")), before
    ok("one filter each way on each interface, beside somebody else's")

    loads = [lab.load("keep", flows=4, rate=50, timeout=30000),
             lab.load("new", flows=2, timeout=30000)]
    daemon.flip("web=green")
    for load in loads:
        load.wait_requests(50)
    daemon.kill9()
    for load in loads:
        load.wait_requests(50)
    ok("traffic goes on after kill -9")

    daemon.start()
    assert every_hook(lab) == before
    assert daemon.get()["live"] == "green"
    daemon.flip("web=blue")
    for load in loads:
        load.wait_requests(50)
    for load in loads:
        peers.assert_clean(load.stop())
    ok("adopted: the same filters, a flip, no request failed")

    daemon.stop()
    gone = daemon.remove()
    assert gone.returncode == 0, gone.stderr
    assert daemon.pins() == [] and our_programs() == []
    left = every_hook(lab)
    assert left.pop(("cl", "ingress")) == [FOREIGN] and not any(left.values()), left
    for interface in lab.interfaces():
        assert ("clsact" in qdiscs(lab, interface)) == (interface == "cl"), qdiscs(lab, interface)
    ok("--remove leaves nothing but what is somebody else's")


def main():
    names.sweep()
    lab = Lab(pools={"blue": 1, "green": 1})
    try:
        exercise(lab)
    except AssertionError as error:
        print(f"not ok clsact: step {done + 1}: {error}")
        for name, text in lab.logs():
            print(f"--- {name} said\n{text}")
        sys.exit(1)
    finally:
        lab.close()


if __name__ == "__main__":
    main()
