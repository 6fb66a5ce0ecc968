# SPDX-License-Identifier: BSD-2-Clause
"""Removal at the drain deadline: both ends of every connection are told, at the rate asked for."""
import errno
import select
import socket
import statistics
import threading
import time

import pytest

import test_roads
from lablib import plain
from lablib.daemon import EXIT
from lablib.lab import VIP4, VIP6, vip
from lablib.peers import assert_clean
from lablib.proc import wait_for

EVERYWHERE = [(4, "tc"), (6, "tc"), (4, "xdp"), (6, "xdp")]
NS = 1_000_000_000


def drained(lab, attach, then, deadline="1s", **more):
    service = lab.service(drain={"deadline": deadline, "then": then, **more})
    return lab.daemon(lab.config(attach, {"web": service})).wait_healthy()


def events(daemon, words):
    return [e for e in daemon.ctl("events")["events"] if e["kind"] == "drain" and words in e["text"]]


def wait_event(daemon, words, timeout=40):
    return wait_for(lambda: events(daemon, words), timeout, f"an event says '{words}'")[0]


def cut_rows(load):
    """The load's flows to the old pool that were reset."""
    return [row for row in load.rows() if row.result == "reset" and row.pool == "blue"]


def resets_of(lab, pool):
    return [row for b in lab.pools[pool] for row in b.server.resets()]


def tuples(rows):
    return {(row.host, row.port) for row in rows}


def spread(rows, key):
    times = sorted(getattr(row, key) for row in rows)
    return (times[-1] - times[0]) / NS


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_cut_reaches_both_ends_of_all(lab, full, family, attach):
    idle_n, busy_n = (10_000, 1000) if full else (500, 50)
    daemon = drained(lab, attach, "cut", "3s")
    idle = lab.load("idle", vip(family), flows=idle_n, sources=200, interval=600_000, log=True)
    idle.wait_answered(idle_n, 60)
    busy = lab.load("keep", vip(family), flows=busy_n, sources=50, log=True)
    busy.wait_answered(busy_n, 60)
    daemon.flip("web=green")
    text = wait_event(daemon, "drained")["text"]
    everyone = idle_n + busy_n
    assert text == f"drained: no flow is open; 0 finished, {everyone} cut"
    assert events(daemon, f"deadline passed with {everyone} flows open; they are cut")
    wait_for(lambda: len(resets_of(lab, "blue")) >= everyone, 5, "every backend's end is reset")
    busy.stop()
    idle.stop()
    clients, backends = cut_rows(idle) + cut_rows(busy), resets_of(lab, "blue")
    assert len(clients) == len(backends) == everyone
    assert tuples(clients) == tuples(backends)
    at = {(row.host, row.port): row.ns for row in backends}
    apart = [abs(row.end - at[row.host, row.port]) / 1e6 for row in clients]
    print(f"v{family} {attach}: {everyone} cut in {spread(clients, 'end'):.3f} s at the clients, "
          f"{spread(backends, 'ns'):.3f} s at the backends; one connection's two ends "
          f"{statistics.median(apart):.2f} ms apart, at most {max(apart):.1f}")


class Streams(threading.Thread):
    """Connections that are full of data, one half from the server, one half to it, until they end."""

    def __init__(self, lab, family, n):
        super().__init__(daemon=True)
        self.open, self.ended = {}, {}
        for i in range(n):
            s = plain.connect(lab.client, VIP4 if family == 4 else VIP6, 443)
            self.open[s] = s.getsockname()[:2]
            s.sendall(b"B 1000000000000\n" if i % 2 else b"P 1000000000000\n")
            s.setblocking(False)
        self.readers = list(self.open)[1::2]
        self.writers = list(self.open)[::2]
        self.bytes = 0
        self.start()

    def step(self, s, what):
        try:
            self.bytes += len(s.recv(1 << 16)) if what is socket.socket.recv else s.send(b"x" * (1 << 16))
        except BlockingIOError:
            pass
        except OSError as error:
            self.ended[self.open.pop(s)] = (error.errno, time.monotonic_ns())
            (self.readers if s in self.readers else self.writers).remove(s)

    def run(self):
        while self.open:
            readable, writable, _ = select.select(self.readers, self.writers, [], 0.2)
            for s in readable:
                self.step(s, socket.socket.recv)
            for s in writable:
                self.step(s, socket.socket.send)


LOSS = "table inet loss {{ chain {0} {{ type filter hook {0} priority 0; " \
       "tcp sport {{ 443, 8080 }} numgen random mod 100 < 4 drop; " \
       "tcp dport {{ 443, 8080 }} numgen random mod 100 < 4 drop; }}; }}"


@pytest.mark.parametrize("family,attach,lossy", [
    (4, "tc", True), (6, "xdp", True), (6, "tc", False), (4, "xdp", False)])
def test_cut_while_data_is_on_its_way(lab, family, attach, lossy):
    """What was seen here and never arrived: the peer's challenge ACK gives the number that counts."""
    daemon = drained(lab, attach, "cut", "3s")
    streams = Streams(lab, family, 20)
    daemon.flip("web=green")
    wait_for(lambda: streams.bytes > 1_000_000, 10, "data flows")
    if lossy:
        lab.client.nft(LOSS.format("input"))
        lab.backend("blue0").netns.nft(LOSS.format("input"))
    late = wait_event(daemon, "deadline passed")
    began = time.monotonic_ns()
    streams.join(20)
    print(f"v{family} {attach} lossy={lossy}: {late['text']}: "
          f"{sorted(round((ns - began) / 1e6) for _, ns in streams.ended.values())} ms; cut "
          f"{daemon.counters()['cut']['count']}")
    assert not streams.is_alive(), f"{len(streams.open)} hang"
    assert {error for error, _ in streams.ended.values()} <= {errno.ECONNRESET, errno.EPIPE}
    wait_for(lambda: tuples(resets_of(lab, "blue")) == set(streams.ended), 10, "the servers were told")


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_shed_keeps_its_rate_over_a_kill(lab, attach):
    """N a second and no more, evenly; the next daemon goes on where the killed one was."""
    flows, rate = 120, 30
    daemon = drained(lab, attach, "shed", "1s", rate=rate)
    idle = lab.load("idle", vip(4), flows=flows, sources=50, interval=600_000, log=True)
    idle.wait_answered(flows)
    where = lab.backend("blue0").endpoints()[0]
    there = daemon.open_flows(f"web/blue/{where}")
    daemon.ctl("drain", f"web/blue/{where}")
    wait_event(daemon, f"deadline passed with {there} flows open; {rate} a second are cut")
    wait_for(lambda: len(resets_of(lab, "blue")) > there / 4, 20, "a part is cut")
    daemon.kill9()
    before = resets_of(lab, "blue")
    assert len(before) < there, "all was cut before the daemon was killed"
    daemon.start()
    said = daemon.ctl("status", "web", "--until", "drained", "--timeout", "20s", text=True, expect=EXIT["cut"])
    assert f"drained; 0 finished, {there} cut" in said.stdout
    assert f"{there} connections had to be cut" in said.stderr
    assert wait_event(daemon, "drained")["text"].endswith(f"0 finished, {there} cut")
    wait_for(lambda: len(resets_of(lab, "blue")) == there, 10, "all of that backend are cut")
    assert {row.host for row in resets_of(lab, "blue")} == {row.host for row in lab.backend("blue0").server.resets()}
    assert daemon.open_flows("web/blue") == flows - there
    idle.stop()
    times = sorted(row.end for row in cut_rows(idle))
    assert len(times) == there
    gap = max(b - a for a, b in zip(times, times[1:])) / NS
    busiest = max(sum(t <= u < t + NS for u in times) for t in times)
    print(f"{attach}: {there} at {rate} a second: busiest second {busiest}, longest gap {gap:.2f} s (a restart)")
    assert busiest <= rate + 4


def test_a_drain_that_ends_by_itself_cuts_nobody(lab):
    daemon = drained(lab, "tc", "cut", "5s")
    idle = lab.load("idle", vip(4), flows=9, interval=100)
    idle.wait_answered(9)
    daemon.flip("web=green")
    wait_for(lambda: daemon.get()["drains"] and daemon.get()["drains"][0]["open"] == 9, 5, "nine are open")
    assert_clean(idle.stop())
    assert wait_event(daemon, "drained")["text"] == "drained: no flow is open; 9 finished, 0 cut"
    assert daemon.ctl("status", "web", "--until", "drained", text=True).code == 0
    assert not resets_of(lab, "blue")


def test_who_holds_up_a_drain(lab):
    """Oldest first; and what a rule or the preview gave to the pool is nobody's fault, and stays."""
    service = lab.service(drain={"deadline": "4s", "then": "cut"}, cohorts={"blue": ["10.64.0.9/32"]},
                          preview=[f"{vip(4, 8443)}/tcp"])
    daemon = lab.daemon(lab.config("tc", {"web": service})).wait_healthy()
    old = plain.connect(lab.client, VIP4, 443)
    plain.ask(old)
    ruled = plain.connect(lab.client, VIP4, 443, "10.64.0.9")
    wait_for(lambda: daemon.ctl("conns", "web")["conns"][0]["age_ms"] > 6000, 20, "the first ones are old")
    new = plain.connect(lab.client, VIP4, 443)
    plain.ask(new)
    assert daemon.ctl("conns", "web", "--draining")["total"] == 0
    daemon.flip("web=green")
    preview = plain.connect(lab.client, VIP4, 8443)
    assert plain.ask(preview)[1] == "blue"
    holders = daemon.ctl("conns", "web", "--draining")["conns"]
    names = ["%s:%u" % s.getsockname() for s in (old, new)]
    assert [c["client"] for c in holders] == names
    assert all(c["deadline"] for c in holders)
    wait_for(lambda: not daemon.ctl("conns", "web", "--draining")["total"], 20, "they are cut")
    for s in (old, new):
        with pytest.raises(ConnectionResetError):
            s.recv(1)
    for s in (ruled, preview):
        assert plain.ask(s)[1] == "blue"


def test_udp_moves_at_the_deadline(lab):
    daemon = drained(lab, "tc", "cut", "1s")
    load = lab.load("udpkeep", vip(4), flows=4, interval=50)
    load.wait_answered(4)
    daemon.flip("web=green")
    wait_event(daemon, "drained")
    wait_for(lambda: daemon.open_flows("web/green") == 4, 10, "they are at the new pool")
    assert load.stop()["failures"]["timeout"] == 0


@pytest.mark.parametrize("road", [test_roads.Road("dsr", 4, 4), test_roads.Road("ipip", 6, 4),
                                  test_roads.Road("gue", 4, 6)], ids=str)
def test_cut_where_answers_go_past(make_lab, road):
    """The client's number is what it acknowledged; the backend's reset goes the packets' own way."""
    lab = test_roads.build(make_lab)
    daemon = test_roads.start(lab, road, "tc", drain={"deadline": "2s", "then": "cut"})
    idle = lab.load("idle", vip(road.clients), flows=60, sources=20, interval=600_000, log=True)
    idle.wait_answered(60)
    daemon.flip("web=green")
    assert wait_event(daemon, "drained")["text"].endswith("0 finished, 60 cut")
    servers = [lab.backend(name).server for name in ("blue0", "extra0")]
    wait_for(lambda: sum(len(list(s.resets())) for s in servers) == 60, 10, "every backend's end is reset")
    idle.stop()
    assert len(cut_rows(idle)) == 60
