# SPDX-License-Identifier: BSD-2-Clause
"""Port switching on one host: mode local for TCP (sk_lookup), mode nat for UDP."""
import pytest

from lablib import plain
from lablib.lab import NODE4, NODE6, VIP4, Backend, endpoint, vip
from lablib.peers import Ledgerd, assert_clean, pools_of
from lablib.proc import wait_for
from lablib.timeline import Timeline

PORTS = {"blue": 8081, "green": 8082}


def serve_here(lab, v4, v6, protocols=("tcp",)):
    """One server of each pool on the node itself."""
    apps = {}
    for pool, port in PORTS.items():
        backend = Backend(pool, pool, lab.node, "lo", v4, v6, port)
        backend.server = Ledgerd(lab, backend, protocols=protocols)
        backend.server.wait_ready()
        apps[pool] = backend
    return apps


def service(lab, listen, **more):
    health = lab.quick_health() if more.get("forward") == "local" else {"type": "none"}
    return {"listen": listen, "live": "blue", "health": health,
            "pools": {name: app.endpoints() for name, app in lab.apps.items()}, **more}


@pytest.fixture
def host(make_lab):
    """A node whose two versions listen on 127.0.0.1 and ::1 only."""
    lab = make_lab(pools={})
    lab.apps = serve_here(lab, "127.0.0.1", "::1")
    return lab


def start(lab, listen=(":443/tcp",), **more):
    web = service(lab, list(listen), forward="local", **more)
    return lab.daemon(lab.config("tc", {"web": web})).wait_healthy()


@pytest.mark.parametrize("where", ["client", "node"])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("listen", ["any", "vip"])
def test_flips_under_load(host, full, where, family, listen):
    timeline = Timeline(start(host, [":443/tcp"] if listen == "any" else
                              [f"{vip(f)}/tcp" for f in (4, 6)]))
    netns = getattr(host, where)
    load = host.load("new", vip(family), flows=20, netns=netns, log=True)
    idle = host.load("idle", vip(family), flows=50, netns=netns, interval=50)
    idle.wait_answered(50)
    for _ in range(100 if full else 8):
        timeline.flip()
        load.wait_requests(100)
    results = load.stop(), idle.stop()
    for result in results:
        assert_clean(result, 100)
    assert results[1]["open"] == 50
    assert pools_of(results[1]) == {"blue": 50}
    assert timeline.strays(load.rows()) == []


def started_as(proc):
    with open(f"/proc/{proc.pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_port_switch_without_root(make_lab, full):
    """The small case of DESIGN: 127.0.0.1:8080 and :8081 behind :443/tcp, the application without any
    right, clients outside and on the host; nothing is lost, nothing is rewritten."""
    lab = make_lab(pools={})
    lab.apps = {}
    for pool, port in (("blue", 8080), ("green", 8081)):
        app = lab.apps[pool] = Backend(pool, pool, lab.node, "lo", "127.0.0.1", "::1", port)
        app.server = Ledgerd(lab, app, families=(4,), protocols=["tcp"], user="nobody")
        app.server.wait_ready()
        status = started_as(app.server.proc)
        assert status["Uid"].split() == ["65534"] * 4 and int(status["CapEff"], 16) == 0
    web = service(lab, [":443/tcp"], forward="local")
    web["pools"] = {name: app.endpoints([4]) for name, app in lab.apps.items()}
    timeline = Timeline(lab.daemon(lab.config("tc", {"web": web})).wait_healthy())
    loads = {where: lab.load("new", vip(4), flows=10, netns=getattr(lab, where), log=True)
             for where in ("client", "node")}
    kept = lab.load("idle", vip(4), flows=20, interval=50)
    kept.wait_answered(20)
    for _ in range(100 if full else 6):
        timeline.flip()
        for load in loads.values():
            load.wait_requests(50)
        for where in ("client", "node"):
            s = plain.connect(getattr(lab, where), VIP4, 443)
            assert s.getpeername() == (VIP4, 443)
            answer = plain.ask(s)
            assert (answer[4], int(answer[5])) == s.getsockname(), "the application sees the real client"
    for load in loads.values():
        assert_clean(load.stop(), 300)
        assert timeline.strays(load.rows()) == []
    result = kept.stop()
    assert_clean(result)
    assert result["open"] == 20 and pools_of(result) == {"blue": 20}
    sent = {name: v["count"] for name, v in timeline.daemon.counters().items() if v["count"]}
    assert sent["local_mode"] > 0
    assert not sent.keys() & {"new", "forwarded", "reply", "reply_stateless", "stray_forwarded"}, sent
    assert lab.node.run("nft", "list", "ruleset").stdout.strip() == "", "no NAT of another's either"


def test_application_sees_client_and_vip(host):
    start(host)
    s = plain.connect(host.client, VIP4, 443)
    answer = plain.ask(s)
    assert (answer[4], int(answer[5])) == s.getsockname()
    assert plain.download(s, 4 << 20) and plain.upload(s, 4 << 20)


def test_application_restarts_while_the_daemon_is_dead(host):
    daemon = start(host)
    daemon.kill9()
    blue = host.apps["blue"]
    blue.server.proc.kill9()
    blue.server = Ledgerd(host, blue, protocols=["tcp"])
    blue.server.wait_ready()
    result = host.load("new", vip(4), total=100, flows=4).result()
    assert_clean(result, 100)
    assert pools_of(result) == {"blue": 100}
    daemon.start()
    assert_clean(host.load("new", vip(4), total=100, flows=4).result(), 100)


def test_kill9_does_not_matter(host):
    daemon = start(host)
    daemon.flip("web=green")
    load = host.load("new", vip(4), flows=10)
    for _ in range(3):
        daemon.kill9()
        load.wait_requests(200)
        daemon.start()
        assert daemon.get()["live"] == "green"
    result = load.stop()
    assert_clean(result)
    assert set(pools_of(result)) == {"green"}


def test_other_ports_are_untouched(host):
    start(host)
    s = plain.connect(host.node, "127.0.0.1", PORTS["green"])
    assert plain.ask(s)[0] == "green"
    with pytest.raises(ConnectionRefusedError):
        plain.connect(host.client, VIP4, 444)


def test_remove_gives_the_port_back(host):
    daemon = start(host)
    assert_clean(host.load("new", vip(4), total=10).result(), 10)
    daemon.stop()
    assert daemon.remove().returncode == 0
    with pytest.raises(ConnectionRefusedError):
        plain.connect(host.client, VIP4, 443)


def test_share_is_sticky(host):
    daemon = start(host)
    daemon.ctl("set", "share", "web", "green=30%")
    load = host.load("new", vip(4), flows=20, sources=2000, total=4000, log=True)
    assert_clean(load.result(), 4000)
    pools = {}
    for row in load.rows():
        pools.setdefault(row.host, set()).add(row.pool)
    assert all(len(p) == 1 for p in pools.values()), "a client saw both versions"
    share = sum(p == {"green"} for p in pools.values()) / len(pools)
    assert abs(share - 0.3) < 0.05


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("where", ["client", "node"])
def test_udp_on_the_same_host(make_lab, where, family):
    """A UDP socket answers from its own port: the reply is rewritten on its way out."""
    lab = make_lab(pools={})
    lab.apps = serve_here(lab, NODE4, NODE6, ["udp"])
    web = service(lab, [f"{vip(f)}/udp" for f in (4, 6)])
    config = lab.config("tc", {"web": web})
    config["interfaces"].append({"name": "lo", "attach": "tc"})
    daemon = lab.daemon(config)
    timeline = Timeline(daemon)
    netns = getattr(lab, where)
    load = lab.load("udp", vip(family), flows=5, netns=netns, log=True)
    keep = lab.load("udpkeep", vip(family), flows=20, netns=netns)
    keep.wait_answered(20)
    for _ in range(6):
        timeline.flip()
        load.wait_requests(200)
    assert_clean(load.stop(), 500)
    result = keep.stop()
    assert_clean(result)
    assert result["open"] == 20
    seen = set()
    fresh = [r for r in load.rows() if not (r.port in seen or seen.add(r.port))]
    assert timeline.strays(fresh) == []
    wait_for(lambda: daemon.pool("green")["flows_new"] > 0, 5, "flows are counted")


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_tcp_by_nat_to_this_host(make_lab, attach):
    """Not the advised way, but what a reply of the host's own stack needs must be there."""
    lab = make_lab(pools={})
    lab.apps = serve_here(lab, NODE4, NODE6)
    web = service(lab, [f"{vip(f)}/tcp" for f in (4, 6)])
    daemon = lab.daemon(lab.config(attach, {"web": web}))
    for pool in ("green", "blue"):
        daemon.flip(f"web={pool}")
        for family in (4, 6):
            result = lab.load("new", vip(family), total=200, flows=5).result()
            assert_clean(result, 200)
            assert pools_of(result) == {pool: 200}
    s = plain.connect(lab.client, VIP4, 443)
    assert plain.download(s, 4 << 20) and plain.upload(s, 4 << 20)
    assert endpoint(NODE4, PORTS["blue"]) in daemon.backends()
