# SPDX-License-Identifier: BSD-2-Clause
"""Servers and clients: wrappers of .build/peers/ledgerd and .build/peers/loadc (see their headers)."""
import json
import os
import shutil
import subprocess
from collections import namedtuple

from .proc import BUILD, ROOT, wait_for

LedgerRow = namedtuple("LedgerRow", "proto ns host port local_port backend pool")
FlowRow = namedtuple("FlowRow", "number target start connect first end host port backend pool "
                                "requests result")


def build():
    """Up to date for this run; two runs at once do not write over each other."""
    os.makedirs(BUILD, exist_ok=True)
    subprocess.run(["flock", os.path.join(BUILD, ".peers.lock"), "make", "-s", "-C", ROOT, "-f",
                    "tests/peers/peers.mk", f"B={BUILD}"], check=True)


def peer(name):
    return os.path.join(BUILD, "peers", name)


def _is_probe(host):
    """The node's own addresses in the backends' networks: its health checks."""
    return host.startswith("10.20.") or host.startswith("fd20:")


def as_user(user):
    """argv prefix: as somebody who may nothing, and can gain nothing."""
    return ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups", "--inh-caps=-all",
            "--bounding-set=-all", "--no-new-privs", "--"]


def _home_of(lab, user):
    """A directory of the lab in which that user may write."""
    home = os.path.join(lab.directory, user)
    os.makedirs(home, exist_ok=True)
    shutil.chown(home, user, "nogroup")
    os.chmod(lab.directory, 0o711)
    return home


def _copy_to(directory, program):
    """The build directory may be root's own."""
    copy = os.path.join(directory, os.path.basename(program))
    return copy if os.path.exists(copy) else shutil.copy(program, copy)


class Ledgerd:
    """One backend's server, TCP and UDP, both families unless told."""

    serial = 0

    def __init__(self, lab, backend, families=(4, 6), protocols=("tcp", "udp"), user=None):
        Ledgerd.serial += 1
        self.backend = backend
        directory = lab.directory if not user else _home_of(lab, user)
        program = peer("ledgerd") if not user else _copy_to(directory, peer("ledgerd"))
        self.ledger_path = os.path.join(directory, f"{backend.name}.ledger")
        self.health_path = os.path.join(directory, f"{backend.name}.health")
        self.mood_path = os.path.join(directory, f"{backend.name}.mood")
        argv = as_user(user) if user else []
        argv += [program, "--name", backend.name, "--pool", backend.pool,
                "--ledger", self.ledger_path, "--health", self.health_path, "--mood", self.mood_path]
        for where in backend.endpoints(families):
            argv += [word for protocol in protocols for word in (f"--{protocol}", where)]
        self.proc = lab.start(argv, f"{backend.name}-{Ledgerd.serial}", backend.netns)

    def wait_ready(self):
        wait_for(lambda: "ready" in self.proc.out() or not self.proc.running(), 10,
                 f"{self.backend.name} listens")
        assert self.proc.running(), f"{self.backend.name}: {self.proc.tail()}"

    def health(self, status):
        """What /health answers; 0 for silence."""
        with open(self.health_path + ".new", "w", encoding="ascii") as file:
            file.write(str(status))
        os.rename(self.health_path + ".new", self.health_path)

    def mood(self, **words):
        """What befalls its connections: see tests/peers/ledgerd_mood.h."""
        with open(self.mood_path + ".new", "w", encoding="ascii") as file:
            file.write(" ".join(f"{word} {value}" for word, value in words.items()))
        os.rename(self.mood_path + ".new", self.mood_path)

    def rows(self):
        """Connections and UDP flows that came."""
        return (row for row in self._all() if row.proto != "rst")

    def resets(self):
        """Connections that were reset."""
        return (row for row in self._all() if row.proto == "rst")

    def _all(self):
        with open(self.ledger_path, encoding="ascii") as file:
            for line in file:
                part = line.split()
                if len(part) == 5 and not _is_probe(part[2]):
                    yield LedgerRow(part[0], int(part[1]), part[2], int(part[3]), int(part[4]),
                                    self.backend.name, self.backend.pool)


def host_drops():
    """Frames that the host dropped because a CPU's backlog was full, which all namespaces share: somebody
    else's flood costs packets here (Documentation/networking/scaling.rst; second column)."""
    with open("/proc/net/softnet_stat", encoding="ascii") as file:
        return sum(int(line.split()[1], 16) for line in file)


class Load:
    """Client load. `sources` > 1 makes that many different clients."""
    serial = 0

    def __init__(self, lab, mode, *targets, netns=None, log=False, source=None, **options):
        Load.serial += 1
        base = f"load{Load.serial}-{mode}"
        self.mode = mode
        self.status_path = os.path.join(lab.directory, f"{base}.status")
        self.rows_path = os.path.join(lab.directory, f"{base}.rows")
        argv = [peer("loadc"), "--mode", mode, "--status", self.status_path]
        targets = [t for target in targets for t in ([target] if isinstance(target, str) else target)]
        for target in targets:
            argv += ["--target", target]
        if options.get("sources") and not source:
            source = "fd64::1" if targets[0].startswith("[") else "10.64.0.1"
        if source:
            argv += ["--source", source]
        if log:
            argv += ["--log", self.rows_path]
        for key, value in options.items():
            argv += [f"--{key.replace('_', '-')}", str(value)]
        self.lab, self.drops = lab, lab.dropped()
        self.proc = lab.start(argv, base, netns or lab.client)

    def status(self):
        """Figures so far."""
        try:
            with open(self.status_path, encoding="ascii") as file:
                return json.load(file)
        except FileNotFoundError:
            return {"requests": 0, "flows": 0, "failed": 0, "answered": 0,
                    "failures": {"refused": 0}}

    def running_well(self):
        assert self.proc.running(), f"load ended by itself: {self.proc.tail()}{self.proc.out()}"
        return self.status()

    def wait_requests(self, more, timeout=20):
        """Until so many further requests were answered."""
        least = self.running_well()["requests"] + more
        wait_for(lambda: self.running_well()["requests"] >= least, timeout,
                 f"{more} more requests; {self.status()}")

    def wait_answered(self, flows, timeout=20):
        """Until so many open flows had an answer."""
        wait_for(lambda: self.running_well()["answered"] >= flows, timeout,
                 f"{flows} open flows; {self.status()}")

    def result(self, timeout=60):
        """Waits for the end of a load that ends by itself."""
        assert self.proc.wait(timeout) == 0, self.proc.tail()
        return {**json.loads(self.proc.out()), "dropped": max(0, self.lab.dropped() - self.drops)}

    def stop(self, timeout=30):
        self.proc.stop(timeout)
        return self.result()

    def rows(self):
        with open(self.rows_path, encoding="ascii") as file:
            for line in file:
                p = line.split()
                if len(p) == 12:
                    yield FlowRow(*map(int, p[:6]), p[6], int(p[7]), p[8], p[9], int(p[10]), p[11])


def pools_of(result, count="flows"):
    """{pool: flows} of a load's result."""
    pools = {}
    for b in result["backends"]:
        pools[b["pool"]] = pools.get(b["pool"], 0) + b[count]
    return pools


def assert_clean(result, least=1, rewritten_ok=False):
    """Nobody noticed anything: no failure of any kind, and there was traffic.

    A client's port may only change where two listeners lead to one backend (`rewritten_ok`). UDP is not sent
    again: of it as many datagrams may get lost as rings, queues and sockets dropped meanwhile (test_books.py
    counts them one by one), one in a hundred at most.
    """
    lost = result["failures"]["timeout"] if result["mode"].startswith("udp") else 0
    lost = min(lost, result.get("dropped", 0), result["requests"] // 100)
    assert result["failed"] == lost, {k: result.get(k) for k in ("mode", "failures", "details", "requests", "dropped")}
    assert result["rewritten"] == 0 or rewritten_ok, f"{result['rewritten']} client ports were changed"
    assert result["requests"] >= least, f"only {result['requests']} requests: no proof"
