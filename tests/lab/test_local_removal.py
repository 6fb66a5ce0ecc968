# SPDX-License-Identifier: BSD-2-Clause
"""Open connections of mode local: seen in the kernel's own sockets, counted, waited for, and ended at the
deadline of a drain."""
import errno
import socket

import pytest

from lablib import plain
from lablib.daemon import EXIT
from lablib.lab import VIP4, VIP6, vip
from lablib.peers import Ledgerd, assert_clean
from lablib.proc import wait_for
from test_local import PORTS, serve_here, service
from test_removal import NS, cut_rows, events, spread, tuples, wait_event


@pytest.fixture
def host(make_lab):
    """A node whose two versions listen on 127.0.0.1 and ::1 only."""
    lab = make_lab(pools={})
    lab.apps = serve_here(lab, "127.0.0.1", "::1", ["tcp"])
    return lab


def start(lab, then="keep", deadline="1s", rate=50, listen=(":443/tcp",), **more):
    web = service(lab, list(listen), forward="local", drain={"deadline": deadline, "then": then, "rate": rate})
    return lab.daemon(lab.config("tc", {"web": web}, **more)).wait_healthy()


def aborted(lab, pool="blue"):
    """Connections that the application was told to be over; not its health checks."""
    return [row for row in lab.apps[pool].server.resets() if row.host not in ("127.0.0.1", "::1")]


def drains(daemon):
    return daemon.get()["drains"]


@pytest.mark.parametrize("family,where", [(4, "client"), (6, "client"), (4, "node"), (6, "node")])
def test_cut_reaches_both_ends_of_all(host, full, family, where):
    idle_n, busy_n = (10_000, 1000) if full and where == "client" else (500, 50)
    netns = getattr(host, where)
    many = {"sources": 200} if where == "client" else {}
    daemon = start(host, "cut", "3s")
    idle = host.load("idle", vip(family), flows=idle_n, interval=600_000, netns=netns, log=True, **many)
    idle.wait_answered(idle_n, 60)
    busy = host.load("keep", vip(family), flows=busy_n, netns=netns, log=True)
    busy.wait_answered(busy_n, 60)
    everyone = idle_n + busy_n
    assert daemon.open_flows("web/blue") == everyone
    daemon.flip("web=green")
    assert wait_event(daemon, "drained")["text"] == f"drained: no flow is open; 0 finished, {everyone} cut"
    assert events(daemon, f"deadline passed with {everyone} flows open; they are cut")
    wait_for(lambda: len(aborted(host)) >= everyone, 5, "the application is told of all")
    busy.stop()
    idle.stop()
    clients, servers = cut_rows(idle) + cut_rows(busy), aborted(host)
    assert len(clients) == len(servers) == everyone
    assert tuples(clients) == tuples(servers)
    print(f"v{family} {where}: {everyone} cut in {spread(clients, 'end'):.3f} s at the clients, "
          f"{spread(servers, 'ns'):.3f} s at the application")


def test_shed_keeps_its_rate_over_a_kill(host):
    """N a second and no more, evenly; the next daemon goes on where the killed one was."""
    flows, rate = 90, 30
    daemon = start(host, "shed", rate=rate)
    idle = host.load("idle", vip(4), flows=flows, sources=50, interval=600_000, log=True)
    idle.wait_answered(flows)
    daemon.flip("web=green")
    wait_event(daemon, f"deadline passed with {flows} flows open; {rate} a second are cut")
    wait_for(lambda: len(aborted(host)) > flows / 4, 20, "a part is cut")
    daemon.kill9()
    assert len(aborted(host)) < flows, "all was cut before the daemon was killed"
    daemon.start()
    said = daemon.ctl("status", "web", "--until", "drained", "--timeout", "20s", text=True, expect=EXIT["cut"])
    assert f"drained; 0 finished, {flows} cut" in said.stdout
    idle.stop()
    times = sorted(row.end for row in cut_rows(idle))
    assert len(times) == flows
    busiest = max(sum(t <= u < t + NS for u in times) for t in times)
    print(f"{flows} at {rate} a second: busiest second {busiest}")
    assert busiest <= rate + 4


def test_a_drain_waits_for_its_connections(host):
    """Nothing is cut: what is open holds the drain up, and what ends is finished."""
    daemon = start(host)
    idle = host.load("idle", vip(4), flows=9, interval=100)
    idle.wait_answered(9)
    kept = plain.connect(host.client, VIP4, 443)
    plain.ask(kept)
    answer = daemon.flip("web=green")
    assert answer["staying"][0]["flows_active"] == 10
    wait_event(daemon, "deadline passed with 10 flows open; they are kept")
    assert_clean(idle.stop())
    wait_for(lambda: [d["open"] for d in drains(daemon)] == [1], 10, "one is left")
    assert daemon.ctl("status", "web", "--until", "drained", "--timeout", "1s", expect=None).code == EXIT["timeout"]
    assert plain.ask(kept)[1] == "blue"
    kept.close()
    assert wait_event(daemon, "drained")["text"] == "drained: no flow is open; 10 finished, 0 cut"
    assert not aborted(host)


def test_whose_a_connection_is(host):
    """By the listener and the socket that took it: what a rule or the preview gave, another service's, and
    what came past zdd stays, though it is the same process."""
    web = service(host, [":443/tcp"], forward="local", drain={"deadline": "4s", "then": "cut"},
                  cohorts={"blue": ["10.64.0.9/32"]}, preview=[f"{vip(4, 8443)}/tcp"])
    api = service(host, [f"{vip(4, 444)}/tcp"], forward="local")
    daemon = host.daemon(host.config("tc", {"web": web, "api": api})).wait_healthy()
    old = plain.connect(host.client, VIP4, 443)
    ruled = plain.connect(host.client, VIP4, 443, "10.64.0.9")
    other = plain.connect(host.client, VIP4, 444)
    past = plain.connect(host.node, "127.0.0.1", PORTS["blue"])
    for s in (old, ruled, other, past):
        assert plain.ask(s)[1] == "blue"
    wait_for(lambda: daemon.ctl("conns", "web")["conns"][0]["age_ms"] > 6000, 20, "the first ones are old")
    new = plain.connect(host.client, VIP6, 443)
    plain.ask(new)
    assert daemon.ctl("conns", "web")["total"] == 3 and daemon.ctl("conns", "api")["total"] == 1
    daemon.flip("web=green")
    preview = plain.connect(host.client, VIP4, 8443)
    assert plain.ask(preview)[1] == "blue"
    holders = daemon.ctl("conns", "web", "--draining")["conns"]
    assert [c["client"] for c in holders] == ["%s:%u" % old.getsockname(), "[%s]:%u" % new.getsockname()[:2]]
    assert {c["listener"] for c in holders} == {f"{vip(4)}/tcp", f"{vip(6)}/tcp"}
    assert [c["backend"] for c in holders] == [f"{a}:{PORTS['blue']}" for a in ("127.0.0.1", "[::1]")]
    assert all(c["deadline"] and c["state"] == "established" and c["generation"] is None for c in holders)
    wait_for(lambda: not daemon.ctl("conns", "web", "--draining")["total"], 20, "they are cut")
    for s in (old, new):
        with pytest.raises(ConnectionResetError):
            s.recv(1)
    for s in (ruled, other, past, preview):
        assert plain.ask(s)[1] == "blue"
    assert len(aborted(host)) == 2


def test_who_waits_to_be_accepted_is_open(host):
    """In the accept queue of a listener that is not read, and closed by the client: one more, one less."""
    with host.node.entered():
        server = socket.create_server(("127.0.0.1", 8090))
    web = {**service(host, [":443/tcp"], forward="local"), "health": {"type": "none"},
           "drain": {"deadline": "1s", "then": "cut"}}
    web["pools"] = {"blue": ["127.0.0.1:8090"], "green": web["pools"]["green"]}
    daemon = host.daemon(host.config("tc", {"web": web}))
    first, second = (plain.connect(host.client, VIP4, 443) for _ in range(2))
    wait_for(lambda: daemon.open_flows("web/blue") == 2, 5, "both wait")
    first.shutdown(socket.SHUT_WR)
    wait_for(lambda: sorted(c["state"] for c in daemon.ctl("conns", "web")["conns"]) == ["closing", "established"],
             5, "one has said goodbye")
    daemon.flip("web=green")
    assert wait_event(daemon, "drained")["text"] == "drained: no flow is open; 0 finished, 2 cut"
    for s in (first, second):
        with pytest.raises(ConnectionResetError):
            s.recv(1)
    server.close()


def test_nobody_is_lost_sight_of(host):
    """A connection of before, one that came while the daemon was dead, one after it moved into larger tables."""
    daemon = start(host, "cut", "3s", flows={"tcp": 20_000, "udp": 10_000})
    before = plain.connect(host.client, VIP4, 443)
    assert plain.ask(before)[1] == "blue"
    daemon.kill9()
    during = plain.connect(host.client, VIP6, 443)
    plain.ask(during)
    config = host.config("tc", {"web": service(host, [":443/tcp"], forward="local",
                                               drain={"deadline": "3s", "then": "cut"})},
                         flows={"tcp": 60_000, "udp": 10_000})
    daemon.write(config)
    daemon.start()
    after = plain.connect(host.client, VIP4, 443)
    plain.ask(after)
    assert daemon.open_flows("web/blue") == 3
    daemon.flip("web=green")
    assert wait_event(daemon, "drained")["text"].endswith("0 finished, 3 cut")
    for s in (before, during, after):
        with pytest.raises(ConnectionResetError):
            s.recv(1)


def test_an_application_that_came_back_is_known(host):
    """Its new socket was noticed by the kernel's programs alone."""
    daemon = start(host, "cut")
    daemon.kill9()
    blue = host.apps["blue"]
    blue.server.proc.kill9()
    blue.server = Ledgerd(host, blue, protocols=["tcp"])
    blue.server.wait_ready()
    s = plain.connect(host.client, VIP4, 443)
    assert plain.ask(s)[1] == "blue"
    daemon.start()
    assert daemon.open_flows("web/blue") == 1
    daemon.flip("web=green")
    assert wait_event(daemon, "drained")["text"].endswith("0 finished, 1 cut")
    with pytest.raises(OSError) as seen:
        s.recv(1)
    assert seen.value.errno == errno.ECONNRESET


def test_doctor_says_that_it_can_be_done(host):
    daemon = start(host, "cut")
    check = next(c for c in daemon.ctl("doctor", expect=None)["checks"] if c["name"] == "local_sockets")
    assert check["ok"], check


def test_remove_leaves_no_pin(host):
    daemon = start(host)
    assert any(p.endswith("/taken_by") for p in daemon.pins())
    daemon.stop()
    assert daemon.remove().returncode == 0
    assert daemon.pins() == []
