# SPDX-License-Identifier: BSD-2-Clause
"""Health checks of every kind against real servers, and what panic does with their verdicts."""
import os
import re
import subprocess

import pytest

from lablib.lab import vip
from lablib.peers import Ledgerd, assert_clean
from lablib.proc import run, wait_for

NGINX = """daemon off; master_process off; pid nginx.pid; error_log error.log;
events {{}}
http {{
  access_log access.log combined;
  server {{
    listen {address}:8081; listen {address}:8443 ssl;
    ssl_certificate cert.pem; ssl_certificate_key key.pem;
    location = /health {{ root {directory}; add_header X-Version 1; }}
    location = /moved {{ return 302 /health; }}
    location / {{ return 404; }}
  }}
}}
"""


class Nginx:
    """A real web server in a backend's namespace; /health is a file that tests may take away."""

    def __init__(self, lab, backend):
        self.directory = os.path.join(lab.directory, f"nginx-{backend.name}")
        os.mkdir(self.directory)
        os.chmod(lab.directory, 0o755)
        run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab",
             "-keyout", f"{self.directory}/key.pem", "-out", f"{self.directory}/cert.pem"])
        self.page("fine\n")
        config = f"{self.directory}/nginx.conf"
        with open(config, "w", encoding="ascii") as file:
            file.write(NGINX.format(address=backend.v4, directory=self.directory))
        self.proc = lab.start(["nginx", "-p", self.directory, "-c", config], f"nginx-{backend.name}", backend.netns)

    def page(self, text):
        path = f"{self.directory}/health"
        if text is None:
            os.unlink(path)
            return
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def asked(self):
        path = f"{self.directory}/access.log"
        with open(path, encoding="ascii") as file:
            return file.read()


@pytest.fixture
def web(make_lab):
    """A lab of one backend a pool, blue's with nginx beside the ledger, and how to start a daemon."""
    lab = make_lab(pools={"blue": 1, "green": 1})
    lab.start_backends()
    lab.nginx = Nginx(lab, lab.backend("blue0"))

    def start(**health):
        pools = {"blue": [lab.backend("blue0").endpoints()[0]], "green": [lab.backend("green0").endpoints()[0]]}
        service = lab.service([f"{vip(4)}/tcp"], pools=pools, health=lab.quick_health(300, **health))
        return lab.daemon(lab.config("tc", {"web": service}))

    return lab, start


def wait_health(daemon, pool, health):
    return wait_for(lambda: next((b for b in daemon.pool(pool)["backends"] if b["health"] == health), None), 15,
                    f"{pool} is {health}")


@pytest.mark.parametrize("kind,port", [("http", 8081), ("https", 8443)])
def test_http_and_https(web, kind, port):
    lab, start = web
    more = {"tls_verify": False} if kind == "https" else {}
    daemon = start(type=kind, port=port, path="/health", host="shop.example", expect="200", body="fine", **more)
    wait_health(daemon, "blue", "up")
    assert wait_health(daemon, "green", "down")["last_error"], "nobody listens there"
    lab.nginx.page("broken\n")
    assert "text is not in the body" in wait_health(daemon, "blue", "down")["last_error"]
    lab.nginx.page("all is fine again\n")
    wait_health(daemon, "blue", "up")
    lab.nginx.page(None)
    assert "404" in wait_health(daemon, "blue", "down")["last_error"]
    assert re.search(r'"GET /health HTTP/1.1" 200', lab.nginx.asked())


def test_a_certificate_of_nobody(web):
    """Verified when that is asked for: a self-signed one is not good then, and the reason is told."""
    _, start = web
    daemon = start(type="https", port=8443, path="/health", expect="200", tls_verify=True)
    assert "certificate" in wait_health(daemon, "blue", "down")["last_error"].lower()


def test_method_and_status(web):
    _, start = web
    daemon = start(type="http", port=8081, path="/moved", method="HEAD", expect="302")
    wait_health(daemon, "blue", "up")


def test_exec(web):
    """A program decides; it is told about whom, has no descriptors of ours, and is killed when it is late."""
    lab, start = web
    os.chmod(lab.directory, 0o755)
    script = os.path.join(lab.directory, "check")
    told = os.path.join(lab.directory, "told")
    verdict = os.path.join(lab.directory, "verdict")
    with open(script, "w", encoding="ascii") as file:
        file.write(f"#!/bin/bash\necho $ZDD_SERVICE $ZDD_POOL $ZDD_BACKEND $(ls /proc/self/fd) >>{told}\n"
                   f"read v <{verdict}\n[[ $ZDD_POOL == green ]] && exit 0\n"
                   "[[ $v == late ]] && exec sleep 1000\nexit $v\n")
    os.chmod(script, 0o755)

    def decide(value):
        with open(verdict + ".new", "w", encoding="ascii") as file:
            file.write(f"{value}\n")
        os.rename(verdict + ".new", verdict)

    decide(0)
    daemon = start(type="exec", command=[script])
    wait_health(daemon, "blue", "up")
    wait_health(daemon, "green", "up")
    decide(3)
    assert "exit status 3" in wait_health(daemon, "blue", "down")["last_error"]
    decide(0)
    wait_health(daemon, "blue", "up")
    decide("late")
    wait_health(daemon, "blue", "down")
    decide(0)
    wait_health(daemon, "blue", "up")
    with open(told, encoding="ascii") as file:
        lines = [line.split() for line in file]
    blue = lab.backend("blue0").endpoints()[0]
    assert ["web", "blue", blue] in [line[:3] for line in lines]
    assert {int(fd) for line in lines for fd in line[3:]} <= {0, 1, 2, 3, 255}, "descriptors leak"
    late = subprocess.run(["pgrep", "-P", str(daemon.proc.pid), "sleep"], capture_output=True, text=True)
    assert late.stdout == "", "a late check lives on"


@pytest.mark.parametrize("threshold,panics", [("60%", True), ("50%", False)])
def test_panic_threshold(lab, threshold, panics):
    """One of two is down: 50 % are healthy. A refused SYN is not tried elsewhere, so that it shows."""
    daemon = lab.daemon(lab.config("tc", {"web": lab.service(
        [f"{vip(4)}/tcp"], families=(4,), panic=threshold, retry="off")})).wait_healthy()
    lab.backend("blue0").server.proc.kill9()
    wait_health(daemon, "blue", "down")
    service = daemon.get()
    assert service["panic"] is panics
    assert service["state"] == ("panic" if panics else "degraded")
    load = lab.load("new", vip(4), total=100, flows=4, timeout=500).result()
    assert (load["failures"]["refused"] > 0) is panics, "health is ignored, or it is not"
    Ledgerd(lab, lab.backend("blue0")).wait_ready()
    wait_for(lambda: daemon.get()["state"] == "ok", 15, "all are well")
    assert_clean(lab.load("new", vip(4), total=50).result(), 50)


# --- the numbers that others read

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*)\})? '
                    r'(-?[0-9.]+(?:e[+-]?[0-9]+)?|NaN|[+-]Inf)')


def scrape(daemon):
    """{(name, labels): value}; every line must be of the format, every metric have one HELP and TYPE before it."""
    done = daemon.netns.run("curl", "-si", "http://127.0.0.1:9177/metrics").stdout
    head, text = done.split("\n\n", 1) if "\r" not in done else done.split("\r\n\r\n", 1)
    assert "text/plain; version=0.0.4" in head
    assert text.endswith("\n")
    samples, types, helps, last = {}, {}, set(), None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in helps and len(line.split(None, 3)) == 4, line
            helps.add(name)
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types and kind in ("counter", "gauge", "histogram"), line
            assert (kind == "counter") == name.endswith("_total"), line
            types[name] = kind
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        family = family_of(name, types)
        assert family in types and family in helps, line
        assert last == family or not any(family_of(n, types) == family for n, _ in samples), f"{name} is torn apart"
        key = name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels or "")))
        assert key not in samples, line
        samples[key] = float(value)
        last = family
    check_histograms(samples, types)
    return samples


def family_of(name, types):
    """A histogram's samples are named after what they are of it."""
    family = re.sub("_(bucket|sum|count)$", "", name)
    return family if types.get(family) == "histogram" else name


def check_histograms(samples, types):
    """Buckets are cumulative, the last one is +Inf and has as many as there are."""
    for family in (name for name, kind in types.items() if kind == "histogram"):
        ladders = {}
        for (name, labels), value in samples.items():
            if name == f"{family}_bucket":
                rest = tuple(label for label in labels if label[0] != "le")
                ladders.setdefault(rest, []).append((float(dict(labels)["le"]), value))
        assert ladders, family
        for rest, steps in ladders.items():
            assert steps == sorted(steps) and sorted(v for _, v in steps) == [v for _, v in steps], (family, rest)
            assert steps[-1] == (float("inf"), samples[f"{family}_count", rest]), (family, rest)
            assert samples[f"{family}_sum", rest] >= 0


def test_metrics_say_what_get_says(lab):
    daemon = lab.daemon(lab.config("tc", metrics="127.0.0.1:9177")).wait_healthy()
    daemon.ctl("set", "share", "web", "green=12.5%")
    daemon.ctl("drain", f"web/green/{lab.backend('green0').endpoints()[0]}")
    idle = lab.load("idle", vip(4), flows=10, interval=60000)
    idle.wait_answered(10)
    assert_clean(lab.load("new", vip(4), total=200, flows=4, sources=50).result(), 200)
    seen, service = scrape(daemon), daemon.get()
    assert seen["zdd_generation", ()] == service["generation"]
    assert seen["zdd_service_revision", (("service", "web"),)] == service["revision"]
    for pool in service["pools"]:
        labels = ("pool", pool["name"]), ("service", "web")
        assert seen["zdd_pool_share_percent", labels] == pool["share"]
        assert seen["zdd_pool_flows_new_total", labels] == pool["flows_new"]
        assert seen["zdd_pool_flows_active", labels] == pool["flows_active"]
        assert seen["zdd_pool_live", labels] == (pool["role"] == "live")
        for backend in pool["backends"]:
            labels = ("backend", backend["address"]), ("pool", pool["name"]), ("service", "web")
            assert seen["zdd_backend_up", labels] == (backend["health"] == "up")
            assert seen["zdd_backend_ready", labels] == (backend["admin"] == "ready")
            assert seen["zdd_backend_flows_new_total", labels] == backend["flows_new"]
            assert seen["zdd_backend_flows_active", labels] == backend["flows_active"]
    verdicts = {dict(labels)["verdict"]: v for (name, labels), v in seen.items() if name == "zdd_packets_total"}
    counters = daemon.counters()
    assert set(verdicts) == set(counters)
    assert verdicts["forwarded"] > 200
    assert_clean(idle.stop())
