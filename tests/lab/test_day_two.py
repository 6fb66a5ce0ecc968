# SPDX-License-Identifier: BSD-2-Clause
"""What happens to an installation after its first day."""
import os
import shutil

import pytest

from lablib import plain
from lablib.lab import NODE4, PORT, VIP4, Backend, endpoint, vip
from lablib.peers import Ledgerd, assert_clean, pools_of
from lablib.proc import run, wait_for

HOOKS = ["tc", "xdp"]

FIREWALL = """table inet strict {
  chain input { type filter hook input priority filter; policy drop;
    ct state established,related accept
    meta l4proto { icmp, icmpv6 } accept
  }
  chain forward { type filter hook forward priority filter; policy drop;
    ct state invalid counter drop
  }
}
"""

DOCKER = """table ip docker {
  chain pre {
    type nat hook prerouting priority dstnat; tcp dport 9090 dnat to 172.30.0.2:8080
  }
  chain post {
    type nat hook postrouting priority srcnat; ip saddr 172.30.0.0/24 masquerade
  }
}
"""


def live_of(lab, family=4, target=None):
    result = lab.load("new", target or vip(family), total=40, flows=2, timeout=3000).result()
    assert_clean(result, 40)
    return set(pools_of(result))


def is_served(lab, family=4):
    result = lab.load("new", vip(family), total=5, timeout=300).result()
    return result["failed"] == 0


def forget_boot(daemon):
    """What a reboot does to us: the daemon and all pins are gone, the state directory is not."""
    daemon.kill9()
    shutil.rmtree(daemon.bpffs)


@pytest.mark.parametrize("attach", HOOKS)
def test_reboot(lab, attach):
    """Live is what the last release said, not what the file says."""
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    daemon.flip("web=green")
    forget_boot(daemon)
    wait_for(lambda: not is_served(lab), 10, "nothing forwards after the reboot")
    daemon.start()
    daemon.wait_healthy()
    assert daemon.get()["live"] == "green"
    assert live_of(lab) == {"green"}


@pytest.mark.parametrize("how", ["made", "renamed"])
def test_interface_appears_late(lab, how):
    """At boot the daemon may be first; udev gives interfaces their names when it likes."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    daemon.flip("web=green")
    forget_boot(daemon)
    green = lab.pools["green"]
    if how == "made":
        lab.node.ip("link del b2")
    else:
        lab.node.ip("link set b2 name late")
    daemon.start()
    state = daemon.state()
    assert state["state"] == "degraded"
    assert any("b2" in problem for problem in state["problems"]), state["problems"]
    if how == "made":
        lab.connect("b2", green[0].netns, 20, 2)
        lab.pool_addresses(green)
    else:
        lab.node.ip("link set late down", "link set late name b2", "link set b2 up", "addr replace fd20:2::1/64 dev b2 nodad")
    daemon.wait_healthy()
    wait_for(lambda: daemon.state()["state"] == "ok", 15, "the interface is noticed")
    assert live_of(lab) == {"green"}


def test_missing_interface_is_an_error_in_apply(lab):
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    config = lab.config("tc")
    config["interfaces"].append({"name": "nowhere0", "attach": "tc"})
    path = daemon.write(config)
    answer = daemon.ctl("apply", "-f", path, expect=2)
    assert "nowhere0" in answer.stderr
    assert live_of(lab) == {"blue"}


def test_pins_without_database(lab):
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    daemon.flip("web=green")
    idle = lab.load("idle", vip(4), flows=20, interval=50)
    idle.wait_answered(20)
    daemon.stop()
    shutil.rmtree(daemon.state_dir)
    daemon.start()
    assert daemon.get()["live"] == "green"
    assert live_of(lab) == {"green"}
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 20


def small_disk(lab, path, options="size=1m"):
    os.makedirs(path, exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path])
    lab.defer(run, ["umount", "-l", path], None, False)


def fill(path):
    with open(os.path.join(path, "full"), "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_disk_is_of_no_use(lab, how):
    """flip and undo work, and the daemon says that it could not write."""
    daemon = lab.daemon(lab.config("tc"), start=False)
    small_disk(lab, daemon.state_dir)
    daemon.start()
    daemon.wait_healthy()
    if how == "full":
        fill(daemon.state_dir)
    else:
        daemon.stop()
        run(["mount", "-o", "remount,ro", daemon.state_dir])
        daemon.start()
    load = lab.load("new", vip(4), flows=5, sources=50)
    load.wait_requests(50)
    daemon.flip("web=green")
    assert live_of(lab) == {"green"}
    daemon.ctl("undo", "web")
    assert live_of(lab) == {"blue"}
    wait_for(lambda: daemon.state()["state"] == "degraded", 10, "it says that history is not written")
    daemon.kill9()
    load.wait_requests(50)
    daemon.start()
    assert daemon.get()["live"] == "blue"
    assert_clean(load.stop())


@pytest.mark.parametrize("attach", HOOKS)
def test_strict_firewall(lab, attach):
    """A node that forwards nothing by itself: what zdd carries does not pass there."""
    lab.node.nft(FIREWALL)
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    loads = [lab.load(mode, vip(4), flows=10, sources=500) for mode in ("new", "keep", "udp")]
    for pool in ("green", "blue"):
        daemon.flip(f"web={pool}")
        for load in loads:
            load.wait_requests(100)
    for load in loads:
        assert_clean(load.stop())
    if attach == "xdp":
        checks = daemon.ctl("doctor", expect=None)["checks"]
        assert any("nft" in str(check).lower() for check in checks), "doctor does not mention nftables"


def add_bridge(lab):
    """A container behind br0, as docker does it."""
    container = lab.add_netns("container")
    lab.node.ip("link add br0 type bridge", "link set br0 up", "addr add 172.30.0.1/24 dev br0",
                "addr add fd30::1/64 dev br0 nodad",
                f"link add vc0 type veth peer name eth0 netns {container.name}",
                "link set vc0 master br0", "link set vc0 up")
    container.ip("link set eth0 up", "addr add 172.30.0.2/24 dev eth0", "addr add fd30::2/64 dev eth0 nodad",
                 "route add default via 172.30.0.1", "route add default via fd30::1")
    backend = Backend("container", "box", container, "br0", "172.30.0.2", "fd30::2")
    backend.server = Ledgerd(lab, backend)
    backend.server.wait_ready()
    return backend


@pytest.mark.parametrize("attach", HOOKS)
def test_somebody_elses_dnat(lab, attach):
    """A published container port works as before, beside zdd on the same interface."""
    add_bridge(lab)
    lab.node.nft(DOCKER)
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    published = lab.load("new", endpoint(NODE4, 9090), flows=5)
    load = lab.load("new", vip(4), flows=5)
    for pool in ("green", "blue"):
        daemon.flip(f"web={pool}")
        published.wait_requests(50)
        load.wait_requests(50)
    assert_clean(load.stop())
    result = published.stop()
    assert_clean(result)
    assert set(pools_of(result)) == {"box"}


@pytest.mark.parametrize("family", [4, 6])
def test_backend_behind_a_bridge(lab, family):
    backend = add_bridge(lab)
    service = lab.service([f"{vip(family)}/{p}" for p in ("tcp", "udp")], pools={
        "blue": [b.endpoints()[family == 6] for b in lab.pools["blue"]],
        "box": [backend.endpoints()[family == 6]]})
    config = lab.config("auto", {"web": service})
    config["interfaces"].append("br0")
    daemon = lab.daemon(config).wait_healthy()
    idle = lab.load("idle", vip(family), flows=10, interval=50)
    idle.wait_answered(10)
    daemon.flip("web=box")
    assert live_of(lab, family) == {"box"}
    assert_clean(lab.load("udp", vip(family), total=100, flows=4).result(), 100)
    s = plain.connect(lab.client, vip(family).rsplit(":", 1)[0].strip("[]"), 443)
    assert plain.download(s, 4 << 20) and plain.upload(s, 4 << 20)
    daemon.flip("web=blue")
    assert live_of(lab, family) == {"blue"}
    assert_clean(idle.stop())


@pytest.mark.parametrize("attach", HOOKS)
def test_port_is_bound_by_a_local_process(lab, attach):
    """In mode nat the listener's packets are the pool's, whoever listens here; afterwards they are his again."""
    squatter = Backend("squatter", "none", lab.node, "lo", VIP4, "2001:db8::10", 443)
    squatter.server = Ledgerd(lab, squatter)
    squatter.server.wait_ready()
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    assert live_of(lab) == {"blue"}
    daemon.stop()
    assert daemon.remove().returncode == 0
    assert live_of(lab) == {"none"}


@pytest.mark.parametrize("attach", HOOKS)
def test_ipv6_only(lab, attach):
    for netns, interfaces in [(lab.node, lab.interfaces() + ["lo"]), (lab.client, ["eth0", "lo"]),
                              *((b.netns, ["eth0"]) for b in lab.backends())]:
        for interface in interfaces:
            netns.run("ip", "-4", "addr", "flush", "dev", interface)
    service = lab.service(families=(6,))
    daemon = lab.daemon(lab.config(attach, {"web": service})).wait_healthy()
    load = lab.load("new", vip(6), flows=10, sources=100)
    for pool in ("green", "blue"):
        daemon.flip(f"web={pool}")
        load.wait_requests(100)
    assert live_of(lab, 6) == {"blue"}
    assert_clean(load.stop())


@pytest.mark.parametrize("attach", HOOKS)
def test_backends_wire_is_made_anew(lab, attach):
    """A container that restarts has a new veth of the same name; the other pool does not notice."""
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    load = lab.load("new", vip(4), flows=5, sources=50)
    load.wait_requests(50)
    where = lab.backend("green0").endpoints()[0]
    lab.node.ip("link del b2")
    wait_for(lambda: daemon.backends()[where]["health"] == "down", 15, "green0 is down")
    load.wait_requests(50)
    green = lab.pools["green"]
    lab.connect("b2", green[0].netns, 20, 2)
    lab.pool_addresses(green)
    daemon.wait_healthy(timeout=20)
    daemon.flip("web=green")
    assert live_of(lab) == {"green"}
    assert_clean(load.stop())


def test_link_flap(lab):
    daemon = lab.daemon(lab.config("xdp")).wait_healthy()
    for _ in range(3):
        lab.node.ip("link set cl down", "link set cl up", "route replace 10.64.0.0/15 via 10.10.1.2",
                    "addr replace fd10:1::1/64 dev cl nodad")
    wait_for(lambda: is_served(lab), 10, "traffic flows again")
    assert daemon.get()["live"] == "blue"


def test_second_zddd_is_refused(lab):
    """It names the interface and leaves the first one alone, also when it gives up."""
    first = lab.daemon(lab.config("xdp")).wait_healthy()
    load = lab.load("new", vip(4), flows=5)
    load.wait_requests(20)
    second = lab.daemon(lab.config("xdp"), start=False, name="second")
    second.start(wait=False)
    assert second.proc.wait(20) != 0
    said = second.proc.tail()
    assert any(name in said for name in lab.interfaces()), said
    assert second.pins() == []
    load.wait_requests(50)
    first.flip("web=green")
    assert live_of(lab) == {"green"}
    assert_clean(load.stop())


def test_second_zddd_of_the_same_directories_is_refused(lab):
    first = lab.daemon(lab.config("tc")).wait_healthy()
    again = lab.start(first.argv(), "again", lab.node)
    assert again.wait(20) != 0
    assert again.tail().strip()
    assert first.flip("web=green")["result"] == "reached"
    assert live_of(lab) == {"green"}


def test_foreign_xdp_program_is_not_thrown_out(lab, tmp_path):
    """Somebody else's program stays; ours says why it cannot attach."""
    source = tmp_path / "other.c"
    source.write_text('__attribute__((section("xdp"), used)) int other(void *c) { return 2; }\n')
    run(["clang", "-O2", "-target", "bpf", "-c", str(source), "-o", str(tmp_path / "other.o")])
    lab.node.run("ip", "link", "set", "dev", "cl", "xdp", "obj", str(tmp_path / "other.o"), "sec", "xdp")
    before = lab.node.ip_json("-d", "link", "show", "dev", "cl")[0]["xdp"]["prog"]["id"]
    daemon = lab.daemon(lab.config("xdp"), start=False)
    daemon.start(wait=False)
    wait_for(lambda: not daemon.proc.running() or daemon.answering(), 20, "it ends or answers")
    if daemon.proc.running():
        said = next(i for i in daemon.state()["interfaces"] if i["name"] == "cl")
        assert said["mode"] != "xdp" and "another XDP program" in said["why"]
        daemon.wait_healthy()
        assert live_of(lab) == {"blue"}
    else:
        assert "cl" in daemon.proc.tail()
    assert lab.node.ip_json("-d", "link", "show", "dev", "cl")[0]["xdp"]["prog"]["id"] == before


def test_reload_moves_nothing(lab):
    """SIGHUP with the same file, with a new one, and with a broken one."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    daemon.flip("web=green")
    load = lab.load("new", vip(4), flows=5, sources=100)
    idle = lab.load("idle", vip(4), flows=20, interval=50)
    idle.wait_answered(20)
    daemon.reload()
    load.wait_requests(50)
    daemon.write(lab.config("tc", {"web": lab.service(), "more": lab.service([f"{vip(4, 9000)}/tcp"])}))
    daemon.reload()
    wait_for(lambda: len(daemon.state()["services"]) == 2, 10, "the new service is there")
    assert live_of(lab, target=vip(4, 9000)) == {"blue"}
    daemon.write("services: [")
    daemon.reload()
    load.wait_requests(50)
    assert len(daemon.state()["services"]) == 2
    assert daemon.get()["live"] == "green"
    assert_clean(load.stop())
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 20


def test_vip_is_managed(lab):
    lab.node.ip(f"addr del {VIP4}/32 dev lo")
    service = lab.service([f"{vip(4)}/tcp"], families=(4,), vip="manage")
    daemon = lab.daemon(lab.config("tc", {"web": service})).wait_healthy()

    def there():
        return VIP4 in lab.node.run("ip", "-4", "addr", "show").stdout

    assert there()
    assert live_of(lab) == {"blue"}
    daemon.stop()
    assert there(), "the data path outlives the daemon, so must its address"
    daemon.remove()
    assert not there()


def test_doctor_on_a_good_lab_and_a_bad_one(lab):
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    assert_clean(lab.load("new", vip(4), total=20).result(), 20)
    bad = [c for c in daemon.ctl("doctor", expect=None)["checks"] if c["ok"] is False]
    assert bad == []
    lab.node.sysctl(net__ipv4__ip_forward=0)
    bad = [c for c in daemon.ctl("doctor", expect=None)["checks"] if c["ok"] is False]
    assert any("ip_forward" in str(c) for c in bad) and all(c["fix"] for c in bad)


def test_backend_that_bypasses_the_node(lab):
    """TRAPS 12: healthy to probes, no client gets through; `doctor` or `why` says so."""
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    netns = lab.pools["blue"][0].netns
    netns.ip("route del default", "route add blackhole default")
    lab.load("new", vip(4), total=6, timeout=500).result()
    said = str(daemon.ctl("doctor", expect=None).data) + str(daemon.ctl("why", "web").data)
    assert "route" in said and ("bypass" in said or "no answer" in said or "half" in said), said


def test_two_listeners_one_backend_one_client_port(lab):
    """A reply carries no VIP: the same client port to :443 and :8443 of one backend must not be mixed up."""
    one = lab.backend("blue0").endpoints()[:1]
    services = {"web": lab.service([f"{vip(4)}/tcp"], pools={"blue": one}),
                "alt": lab.service([f"{vip(4, 8443)}/tcp"], pools={"blue": one})}
    daemon = lab.daemon(lab.config("tc", services)).wait_healthy()
    with lab.client.entered():
        sockets = [plain.socket.socket() for _ in range(2)]
    for s, port in zip(sockets, (443, 8443)):
        s.settimeout(10)
        s.setsockopt(plain.socket.SOL_SOCKET, plain.socket.SO_REUSEADDR, 1)
        s.bind(("10.10.1.2", 41000))
        s.connect((VIP4, port))
    for turn in range(3):
        for s in sockets:
            assert plain.ask(s, str(turn))[:4] == ["blue0", "blue", str(turn), str(turn)]
    assert daemon.get("alt")["live"] == "blue" and PORT == 8080
