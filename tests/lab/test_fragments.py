# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams larger than the MTU through a listener, both ways."""
import pytest

from lablib import plain
from lablib.lab import VIP4, VIP6

SIZE = 9000
ROUNDS = 50


@pytest.mark.parametrize("shape", [{}, {"offloads": False}], ids=["offloads", "plain"])
@pytest.mark.parametrize("attach", ["tc", "xdp"])
@pytest.mark.parametrize("forward", ["nat", "snat"])
def test_large_datagrams(make_lab, attach, shape, forward):
    """The later fragments follow the first one; answers come back from the VIP."""
    lab = make_lab(pools={"blue": 1}, **shape)
    backend = lab.backend("blue0")
    daemon = lab.daemon(lab.config(attach, {"web": lab.service(health={"type": "none"}, forward=forward)}))
    for vip, host in ((VIP4, backend.v4), (VIP6, backend.v6)):
        server = plain.udp(backend.netns, host, backend.port)
        client = plain.udp(lab.client, "::" if ":" in vip else "0.0.0.0")
        client.connect((vip, 443))  # hears answers from nobody else
        for number in range(ROUNDS):
            data = plain.pattern(SIZE + number)
            client.send(data)
            got, source = server.recvfrom(65536)
            assert got == data
            server.sendto(got[::-1], source)
            assert client.recv(65536) == data[::-1]
    assert daemon.counters()["fragment_forwarded"]["count"] >= 2 * 2 * ROUNDS * (SIZE // 1500)
    assert daemon.surprises() == {}
