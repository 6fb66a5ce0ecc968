# SPDX-License-Identifier: BSD-2-Clause
"""A peer for zddctl alone: it speaks HTTP on a unix socket, answers with bodies of docs/api.md and
remembers what it was asked."""
import copy
import http.server
import json
import os
import socketserver
import threading

BLUE = {
    "name": "blue", "share": 100, "measured_share": 99.75, "role": "live", "flows_active": 128,
    "flows_half_open": 2, "flows_new": 123456, "backends": [
        {"address": "10.0.1.11:8080", "weight": 2, "admin": "ready", "health": "up", "last_error": None,
         "flows_half_open": 1, "since": "2026-11-21T02:00:00Z",
         "checked": "2026-11-21T03:00:00Z", "flows_active": 64, "flows_new": 61000, "bytes": 123456789, "draining": None, "mac": "resolved"},
        {"address": "10.0.1.12:8080", "weight": 1, "admin": "drain", "health": "up", "last_error": None,
         "flows_half_open": 1, "since": "2026-11-21T02:00:00Z",
         "checked": "2026-11-21T03:00:00Z", "flows_active": 64, "flows_new": 62456, "bytes": 999,
         "draining": {"deadline": "2026-11-21T03:05:00Z", "open": 64}, "mac": "resolved"}]}
GREEN = {
    "name": "green", "share": 0, "measured_share": None, "role": "idle", "flows_active": 0,
    "flows_half_open": 0, "flows_new": 0, "backends": [
        {"address": "[fd00:2::11]:8080", "weight": 1, "admin": "ready", "health": "down",
         "last_error": "connection refused", "flows_half_open": 0, "since": "2026-11-21T02:00:00Z",
         "checked": "2026-11-21T03:00:00Z", "flows_active": 0, "flows_new": 0, "bytes": 0,
         "draining": None, "mac": "unresolved"}]}
SHOP = {"service": "shop", "state": "degraded", "generation": 42, "revision": 7, "live": "blue",
        "forward": "nat", "listen": ["203.0.113.10:443/tcp", "[2001:db8::10]:443/tcp"],
        "preview": ["203.0.113.10:8443/tcp"], "panic": False, "locked": None, "pools": [BLUE, GREEN],
        "drains": [{"pool": "blue", "backend": "10.0.1.12:8080", "since": "2026-11-21T03:00:00Z",
                    "deadline": "2026-11-21T03:05:00Z", "open": 64},
                   {"pool": "green", "backend": None, "since": "2026-11-21T03:00:00Z",
                    "deadline": None, "open": 3}], "rollout": None}
STATE = {"generation": 42, "version": "0.1.0", "state": "ok", "problems": [],
         "interfaces": [{"name": "eth0", "mode": "xdp", "why": "driver has it"},
                        {"name": "veth1", "mode": "tc", "why": "virtual"}],
         "services": [SHOP]}
CHANGED = {"result": "reached", "exit": 0, "text": "shop: green is live", "generation": 43,
           "revision": 8, "took_ms": 3, "changes": ["shop: blue -> green"],
           "moved": [{"service": "shop", "text": "shop: green is live"}], "staying": [], "verify": None}

ANSWERS = {
    "/v1/state": STATE,
    "/v1/services/shop": SHOP,
    "/v1/services/shop/conns": {
        "total": 129,
        "conns": [{"client": "192.0.2.7:51000", "listener": "203.0.113.10:443/tcp", "pool": "blue",
                   "backend": "10.0.1.11:8080", "protocol": "tcp", "state": "established",
                   "idle_ms": 250, "age_ms": 7384000, "generation": 40}]},
    "/v1/services/shop/cohort": {"address": "192.0.2.7", "service": "shop", "rule": None,
                                 "bucket": 1234, "pool": "blue"},
    "/v1/services/shop/history": {
        "releases": [{"number": 3, "service": "shop", "kind": "flip", "from": "green", "to": "blue",
                      "who": "root", "why": "the new version is too slow for the morning",
                      "started": "2026-11-21T02:00:00Z", "ended": "2026-11-21T02:00:01Z",
                      "result": "reached", "generation": 41}]},
    "/v1/services/shop/why": {"service": "shop", "text": ["blue is live with 100 %.",
                                                          "10.0.1.12:8080 drains because root said so."]},
    "/v1/events": {"events": [{"id": 8, "time": "2026-11-21T02:00:00Z", "kind": "health",
                               "service": "shop", "pool": "green", "backend": "[fd00:2::11]:8080",
                               "who": None, "text": "down: connection refused", "generation": 42}]},
    "/v1/doctor": {"checks": [
        {"name": "ip_forward", "ok": True, "text": "packets are forwarded", "fix": None},
        {"name": "rp_filter", "ok": False, "text": "strict on eth0, replies may be dropped",
         "fix": "sysctl -w net.ipv4.conf.eth0.rp_filter=2"},
        {"name": "nftables", "ok": None, "text": "not looked at: nft is not installed",
         "fix": "install nftables"}]},
    "/v1/ready": {"ready": True, "text": "every service has a healthy pool"},
    "/v1/config": {"interfaces": ["eth0"],
                   "services": {"shop": {"listen": ["203.0.113.10:443/tcp"], "share": 33.34}}},
}
NOT_FOUND = {"result": "not_found", "exit": 3, "text": "no such service"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "unix"

    def answer(self, body):
        status, value = self.server.peer.asked(self.command, self.path, body)
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def do_GET(self):
        self.answer(None)

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 16

    def handle_error(self, *_):
        """A client that goes away in the middle is nobody's fault here."""


class ApiPeer:
    """`answers` may be changed by a test: path -> body, or a function of (path, body) -> (status, body)."""

    def __init__(self, path):
        self.socket = path
        self.requests = []
        self.answers = copy.deepcopy(ANSWERS)
        self.changed = dict(CHANGED)
        self.server = None
        self.start()

    def asked(self, method, path, body):
        self.requests.append((method, path, json.loads(body) if body else None))
        found = self.answers.get(path, self.answers.get(path.split("?")[0]))
        if callable(found):
            return found(path, body)
        if method == "POST":
            return 200, self.changed
        return (200, found) if found is not None else (404, NOT_FOUND)

    def start(self):
        self.server = Server(self.socket, Handler)
        self.server.peer = self
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.socket)
