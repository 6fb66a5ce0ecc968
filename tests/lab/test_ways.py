# SPDX-License-Identifier: BSD-2-Clause
"""Which hook an interface gets, what is said about it, and what is noticed later."""
from lablib.lab import vip
from lablib.peers import assert_clean, pools_of
from lablib.proc import wait_for
from test_local import serve_here, service


def why(daemon, name):
    return next(i["why"] for i in daemon.state()["interfaces"] if i["name"] == name)


def test_xdp_asked_for_is_kept_and_its_trouble_said(make_lab):
    """A veth whose far end has no GRO takes no redirects; that it takes them later is noticed."""
    lab = make_lab(gro=False)
    lab.start_backends()
    daemon = lab.daemon(lab.config("xdp"))
    modes = {i["name"]: i["mode"] for i in daemon.state()["interfaces"]}
    assert set(modes.values()) == {"xdp"}
    assert "takes no XDP redirects" in why(daemon, "cl")
    daemon.wait_healthy()
    for family in (4, 6):
        assert_clean(lab.load("new", vip(family), total=200, flows=5).result(), 200)
    assert daemon.counters()["reply_later"]["count"] >= 400, "the host's stack carries what XDP cannot"
    for netns in {lab.client, *(b.netns for b in lab.backends())}:
        netns.run("ethtool", "-K", "eth0", "gro", "on")
    wait_for(lambda: "redirects" not in why(daemon, "cl"), 10, "redirects are noticed")
    assert_clean(lab.load("new", vip(4), total=200, flows=5).result(), 200)


def test_one_tc_makes_auto_all_tc(lab):
    """Packets go one way in both directions; an XDP that was asked for stays and says so."""
    config = lab.config("auto")
    config["interfaces"][0]["attach"] = "xdp"
    daemon = lab.daemon(config)
    modes = {i["name"]: i["mode"] for i in daemon.state()["interfaces"]}
    assert modes["cl"] == "xdp" and modes["b1"] == "tc"
    assert "has tc" in why(daemon, "cl")


def test_two_pools_of_one_endpoint(make_lab):
    """Mode local: blue and green may name the same socket."""
    lab = make_lab(pools={})
    lab.apps = serve_here(lab, "127.0.0.1", "::1")
    web = service(lab, [":443/tcp"], forward="local")
    web["pools"]["green"] = web["pools"]["blue"]
    daemon = lab.daemon(lab.config("tc", {"web": web})).wait_healthy()
    for pool in ("green", "blue", "green"):
        daemon.flip(f"web={pool}")
        assert_clean(lab.load("new", vip(4), total=50, flows=3).result(), 50)
    daemon.restart()
    result = lab.load("new", vip(4), total=50, flows=3).result()
    assert_clean(result, 50)
    assert set(pools_of(result)) == {"blue"}, "the server itself is blue's"
    assert daemon.pool("green")["flows_new"] >= 50
    assert daemon.pool("blue")["flows_new"] < 110

