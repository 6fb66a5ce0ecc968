# SPDX-License-Identifier: BSD-2-Clause
"""zddd as an operator installs it: `make install`, and its unit under a real systemd."""
import json
import os
import signal

import pytest

from lablib.daemon import EXIT
from lablib.lab import vip
from lablib.machine import UnitDaemon
from lablib.peers import assert_clean
from lablib.proc import wait_for
from lablib.shop import Shop

CAPABILITIES = {"cap_bpf": 39, "cap_net_admin": 12, "cap_net_raw": 13, "cap_perfmon": 38}


@pytest.fixture
def shop(lab):
    """A function: a shop whose zddd is a unit."""
    os.chmod(lab.directory, 0o777)
    return lambda *args, **more: Shop(lab, *args, make=lambda config: UnitDaemon(lab, config), **more)


def capabilities(status, kind="CapPrm"):
    return sorted(bit for bit in range(64) if int(status[kind], 16) >> bit & 1)


def test_no_end_of_the_daemon_costs_a_connection(lab):
    """Told to, killed, and stuck: it is back each time, by systemd, under traffic."""
    zdd = UnitDaemon(lab, lab.config("xdp", {"web": lab.service(families=(4,))})).wait_healthy()
    status = zdd.status()
    assert capabilities(status) == sorted(CAPABILITIES.values()) and status["NoNewPrivs"] == "1"
    load = lab.load("new", vip(4), flows=4, rate=200)
    idle = lab.load("idle", vip(4), flows=20, interval=100)
    idle.wait_answered(20)

    def back(by, restarts):
        first = zdd.pid
        by()
        wait_for(lambda: zdd.pid not in (0, first) and zdd.show("ActiveState") == "active", 60, zdd.said)
        assert zdd.restarts() == restarts
        load.wait_requests(200)

    back(lambda: zdd.machine.run("systemctl", "restart", "zddd"), 0)
    back(zdd.kill9, 1)
    zdd.drop_in("[Service]\nWatchdogSec=6\nTimeoutAbortSec=1\n")
    back(lambda: zdd.machine.run("systemctl", "restart", "zddd"), 0)
    back(lambda: zdd.machine.run("kill", f"-{signal.SIGSTOP.value}", str(zdd.pid)), 1)
    assert "atchdog timeout" in zdd.said()
    zdd.flip("web=green")
    for each, least in ((load, 1000), (idle, 100)):
        assert_clean(each.stop(), least)
    assert zdd.surprises() == {}


def test_a_reload_and_what_the_unit_says(lab):
    """`systemctl reload` comes back when the file is in force; a bad file leaves what was."""
    config = lab.config("tc", {"web": lab.service(families=(4,))})
    zdd = UnitDaemon(lab, config).wait_healthy()
    first = zdd.pid
    config["services"]["more"] = lab.service([f"{vip(4, 444)}/tcp"], families=(4,))
    zdd.write(config)
    zdd.machine.run("systemctl", "reload", "zddd")
    wait_for(lambda: len(zdd.state()["services"]) == 2, 20, "the file is in force")
    zdd.write("services: [")
    zdd.machine.run("systemctl", "reload", "zddd")
    wait_for(lambda: "not in force: /etc/zdd/zdd.yaml:2:" in zdd.said(), 20, zdd.said)
    assert len(zdd.state()["services"]) == 2 and zdd.pid == first


WITNESS = """
{ id -un; grep -E '^(NoNewPrivs|CapBnd|Seccomp):' /proc/self/status; } >seen
printf '%s\\n' "$@" >words
touch /etc/zdd/hook-was-here || true
sleep 1000 & echo $! >left
"""
WORDS = ["$HOME", "${ZDD_POOL}x", "$$", "a b", "%n", "\\t", "'", "--wait"]


@pytest.mark.parametrize("user", [None, "daemon"])
def test_hooks_are_outside_of_the_sandbox(shop, lab, user):
    """As their user, with all that a unit of that user has, and told word by word what the file says."""
    made = shop(("start", "gate", "stop"), hooks={"user": user} if user else {})
    made.file("do-gate", WITNESS)
    made.zdd.ctl("flip", "web=green")
    made.wait_state("stable")
    assert [words[0] for words in made.told()] == ["start", "gate", "stop"]

    def read(name):
        with open(os.path.join(lab.directory, name), encoding="ascii") as file:
            return file.read()

    seen = read("seen").split()
    assert seen[0] == (user or "root")
    facts = dict(zip((key.rstrip(":") for key in seen[1::2]), seen[2::2]))
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("0", "0")
    assert int(facts["CapBnd"], 16) & 1 << 21, "its bounding set is zddd's: no SYS_ADMIN"
    assert json.loads(read("input-gate"))["pool"] == "green"
    assert os.path.exists(made.zdd.machine.path("/etc/zdd/hook-was-here")) == (user is None)
    assert made.zdd.status(read("left").strip())["Name"] == "sleep", "what it left running was ended"


def test_the_words_of_a_hook(shop, lab):
    made = shop((), hooks={"gate": [os.path.join(lab.directory, "hook"), *WORDS]})
    made.file("do-gate", WITNESS)
    made.zdd.ctl("flip", "web=green")
    with open(os.path.join(lab.directory, "words"), encoding="ascii") as file:
        assert file.read().splitlines() == WORDS


def hooks_of(zdd):
    """Units of hooks that run."""
    units = zdd.machine.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "zddd-hook-*")
    return [line.split()[0] for line in units.stdout.splitlines()]


def alive(zdd, pid):
    return os.path.exists(zdd.machine.path(f"/proc/{pid}"))


@pytest.mark.parametrize("end", ["kill9", "restart"])
def test_a_hook_ends_with_zddd_and_runs_once_more(shop, end):
    """Never two at once: systemd has ended the first before it starts zddd again."""
    made = shop()
    made.file("do-gate", "for n in other*; do [[ ! -e $n ]] || echo $n >>two; done; touch other-$$; "
                         "trap 'rm other-$$; exit 1' TERM; while [[ ! -e go ]]; do read -t 0.05 <> <(:); done; rm other-$$")
    made.zdd.ctl("flip", "web=green", "--no-wait")
    first = made.wait_told("gate", 1)[0]
    if end == "kill9":
        made.zdd.kill9()
    else:
        made.zdd.machine.run("systemctl", "restart", "zddd")
    made.wait_told("gate", 2)
    assert not alive(made.zdd, first[-1])
    made.file("go")
    made.wait_state("stable")
    told = made.told("gate")
    assert len(told) == 2 and told[0][:-1] == told[1][:-1], told
    assert not os.path.exists(os.path.join(made.lab.directory, "two"))
    assert [len(made.told(kind)) for kind in ("start", "stop")] == [1, 1]
    wait_for(lambda: not hooks_of(made.zdd), 10, "no unit of a hook is left")


@pytest.mark.parametrize("does,timeout,why", [
    ("echo all is bad >&2; exit 3", "1m", "exit status 3: all is bad"),
    ("trap '' TERM; sleep 1000 & echo $! >child; while :; do sleep 1000; done", "1s", "did not end in 1s, killed"),
    ("exit 75", "1s", "that it is not yet time, for 1s")])
def test_a_gate_that_fails(shop, lab, does, timeout, why):
    made = shop(("gate",), timeout)
    made.file("do-gate", does)
    made.zdd.ctl("flip", "web=green", expect=EXIT["failed_safe"])
    end = made.zdd.get()["rollout"]
    assert end["why"].startswith(f"gate hook {made.script}: ") and why in end["why"], end["why"]
    assert made.shares() == {"blue": 100, "green": 0}
    wait_for(lambda: not hooks_of(made.zdd), 10, "no unit of a hook is left")
    child = os.path.join(lab.directory, "child")
    if os.path.exists(child):
        with open(child, encoding="ascii") as file:
            pid = file.read().strip()
        wait_for(lambda: not alive(made.zdd, pid), 10, "its children are ended with it")


def test_abort_ends_a_hook(shop):
    made = shop(("gate",))
    made.file("do-gate", "sleep 1000")
    made.zdd.ctl("flip", "web=green", "--no-wait")
    pid = made.wait_told("gate", 1)[0][-1]
    wait_for(lambda: len(hooks_of(made.zdd)) == 1, 10, "it is a unit")
    made.zdd.ctl("abort", "web", "-m", "enough", expect=(0, EXIT["aborted"]))
    wait_for(lambda: not alive(made.zdd, pid), 10, "it ended")
    assert made.wait_state("aborted")


def test_uninstall_takes_all(lab):
    zdd = UnitDaemon(lab, lab.config("tc", {"web": lab.service(families=(4,))})).wait_healthy()
    zdd.stop()
    zdd.machine.run("zddd", "--remove")
    left = os.listdir(zdd.machine.path("/sys/fs/bpf"))
    assert sorted(left) == ["maps.debug", "progs.debug"], "what is in every bpffs"
