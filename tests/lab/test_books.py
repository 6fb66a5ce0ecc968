# SPDX-License-Identifier: BSD-2-Clause
"""Guarantee 8, by double entry: every datagram arrives, or is in the counter of a device that is not zdd's."""
import json
import os

import pytest

from lablib.books import Books, Smudged, lost_of
from lablib.lab import PORT, VIP4, vip
from lablib.peers import assert_clean
from lablib.proc import BUILD

FLOWS = 4096


@pytest.fixture
def quiet(make_lab):
    """A lab on whose wires is nothing but the load."""
    lab = make_lab(static_neighbours=True)
    lab.start_backends()

    def serve(attach, families=(4, 6)):
        service = lab.service([f"{vip(f)}/udp" for f in families], families, health={"type": "none"})
        return lab.daemon(lab.config(attach, {"web": service}))
    lab.serve = serve
    return lab


@pytest.mark.parametrize("family,attach", [(4, "tc"), (6, "tc"), (4, "xdp"), (6, "xdp")])
def test_books_of_flips_balance(quiet, full, family, attach):
    daemon = quiet.serve(attach)
    books = Books(quiet, daemon, family, attach == "xdp")
    loads = [quiet.load("udp", vip(family), flows=40, sources=30000, rate=5000),
             quiet.load("udpkeep", vip(family), flows=50)]
    for _ in range(100 if full else 5):
        daemon.flip("web")
        loads[0].wait_requests(500)
    results = [load.stop() for load in loads]
    page, lost = books.check()
    print(page)
    assert page["zdd dropped"] == 0
    assert page["client sent"] == sum(r["requests"] + r["failed"] for r in results)
    assert sum(r["failed"] for r in results) <= lost, f"{results} {page}"
    assert daemon.surprises() == {}


def without_queues(lab):
    """The wires as a kernel makes them: what comes while the ring's 256 places are taken is dropped."""
    ends = [(lab.node, i) for i in lab.interfaces()] + [(lab.client, "eth0")]
    for netns, device in ends + [(b.netns, "eth0") for b in lab.backends()[::2]]:
        netns.run("tc", "qdisc", "del", "dev", device, "root")


def silence(lab):
    """No neighbour discovery, no ICMP errors about replies that nobody waits for."""
    lab.client.nft("table ip quiet { chain out { type filter hook output priority 0; ip protocol icmp drop; }; }")
    for netns in {n.name: n for n in (lab.client, lab.node, *(b.netns for b in lab.backends()))}.values():
        netns.sysctl(net__ipv6__conf__all__disable_ipv6=1)


def start_burst(lab, packets, cpu):
    """As fast as the kernel can, all on one CPU."""
    argv = [os.path.join(BUILD, "bench", "live"), "--client", f"{lab.client.name}/eth0/10.64.0.1",
            "--node", f"{lab.node.name}/cl/b1", "--to", f"{VIP4}:443", "--port", str(PORT),
            "--flows", str(FLOWS), "--sent", str(packets), "--arrives-as", "xdp", "--cpu", str(cpu)]
    return lab.start(argv, f"burst{len(lab.procs)}")


def sent_by(proc):
    assert proc.wait() == 0, proc.tail()
    return json.loads(proc.out())["sent"] + FLOWS


def overrun(quiet, daemon, full):
    """Pages of bursts in which something was lost."""
    cpus, rounds, sent = sorted(os.sched_getaffinity(0))[:2], 0, 0
    books = Books(quiet, daemon, 4, True)
    while rounds < (20 if full else 1) or (len(cpus) > 1 and lost_of(books.page()) < 1000):
        assert rounds < 40, "nothing is lost: no proof"
        bursts = [start_burst(quiet, 300_000, cpu) for cpu in cpus]
        while any(b.running() for b in bursts):
            daemon.flip("web")
        sent += sum(sent_by(b) for b in bursts)
        rounds += 1
    return books.check(sent)[0]


def test_books_of_an_overrun_balance(quiet, full):
    """Two CPUs send what one receives, into rings of 256 places: much is lost, nothing of it in zdd.

    One CPU alone loses nothing. Beside other work the two may not meet: then once more. Both write some of
    the kernel's counters without a lock: of three times, these agree in one.
    """
    daemon = quiet.serve("xdp", (4,))
    silence(quiet)
    without_queues(quiet)
    for smudges in range(3):
        try:
            page = overrun(quiet, daemon, full)
            break
        except Smudged:
            if smudges == 2:
                raise
    print(page)
    assert page["zdd dropped"] == 0
    assert daemon.surprises() == {}
    assert_clean(quiet.load("udp", vip(4), flows=10, total=500).result(), 500)
