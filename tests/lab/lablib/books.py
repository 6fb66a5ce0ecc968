# SPDX-License-Identifier: BSD-2-Clause
"""Double entry: what every hop counted of the datagrams between a client and its backends.

    client --- cl  zdd  b1 --- blue       The kernel counts at sockets, devices and programs,
                        b2 --- green      zdd its verdicts. A datagram that one hop sent and the
                                          next one did not get is in a counter with a name.
"""
from .proc import run, wait_for

LEGS = [
    ("client to zdd", "client sent", ("zdd forwarded", "zdd dropped", "wire to node")),
    ("zdd to backends", "zdd forwarded", ("backends got", "wire to backends")),
    ("backends to zdd", "backends sent", ("zdd replied", "wire from backends")),
    ("zdd to client", "zdd replied", ("client got", "wire to client")),
]
# Of the XDP programs: the kernel knows how often they ran, and what it was told to redirect.
RUNS = [
    ("verdicts", "xdp frames", ("zdd all",)),
    ("redirects asked", "xdp redirected", ("zdd forwarded", "zdd replied")),
    ("redirects done", "xdp redirected", ("xdp sent", "xdp refused")),
]
# A veth counts what a ring takes and refuses without a lock: where two CPUs redirect into one ring, of
# replies or of frames made without a socket, a few are not counted (seen: 12 of 900,000, and a bulk of
# 16 at once; a CPU that is taken from its machine in the middle of a count costs what the other one
# counts meanwhile). What the programs did is counted exactly.
BULK = 16
ROUGH = ("zdd to client", "redirects done")
ROUGH_WITHOUT_SOCKETS = ("client to zdd", *ROUGH)
REPLIES = ("reply", "reply_stateless")


class Smudged(AssertionError):
    """Only what the kernel counts roughly is wrong: another look, at other traffic, will tell."""


class Books:
    """Opened before the traffic, checked after it. Nothing else may be on the wires: no probes, no ARP."""

    def __init__(self, lab, daemon, family, xdp):
        self.lab, self.daemon, self.family = lab, daemon, family
        self.xdp = xdp
        self.before = self._read()

    def _udp(self, netns):
        """Datagrams of the namespace's sockets: sent, and arrived, at a full socket or nobody's included."""
        prefix, lines = ("Udp6", netns.run("cat", "/proc/net/snmp6").stdout) if self.family == 6 else \
            ("Udp", run(["nstat", "-asz", "Udp*"], netns=netns.name).stdout)
        values = dict(line.split()[:2] for line in lines.splitlines() if line.startswith(prefix))
        sent, *got = (int(values[prefix + key]) for key in ("OutDatagrams", "InDatagrams", "InErrors", "NoPorts"))
        return sent, sum(got)

    def _zdd(self):
        verdicts = self.daemon.counters()
        replied = sum(verdicts[name]["count"] for name in REPLIES)

        def of(kind):
            return sum(v["count"] for v in verdicts.values() if v["kind"] == kind)
        return {"zdd all": sum(v["count"] for v in verdicts.values()), "zdd replied": replied,
                "zdd forwarded": of("SEND") - replied, "zdd dropped": of("DROP")}

    def _wires(self):
        """Of each direction what its devices dropped."""
        lab = self.lab
        ends = {(b.netns.name, b.interface): b.netns for b in lab.backends()}
        wires = {"wire to node": [((lab.client, "eth0"), (lab.node, "cl"))],
                 "wire to client": [((lab.node, "cl"), (lab.client, "eth0"))],
                 "wire to backends": [((lab.node, i), (n, "eth0")) for (_, i), n in ends.items()],
                 "wire from backends": [((n, "eth0"), (lab.node, i)) for (_, i), n in ends.items()]}
        return {name: sum(_lost(*wire) for wire in way) for name, way in wires.items()}

    def _programs(self):
        totals = {"xdp frames": 0, "xdp redirected": 0, "xdp sent": 0, "xdp refused": 0}
        for interface in self.lab.interfaces():
            queue = _queues(self.lab.node, interface)
            for total, key in zip(totals, ("rx_xdp_packets", "rx_xdp_redirect", "tx_xdp_xmit", "tx_xdp_xmit_errors")):
                totals[total] += queue[key]
        return totals

    def _read(self):
        sent, got = self._udp(self.lab.client)
        page = {"client sent": sent, "client got": got, "backends sent": 0, "backends got": 0}
        for netns in {b.netns.name: b.netns for b in self.lab.backends()}.values():
            sent, got = self._udp(netns)
            page["backends sent"] += sent
            page["backends got"] += got
        return {**page, **self._wires(), **self._together()}

    def _together(self):
        """zdd's counts and the programs' of the same moment: no frame came while they were read."""
        looks = [({}, self._programs())]

        def still():
            looks.append((self._zdd(), self._programs()))
            return looks[-2][1] == looks[-1][1]
        wait_for(still, 20, "nothing is on the wires")
        zdd, programs = looks[-1]
        return {**zdd, **programs}

    def page(self, by_other_means=0):
        """All counts since the books were opened; some may have been sent without a socket."""
        now = self._read()
        page = {key: now[key] - self.before[key] for key in now}
        page["client sent"] += by_other_means
        return page

    def _wrong(self, page, rough):
        wrong = []
        for name, left, right in LEGS + (RUNS if self.xdp else []):
            slack = BULK + page[left] // 50_000 if self.xdp and name in rough else 0
            if abs(page[left] - sum(page[r] for r in right)) > slack:
                wrong.append(f"{name}: {page[left]} {left}, but {' + '.join(f'{page[r]} {r}' for r in right)}")
        return wrong

    def check(self, by_other_means=0):
        """Every datagram is where it should be or in a device's counter. The page, and how many were lost."""
        pages, rough = [], ROUGH_WITHOUT_SOCKETS if by_other_means else ROUGH

        def balanced():
            pages.append(self.page(by_other_means))
            return not self._wrong(pages[-1], rough) or (len(pages) > 3 and pages[-1] == pages[-4])
        wait_for(balanced, 60, "what is under way has arrived")
        wrong = self._wrong(pages[-1], rough)
        if wrong and all(line.startswith(tuple(f"{leg}: " for leg in rough)) for line in wrong):
            raise Smudged("\n".join(wrong))
        assert not wrong, "\n".join(wrong)
        return pages[-1], lost_of(pages[-1])


def lost_of(page):
    return sum(count for key, count in page.items() if key.startswith("wire"))


def _queues(netns, interface):
    """ethtool -S, all queues of a device together: rx_drops, tx_xdp_xmit, ..."""
    sums = {}
    for line in netns.run("ethtool", "-S", interface).stdout.splitlines():
        key, _, value = line.strip().partition(": ")
        part = key.split("_", 3)
        if part[1:2] == ["queue"]:
            sums[f"{part[0]}_{part[3]}"] = sums.get(f"{part[0]}_{part[3]}", 0) + int(value)
    return sums


def _lost(near, far):
    """Dropped by the two ends of a veth in this direction. Frames that were redirected into a full ring
    stand in the far end's rx_dropped, too."""
    queue_drops = sum(q.get("drops", 0) for q in near[0].tc_json("-s", "qdisc", "show", "dev", near[1]))
    return near[0].counters(near[1])["tx_dropped"] + queue_drops + \
        far[0].counters(far[1])["rx_dropped"] - _queues(*near)["tx_xdp_xmit_errors"]
