# SPDX-License-Identifier: BSD-2-Clause
"""zddctl alone, against a peer that records what it is asked: every command's request, output and
exit code. What the daemon does with the requests is test_ctl.py's, the words that people type and
get wrong are test_zddctl_words.py's."""
import json
import os
import pty
import re
import select
import socket
import subprocess

import pytest

from lablib.api_peer import ANSWERS
from lablib.ctl import ENVIRONMENT, ZDDCTL, ask, one_line, peer, zddctl  # noqa: F401 (a fixture)
from lablib.proc import wait_for

CONFIG = "services: {}\n"


# --- looking: arguments, path asked, words that people see

LOOK = [
    ([], "/v1/state", ["blue", "100%", "99.75%", "2/2 up", "live", "10.0.1.12:8080", "drain", "generation 42",
                       "connection refused", "eth0 (xdp)"]),
    (["get"], "/v1/state", ["[fd00:2::11]:8080", "10.0.1.12:8080: drains, 64 open", "shop/green: drains, 3 open"]),
    (["get", "shop"], "/v1/services/shop", ["blue", "degraded"]),
    (["ls"], "/v1/state", ["shop", "203.0.113.10:443/tcp"]),
    (["status", "shop"], "/v1/services/shop", ["live blue", "revision 7", "203.0.113.10:8443/tcp"]),
    (["status", "shop", "--until", "degraded"], "/v1/services/shop", ["degraded"]),
    (["why", "shop"], "/v1/services/shop/why", ["drains because"]),
    (["history", "shop"], "/v1/services/shop/history",
     ["   3  2026-11-21T02:00:00Z  flip        reached      green -> blue, by root: the", "new version is too slow"]),
    (["conns", "shop"], "/v1/services/shop/conns", ["192.0.2.7:51000", "250ms", "2h3m"]),
    (["conns", "shop/blue"], "/v1/services/shop/conns?pool=blue", ["established"]),
    (["conns", "shop/blue/[fd00::1]:80", "--limit", "7"],
     "/v1/services/shop/conns?pool=blue&backend=%5Bfd00%3A%3A1%5D%3A80&limit=7", ["established"]),
    (["conns", "shop", "--limit=7"], "/v1/services/shop/conns?limit=7", ["established"]),
    (["cohort", "shop", "192.0.2.7"], "/v1/services/shop/cohort?address=192.0.2.7",
     ["shop/blue", "bucket 1234"]),
    (["cohort", "shop", "2001:DB8::0:1"], "/v1/services/shop/cohort?address=2001%3Adb8%3A%3A1", ["shop/blue"]),
    (["events"], "/v1/events", ["shop/green/[fd00:2::11]:8080", "down: connection refused"]),
    (["ready"], "/v1/ready", ["ready: every service"]),
    (["save"], "/v1/config", ['"share": 33.34\n']),
]


@pytest.mark.parametrize("args,path,words", LOOK, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_look(peer, args, path, words):
    text = ask(peer, *args)
    assert peer.requests == [("GET", path, None)]
    assert [w for w in words if w not in text] == [], text
    assert args == ["events"] or max(map(len, text.splitlines())) <= 80, text  # an event is one line
    assert "\033" not in text


@pytest.mark.parametrize("args,path,words", LOOK, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_json_is_the_body(peer, args, path, words):
    text = ask(peer, *args, "-o", "json")
    assert json.loads(text) == ANSWERS[path.split("?")[0]]


def test_jsonl_and_names(peer):
    assert [json.loads(line) for line in ask(peer, "get", "-o", "jsonl").splitlines()] == \
        ANSWERS["/v1/state"]["services"]
    assert ask(peer, "ls", "-o", "name") == "shop\n"
    names = "shop/blue/10.0.1.11:8080\nshop/blue/10.0.1.12:8080\nshop/green/[fd00:2::11]:8080\n"
    assert ask(peer, "get", "-o", "name") == names
    assert ask(peer, "get", "shop", "-o", "name") == names
    assert ask(peer, "conns", "shop", "-o", "name") == "192.0.2.7:51000\n"
    assert ask(peer, "doctor", "-o", "name", code=1) == "ip_forward\nrp_filter\nnftables\n"


def test_wide_has_what_table_leaves_out(peer):
    text = ask(peer, "get", "-o", "wide")
    assert all(w in text for w in ("WEIGHT", "123M", "unresolved", "LAST ERROR", "2026-11-21T03:00:00Z"))


def test_doctor_marks_and_fixes(peer):
    text = ask(peer, "doctor", code=1)
    assert re.search(r"^✓ ip_forward.*\n✗ rp_filter.*\n    sysctl -w .*\n\? nftables.*\n    install", text, re.M)
    peer.answers["/v1/doctor"]["checks"][1]["ok"] = True
    assert "sysctl" not in ask(peer, "doctor")
    done = zddctl("--socket", peer.socket, "doctor", LC_ALL="C")
    assert done.stdout.isascii()


def test_not_ready_is_exit_1(peer):
    peer.answers["/v1/ready"] = lambda *_: (503, {"ready": False, "text": "no pool of shop is up"})
    assert "no pool of shop" in ask(peer, "ready", code=1)


def test_status_waits_for_the_state(peer):
    services = [dict(ANSWERS["/v1/services/shop"], state=s) for s in ("panic", "degraded", "ok")]
    peer.answers["/v1/services/shop"] = lambda *_: (200, services[min(len(peer.requests), 3) - 1])
    assert "shop: ok" in ask(peer, "status", "shop", "--until", "ok")
    assert len(peer.requests) == 3
    done = zddctl("--socket", peer.socket, "status", "shop", "--until", "drained", "--timeout", "300ms")
    assert done.returncode == 15 and "drained" in one_line(done)


def test_nothing_is_said_not_drawn(peer):
    peer.answers["/v1/services/shop/conns"] = {"conns": [], "total": 0}
    done = zddctl("--socket", peer.socket, "conns", "shop")
    assert (done.returncode, done.stdout) == (0, b"")
    assert one_line(done) == "zddctl: no open connections\n"


# --- changing: arguments, path and body sent (timeout_ms aside)

CHANGE = [
    (["flip", "shop=green"], "flip", {"targets": {"shop": "green"}}),
    (["flip", "shop"], "flip", {"targets": {"shop": None}}),
    (["flip", "web=green", "api=v42", "--force", "--verify"], "flip",
     {"targets": {"web": "green", "api": "v42"}, "force": True, "verify": True}),
    (["undo", "shop"], "undo", {"service": "shop"}),
    (["undo", "shop", "--force"], "undo", {"service": "shop", "force": True}),
    (["set", "share", "shop", "green=5%"], "share", {"service": "shop", "shares": {"green": 5}}),
    (["set", "share", "shop", "green=33.34%", "blue=66.66%"], "share",
     {"service": "shop", "shares": {"green": 33.34, "blue": 66.66}}),
    (["drain", "shop/blue"], "admin", {"service": "shop", "pool": "blue", "backend": None, "state": "drain"}),
    (["drain", "shop/blue", "--force"], "admin",
     {"service": "shop", "pool": "blue", "backend": None, "state": "drain", "force": True}),
    (["maint", "shop/blue/10.0.0.1:80"], "admin",
     {"service": "shop", "pool": "blue", "backend": "10.0.0.1:80", "state": "maint"}),
    (["ready", "shop/blue/[FD00::0:1]:80"], "admin",
     {"service": "shop", "pool": "blue", "backend": "[fd00::1]:80", "state": "ready"}),
    (["backend", "add", "shop/blue/10.0.0.9:80"], "backend",
     {"action": "add", "service": "shop", "pool": "blue", "address": "10.0.0.9:80", "weight": 1}),
    (["backend", "add", "shop/blue/10.0.0.9:80", "weight=1000"], "backend",
     {"action": "add", "service": "shop", "pool": "blue", "address": "10.0.0.9:80", "weight": 1000}),
    (["backend", "del", "shop/blue/10.0.0.9:80"], "backend",
     {"action": "del", "service": "shop", "pool": "blue", "address": "10.0.0.9:80"}),
    (["apply", "-f", "FILE"], "apply", {"config": CONFIG, "file": "FILE"}),
    (["plan", "-f", "FILE"], "apply", {"config": CONFIG, "file": "FILE", "dry_run": True}),
    (["restore", "-f", "FILE"], "restore", {"config": CONFIG, "file": "FILE"}),
]


@pytest.mark.parametrize("args,verb,body", CHANGE, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_change(peer, tmp_path, args, verb, body):
    file = tmp_path / "zdd.yaml"
    file.write_text(CONFIG)
    args = [str(file) if a == "FILE" else a for a in args]
    body = {k: str(file) if v == "FILE" else v for k, v in body.items()}
    text = ask(peer, *args)
    assert peer.requests == [("POST", f"/v1/{verb}", {**body, "timeout_ms": 30000})]
    assert "green is live" in text


def test_options_of_every_change(peer):
    ask(peer, "-m", "it is faster", "flip", "--by=alice", "shop", "--if-revision", "7", "--dry-run", "--no-wait",
        "--timeout", "5m")
    sent = peer.requests[0][2]
    assert {k: sent[k] for k in ("why", "by", "if_revision", "dry_run", "no_wait", "timeout_ms")} == \
        {"why": "it is faster", "by": "alice", "if_revision": 7, "dry_run": True, "no_wait": True,
         "timeout_ms": 300000}


def test_a_flip_says_what_it_did(peer):
    peer.changed.update(
        staying=[{"service": "shop", "pool": "blue", "backend": None, "flows_active": 128}],
        verify={"proven": True, "old": {"shop/blue": {"last_new_generation": 42,
                                                      "last_new": "2026-11-21T02:00:00.123Z"}},
                "new": {"shop/green": {"first_new_generation": None, "first_new": None}}})
    first = "shop: green is live (generation 43, 3 ms). 128 connections stay on blue.\n"
    assert ask(peer, "flip", "shop") == first
    assert ask(peer, "flip", "shop", "--verify") == first + (
        "proven by the data path's stamps:\n"
        "  shop/blue: last new flow in generation 42, 2026-11-21T02:00:00.123Z\n"
        "  shop/green: no new flow seen\n")
    assert json.loads(ask(peer, "flip", "shop", "-o", "json")) == peer.changed


def test_several_services_have_a_line_each(peer):
    peer.changed.update(
        text="shop: green is live; api: v2 5 %, v1 95 %",
        moved=[{"service": "shop", "text": "shop: green is live"},
               {"service": "api", "text": "api: v2 5 %, v1 95 %"}],
        staying=[{"service": "api", "pool": "v1", "backend": None, "flows_active": 1}])
    assert ask(peer, "flip", "shop", "api=v2") == (
        "shop: green is live (generation 43, 3 ms).\n"
        "api: v2 5 %, v1 95 % (generation 43, 3 ms). 1 connection stays on v1.\n")


def test_a_drain_says_who_is_left(peer):
    peer.changed.update(text="shop/blue/10.0.1.11:8080 drains", moved=[], staying=[
        {"service": "shop", "pool": "blue", "backend": "10.0.1.11:8080", "flows_active": 7}])
    assert ask(peer, "drain", "shop/blue/10.0.1.11:8080") == (
        "shop/blue/10.0.1.11:8080 drains (generation 43, 3 ms). 7 connections stay on\n"
        "shop/blue/10.0.1.11:8080.\n")


def test_what_was_so_already_has_no_new_generation(peer):
    peer.changed.update(text="shop: green is live already", changes=[], moved=[
        {"service": "shop", "text": "shop: green is live already"}])
    assert ask(peer, "flip", "shop") == "shop: green is live already.\n"


def test_plan_prints_like_a_diff(peer, tmp_path):
    (tmp_path / "f").write_text(CONFIG)
    peer.changed.update(result="changes", exit=20, text="3 changes", moved=[], changes=[
        "adds service api", "shop: removes preview", "shop/blue weight: 1 -> 2"])
    text = ask(peer, "plan", "-f", tmp_path / "f", code=20)
    assert text == "+ adds service api\n- shop: removes preview\n~ shop/blue weight: 1 -> 2\n3 changes.\n"


def test_undo_without_a_name(peer):
    ask(peer, "undo")
    assert peer.requests[-1][2]["service"] == "shop"
    peer.answers["/v1/state"]["services"].append({"service": "api"})
    done = zddctl("--socket", peer.socket, "undo")
    assert done.returncode == 2 and "shop, api" in one_line(done)


@pytest.mark.parametrize("status,code,word", [
    (400, 2, "bad_request"), (404, 3, "not_found"), (409, 4, "refused"), (403, 6, "not_permitted"),
    (409, 10, "failed_safe"), (504, 15, "timeout"), (500, 1, "error"), (409, 11, "rolled_back")])
def test_exit_code_is_the_answers(peer, status, code, word):
    answer = {"result": word, "exit": code, "text": "shop/green: two\nlines", "generation": 1}
    peer.answers["/v1/flip"] = lambda *_: (status, answer)
    peer.answers["/v1/services/shop"] = peer.answers["/v1/flip"]
    for args in (["flip", "shop"], ["get", "shop"]):
        done = zddctl("--socket", peer.socket, *args)
        assert (done.returncode, done.stdout) == (code, b"")
        assert "shop/green: two lines" in one_line(done)
        done = zddctl("--socket", peer.socket, "-o", "json", *args)
        assert (done.returncode, json.loads(done.stdout)) == (code, answer)


def test_cut_connections_are_exit_16_and_no_failure(peer):
    peer.changed.update(exit=16, result="cut")
    assert "green is live" in ask(peer, "flip", "shop", code=16)


# --- files

def test_save_to_a_file_and_nowhere(peer, tmp_path):
    file = tmp_path / "saved.json"
    ask(peer, "save", "-f", file)
    assert json.loads(file.read_text()) == ANSWERS["/v1/config"]
    assert sorted(os.listdir(tmp_path)) == ["saved.json", "zddd.sock"]
    done = zddctl("--socket", peer.socket, "save", "-f", tmp_path / "no" / "where")
    assert done.returncode == 1 and "No such file" in one_line(done)


def test_apply_from_standard_input(peer):
    done = subprocess.run([ZDDCTL, "--socket", peer.socket, "apply", "-f", "-"], input=b"a: \xc3\xa4\n",
                          env=ENVIRONMENT)
    assert done.returncode == 0
    assert peer.requests[0][2]["config"] == "a: ä\n"


@pytest.mark.parametrize("content,error", [
    (b"a: 1\nb: \xff\n", ":2: not UTF-8 text"), (b"a\n\nb\0c\n", ":3: not UTF-8 text"),
    (b"x" * (17 << 20), ": larger than 16 MiB")])
def test_files_that_cannot_be_sent(peer, tmp_path, content, error):
    file = tmp_path / "f"
    file.write_bytes(content)
    done = zddctl("--socket", peer.socket, "apply", "-f", file)
    assert (done.returncode, one_line(done)) == (2, f"zddctl: apply: {file}{error}\n")
    assert peer.requests == []


def test_a_full_disk_is_no_success(peer):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([ZDDCTL, "--socket", peer.socket, "get"], stdout=full, stderr=subprocess.PIPE,
                              env=ENVIRONMENT)
    assert done.returncode == 1 and b"No space left" in done.stderr


# --- the daemon is not there, not ours, or strange

def test_no_daemon(tmp_path):
    nobody = tmp_path / "zddd.sock"
    for args in (["get"], ["flip", "shop"], ["events", "-f", "--timeout", "1ms"]):
        done = zddctl("--socket", nobody, *args)
        assert done.returncode == 5 and str(nobody) in done.stderr.decode()
    assert one_line(zddctl(ZDD_SOCKET=str(nobody))).count(str(nobody)) == 1
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(nobody))
    assert zddctl("--socket", nobody).returncode == 5


def test_not_permitted(peer):
    os.chmod(peer.socket, 0o600)
    os.chmod(os.path.dirname(peer.socket), 0o700)
    copied = f"/tmp/{os.path.basename(os.path.dirname(peer.socket))}-{os.getpid()}-zddctl"
    subprocess.run(["install", "-m", "755", ZDDCTL, copied], check=True)
    try:
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copied, "--socket",
                               peer.socket, "get"], capture_output=True, env=ENVIRONMENT)
    finally:
        os.unlink(copied)
    assert done.returncode == 6, done
    one_line(done)


@pytest.mark.parametrize("answer", [b"", b"hello", b"[1]", b'{"a":', b"\xff"])
def test_strange_answers(peer, answer):
    peer.answers["/v1/state"] = peer.answers["/v1/flip"] = lambda *_: (200, answer)
    for args in (["get"], ["flip", "shop"]):
        done = zddctl("--socket", peer.socket, *args)
        assert done.returncode == 1
        one_line(done)


@pytest.mark.parametrize("body", [{}, {"services": None}, {"services": [{}]}, {"services": [{"pools": [1, {}]}]},
                                  {"services": 1, "interfaces": [3], "problems": [None]}])
def test_missing_fields_are_no_crash(peer, body):
    peer.answers["/v1/state"] = body
    for output in ("table", "wide", "json", "jsonl", "name"):
        ask(peer, "get", "-o", output)


def test_a_proxy_in_the_environment_is_not_asked(peer):
    done = zddctl("--socket", peer.socket, "get", http_proxy="http://127.0.0.1:9", ALL_PROXY="http://127.0.0.1:9")
    assert done.returncode == 0


# --- following

def lines_of(process, n):
    return [process.stdout.readline().decode() for _ in range(n)]


def test_events_follow_over_a_restart(peer):
    event = ANSWERS["/v1/events"]["events"][0]

    def events(path, _):
        after = re.search(r"after=(\d+)&wait_ms=\d+", path)
        first = int(after[1]) + 1 if after else 1
        return 200, {"events": [dict(event, id=i, text=f"event {i}") for i in range(first, first + 2)]}

    peer.answers["/v1/events"] = events
    follower = subprocess.Popen([ZDDCTL, "--socket", peer.socket, "events", "-f", "-o", "jsonl"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    try:
        assert [json.loads(line)["id"] for line in lines_of(follower, 6)] == list(range(1, 7))
        peer.stop()
        while select.select([follower.stdout], [], [], 0.1)[0] and follower.stdout.read1():
            pass
        seen = len(peer.requests)
        peer.start()
        wait_for(lambda: len(peer.requests) > seen, 10, "the follower asks again")
        assert lines_of(follower, 2)
    finally:
        follower.kill()
        follower.wait()


def test_watch_off_a_terminal_shows_changes_only(peer):
    watcher = subprocess.Popen([ZDDCTL, "--socket", peer.socket, "get", "-w", "-o", "jsonl"],
                               stdout=subprocess.PIPE, env=ENVIRONMENT)
    try:
        assert json.loads(lines_of(watcher, 1)[0])["revision"] == 7
        service = peer.answers["/v1/state"]["services"][0]
        service["pools"][0]["flows_new"] += 1  # traffic alone is no change
        seen = len(peer.requests)
        wait_for(lambda: len(peer.requests) > seen + 1, 10, "it looks again")
        assert not select.select([watcher.stdout], [], [], 0)[0]
        service["revision"] = 8
        assert json.loads(lines_of(watcher, 1)[0])["revision"] == 8
    finally:
        watcher.kill()
        watcher.wait()


def on_terminal(peer, *args, until, **environment):
    """What a person at a terminal of 80 columns sees, until the text is there or the command ended."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(ZDDCTL, [ZDDCTL, "--socket", peer.socket, *args], {**ENVIRONMENT, **environment})
    seen = b""
    try:
        while until not in seen:
            if not select.select([master], [], [], 10)[0]:
                break
            seen += os.read(master, 65536)
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(master)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    return seen.decode()


def test_terminal(peer):
    assert "\033[31m" in on_terminal(peer, "get", until=b"generation 42")
    assert "\033[" not in on_terminal(peer, "get", until=b"generation 42", NO_COLOR="1")
    assert "\033[" not in on_terminal(peer, "get", until=b"generation 42", TERM="dumb")


def test_watching_redraws_in_place(peer):
    """From the top left, no line left over of a longer one, and never the whole screen blank."""
    seen = on_terminal(peer, "get", "-w", until=b"\033[J")
    assert seen.startswith("\033[H") and "\033[2J" not in seen
    lines = seen.split("\033[J")[0].splitlines()
    assert len(lines) > 5 and all(line.endswith("\033[K") for line in lines), lines
    assert "eth0" in lines[-1]
