# SPDX-License-Identifier: BSD-2-Clause
"""BIG TCP: super-packets above 64 KiB, whose length fields are 0."""
from lablib import plain
from lablib.lab import VIP6

BULK = 32 << 20
BIG = 180_000


def test_larger_than_64k(make_lab):
    lab = make_lab(pools={"blue": 1}, families=(6,))
    backend = lab.pools["blue"][0].netns
    for netns, device in ((lab.client, "eth0"), (lab.node, "cl"), (lab.node, "b1"), (backend, "eth0")):
        netns.ip(f"link set {device} gso_max_size {BIG} gro_max_size {BIG}")
    lab.start_backends()
    daemon = lab.daemon(lab.config("tc")).wait_healthy()
    seen = lab.capture(lab.node, "cl", "ip6[4:2] = 0")
    s = plain.connect(lab.client, VIP6, 443)
    assert plain.upload(s, BULK) and plain.download(s, BULK)
    assert len(seen.stop()) > 10, "no super-packet above 64 KiB came: no proof"
    assert "malformed" not in daemon.surprises()
