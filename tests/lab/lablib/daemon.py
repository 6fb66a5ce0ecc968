# SPDX-License-Identifier: BSD-2-Clause
"""One zddd and its zddctl, with directories of its own."""
import json
import os
import shutil
import signal
import socket
import time
from dataclasses import dataclass

from . import names
from .proc import BUILD, PATIENCE, Proc, run, wait_for

EXIT = {"reached": 0, "error": 1, "usage": 2, "absent": 3, "refused": 4, "no_daemon": 5, "not_permitted": 6,
        "failed_safe": 10, "rolled_back": 11, "aborted": 12, "waiting": 13, "inconclusive": 14,
        "timeout": 15, "cut": 16, "changes": 20}


@dataclass
class Answer:
    """What zddctl said. Times are CLOCK_MONOTONIC, as in the peers' logs."""
    code: int
    stdout: str
    stderr: str
    began_ns: int
    ended_ns: int

    @property
    def data(self):
        return json.loads(self.stdout)

    def __getitem__(self, key):
        return self.data[key]


class Daemon:
    def __init__(self, lab, config, start=True, name="zddd", netns=None):
        self.lab = lab
        self.netns = netns or lab.node
        self.name = name
        self.proc = None
        self.starts = 0
        self.place()
        self.write(config)
        if start:
            self.start()

    def place(self):
        """Where it has its things."""
        self.directory = os.path.join(self.lab.directory, self.name)
        self.state_dir = os.path.join(self.directory, "state")
        self.bpffs = os.path.join(names.BPFFS, f"{self.lab.name}-{self.name}")
        self.program = os.path.join(BUILD, "zddd")
        self.config_path = os.path.join(self.directory, "zdd.yaml")
        self.socket = os.path.join(self.directory, "zddd.sock")
        self.make_state()
        _mount_bpffs()
        self.lab.defer(self._clear)

    def make_state(self):
        os.makedirs(self.state_dir)

    def write(self, config):
        """`config` is a dict (written as JSON, which is accepted), or text."""
        text = config if isinstance(config, (str, bytes)) else json.dumps(config, indent=1)
        with open(self.config_path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self.config_path

    def argv(self, *more):
        return [self.program, "--config", self.config_path, "--run-dir", self.directory,
                "--state-dir", self.state_dir, "--bpffs", self.bpffs, *more]

    def start(self, wait=True, under=()):
        """`under` is a command to run it by, such as strace; `proc` is that command then."""
        self.starts += 1
        self.proc = Proc([*under, *self.argv("-v")], self.directory, f"{self.name}-{self.starts}",
                         self.netns.name)
        self.lab.adopt(self.proc)
        if wait:
            self.wait_answering()
        return self

    def answering(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            try:
                s.connect(self.socket)
                s.sendall(b"GET /v1/state HTTP/1.1\r\nHost: zdd\r\nConnection: close\r\n\r\n")
                return s.recv(12).startswith(b"HTTP/1.1")
            except OSError:
                return False

    def wait_answering(self, timeout=20):
        wait_for(lambda: self.answering() or not self.proc.running(), timeout,
                 f"zddd answers on {self.socket}")
        assert self.proc.running(), f"zddd ended with {self.proc.returncode}:\n{self.proc.tail()}"

    def ctl(self, *args, expect=0, text=False, timeout=60, at_socket=None):
        """Runs zddctl; `expect` is an exit code, a tuple of them, or None for any."""
        argv = [os.path.join(BUILD, "zddctl"), "--socket", at_socket or self.socket]
        argv += [] if text else ["-o", "json"]
        argv += ["--timeout", f"{30 * PATIENCE:.0f}s"] if PATIENCE > 1 else []
        began = time.monotonic_ns()
        done = run(argv + [str(a) for a in args], check=False, timeout=timeout * PATIENCE)
        answer = Answer(done.returncode, done.stdout, done.stderr, began, time.monotonic_ns())
        allowed = (expect,) if isinstance(expect, int) else expect
        assert allowed is None or answer.code in allowed, \
            f"zddctl {' '.join(map(str, args))}: exit {answer.code}, not {expect}\n{answer.stdout}{answer.stderr}"
        return answer

    def get(self, service="web"):
        """`get SVC -o json`, as one object."""
        return self.ctl("get", service).data

    def state(self):
        """Of the whole node: {"generation", "state", "problems", "interfaces", "services"}."""
        return self.ctl("ls").data

    def open_flows(self, name="web"):
        """Counted now; `flows_active` is what the last walk found, about a second ago.

        What has ended lingers for late packets and is listed as closing or reset.
        """
        conns = self.ctl("conns", name, "--limit", 200_000)["conns"]
        return sum(c["state"] in ("established", "udp") for c in conns)

    def history(self, service="web"):
        return self.ctl("history", service)["releases"]

    def counters(self):
        """{verdict: {"count", "expected", ...}}, straight from the API."""
        done = run(["curl", "-sf", "--unix-socket", self.socket, "http://zdd/v1/counters"])
        return {v["name"]: v for v in json.loads(done.stdout)["verdicts"]}

    def surprises(self):
        """Verdicts that a healthy node does not show, and did."""
        return {name: v["count"] for name, v in self.counters().items()
                if v["count"] and not v["expected"]}

    def pool(self, pool, service="web"):
        return next(p for p in self.get(service)["pools"] if p["name"] == pool)

    def backends(self, service="web"):
        return {b["address"]: b for p in self.get(service)["pools"] for b in p["backends"]}

    def wait_healthy(self, service="web", timeout=15):
        wait_for(lambda: all(b["health"] == "up" for b in self.backends(service).values()), timeout,
                 f"all backends of {service} up")
        return self

    def flip(self, *targets, **options):
        """flip("web=green") and what it answered."""
        return self.ctl("flip", *targets, **options)

    # --- ends and beginnings

    def kill9(self):
        self.proc.kill9()

    def stop(self):
        """SIGTERM: the data path stays."""
        return self.proc.stop()

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        self.proc.signal(signal.SIGHUP)

    def remove(self):
        """zddd --remove: takes it out of the kernel whole."""
        return run(self.argv("--remove"), netns=self.netns.name, check=False)

    def pins(self):
        return sorted(os.path.join(d, f) for d, _, files in os.walk(self.bpffs) for f in files)

    def _clear(self):
        shutil.rmtree(self.bpffs, ignore_errors=True)


def _mount_bpffs():
    if not os.path.ismount(names.BPFFS):
        run(["mount", "-t", "bpf", "bpf", names.BPFFS])
