# SPDX-License-Identifier: BSD-2-Clause
"""Plain sockets in a namespace, for what the load generator does not do."""
import socket

TIMEOUT = 20


def _family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def connect(netns, host, port, source=None, timeout=TIMEOUT):
    with netns.entered():
        s = socket.socket(_family(host), socket.SOCK_STREAM)
    s.settimeout(timeout)
    if source:
        s.bind((source, 0))
    s.connect((host, port))
    return s


def listen(netns, host):
    """A listening TCP socket and its port."""
    with netns.entered():
        server = socket.create_server((host, 0), family=_family(host))
    server.settimeout(TIMEOUT)
    return server, server.getsockname()[1]


def udp(netns, host=None, port=0):
    """A UDP socket; bound when an address is given."""
    with netns.entered():
        s = socket.socket(_family(host) if host else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(TIMEOUT)
    if host:
        s.bind((host, port))
    return s


def read_exactly(s, length):
    parts = []
    while length:
        part = s.recv(min(length, 1 << 20))
        if not part:
            raise AssertionError(f"closed with {length} bytes to come")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def read_line(s):
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(s, 1)
    return line.decode().split()


def ask(s, word="1"):
    """One request of the line protocol; the words of its answer."""
    s.sendall(f"{word}\n".encode())
    return read_line(s)


def pattern(length):
    """What ledgerd sends for B and expects after P."""
    unit = bytes(ord("a") + i for i in range(23))
    return (unit * (length // 23 + 1))[:length]


def download(s, length):
    s.sendall(f"B {length}\n".encode())
    return read_exactly(s, length) == pattern(length)


def upload(s, length):
    s.sendall(f"P {length}\n".encode() + pattern(length))
    return int(read_line(s)[3]) == length
