# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams larger than the MTU through a listener, both ways."""
import pytest

from lablib import plain
from lablib.lab import CLIENT4, CLIENT6, VIP4, VIP6

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


@pytest.mark.parametrize("attach", ["tc", "xdp"])
@pytest.mark.parametrize("forward", ["nat", "snat"])
def test_last_one_first(make_lab, attach, forward):
    """Fragments ahead of their first one wait for it, from the client and from the backend."""
    lab = make_lab(pools={"blue": 1})
    backend = lab.backend("blue0")
    web = lab.service(health={"type": "none"}, forward=forward)
    daemon = lab.daemon(lab.config(attach, {"web": web}))
    number = 0
    for vip, host, own in ((VIP4, backend.v4, CLIENT4), (VIP6, backend.v6, CLIENT6)):
        server = plain.udp(backend.netns, host, backend.port)
        client = plain.udp(lab.client, own)
        client.connect((vip, 443))
        for _ in range(ROUNDS):
            data = plain.pattern(SIZE + number)
            number += 1
            plain.send_backwards(lab.client, client.getsockname()[:2], (vip, 443), data, number)
            got, source = server.recvfrom(65536)
            assert got == data
            plain.send_backwards(backend.netns, (host, backend.port), source[:2], data[::-1], number)
            assert client.recv(65536) == data[::-1]
    assert daemon.counters()["fragment_held"]["count"] >= 2 * 2 * ROUNDS
    assert daemon.surprises() == {}


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_last_one_first_of_others(make_lab, attach):
    """What a backend exchanges with others in fragments arrives, whatever comes first."""
    lab = make_lab(pools={"blue": 1})
    backend = lab.backend("blue0")
    daemon = lab.daemon(lab.config(attach, {"web": lab.service(health={"type": "none"})}))
    for host, own in ((backend.v4, CLIENT4), (backend.v6, CLIENT6)):
        other = plain.udp(lab.client, own)
        data = plain.pattern(SIZE)
        plain.send_backwards(backend.netns, (host, 999), other.getsockname()[:2], data, 7)
        assert other.recv(65536) == data
    assert daemon.counters()["fragment_held"]["count"] > 0
    assert daemon.surprises() == {}
