# SPDX-License-Identifier: BSD-2-Clause
"""One network namespace."""
import contextlib
import ctypes
import json
import os

from . import names
from .proc import run

_libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Netns:
    def __init__(self, name):
        self.name = name
        run(["ip", "netns", "add", name])
        self.ip("link set lo up")

    def delete(self):
        names.remove_netns(self.name)

    def run(self, *argv, **options):
        return run(argv, netns=self.name, **options)

    def ip(self, *lines):
        """Runs lines of `ip -batch`; the first that fails ends it."""
        run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines) + "\n")

    def ip_json(self, *argv):
        return json.loads(run(["ip", "-n", self.name, "-j", *argv]).stdout or "[]")

    def tc_json(self, *argv):
        return json.loads(run(["tc", "-n", self.name, "-j", *argv]).stdout or "[]")

    def sysctl(self, **values):
        """sysctl(net__ipv4__ip_forward=1)"""
        self.run("sysctl", "-q", "-w", *(f"{k.replace('__', '.')}={v}" for k, v in values.items()))

    def nft(self, rules):
        self.run("nft", "-f", "-", input=rules)

    def counters(self, interface):
        """The kernel's own counters of an interface: a witness that zdd cannot talk to."""
        stats = self.ip_json("-s", "link", "show", "dev", interface)[0]["stats64"]
        return {f"{way}_{key}": value for way in ("rx", "tx") for key, value in stats[way].items()}

    def dropped(self):
        """Frames and datagrams that devices' full rings and queues and UDP sockets' full buffers cost so far."""
        frames = sum(link["stats64"][way]["dropped"] for link in self.ip_json("-s", "link") for way in ("rx", "tx"))
        text = self.run("cat", "/proc/net/snmp", "/proc/net/snmp6").stdout
        names, values = [line.split()[1:] for line in text.splitlines() if line.startswith("Udp:")]
        v6 = dict(line.split() for line in text.splitlines() if line.startswith("Udp6RcvbufErrors"))
        return frames + int(dict(zip(names, values))["RcvbufErrors"]) + sum(map(int, v6.values()))

    def mac(self, interface):
        return self.ip_json("link", "show", "dev", interface)[0]["address"]

    @contextlib.contextmanager
    def entered(self):
        """Sockets made inside stay in the namespace afterwards."""
        with open("/proc/self/ns/net", "rb") as home, open(f"/run/netns/{self.name}", "rb") as there:
            _setns(there.fileno())
            try:
                yield self
            finally:
                _setns(home.fileno())
