# SPDX-License-Identifier: BSD-2-Clause
"""zddctl's words: help, man page, completion, and every kind of mistake."""
import os
import re
import subprocess

import pytest

from lablib.ctl import one_line, peer, zddctl  # noqa: F401 (a fixture)
from lablib.proc import BUILD, ROOT

MAN = os.path.join(ROOT, "docs/man/zddctl.8")


def commands():
    """(name, synopsis) of every row in the help."""
    text = zddctl("--help").stdout.decode()
    body = text[text.index("\nlook\n"):text.index("\noptions")]
    return [(name, (rest or "").strip()) for name, rest in
            re.findall(r"^  (\w+)(?: (.*?))?(?:  .*)?$", body, re.M)]


def test_help():
    done = zddctl("--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert max(map(len, done.stdout.decode().splitlines())) <= 80
    assert len(commands()) >= 22
    for word in LATER:
        assert not re.search(rf"\b{word}\b", done.stdout.decode()), word


def test_help_of_each_command():
    for name, synopsis in commands():
        for args in ([name, "--help"], ["help", name], ["--help", name]):
            done = zddctl(*args)
            assert (done.returncode, done.stderr) == (0, b"")
            assert f"zddctl {name} {synopsis}".strip() in done.stdout.decode()
            assert max(map(len, done.stdout.decode().splitlines())) <= 80


def test_version():
    assert re.fullmatch(rb"zddctl \d+\.\d+\.\d+\n", zddctl("--version").stdout)


def test_man_page_has_the_same_commands_and_options():
    with open(MAN) as page:
        lines = page.read().splitlines()
    items = [re.sub(r"\\&", "", line.split('"', 1)[1].rstrip('"')) for line in lines
             if line.startswith('.It Ic "')]
    assert items == [f"{name} {synopsis}".strip() for name, synopsis in commands()]
    text = "\n".join(lines)
    for option in re.findall(r"--([a-z-]+)", zddctl("--help").stdout.decode()):
        assert option.replace("-", r"\-") in text or f"-{option}" in text, option


def test_man_page_has_the_states_to_wait_for():
    script = zddctl("--completion", "bash").stdout.decode()
    words = re.search(r"--until\) options= names='(.*?)'", script)[1].split()
    with open(MAN) as page:
        text = page.read()
    assert len(words) > 15
    assert [w for w in words if not re.search(rf"\b{w}\b", text)] == []


def complete(peer, line):
    script = (f'export PATH={BUILD}:$PATH ZDD_SOCKET={peer.socket}; source <(zddctl --completion bash) && '
              f'COMP_LINE="{line}" COMP_POINT={len(line)} && _zddctl && printf "%s\\n" "${{COMPREPLY[@]}}"')
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("line,words", [
    ("zddctl fl", ["flip"]), ("zddctl ", ["ls", "get", "flip", "--dry-run"]), ("zddctl -o js", ["json", "jsonl"]),
    ("zddctl flip --f", ["--force"]), ("zddctl get sh", ["shop"]), ("zddctl flip sh", ["shop=blue", "shop=green"]),
    ("zddctl flip shop=g", ["green"]), ("zddctl drain shop/b", ["shop/blue", "shop/blue/10.0.1.11:8080"]),
    ("zddctl status shop --until d", ["degraded", "drained"]), ("zddctl canary shop --step-until e", ["evidence"]),
    ("zddctl status shop --until ro", ["rolled_back"]), ("zddctl canary sh", ["shop=blue", "shop=green"]),
    ("zddctl roll sh", ["shop", "shop=green"]), ("zddctl deploy sh", ["shop=:"]), ("zddctl prom", ["promote"]), ("zddctl --socket x backend a", ["add"]),
    ("zddctl judge /etc/pass", ["/etc/passwd"])])
def test_completion(peer, line, words):
    got = complete(peer, line)
    assert [w for w in words if w not in got] == [], got
    assert not line.endswith("fl") or got == ["flip"]


# --- mistakes: one line, the right code, nothing sent

LATER = ["trace", "top"]

MISTAKES = [
    (["flp"], "did you mean flip?"),
    (["gte"], "did you mean get?"),
    (["--verbose"], "--verbose: no such option"),
    (["get", "--scoket", "x"], "did you mean --socket"),
    (["get", "a", "b"], "'b' is one too many"),
    (["get", "a/b"], "'a/b': expected SVC"),
    (["get", ""], "'': expected SVC"),
    (["ls", "shop"], "'shop' is one too many"),
    (["status"], "expected: status SVC"),
    (["status", "shop", "--until", "steady"], "expected ok, degraded, panic, drained, or a state of a rollout"),
    (["status", "shop", "--until", "promote"], "did you mean promoted"),
    (["canary"], "expected: canary SVC[=POOL]"),
    (["canary", "shop/green"], "'shop/green': expected SVC=POOL"),
    (["canary", "shop=green", "api=v2"], "'api=v2' is one too many"),
    (["canary", "shop", "--steps", "5,,100"], "--steps: '': expected 0 to 100 percent"),
    (["canary", "shop", "--steps", "5,101"], "--steps: '101': expected 0 to 100 percent"),
    (["canary", "shop", "--steps", "5,1e1"], "--steps: '1e1': expected 0 to 100 percent"),
    (["canary", "shop", "--steps", "0.001"], "in steps of 0.01"),
    (["canary", "shop", "--each", "10"], "--each: '10': expected a duration"),
    (["canary", "shop", "--step-until", "evidense"], "did you mean evidence"),
    (["canary", "shop", "--until", "promoted"], "--until: does not belong"),
    (["roll", "shop", "--steps", "5"], "--steps: does not belong"),
    (["roll", "a/b"], "'a/b': expected SVC"),
    (["deploy", "shop"], "expected SVC=ADDR[,ADDR...]"),
    (["deploy", "shop=:0"], "':0' is no address"),
    (["deploy", "shop=:65536"], "':65536' is no address"),
    (["deploy", "shop=:80,"], "'' is no address"),
    (["deploy", "shop=" + "x" * 100], "is no address"),
    (["experiment", "shop"], "expected: experiment SVC POOL=PERCENT..."),
    (["experiment", "shop", "green=5"], "with the % sign"),
    (["promote"], "expected: promote SVC"),
    (["promote", "shop=green"], "'shop=green': expected SVC"),
    (["pause", "shop", "--full"], "--full: does not belong"),
    (["abort", "shop", "api"], "one too many"),
    (["lock", "shop", "--force"], "--force: does not belong"),
    (["history", "shop", "--statz"], "did you mean --stats"),
    (["why"], "expected: why SVC"),
    (["history", "shop", "3"], "one too many"),
    (["conns", "shop/blue/10.0.0.1"], "'10.0.0.1' is no backend"),
    (["conns", "shop", "--limit", "many"], "expected a whole number"),
    (["cohort", "shop"], "expected: cohort SVC ADDRESS"),
    (["cohort", "shop", "1.2.3"], "expected an IPv4 or IPv6 address"),
    (["cohort", "shop", "1.2.3.4:5"], "expected an IPv4 or IPv6 address"),
    (["events", "--until", "x"], "--until: does not belong"),
    (["ready", "shop"], "expected SVC/POOL or SVC/POOL/ADDR"),
    (["ready", "--dry-run"], "--dry-run: does not belong"),
    (["apply"], "-f FILE is missing"),
    (["apply", "-f"], "-f: FILE is missing"),
    (["apply", "-f", "/no/such/file"], "/no/such/file: No such file"),
    (["apply", "-f", "/"], "/: Is a directory"),
    (["plan"], "-f FILE is missing"),
    (["restore"], "-f FILE is missing"),
    (["flip"], "expected: flip SVC[=POOL]..."),
    (["flip", "shop="], "'shop=': expected SVC=POOL"),
    (["flip", "=green"], "'=green': expected SVC=POOL"),
    (["flip", "a=b=c"], "'a=b=c': expected SVC=POOL"),
    (["flip", "shop/green"], "'shop/green': expected SVC=POOL"),
    (["flip", "shop=green", "shop=blue"], "shop is named twice"),
    (["flip", "shop", "--if-revision", "seven"], "expected a whole number"),
    (["flip", "shop", "--timeout", "5"], "expected a duration"),
    (["flip", "shop", "-o", "name"], "no names to list"),
    (["flip", "shop", "--until", "ok"], "--until: does not belong"),
    (["undo", "shop", "api"], "one too many"),
    (["set", "share", "shop"], "expected: set share SVC POOL=PERCENT..."),
    (["set", "weight", "shop", "a=1"], "'weight': expected share"),
    (["set", "share", "shop", "green"], "expected POOL=PERCENT"),
    (["set", "share", "shop", "green=5"], "with the % sign"),
    (["set", "share", "shop", "green=101%"], "expected 0% to 100%"),
    (["set", "share", "shop", "green=-1%"], "expected 0% to 100%"),
    (["set", "share", "shop", "green=0.001%"], "in steps of 0.01%"),
    (["set", "share", "shop", "a=1%", "a=2%"], "a is named twice"),
    (["drain", "shop"], "expected SVC/POOL"),
    (["drain", "shop/blue/[fd00::1:80"], "is no backend"),
    (["maint", "shop/blue/10.0.0.1:0"], "is no backend"),
    (["backend", "add"], "expected: backend add|del"),
    (["backend", "insert", "shop/blue/10.0.0.1:80"], "expected add or del"),
    (["backend", "add", "shop/blue"], "expected SVC/POOL/ADDR"),
    (["backend", "add", "shop/blue/10.0.0.1:80", "weight=0"], "expected 1 to 1000"),
    (["backend", "add", "shop/blue/10.0.0.1:80", "weight=4294967297"], "expected 1 to 1000"),
    (["backend", "add", "shop/blue/10.0.0.1:80", "5"], "expected weight=N"),
    (["backend", "del", "shop/blue/10.0.0.1:80", "weight=2"], "del takes no weight"),
    (["help", "nothing"], "no such command"),
    (["-o", "yaml"], "expected table, wide, json, jsonl or name"),
    (["--completion", "fish"], "expected bash"),
    (["get", "-m", "why"], "-m: does not belong"),
    (["flip", b"\xff"], "argument 4 is not UTF-8"),
    (["why", "two\nlines/x"], "two lines"),
] + [([word, "shop"], f"{word}: not yet supported") for word in LATER]


@pytest.mark.parametrize("args,error", MISTAKES, ids=lambda v: repr(v)[:50])
def test_mistake(peer, args, error):
    done = zddctl("--socket", peer.socket, *args)
    assert (done.returncode, done.stdout) == (2, b""), done
    assert error in one_line(done)
    assert peer.requests == []


def test_a_socket_path_that_is_too_long():
    done = zddctl("--socket", "/" + "x" * 200)
    assert done.returncode == 2 and "107" in one_line(done)
