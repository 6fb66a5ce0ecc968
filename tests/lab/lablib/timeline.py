# SPDX-License-Identifier: BSD-2-Clause
"""When which pool was right: flips on one side, what clients and ledgers saw on the other."""
import bisect
from collections import Counter
from dataclasses import dataclass


@dataclass
class Flip:
    pool: str
    began_ns: int
    ended_ns: int


class Timeline:
    """The flips of one service, or of several that are always flipped together."""

    def __init__(self, daemon, *services, first="blue", other="green"):
        self.daemon = daemon
        self.services = services or ("web",)
        self.names = (first, other)
        self.flips = [Flip(first, 0, 0)]

    @property
    def live(self):
        return self.flips[-1].pool

    def flip(self, *options):
        """To the other pool; what zddctl answered."""
        pool = self.names[self.live == self.names[0]]
        answer = self.daemon.ctl("flip", *(f"{s}={pool}" for s in self.services), *options)
        self.flips.append(Flip(pool, answer.began_ns, answer.ended_ns))
        return answer

    def _during(self, begin_ns, end_ns):
        """The last flip that was over before `begin_ns`, and all that began before `end_ns`."""
        last = bisect.bisect_right(self.flips, begin_ns, key=lambda f: f.ended_ns) - 1
        end = last + 1
        while end < len(self.flips) and self.flips[end].began_ns <= end_ns:
            end += 1
        return self.flips[last:end]

    def allowed(self, row):
        return {flip.pool for flip in self._during(row.start, row.first)}

    def strays(self, rows):
        """Flows that began after a flip had returned and went to the pool it had left."""
        return [row for row in rows if row.first and row.pool not in self.allowed(row)]

    def check_pairs(self, pairs):
        """(first, second) rows of two services, one after the other: old-old, old-new, new-new only.

        Returns how many there were beside a flip, the ones that prove something.
        """
        near = 0
        for one, two in pairs:
            flips = self._during(one.start, two.first)
            if len(flips) > 2:
                continue
            near += len(flips) == 2
            steps = [f.pool for f in flips]
            assert one.pool in steps and two.pool in steps[steps.index(one.pool):], \
                f"services flipped together were seen mixed: {one} {two} {flips}"
        return near


def first_of_tuple(rows):
    """UDP: a source port that comes back within the idle time belongs to the flow that it had."""
    seen = set()
    for row in sorted(rows, key=lambda r: r.start):
        if (row.host, row.port) not in seen:
            seen.add((row.host, row.port))
            yield row


def pairs_of(rows):
    open_pairs = {}
    for row in rows:
        other = open_pairs.pop(row.number, None)
        if other is None:
            open_pairs[row.number] = row
        else:
            yield sorted((other, row), key=lambda r: r.target)


def assert_ledgers_agree(rows, ledger):
    """Every flow that a client had is in the ledger of the backend that answered it, and no other is."""
    client = Counter((r.host, r.port, r.backend) for r in rows if r.first)
    server = Counter((r.host, r.port, r.backend) for r in ledger)
    assert client == server, f"client only: {list((client - server).items())[:5]}, " \
                             f"ledger only: {list((server - client).items())[:5]}"
