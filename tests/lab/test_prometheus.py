# SPDX-License-Identifier: BSD-2-Clause
"""Evidence that somebody else counts: HAProxy beside each application, a real Prometheus that asks it, and zddd
that asks Prometheus. The data path's own look into HTTP is off."""
import dataclasses
import json
import os

import pytest

from lablib.lab import vip
from lablib.peers import Ledgerd
from lablib.proc import wait_for

SIDECAR = """defaults
  mode http
  option http-server-close
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend web
  bind {address}:8080
  default_backend app
backend app
  server app {address}:8081
frontend metrics
  bind {address}:9100
  http-request use-service prometheus-exporter
"""
SCRAPE = """global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: sidecars
  static_configs:
{targets}
"""
COUNTER = 'sum(haproxy_frontend_http_responses_total{pool="{pool}",proxy="web"})'
PROMETHEUS = {"url": "http://127.0.0.1:9090/", "interval": "1s", "n": COUNTER,
              "bad": COUNTER.replace('"web"', '"web",code="5xx"')}
ROLLOUT = {"strategy": "canary", "steps": ["25%", "100%"], "bake": "2s", "lease": "20s", "prometheus": PROMETHEUS,
           "each": {"min": "1s", "max": "5m", "until": "evidence", "connections": 50},
           "judge": {"slo": "5%", "beta": "10%", "margin": 4}}


def write(lab, name, text):
    path = os.path.join(lab.directory, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


@pytest.fixture
def town(make_lab):
    """blue live, green the candidate, each application behind its sidecar."""
    lab = make_lab(pools={"blue": 1, "green": 1}, families=(4,))
    for backend in lab.backends():
        app = dataclasses.replace(backend, port=8081)
        backend.server = Ledgerd(lab, app, families=(4,), protocols=("tcp",))
        backend.server.wait_ready()
        lab.start(["haproxy", "-db", "-f", write(lab, f"{backend.name}.cfg", SIDECAR.format(address=backend.v4))],
                  f"haproxy-{backend.name}", backend.netns)
    return lab


def start_prometheus(lab):
    targets = "\n".join(f"  - {{targets: ['{b.v4}:9100'], labels: {{pool: {b.pool}}}}}" for b in lab.backends())
    lab.start(["prometheus", f"--config.file={write(lab, 'prometheus.yml', SCRAPE.format(targets=targets))}",
               f"--storage.tsdb.path={lab.directory}/tsdb", "--web.listen-address=127.0.0.1:9090"],
              "prometheus", lab.node)
    wait_for(lambda: not lab.node.run("curl", "-sf", "http://127.0.0.1:9090/-/ready", check=False).returncode, 30,
             "prometheus is ready")


def begin(lab, **more):
    zdd = lab.daemon(lab.config("tc", {"web": lab.service([f"{vip(4)}/tcp"], families=(4,),
                                                          rollout={**ROLLOUT, **more})})).wait_healthy()
    load = lab.load("new", vip(4), flows=30, sources=20_000, rate=200, timeout=3000, http=1, hidden=1)
    load.wait_requests(100)
    return zdd


def said(zdd):
    return [e["text"] for e in zdd.ctl("events")["events"] if e["text"].startswith("prometheus: ")]


def external(zdd):
    """What it counted over the whole rollout, by the judge's own record of it."""
    counts = os.path.join(zdd.state_dir, "counts", f"{zdd.get()['rollout']['number']}.jsonl")
    signals = zdd.ctl("judge", counts, expect=(0, 11, 15))["signals"]
    return next(s for s in signals if s["name"] == "external")["rollout"]


def test_a_good_canary_passes_by_what_prometheus_counts(town):
    start_prometheus(town)
    zdd = begin(town)
    zdd.ctl("canary", "web=green", "--timeout", "120s")
    assert zdd.get()["rollout"]["state"] in ("bake", "stable")
    told = external(zdd)
    assert told["live"]["n"] > 0 and told["canary"]["n"] > 0, told
    assert not said(zdd)


def test_a_canary_that_only_prometheus_sees_fail_is_taken_back(town):
    start_prometheus(town)
    town.backend("green0").server.mood(status=0.2)
    zdd = begin(town)
    zdd.ctl("canary", "web=green", "--timeout", "120s", expect=11)
    end = zdd.get()["rollout"]
    assert end["state"] == "rolled_back" and "external is worse on green" in end["why"], end
    told = external(zdd)
    assert told["canary"]["bad"] and not told["live"]["bad"] and told["live"]["n"] > told["canary"]["n"], told


def test_without_its_answers_nothing_passes(town):
    zdd = begin(town, each={"min": "1s", "max": "10s", "until": "evidence", "connections": 50})
    zdd.ctl("canary", "web=green", "--timeout", "60s", expect=14)
    assert "external has counted nothing of green" in zdd.get()["rollout"]["why"]
    assert len(said(zdd)) == 1 and "connect to 127.0.0.1 port 9090" in said(zdd)[0], said(zdd)
    start_prometheus(town)
    wait_for(lambda: "prometheus: it answers again" in said(zdd), 20, "it answers")


@pytest.mark.parametrize("query,says", [("sum(", "status 400: it says: "), ("up", "expected one: sum() adds them up")],
                         ids=["no query", "many series"])
def test_what_prometheus_objects_to_is_told(town, query, says):
    start_prometheus(town)
    wait_for(lambda: len(json.loads(town.node.run("curl", "-s", "http://127.0.0.1:9090/api/v1/query?query=up").stdout)
                         ["data"]["result"]) == 2, 20, "both are scraped")
    bad = f'{query} # {{pool}}'
    zdd = begin(town, prometheus={**PROMETHEUS, "bad": bad}, each={"min": "1s", "max": "1m", "until": "evidence"})
    zdd.ctl("canary", "web=green", "--no-wait")
    wait_for(lambda: said(zdd), 20, "an event")
    assert says in said(zdd)[0], said(zdd)
    zdd.ctl("abort", "web")
