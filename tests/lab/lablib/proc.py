# SPDX-License-Identifier: BSD-2-Clause
"""Programs: started in a namespace, known by pid, their output in files that a failed test shows."""
import os
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.environ.get("ZDD_BUILD", os.path.join(ROOT, ".build"))
TAIL = 8000
PATIENCE = float(os.environ.get("LAB_PATIENCE", 1))  # waits longer where everything is slow (tools/vm)


def patience():
    """What times in the labs are multiplied by: they are meant for a machine that is ours alone. A start
    of zddd costs a second of CPU, most of it the verifier's; beside another `make test` it takes ten."""
    return PATIENCE * max(1, os.getloadavg()[0] / os.cpu_count())


class NotInTime(AssertionError):
    """A condition that did not come true."""


def wait_for(condition, timeout, what):
    """Polls until `condition()` is true and returns what it gave. The only place where a test pauses.
    `what`: for the failure, a text or a function that makes one."""
    began = time.monotonic()
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - began
        if waited > timeout * patience():
            raise NotInTime(f"not within {waited:.0f} s: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def enter(netns):
    """argv prefix: into the namespace without a new mount namespace, which would hide bpffs."""
    return ["nsenter", f"--net=/run/netns/{netns}"] if netns else []


def run(argv, netns=None, check=True, **options):
    """Runs a short command to its end; a failure shows what it said."""
    done = subprocess.run(enter(netns) + list(argv), capture_output=True, text=True, **options)
    if check and done.returncode:
        raise AssertionError(
            f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Proc:
    """A program that runs beside the test. It dies with the test's process, whatever happens."""

    def __init__(self, argv, directory, name, netns=None, env=None):
        self.argv = list(argv)
        self.out_path = os.path.join(directory, f"{name}.out")
        self.log_path = os.path.join(directory, f"{name}.log")
        self.name = name
        argv = ["setpriv", "--pdeathsig", "KILL"] + enter(netns) + self.argv
        with open(self.out_path, "ab") as out, open(self.log_path, "ab") as log:
            self._popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                                           env={**os.environ, **(env or {})})
        self.pid = self._popen.pid

    def running(self):
        return self._popen.poll() is None

    @property
    def returncode(self):
        return self._popen.poll()

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, timeout=30):
        try:
            return self._popen.wait(timeout * patience())
        except subprocess.TimeoutExpired:
            raise NotInTime(f"{self.name} (pid {self.pid}) does not end\n{self.tail()}") from None

    def stop(self, timeout=30):
        """SIGTERM, and its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def close(self):
        """For cleaning up: ends it one way or the other."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(3)
        except subprocess.TimeoutExpired:
            self.kill9()

    def out(self):
        with open(self.out_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tail(self):
        return self.log()[-TAIL:]
