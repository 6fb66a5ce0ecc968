#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The demo's client: new connections one after another, and long-lived ones that keep asking.

demo_client.py HOST PORT ROWS: appends a line to ROWS for every answer and every failure:
    KIND MONOTONIC_NS VERSION     kind: new (time of the connect), open, cut, failed
Runs until SIGTERM."""
import asyncio
import signal
import sys
import time

LONG_LIVED = 20
EVERY_S = 0.05
REQUEST = b"GET / HTTP/1.1\r\nHost: demo\r\n\r\n"


class Client:
    def __init__(self, host, port, rows):
        self.where = (host, int(port))
        self.rows = rows

    def row(self, kind, when, version="-"):
        self.rows.write(f"{kind} {when} {version}\n")

    @staticmethod
    async def ask(reader, writer):
        """One request on an open connection; the version that answered."""
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length"))
        body = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(head.split(b"\r\n")[0].decode())
        return body.split()[0].decode()

    async def new_connections(self):
        while True:
            began = time.monotonic_ns()
            try:
                reader, writer = await asyncio.wait_for(asyncio.open_connection(*self.where), 5)
                self.row("new", began, await asyncio.wait_for(self.ask(reader, writer), 5))
                writer.close()
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                self.row("failed", began)

    async def long_lived(self):
        """Stays on one connection; a cut one is counted and not replaced."""
        reader, writer = await asyncio.open_connection(*self.where)
        try:
            while True:
                self.row("open", time.monotonic_ns(), await asyncio.wait_for(self.ask(reader, writer), 5))
                await asyncio.sleep(EVERY_S)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            self.row("cut", time.monotonic_ns())

    async def run(self):
        tasks = [asyncio.ensure_future(self.long_lived()) for _ in range(LONG_LIVED)]
        tasks.append(asyncio.ensure_future(self.new_connections()))
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        for task in tasks:
            task.cancel()


def main():
    host, port, path = sys.argv[1:]
    with open(path, "w", buffering=1, encoding="utf-8") as rows:
        asyncio.run(Client(host, port, rows).run())


main()
