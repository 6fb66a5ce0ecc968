# SPDX-License-Identifier: BSD-2-Clause
"""What connections show about their pool, held against what the servers say; lease and breaker without a daemon."""
import collections
import os
import random
import re
import socket
import time

import pytest

from lablib import plain
from lablib.lab import VIP4, VIP6, vip
from lablib.pinned import Pinned
from lablib.proc import run, wait_for
from lablib.web import Nginx

METRICS = "127.0.0.1:9177"
LEASE, FAILURES = 1, 2  # enum zdd_override_why

# Does what the first byte says, and prints it.
SERVER = """
import socket, struct, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])), family=int(sys.argv[3]), backlog=1024)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    word = c.recv(1).decode()
    if word in "gl":
        c.sendall(b"answer")
    if word == "g":
        c.recv(1)
    if word in "rl":
        c.recv(1)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    print("did", word, flush=True)
"""


def signals(daemon, pool="blue", service="web"):
    """{signal: {"n", "bad", "sources", "bad_sources"}}, with counts of the histograms as connect and first_byte."""
    text = run(["curl", "-sf", f"http://{METRICS}/metrics"], netns=daemon.netns.name).stdout
    found = collections.defaultdict(dict)
    head = f'service="{service}",pool="{pool}"'
    for signal, count, value in re.findall(rf'zdd_pool_signal_total{{{head},signal="(\w+)",count="(\w+)"}} (\d+)', text):
        found[signal][count] = int(value)
    for name, value in re.findall(rf"zdd_pool_(\w+)_seconds_count{{{head}}} (\d+)", text):
        found[name] = int(value)
    return found


def pair(signal):
    return signal["n"], signal["bad"]


def one_connection(lab, where, word):
    s = plain.connect(lab.client, *where)
    s.sendall(word.encode())
    if word in "gl":
        assert s.recv(6) == b"answer"
    try:
        if word in "rl":
            s.sendall(b"!")
        if word != "g":
            s.recv(1)
    except ConnectionError:
        pass
    s.close()


@pytest.mark.parametrize("family,attach", [(4, "tc"), (6, "xdp")])
def test_each_kind_is_counted_as_the_server_says(make_lab, family, attach):
    lab = make_lab(pools={"blue": 1})
    backend = lab.backend("blue0")
    host = backend.v4 if family == 4 else backend.v6
    server = lab.start(["/usr/bin/python3", "-c", SERVER, host, str(backend.port),
                        str(int(socket.AF_INET if family == 4 else socket.AF_INET6))], "server", backend.netns)
    wait_for(lambda: "ready" in server.out(), 10, "it listens")
    web = lab.service([f"{vip(family)}/tcp"], families=(family,), health={"type": "none"}, retry="off", passive="off")
    daemon = lab.daemon(lab.config(attach, {"web": web}, metrics=METRICS))
    where = (VIP4 if family == 4 else VIP6), 443
    words = [word for word, count in {"g": 9, "e": 5, "r": 4, "l": 3}.items() for _ in range(count)]
    random.Random(1).shuffle(words)
    for word in words:
        one_connection(lab, where, word)
    wait_for(lambda: server.out().count("did") == len(words), 10, "the server is done with all")
    did = collections.Counter(re.findall(r"did (\w)", server.out()))
    answered, everything = did["g"] + did["l"], sum(did.values())
    wait_for(lambda: signals(daemon)["reset"]["n"] == everything, 10, f"all ended; {signals(daemon)}")
    seen = signals(daemon)
    assert pair(seen["refused"]) == (everything, 0)
    assert pair(seen["syn_timeout"]) == (everything, 0)
    assert pair(seen["empty"]) == (answered + did["e"], did["e"]), seen
    assert pair(seen["reset"]) == (everything, did["r"] + did["l"]), seen
    assert seen["connect"] == everything and seen["first_byte"] == answered, seen
    assert 1 <= seen["reset"]["bad_sources"] <= seen["reset"]["bad"], "one client, so at most one a second"
    server.kill9()
    for _ in range(7):
        with pytest.raises(ConnectionRefusedError):
            plain.connect(lab.client, *where)
    assert pair(signals(daemon)["refused"]) == (everything + 7, 7)


def test_datagrams_without_an_answer(make_lab):
    """Found by the daemon, which walks over the flows."""
    lab = make_lab(pools={"blue": 1})
    backend = lab.backend("blue0")
    server = plain.udp(backend.netns, backend.v4, backend.port)
    web = lab.service([f"{vip(4)}/udp"], families=(4,), health={"type": "none"}, idle={"udp": "1s"})
    daemon = lab.daemon(lab.config("tc", {"web": web}, metrics=METRICS))
    clients = [plain.udp(lab.client) for _ in range(6)]
    for number, client in enumerate(clients):
        client.sendto(b"?", (VIP4, 443))
        _, sender = server.recvfrom(9)
        if number == 0:
            server.sendto(b"!", sender)
            assert client.recv(9) == b"!"
    assert pair(signals(daemon)["udp_silent"]) == (1, 0), "the others may still be answered"
    wait_for(lambda: pair(signals(daemon)["udp_silent"]) == (6, 5), 20, "five are over, found by the walk")


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_each_backend_shows_its_own(make_lab, attach):
    """One of two answers late, and with 500; what each shows is what its own ledger has."""
    lab = make_lab(pools={"blue": 2}, families=(4,))
    lab.start_backends()
    servers = {b.v4: lab.backend(b.name).server for b in lab.pools["blue"]}
    lab.backend("blue1").server.mood(status=1, delay=60)
    web = lab.service(families=(4,), health={"type": "none"}, passive="off", signals={"http": True})
    daemon = lab.daemon(lab.config(attach, {"web": web}))
    load = lab.load("new", vip(4), flows=10, sources=1000, http=1)
    load.wait_requests(300)
    load.stop()

    def shown():
        return {b["address"].split(":")[0]: b["shown"] for b in daemon.pool("blue")["backends"]}

    came = {address: len(list(server.rows())) for address, server in servers.items()}
    wait_for(lambda: all(shown()[address]["reset"]["n"] >= came[address] for address in came), 10,
             lambda: f"all ended; {came} {shown()}")
    late, soon = shown()[lab.backend("blue1").v4], shown()[lab.backend("blue0").v4]
    assert pair(late["5xx"]) == (came[lab.backend("blue1").v4],) * 2
    assert pair(soon["5xx"]) == (came[lab.backend("blue0").v4], 0)
    assert late["first_byte_us"]["p50"] >= 60_000 > soon["first_byte_us"]["p50"]
    whole = daemon.pool("blue")["shown"]
    assert whole["5xx"]["n"] == sum(came.values()) and whole["5xx"]["bad"] == came[lab.backend("blue1").v4]
    assert whole["connect_us"]["n"] == sum(came.values())


# ---- HTTP ----

def wait_logged(path, count):
    def statuses():
        with open(path, encoding="ascii") as file:
            return [int(line) for line in file]

    wait_for(lambda: len(statuses()) >= count, 10, f"{count} lines in nginx's log")
    return statuses()


def read_response(file):
    status = int(file.readline().split()[1])
    length = 0
    while (line := file.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split()[1])
    file.read(length)
    return status


@pytest.mark.parametrize("attach", ["tc", "xdp"])
def test_statuses_are_those_of_nginxs_log(make_lab, attach):
    """Kept alive, answers of one segment and of many: each one is counted, none else."""
    lab = make_lab(pools={"blue": 1})
    backend = lab.backend("blue0")
    path = os.path.join(lab.directory, "statuses")
    page = os.path.join(lab.directory, "large")
    with open(page, "w", encoding="ascii") as file:
        file.write("HTTP is not a status line\n" * 4000)
    os.chmod(lab.directory, 0o711)
    os.chmod(page, 0o644)
    nginx = Nginx(lab, "web", backend.netns,
                  f"log_format s '$status'; server {{ listen {backend.v4}:{backend.port}; access_log {path} s; "
                  f"root {lab.directory}; location /bad {{ return 503 'no'; }} location /good {{ return 200 'yes'; }} }}")
    web = lab.service([f"{vip(4)}/tcp"], families=(4,), signals={"http": True})
    daemon = lab.daemon(lab.config(attach, {"web": web}, metrics=METRICS)).wait_healthy()
    rng, asked = random.Random(2), 0
    for _ in range(20):
        s = plain.connect(lab.client, VIP4, 443)
        file = s.makefile("rb")
        for _ in range(rng.randint(1, 20)):
            want = rng.choice(["/good", "/bad", "/large", "/absent"])
            s.sendall(f"GET {want} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert read_response(file) == {"/bad": 503, "/absent": 404}.get(want, 200)
            asked += 1
        s.close()
    logged = wait_logged(path, asked)
    assert len(logged) == asked and nginx.proc.running()
    assert pair(signals(daemon)["5xx"]) == (asked, sum(status >= 500 for status in logged))


def read_responses(s, count):
    """The statuses of so many answers without bodies, however they are cut into segments."""
    got = b""
    while got.count(b"\r\n\r\n") < count:
        part = s.recv(65536)
        assert part, "closed before all answers came"
        got += part
    return re.findall(rb"^HTTP/1.1 (\d+)", got, re.M)


def ask_in_one_go(lab, rng, depth, connections=5, batches=8):
    for _ in range(connections):
        s = plain.connect(lab.client, VIP4, 443)
        for _ in range(batches):
            wanted = [rng.choice(["/good", "/bad"]) for _ in range(depth)]
            s.sendall("".join(f"HEAD {want} HTTP/1.1\r\nHost: x\r\n\r\n" for want in wanted).encode())
            assert len(read_responses(s, depth)) == depth
        s.close()
    return connections * batches


@pytest.mark.parametrize("attach,nodelay", [("tc", "on"), ("tc", "off"), ("xdp", "off")])
def test_pipelined_statuses_are_part_of_nginxs_log(make_lab, attach, nodelay):
    """Only an answer at the beginning of a segment is seen: each first one, never more than there are. With
    tcp_nodelay, its default, nginx mostly sends each in a segment of its own."""
    lab = make_lab(pools={"blue": 1})
    backend, rng = lab.backend("blue0"), random.Random(3)
    path = os.path.join(lab.directory, "statuses")
    os.chmod(lab.directory, 0o711)
    Nginx(lab, "web", backend.netns,
          f"log_format s '$status'; tcp_nodelay {nodelay}; "
          f"server {{ listen {backend.v4}:{backend.port}; access_log {path} s; location /bad {{ return 503; }} "
          f"location /good {{ return 200; }} }}")
    web = lab.service([f"{vip(4)}/tcp"], families=(4,), signals={"http": True})
    daemon = lab.daemon(lab.config(attach, {"web": web}, metrics=METRICS)).wait_healthy()
    asked, before, part = 0, (0, 0), {}
    for depth in (1, 2, 4, 8):
        batches = ask_in_one_go(lab, rng, depth)
        logged = wait_logged(path, asked + batches * depth)[asked:]
        asked += len(logged)
        seen = pair(signals(daemon)["5xx"])
        n, bad = seen[0] - before[0], seen[1] - before[1]
        errors = sum(status >= 500 for status in logged)
        assert batches <= n <= len(logged) and bad <= errors, (depth, n, bad, len(logged), errors)
        assert depth > 1 or (n, bad) == (len(logged), errors), (n, bad, len(logged), errors)
        part[depth] = f"{100 * bad / errors:.0f} %"
        before = seen
    print(f"{attach}, tcp_nodelay {nodelay}: of pipelined 5xx were counted, by requests in one go: {part}")


# ---- without a daemon ----

@pytest.fixture
def canary(make_lab):
    """Half of the clients go to green, and whether they may is asked of its override."""
    lab = make_lab(pools={"blue": 1, "green": 1})
    lab.start_backends()
    web = lab.service([f"{vip(4)}/tcp"], families=(4,), health={"type": "none"}, retry="off", passive="off")
    lab.zdd = lab.daemon(lab.config("tc", {"web": web}))
    lab.zdd.ctl("set", "share", "web", "green=50%")
    lab.pinned = Pinned(lab.zdd)
    lab.pinned.lease_all()
    lab.green = lab.pinned.pool("green")
    return lab


def new_at(lab, pool):
    return [row.ns for row in lab.ledgers() if row.pool == pool]


def test_lease_runs_out_without_a_daemon(canary):
    lab, seconds = canary, 4
    assert lab.pinned.renew(lab.green, 60000) == 0
    load = lab.load("new", vip(4), flows=5, sources=500, rate=100, log=True)
    wait_for(lambda: new_at(lab, "green"), 20, "green gets clients")
    began = time.monotonic_ns()
    assert lab.pinned.renew(lab.green, seconds * 1000) == 0
    lab.zdd.kill9()
    wait_for(lambda: lab.pinned.override(lab.green)["why"] == LEASE, 60, "the lease is over")
    load.wait_requests(100)
    result = load.stop()
    lasted = (max(new_at(lab, "green")) - began) / 1e9
    assert seconds - 1.5 < lasted < seconds + 0.5, f"green got clients for {lasted:.2f} s"
    assert max(new_at(lab, "blue")) > max(new_at(lab, "green")), "live has them all"
    assert lab.pinned.override(lab.green)["turned"] > 10
    assert sum(result["failures"].values()) == 0, result["failures"]
    lab.zdd.start()
    assert lab.pinned.renew(lab.green, 60000) == 1, "what is over stays over"


def test_breaker_trips_without_a_daemon(canary):
    lab, limit = canary, 5
    assert lab.pinned.renew(lab.green, 60000, limit) == 0
    lab.zdd.kill9()
    lab.backend("green0").server.proc.kill9()
    load = lab.load("new", vip(4), flows=1, sources=500, total=200)
    result = load.result()
    override = lab.pinned.override(lab.green)
    assert result["failures"]["refused"] == limit == override["failed"], (result["failures"], override)
    assert override["why"] == FAILURES and override["turned"] > 50, override
