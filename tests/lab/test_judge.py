# SPDX-License-Identifier: BSD-2-Clause
"""zddctl judge: recorded counts replayed, against exact arithmetic, schemas, and every way to end."""
import json
import os
import random
import re
import subprocess
import sys
from fractions import Fraction

import jsonschema
import pytest

from lablib import judge_exact
from lablib.ctl import ZDDCTL, one_line, zddctl
from lablib.proc import ROOT

HEAD = {"zdd_counts": 1, "service": "shop", "canary": "green", "live": "blue", "signals": ["5xx"]}


def schema(name):
    with open(os.path.join(ROOT, "docs/schema", name)) as file:
        return json.load(file)


def tick(t_s, canary, live, step=1, share=5, **more):
    def side(row):
        return dict(zip(("n", "bad", "sources", "bad_sources"), row))
    return {"t_ms": round(t_s * 1000), "step": step, "share": share,
            "counts": {"5xx": {"canary": side(canary), "live": side(live)}}, **more}


def steady(seconds, canary, live, **more):
    return [tick(t + 1, canary, live, **more) for t in range(seconds)]


@pytest.fixture
def record(tmp_path):
    """Writes a recording that obeys the schema; gives its path."""
    check = jsonschema.Draft202012Validator(schema("counts.json"))

    def write(ticks, **head):
        lines = [{**HEAD, **head}, *ticks]
        for line in lines:
            check.validate(line)
        path = tmp_path / "counts"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return str(path)
    return write


def verdict(path):
    done = zddctl("judge", path, "-o", "json")
    assert done.stderr == b"", done
    answer = json.loads(done.stdout)
    jsonschema.Draft202012Validator(schema("judge.json")).validate(answer)
    assert answer["exit"] == done.returncode
    return answer


GOOD, DEAD = ((30, 0), (570, 0)), ((5, 5), (95, 0))
ENDS = [
    ("passed", "good", 0, 3600, lambda: steady(3600, *GOOD), {}),
    ("rolled_back", "worse", 11, 1, lambda: steady(100, *DEAD), {}),
    ("rolled_back", "late", 11, None, lambda: steady(2000, (100, 1), (300, 3), share=25) + [
        tick(t, (100, 5), (300, 3), share=25) for t in range(2001, 2200)], {}),
    ("rolled_back", "guard", 11, 32, lambda: steady(100, (10, 1), (1000, 49)),
     {"guards": ["5xx > 9 % over 1m for 30s"]}),
    ("paused", "both_are_bad", 13, 31, lambda: steady(100, (10, 3), (190, 57)),
     {"guards": ["5xx > 9 % over 1m for 30s"]}),
    ("paused", "split", 13, 5, lambda: steady(100, *GOOD, new_sources={"canary": 10, "live": 90}), {}),
    ("inconclusive", "time", 14, 3600, lambda: steady(4000, (1, 0), (5, 0), share=15)[::20], {}),
    ("inconclusive", "time", 14, 3600, lambda: steady(4000, (0, 0), (5, 0)), {}),
    ("watching", "time", 15, 30, lambda: steady(30, *GOOD), {}),
    ("watching", "time", 15, 0, lambda: [], {}),
]


@pytest.mark.parametrize("result,why,code,at_s,ticks,head", ENDS,
                         ids=[f"{e[0]}-{e[1]}-{i}" for i, e in enumerate(ENDS)])
def test_every_end(record, result, why, code, at_s, ticks, head):
    path = record(ticks(), started="2026-11-21T15:00:00Z", **head)
    answer = verdict(path)
    assert (answer["result"], answer["exit"]) == (result, code), answer
    assert answer["why"] == why, answer
    if at_s is not None and result != "inconclusive":
        assert answer["at_ms"] == at_s * 1000
        assert answer["at"] == f"2026-11-21T{15 + at_s // 3600}:{at_s // 60 % 60:02}:{at_s % 60:02}.000Z"
    done = zddctl("judge", path)
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (code, b"")
    assert max(map(len, text.splitlines())) <= 80, text
    assert f"\n{result} at " in "\n" + text
    assert answer["text"] in re.sub(r"\s+", " ", text)


def test_low_traffic_says_how_much_longer(record):
    rng = random.Random(5)
    rows = [tick(t, (n, int(rng.random() < .01 * n)), (27, int(rng.random() < .27)))
            for t in range(5, 4000, 5) for n in [rng.choice([0, 1, 1, 2, 2, 3])]]
    answer = verdict(record(rows))
    assert answer["result"] == "inconclusive" and answer["at_ms"] == 3600000
    assert re.match(r"\d+ connections in 1h of step 1 \(5 %\) do not tell whether green is good or bad; if it is "
                    r"as good as blue, 5xx takes about \S+ more at this traffic, or \S+ at a share of 25 %$",
                    answer["text"]), answer["text"]
    assert 60_000 < answer["more_ms"] < 4 * 3600_000


def test_steps(record):
    ticks = (steady(700, *GOOD) + [tick(t, *GOOD, step=2, share=25) for t in range(701, 1401)]
             + [tick(t, (600, 0), (0, 0), step=2, share=100) for t in range(1401, 1500)])
    answer = verdict(record(ticks))
    assert [(p["step"], p["at_ms"]) for p in answer["passed"]] == [(1, 600000), (2, 1300000)]
    assert (answer["result"], answer["step"], answer["share"]) == ("passed", 2, 100)
    assert answer["at"] is None
    text = zddctl("judge", record(ticks)).stdout.decode()
    assert "passed at 10m0s: step 1 (5 %): green is good enough, by 18000 connections" in text


def test_slow(record):
    ticks = [{"t_ms": t * 1000, "step": int(t > 60), "share": 5 * (t > 60),
              "first_byte": {"live": [[110, 19], [130, 1]], "canary": [[115, 2]] if t > 60 else []}}
             for t in range(1, 200)]
    answer = verdict(record(ticks, signals=["5xx", "slow"]))
    slow = answer["signals"][1]
    assert (answer["result"], answer["signal"]) == ("rolled_back", "slow")
    assert slow["tau_us"] == 2 ** 13 * 15 // 8  # bucket 110 = 8 * 13 + 6
    n = slow["rollout"]["canary"]["n"]
    assert slow["rollout"]["canary"]["bad"] == n > 3
    assert slow["slo"] == pytest.approx(sum(p ** n for p in (.05, .25, .6)) / 3), "none is below its limit of 10 %"


@pytest.mark.parametrize("seed", range(8))
def test_evidence_is_exact(record, seed):
    """Whatever the end, each number is that of the exact fractions over the ticks that were judged."""
    rng = random.Random(seed)
    slo, margin = rng.choice([.005, .05]), rng.choice([1.5, 2, 4])
    ticks, t, exact = [], 0, []
    for step, share in ((1, 5), (2, 25), (3, 50)):
        for canary, live in judge_exact.rows(rng, seed % 2, rng.choice([1, 1, 3])):
            t += rng.randint(1, 9)
            new = {"canary": rng.randint(0, 3), "live": rng.randint(0, 20)}
            ticks.append(tick(t, canary, live, step=step, share=share, new_sources=new))
            exact.append((step, share, canary, live, new))
    answer = verdict(record(ticks, judge={"alpha": "0.01%", "slo": f"{slo * 100:g}%", "margin": margin},
                            each={"min": "20s", "connections": 1}))
    signal, split, now = judge_exact.Signal(margin, slo), judge_exact.Split(), 1
    for step, share, canary, live, new in exact[:answer["ticks"]]:
        if step != now:
            signal.begin_step()
            now = step
        signal.feed(canary, live)
        split.feed(new["canary"], new["live"], Fraction(share, 100))
    got = answer["signals"][0]
    for name, value in (("worse", signal.worse()), ("late", signal.late()), ("ok", signal.ok()),
                        ("slo", signal.slo())):
        assert got[name] == pytest.approx(float(value), rel=1e-9), name
    assert answer["split"]["evidence"] == pytest.approx(float(split.evidence()), rel=1e-9)
    assert got["passes"] == signal.passes(.01)
    reasons = {"rolled_back": max(signal.worse() / 10000, signal.late() / 10 ** 6),
               "paused": split.evidence() / 1000}
    over = [result for result, part in reasons.items() if part >= 1]
    assert answer["result"] == over[0] if over else answer["result"] in ("watching", "passed")


def test_the_unit_tests_have_these_values():
    made = subprocess.run([sys.executable, judge_exact.__file__], capture_output=True, check=True).stdout
    with open(os.path.join(ROOT, "tests/unit/judge_values.h"), "rb") as file:
        assert file.read() == made


def test_the_example_of_the_man_page():
    with open(os.path.join(ROOT, "docs/man/zdd-counts.5")) as page:
        lines = [line for line in page if line.startswith("{")]
    done = subprocess.run([ZDDCTL, "judge", "-"], input="".join(lines), capture_output=True, text=True)
    assert done.returncode == 11 and not done.stderr
    assert "rolled_back at 15s: 5xx is worse on green: 5 of 10 (50 %) bad there, 1 of 86" in \
        re.sub(r"\s+", " ", done.stdout)


def test_names_and_lines(record):
    path = record(steady(5, *GOOD), signals=["5xx", "reset"])
    assert zddctl("judge", path, "-o", "name").stdout == b"5xx\nreset\n"
    lines = zddctl("judge", path, "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["5xx", "reset"]


MISTAKES = [
    ("", ":1: empty, expected a line with zdd_counts"),
    ("{", ":1:1: not JSON: "),
    ("{}", ":1: zdd_counts: missing, expected 1, in the first line"),
    ("HEAD\n{}", ":2: t_ms: missing"),
    ("HEAD\n\n" + json.dumps(tick(1, (5, 6), (1, 0))), ":3: counts.5xx.canary.bad: 6: expected a whole number from 0"),
    ("HEAD\n" + "x" * (1 << 20) + "x", ":2: longer than 1048576 bytes"),
    # after the decision, too
    ("HEAD\n" + json.dumps(tick(1, *DEAD)) + '\n{"t_ms":2,"step":1}', ":3: t_ms: 2: expected more than"),
]


@pytest.mark.parametrize("text,error", MISTAKES, ids=range(len(MISTAKES)))
def test_mistake(tmp_path, text, error):
    path = tmp_path / "counts"
    path.write_text(text.replace("HEAD", json.dumps(HEAD)))
    done = zddctl("judge", path)
    assert (done.returncode, done.stdout) == (2, b""), done
    assert f"{path}{error}" in one_line(done)


@pytest.mark.parametrize("path,error", [("/no/such/file", "No such file"), ("/", "Is a directory")])
def test_no_file(path, error):
    done = zddctl("judge", path)
    assert done.returncode == 2 and f"judge: {path}: {error}" in one_line(done)
