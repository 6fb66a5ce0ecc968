# SPDX-License-Identifier: BSD-2-Clause
"""Packets and requests through real stacks, every way in turn."""
import json
import os
import re

from lablib import web
from lablib.lab import PORT
from lablib.proc import BUILD, run

from .figures import Series
from .ways import PACKET_WAYS, WEB_WAYS, made

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
PACKETS = 300_000
FLOWS = 4096
CONNECTIONS = 50
SECONDS = 1
ENOUGH = 0.99  # of the packets sent must arrive, or the figure is of something else


def burst(way, packets=PACKETS, flows=FLOWS, cpu=1):
    lab, backend = way.lab, way.backend
    argv = [os.path.join(BUILD, "bench", "live"), "--client", f"{lab.client.name}/eth0/10.64.0.1",
            "--node", f"{lab.node.name}/cl/{backend.interface}", "--sink", f"{backend.netns.name}/eth0",
            "--to", f"{way.target}:{PORT}", "--port", str(PORT), "--flows", str(flows), "--cpu", str(cpu),
            "--sent", str(packets), "--arrives-as", way.arrives_as]
    if way.floor:
        argv += ["--floor", way.floor]
    result = json.loads(run(argv).stdout)
    assert result["arrived"] >= ENOUGH * packets, f"{way.name}: {result}"
    return result


def packets():
    """{way: {"cpu_ns": Series, "per_second": Series}}"""
    with made(PACKET_WAYS) as ways:
        results = {way.name: {"cpu_ns": Series(), "per_second": Series()} for way in ways}
        for _ in range(ROUNDS):
            for way in ways:
                seen = burst(way)
                for key, series in results[way.name].items():
                    series.add(seen[key])
    return results


# --- requests

def cpu_ns(way):
    """Of all processes of the lab so far, kernel time for packets included (it runs in their context)."""
    return sum(process_ns(pid) for name in (way.lab.client, way.lab.node, way.backend.netns)
               for pid in run(["ip", "netns", "pids", name.name]).stdout.split())


def process_ns(pid):
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0])
    except FileNotFoundError:
        return 0


def softirqd_ns():
    pids = run(["pgrep", "^ksoftirqd/"]).stdout.split()
    return sum(process_ns(pid) for pid in pids)


_UNITS = {"us": 1, "ms": 1000, "s": 1_000_000}


def read_wrk(text):
    seen = web.read_wrk(text)
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return {"requests": seen.pop("requests"),
            "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            "p99_us": float(p99) * _UNITS[unit],
            "failed": sum(seen.values())}


def wrk(way, close):
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}", "--latency"]
    if close:
        argv += ["-H", "Connection: close"]
    # wrk's own CPU time ends with it: the shell says how much that was.
    script = '"$@"; times'
    before, soft = cpu_ns(way), softirqd_ns()
    done = run(["bash", "-c", script, "wrk", *argv, f"http://{way.target}:{PORT}/"],
               netns=way.lab.client.name)
    spent = cpu_ns(way) - before + softirqd_ns() - soft
    result = read_wrk(done.stdout)
    minutes = re.findall(r"(\d+)m([\d.]+)s", done.stdout.strip().split("\n")[-1])
    spent += sum(60 * int(m) + float(s) for m, s in minutes) * 1e9
    result["cpu_us"] = spent / 1000 / max(result["requests"], 1)
    return result


def requests():
    """{way: {"keep-alive": {...}, "new": {...}}}, each of Series."""
    kinds = (("keep-alive", False), ("new", True))
    keys = ("per_second", "cpu_us", "p99_us", "failed")
    with made(WEB_WAYS, lambda way: way.start_web()) as ways:
        results = {way.name: {kind: {key: Series() for key in keys} for kind, _ in kinds} for way in ways}
        for _ in range(ROUNDS):
            for kind, close in kinds:
                for way in ways:
                    seen = wrk(way, close)
                    for key in keys:
                        results[way.name][kind][key].add(seen[key])
    return results
