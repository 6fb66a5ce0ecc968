# SPDX-License-Identifier: BSD-2-Clause
"""What is not for a listener behaves as before with zdd attached; what is, arrives whole."""
import pytest

from lablib import plain
from lablib.lab import NODE4, NODE6, PORT, VIP4, VIP6, Backend, vip
from lablib.peers import Ledgerd, assert_clean

BULK = 8 << 20
HOOKS = ["tc", "xdp"]
HOST_PORT = 2222


@pytest.fixture(scope="module", params=HOOKS)
def attached(make_shared_lab, request):
    """A lab with zdd attached, flows on it, and a service of the node itself on port 2222."""
    lab = make_shared_lab()
    lab.start_backends()
    host = Backend("host", "none", lab.node, "cl", NODE4, NODE6, HOST_PORT)
    host.server = Ledgerd(lab, host)
    host.server.wait_ready()
    lab.zdd = lab.daemon(lab.config(request.param)).wait_healthy()
    through = lab.load("keep", vip(4), flows=5, rate=500)
    through.wait_answered(5)
    yield lab
    assert_clean(through.stop())


@pytest.mark.parametrize("address", [NODE4, NODE6])
def test_tcp_to_the_node_itself(attached, address):
    s = plain.connect(attached.client, address, HOST_PORT)
    assert plain.ask(s)[:2] == ["host", "none"]
    assert plain.download(s, BULK)
    assert plain.upload(s, BULK)


@pytest.mark.parametrize("address", [VIP4, VIP6])
def test_other_port_of_the_vip_is_the_nodes(attached, address):
    """An sshd that listens on every address is still there on the VIP."""
    server, port = plain.listen(attached.node, address)
    client = plain.connect(attached.client, address, port)
    peer = server.accept()[0]
    client.sendall(b"hello")
    assert plain.read_exactly(peer, 5) == b"hello"
    with pytest.raises(ConnectionRefusedError):
        plain.connect(attached.client, address, 2224)


@pytest.mark.parametrize("address", [NODE4, NODE6, VIP4, VIP6, "10.20.1.10", "fd20:1::a"])
@pytest.mark.parametrize("size", [56, 9000])
def test_ping(attached, address, size):
    done = attached.client.run("ping", "-q", "-c", "20", "-i", "0.01", "-W", "2", "-s", str(size), address)
    assert " 0% packet loss" in done.stdout, done.stdout


@pytest.mark.parametrize("address", [NODE4, NODE6, "10.20.1.10"])
def test_udp_in_fragments(attached, address):
    """9 000 bytes through an MTU of 1 500, there and back."""
    netns = attached.pools["blue"][0].netns if address.startswith("10.20") else attached.node
    server = plain.udp(netns, address)
    client = plain.udp(attached.client, plain_any(address))
    for number in range(20):
        data = plain.pattern(8900 + number)
        client.sendto(data, (address, server.getsockname()[1]))
        got, source = server.recvfrom(65536)
        assert got == data
        server.sendto(got[::-1], source)
        assert client.recv(65536) == data[::-1]


def plain_any(address):
    return "::" if ":" in address else "0.0.0.0"


@pytest.mark.parametrize("attach", HOOKS)
def test_fragments_when_the_listener_has_udp(lab, attach):
    """Fragments to a listener go to its backend; those to other ports of the VIP pass."""
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    server = plain.udp(lab.node, VIP4, 5353)
    client = plain.udp(lab.client, "0.0.0.0")
    data = plain.pattern(9000)
    client.sendto(data, (VIP4, 5353))
    assert server.recv(65536) == data
    client.sendto(data, (VIP4, 443))
    counters = daemon.counters()
    assert counters["fragment_forwarded"]["count"] >= 1


@pytest.mark.parametrize("family", [4, 6])
def test_node_to_a_backends_address(attached, family):
    """Health checks and people on the node reach a backend's own port, from any of the node's addresses."""
    backend = attached.pools["blue"][0]
    host = backend.v4 if family == 4 else backend.v6
    sources = (None, NODE4, VIP4) if family == 4 else (None, NODE6, VIP6)
    for source in sources:
        s = plain.connect(attached.node, host, PORT, source)
        answer = plain.ask(s)
        assert answer[0] == "blue0"
        assert (answer[4], int(answer[5])) == s.getsockname()[:2]
        assert plain.download(s, 1 << 20) and plain.upload(s, 1 << 20)


@pytest.mark.parametrize("family", [4, 6])
def test_client_to_a_backends_address(attached, family):
    """Direct connections through the node keep the backend's own address."""
    backend = attached.pools["green"][1]
    where = backend.endpoints()[0 if family == 4 else 1]
    assert_clean(attached.load("new", where, total=200, flows=5).result(), 200)
    assert_clean(attached.load("udp", where, total=200, flows=5).result(), 200)


def test_backend_calls_out(attached):
    """A connection that a backend opens to the client's network is not taken for a reply."""
    server, port = plain.listen(attached.client, "10.10.1.2")
    s = plain.connect(attached.pools["blue"][0].netns, "10.10.1.2", port, "10.20.1.10")
    peer, address = server.accept()
    assert address == s.getsockname()
    peer.sendall(b"hello")
    assert plain.read_exactly(s, 5) == b"hello"


@pytest.mark.parametrize("shape", [{}, {"offloads": False}, {"static_neighbours": True}], ids=str)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("attach", HOOKS)
def test_bulk_through_the_vip(make_lab, attach, family, shape):
    """Super-packets and partial checksums: every byte arrives, both ways, with offloads and without."""
    lab = make_lab(**shape)
    lab.start_backends()
    daemon = lab.daemon(lab.config(attach)).wait_healthy()
    s = plain.connect(lab.client, VIP4 if family == 4 else VIP6, 443)
    assert plain.ask(s)[1] == "blue"
    assert plain.download(s, BULK)
    assert plain.upload(s, BULK)
    assert daemon.surprises() == {}
