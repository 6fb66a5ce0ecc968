# SPDX-License-Identifier: BSD-2-Clause
"""The ways in which packets can get from a client to a server: a laboratory of its own for each, all
at the same time, so that rounds can take turns."""
import contextlib
import os

from lablib.lab import PORT, VIP4, Lab
from lablib.proc import run, wait_for

NGINX = """daemon off; worker_processes 1; pid {dir}/{name}.pid; error_log stderr error;
events {{ worker_connections 8192; }}
{body}
"""
WEB = """http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{ listen {port} backlog=65535; location / {{ return 200 "ok\\n"; }} }} }}"""
HAPROXY = """global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind {vip}:{port} backlog 65535
  server one {backend}:{port}
"""
NFT = """table ip bench {{ chain pre {{ type nat hook prerouting priority dstnat;
  ip daddr {vip} tcp dport {port} dnat to {backend}:{port}
  ip daddr {vip} udp dport {port} dnat to {backend}:{port}
}}
}}
"""


class Way:
    """One lab, prepared; `target` is where clients go."""
    target = VIP4
    live = True      # carries packets of the generator too
    arrives_as = "tc"  # what the server's device gets: "xdp" frames or socket buffers ("tc")
    floor = None

    def __init__(self, name):
        self.name = name
        self.lab = None

    def make(self):
        self.lab = Lab(pools={"blue": 1}, families=(4,), static_neighbours=True)
        self.backend = self.lab.pools["blue"][0]
        self.processes = []
        self.prepare()

    def prepare(self):
        """What stands between client and server."""

    def fill(self, template):
        return template.format(vip=VIP4, port=PORT, backend=self.backend.v4, dir=self.lab.directory,
                               name=self.name, body="")

    def write(self, name, text):
        path = os.path.join(self.lab.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start_web(self):
        """The server, on a CPU of its own."""
        body = WEB.format(dir=self.lab.directory, port=PORT)
        conf = self.write("web.conf", NGINX.format(dir=self.lab.directory, name="web", body=body))
        self.web = self.lab.start(["nginx", "-c", conf, "-e", "stderr"], "web", self.backend.netns)
        wait_for(self.answers, 10, f"{self.name}: the server answers")

    def answers(self):
        return run(["curl", "-sf", "-m", "2", "-o", "/dev/null", f"http://{self.target}:{PORT}/"],
                   netns=self.lab.client.name, check=False).returncode == 0

    def close(self):
        if self.lab:
            self.lab.close()


class Routing(Way):
    def prepare(self):
        self.target = self.backend.v4
        self.lab.node.run("ethtool", "-K", "cl", "gro", "on")


class Nft(Way):
    def prepare(self):
        self.lab.node.nft(self.fill(NFT))
        self.lab.node.run("ethtool", "-K", "cl", "gro", "on")


class Ipvs(Way):
    def prepare(self):
        for words in (["-A", "-u", f"{VIP4}:{PORT}", "-s", "mh"],
                      ["-a", "-u", f"{VIP4}:{PORT}", "-r", f"{self.backend.v4}:{PORT}", "-m"]):
            self.lab.node.run("ipvsadm", *words)
        self.lab.node.run("ethtool", "-K", "cl", "gro", "on")


class Zdd(Way):
    def __init__(self, name, attach):
        super().__init__(name)
        self.attach = attach
        self.arrives_as = "xdp" if attach == "xdp" else "tc"

    def prepare(self):
        if self.attach != "xdp":
            self.lab.node.run("ethtool", "-K", "cl", "gro", "on")
        listen = [f"{VIP4}:{PORT}/{protocol}" for protocol in ("tcp", "udp")]
        service = self.lab.service(listen, families=(4,), health={"type": "none"})
        config = self.lab.config(self.attach, {"web": service})
        self.daemon = self.lab.daemon(config)


class Floor(Way):
    """Not a way at all: the least that any XDP program would cost."""
    arrives_as = "xdp"

    def __init__(self, name, floor):
        super().__init__(name)
        self.floor = floor


class Haproxy(Way):
    live = False

    def prepare(self):
        self.lab.start(["haproxy", "-db", "-f", self.write("haproxy.cfg", self.fill(HAPROXY))], "haproxy",
                       self.lab.node)


PACKET_WAYS = (("XDP drop", lambda n: Floor(n, "drop")),
               ("XDP static redirect", lambda n: Floor(n, "redirect")),
               ("zdd XDP", lambda n: Zdd(n, "xdp")),
               ("zdd tc", lambda n: Zdd(n, "tc")),
               ("kernel routing", Routing),
               ("nftables DNAT", Nft))
COUNTED_WAYS = (*PACKET_WAYS, ("IPVS (mh, NAT)", Ipvs))
WEB_WAYS = (("kernel routing", Routing),
            ("zdd XDP", lambda n: Zdd(n, "xdp")),
            ("zdd tc", lambda n: Zdd(n, "tc")),
            ("nftables DNAT", Nft),
            ("HAProxy TCP", Haproxy))


@contextlib.contextmanager
def made(table, *after):
    """All ways of a table, ready; gone afterwards. `after` are done with each."""
    with contextlib.ExitStack() as undo:
        ways = []
        for name, make in table:
            way = make(name)
            undo.callback(way.close)
            way.make()
            for step in after:
                step(way)
            ways.append(way)
        yield ways
