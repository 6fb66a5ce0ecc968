# SPDX-License-Identifier: BSD-2-Clause
"""zddd itself: what it keeps over a restart, how it ends, who may ask it, what happens at once."""
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import threading

import pytest

from lablib.daemon import EXIT
from lablib.lab import vip
from lablib.peers import assert_clean
from lablib.proc import BUILD, run, wait_for


@pytest.fixture
def daemon(lab):
    return lab.daemon(lab.config("tc")).wait_healthy()


def write(lab, name, config):
    path = os.path.join(lab.directory, name)
    with open(path, "w", encoding="ascii") as file:
        json.dump(config, file)
    return path


def with_more(lab):
    return lab.config("tc", {"web": lab.service(), "more": lab.service([f"{vip(4, 9000)}/tcp"])})


def services(daemon):
    return {s["service"] for s in daemon.state()["services"]}


def drift(daemon):
    """What the state says about the file, which alone is no reason to be degraded."""
    state = daemon.state()
    assert state["state"] == "ok", state["problems"]
    return [p for p in state["problems"] if daemon.config_path in p]


def kill_and_start(daemon):
    daemon.kill9()
    daemon.start()
    return daemon


# --- what was applied stays

def test_applied_stays_until_the_file_is_reloaded(lab, daemon):
    daemon.ctl("apply", "-f", write(lab, "other.json", with_more(lab)))
    assert len(drift(daemon)) == 1
    for _ in range(2):
        kill_and_start(daemon)
        assert services(daemon) == {"web", "more"}
        assert len(drift(daemon)) == 1
    plan = daemon.ctl("plan", "-f", daemon.config_path, expect=EXIT["changes"], text=True)
    assert "- removes service more" in plan.stdout
    daemon.reload()
    wait_for(lambda: services(daemon) == {"web"}, 10, "the file is in force")
    wait_for(lambda: drift(daemon) == [], 10, "the drift is over")
    assert services(kill_and_start(daemon)) == {"web"}


def test_backend_added_and_deleted_stays(lab, daemon):
    where = lab.backend("blue1").endpoints()[0]
    daemon.ctl("backend", "del", f"web/blue/{where}")
    generation = daemon.get()["generation"]
    kill_and_start(daemon).wait_healthy()
    assert where not in daemon.backends()
    assert daemon.get()["generation"] >= generation
    result = lab.load("new", vip(4), total=100, flows=5).result()
    assert_clean(result, 100)
    assert {b["backend"] for b in result["backends"]} == {"blue0"}
    daemon.ctl("backend", "add", f"web/blue/{where}")
    assert drift(daemon) == [], "it says what the file says again"
    assert where in kill_and_start(daemon).backends()


def test_an_edited_file_rules(lab, daemon):
    daemon.ctl("apply", "-f", write(lab, "other.json", with_more(lab)))
    daemon.flip("web=green")
    daemon.kill9()
    daemon.write(lab.config("tc", {"web": lab.service(panic="20%")}))
    daemon.start()
    assert services(daemon) == {"web"}
    assert daemon.get()["live"] == "green"
    said = [e["text"] for e in daemon.ctl("events")["events"] if e["kind"] == "start"]
    assert any("was edited since" in text for text in said), said
    assert drift(daemon) == []


def test_without_database_the_file_rules(lab, daemon):
    daemon.ctl("apply", "-f", write(lab, "other.json", with_more(lab)))
    daemon.kill9()
    shutil.rmtree(daemon.state_dir)
    daemon.make_state()
    daemon.start()
    assert services(daemon) == {"web"}


def test_the_file_itself_is_no_drift(lab, daemon):
    path = daemon.write(with_more(lab))
    daemon.ctl("apply", "-f", path)
    assert drift(daemon) == []
    assert services(kill_and_start(daemon)) == {"web", "more"}


def test_an_apply_that_was_cut_short_is_closed_with_the_truth(lab, daemon):
    """Killed when the intent is written and nothing else: the next start carries it out, and says so."""
    path = write(lab, "other.json", with_more(lab))
    for _ in range(5):
        apply = subprocess.Popen([f"{BUILD}/zddctl", "--socket", daemon.socket, "apply", "-f", path],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        daemon.kill9()
        apply.wait(30)
        daemon.start()
        has_more = "more" in services(daemon)
        for release in daemon.history("more") if has_more else []:
            assert release["result"] == "reached", release
        daemon.reload()
        wait_for(lambda: services(daemon) == {"web"}, 10, "the file is in force")


def test_save_and_restore_bring_all_back(lab, daemon):
    where = lab.backend("green1").endpoints()[0]
    daemon.ctl("set", "share", "web", "green=12.5%")
    daemon.ctl("maint", f"web/green/{where}")
    before = daemon.get()
    saved = os.path.join(lab.directory, "saved.json")
    daemon.ctl("save", "-f", saved, text=True)
    daemon.ctl("ready", f"web/green/{where}")
    wait_for(lambda: daemon.backends()[where]["health"] == "up", 10, "green1 is checked again")
    daemon.ctl("backend", "del", f"web/blue/{lab.backend('blue0').endpoints()[0]}")
    daemon.flip("web=green")
    daemon.ctl("restore", "-f", saved)

    def what(service):
        return service["live"], [(p["name"], p["share"], [(b["address"], b["admin"]) for b in p["backends"]])
                                 for p in service["pools"]]

    assert what(daemon.get()) == what(before)
    assert what(kill_and_start(daemon).get()) == what(before)


def test_rollout_of_the_file_is_saved_and_stays(lab, daemon):
    rollout = {"preset": "Canary10Percent5Minutes", "judge": "shadow", "guards": ["5xx > 5% over 5m for 2m"],
               "hooks": {"gate": ["/bin/true", "a", "b"]}, "notify": ["http://192.0.2.1/deploys"]}
    config = lab.config("tc", {"web": lab.service(signals={"http": True}, rollout=rollout)})
    daemon.ctl("apply", "-f", write(lab, "rollout.json", config))
    saved = daemon.ctl("save", text=True).stdout
    web = json.loads(saved)["services"]["web"]
    assert web["rollout"]["steps"] == ["10%", "100%"] and web["signals"] == {"http": True}
    assert kill_and_start(daemon).ctl("save", text=True).stdout == saved, "as the store has it"
    rollout["hooks"]["gate"] = ["/bin/true", "b", "a"]
    plan = daemon.ctl("plan", "-f", write(lab, "rollout.json", config), expect=EXIT["changes"], text=True)
    assert "web rollout hooks gate: " in plan.stdout
    daemon.reload()
    wait_for(lambda: "rollout" not in json.loads(daemon.ctl("save", text=True).stdout)["services"]["web"], 10,
             "the file has none")
    path = os.path.join(lab.directory, "saved.json")
    with open(path, "w", encoding="ascii") as file:
        file.write(saved)
    daemon.ctl("restore", "-f", path)
    assert json.loads(daemon.ctl("save", text=True).stdout)["services"] == json.loads(saved)["services"]


# --- the words and numbers of a change

def test_a_flip_counts_who_stays(lab, daemon):
    idle = lab.load("idle", vip(4), flows=20, interval=1000)
    idle.wait_answered(20)
    assert daemon.pool("blue")["flows_active"] == 20, "counted when asked"
    said = daemon.ctl("flip", "web", "--verify", text=True).stdout
    assert re.match(r"web: green is live \(generation \d+, \d+ ms\). 20 connections stay on blue.\n", said), said
    assert "proven" in said
    assert re.search(r"web/blue: last new flow in generation \d+, 20\d\d-", said), said
    assert "proven" not in daemon.ctl("flip", "web=blue", text=True).stdout
    assert daemon.ctl("flip", "web=blue", text=True).stdout == "web: blue is live already.\n"
    assert re.match(r"web: green 5 %, blue 95 % \(generation",
                    daemon.ctl("set", "share", "web", "green=5%", text=True).stdout)
    where = lab.backend("blue0").endpoints()[0]
    on_blue0 = daemon.backends()[where]["flows_active"]
    said = daemon.ctl("drain", f"web/blue/{where}", text=True).stdout
    assert f"{on_blue0} connections stay on web/blue/{where}." in " ".join(said.split())
    assert_clean(idle.stop())


def test_last_new_is_a_time(lab, daemon):
    """Real clock time of the last flow that came to the old pool; null where none ever came."""
    never = daemon.flip("web=green", "--verify")["verify"]["old"]["web/blue"]
    assert never == {"last_new": None, "last_new_generation": None}
    assert_clean(lab.load("new", vip(4), total=10).result(), 10)
    now = run(["date", "-u", "+%FT%T"]).stdout.strip()
    stamp = daemon.flip("web=blue", "--verify")["verify"]["old"]["web/green"]["last_new"]
    assert abs(int(run(["date", "-d", stamp, "+%s"]).stdout) - int(run(["date", "-d", now + "Z", "+%s"]).stdout)) <= 2


def test_force_for_drain_undo_and_share(lab, daemon):
    daemon.ctl("drain", "web/blue", expect=EXIT["refused"])
    daemon.ctl("drain", "web/blue", "--force")
    assert {b["admin"] for b in daemon.pool("blue")["backends"]} == {"drain"}
    daemon.ctl("ready", "web/blue")
    daemon.flip("web=green")
    for backend in lab.pools["blue"]:
        backend.server.proc.kill9()
    wait_for(lambda: all(b["health"] == "down" for b in daemon.pool("blue")["backends"]), 10, "blue is down")
    daemon.ctl("set", "share", "web", "blue=10%", "--timeout", "300ms", expect=EXIT["failed_safe"])
    daemon.ctl("undo", "web", expect=EXIT["refused"])
    daemon.ctl("undo", "web", "--force")
    assert daemon.get()["live"] == "blue"
    daemon.flip("web=green")
    daemon.ctl("set", "share", "web", "blue=10%", "--force")
    assert daemon.pool("blue")["share"] == 10


def test_drain_deadline_is_told(lab):
    service = lab.service(drain={"deadline": "1s", "then": "keep"})
    daemon = lab.daemon(lab.config("tc", {"web": service})).wait_healthy()
    idle = lab.load("idle", vip(4), flows=5, interval=100)
    idle.wait_answered(5)
    daemon.flip("web=green")

    def told(words):
        return [e for e in daemon.ctl("events")["events"] if e["kind"] == "drain" and words in e["text"]]

    event = wait_for(lambda: told("deadline passed with 5 flows open"), 15, "the deadline is told")[0]
    assert (event["service"], event["pool"], event["backend"]) == ("web", "blue", None)
    result = idle.stop()
    assert_clean(result)
    assert result["open"] == 5, "they are kept"
    wait_for(lambda: told("no flow is open"), 15, "the end is told")


# --- many at once

def test_zddctl_at_the_same_time(lab, daemon):
    answers = {}

    def flip(number):
        answers[number] = daemon.flip(f"web={('green', 'blue')[number % 2]}", "-m", str(number), expect=None)

    threads = [threading.Thread(target=flip, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [a.code for a in answers.values()] == [0] * 8, [a.stderr for a in answers.values()]
    last = max((a for a in answers.values() if a["changes"]), key=lambda a: a["generation"])
    assert daemon.get()["live"] == last["changes"][0].split()[-1]
    generations = [a["generation"] for a in answers.values() if a["changes"]]
    assert len(set(generations)) == len(generations), "two flips with one generation"


def post(path, where, body):
    """A request that is on its way; read the answer from it."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(path)
    raw = json.dumps(body).encode()
    s.sendall(f"POST {where} HTTP/1.1\r\nHost: zdd\r\nConnection: close\r\nContent-Length: {len(raw)}\r\n\r\n"
              .encode() + raw)
    return s


def answer_of(s):
    answer = b""
    while part := s.recv(65536):
        answer += part
    s.close()
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def test_more_changes_than_plans_in_memory(lab, daemon):
    """Those without room for a plan wait for it; all are done, in the order in which they came."""
    before = daemon.get()["revision"]
    waiting = []
    for n in range(24):
        waiting.append(post(daemon.socket, "/v1/share", {"service": "web", "shares": {"green": n + 1}}))
    answers = [answer_of(s) for s in waiting]
    assert [a["exit"] for a in answers] == [0] * 24, answers
    assert [a["generation"] for a in answers] == sorted(a["generation"] for a in answers)
    assert daemon.pool("green")["share"] == 24
    assert daemon.get()["revision"] == before + 24


# --- the end

def test_stopping_answers_who_waits_for_health(lab, daemon):
    for backend in lab.pools["green"]:
        backend.server.proc.kill9()
    wait_for(lambda: all(b["health"] == "down" for b in daemon.pool("green")["backends"]), 10, "green is down")
    waiting = post(daemon.socket, "/v1/flip", {"targets": {"web": "green"}})
    daemon.get()  # the one before is parked now
    assert daemon.stop() == 0
    answer = answer_of(waiting)
    assert answer["exit"] == 1 and "stopping" in answer["text"], answer


def test_stopping_answers_who_waits_for_the_store(lab, daemon):
    """The database is locked, so the intent cannot be written: zddd ends all the same, and tells."""
    lock = sqlite3.connect(os.path.join(daemon.state_dir, "zdd.db"), isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    argv = [f"{BUILD}/zddctl", "--socket", daemon.socket, "flip", "web=green"]
    flip = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(r["result"] is None for r in daemon.history()), 10, "the flip waits for the store")
    daemon.stop()
    said = flip.communicate(timeout=30)
    lock.rollback()
    assert flip.returncode == 1 and "zddd is stopping; nothing changed" in said[1], said
    daemon.start()
    assert daemon.get()["live"] == "blue"


def test_stopping_lets_no_flip_hang(lab, daemon):
    for turn in range(6):
        argv = [f"{BUILD}/zddctl", "--socket", daemon.socket, "flip", "web"]
        flips = [subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                 for _ in range(turn)]
        daemon.stop()
        for flip in flips:
            said = flip.communicate(timeout=20)[1]
            assert flip.returncode in (0, 1, 5), said
            assert flip.returncode == 0 or said.count("\n") == 1, said
        daemon.start()
    assert all(r["result"] for r in daemon.history())


# --- what it tells systemd

def test_systemd_is_told(lab):
    path = os.path.join(lab.directory, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(20)
        told = []

        def until(word):
            told.clear()
            while not told or word not in told[-1]:
                told.append(s.recv(4096).decode())
            return told[-1]

        daemon = lab.daemon(lab.config("tc"), start=False)
        daemon.start(under=["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=200000"])
        until("READY=1")
        until("WATCHDOG=1")
        until("WATCHDOG=1")
        daemon.reload()
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", until("RELOADING=1"))
        until("READY=1")
        assert daemon.stop() == 0
        until("STOPPING=1")


# --- who may ask

@pytest.fixture
def as_user(lab):
    """Runs zddctl as a user that is not root, with these groups."""
    copied = os.path.join(lab.directory, "zddctl")
    shutil.copy(f"{BUILD}/zddctl", copied)
    os.chmod(lab.directory, 0o755)

    def call(group, *words, groups=None):
        argv = ["setpriv", "--reuid", "65534", "--regid", str(group)]
        argv += ["--groups", groups] if groups else ["--clear-groups"]
        return run([*argv, copied, *words], check=False)

    return call


def test_strangers_are_not_permitted(lab, daemon, as_user):
    done = as_user(65534, "--socket", daemon.socket, "get")
    assert done.returncode == EXIT["not_permitted"] and done.stderr.count("\n") == 1, done
    os.chmod(daemon.socket, 0o666)  # the daemon asks for itself, not only the file's mode
    for words in (["get"], ["flip", "web=green"]):
        done = as_user(65534, "--socket", daemon.socket, *words)
        assert done.returncode == EXIT["not_permitted"] and done.stderr.count("\n") == 1, done
    assert daemon.get()["live"] == "blue"


def test_members_of_the_group_may(lab, as_user):
    daemon = lab.daemon(lab.config("tc"), start=False)
    daemon.start(under=["setpriv", "--regid", "65533", "--clear-groups"]).wait_healthy()
    assert os.stat(daemon.socket).st_gid == 65533 and os.stat(daemon.socket).st_mode & 0o777 == 0o660
    assert as_user(65533, "--socket", daemon.socket, "get").returncode == 0
    done = as_user(65534, "--socket", daemon.socket, "flip", "web=green", groups="65533")
    assert done.returncode == 0, done.stderr
    assert daemon.history()[0]["who"] in ("nobody", "uid 65534")
