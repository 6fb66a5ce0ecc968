# SPDX-License-Identifier: BSD-2-Clause
"""Names of what a lab makes (namespaces, bpffs and temporary directories), and what to do with lost ones.

Every name begins with zdd-PID-, the process that will remove it. A name whose process is gone was left
behind by a test that was killed; the next run removes it.
"""
import os
import re
import secrets
import shutil
import signal
import subprocess

BPFFS = "/sys/fs/bpf"
NETNS = "/run/netns"
TMP = "/tmp"
_NAME = re.compile(r"^zdd-(\d+)-[0-9a-f]{6}(-|$)")


def new_name():
    return f"zdd-{os.getpid()}-{secrets.token_hex(3)}"


def _listdir(path):
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []


def of_process(directory, pid):
    """Names in `directory` that this process made."""
    return [name for name in _listdir(directory) if name.startswith(f"zdd-{pid}-")]


def _lost(directory):
    for name in _listdir(directory):
        match = _NAME.match(name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            yield name


def kill_inhabitants(netns):
    pids = subprocess.run(["ip", "netns", "pids", netns], capture_output=True, text=True).stdout
    for pid in pids.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass


def remove_netns(name):
    kill_inhabitants(name)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)


def cgroup2():
    """Where this process is in the hierarchy that systemd wants."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        roots = [fields[1] for fields in map(str.split, mounts) if fields[2] == "cgroup2"]
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        places = [line[3:].strip() for line in file if line.startswith("0::")]
    return roots[0] + places[0] if roots and places else ""


def remove_cgroup(path):
    """With those below it, once their processes are gone."""
    for directory, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            pass


def sweep():
    """Removes what dead processes left behind."""
    for name in list(_lost(NETNS)):
        remove_netns(name)
    for directory in (BPFFS, TMP):
        for name in list(_lost(directory)):
            shutil.rmtree(os.path.join(directory, name), ignore_errors=True)
    for name in list(_lost(cgroup2())):
        remove_cgroup(os.path.join(cgroup2(), name))
