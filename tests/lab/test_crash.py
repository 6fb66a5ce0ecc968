# SPDX-License-Identifier: BSD-2-Clause
"""Guarantee 5: the data path outlives the daemon, killed at any moment."""
import json
import random
import shutil
import subprocess

import pytest

from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import BUILD, run, wait_for


@pytest.fixture
def kills(full):
    return 50 if full else 6


@pytest.fixture
def dice(request):
    """The seed is in the message of a failed test."""
    seed = random.randrange(1 << 30)
    request.node.add_report_section("setup", "seed", f"random.Random({seed})")
    return random.Random(seed)


def start_loads(lab):
    loads = {"new": lab.load("new", vip(4), flows=20, sources=200, rate=2000),
             "idle": lab.load("idle", vip(4), flows=50, interval=100),
             "udp": lab.load("udp", vip(6), flows=5, sources=20000, rate=1000),
             "udpkeep": lab.load("udpkeep", vip(4), flows=10)}
    loads["idle"].wait_answered(50)
    loads["udpkeep"].wait_answered(10)
    return loads


def stop_clean(loads):
    results = {name: load.stop() for name, load in loads.items()}
    for result in results.values():
        assert_clean(result, 50)
    assert results["idle"]["open"] == 50
    assert results["udpkeep"]["open"] == 10


def in_background(daemon, *args):
    """A zddctl that may lose its daemon on the way."""
    argv = [f"{BUILD}/zddctl", "--socket", daemon.socket, "-o", "json", *args]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def truth(lab):
    """The pool that new flows really get."""
    result = lab.load("new", vip(4), total=60, flows=3, sources=60).result()
    assert_clean(result, 60)
    pools = pools_of(result)
    assert len(pools) == 1, pools
    return next(iter(pools))


def what_matters(service):
    pools = {p["name"]: (p["share"], [(b["address"], b["weight"], b["admin"]) for b in p["backends"]])
             for p in service["pools"]}
    return service["live"], service["revision"], pools


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_kill_at_random_moments(lab, kills, dice, attach):
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    daemon.flip("web=green")
    loads = start_loads(lab)
    for _ in range(kills):
        before = what_matters(daemon.get())
        loads["new"].wait_requests(dice.randrange(1, 200))
        daemon.kill9()
        loads["new"].wait_requests(100)
        daemon.start()
        assert what_matters(daemon.get()) == before
    daemon.wait_healthy()
    assert truth(lab) == "green"
    stop_clean(loads)


def test_kill_while_it_starts(lab, kills, dice):
    """Adoption is all or nothing: a start that was cut short leaves what a next one can adopt."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    daemon.flip("web=green")
    loads = start_loads(lab)
    for _ in range(kills):
        daemon.kill9()
        daemon.start(wait=False)
        loads["udp"].wait_requests(dice.randrange(1, 60))
    daemon.kill9()
    daemon.start()
    assert daemon.get()["live"] == "green"
    assert truth(lab) == "green"
    stop_clean(loads)


def killing_at(call):
    """A command that kills what it runs at its n-th bpf()."""
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=bpf", "-e",
            f"inject=bpf:signal=KILL:when={call}", "setpriv", "--pdeathsig", "KILL"]


@pytest.mark.parametrize("adopting", [False, True], ids=["first", "adopting"])
def test_kill_at_bpf_calls_of_a_start(lab, full, adopting):
    """Whatever point of loading or adopting it had reached, the next start makes it good."""
    daemon = lab.daemon(lab.config("tc"), start=adopting)
    loads = None
    if adopting:
        daemon.wait_healthy().flip("web=green")
        loads = start_loads(lab)
        daemon.kill9()
    call, more = 1, True
    while more:
        daemon.start(wait=False, under=killing_at(call))
        wait_for(lambda: not daemon.proc.running() or daemon.answering(), 30, "killed or ready")
        more = not daemon.proc.running()
        daemon.proc.close()
        if not adopting and call % 3 == 0:
            shutil.rmtree(daemon.state_dir)
            daemon.make_state()
        call += 1 if full else 1 + call // 2
    wait_for(lambda: not daemon.answering(), 10, "the traced one is gone")
    daemon.start().wait_healthy()
    assert truth(lab) == ("green" if adopting else "blue")
    if loads:
        stop_clean(loads)


def test_kill_during_flip(lab, kills, dice):
    """Afterwards it is one or the other, the daemon says which, and history names what was cut short."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    loads = start_loads(lab)
    reached = []
    for turn in range(kills):
        pool = ("green", "blue")[turn % 2]
        flip = in_background(daemon, "flip", f"web={pool}", "--force", "-m", f"turn {turn}")
        loads["udp"].wait_requests(dice.randrange(0, 20))
        daemon.kill9()
        said = flip.communicate(timeout=30)[0]
        if flip.returncode == 0 and json.loads(said)["changes"]:
            reached.append(f"turn {turn}")
        daemon.start()
        assert daemon.get()["live"] == truth(lab)
    history = daemon.history()
    whys = [release["why"] for release in history]
    assert [why for why in reached if why not in whys] == [], "a flip that was reached is not in history"
    numbers = sorted(release["number"] for release in history)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "history has a hole"
    assert all(release["result"] for release in history), "a release without a result"
    daemon.wait_healthy()
    stop_clean(loads)


def test_kill_during_apply(lab, kills, dice):
    """Old configuration or new one, never a mixture; no traffic is moved by it."""
    config = lab.config("tc")
    other = lab.config("tc", {"web": lab.service(), "more": lab.service([f"{vip(4, 9000)}/tcp"])})
    daemon = lab.daemon(config).wait_healthy()
    daemon.flip("web=green")
    loads = start_loads(lab)
    for turn in range(kills):
        path = daemon.write(other if turn % 2 == 0 else config)
        apply = in_background(daemon, "apply", "-f", path)
        loads["udp"].wait_requests(dice.randrange(0, 20))
        daemon.kill9()
        apply.communicate(timeout=30)
        daemon.start()
        assert daemon.get()["live"] == "green" == truth(lab)
        services = {s["service"] for s in daemon.state()["services"]}
        assert services == ({"web", "more"} if turn % 2 == 0 else {"web"}), "not what the file says"
    stop_clean(loads)


def links(daemon):
    """Ids of the pinned BPF links: a new id would be a moment without a program."""
    listed = run(["bpftool", "-j", "-f", "link", "list"]).stdout
    return sorted(link["id"] for link in json.loads(listed)
                  if any(pin.startswith(daemon.bpffs) for pin in link.get("pinned", [])))


def hooks(lab, daemon):
    """What is attached: links, and filters where the kernel has no tcx (before 6.6), whose programs are
    replaced in place."""
    filters = {(i, d): lab.filters(i, d) for i in lab.interfaces() for d in ("ingress", "egress")}
    return links(daemon), filters


def is_whole(lab, attached):
    """Each interface has something on its way in and on its way out."""
    listed, filters = attached
    return len(listed) + sum(map(len, filters.values())) >= 2 * len(lab.interfaces())


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_stop_and_start_is_an_upgrade(lab, attach):
    """SIGTERM leaves the data path; nothing is detached or attached anew on the way back."""
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    daemon.flip("web=green")
    loads = start_loads(lab)
    before = hooks(lab, daemon)
    assert is_whole(lab, before), before
    for _ in range(3):
        assert daemon.stop() == 0
        loads["new"].wait_requests(200)
        assert hooks(lab, daemon) == before
        daemon.start()
        assert hooks(lab, daemon) == before
    stop_clean(loads)


def test_remove_leaves_nothing(lab):
    daemon = lab.daemon(lab.config("xdp")).wait_healthy()
    assert daemon.pins()
    daemon.stop()
    done = daemon.remove()
    assert done.returncode == 0, done.stderr
    assert daemon.pins() == []
    for interface in lab.interfaces():
        link = lab.node.ip_json("-d", "link", "show", "dev", interface)[0]
        assert "xdp" not in link, link
        assert "clsact" not in lab.node.run("tc", "qdisc", "show", "dev", interface).stdout
    wait_for(lambda: lab.node.run("bpftool", "net", "show").stdout.count("zdd") == 0, 5, "no program left")


def test_lost_state_directory_under_load(lab):
    """Pins without database: the kernel's maps are the truth about traffic."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    daemon.flip("web=green")
    loads = start_loads(lab)
    daemon.kill9()
    shutil.rmtree(daemon.state_dir)
    daemon.start()
    assert daemon.get()["live"] == "green" == truth(lab)
    stop_clean(loads)
