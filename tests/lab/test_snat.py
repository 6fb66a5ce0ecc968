# SPDX-License-Identifier: BSD-2-Clause
"""Mode snat: backends whose default route leads elsewhere. And mode nat within one network, where a
client, or the backend itself, would be answered past the node."""
import pytest

from lablib import plain
from lablib.lab import VIP4, VIP6, vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import run, wait_for
from lablib.timeline import Timeline

EVERYWHERE = [(4, "tc"), (6, "tc"), (4, "xdp"), (6, "xdp")]
MIB = 1 << 20


def take_routes(lab):
    """The backends know nobody but their own network."""
    for netns in {b.netns for b in lab.backends()}:
        netns.run("ip", "route", "del", "default")
        netns.run("ip", "-6", "route", "del", "default")


def load(lab, mode, target, **options):
    return lab.load(mode, target, hidden=1, **options)


def unnoticed(result, least):
    assert_clean(result, least, rewritten_ok=True)


@pytest.fixture
def far(lab):
    take_routes(lab)
    return lab


def snat(lab, attach, **more):
    services = {"web": lab.service(forward="snat")}
    return lab.daemon(lab.config(attach, services, **more)).wait_healthy()


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_flips_under_load(far, full, family, attach):
    """Nobody notices a flip, and long connections stay; the daemon comes and goes meanwhile."""
    daemon = snat(far, attach)
    timeline, size = Timeline(daemon), 4 if full else 1
    loads = {
        "new": load(far, "new", vip(family), flows=20 * size, sources=200, rate=800, log=True),
        "keep": load(far, "keep", vip(family), flows=10 * size, rate=2000),
        "idle": load(far, "idle", vip(family), flows=50 * size),
        "udp": load(far, "udp", vip(family), flows=10 * size, sources=3000, rate=500),
        "udpkeep": load(far, "udpkeep", vip(family), flows=25 * size),
    }
    loads["idle"].wait_answered(50 * size)
    loads["udpkeep"].wait_answered(25 * size)
    for number in range(40 if full else 6):
        timeline.flip()
        loads["new"].wait_requests(100)
        if number == 3:
            daemon.restart()
    results = {name: load.stop() for name, load in loads.items()}
    for result in results.values():
        unnoticed(result, 50)
    assert results["idle"]["open"] == results["idle"]["started"], "idle connections were lost"
    assert results["udpkeep"]["open"] == results["udpkeep"]["started"]
    assert set(pools_of(results["new"])) == {"blue", "green"}
    assert timeline.strays(loads["new"].rows()) == []
    assert not daemon.surprises()


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_backends_see_the_configured_addresses(far, attach):
    """And nothing else; who is behind them, `conns` says."""
    for number in (1, 2):
        far.node.ip(f"addr add 10.20.{number}.200/24 dev b{number}",
                    f"addr add fd20:{number}::200/64 dev b{number} nodad")
    services = {"web": far.service(forward="snat")}
    config = far.config(attach, services, snat={"addresses": ["10.20.1.200", "fd20:1::200"]})
    daemon = far.daemon(config).wait_healthy()
    for family, source in ((4, "10.20.1.200"), (6, "fd20:1::200")):
        idle = load(far, "idle", vip(family), flows=20)
        idle.wait_answered(20)
        seen = {c["source"].rsplit(":", 1)[0].strip("[]") for c in daemon.ctl("conns", "web")["conns"]
                if c["state"] == "established" and c["client"].startswith("[" if family == 6 else "1")}
        assert seen == {source}
        unnoticed(idle.stop(), 20)


def test_addresses_that_are_not_here(far):
    config = far.config("tc", {"web": far.service(forward="snat")}, snat={"addresses": ["10.99.9.9"]})
    daemon = snat(far, "tc")
    daemon.write(config)
    answer = daemon.ctl("apply", "-f", daemon.config_path, expect=2)
    assert "snat.addresses: '10.99.9.9': not an address of this host" in answer.stdout + answer.stderr
    done = run(daemon.argv("--check"), netns=far.node.name, check=False)
    assert done.returncode == 2 and "'10.99.9.9': not an address of this host" in done.stderr


def rows(daemon):
    return {c["name"]: c for c in daemon.ctl("doctor", expect=None)["checks"]}


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_ports_run_out(make_lab, attach):
    """Counted, visible everywhere, and over when connections end."""
    lab = make_lab(pools={"blue": 1})
    lab.start_backends()
    take_routes(lab)
    daemon = snat(lab, attach, snat={"ports": "20000-20015"})
    idle = load(lab, "idle", vip(4), flows=16)
    idle.wait_answered(16)
    assert not daemon.surprises() and rows(daemon)["snat_ports"]["ok"]
    more = load(lab, "new", vip(4), flows=5)
    wait_for(lambda: daemon.counters()["snat_exhausted"]["count"] > 5, 10, "no port is left")
    wait_for(lambda: any("no source port" in p for p in daemon.state()["problems"]), 10, "get says so")
    assert "found no free source port" in rows(daemon)["snat_ports"]["text"]
    more.proc.stop(10)
    # The host's own connections are not in the way, nor is anything in theirs.
    assert all(b["health"] == "up" for b in daemon.backends().values())
    unnoticed(load(lab, "new", vip(6), flows=2, total=10).result(), 10)
    result = idle.stop()
    unnoticed(result, 16)
    assert result["open"] == 16
    unnoticed(load(lab, "new", vip(4), flows=2, total=10).result(), 10)


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_long_silence(far, family, attach):
    """The idle time counts from the last packet of either side, for what the backend sees too."""
    services = {"web": far.service(forward="snat", idle={"tcp": "10s", "udp": "3s"})}
    daemon = far.daemon(far.config(attach, services)).wait_healthy()
    loads = [load(far, "idle", vip(family), flows=20, interval=6000),
             load(far, "udpkeep", vip(family), flows=10)]
    loads[0].wait_answered(20)
    loads[0].wait_requests(40, timeout=40)
    for one in loads:
        result = one.stop()
        unnoticed(result, 20)
        assert result["open"] == result["started"]
    assert not daemon.surprises()


@pytest.mark.parametrize("offloads", [True, False], ids=["offloads", "plain"])
@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_bulk(make_lab, full, family, attach, offloads):
    """A stream and its checksum arrive whole."""
    lab = make_lab(pools={"blue": 1}, offloads=offloads)
    take_routes(lab)
    lab.start_backends()
    snat(lab, attach)
    stream(lab.client, family, full)


def stream(client, family, full, source=None):
    s = plain.connect(client, VIP4 if family == 4 else VIP6, 443, source)
    for _ in range(64 if full else 2):
        assert plain.upload(s, 16 * MIB) and plain.download(s, 16 * MIB)


# ---- hairpin


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_client_beside_the_backend(lab, family, attach):
    """Mode nat: a client in the backends' network, which they would answer directly."""
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    neighbour = lab.backends()[0].netns
    near = "10.20.1.99" if family == 4 else "fd20:1::99"
    neighbour.ip(f"addr add {near}/{24 if family == 4 else 64} dev eth0")
    for mode in ("new", "udp"):
        result = load(lab, mode, vip(family), netns=neighbour, source=near, flows=5, total=200).result()
        unnoticed(result, 200)
    assert daemon.ctl("status", expect=None)
    assert not daemon.surprises()


@pytest.mark.parametrize("family,attach", EVERYWHERE)
def test_backend_calls_its_own_listener(make_lab, family, attach):
    lab = make_lab(pools={"blue": 1})
    lab.start_backends()
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    backend = lab.backends()[0]
    own = backend.v4 if family == 4 else backend.v6
    for mode in ("new", "udp"):
        result = load(lab, mode, vip(family), netns=backend.netns, source=own, flows=3, total=100).result()
        unnoticed(result, 100)
    assert not daemon.surprises()
