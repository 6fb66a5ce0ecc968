# SPDX-License-Identifier: BSD-2-Clause
"""A machine with systemd in the node's network: this one's files under an overlay, nothing of it started
but what is asked for. And zddd as its unit runs it there."""
import os

from . import names
from .daemon import Daemon
from .proc import ROOT, run, wait_for

# The unit files' own wishes (udev, sysctl, swap ...) are hidden: the network is the lab's.
BOOT = """
set -e
mkdir -p {own}
mount -t tmpfs tmpfs {own}
mkdir {own}/upper {own}/work {own}/root
mount -t overlay overlay -o lowerdir=/,upperdir={own}/upper,workdir={own}/work {own}/root
cd {own}/root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
for wishes in {{usr/lib,etc}}/systemd/system/*.target.wants; do
	[[ ! -d $wishes ]] || mount -t tmpfs tmpfs "$wishes"
done
for shared in {shared}; do
	mkdir -p .$shared
	mount --bind $shared .$shared
done
mkdir -p run/systemd/system
printf '[Unit]\\nRequires=dbus.socket systemd-journald.service\\n' >run/systemd/system/lab.target
mkdir -p mnt
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin container=lab /lib/systemd/systemd --unit=lab.target </dev/null
"""


class Machine:
    def __init__(self, lab):
        self.group = os.path.join(names.cgroup2(), f"{lab.name}-machine")
        os.mkdir(self.group)
        own = os.path.join(lab.directory, "machine")
        boot = BOOT.format(own=own, shared=f"{ROOT} {lab.directory}")
        join = f'echo $$ >"{self.group}/cgroup.procs"; exec unshare --mount --pid --ipc --uts --cgroup --fork ' \
            '--kill-child bash -c "$0"'
        self.proc = lab.start(["bash", "-c", join, boot], "machine", lab.node)
        lab.defer(self._end)
        self.pid = wait_for(self._init, 20, "systemd is there")
        wait_for(lambda: self.run("systemctl", "is-active", "lab.target", check=False).returncode == 0, 30,
                 lambda: f"systemd is up: {self.proc.tail()}")

    def _end(self):
        """Its first process takes all others with it."""
        self.proc.kill9()
        with open(os.path.join(self.group, "cgroup.events"), encoding="ascii") as events:
            wait_for(lambda: events.seek(0) or "populated 0" in events.read(), 20, "its processes are gone")
        names.remove_cgroup(self.group)

    def _init(self):
        assert self.proc.running(), self.proc.tail()
        with open(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children", encoding="ascii") as file:
            pid = file.read().strip()
        if not pid:
            return None
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return int(pid) if file.read().strip() == "systemd" else None

    def run(self, *argv, check=True, **options):
        enter = ["nsenter", "-t", str(self.pid), "-m", "-p", "-i", "-u", "-C", "-n", "--"]
        return run([*enter, *argv], check=check, **options)

    def path(self, inside):
        return f"/proc/{self.pid}/root{inside}"

    def install(self):
        """As an operator does it."""
        self.run("make", "-s", "-C", ROOT, "install", "PREFIX=/usr")
        self.run("systemctl", "daemon-reload")


class UnitDaemon(Daemon):
    """zddd by its unit."""

    def __init__(self, lab, config, **options):
        self.machine = Machine(lab)
        self.machine.install()
        super().__init__(lab, config, **options)

    def place(self):
        self.socket = self.machine.path("/run/zdd/zddd.sock")
        self.config_path = self.machine.path("/etc/zdd/zdd.yaml")
        os.makedirs(os.path.dirname(self.config_path))

    def show(self, what, unit="zddd.service"):
        return self.machine.run("systemctl", "show", "--value", "-p", what, unit).stdout.strip()

    @property
    def pid(self):
        """Its number in there."""
        return int(self.show("MainPID"))

    def status(self, pid=None):
        """/proc/PID/status as a dict."""
        with open(self.machine.path(f"/proc/{pid or self.pid}/status"), encoding="utf-8") as file:
            return {key: value.strip() for key, _, value in (line.partition(":") for line in file)}

    def drop_in(self, text):
        path = self.machine.path("/etc/systemd/system/zddd.service.d")
        os.makedirs(path)
        with open(os.path.join(path, "lab.conf"), "w", encoding="ascii") as file:
            file.write(text)
        self.machine.run("systemctl", "daemon-reload")

    def start(self, wait=True, under=()):
        self.machine.run("systemctl", "start", "zddd")  # comes back when zddd is ready
        assert self.answering(), self.said()
        return self

    def stop(self):
        self.machine.run("systemctl", "stop", "zddd")

    def kill9(self):
        self.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "zddd")

    def restarts(self):
        return int(self.show("NRestarts"))

    def said(self):
        return self.machine.run("journalctl", "-u", "zddd", "-o", "cat", "--no-pager").stdout
