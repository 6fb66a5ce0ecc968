#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The judge's evidence by JUDGE's formulas, in exact fractions: nothing here knows the C code.

Run by itself, it prints tests/unit/judge_values.h.
"""
import math
import random
from fractions import Fraction

WORSE = [Fraction(r) for r in ("1.25", "1.5", "2", "3", "5", "8", "15", "40", "150")]
OK = [Fraction(r) for r in (".5", ".8", "1", "1.15")]
SLO = [Fraction(r) for r in (".05", ".25", ".6")]
SPLIT = [Fraction(r) for r in (".25", ".5", ".8", "1.25", "2", "4")]


def ratio(rho, q, c, m):
    """LR(rho) of c of m bad events being the canary's, which had the part q of the exposures."""
    return rho ** c / (1 + q * (rho - 1)) ** m


def part(a, b):
    return Fraction(a, a + b) if a + b else Fraction(0)


def mean(values):
    return sum(values) / len(values)


def ln(x):
    """Also of fractions beyond the range of floats."""
    return math.log(x.numerator) - math.log(x.denominator)


LOOK = 3  # exposures of each side that are gathered before they are compared


class Signal:
    """Rows are (canary, live), each (n, bad) or (n, bad, sources, bad_sources)."""

    def __init__(self, margin, slo):
        self.margin, self.limit = Fraction(str(margin)), slo and Fraction(str(slo))
        self.products = [Fraction(1)] * len(WORSE)
        self.cusum = [Fraction(1)] * len(WORSE)
        self.open = None
        self.begin_step()

    def begin_step(self):
        if self.open:
            self.look(*self.open)
        self.open = None
        self.ok_by = [[Fraction(1)] * len(OK) for _ in range(2)]
        self.slo_by = [[Fraction(1)] * len(SLO) for _ in range(2)]

    def feed(self, canary, live):
        both = [canary, live]
        if self.open:
            both = [tuple(map(sum, zip(*sides))) for sides in zip(self.open, both)]
        self.open = both
        if min(both[0][0], both[1][0]) >= LOOK:
            self.look(*both)
            self.open = None
        self.feed_slo(canary)

    def look(self, canary, live):
        q = part(canary[0], live[0])
        c, m = canary[1], canary[1] + live[1]
        qs, cs, ms = [q, q], c, m
        if len(canary) == 4:
            qs = sorted([q, part(canary[2], live[2])])
            cs, ms = canary[3], canary[3] + live[3]
        for k, rho in enumerate(WORSE):
            step = ratio(rho, qs[1], cs, ms)
            self.products[k] *= step
            self.cusum[k] = max(self.cusum[k], 1) * step
        for row, (one_q, one_c, one_m) in zip(self.ok_by, [(q, c, m), (qs[0], cs, ms)]):
            for k, rho in enumerate(OK):
                row[k] *= ratio(rho, one_q, one_c, one_m) / ratio(self.margin, one_q, one_c, one_m)

    def feed_slo(self, canary):
        c, cs, ns = canary[1], canary[-1], canary[2] if len(canary) == 4 else canary[0]
        for row, (x, n) in zip(self.slo_by, [(c, canary[0]), (cs, ns)]):
            for k, r in enumerate(SLO if self.limit else []):
                p = r * self.limit
                row[k] *= (p / self.limit) ** x * ((1 - p) / (1 - self.limit)) ** (n - x)

    def worse(self):
        return mean(self.products)

    def late(self):
        return mean(self.cusum)

    def ok(self):
        return min(map(mean, self.ok_by))

    def slo(self):
        return min(map(mean, self.slo_by))

    def passes(self, beta):
        both = mean([self.ok(), self.slo()]) if self.limit else self.ok()
        return both >= 1 / Fraction(str(beta))


class Split:
    def __init__(self):
        self.products = [Fraction(1)] * len(SPLIT)

    def feed(self, canary, live, share):
        for k, rho in enumerate(SPLIT if 0 < share < 1 else []):
            self.products[k] *= ratio(rho, share, canary, canary + live)

    def evidence(self):
        return mean(self.products)


def rows(rng, by_source, factor):
    out = []
    for _ in range(rng.randint(5, 40)):
        row = []
        for n, p in ((rng.randint(0, 12), .05 * factor), (rng.randint(0, 200), .05)):
            bad = sum(rng.random() < p for _ in range(n))
            if by_source:  # made up, but never impossible
                sources = rng.randint(1, n) if n else 0
                row.append((n, bad, sources, rng.randint(1, min(bad, sources)) if bad else 0))
            else:
                row.append((n, bad))
        out.append(row)
    return out


def print_case(number, rng):
    by_source, margin, slo = number % 2 == 1, rng.choice([1.5, 2, 3.25]), rng.choice([.005, .02, .3])
    share = Fraction(rng.choice([100, 500, 2500, 5000]), 10000)
    signal, split, table = Signal(margin, slo), Split(), rows(rng, by_source, rng.choice([0, 1, 2, 6]))
    print(f"\t{{{str(by_source).lower()}, {margin}, {slo}, {int(share * 10000)}, {len(table)}, {{")
    for canary, live in table:
        signal.feed(canary, live)
        split.feed(canary[0], live[0], share)
        print("\t\t{" + ", ".join("{" + ", ".join(map(str, side)) + "}" for side in (canary, live)) + "},")
    values = (signal.worse(), signal.late(), signal.ok(), signal.slo(), split.evidence())
    print("\t}, " + ", ".join(f"{ln(v):.12g}" for v in values) + "},")


def main():
    rng = random.Random(20261121)
    print("/* SPDX-License-Identifier: BSD-2-Clause */\n/* Written by tests/lab/lablib/judge_exact.py. */")
    print("/* clang-format off */")
    for number in range(12):
        print_case(number, rng)


if __name__ == "__main__":
    main()
