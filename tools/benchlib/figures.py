# SPDX-License-Identifier: BSD-2-Clause
"""Series of measurements and how they are shown."""
import statistics


class Series:
    def __init__(self, values=()):
        self.values = list(values)

    def add(self, value):
        self.values.append(value)

    @property
    def median(self):
        return statistics.median(self.values)

    def over(self, other):
        """Median of the ratios of one round, which what disturbed a round does not touch."""
        return statistics.median(a / b for a, b in zip(self.values, other.values) if b)

    def json(self):
        return {"median": round(self.median, 3), "min": round(min(self.values), 3),
                "max": round(max(self.values), 3), "n": len(self.values)}


def jsonable(value):
    if isinstance(value, Series):
        return value.json()
    if isinstance(value, dict):
        return {key: jsonable(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    return value


def text_table(head, rows):
    """Columns as wide as needed; the first to the left, the others to the right."""
    cells = [head, *rows]
    widths = [max(len(str(row[i])) for row in cells) for i in range(len(head))]
    for row in cells:
        yield "  ".join([str(row[0]).ljust(widths[0])] +
                        [str(c).rjust(w) for c, w in zip(row[1:], widths[1:])]).rstrip()


def markdown_table(head, rows):
    yield "| " + " | ".join(map(str, head)) + " |"
    yield "|---" + "|--:" * (len(head) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"
