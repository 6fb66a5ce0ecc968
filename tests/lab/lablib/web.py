# SPDX-License-Identifier: BSD-2-Clause
"""A web server and its load as people have them: nginx and wrk."""
import os
import re
import signal

from . import plain
from .proc import run, wait_for

STATUS_PORT = 8999
NGINX = """daemon off; pid {dir}/nginx-{name}.pid; error_log stderr error; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000;
  client_body_temp_path {dir}/{name}-1; proxy_temp_path {dir}/{name}-2; fastcgi_temp_path {dir}/{name}-3;
  uwsgi_temp_path {dir}/{name}-4; scgi_temp_path {dir}/{name}-5;
  {http} }}
"""


class Nginx:
    """One nginx; `http` is what stands in its http block."""

    def __init__(self, lab, name, netns, http):
        self.lab, self.name = lab, name
        self.path = os.path.join(lab.directory, f"{name}.conf")
        self.configure(http)
        self.proc = lab.start(["nginx", "-c", self.path, "-e", "stderr"], f"nginx-{name}", netns)

    def configure(self, http):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(NGINX.format(dir=self.lab.directory, name=self.name, http=http))


class VersionServer(Nginx):
    """A backend's version of the application, which counts what it answers."""

    def __init__(self, lab, backend, text):
        self.backend, self.asked = backend, 0
        listen = " ".join(f"listen {where};" for where in backend.endpoints(lab.shape.families))
        super().__init__(lab, backend.name, backend.netns,
                         f'server {{ {listen} location / {{ return 200 "{text}\\n"; }} }} '
                         f"server {{ listen 127.0.0.1:{STATUS_PORT}; location / {{ stub_status; }} }}")

    def wait_ready(self):
        url = f"http://{self.backend.endpoints(self.lab.shape.families)[0]}/"
        wait_for(lambda: not run(["curl", "-sf", url], netns=self.lab.node.name, check=False).returncode,
                 10, f"{self.name} answers")
        self.asked += 1
        return self

    def served(self):
        """Requests so far, less the ones of this class."""
        s = plain.connect(self.backend.netns, "127.0.0.1", STATUS_PORT)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(4096), b"")).decode()
        s.close()
        self.asked += 1
        return int(re.search(r"requests\s+\d+ \d+ (\d+)", text)[1]) - self.asked


class Wrk:
    """wrk at the address until it is stopped; with `close`, a connection for each request."""
    serial = 0

    def __init__(self, lab, where, connections, close=False):
        Wrk.serial += 1
        header = ["-H", "Connection: close"] if close else []
        self.proc = lab.start(["wrk", "-t1", f"-c{connections}", "-d3600", *header, f"http://{where}/"],
                              f"wrk{Wrk.serial}", lab.client)

    def stop(self):
        """{"requests": of which an answer came, and each kind of failure that wrk knows}"""
        self.proc.signal(signal.SIGINT)
        assert self.proc.wait() == 0, self.proc.tail()
        return read_wrk(self.proc.out())


def read_wrk(text):
    kinds = ("connect", "read", "write", "timeout")
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    odd = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {"requests": int(re.search(r"(\d+) requests in", text)[1]),
            **dict(zip(kinds, map(int, errors.groups()) if errors else (0,) * 4)),
            "status": int(odd[1]) if odd else 0}
