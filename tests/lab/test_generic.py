# SPDX-License-Identifier: BSD-2-Clause
"""attach: xdp-generic: where the driver has no XDP. The stack runs the program on socket buffers, which
may be super-packets with partial checksums."""
import pytest

from lablib import plain
from lablib.lab import VIP4, VIP6, vip
from lablib.peers import assert_clean, pools_of
from lablib.timeline import Timeline

BULK = 16 << 20


def modes(daemon):
    return {i["name"]: i["mode"] for i in daemon.state()["interfaces"]}


def attached(lab, name):
    """"xdpgeneric", "xdp" (the driver's) or None, as ip(8) tells."""
    link = lab.node.ip_json("-d", "link", "show", "dev", name)[0]
    return {1: "xdp", 2: "xdpgeneric"}[link["xdp"]["mode"]] if "xdp" in link else None


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("shape", [{}, {"offloads": False}, {"gro": False}], ids=["usual", "plain", "no-gro"])
def test_flips_and_bulk(make_lab, family, shape):
    """A veth whose far end has no GRO takes no native redirects: generic ones it takes."""
    lab = make_lab(**shape)
    lab.start_backends()
    daemon = lab.daemon(lab.config("xdp-generic")).wait_healthy()
    assert set(modes(daemon).values()) == {"xdp-generic"} and attached(lab, "cl") == "xdpgeneric"
    timeline = Timeline(daemon)
    loads = [lab.load("new", vip(family), flows=10, log=True), lab.load("udpkeep", vip(family), flows=10),
             lab.load("keep", vip(family), flows=10, rate=500)]
    s = plain.connect(lab.client, VIP4 if family == 4 else VIP6, 443)
    assert plain.download(s, BULK) and plain.upload(s, BULK)
    for _ in range(4):
        timeline.flip()
        loads[0].wait_requests(100)
    for load in loads:
        load.wait_requests(100)
        assert_clean(load.stop(), 100)
    assert timeline.strays(loads[0].rows()) == []
    assert not {"no_link", "no_room", "malformed"} & daemon.surprises().keys()
    large = daemon.counters()["reply_later"]["count"]
    assert (large > 0) == (shape.get("offloads", True)), "super-packets, and only they, go by the stack"


def test_every_way_to_another_hook(lab):
    """Native and generic XDP exclude each other in the kernel: tc stands in between, nothing is lost."""
    daemon = lab.daemon(lab.config("xdp-generic")).wait_healthy()
    load = lab.load("keep", vip(4), flows=10, rate=2000)
    for attach in ("xdp", "xdp-generic", "tc", "xdp-generic"):
        load.wait_requests(200)
        daemon.write(lab.config(attach))
        daemon.ctl("apply", "-f", daemon.config_path)
        assert set(modes(daemon).values()) == {attach}
        assert attached(lab, "b1") == {"xdp": "xdp", "xdp-generic": "xdpgeneric", "tc": None}[attach]
    daemon.kill9()
    load.wait_requests(200)
    daemon.start()
    assert set(modes(daemon).values()) == {"xdp-generic"}
    daemon.flip("web=green")
    result = lab.load("new", vip(4), total=50, flows=5).result()
    assert_clean(result, 50)
    assert pools_of(result) == {"green": 50}
    assert_clean(load.stop(), 1000)
    daemon.stop()
    assert daemon.remove().returncode == 0
    assert attached(lab, "cl") is None and daemon.pins() == []


def test_it_is_never_chosen_and_says_its_price(lab):
    config = lab.config("auto")
    config["interfaces"][0]["attach"] = "xdp-generic"
    daemon = lab.daemon(config).wait_healthy()
    assert modes(daemon) == {"cl": "xdp-generic", "b1": "tc", "b2": "tc"}
    said = {c["name"]: c for c in daemon.ctl("doctor", expect=1)["checks"]}["xdp_generic"]
    assert "cl has generic XDP" in said["text"] and "attach: auto" in said["fix"]
    assert_clean(lab.load("new", vip(4), total=50, flows=5).result(), 50)
    s = plain.connect(lab.client, VIP4, 443)
    assert plain.download(s, BULK) and plain.upload(s, BULK)
